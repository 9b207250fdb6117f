"""Who is due and what each is owed: runs come from the calendar and the run table, never from a timer."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digest import slots
from digest.errors import DatabaseBusyError
from digest.model import Ended, RunKind, RunState, Schedule
from digest.store import deliveries, profiles, publications, runs, subscribers
from digest.store.database import LOCK_LOG, LOCK_PLAN, Database
from digest.store.deliveries import PlanOf
from digest.store.runs import Run
from digest.store.spans import Range, span_of

# Subscribers of one planning transaction: long enough to be fast, short enough that a claim or an
# unsubscription waits well under a second for the write lock.
RANGE_SIZE = 50_000
_TRIES = 8


@dataclass(frozen=True, slots=True)
class Rules:
    """What settings say of planning. ``send_between`` and the rest as in ``[schedule]``."""

    send_between: slots.SendWindow
    stale_after: timedelta
    batch_size: int
    start_back_days: int
    late_limit: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A slot that is due for a run now; ``merged`` are earlier ones it stands for."""

    schedule_id: int
    schedule: Schedule
    slot_at: datetime
    merged: tuple[datetime, ...]


def due_now(database: Database, *, now: datetime, rules: Rules) -> list[Due]:
    """Every schedule's last slot that has no run yet and may run now, oldest first."""
    with database.read() as connection:
        known = profiles.schedules_by_id(connection)
        last = runs.last_slots(connection, upto=now)
        # From the calendar first: readers are looked at only where a slot has come that has no run.
        may_run = [id_ for id_, one in known.items() if _may_run(one, last.get(id_), now=now, rules=rules)]
        waiting = subscribers.active_schedules(connection, among=may_run) if may_run else {}
    found = []
    for id_, earliest in waiting.items():
        due = _due_of(known[id_], earliest, last.get(id_), now=now, rules=rules)
        if due is not None:
            found.append(Due(id_, known[id_], *due))
    return sorted(found, key=lambda due: (due.slot_at, due.schedule_id))


def _due_of(
    schedule: Schedule, earliest: datetime, last: datetime | None, *, now: datetime, rules: Rules
) -> tuple[datetime, tuple[datetime, ...]] | None:
    # A slot at the very instant somebody became due is theirs: due_from_at <= slot.
    after = earliest - timedelta(microseconds=1)
    if last is not None and last > after:
        after = last
    due = slots.due_slots(schedule, after=after, now=now)
    if due.last is None or not _may_run(schedule, last, now=now, rules=rules):
        return None
    return due.last, due.merged


def _may_run(schedule: Schedule, last: datetime | None, *, now: datetime, rules: Rules) -> bool:
    """Whether its latest slot has no run, is not too late, and letters may leave at this hour there."""
    slot = slots.latest_slot(schedule, now)
    if last is not None and slot <= last:
        return False
    # Late is late from when letters might leave: a slot out of hours waits for the next opening.
    opens_at = slots.next_allowed(slot, rules.send_between, schedule.timezone)
    if now - opens_at > (rules.late_limit or slots.late_limit(schedule)):
        return False
    return slots.next_allowed(now, rules.send_between, schedule.timezone) <= now


def count_due(connection: Connection, due: Due) -> int:
    """How many subscribers a run of that slot would plan now."""
    upto = publications.last_seq(connection)
    return deliveries.count_due(connection, PlanOf(0, due.schedule_id, due.slot_at, upto, 1))


def open_due_runs(database: Database, *, now: datetime, rules: Rules) -> list[Run]:
    """Make the runs that are due. Twice, or by two processes at once, makes each once."""
    return [_open(database, due, now=now) for due in due_now(database, now=now, rules=rules)]


def _open(database: Database, due: Due, *, now: datetime) -> Run:
    with database.write(lock=LOCK_LOG) as connection:
        return runs.open_run(
            connection,
            kind=RunKind.DIGEST,
            key=f"{due.schedule_id}@{due.slot_at.isoformat()}",
            slot_at=due.slot_at,
            schedule_id=due.schedule_id,
            merged=due.merged,
            upto_seq=publications.last_seq(connection),
            now=now,
        )


def plan(
    database: Database,
    run: Run,
    *,
    rules: Rules,
    now: datetime,
    range_size: int = RANGE_SIZE,
    each: Callable[[int], None] = lambda n: None,
) -> bool:
    """Write the deliveries of everyone due in a digest run; True once nobody is left.

    False: somebody's older letter is in flight, plan again in a moment. Twice changes nothing. ``each``
    is called with the number planned after every range.
    """
    if run.schedule_id is None or run.planned_at is not None:
        return True
    with database.read() as connection:
        span = span_of(connection, "subscriber")
        few = deliveries.is_few(connection, run.schedule_id, most=range_size)
    plan_of = PlanOf(run.id, run.schedule_id, run.slot_at, run.upto_seq, rules.batch_size, has_few=few)
    raised = Raised(run.upto_seq)
    is_whole = True
    if span is not None:
        step = span.last - span.first + 1 if few else range_size
        for first in range(span.first, span.last + 1, step):
            part = Range(first, min(first + step - 1, span.last))
            written, must_wait = _plan_part(database, plan_of, part, raised)
            is_whole = is_whole and not must_wait
            each(written)
    if is_whole:
        with database.write(lock=LOCK_PLAN) as connection:
            runs.mark_planned(connection, run.id, now=now)
    return is_whole


