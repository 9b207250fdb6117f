"""Planning and ending deliveries, set by set: no statement here touches one subscriber at a time.

The invariants of docs/flow.md are kept by statements that work on the rows they wrote, in one
transaction: a delivery and its subscriber's mark move together, or neither does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from digest.model import Ended
from digest.store.tables import ATTEMPTS, BATCHES_PER_EDITION, EditionRow, batch_key, table_of
from digest.store.types import ENDED_CODES, ENDED_OF_CODE, to_stored
from digest.store.upsert import insert_if_new


@dataclass(frozen=True, slots=True)
class Range:
    """Subscriber ids from ``first`` to ``last``, both included: one planning transaction."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class PlanOf:
    """What a planning transaction needs to know of its run."""

    run_id: int
    schedule_id: int
    slot_at: datetime
    upto_seq: int
    batch_size: int


# A subscriber is due in a run once: active, on this schedule, due from before the slot, not planned yet.
_DUE = """
FROM subscriber s
WHERE s.id BETWEEN :first AND :last AND s.schedule_id = :schedule AND s.state = 'active'
  AND s.due_from_at <= :slot AND s.covered_seq <= :upto
  AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.run_id = :run AND d.subscriber_id = s.id)
"""
# Somebody whose older letter is being handed over right now is planned a moment later, when it is known.
_NOT_IN_FLIGHT = """
NOT EXISTS (SELECT 1 FROM delivery o JOIN batch b ON b.id = o.batch_id
                  WHERE o.subscriber_id = s.id AND o.is_open = 1 AND o.ended IS NULL AND b.state = 'claimed')
"""

_GROUPS = "SELECT s.profile_id, s.covered_seq, count(*) {due} GROUP BY s.profile_id, s.covered_seq"

_INSERT = """
INSERT INTO delivery (run_id, subscriber_id, edition_id, batch_id, from_seq, upto_seq, ended, is_open)
SELECT :run, s.id, m.edition_id,
  (m.edition_id * {batches} + (m.already + row_number() OVER (PARTITION BY m.edition_id ORDER BY s.id) - 1)
     / :batch_size) * {attempts} + 1,
  s.covered_seq, :upto, NULL, 1
{due_joined}
ORDER BY s.id
"""

_MOVE_MARKS = """
UPDATE subscriber SET covered_seq = :upto
FROM delivery d
WHERE d.run_id = :run AND d.subscriber_id BETWEEN :first AND :last
  AND subscriber.id = d.subscriber_id AND subscriber.id BETWEEN :first AND :last
  AND subscriber.covered_seq = d.from_seq AND d.ended IS NULL
"""


def plan_range(
    connection: Connection,
    plan: PlanOf,
    span: Range,
    *,
    raised: Callable[[Iterable[tuple[int, int]]], Mapping[tuple[int, int], int]],
) -> tuple[int, bool]:
    """Write deliveries for everyone due in the range and move their marks; returns how many.

    The second value is True when somebody must wait because an older letter of theirs is in flight.

    ``raised`` maps (profile id, covered seq) to the ``from_seq`` of their edition: equal content, one
    edition. Planning a range twice changes nothing. The transaction must hold ``LOCK_PLAN``.
    """
    values = {
        "run": plan.run_id,
        "schedule": plan.schedule_id,
        "slot": to_stored(plan.slot_at),
        "upto": plan.upto_seq,
        "first": span.first,
        "last": span.last,
        "batch_size": plan.batch_size,
    }
    due, must_wait = _DUE, False
    if has_older(connection, plan, span):
        close_older(connection, plan, span)
        in_flight = text(f"SELECT 1 {_DUE} AND NOT ({_NOT_IN_FLIGHT}) LIMIT 1")
        must_wait = connection.execute(in_flight, values).one_or_none() is not None
        due += f" AND {_NOT_IN_FLIGHT}"
    groups = connection.execute(text(_GROUPS.format(due=due)), values).all()
    if not groups:
        return 0, must_wait
    _write_map(connection, plan, groups, raised([(profile, mark) for profile, mark, _ in groups]))
    joined = due.replace(
        "FROM subscriber s",
        "FROM subscriber s JOIN plan_map m ON m.profile_id = s.profile_id AND m.covered_seq = s.covered_seq",
    )
    sql = _INSERT.format(batches=BATCHES_PER_EDITION, attempts=ATTEMPTS, due_joined=joined)
    written = connection.execute(text(sql), values).rowcount
    connection.execute(text(_MOVE_MARKS), values)
    return int(written), must_wait


