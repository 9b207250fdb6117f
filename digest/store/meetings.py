"""Committees and meetings: found by identity, changed in place, history kept where readers depend on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from digest.intake.kinship import are_joint
from digest.model import Document, Meeting, MeetingStatus, name_key
from digest.store.committees import Committee, Committees
from digest.store.tables import (
    CommitteeNameRow,
    CommitteeRow,
    CouncilRow,
    MeetingAliasRow,
    MeetingRow,
    table_of,
)
from digest.store.upsert import insert_if_new
from digest.store.wire import documents_from_json, documents_to_json

_M = table_of(MeetingRow)
_C = table_of(CommitteeRow)
_N = table_of(CommitteeNameRow)
_COUNCIL = table_of(CouncilRow)
_A = table_of(MeetingAliasRow)


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
    said_at: datetime | None = None


def meetings_by_key(connection: Connection, council: str, keys: Iterable[str]) -> dict[str, Meeting]:
    """The stored meetings of a council with those identities, by each key asked for (aliases too)."""
    wanted = sorted(set(keys))
    found: dict[str, Meeting] = {}
    for start in range(0, len(wanted), 500):
        asked = {"council": council, "keys": wanted[start : start + 500]}
        found |= {m.key: m for m in _meetings(connection, _BY_KEY, asked)}
    return found | _by_alias(connection, council, [key for key in wanted if key not in found])


def _by_alias(connection: Connection, council: str, keys: list[str]) -> dict[str, Meeting]:
    found: dict[str, int] = {}
    for start in range(0, len(keys), 500):
        asked = {"council": council, "keys": keys[start : start + 500]}
        found |= {key: id_ for key, id_ in connection.execute(_BY_ALIAS, asked)}
    if not found:
        return {}
    by_id = {m.id: m for m in _meetings(connection, _query().where(_M.c.id.in_(set(found.values()))))}
    return {key: by_id[id_] for key, id_ in found.items()}


def add_alias(connection: Connection, council_id: int, key: str, meeting_id: int) -> None:
    """Find the meeting under this key too from now on. Twice is harmless."""
    values = {"council_id": council_id, "key": key, "meeting_id": meeting_id}
    insert_if_new(connection, _A, values)


def kindred_meetings(
    connection: Connection, council: str, *, days: Iterable[date], url_keys: Iterable[str]
) -> tuple[Meeting, ...]:
    """Meetings of a council on those days or behind those addresses: what a sighting may really mean."""
    asked = {"council": council, "days": sorted(set(days)), "addresses": sorted(set(url_keys))}
    return tuple(_meetings(connection, _KIN, asked))


def meeting_by_id(connection: Connection, id_: int) -> Meeting | None:
    """One meeting."""
    return next(iter(_meetings(connection, _query().where(_M.c.id == id_))), None)


def meetings_by_id(connection: Connection, ids: Iterable[int]) -> dict[int, Meeting]:
    """The stored meetings with those ids; those that are not there are left out."""
    found: dict[int, Meeting] = {}
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), 500):
        part = _meetings(connection, _query().where(_M.c.id.in_(wanted[start : start + 500])))
        found |= {meeting.id: meeting for meeting in part}
    return found


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


def joint_meetings(connection: Connection, meeting: Meeting) -> tuple[Meeting, ...]:
    """The same meeting at other councils (``kinship.are_joint``), cancelled ones among them."""
    ours = replace(meeting, status=MeetingStatus.SCHEDULED)
    if not are_joint(ours, replace(ours, council="")):
        return ()  # no joint committee at all: nothing to look up
    query = _query().where(_M.c.starts_at == meeting.starts_at, _COUNCIL.c.slug != meeting.council)
    others = _meetings(connection, query)
    return tuple(m for m in others if are_joint(ours, replace(m, status=MeetingStatus.SCHEDULED)))


def set_video(connection: Connection, meeting: Meeting, url: str) -> Meeting:
    """The meeting with its webcast."""
    connection.execute(update(_M).where(_M.c.id == meeting.id).values(video_url=url))
    return replace(meeting, video_url=url)


def meetings_between(connection: Connection, council: str, *, first: date, last: date) -> tuple[Meeting, ...]:
    """A council's meetings from one day to another, both included, in order of start."""
    query = _query().where(_COUNCIL.c.slug == council, _M.c.starts_on >= first, _M.c.starts_on <= last)
    return tuple(
        sorted(_meetings(connection, query), key=lambda m: (m.starts_on or first, str(m.starts_at), m.id))
    )


def save_meeting(connection: Connection, facts: MeetingFacts, *, now: datetime) -> Meeting:
    """Insert or update the meeting of ``facts.key`` and return it as stored. Twice is harmless."""
    return save_meetings(connection, (facts,), now=now)[0]


