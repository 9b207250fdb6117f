"""Notices that are wished for, the runs that take them, and whom each goes to.

A notice to one person waits with others of its kind until a run takes them together; a notice to an
audience is a run of its own. Planning writes what digests have, an edition for each distinct page, batches
and deliveries, but moves no mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from digest.errors import NotFoundError
from digest.model import Page, RunKind, SubscriberState
from digest.store.deliveries import PlanOf, Range, extend_batches
from digest.store.editions import page_ids_of
from digest.store.tables import ATTEMPTS, BATCHES_PER_EDITION, EditionRow, NoticeRow, table_of
from digest.store.types import to_stored
from digest.store.upsert import insert_if_new

_T = table_of(NoticeRow)
_E = table_of(EditionRow)

PERSONAL = (
    RunKind.CONFIRM, RunKind.WELCOME, RunKind.LINK, RunKind.MOVE, RunKind.ADDRESS, RunKind.EXPORT,
    RunKind.ERASE,
)  # fmt: skip
"""Kinds that answer one person; the others go to an audience."""

_HERE = (SubscriberState.ACTIVE, SubscriberState.PAUSED)
STATES: Mapping[RunKind, tuple[SubscriberState, ...]] = {
    RunKind.CONFIRM: (SubscriberState.PENDING,),
    RunKind.WELCOME: (SubscriberState.ACTIVE,),
    RunKind.LINK: _HERE,
    RunKind.MOVE: _HERE,
    RunKind.ADDRESS: _HERE,
    # Who has left may still ask what is stored, and that it be forgotten.
    RunKind.EXPORT: (*_HERE, SubscriberState.LEFT),
    RunKind.ERASE: (*_HERE, SubscriberState.LEFT),
    RunKind.SUPPORTED: (SubscriberState.ACTIVE,),
    RunKind.CANCELLED_MEETING: (SubscriberState.ACTIVE,),
    RunKind.SERVICE: (SubscriberState.ACTIVE,),
}
"""Who may get a notice of each kind; nobody else does, also when they change after it was planned."""


class NoticeState(StrEnum):
    """Whether a notice may go; that it has gone, its run says."""

    WAITING = "waiting"
    APPROVED = "approved"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as stored. ``facts`` are JSON values: the audience and an operator's words; no addresses."""

    id: int
    kind: RunKind
    key: str
    subscriber_id: int | None
    state: NoticeState
    facts: Mapping[str, Any]
    created_at: datetime
    approved_at: datetime | None
    run_id: int | None


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a notice goes to, as SQL: ``source`` names the subscriber ``s``, ``condition`` narrows it.

    ``:run``, ``:first`` and ``:last`` (subscriber ids) are bound for it; ``lists`` are bound as IN lists.
    """

    source: str
    condition: str
    values: Mapping[str, object] = field(default_factory=dict)
    lists: Mapping[str, Sequence[object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Readers of one profile and one schedule: all that a notice's words can depend on."""

    profile_id: int
    schedule_id: int
    size: int


# --- wishes -----------------------------------------------------------------------------------------------


def add(
    connection: Connection,
    kind: RunKind,
    *,
    key: str,
    subscriber_id: int | None = None,
    facts: Mapping[str, Any] | None = None,
    state: NoticeState = NoticeState.APPROVED,
    now: datetime,
) -> int | None:
    """Wish for a notice; its id, or None when one of that kind and key is there (twice is harmless)."""
    values = {
        "kind": kind.value,
        "key": key,
        "subscriber_id": subscriber_id,
        "state": state.value,
        "facts": orjson.dumps(dict(facts or {})).decode(),
        "created_at": now,
        "approved_at": now if state is NoticeState.APPROVED else None,
    }
    if insert_if_new(connection, _T, values) != 1:
        return None
    query = select(_T.c.id).where(_T.c.kind == kind.value, _T.c.key == key)
    return int(connection.execute(query).scalar_one())


def asked_since(connection: Connection, kind: RunKind, subscriber_id: int, *, since: datetime) -> int:
    """How many notices of that kind one person was to get since then."""
    query = select(func.count()).where(
        _T.c.subscriber_id == subscriber_id, _T.c.kind == kind.value, _T.c.created_at > since
    )
    return int(connection.execute(query).scalar_one())


def asked_ever(connection: Connection, kind: RunKind, subscriber_id: int) -> int:
    """How many notices of that kind one person was ever to get."""
    query = select(func.count()).where(_T.c.subscriber_id == subscriber_id, _T.c.kind == kind.value)
    return int(connection.execute(query).scalar_one())


