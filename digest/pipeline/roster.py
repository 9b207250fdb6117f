"""Who gets letters: people are taken in, change, pause, leave and are forgotten.

Whoever comes, by file or by form, comes through `import_rows` or `add_one`; both follow one rule:
**nobody is revived** who left, was suppressed or erased, unless a consent later than that is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice

from digest.compose.profile import without_council
from digest.errors import ConflictError, NotFoundError
from digest.model import SubscriberState
from digest.pipeline.plan import start_mark
from digest.pipeline.roster_rows import Refusal, Row
from digest.pipeline.taking import GONE, Interned, Roster, Taken, Taking
from digest.store import subscribers, suppressions
from digest.store.councils import council_ids, unknown_council
from digest.store.database import Database
from digest.store.roster import LOCK_ROSTER
from digest.store.subscribers import Consent, Subscriber

__all__ = [
    "ImportReport", "Roster", "Taken",
    "add_one", "confirm", "erase", "import_rows", "leave", "pause", "resume",
]  # fmt: skip

# Rows of one write transaction: an unsubscription that waits for the lock waits a tenth of a second.
ROWS_AT_ONCE = 400


@dataclass(frozen=True, slots=True)
class ImportReport:
    """How many rows became what; ``refused`` in the order of their lines."""

    imported: int
    updated: int
    unchanged: int
    refused: tuple[Refusal, ...]


def import_rows(
    roster: Roster,
    rows: Iterable[Row | Refusal],
    *,
    update: bool = False,
    now: datetime,
    source: str = "import",
    each: Callable[[int], None] = lambda n: None,
) -> ImportReport:
    """Take in the readers of a list, some hundred a transaction; twice is harmless.

    Without ``update`` nobody who is subscribed is changed: a row with other wishes is refused. ``each`` is
    called with the number of rows after every transaction. Raises: StoreError; what was committed stays.
    """
    tally = _Tally()
    interned = Interned()
    rest = iter(rows)
    while part := list(islice(rest, ROWS_AT_ONCE)):
        fresh = [row for row in map(tally.first_seen, part) if row is not None]
        with roster.database.write(lock=LOCK_ROSTER) as connection:
            taking = Taking(connection, roster, interned, update=update, source=source, now=now)
            outcomes = taking.take(fresh)
        for outcome in outcomes:
            tally.count(outcome)
        each(len(part))
    return tally.report()


def add_one(roster: Roster, row: Row, *, source: str, now: datetime) -> Taken:
    """Take in one reader (``imported``, or ``unchanged`` for who is there with the same wishes).

    Raises: ConflictError when they are subscribed with other wishes or may not be revived, NotFoundError for
    an unknown council.
    """
    with roster.database.write(lock=LOCK_ROSTER) as connection:
        ids = council_ids(connection)
        for slug in row.profile.councils:
            if slug not in ids:
                raise NotFoundError(unknown_council(slug, ids))
        taking = Taking(connection, roster, Interned(), update=False, source=source, now=now)
        outcome = taking.take([row])[0]
    if isinstance(outcome, Refusal):
        raise ConflictError(f"{row.address} {outcome.why}")
    return outcome


def confirm(roster: Roster, id_: int, *, consent: Consent, now: datetime) -> bool:
    """A pending reader agreed: active from now. False when they were not pending (twice is harmless)."""
    with roster.database.write(lock=LOCK_ROSTER) as connection:
        found = subscribers.subscriber_by_id(connection, id_)
        if found is None or found.state is not SubscriberState.PENDING:
            return False
        mark = start_mark(
            connection, now=now, timezone=found.schedule.timezone, back_days=roster.start_back_days
        )
        subscribers.activate(connection, id_, start_mark=mark, now=now)
        subscribers.record_consent(connection, id_, consent, now=now)
        suppressions.lift(
            connection, found.address, key=roster.suppression_key, evidence=consent.source, now=now
        )
    return True


# --- changes of who is there ------------------------------------------------------------------------------


def pause(database: Database, address: str, *, until: date | None) -> None:
    """No letters until that day (None: until they resume). Twice is harmless.

    Raises: NotFoundError, ConflictError when the reader is neither active nor paused.
    """
    with database.write() as connection:
        found = subscribers.subscriber_by_address(connection, address)
        _require(found, SubscriberState.ACTIVE, SubscriberState.PAUSED, what="paused")
        subscribers.pause(connection, found.id, until=until)


def resume(database: Database, address: str, *, now: datetime) -> None:
    """End a pause; the next letter covers what was missed. An active reader stays as they are.

    Raises: NotFoundError, ConflictError when the reader is neither active nor paused.
    """
    with database.write() as connection:
        found = subscribers.subscriber_by_address(connection, address)
        _require(found, SubscriberState.ACTIVE, SubscriberState.PAUSED, what="resumed")
        subscribers.resume(connection, found.id, now=now)


def _require(found: Subscriber, *states: SubscriberState, what: str) -> None:
    if found.state not in states:
        raise ConflictError(
            f"{found.address} is {found.state}: only {' and '.join(states)} readers can be {what}"
        )


def leave(
    database: Database, address: str, *, council: str | None = None, reason: str = "left", now: datetime
) -> bool:
    """Leave one council, or altogether (None, or when it was the last one). Twice is harmless.

    True when the reader has no council any more. Raises: NotFoundError for an unknown address or council.
    """
    with database.write() as connection:
        found = subscribers.subscriber_by_address(connection, address)
        if found.state in GONE:
            return True
        rest = None
        if council is not None:
            ids = council_ids(connection)
            if council not in ids:
                raise NotFoundError(unknown_council(council, ids))
            rest = without_council(found.profile, council)
        if rest is not None:
            subscribers.set_wishes(connection, found.id, rest, source=reason, now=now)
            return False
        subscribers.end(connection, found.id, state=SubscriberState.LEFT, reason=reason, now=now)
    return True


def erase(roster: Roster, address: str, *, now: datetime) -> bool:
    """Forget address and name; only a keyed fingerprint stays, so that no older list brings them back.

    False when the address was erased before (twice is harmless). Raises: NotFoundError.
    """
    key = roster.suppression_key
    with roster.database.write(lock=LOCK_ROSTER) as connection:
        found = subscribers.find_subscriber(connection, address)
        if found is None:
            if suppressions.bars(connection, [address], key=key):
                return False
            found = subscribers.subscriber_by_address(connection, address)
        since = max([now, *(consent.at for consent in subscribers.consents(connection, found.id))])
        suppressions.mark_erased(connection, address, key=key, since=since)
        subscribers.erase(connection, found.id, now=now)
    return True


# --- taking people in -------------------------------------------------------------------------------------


class _Tally:
    """What became of the rows of one list, each address taken once."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(Taken, 0)
        self._refused: list[Refusal] = []
        self._first: dict[int, tuple[int, int]] = {}

    def first_seen(self, row: Row | Refusal) -> Row | None:
        """The row if it is good and the first of its address; else it is counted here."""
        if isinstance(row, Refusal):
            self.count(row)
            return None
        content = hash((row.name, row.profile, row.schedule, row.status, row.consent))
        line, same = self._first.setdefault(hash(row.key), (row.line, content))
        if line == row.line:
            return row
        why = f"{row.address} stands on line {line} with other wishes: keep one of the two"
        self.count(Taken.UNCHANGED if same == content else Refusal(row.line, why))
        return None

    def count(self, outcome: Taken | Refusal) -> None:
        """One more row with that outcome."""
        if isinstance(outcome, Refusal):
            self._refused.append(outcome)
        else:
            self._counts[outcome] += 1

    def report(self) -> ImportReport:
        """All that was counted."""
        refused = tuple(sorted(self._refused, key=lambda one: one.line))
        counts = self._counts
        return ImportReport(counts[Taken.IMPORTED], counts[Taken.UPDATED], counts[Taken.UNCHANGED], refused)