def save_meetings(
    connection: Connection,
    facts: Sequence[MeetingFacts],
    *,
    now: datetime,
    feed: int | None = None,
    committees: Committees | None = None,
) -> tuple[Meeting, ...]:
    """Several meetings of one council (each key once) in few statements, returned in the same order.

    ``feed``: whose words these are; ``committees`` of the council, where they are read already.
    """
    if not facts:
        return ()
    council_id, timezone = connection.execute(_COUNCIL_OF, {"council": facts[0].council}).one()
    committees = committees or Committees(connection, council_id)
    bodies = [committees.take(f.committee, external_id=f.committee_id, now=now, feed=feed) for f in facts]
    rows = [_row(f, council_id, body.id, now) for f, body in zip(facts, bodies, strict=True)]
    ids = _upserted(connection, council_id, rows)
    return tuple(_stored(f, ids[f.key], body, timezone) for f, body in zip(facts, bodies, strict=True))


def _row(facts: MeetingFacts, council_id: int, committee: int, now: datetime) -> dict[str, Any]:
    return {
        "council_id": council_id,
        "key": facts.key,
        "committee_id": committee,
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
        "said_at": facts.said_at,
    }


def _upserted(connection: Connection, council_id: int, rows: list[dict[str, Any]]) -> dict[str, int]:
    keys = [row["key"] for row in rows]
    ids: dict[str, int] = {}
    for start in range(0, len(keys), 500):
        asked = {"council": council_id, "keys": keys[start : start + 500]}
        ids |= {key: id_ for key, id_ in connection.execute(_ID_OF_KEY, asked)}
    for row in rows:
        if row["key"] in ids:
            # Who does not know when it was said must not forget it.
            changes = {k: v for k, v in row.items() if k != "said_at" or v is not None}
            connection.execute(update(_M).where(_M.c.id == ids[row["key"]]).values(**changes))
    new = [row | {"first_seen_at": row["changed_at"]} for row in rows if row["key"] not in ids]
    if new:
        made = connection.execute(_ADD, new)
        ids |= {key: id_ for key, id_ in made}
    return ids


def _stored(facts: MeetingFacts, id_: int, committee: Committee, timezone: str) -> Meeting:
    return Meeting(
        id=id_,
        key=facts.key,
        council=facts.council,
        committee=committee.name,
        title=facts.title,
        starts_at=facts.starts_at,
        starts_on=facts.starts_on,
        status=facts.status,
        url=facts.url,
        venue=facts.venue,
        video_url=facts.video_url,
        documents=facts.documents,
        committee_keys=frozenset(committee.keys),
        timezone=timezone,
        said_at=facts.said_at,
    )


def _query() -> Any:
    return (
        select(_M, _COUNCIL.c.slug, _COUNCIL.c.timezone, _C.c.name.label("committee"))
        .join(_COUNCIL, _COUNCIL.c.id == _M.c.council_id)
        .join(_C, _C.c.id == _M.c.committee_id)
        .order_by(_M.c.id)
    )


# Made once: putting a statement together costs more than running it.
_OF_COUNCIL = _query().where(_COUNCIL.c.slug == bindparam("council"))
_BY_KEY = _OF_COUNCIL.where(_M.c.key.in_(bindparam("keys", expanding=True)))
_KIN = _OF_COUNCIL.where(
    _M.c.starts_on.in_(bindparam("days", expanding=True))
    | _M.c.url_key.in_(bindparam("addresses", expanding=True))
)
_BY_ALIAS = (
    select(_A.c.key, _A.c.meeting_id)
    .join(_COUNCIL, _COUNCIL.c.id == _A.c.council_id)
    .where(_COUNCIL.c.slug == bindparam("council"), _A.c.key.in_(bindparam("keys", expanding=True)))
)
_ID_OF_KEY = select(_M.c.key, _M.c.id).where(
    _M.c.council_id == bindparam("council"), _M.c.key.in_(bindparam("keys", expanding=True))
)
_ADD = insert(_M).returning(_M.c.key, _M.c.id)
_COUNCIL_OF = select(_COUNCIL.c.id, _COUNCIL.c.timezone).where(_COUNCIL.c.slug == bindparam("council"))


def _meetings(connection: Connection, query: Any, asked: Mapping[str, Any] | None = None) -> list[Meeting]:
    rows = connection.execute(query, asked or {}).all()
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
        said_at=row.said_at,
    )


def count_meetings(connection: Connection) -> int:
    """How many meetings are known."""
    return connection.scalar(select(func.count()).select_from(_M)) or 0
