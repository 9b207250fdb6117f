"""Committees and meetings: found by identity, changed in place, history kept where readers depend on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from digest.model import Document, Meeting, MeetingStatus, name_key
from digest.store.councils import council_ids
from digest.store.tables import CommitteeNameRow, CommitteeRow, CouncilRow, MeetingRow, table_of
from digest.store.wire import documents_from_json, documents_to_json

_M = table_of(MeetingRow)
_C = table_of(CommitteeRow)
_N = table_of(CommitteeNameRow)
_COUNCIL = table_of(CouncilRow)


@dataclass(frozen=True, slots=True)
class MeetingFacts:
    """What intake or a summary knows of a meeting, ready to be stored under ``key``."""

    key: str
    council: str
    committee: str
    title: str
    starts_at: datetime | None
    starts_on: date | None
    status: MeetingStatus
    url: str | None
    url_key: str | None = None
    committee_id: str | None = None
    venue: str | None = None
    video_url: str | None = None
    documents: tuple[Document, ...] = ()


def committee_id(
    connection: Connection, council_id: int, name: str, *, external_id: str | None, now: datetime
) -> int:
    """The committee of that platform id, else of that name (now or ever), else a new one.

    A new name under a known platform id is a rename: it is added to the committee's history, and the
    committee keeps its readers. Twice is harmless.
    """
    key = name_key(name)
    found = None
    if external_id is not None:
        found = connection.scalar(
            select(_C.c.id).where(_C.c.council_id == council_id, _C.c.external_id == external_id)
        )
    if found is None:
        found = _committee_by_name(connection, council_id, key, external_id)
    if found is None:
        found = connection.execute(
            insert(_C).values(council_id=council_id, name=name, external_id=external_id).returning(_C.c.id)
        ).scalar_one()
    _remember_name(connection, found, name, key=key, now=now)
    return int(found)


def _committee_by_name(
    connection: Connection, council_id: int, key: str, external_id: str | None
) -> int | None:
    query = (
        select(_C.c.id, _C.c.external_id)
        .join(_N, _N.c.committee_id == _C.c.id)
        .where(_C.c.council_id == council_id, _N.c.name_key == key)
        .order_by(_C.c.id)
    )
    for id_, known in connection.execute(query):
        if known is None and external_id is not None:
            connection.execute(update(_C).where(_C.c.id == id_).values(external_id=external_id))
            return int(id_)
        if external_id is None or known == external_id:
            return int(id_)
    return None


def _remember_name(connection: Connection, committee: int, name: str, *, key: str, now: datetime) -> None:
    known = connection.execute(
        select(_N.c.name).where(_N.c.committee_id == committee, _N.c.name_key == key)
    ).one_or_none()
    if known is None:
        connection.execute(
            insert(_N).values(committee_id=committee, name_key=key, name=name, first_seen_at=now)
        )
        connection.execute(update(_C).where(_C.c.id == committee).values(name=name))


def meetings_by_key(connection: Connection, council: str, keys: Iterable[str]) -> dict[str, Meeting]:
    """The stored meetings of a council with those identities."""
    wanted = sorted(set(keys))
    found: dict[str, Meeting] = {}
    for start in range(0, len(wanted), 500):
        query = _query().where(_COUNCIL.c.slug == council, _M.c.key.in_(wanted[start : start + 500]))
        found |= {m.key: m for m in _meetings(connection, query)}
    return found


def meeting_by_id(connection: Connection, id_: int) -> Meeting | None:
    """One meeting."""
    return next(iter(_meetings(connection, _query().where(_M.c.id == id_))), None)


def find_meeting(
    connection: Connection,
    council: str,
    *,
    url_key: str | None,
    committee: str,
    starts_at: datetime | None,
    on: date,
) -> Meeting | None:
    """The meeting that a summary speaks of: by url identity, else by committee and start.

    A summary that knows only the day finds the committee's one meeting of that day; of two, none.
    """
    if url_key is not None:
        by_url = _meetings(connection, _query().where(_COUNCIL.c.slug == council, _M.c.url_key == url_key))
        if by_url:
            return by_url[0]
    of_day = _meetings(connection, _query().where(_COUNCIL.c.slug == council, _M.c.starts_on == on))
    key = name_key(committee)
    same = [m for m in of_day if key in m.committee_keys]
    if starts_at is not None:
        exact = [m for m in same if m.starts_at == starts_at]
        same = exact or [m for m in same if m.starts_at is None]
    return same[0] if len(same) == 1 else None


def joint_keys(connection: Connection, meeting: Meeting) -> frozenset[str]:
    """Keys of the same meeting at other councils: same start, same committee name (a joint committee)."""
    if meeting.starts_at is None:
        return frozenset()
    query = _query().where(_M.c.starts_at == meeting.starts_at, _COUNCIL.c.slug != meeting.council)
    key = name_key(meeting.committee)
    return frozenset(m.key for m in _meetings(connection, query) if key in m.committee_keys)


def meetings_between(connection: Connection, council: str, *, first: date, last: date) -> tuple[Meeting, ...]:
    """A council's meetings from one day to another, both included, in order of start."""
    query = _query().where(_COUNCIL.c.slug == council, _M.c.starts_on >= first, _M.c.starts_on <= last)
    return tuple(
        sorted(_meetings(connection, query), key=lambda m: (m.starts_on or first, str(m.starts_at), m.id))
    )


