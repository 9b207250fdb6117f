"""Runs: one row per slot (or notice), made once whoever notices first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, func, select, text, update

from digest.errors import NotFoundError
from digest.model import Ended, RunKind, RunState
from digest.store import troubles
from digest.store.tables import RunRow, table_of
from digest.store.types import ENDED_OF_CODE, from_stored, to_stored
from digest.store.upsert import insert_if_new

_T = table_of(RunRow)


@dataclass(frozen=True, slots=True)
class Run:
    """A run as stored. ``planned_at``, ``composed_at``, ``completed_at`` are three different facts."""

    id: int
    kind: RunKind
    key: str
    schedule_id: int | None
    slot_at: datetime
    upto_seq: int
    as_of: datetime
    state: RunState
    why: str | None
    created_at: datetime
    planned_at: datetime | None
    composed_at: datetime | None
    completed_at: datetime | None
    merged: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Completed or cancelled: no more letters will be made ready."""
        return self.state in (RunState.COMPLETED, RunState.CANCELLED)


def open_run(
    connection: Connection,
    *,
    kind: RunKind,
    key: str,
    slot_at: datetime,
    upto_seq: int,
    schedule_id: int | None = None,
    merged: tuple[datetime, ...] = (),
    now: datetime,
) -> Run:
    """The run of that key, made if new: ``upto_seq`` and ``as_of`` are fixed by whoever came first."""
    insert_if_new(
        connection,
        _T,
        {
            "kind": kind.value,
            "key": key,
            "schedule_id": schedule_id,
            "slot_at": slot_at,
            "upto_seq": upto_seq,
            "as_of": now,
            "state": RunState.PLANNING.value,
            "merged": orjson.dumps([at.isoformat() for at in merged]).decode(),
            "created_at": now,
        },
    )
    return _run(connection.execute(select(_T).where(_T.c.kind == kind.value, _T.c.key == key)).one())


