"""Planning and ending deliveries, set by set: no statement here touches one subscriber at a time.

The invariants of docs/flow.md are kept by statements that work on the rows they wrote, in one
transaction: a delivery and its subscriber's mark move together, or neither does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Column, Connection, Integer, MetaData, Table, text
from sqlalchemy.schema import CreateTable, DropTable

from digest.errors import StoreError
from digest.model import Ended
from digest.store import filling
from digest.store.spans import Range, span_of
from digest.store.tables import ATTEMPTS, BATCHES_PER_EDITION, batch_key
from digest.store.types import ENDED_CODES, ENDED_OF_CODE, to_stored
from digest.store.upsert import insert_plain


@dataclass(frozen=True, slots=True)
class PlanOf:
    """What a planning transaction needs to know of its run."""

    run_id: int
    schedule_id: int
    slot_at: datetime
    upto_seq: int
    batch_size: int
    has_few: bool = False
    """Few readers are on the schedule: an index finds them, wherever their ids are."""


# A subscriber is due in a run once: active, on this schedule, due from before the slot, not planned yet.
_DUE = """
s.id BETWEEN :first AND :last AND s.schedule_id = :schedule AND s.state = 'active'
  AND s.due_from_at <= :slot AND s.covered_seq <= :upto
"""
# Keeps both databases from indexes of schedules and of who is due: for each of many ranges they would be
# read whole.
_DUE_IN_RANGE = _DUE.replace("s.schedule_id", "s.schedule_id + 0").replace(
    "s.due_from_at", "s.due_from_at + 0"
)
# Both asked for each reader and not joined (ADR 0016): PostgreSQL took what was planned a moment ago for
# nothing, and went through all of it for each.
_NOT_PLANNED = """
(SELECT d.subscriber_id FROM delivery d WHERE d.run_id = :run AND d.subscriber_id = s.id) IS NULL
"""
# Somebody whose older letter is being handed over right now is planned a moment later, when it is known.
_NOT_IN_FLIGHT = """
coalesce((SELECT (SELECT b.state FROM batch b WHERE b.id = o.batch_id) FROM delivery o
          WHERE o.run_id = s.open_run_id AND o.run_id <> :run AND o.subscriber_id = s.id
            AND o.ended IS NULL), '') <> 'claimed'
"""

_GROUPS = """
SELECT s.profile_id, s.covered_seq, count(*) FROM subscriber s WHERE {due}
GROUP BY s.profile_id, s.covered_seq
"""

_INSERT = """
INSERT INTO delivery (run_id, subscriber_id, edition_id, batch_id, from_seq, upto_seq, ended)
SELECT :run, s.id, m.edition_id, {batch}, s.covered_seq, :upto, NULL
FROM subscriber s CROSS JOIN plan_map m
WHERE {due} AND m.profile_id = s.profile_id AND m.covered_seq = s.covered_seq AND m.batch_id IS {which} NULL
ORDER BY s.id
"""
# A small group goes into one batch, known beforehand; in a large one each has a place of their own.
_PLACE = "(m.already + row_number() OVER (PARTITION BY m.edition_id ORDER BY s.id) - 1)"
_BY_PLACE = f"(m.edition_id * {BATCHES_PER_EDITION} + {_PLACE} / :batch_size) * {ATTEMPTS} + 1"

# In a range without a delivery of this run all who are due are written: the same words say whose marks move.
_MOVE_ALL_MARKS = """
UPDATE subscriber AS s SET covered_seq = :upto, open_run_id = :run
WHERE {due} AND (s.open_run_id IS NULL OR s.open_run_id <> :run)
"""
# Else what was written says whose marks move and to which run their open letter belongs.
_MOVE_MARKS = """
UPDATE subscriber SET covered_seq = :upto, open_run_id = :run
FROM delivery d
WHERE d.run_id = :run AND d.subscriber_id BETWEEN :first AND :last
  AND subscriber.id = d.subscriber_id AND subscriber.id BETWEEN :first AND :last
  AND subscriber.covered_seq = d.from_seq AND d.ended IS NULL
  AND (subscriber.open_run_id IS NULL OR subscriber.open_run_id <> :run)
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
    values = _values(plan, span)
    due, must_wait = _DUE if plan.has_few else _DUE_IN_RANGE, False
    # The usual case, told apart since asking for every reader would take as long as the rest.
    is_first = not _has_planned(connection, values)
    if not is_first:
        due += f" AND {_NOT_PLANNED}"
    if has_older(connection, plan, span):
        close_older(connection, plan, span)
        in_flight = text(f"SELECT 1 FROM subscriber s WHERE {due} AND NOT ({_NOT_IN_FLIGHT}) LIMIT 1")
        must_wait = connection.execute(in_flight, values).one_or_none() is not None
        due += f" AND {_NOT_IN_FLIGHT}"
    groups = connection.execute(text(_GROUPS.format(due=due)), values).all()
    if not groups:
        return 0, must_wait
    _write_map(connection, plan, groups, raised([(profile, mark) for profile, mark, _ in groups]))
    written = _write_deliveries(connection, due, values)
    move = _MOVE_ALL_MARKS.format(due=due) if is_first else _MOVE_MARKS
    moved = connection.execute(text(move), values).rowcount
    if moved != written:
        raise StoreError(f"{written} deliveries were planned and {moved} marks moved: run `digest db check`")
    return written, must_wait


