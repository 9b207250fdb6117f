"""The pages of claimed batches, some read ahead at once: a run may have as many pages as readers."""

from __future__ import annotations

from collections.abc import Sequence

from digest.model import Page
from digest.store import editions
from digest.store.batches import ClaimedBatch
from digest.store.database import Database

# Pages of one reading: some MB at most (a page has 80 kB in each part, mostly half of that).
_AHEAD = 50


class Pages:
    """Pages by batch, in the order of a claim."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._coming: list[int] = []
        self._held: dict[int, Page] = {}

    def expect(self, claimed: Sequence[ClaimedBatch]) -> None:
        """These batches will be asked for next, in this order."""
        self._coming = list(dict.fromkeys(batch.page_id for batch in claimed if batch.recipients))
        self._coming.reverse()

    def of(self, batch: ClaimedBatch) -> Page:
        """The batch's page. Raises: NotFoundError after its retention."""
        if batch.page_id not in self._held:
            wanted = [batch.page_id]
            while self._coming and len(wanted) < _AHEAD:
                wanted.append(self._coming.pop())
            with self._database.read() as connection:
                self._held = editions.pages_by_id(connection, wanted)
        return self._held[batch.page_id]
