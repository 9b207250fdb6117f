"""Old rows go, in small ranges, oldest first: each step may be killed anywhere and is harmless twice.

What `digest status` and `digest run list` count does not change: a completed run keeps its counts in its row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from digest.store import retention, subscribers, suppressions
from digest.store.database import LOCK_LOG, LOCK_PLAN, Database
from digest.store.roster import LOCK_ROSTER
from digest.store.spans import Range, span_of

# Rows of one transaction: whoever else writes waits for a fraction of a second.
RANGE = 10_000
_PEOPLE = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """How long what is kept (``[retention]`` in settings)."""

    pages: timedelta
    deliveries: timedelta
    events: timedelta
    left: timedelta


@dataclass(slots=True)
class Gone:
    """How many rows went."""

    deliveries: int = 0
    batches: int = 0
    editions: int = 0
    pages: int = 0
    events: int = 0
    left: int = 0
    leftovers: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(getattr(self, one.name) for one in fields(self))


def keep_tidy(
    database: Database,
    kept: Kept,
    *,
    suppression_key: str,
    now: datetime,
    each: Callable[[int], None] = lambda n: None,
    range_size: int = RANGE,
) -> Gone:
    """Let go of what has been kept long enough. Twice is harmless.

    ``each`` is called with the rows of every transaction; it may raise to stop here.
    """
    hand = _Hand(database, now, each, range_size)
    gone = Gone()
    gone.deliveries, gone.batches = hand.deliveries(now - kept.deliveries)
    # Deliveries name their edition: none goes before them.
    gone.editions = hand.editions(now - max(kept.pages, kept.deliveries))
    gone.pages = hand.pages(now - kept.pages)
    gone.events = hand.events(now - kept.events)
    gone.left = hand.left(now - kept.left, suppression_key=suppression_key)
    gone.leftovers = hand.leftovers(now - kept.pages)
    return gone


class _Hand:
    def __init__(
        self, database: Database, now: datetime, each: Callable[[int], None], range_size: int
    ) -> None:
        self._database = database
        self._now = now
        self._each = each
        self._most = range_size

    def _next_run(self, table: str, before: datetime, after: int) -> int | None:
        with self._database.read() as connection:
            return retention.next_run(connection, table, before=before, after=after)

    def deliveries(self, before: datetime) -> tuple[int, int]:
        """Deliveries and batches of runs completed before then."""
        gone, batches, last = 0, 0, 0
        while (run := self._next_run("batch", before, last)) is not None:
            while True:
                with self._database.write(lock=LOCK_PLAN) as connection:
                    n = retention.fold_deliveries(connection, run, most=self._most)
                if not n:
                    break
                gone += n
                self._each(n)
            with self._database.write(lock=LOCK_PLAN) as connection:
                batches += retention.drop_batches(connection, run)
            last = run
        return gone, batches

    def editions(self, before: datetime) -> int:
        """Editions of runs completed before then, and what only they named."""
        gone, last = 0, 0
        while (run := self._next_run("edition", before, last)) is not None:
            while True:
                with self._database.write(lock=LOCK_LOG) as connection:
                    n = retention.drop_editions(connection, run, most=self._most)
                if not n:
                    break
                gone += n
                self._each(n)
            last = run
        # Looked at each time: who was stopped here before has left some.
        self._ranges(self._span("news"), retention.drop_news)
        return gone

    def pages(self, before: datetime) -> int:
        """Pages stored before then that nothing shows any more, and forms that no page has."""
        with self._database.read() as connection:
            span = retention.page_span(connection, before=before)
        gone = self._ranges(span, partial(retention.drop_pages, before=before))
        self._ranges(self._span("form"), retention.drop_forms)
        return gone

    def _span(self, table: str) -> Range | None:
        with self._database.read() as connection:
            return span_of(connection, table)

    def _ranges(self, span: Range | None, drop: Callable[[Connection, int, int], int]) -> int:
        gone = 0
        if span is not None:
            for first in range(span.first, span.last + 1, self._most):
                last = min(first + self._most - 1, span.last)
                # Composing finds stored pages, forms and news under this lock.
                with self._database.write(lock=LOCK_LOG) as connection:
                    n = drop(connection, first, last)
                gone += n
                self._each(n)
        return gone

    def events(self, before: datetime) -> int:
        """Events received before then, counted."""
        gone, last = 0, 0
        while True:
            with self._database.write() as connection:
                first = retention.next_event(connection, after=last, before=before)
                if first is None:
                    return gone
                last = first + self._most - 1
                n = retention.fold_events(connection, first, last, before=before)
            gone += n
            self._each(n)

    def left(self, before: datetime, *, suppression_key: str) -> int:
        """People who left before then, as if they had been erased by hand: a mark bars older lists."""
        gone = 0
        while True:
            with self._database.write(lock=LOCK_ROSTER) as connection:
                found = retention.who_left(connection, before=before, most=_PEOPLE)
                for id_, address, left_at in found:
                    agreed_at = (consent.at for consent in subscribers.consents(connection, id_))
                    since = max([left_at, *agreed_at])
                    suppressions.mark_erased(connection, address, key=suppression_key, since=since)
                    subscribers.erase(connection, id_, now=self._now)
            gone += len(found)
            self._each(len(found))
            if len(found) < _PEOPLE:
                return gone

    def leftovers(self, before: datetime) -> int:
        """Items of feeds that were no meetings and have not been seen since."""
        gone = 0
        while True:
            with self._database.write() as connection:
                n = retention.drop_leftovers(connection, before=before, most=self._most)
            gone += n
            self._each(n)
            if n < self._most:
                return gone