def _plan_part(database: Database, plan_of: PlanOf, part: Range, raised: Raised) -> tuple[int, bool]:
    for _ in range(_TRIES - 1):
        try:
            return _plan_part_once(database, plan_of, part, raised)
        except DatabaseBusyError:
            # PostgreSQL saw somebody change a row of the range meanwhile: the whole range again.
            continue
    return _plan_part_once(database, plan_of, part, raised)


def _plan_part_once(database: Database, plan_of: PlanOf, part: Range, raised: Raised) -> tuple[int, bool]:
    with database.write(repeatable=True, lock=LOCK_PLAN) as connection:
        if not runs.may_plan(connection, plan_of.run_id):
            return 0, False
        return deliveries.plan_range(connection, plan_of, part, raised=raised.using(connection))


class Raised:
    """Where editions begin: (profile, mark) -> just before the first line of the profile's councils."""

    def __init__(self, upto_seq: int) -> None:
        self._upto_seq = upto_seq
        self._loaded_from: int | None = None
        self._by_council: dict[int, list[int]] = {}
        self._councils: dict[int, tuple[int, ...]] = {}

    def using(
        self, connection: Connection
    ) -> Callable[[Iterable[tuple[int, int]]], Mapping[tuple[int, int], int]]:
        """Where editions of (profile, mark) begin, asked of one transaction."""
        return lambda pairs: self._raise(connection, list(pairs))

    def _raise(self, connection: Connection, pairs: list[tuple[int, int]]) -> dict[tuple[int, int], int]:
        lowest = min(mark for _, mark in pairs)
        if self._loaded_from is None or lowest < self._loaded_from:
            self._by_council = publications.seqs_by_council(
                connection, from_seq=lowest, upto_seq=self._upto_seq
            )
            self._loaded_from = lowest
        missing = {profile for profile, _ in pairs} - set(self._councils)
        if missing:
            self._councils |= profiles.councils_of_profiles(connection, missing)
        return {(profile, mark): self._from(profile, mark) for profile, mark in pairs}

    def _from(self, profile: int, mark: int) -> int:
        firsts = []
        for council in self._councils.get(profile, ()):
            seqs = self._by_council.get(council, [])
            at = bisect_right(seqs, mark)
            if at < len(seqs):
                firsts.append(seqs[at])
        return min(firsts) - 1 if firsts else self._upto_seq


def raise_one(connection: Connection, profile: int, mark: int, *, upto_seq: int) -> int:
    """The ``from_seq`` of the edition for one (profile, mark), as planning computes it."""
    councils = profiles.councils_of_profiles(connection, [profile]).get(profile, ())
    by_council = publications.seqs_by_council(connection, from_seq=mark, upto_seq=upto_seq)
    firsts = [by_council[council][0] for council in councils if by_council.get(council)]
    return min(firsts) - 1 if firsts else upto_seq


def close_stale(database: Database, *, now: datetime, rules: Rules) -> list[int]:
    """Close digest runs unfinished ``stale_after`` their beginning; what was not claimed is given back.

    Not after their slot: a weekly run that somebody begins three days late is late, and not yet stale.
    """
    closed = []
    with database.read() as connection:
        open_ones = runs.unfinished_runs(connection)
    for run in open_ones:
        if run.kind is RunKind.DIGEST and now - max(run.slot_at, run.created_at) > rules.stale_after:
            with database.write(lock=LOCK_PLAN) as connection:
                if deliveries.give_back_run(connection, run.id, ended=Ended.EXPIRED) or not run.planned_at:
                    closed.append(run.id)
                runs.mark_planned(connection, run.id, now=now)
    return closed


def cancel(database: Database, run_id: int, *, why: str, now: datetime) -> int:
    """Give back everything of a run that has not been claimed and plan no more; returns how many letters."""
    with database.write(lock=LOCK_PLAN) as connection:
        run = runs.run_by_id(connection, run_id)
        if run.is_over:
            return 0
        runs.set_run(connection, run_id, state=RunState.CANCELLED.value, why=why)
        runs.mark_planned(connection, run_id, now=now)
        return deliveries.give_back_run(connection, run_id, ended=Ended.CANCELLED)


def start_mark(connection: Connection, *, now: datetime, timezone: str, back_days: int) -> int:
    """Where a new subscriber begins: the last line before the local midnight ``back_days`` ago."""
    local = now.astimezone(slots.zone_of(timezone))
    midnight = (local - timedelta(days=back_days)).replace(hour=0, minute=0, second=0, microsecond=0)
    return publications.last_seq_before(connection, midnight)