def _has_planned(connection: Connection, values: Mapping[str, object]) -> bool:
    query = text(
        "SELECT 1 FROM delivery WHERE run_id = :run AND subscriber_id BETWEEN :first AND :last LIMIT 1"
    )
    return connection.execute(query, values).one_or_none() is not None


def _values(plan: PlanOf, span: Range) -> dict[str, object]:
    return {
        "run": plan.run_id,
        "schedule": plan.schedule_id,
        "slot": to_stored(plan.slot_at),
        "upto": plan.upto_seq,
        "first": span.first,
        "last": span.last,
        "batch_size": plan.batch_size,
    }


def _write_deliveries(connection: Connection, due: str, values: Mapping[str, object]) -> int:
    if connection.dialect.name == "postgresql":
        # The map is new and nobody has counted its rows: it is to be hashed, not searched for each reader.
        connection.exec_driver_sql("SET LOCAL enable_nestloop = off")
    written = 0
    large = "SELECT 1 FROM plan_map WHERE batch_id IS NULL LIMIT 1"
    if connection.exec_driver_sql(large).one_or_none() is not None:
        sql = _INSERT.format(batch=_BY_PLACE, due=due, which="")
        written += connection.execute(text(sql), values).rowcount
    sql = _INSERT.format(batch="m.batch_id", due=due, which="NOT")
    return int(written + connection.execute(text(sql), values).rowcount)


# Looked into for each reader: on SQLite the rows lie in the key, so that one search finds them.
_PLAN_MAP = Table(
    "plan_map",
    MetaData(),
    Column("profile_id", BigInteger, primary_key=True),
    Column("covered_seq", BigInteger, primary_key=True),
    Column("edition_id", BigInteger, nullable=False),
    Column("already", BigInteger, nullable=False),
    Column("batch_id", BigInteger),
    prefixes=["TEMPORARY"],
    sqlite_with_rowid=False,
)