def notice_by_id(connection: Connection, id_: int) -> Notice:
    """Raises: NotFoundError."""
    row = connection.execute(select(_T).where(_T.c.id == id_)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no notice {id_}: see `digest notice list`")
    return _notice(row)


def notice_of_run(connection: Connection, run_id: int) -> Notice | None:
    """The (first) notice that a run took."""
    row = connection.execute(select(_T).where(_T.c.run_id == run_id).order_by(_T.c.id).limit(1)).one_or_none()
    return None if row is None else _notice(row)


def newest(connection: Connection, *, with_personal: bool = False, limit: int = 50) -> list[Notice]:
    """The newest notices first; those to one person only when asked for."""
    query = select(_T).order_by(_T.c.id.desc()).limit(limit)
    if not with_personal:
        query = query.where(_T.c.subscriber_id.is_(None))
    return [_notice(row) for row in connection.execute(query)]


def decide(connection: Connection, id_: int, state: NoticeState, *, now: datetime) -> bool:
    """Approve or drop a notice that waits and that no run has taken. False when it is too late, or done."""
    before = [NoticeState.WAITING.value]
    if state is NoticeState.DROPPED:
        before.append(NoticeState.APPROVED.value)
    query = update(_T).where(_T.c.id == id_, _T.c.state.in_(before), _T.c.run_id.is_(None))
    approved_at = now if state is NoticeState.APPROVED else None
    return connection.execute(query.values(state=state.value, approved_at=approved_at)).rowcount == 1


# --- runs -------------------------------------------------------------------------------------------------


def approved(connection: Connection, *, limit: int) -> list[Notice]:
    """Notices that may go and that no run has taken, oldest first."""
    query = select(_T).where(_T.c.run_id.is_(None), _T.c.state == NoticeState.APPROVED.value)
    return [_notice(row) for row in connection.execute(query.order_by(_T.c.id).limit(limit))]


def take(connection: Connection, ids: Iterable[int], *, run_id: int) -> None:
    """These notices are that run's."""
    query = update(_T).where(_T.c.id.in_(bindparam("ids", expanding=True)), _T.c.run_id.is_(None))
    wanted = sorted(ids)
    for start in range(0, len(wanted), 500):
        connection.execute(query.values(run_id=run_id), {"ids": wanted[start : start + 500]})


def span_of_run(connection: Connection, run_id: int) -> Range | None:
    """The smallest and largest subscriber id of the notices that a run took; None without one."""
    query = select(func.min(_T.c.subscriber_id), func.max(_T.c.subscriber_id)).where(_T.c.run_id == run_id)
    first, last = connection.execute(query).one()
    return None if first is None else Range(first, last)


def unasked(connection: Connection, *, limit: int) -> list[int]:
    """People who are to confirm, came by a form or an operator, and were never asked: a crash came between.

    A list's people are not among them: nobody is written to because a file says so.
    """
    query = text(
        "SELECT s.id FROM subscriber s WHERE s.state = 'pending' "
        "AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.subscriber_id = s.id AND n.kind = 'confirm') "
        "AND EXISTS (SELECT 1 FROM subscription f WHERE f.subscriber_id = s.id AND f.ended_at IS NULL "
        "AND f.source <> 'import') ORDER BY s.id LIMIT :most"
    )
    return list(connection.execute(query, {"most": limit}).scalars())


# --- planning ---------------------------------------------------------------------------------------------


def of_run(kind: RunKind) -> Audience:
    """The people whose own notices a run took."""
    return Audience(
        "FROM notice n JOIN subscriber s ON s.id = n.subscriber_id",
        "n.run_id = :run AND s.id BETWEEN :first AND :last AND s.state IN :states",
        lists={"states": [state.value for state in STATES[kind]]},
    )


def everybody(kind: RunKind, *, council_ids: Sequence[int] = (), until: datetime | None = None) -> Audience:
    """All readers who may get that kind; of these councils, if there are any, and since before ``until``."""
    condition = "s.id BETWEEN :first AND :last AND s.state IN :states"
    values: dict[str, object] = {}
    lists: dict[str, Sequence[object]] = {"states": [state.value for state in STATES[kind]]}
    if council_ids:
        condition += (
            " AND s.id IN (SELECT f.subscriber_id FROM subscription f WHERE f.council_id IN :councils "
            "AND f.ended_at IS NULL AND f.subscriber_id BETWEEN :first AND :last"
            + (" AND f.started_at <= :until)" if until else ")")
        )
        lists["councils"] = list(council_ids)
        values |= {"until": to_stored(until)} if until else {}
    return Audience("FROM subscriber s", condition, values, lists)


_ONCE = "NOT EXISTS (SELECT 1 FROM delivery d WHERE d.run_id = :run AND d.subscriber_id = s.id)"
_INSERT = """
INSERT INTO delivery (run_id, subscriber_id, edition_id, batch_id, from_seq, upto_seq, ended, is_open)
SELECT :run, x.id, x.edition_id,
  (x.edition_id * {batches} + (x.already + x.place - 1) / :batch_size) * {attempts} + 1,
  x.covered_seq, x.covered_seq, NULL, 0
FROM (SELECT s.id, s.covered_seq, m.edition_id, m.already,
             row_number() OVER (PARTITION BY m.edition_id ORDER BY s.id) AS place
      {source} JOIN notice_map m ON m.profile_id = s.profile_id AND m.schedule_id = s.schedule_id
      WHERE {condition} AND {once}) x
ORDER BY x.id
"""


def groups(connection: Connection, audience: Audience, span: Range, *, run_id: int) -> list[Group]:
    """Who of the audience has no delivery in the run yet, by wishes and schedule."""
    query = text(
        f"SELECT s.profile_id, s.schedule_id, count(*) {audience.source} "
        f"WHERE {audience.condition} AND {_ONCE} GROUP BY s.profile_id, s.schedule_id"
    )
    values = _values(audience, span) | {"run": run_id}
    return [Group(*row) for row in connection.execute(_bound(query, audience), values)]


def plan_groups(
    connection: Connection,
    audience: Audience,
    span: Range,
    pages: Mapping[Group, Page],
    *,
    run_id: int,
    batch_size: int,
    now: datetime,
) -> int:
    """Write a delivery for everybody of these groups (of others nobody); returns how many.

    Twice changes nothing. The transaction must hold ``LOCK_PLAN``.
    """
    if not pages:
        return 0
    editions = _editions(connection, pages, run_id=run_id, now=now)
    sizes: dict[int, int] = {}
    for group, edition in editions.items():
        sizes[edition] = sizes.get(edition, 0) + group.size
    plan = PlanOf(run_id, 0, now, 0, batch_size)
    already = extend_batches(connection, plan, sizes)
    _write_map(connection, editions, already)
    sql = _INSERT.format(
        batches=BATCHES_PER_EDITION,
        attempts=ATTEMPTS,
        source=audience.source,
        condition=audience.condition,
        once=_ONCE,
    )
    values = _values(audience, span) | {"run": run_id, "batch_size": batch_size}
    return int(connection.execute(_bound(text(sql), audience), values).rowcount)


def _editions(
    connection: Connection, pages: Mapping[Group, Page], *, run_id: int, now: datetime
) -> dict[Group, int]:
    """Edition ids by group: one for each distinct page, under the profile of its first group."""
    page_ids = page_ids_of(connection, pages.values(), now=now)
    by_page = {group: page_ids[page.fingerprint] for group, page in pages.items()}
    query = select(_E.c.page_id, _E.c.id).where(_E.c.run_id == run_id)
    found: dict[int, int] = {page_id: id_ for page_id, id_ in connection.execute(query)}
    for group, page_id in by_page.items():
        if page_id in found:
            continue
        row = {
            "run_id": run_id,
            "profile_id": group.profile_id,
            # A notice has no range: the page's id makes its edition unique in the run.
            "from_seq": page_id,
            "revision": 1,
            "content_seq": 0,
            "page_id": page_id,
            "composed_at": now,
            "is_stale": 0,
        }
        found[page_id] = int(connection.execute(insert(_E).values(row).returning(_E.c.id)).scalar_one())
    return {group: found[page_id] for group, page_id in by_page.items()}


def _write_map(connection: Connection, editions: Mapping[Group, int], already: Mapping[int, int]) -> None:
    connection.exec_driver_sql("DROP TABLE IF EXISTS notice_map")
    connection.exec_driver_sql(
        "CREATE TEMP TABLE notice_map (profile_id BIGINT, schedule_id BIGINT, edition_id BIGINT, "
        "already BIGINT, PRIMARY KEY (profile_id, schedule_id))"
    )
    rows = [
        {"profile": group.profile_id, "schedule": group.schedule_id, "edition": e, "already": already[e]}
        for group, e in editions.items()
    ]
    connection.execute(text("INSERT INTO notice_map VALUES (:profile, :schedule, :edition, :already)"), rows)


def _bound(query: Any, audience: Audience) -> Any:
    return query.bindparams(*(bindparam(name, expanding=True) for name in audience.lists))


def _values(audience: Audience, span: Range) -> dict[str, object]:
    lists = {name: list(values) for name, values in audience.lists.items()}
    return {**audience.values, **lists, "first": span.first, "last": span.last}


def _notice(row: Any) -> Notice:
    return Notice(
        id=row.id,
        kind=RunKind(row.kind),
        key=row.key,
        subscriber_id=row.subscriber_id,
        state=NoticeState(row.state),
        facts=orjson.loads(row.facts),
        created_at=row.created_at,
        approved_at=row.approved_at,
        run_id=row.run_id,
    )