def save_meeting(connection: Connection, facts: MeetingFacts, *, now: datetime) -> Meeting:
    """Insert or update the meeting of ``facts.key`` and return it as stored. Twice is harmless."""
    council_id = council_ids(connection)[facts.council]
    values: dict[str, Any] = {
        "committee_id": committee_id(
            connection, council_id, facts.committee, external_id=facts.committee_id, now=now
        ),
        "title": facts.title,
        "starts_at": facts.starts_at,
        "starts_on": facts.starts_on,
        "status": facts.status.value,
        "url": facts.url,
        "url_key": facts.url_key,
        "venue": facts.venue,
        "video_url": facts.video_url,
        "documents": documents_to_json(facts.documents),
        "changed_at": now,
    }
    known = connection.scalar(select(_M.c.id).where(_M.c.council_id == council_id, _M.c.key == facts.key))
    if known is None:
        known = connection.execute(
            insert(_M)
            .values(council_id=council_id, key=facts.key, first_seen_at=now, **values)
            .returning(_M.c.id)
        ).scalar_one()
    else:
        connection.execute(update(_M).where(_M.c.id == known).values(**values))
    return _meetings(connection, _query().where(_M.c.id == known))[0]


def _query() -> Any:
    return (
        select(_M, _COUNCIL.c.slug, _COUNCIL.c.timezone, _C.c.name.label("committee"))
        .join(_COUNCIL, _COUNCIL.c.id == _M.c.council_id)
        .join(_C, _C.c.id == _M.c.committee_id)
        .order_by(_M.c.id)
    )


def _meetings(connection: Connection, query: Any) -> list[Meeting]:
    rows = connection.execute(query).all()
    keys: dict[int, set[str]] = {}
    committees = sorted({row.committee_id for row in rows})
    for start in range(0, len(committees), 500):
        names = select(_N.c.committee_id, _N.c.name_key).where(
            _N.c.committee_id.in_(committees[start : start + 500])
        )
        for committee, key in connection.execute(names):
            keys.setdefault(committee, set()).add(key)
    return [_meeting(row, frozenset(keys.get(row.committee_id, ()))) for row in rows]


def _meeting(row: Any, committee_keys: frozenset[str]) -> Meeting:
    return Meeting(
        id=row.id,
        key=row.key,
        council=row.slug,
        committee=row.committee,
        title=row.title,
        starts_at=row.starts_at,
        starts_on=row.starts_on,
        status=MeetingStatus(row.status),
        url=row.url,
        venue=row.venue,
        video_url=row.video_url,
        documents=documents_from_json(row.documents),
        committee_keys=committee_keys,
        timezone=row.timezone,
    )


def count_meetings(connection: Connection) -> int:
    """How many meetings are known."""
    return connection.scalar(select(func.count()).select_from(_M)) or 0