def _write_map(
    connection: Connection,
    plan: PlanOf,
    groups: Iterable[tuple[int, int, int]],
    raised: Mapping[tuple[int, int], int],
) -> None:
    """The editions and batches that this range needs, and the map that the insert joins to find them."""
    groups = list(groups)
    connection.exec_driver_sql("DROP TABLE IF EXISTS plan_map")
    connection.exec_driver_sql(
        "CREATE TEMP TABLE plan_map (profile_id BIGINT, covered_seq BIGINT, edition_id BIGINT, "
        "already BIGINT, PRIMARY KEY (profile_id, covered_seq))"
    )
    wanted = {(profile, raised[profile, mark]) for profile, mark, _ in groups}
    editions = open_editions(connection, plan.run_id, wanted, content_seq=plan.upto_seq)
    sizes: dict[int, int] = {}
    for profile, mark, n in groups:
        edition = editions[profile, raised[profile, mark]]
        sizes[edition] = sizes.get(edition, 0) + n
    already = extend_batches(connection, plan, sizes)
    connection.execute(
        text("INSERT INTO plan_map VALUES (:profile, :mark, :edition, :already)"),
        [
            {
                "profile": profile,
                "mark": mark,
                "edition": (edition := editions[profile, raised[profile, mark]]),
                "already": already[edition],
            }
            for profile, mark, _ in groups
        ],
    )


def open_editions(
    connection: Connection, run_id: int, wanted: Iterable[tuple[int, int]], *, content_seq: int
) -> dict[tuple[int, int], int]:
    """Edition ids by (profile, from_seq), newest revision, made where missing. Twice is harmless."""
    wanted = set(wanted)
    found = _editions(connection, run_id)
    missing = sorted(wanted - set(found))
    rows = [
        {
            "run_id": run_id,
            "profile_id": profile,
            "from_seq": from_seq,
            "revision": 1,
            "content_seq": content_seq,
            "is_stale": 0,
        }
        for profile, from_seq in missing
    ]
    if rows:
        insert_if_new(connection, table_of(EditionRow), rows)
        found = _editions(connection, run_id)
    return {pair: found[pair] for pair in wanted}


def _editions(connection: Connection, run_id: int) -> dict[tuple[int, int], int]:
    rows = connection.execute(
        text("SELECT profile_id, from_seq, id FROM edition WHERE run_id = :run ORDER BY revision"),
        {"run": run_id},
    )
    return {(profile, from_seq): id_ for profile, from_seq, id_ in rows}


def extend_batches(connection: Connection, plan: PlanOf, sizes: Mapping[int, int]) -> dict[int, int]:
    """Fill each edition's batches by so many more deliveries; returns how many each had before.

    Only a batch that is still waiting may grow; an edition that is being sent already starts a new one.
    """
    already: dict[int, int] = {}
    rows = []
    for edition, n in sizes.items():
        full = _fill_level(connection, edition, batch_size=plan.batch_size)
        already[edition] = full
        number = full // plan.batch_size
        while number * plan.batch_size < full + n:
            size = min(full + n - number * plan.batch_size, plan.batch_size)
            key = batch_key(edition, number=number, attempt=1)
            rows.append({"id": key, "run": plan.run_id, "edition": edition, "number": number, "size": size})
            number += 1
    connection.execute(
        text(
            "INSERT INTO batch (id, run_id, edition_id, number, attempt, size, state) "
            "SELECT :id, :run, :edition, :number, 1, :size, CASE WHEN e.composed_at IS NULL THEN 'waiting' "
            "WHEN e.page_id IS NULL THEN 'closed' ELSE 'ready' END FROM edition e WHERE e.id = :edition "
            "ON CONFLICT (id) DO UPDATE SET size = excluded.size"
        ),
        rows,
    )
    return already


