"""Suppression sync: whom the provider will not mail, our list knows too, whatever its webhook told us.

Our database is the master: what the provider lists is added here, what is only here stays. Each reading
begins an hour before the end of the last one, and the end moves only when everything was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Protocol

from digest.deliver.evidence import Suppressed
from digest.links import without_addresses
from digest.pipeline.events import LOCK_EVENTS
from digest.store import facts, suppressions
from digest.store.database import Database
from digest.store.suppressions import Entry

EVERY = timedelta(hours=1)
"""How old the last reading may be when letters are about to leave."""
_MARK = "suppressions_read_until"
_EVER = datetime.fromtimestamp(0, UTC)
_AT_ONCE = 500


class Lists(Protocol):
    """What sync needs of a provider."""

    def suppressed_since(self, last: datetime, until: datetime) -> Iterator[Suppressed]:
        """Addresses that came onto its lists in that time, and some before. Raises: DigestError."""


@dataclass(frozen=True, slots=True)
class Synced:
    """What one reading found. ``since`` is None for the first, which reads everything."""

    seen: int
    new: int
    since: datetime | None
    until: datetime


def sync(database: Database, lists: Lists, *, suppression_key: str, now: datetime) -> Synced:
    """Take over what came onto the provider's lists since the last time. Twice is harmless.

    Killed or refused half-way, what was read is kept and the next time reads it again.
    Raises: EvidenceUnavailableError.
    """
    since = last_sync(database, now=now)
    seen = new = 0
    for some in _in_parts(lists.suppressed_since(since or _EVER, now)):
        entries = [_entry(one, now=now) for one in some]
        with database.write(lock=LOCK_EVENTS) as connection:
            new += suppressions.suppress_all(connection, entries, key=suppression_key)
        seen += len(some)
    with database.write() as connection:
        facts.keep_later(connection, _MARK, now, now=now)
    return Synced(seen, new, since, now)


def last_sync(database: Database, *, now: datetime) -> datetime | None:
    """Up to when the provider's lists are known; None before the first reading."""
    with database.read() as connection:
        return facts.instant(connection, _MARK, now=now)


def is_due(database: Database, *, now: datetime, every: timedelta = EVERY) -> bool:
    """Whether the last reading is that long ago."""
    last = last_sync(database, now=now)
    return last is None or now - last >= every


def _entry(one: Suppressed, *, now: datetime) -> Entry:
    why = without_addresses(one.why)
    evidence = f"on the provider's list since {one.at.isoformat()}" + (f": {why}" if why else "")
    return Entry(one.address, one.reason, min(one.at, now), evidence)


def _in_parts(found: Iterable[Suppressed]) -> Iterator[list[Suppressed]]:
    rest = iter(found)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