def _write_map(
    connection: Connection,
    plan: PlanOf,
    groups: Iterable[tuple[int, int, int]],
    raised: Mapping[tuple[int, int], int],
) -> None:
    """The editions and batches that this range needs, and the map that the insert joins to find them."""
    groups = list(groups)
    connection.execute(DropTable(_PLAN_MAP, if_exists=True))
    connection.execute(CreateTable(_PLAN_MAP))
    wanted = {(profile, raised[profile, mark]) for profile, mark, _ in groups}
    editions = filling.open_editions(connection, plan.run_id, wanted, content_seq=plan.upto_seq)
    sizes: dict[int, int] = {}
    for profile, mark, n in groups:
        edition = editions[profile, raised[profile, mark]]
        sizes[edition] = sizes.get(edition, 0) + n
    already = filling.extend_batches(connection, plan.run_id, sizes, batch_size=plan.batch_size)
    rows = []
    for profile, mark, _ in groups:
        edition = editions[profile, raised[profile, mark]]
        batch = None
        if filling.is_small(sizes[edition], batch_size=plan.batch_size):
            batch = batch_key(edition, number=already[edition] // plan.batch_size, attempt=1)
        rows.append((profile, mark, edition, already[edition], batch))
    insert_plain(connection, _PLAN_MAP, [column.name for column in _PLAN_MAP.c], rows)


_EMPTY = "(e.composed_at IS NOT NULL AND e.page_id IS NULL)"
# Ready and claimed before by somebody who died is a repeatable sender's letter that may have arrived.
_IS_UNCLAIMED = "b.state IN ('waiting', 'refused', 'closed') OR (b.state = 'ready' AND b.claimed_at IS NULL)"
# Asked for each delivery and not joined (ADR 0016).
_HAS_WORDS = f"NOT coalesce((SELECT {_EMPTY} FROM edition e WHERE e.id = d.edition_id), FALSE)"
_UNCLAIMED = f"""
coalesce((SELECT {_IS_UNCLAIMED} FROM batch b WHERE b.id = d.batch_id), TRUE) AND {_HAS_WORDS}
"""


# Runs that may still have open letters: of a completed one every batch has come to its end.
_OTHERS = "SELECT id FROM run WHERE kind = 'digest' AND completed_at IS NULL AND id <> :run"


def close_older(connection: Connection, plan: PlanOf, span: Range) -> None:
    """End what older runs have planned only for people due now: expired, the range given back.

    Handed over, in doubt or with nothing to say: stays as it is, and is not their open letter any more once
    they are planned. In flight: left.
    """
    values = _values(plan, span)
    older = (
        f"d.run_id IN ({_OTHERS}) AND d.subscriber_id BETWEEN :first AND :last AND ("
        "SELECT s.open_run_id = d.run_id AND s.schedule_id = :schedule AND s.state = 'active' "
        "AND s.due_from_at <= :slot FROM subscriber s WHERE s.id = d.subscriber_id) AND "
    )
    _end_unclaimed(connection, older + _UNCLAIMED, values, ended=Ended.EXPIRED)


def has_older(connection: Connection, plan: PlanOf, span: Range) -> bool:
    """Whether people of the range may still have an open digest delivery of another run."""
    values = {"run": plan.run_id}
    if connection.execute(text(f"{_OTHERS} LIMIT 1"), values).one_or_none() is None:
        return False
    query = text(
        f"SELECT 1 FROM subscriber WHERE id BETWEEN :a AND :b AND open_run_id IN ({_OTHERS}) LIMIT 1"
    )
    return connection.execute(query, values | {"a": span.first, "b": span.last}).one_or_none() is not None


def _end_where(connection: Connection, which: str, values: Mapping[str, object], *, ended: Ended) -> int:
    """End the deliveries for which ``which`` holds, giving ranges back where the end says so.

    Only a mark that still stands where this delivery put it goes back: a later one covers more.
    Deliveries that have ended stay as they ended.
    """
    if not ended.keeps_range:
        connection.execute(
            text(
                "UPDATE subscriber SET covered_seq = g.from_seq "
                "FROM (SELECT d.subscriber_id, d.from_seq, d.upto_seq FROM delivery d "
                f"WHERE d.ended IS NULL AND {which}) g "
                "WHERE subscriber.id = g.subscriber_id AND subscriber.covered_seq = g.upto_seq"
            ),
            values,
        )
    result = connection.execute(
        text(f"UPDATE delivery AS d SET ended = :code WHERE d.ended IS NULL AND {which}"),
        {**values, "code": ENDED_CODES[ended]},
    )
    return max(result.rowcount, 0)


def _end_unclaimed(connection: Connection, which: str, values: Mapping[str, object], *, ended: Ended) -> int:
    """The same for deliveries that nobody has claimed, nor can before this transaction is over.

    On PostgreSQL a claim would see them as they were until then, and send what is said again later.
    Raises (in a repeatable transaction): DatabaseBusyError when somebody has claimed one meanwhile.
    """
    if connection.dialect.name == "postgresql":
        theirs = f"ARRAY(SELECT DISTINCT d.batch_id FROM delivery d WHERE d.ended IS NULL AND {which})"
        hold = f"SELECT id FROM batch WHERE id = ANY({theirs}) AND state IN ('waiting', 'ready')"
        connection.execute(text(f"{hold} ORDER BY id FOR UPDATE"), values)
    return _end_where(connection, which, values, ended=ended)


def end_delivery(connection: Connection, run_id: int, subscriber_id: int, *, ended: Ended) -> int:
    """End one delivery; 0 when it had ended before (twice is harmless)."""
    values = {"run": run_id, "subscriber": subscriber_id}
    return _end_where(connection, "d.run_id = :run AND d.subscriber_id = :subscriber", values, ended=ended)


def end_batch(connection: Connection, batch_id: int, *, ended: Ended) -> int:
    """End every delivery of a batch that has not ended yet."""
    return _end_where(connection, "d.batch_id = :batch", {"batch": batch_id}, ended=ended)


_GIVEN_BACK = Table(
    "given_back",
    MetaData(),
    Column("batch_id", BigInteger, primary_key=True),
    Column("is_unclaimed", Integer, nullable=False),
    prefixes=["TEMPORARY"],
    sqlite_with_rowid=False,
)


def give_back_run(connection: Connection, run_id: int, *, ended: Ended) -> int:
    """End everything of a run that has not been claimed (cancelled, expired), ranges given back."""
    values = {"run": run_id}
    # The same batches for all three statements: what somebody puts back meanwhile is not among them.
    connection.execute(DropTable(_GIVEN_BACK, if_exists=True))
    connection.execute(CreateTable(_GIVEN_BACK))
    hold = "FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    connection.execute(
        text(
            "INSERT INTO given_back (batch_id, is_unclaimed) "
            f"SELECT b.id, CASE WHEN {_IS_UNCLAIMED} THEN 1 ELSE 0 END FROM batch b WHERE b.run_id = :run "
            f"AND b.state IN ('waiting', 'ready', 'refused', 'closed') ORDER BY b.id {hold}"
        ),
        values,
    )
    theirs = "SELECT batch_id FROM given_back WHERE is_unclaimed = 1"
    which = f"d.run_id = :run AND (d.batch_id IS NULL OR d.batch_id IN ({theirs})) AND {_HAS_WORDS}"
    n = _end_where(connection, which, values, ended=ended)
    connection.execute(
        text(
            "UPDATE batch SET state = CASE WHEN claimed_at IS NULL THEN 'closed' ELSE 'uncertain' END "
            "WHERE id IN (SELECT batch_id FROM given_back) "
            "AND state IN ('waiting', 'ready') AND (attempt = 1 OR :is_cancelled = 1)"
        ),
        # What somebody settled as not sent goes again, however late: its readers may be further already.
        {"is_cancelled": int(ended is Ended.CANCELLED)},
    )
    return n