def run_by_id(connection: Connection, id_: int) -> Run:
    """Raises: NotFoundError."""
    row = connection.execute(select(_T).where(_T.c.id == id_)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no run {id_}: see `digest run list`")
    return _run(row)


def held_run(connection: Connection, id_: int) -> Run:
    """The run, which nobody else can change before this transaction ends. Raises: NotFoundError."""
    connection.execute(select(_T.c.id).where(_T.c.id == id_).with_for_update())
    return run_by_id(connection, id_)


def all_runs(connection: Connection, *, limit: int = 50, digests: bool | None = None) -> tuple[Run, ...]:
    """The newest runs first: all, only digests, or (False) only notices."""
    query = select(_T).order_by(_T.c.id.desc()).limit(limit)
    if digests is not None:
        is_digest = _T.c.kind == RunKind.DIGEST.value
        query = query.where(is_digest if digests else ~is_digest)
    return tuple(_run(row) for row in connection.execute(query))


def unfinished_runs(connection: Connection) -> tuple[Run, ...]:
    """Runs with anything left to do or to find out: who waits for an answer, other notices, then digests.

    Each by slot. A letter to everybody may take an hour, and somebody who signs up meanwhile waits at a page.
    """
    query = select(_T).where(_T.c.completed_at.is_(None)).order_by(_T.c.slot_at, _T.c.id)
    found = [_run(row) for row in connection.execute(query)]
    return tuple(sorted(found, key=lambda run: (run.kind is RunKind.DIGEST, not run.kind.is_personal)))


def last_slots(connection: Connection, *, upto: datetime) -> dict[int, datetime]:
    """Each schedule's newest slot that has a run, not later than ``upto``.

    A clock that ran ahead for a while may have left runs of slots that are still to come.
    """
    query = select(_T.c.schedule_id, func.max(_T.c.slot_at)).where(_T.c.schedule_id.is_not(None))
    query = query.where(_T.c.slot_at <= upto)
    return {schedule: at for schedule, at in connection.execute(query.group_by(_T.c.schedule_id))}


def last_due(connection: Connection, run: Run) -> int | None:
    """How many were due in the last completed run of the same schedule before this one; None without one."""
    query = (
        select(_T.c.counts)
        .where(_T.c.schedule_id == run.schedule_id, _T.c.kind == run.kind.value)
        .where(_T.c.state == RunState.COMPLETED.value, _T.c.slot_at < run.slot_at)
        .order_by(_T.c.slot_at.desc())
        .limit(1)
    )
    counts = connection.execute(query).scalar()
    return None if counts is None else int(orjson.loads(counts)["due"])


def planned_size(connection: Connection, id_: int) -> int:
    """How many letters a run has planned, by its batches; quick, and a little high after changed wishes."""
    query = text("SELECT coalesce(sum(size), 0) FROM batch WHERE run_id = :run AND attempt = 1")
    return int(connection.execute(query, {"run": id_}).scalar_one())


def set_run(connection: Connection, id_: int, **values: Any) -> None:
    """Write facts of a run (``state``, ``planned_at``, …)."""
    connection.execute(update(_T).where(_T.c.id == id_).values(**values))


def may_plan(connection: Connection, id_: int) -> bool:
    """Whether a run still takes deliveries: not once it is planned, cancelled or closed."""
    row = connection.execute(select(_T.c.planned_at, _T.c.state).where(_T.c.id == id_)).one()
    return row.planned_at is None and row.state != RunState.CANCELLED


def may_send(connection: Connection, id_: int) -> bool:
    """Whether letters of a run may leave: not while it is paused, nor once it is cancelled or over."""
    state = connection.execute(select(_T.c.state).where(_T.c.id == id_)).scalar_one()
    return state not in (RunState.PAUSED, RunState.CANCELLED, RunState.COMPLETED)


def mark_planned(connection: Connection, id_: int, *, now: datetime) -> None:
    """Planning is over. Twice keeps the first instant."""
    query = update(_T).where(_T.c.id == id_, _T.c.planned_at.is_(None))
    connection.execute(query.values(planned_at=now))
    move_state(connection, id_, RunState.PLANNING, to=RunState.COMPOSING)


def mark_composed(connection: Connection, id_: int, *, now: datetime) -> None:
    """Everything planned is composed, until a correction makes more. Twice keeps the first instant."""
    query = update(_T).where(_T.c.id == id_, _T.c.composed_at.is_(None))
    connection.execute(query.values(composed_at=now))
    move_state(connection, id_, RunState.COMPOSING, to=RunState.SENDING)


def reopen_composing(connection: Connection, id_: int) -> None:
    """A new edition waits for its words: the run is not composed any more."""
    connection.execute(update(_T).where(_T.c.id == id_, _T.c.completed_at.is_(None)).values(composed_at=None))
    move_state(connection, id_, RunState.SENDING, to=RunState.COMPOSING)


def mark_completed(connection: Connection, id_: int, *, now: datetime) -> None:
    """Nothing is left to do or to find out; a cancelled run stays cancelled. Twice keeps the first."""
    query = update(_T).where(_T.c.id == id_, _T.c.completed_at.is_(None))
    connection.execute(query.values(completed_at=now))
    for state in (RunState.PLANNING, RunState.COMPOSING, RunState.SENDING):
        move_state(connection, id_, state, to=RunState.COMPLETED)


def pause_run(connection: Connection, id_: int, *, why: str) -> bool:
    """Hand over no more until somebody resumes it; False when it is over or paused already."""
    query = (
        update(_T)
        .where(_T.c.id == id_, _T.c.completed_at.is_(None))
        .where(_T.c.state.not_in([RunState.PAUSED.value, RunState.CANCELLED.value]))
        .values(state=RunState.PAUSED.value, why=why)
    )
    return connection.execute(query).rowcount == 1


def resume_run(connection: Connection, id_: int) -> bool:
    """Let a paused run go on; False when it is not paused."""
    run = run_by_id(connection, id_)
    if run.state is not RunState.PAUSED:
        return False
    state = (
        RunState.SENDING if run.composed_at else RunState.COMPOSING if run.planned_at else RunState.PLANNING
    )
    set_run(connection, id_, state=state.value, why=None)
    troubles.forgive(connection, id_)
    # What was put off was put off for what has been mended. Where the provider asks to wait, it is held.
    connection.execute(
        text("UPDATE batch SET retry_at = NULL, why = NULL WHERE run_id = :run AND state = 'ready'"),
        {"run": id_},
    )
    return True


def move_state(connection: Connection, id_: int, before: RunState, *, to: RunState) -> bool:
    """Compare-and-set of a run's state."""
    query = update(_T).where(_T.c.id == id_, _T.c.state == before.value).values(state=to.value)
    return connection.execute(query).rowcount == 1


def has_work(connection: Connection, id_: int, *, now: datetime, may_leave: bool = True) -> bool:
    """Whether a run has anything that time or another process will let somebody do soon.

    Not: what waits for an operator (paused, in doubt), for a provider's later hour, or (not ``may_leave``)
    for the day.
    """
    run = run_by_id(connection, id_)
    if run.state is RunState.PAUSED:
        return False
    if run.planned_at is None or run.composed_at is None:
        return run.state is not RunState.CANCELLED
    ready = (
        ""
        if not may_leave or troubles.is_held(connection, now=now)
        else "OR (state = 'ready' AND (retry_at IS NULL OR retry_at <= :now))"
    )
    query = text(
        f"SELECT 1 FROM batch WHERE run_id = :run AND (state IN ('waiting', 'claimed') {ready}) LIMIT 1"
    )
    return connection.execute(query, {"run": id_, "now": to_stored(now)}).one_or_none() is not None


def next_retry(connection: Connection, id_: int, *, now: datetime) -> datetime | None:
    """When the first batch that was put off may be tried again; None when none waits, or the run may not."""
    if not may_send(connection, id_):
        return None
    query = text("SELECT min(coalesce(retry_at, 0)) FROM batch WHERE run_id = :run AND state = 'ready'")
    found = connection.execute(query, {"run": id_}).scalar()
    if found is None:
        return None
    return max(from_stored(found), troubles.held_until(connection, now=now) or from_stored(0))


# Each in one statement: between two a letter could come to its end, and be counted twice. Batch and edition
# are asked for by key and not joined (ADR 0016).
_COUNTS = {
    # SQLite counts the letters of a batch in its index alone.
    "sqlite": text("""
SELECT NULL AS ended, state, is_empty, sum(n) FROM (
  SELECT b.state,
    (SELECT e.composed_at IS NOT NULL AND e.page_id IS NULL FROM edition e
     WHERE e.id = b.edition_id) AS is_empty,
    (SELECT count(*) FROM delivery d WHERE d.batch_id = b.id AND d.ended IS NULL) AS n
  FROM batch b WHERE b.run_id = :run) each_batch
GROUP BY state, is_empty
UNION ALL
SELECT ended, NULL, NULL, count(*) FROM delivery WHERE run_id = :run AND ended IS NOT NULL GROUP BY ended
"""),
    # PostgreSQL would look up the row of every letter for that: it reads them in one go.
    "postgresql": text("""
SELECT ended, state, is_empty, sum(n) FROM (
  SELECT d.ended, d.n,
    (SELECT b.state FROM batch b WHERE b.id = d.batch_id) AS state,
    (SELECT e.composed_at IS NOT NULL AND e.page_id IS NULL FROM edition e
     WHERE e.id = (SELECT b.edition_id FROM batch b WHERE b.id = d.batch_id)) AS is_empty
  FROM (SELECT batch_id, ended, count(*) AS n FROM delivery WHERE run_id = :run
        GROUP BY batch_id, ended) d) each_batch
GROUP BY ended, state, is_empty
"""),
}


def run_counts(connection: Connection, id_: int) -> dict[str, int]:
    """How a run's deliveries stand: ``due`` is the sum of all the others but ``editions``."""
    stored = connection.execute(select(_T.c.counts).where(_T.c.id == id_)).scalar()
    return dict(orjson.loads(stored)) if stored else _count(connection, id_)


def _count(connection: Connection, id_: int) -> dict[str, int]:
    counts = _no_counts()
    for code, state, is_empty, n in connection.execute(_COUNTS[connection.dialect.name], {"run": id_}):
        counts[standing_of(code, state, is_empty=bool(is_empty))] += int(n)
    counts["due"] = sum(counts.values())
    counts["editions"] = _count_editions(connection, id_)
    return counts


def _no_counts() -> dict[str, int]:
    return dict.fromkeys(("due", "editions", *(e.value for e in Ended), "uncertain", "open"), 0)


def _count_editions(connection: Connection, id_: int) -> int:
    query = text("SELECT count(*) FROM edition WHERE run_id = :run AND page_id IS NOT NULL")
    return connection.scalar(query, {"run": id_}) or 0


def standing_of(code: int | None, batch_state: str | None, *, is_empty: bool = False) -> str:
    """How a delivery stands, as ``run_counts`` says it: its own end, else its edition's, else its batch's."""
    if code is not None:
        return ENDED_OF_CODE[code].value
    if is_empty:
        return Ended.EMPTY.value
    if batch_state in ("handed_over", "uncertain", "refused"):
        return batch_state
    return "open"


def has_counts(connection: Connection, id_: int) -> bool:
    """Whether a run's row keeps its counts."""
    return connection.execute(select(_T.c.counts).where(_T.c.id == id_)).scalar() is not None


def keep_counts(connection: Connection, id_: int) -> None:
    """Write a completed run's counts into its row, so that nobody counts a million letters again."""
    set_run(connection, id_, counts=orjson.dumps(_count(connection, id_)).decode())


def _run(row: Any) -> Run:
    return Run(
        id=row.id,
        kind=RunKind(row.kind),
        key=row.key,
        schedule_id=row.schedule_id,
        slot_at=row.slot_at,
        upto_seq=row.upto_seq,
        as_of=row.as_of,
        state=RunState(row.state),
        why=row.why,
        created_at=row.created_at,
        planned_at=row.planned_at,
        composed_at=row.composed_at,
        completed_at=row.completed_at,
        merged=tuple(orjson.loads(row.merged)),
    )
