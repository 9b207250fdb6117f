"""Notices that are wished for, and the runs that take them.

A notice to one person waits with others of its kind until a run takes them together; a notice to an
audience is a run of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, delete, func, select, text, update

from digest.errors import NotFoundError
from digest.model import RunKind, SubscriberState
from digest.store.spans import Range
from digest.store.tables import NoticeRow, table_of
from digest.store.types import to_stored
from digest.store.upsert import insert_new

_T = table_of(NoticeRow)

PERSONAL = tuple(kind for kind in RunKind if kind.is_personal)
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


# Two councils' feeds tell of one joint meeting at most so long apart.
_ALIKE_WITHIN = timedelta(days=2)


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
    return insert_new(connection, _T, values)


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


def has_key(connection: Connection, kind: RunKind, key: str) -> bool:
    """Whether a notice of that kind and key was ever wished for."""
    query = select(_T.c.id).where(_T.c.kind == kind.value, _T.c.key == key)
    return connection.execute(query).one_or_none() is not None


def forget(connection: Connection, id_: int) -> None:
    """Take back a notice that no run has taken. Twice is harmless."""
    connection.execute(delete(_T).where(_T.c.id == id_, _T.c.run_id.is_(None)))


def forget_personal(connection: Connection, *, before: datetime) -> int:
    """Delete wishes to one person, made before then, that a completed run has taken; returns how many."""
    query = text(
        "DELETE FROM notice WHERE subscriber_id IS NOT NULL AND created_at < :before "
        "AND run_id IN (SELECT id FROM run WHERE kind <> 'digest' AND completed_at IS NOT NULL)"
    )
    return connection.execute(query, {"before": to_stored(before)}).rowcount


def others_alike(connection: Connection, notice: Notice) -> list[int]:
    """Runs of other notices that say the same (``facts["now"]``) of a meeting with a common ``keys``."""
    query = select(_T).where(_T.c.kind == notice.kind.value, _T.c.run_id.is_not(None), _T.c.id != notice.id)
    query = query.where(_T.c.created_at >= notice.created_at - _ALIKE_WITHIN)
    keys, now = set(notice.facts["keys"]), notice.facts["now"]
    found = (_notice(row) for row in connection.execute(query))
    return [o.run_id for o in found if o.run_id and o.facts["now"] == now and keys & set(o.facts["keys"])]


def notice_by_id(connection: Connection, id_: int) -> Notice:
    """Raises: NotFoundError."""
    row = connection.execute(select(_T).where(_T.c.id == id_)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no notice {id_}: see `digest notice list`")
    return _notice(row)


def notice_by_key(connection: Connection, kind: RunKind, key: str) -> Notice:
    """The notice of that kind and key, which must be there."""
    return _notice(connection.execute(select(_T).where(_T.c.kind == kind.value, _T.c.key == key)).one())


def notice_of_run(connection: Connection, run_id: int) -> Notice:
    """The (first) notice that a run took. Raises: NotFoundError for a run that is not a notice's."""
    row = connection.execute(select(_T).where(_T.c.run_id == run_id).order_by(_T.c.id).limit(1)).one_or_none()
    if row is None:
        raise NotFoundError(f"run {run_id} hands out no notice: see `digest run list`")
    return _notice(row)


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
        "AND f.source <> 'import') ORDER BY s.created_at LIMIT :most"
    )
    return list(connection.execute(query, {"most": limit}).scalars())


def unconfirmed(connection: Connection, *, before: datetime, limit: int) -> list[tuple[int, bool]]:
    """(id, had been a reader) of pending people who came, and were last asked, before then."""
    query = text(
        "SELECT s.id, EXISTS (SELECT 1 FROM subscription f WHERE f.subscriber_id = s.id "
        "AND f.ended_at IS NOT NULL) FROM subscriber s "
        "WHERE s.state = 'pending' AND s.created_at < :before AND NOT EXISTS ("
        "SELECT 1 FROM notice n WHERE n.subscriber_id = s.id AND n.kind = 'confirm' "
        "AND n.created_at >= :before) ORDER BY s.created_at LIMIT :most"
    )
    rows = connection.execute(query, {"before": to_stored(before), "most": limit})
    return [(id_, bool(was_reader)) for id_, was_reader in rows]


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