def _fill_level(connection: Connection, edition: int, *, batch_size: int) -> int:
    row = connection.execute(
        text(
            "SELECT number, size, state FROM batch WHERE edition_id = :e AND attempt = 1 "
            "ORDER BY number DESC LIMIT 1"
        ),
        {"e": edition},
    ).one_or_none()
    if row is None:
        return 0
    number, size, state = row
    return int(number * batch_size + size if state == "waiting" else (number + 1) * batch_size)


# --- ending ----------------------------------------------------------------------------------------

_EMPTY = "(e.composed_at IS NOT NULL AND e.page_id IS NULL)"
# Ready, but claimed before by somebody who died: a repeatable sender's letter that may have arrived.
_AGAIN = "(b.state = 'ready' AND b.claimed_at IS NOT NULL)"
_UNCLAIMED = (
    "(b.state IS NULL OR b.state IN ('waiting', 'refused', 'closed') "
    f"OR (b.state = 'ready' AND b.claimed_at IS NULL)) AND NOT {_EMPTY}"
)
_FROM = """
FROM delivery d LEFT JOIN batch b ON b.id = d.batch_id LEFT JOIN edition e ON e.id = d.edition_id
WHERE d.ended IS NULL AND {which}
"""


def close_older(connection: Connection, plan: PlanOf, span: Range) -> None:
    """End the open deliveries that older runs left with people due now, each as what became of it.

    Handed over or in doubt: no longer open. Planned only: expired, the range given back. In flight: left.
    """
    values = {
        "run": plan.run_id,
        "schedule": plan.schedule_id,
        "slot": to_stored(plan.slot_at),
        "first": span.first,
        "last": span.last,
    }
    older = (
        "d.is_open = 1 AND d.run_id <> :run AND d.subscriber_id BETWEEN :first AND :last AND EXISTS ("
        "SELECT 1 FROM subscriber s WHERE s.id = d.subscriber_id AND s.schedule_id = :schedule "
        "AND s.state = 'active' AND s.due_from_at <= :slot) AND "
    )
    _end_where(connection, older + "b.state = 'handed_over'", values, ended=Ended.HANDED_OVER)
    _end_where(connection, older + _EMPTY, values, ended=Ended.EMPTY)
    _end_where(connection, older + f"(b.state = 'uncertain' OR {_AGAIN})", values, ended=None)
    _end_where(connection, older + _UNCLAIMED, values, ended=Ended.EXPIRED)


def has_older(connection: Connection, plan: PlanOf, span: Range) -> bool:
    """Whether people of the range still have an open digest delivery of another run."""
    query = (
        "SELECT 1 FROM delivery "
        "WHERE is_open = 1 AND subscriber_id BETWEEN :a AND :b AND run_id <> :run LIMIT 1"
    )
    values = {"a": span.first, "b": span.last, "run": plan.run_id}
    return connection.execute(text(query), values).one_or_none() is not None


def _end_where(
    connection: Connection, which: str, values: Mapping[str, object], *, ended: Ended | None
) -> int:
    """End the deliveries for which ``which`` holds, giving ranges back where the end says so.

    Only a mark that still stands where this delivery put it goes back: a later one covers more.
    None: not open any more, no end yet. Deliveries that have ended stay as they ended.
    """
    found = _FROM.format(which=which)
    if ended is not None and not ended.keeps_range:
        connection.execute(
            text(
                "UPDATE subscriber SET covered_seq = g.from_seq "
                f"FROM (SELECT d.subscriber_id, d.from_seq, d.upto_seq {found}) g "
                "WHERE subscriber.id = g.subscriber_id AND subscriber.covered_seq = g.upto_seq"
            ),
            values,
        )
    result = connection.execute(
        text(
            "UPDATE delivery SET ended = :code, is_open = 0 "
            f"WHERE (run_id, subscriber_id) IN (SELECT d.run_id, d.subscriber_id {found})"
        ),
        {**values, "code": None if ended is None else ENDED_CODES[ended]},
    )
    return max(result.rowcount, 0)


def end_delivery(connection: Connection, run_id: int, subscriber_id: int, *, ended: Ended) -> int:
    """End one delivery; 0 when it had ended before (twice is harmless)."""
    values = {"run": run_id, "subscriber": subscriber_id}
    return _end_where(connection, "d.run_id = :run AND d.subscriber_id = :subscriber", values, ended=ended)


