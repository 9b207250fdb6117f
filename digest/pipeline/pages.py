"""What the batches of a claim need to be sent, made ready for some of them at once.

A run may have as many pages as readers, and then one reading, or one making of links, for each takes longer
than the rest of the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from digest.links import Purpose, Signer
from digest.model import Form, Page, Readers
from digest.pipeline.actions import recipients_of
from digest.store import pages
from digest.store.batches import ClaimedBatch
from digest.store.database import Database

# Pages of one reading: some MB at most (a page has 80 kB in each part, mostly half of that).
_AHEAD = 50
# Characters of forms kept: many pages share one, and to read it takes longer than all the rest of a page.
_FORMS_KEPT = 8_000_000
# Readers whose links are made at once; a larger batch is alone.
_READERS_AHEAD = 500


class Pages:
    """Pages by batch, in the order of a claim."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._coming: list[int] = []
        self._held: dict[int, Page] = {}
        self._forms: dict[int, Form] = {}

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
            if sum(form.size for form in self._forms.values()) > _FORMS_KEPT:
                self._forms.clear()
            with self._database.read() as connection:
                self._held = pages.pages_by_id(connection, wanted, forms=self._forms)
        return self._held[batch.page_id]


class Links:
    """Readers with their own links, and where their page can be viewed, by batch in the order of a claim."""

    def __init__(self, run_id: int, signer: Signer, base_url: str) -> None:
        self._run_id = run_id
        self._signer = signer
        self._base_url = base_url
        self._coming: list[ClaimedBatch] = []
        self._made: dict[int, tuple[Readers, str]] = {}

    def expect(self, claimed: Sequence[ClaimedBatch]) -> None:
        """These batches will be asked for next, in this order."""
        self._coming = list(reversed(claimed))
        self._made = {}

    def of(self, batch: ClaimedBatch, *, on: date) -> tuple[Readers, str]:
        """The batch's readers and the address of its browser view; links are made on that day."""
        if batch.id not in self._made:
            if self._coming and self._coming[-1].id == batch.id:
                self._coming.pop()
            some, n = [batch], len(batch.recipients)
            while self._coming and n + len(self._coming[-1].recipients) <= _READERS_AHEAD:
                some.append(self._coming.pop())
                n += len(some[-1].recipients)
            self._made = self._made_for(some, on=on)
        return self._made[batch.id]

    def _made_for(self, some: Sequence[ClaimedBatch], *, on: date) -> dict[int, tuple[Readers, str]]:
        everybody = [reader for batch in some for reader in batch.recipients]
        readers = recipients_of(self._run_id, everybody, signer=self._signer, base_url=self._base_url, on=on)
        views = self._signer.tokens(Purpose.VIEW, [batch.page_id for batch in some], on=on)
        made, at = {}, 0
        for batch, view in zip(some, views, strict=True):
            upto = at + len(batch.recipients)
            made[batch.id] = (readers[at:upto], f"{self._base_url}/view/{view}")
            at = upto
        return made
