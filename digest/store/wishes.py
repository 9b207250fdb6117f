"""How one reader stands, as rows: read before a change, so that it can be undone, and written back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, select, text, update

from digest.model import SubscriberState
from digest.store.profiles import profiles_by_id
from digest.store.subscribers import set_wishes
from digest.store.tables import (
    CommitteeNameRow,
    CommitteeRow,
    CouncilRow,
    SubscriberRow,
    SubscriptionRow,
    table_of,
)
from digest.store.types import to_stored

_T = table_of(SubscriberRow)
_S = table_of(SubscriptionRow)
_C = table_of(CommitteeRow)
_N = table_of(CommitteeNameRow)
_U = table_of(CouncilRow)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a reader can change themselves, as ids: small enough to travel in a form."""

    subscriber_id: int
    state: SubscriberState
    profile_id: int
    schedule_id: int
    paused_until: date | None
    due_from_at: datetime | None
    at_once: bool


def standing_of(connection: Connection, id_: int) -> Standing | None:
    """How somebody stands now; None when there is nobody of that id."""
    columns = (_T.c.id, _T.c.state, _T.c.profile_id, _T.c.schedule_id, _T.c.paused_until, _T.c.due_from_at)
    row = connection.execute(select(*columns, _T.c.at_once).where(_T.c.id == id_)).one_or_none()
    return None if row is None else Standing(row[0], SubscriberState(row[1]), *row[2:6], bool(row[6]))


def restore(connection: Connection, before: Standing, *, source: str, now: datetime) -> bool:
    """Put a reader back to where they stood; False when they may not come back, or the wishes are gone.

    The mark stays where it is: what was said meanwhile is not said again. Twice is harmless.
    """
    found = standing_of(connection, before.subscriber_id)
    barred = (SubscriberState.SUPPRESSED, SubscriberState.ERASED)
    if found is None or found.state in barred or before.state in barred:
        return False
    wishes = profiles_by_id(connection, [before.profile_id]).get(before.profile_id)
    if wishes is None:
        return False
    values = {
        "state": before.state.value,
        "schedule_id": before.schedule_id,
        "paused_until": before.paused_until,
        "due_from_at": before.due_from_at,
        "at_once": int(before.at_once),
        "ended_at": None,
        "ended_reason": None,
    }
    connection.execute(update(_T).where(_T.c.id == before.subscriber_id).values(**values))
    set_wishes(connection, before.subscriber_id, wishes, source=source, now=now)
    return True


# One click must never wait: as text they cost a third of the time that building them would take.
_LEAVE = text(
    "UPDATE subscriber SET state = 'left', ended_at = :now, ended_reason = :why, due_from_at = NULL, "
    "paused_until = NULL WHERE id = :id AND state NOT IN ('left', 'suppressed', 'erased')"
)
_CLOSE = text(
    "UPDATE subscription SET ended_at = :now, ended_reason = :why "
    "WHERE subscriber_id = :id AND ended_at IS NULL"
)


def leave_at_once(connection: Connection, id_: int, *, reason: str, now: datetime) -> None:
    """What `subscribers.end` does for somebody who leaves, in as little time as can be. Twice is harmless."""
    values = {"id": id_, "now": to_stored(now), "why": reason}
    if connection.execute(_LEAVE, values).rowcount:
        connection.execute(_CLOSE, values)


@dataclass(frozen=True, slots=True)
class CommitteeName:
    """A committee as it is called now, with the key of every name that it ever had."""

    council: str
    name: str
    keys: frozenset[str]


def committees_of(connection: Connection, councils: Iterable[str]) -> tuple[CommitteeName, ...]:
    """The committees of these councils by council and name."""
    query = (
        select(_U.c.slug, _C.c.id, _C.c.name, _N.c.name_key)
        .join_from(_C, _U, _U.c.id == _C.c.council_id)
        .join(_N, _N.c.committee_id == _C.c.id)
        .where(_U.c.slug.in_(list(councils)))
        .order_by(_U.c.slug, _C.c.name, _C.c.id)
    )
    keys: dict[tuple[str, int, str], set[str]] = {}
    for slug, id_, name, key in connection.execute(query):
        keys.setdefault((slug, id_, name), set()).add(key)
    return tuple(CommitteeName(slug, name, frozenset(found)) for (slug, _, name), found in keys.items())