def end_batch(connection: Connection, batch_id: int, *, ended: Ended) -> int:
    """End every delivery of a batch that has not ended yet."""
    return _end_where(connection, "d.batch_id = :batch", {"batch": batch_id}, ended=ended)


def give_back_run(connection: Connection, run_id: int, *, ended: Ended) -> int:
    """End everything of a run that has not been claimed (cancelled, expired), ranges given back."""
    n = _end_where(connection, f"d.run_id = :run AND {_UNCLAIMED}", {"run": run_id}, ended=ended)
    connection.execute(
        text(
            "UPDATE batch SET state = CASE WHEN claimed_at IS NULL THEN 'closed' ELSE 'uncertain' END "
            "WHERE run_id = :run AND state IN ('waiting', 'ready') AND (attempt = 1 OR :is_cancelled = 1)"
        ),
        # What somebody settled as not sent goes again, however late: its readers may be further already.
        {"run": run_id, "is_cancelled": int(ended is Ended.CANCELLED)},
    )
    return n


_OF_BATCH = "batch_id IN (SELECT id FROM batch WHERE run_id = :run AND state = '{state}')"
_OF_EMPTY = """edition_id IN
  (SELECT id FROM edition WHERE run_id = :run AND composed_at IS NOT NULL AND page_id IS NULL)"""
_CLOSE_RUN = (
    "UPDATE delivery SET is_open = 0, ended = :code WHERE run_id = :run AND ended IS NULL AND {which}"
)


def close_run(connection: Connection, run_id: int) -> None:
    """Write the ends that batches and editions carry into the run's deliveries. Twice is harmless."""
    for ended, which in (
        (Ended.HANDED_OVER, _OF_BATCH.format(state="handed_over")),
        (Ended.EMPTY, _OF_EMPTY),
        (None, "is_open = 1 AND " + _OF_BATCH.format(state="uncertain")),
    ):
        code = None if ended is None else ENDED_CODES[ended]
        connection.execute(text(_CLOSE_RUN.format(which=which)), {"run": run_id, "code": code})


def subscriber_span(connection: Connection) -> Range | None:
    """The smallest and largest subscriber id; None when there is nobody."""
    first, last = connection.execute(text("SELECT min(id), max(id) FROM subscriber")).one()
    return None if first is None else Range(first, last)


@dataclass(frozen=True, slots=True)
class RangeOf:
    """A range of the log that one subscriber was (or, without a run, will be) told of."""

    run_id: int | None
    ended: Ended | None
    from_seq: int
    upto_seq: int


def ranges_of(connection: Connection, subscriber_id: int) -> list[RangeOf]:
    """The digest ranges of one subscriber that count as said or are under way, oldest first."""
    query = text(
        "SELECT d.run_id, d.ended, d.from_seq, d.upto_seq FROM delivery d JOIN run r ON r.id = d.run_id "
        "WHERE d.subscriber_id = :s AND r.kind = 'digest' ORDER BY d.run_id"
    )
    rows = connection.execute(query, {"s": subscriber_id})
    found = [RangeOf(run, ENDED_OF_CODE.get(code), first, last) for run, code, first, last in rows]
    return [one for one in found if one.ended is None or one.ended.keeps_range]


def page_of(connection: Connection, subscriber_id: int, *, slot_at: datetime) -> int | None:
    """The page that the digest run of a slot has for a subscriber; None without one."""
    query = text(
        "SELECT e.page_id FROM delivery d JOIN run r ON r.id = d.run_id "
        "JOIN edition e ON e.id = d.edition_id "
        "WHERE d.subscriber_id = :s AND r.kind = 'digest' AND r.slot_at = :slot"
    )
    return connection.execute(query, {"s": subscriber_id, "slot": to_stored(slot_at)}).scalar()


def count_due(connection: Connection, plan: PlanOf) -> int:
    """How many subscribers a run of that slot would plan now."""
    span = subscriber_span(connection)
    if span is None:
        return 0
    values = {
        "run": plan.run_id,
        "schedule": plan.schedule_id,
        "slot": to_stored(plan.slot_at),
        "upto": plan.upto_seq,
        "first": span.first,
        "last": span.last,
    }
    return int(connection.execute(text(f"SELECT count(*) {_DUE}"), values).scalar_one())
