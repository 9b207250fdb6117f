"""What became of letters in doubt: settled by events, by the provider's Email Logs, or by an operator.

Proof that a letter was accepted settles its whole batch, since a request is accepted or refused whole. That
nothing is known proves nothing until the logs' lag is long over; then the same letters go again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from digest.deliver.events import EventKind
from digest.deliver.evidence import Finding, Found
from digest.deliver.message import address_fault, envelope_address
from digest.errors import NotFoundError
from digest.links import delivery_id
from digest.store import doubts, runs
from digest.store.database import Database
from digest.store.doubts import Doubtful

LAG = timedelta(hours=4)
"""Email Logs are minutes behind; hours after it can have left, what they lack was not sent (ADR 0011)."""
LOGS_REMEMBER = timedelta(days=2)
"""Email Logs forget, after a time that no document names: what they lack later than this proves nothing."""
# Until Email Logs have what has just left: minutes, with room.
_TOLD_WITHIN = timedelta(minutes=15)
# So many that not all of them can have been left out of the request for a fault of their address.
_SAMPLE = 25
PROOFS = tuple(kind.value for kind in EventKind if kind not in (EventKind.ACCOUNT, EventKind.OTHER))


class Records(Protocol):
    """What settling needs of a provider's memory."""

    def was_taken(
        self, deliveries: Mapping[str, str], *, since: datetime, until: datetime, sample: int = 10
    ) -> Finding:
        """Whether the request with these letters (address -> delivery id) was accepted."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Batches settled, by how."""

    sent: int = 0
    not_sent: int = 0


@dataclass(slots=True)
class Settler:
    """Settles by evidence; asks the provider about each batch once in its life (``asked``).

    ``not_sent_after``: how long the logs must have had nothing; None leaves that to an operator.
    """

    records: Records | None
    not_sent_after: timedelta | None
    asked: set[int] = field(default_factory=set)

    def settle(self, database: Database, run_id: int, *, now: datetime) -> Settled:
        """Settle what evidence allows in a run. Twice is harmless."""
        sent = settle_by_events(database, run_id, now=now)
        not_sent = 0
        if self.records is None:
            return Settled(sent)
        with database.read() as connection:
            left = [one for one in doubts.doubtful(connection, run_id) if one.id not in self.asked]
        for batch in left:
            self.asked.add(batch.id)
            finding = finding_of(database, self.records, run_id, batch, now=now)
            if finding.found is Found.TAKEN:
                with database.write() as connection:
                    sent += doubts.settle_sent(
                        connection, batch.id, why=finding.why, now=now, provider_id=finding.provider_id
                    )
            elif finding.found is Found.NOT_FOUND and self._is_late_enough(now - batch.until):
                with database.write() as connection:
                    again = doubts.settle_not_sent(connection, batch.id, why=finding.why, now=now)
                not_sent += again is not None
        return Settled(sent, not_sent)

    def _is_late_enough(self, passed: timedelta) -> bool:
        return self.not_sent_after is not None and passed >= self.not_sent_after


def settle_by_events(database: Database, run_id: int, *, now: datetime) -> int:
    """Doubtful batches with a letter that an event speaks of were handed over; returns how many."""
    with database.read() as connection:
        found = doubts.proven(connection, run_id, proofs=PROOFS)
    if not found:
        return 0
    with database.write() as connection:
        return sum(
            doubts.settle_sent(connection, batch, why=f"event {event} proves it", now=now)
            for batch, event in found
        )


def finding_of(
    database: Database, records: Records, run_id: int, batch: Doubtful, *, now: datetime
) -> Finding:
    """What the provider's logs say of one batch now."""
    with database.read() as connection:
        letters = doubts.letters_of(connection, batch.id, most=_SAMPLE)
    deliveries = {
        # As the request had it, since that is what the logs know.
        envelope_address(address): delivery_id(run_id, id_)
        for id_, address in letters
        if not address_fault(address)
    }
    if not deliveries:
        return Finding(Found.UNKNOWN, "nobody is left in it whom one could ask about")
    found = records.was_taken(deliveries, since=batch.since, until=max(now, batch.until), sample=_SAMPLE)
    if found.found is Found.NOT_FOUND and now - batch.until > LOGS_REMEMBER:
        why = f"{found.why}, but after {LOGS_REMEMBER.days} days they may have forgotten: settle it yourself"
        return Finding(Found.UNKNOWN, why)
    return found


def to_settle(database: Database, run_id: int, *, batch_id: int | None) -> list[Doubtful]:
    """What an operator may settle: one doubtful batch, or all of a run.

    Raises: NotFoundError for a run or a batch that is not there.
    """
    with database.read() as connection:
        runs.run_by_id(connection, run_id)
        if batch_id is not None and not doubts.is_batch_of(connection, batch_id, run_id):
            raise NotFoundError(f"run {run_id} has no batch {batch_id}: see `digest run show {run_id}`")
        return [one for one in doubts.doubtful(connection, run_id) if batch_id in (None, one.id)]


@dataclass(frozen=True, slots=True)
class ByHand:
    """What an operator's word settled: batches, and the letters in them.

    ``found_sent``: letters that were to be settled as not sent, and that evidence knows: they count as sent.
    ``too_early``: letters left in doubt, since what the logs lack before ``clear_at`` means nothing.
    """

    batches: int = 0
    letters: int = 0
    found_sent: int = 0
    too_early: int = 0
    clear_at: datetime | None = None


def settle_by_hand(
    database: Database,
    run_id: int,
    *,
    is_sent: bool,
    batch_id: int | None,
    now: datetime,
    records: Records | None = None,
    is_certain: bool = False,
) -> ByHand:
    """What an operator knows of one doubtful batch, or all. Twice is harmless.

    Before letters go again, whoever has ``records`` looks there once more: not sent is what they do not hold
    some minutes later. ``is_certain``: the operator knows, whatever they say.

    Raises: NotFoundError for a run or a batch that is not there.
    """
    asked = None if is_sent or is_certain else records
    total = ByHand()
    for one in to_settle(database, run_id, batch_id=batch_id):
        total = _settle_one(database, run_id, one, is_sent=is_sent, records=asked, now=now, total=total)
    return total


def _settle_one(
    database: Database,
    run_id: int,
    one: Doubtful,
    *,
    is_sent: bool,
    records: Records | None,
    now: datetime,
    total: ByHand,
) -> ByHand:
    if records is not None:
        finding = finding_of(database, records, run_id, one, now=now)
        if finding.found is Found.TAKEN:
            with database.write() as connection:
                doubts.settle_sent(
                    connection, one.id, why=finding.why, now=now, provider_id=finding.provider_id
                )
            return replace(total, found_sent=total.found_sent + one.letters)
        clear_at = one.until + _TOLD_WITHIN
        if finding.found is Found.NOT_FOUND and now < clear_at:
            last = max(clear_at, total.clear_at or clear_at)
            return replace(total, too_early=total.too_early + one.letters, clear_at=last)
    with database.write() as connection:
        if is_sent:
            done = doubts.settle_sent(connection, one.id, why="settled as sent by an operator", now=now)
        else:
            why = "settled as not sent by an operator"
            done = doubts.settle_not_sent(connection, one.id, why=why, now=now) is not None
    if not done:
        return total
    return replace(total, batches=total.batches + 1, letters=total.letters + one.letters)