def addresses_ended(connection: Connection, run_id: int, *, ended: Ended, most: int) -> list[tuple[int, str]]:
    """(id, address) of some readers whose letters of a run ended so, in order of id; erased ones left out."""
    query = text(
        "SELECT s.id, s.address FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id "
        "WHERE d.run_id = :run AND d.ended = :code AND s.address <> '' ORDER BY d.subscriber_id LIMIT :most"
    )
    values = {"run": run_id, "code": ENDED_CODES[ended], "most": most}
    return [(id_, address) for id_, address in connection.execute(query, values)]


def is_few(connection: Connection, schedule_id: int, *, most: int) -> bool:
    """Whether no more readers than that are on a schedule."""
    query = text("SELECT 1 FROM subscriber WHERE schedule_id = :s LIMIT 1 OFFSET :most")
    return connection.execute(query, {"s": schedule_id, "most": most}).one_or_none() is None


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
        "SELECT d.run_id, CASE WHEN d.ended IS NOT NULL THEN d.ended WHEN b.state = 'handed_over' THEN :sent "
        f"WHEN {_EMPTY} THEN :empty END, d.from_seq, d.upto_seq "
        "FROM delivery d JOIN run r ON r.id = d.run_id "
        "LEFT JOIN batch b ON b.id = d.batch_id LEFT JOIN edition e ON e.id = d.edition_id "
        "WHERE d.subscriber_id = :s AND r.kind = 'digest' ORDER BY d.run_id"
    )
    codes = {"sent": ENDED_CODES[Ended.HANDED_OVER], "empty": ENDED_CODES[Ended.EMPTY]}
    rows = connection.execute(query, {"s": subscriber_id, **codes})
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


def groups_due(connection: Connection, plan: PlanOf) -> list[tuple[int, int, int]]:
    """(profile id, covered seq, how many) of everyone whom a run of that slot would plan now."""
    values = _values(plan, span_of(connection, "subscriber") or Range(0, -1))
    query = text(_GROUPS.format(due=_DUE))
    return [(profile, mark, n) for profile, mark, n in connection.execute(query, values)]


def count_due(connection: Connection, plan: PlanOf) -> int:
    """How many subscribers a run of that slot would plan now."""
    values = _values(plan, span_of(connection, "subscriber") or Range(0, -1))
    query = text(f"SELECT count(*) FROM subscriber s WHERE {_DUE}")
    return int(connection.execute(query, values).scalar_one())
