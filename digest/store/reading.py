"""What the public pages show: lists of councils and meetings, one meeting with its summaries.

Lists are read by keyset: a page begins after the last line of the one before (``Mark``), so the hundredth
page costs what the first does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Select, and_, func, or_, select

from digest.errors import NotFoundError
from digest.model import Condensed, Council, LineKind, Meeting, MeetingStatus, SummaryState, name_key
from digest.store.councils import all_councils, council_by_slug, council_ids
from digest.store.meetings import meetings_by_id
from digest.store.summaries import item_of, languages_as_of
from digest.store.tables import (
    CommitteeNameRow,
    CommitteeRow,
    CouncilRow,
    MeetingRow,
    PublicationRow,
    SubscriptionRow,
    SummaryRow,
    SummaryVersionRow,
    table_of,
)

_M = table_of(MeetingRow)
_C = table_of(CommitteeRow)
_N = table_of(CommitteeNameRow)
_COUNCIL = table_of(CouncilRow)
_S = table_of(SummaryRow)
_V = table_of(SummaryVersionRow)
_P = table_of(PublicationRow)
_FOLLOWS = table_of(SubscriptionRow)

ALL = 2**62
"""A seq beyond any: what is public now."""
_OFF = (MeetingStatus.CANCELLED.value, MeetingStatus.POSTPONED.value)


class Mark(NamedTuple):
    """Where a page of a list ended: the day and the id of its last meeting."""

    on: date
    id: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A council in the list of all, and how many meetings it holds in the days asked for."""

    council: Council
    coming: int


@dataclass(frozen=True, slots=True)
class Body:
    """A committee of one council; ``key`` finds it in addresses and stays through renames."""

    id: int
    name: str
    key: str
    coming: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """A meeting and what is public of it: one text a language, English first; none yet is empty."""

    meeting: Meeting
    summaries: tuple[Condensed, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines of a list in order; ``more`` is where the next page begins, None at the end."""

    told: tuple[Told, ...]
    more: Mark | None = None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A summary was public and is not any more."""

    at: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class Version:
    """The public version of a summary in one language; ``is_correction``: another was public before."""

    summary_id: int
    language: str
    version: int
    at: datetime
    is_correction: bool


@dataclass(frozen=True, slots=True)
class Whole:
    """One meeting with everything public about it."""

    council: Council
    told: Told
    committee: Body
    versions: tuple[Version, ...] = ()
    withdrawal: Withdrawal | None = None


# --- councils ---------------------------------------------------------------------------------------------


def listed_councils(connection: Connection, *, first: date, last: date) -> tuple[Listed, ...]:
    """All councils by name with their meetings of those days, both included; cancelled ones do not count."""
    query = (
        select(_COUNCIL.c.slug, func.count())
        .join(_M, _M.c.council_id == _COUNCIL.c.id)
        .where(_M.c.starts_on >= first, _M.c.starts_on <= last, _M.c.status.not_in(_OFF))
        .group_by(_COUNCIL.c.slug)
    )
    counts = {slug: n for slug, n in connection.execute(query)}
    return tuple(Listed(one, counts.get(one.slug, 0)) for one in all_councils(connection))


def waiting_for(connection: Connection, slug: str) -> int:
    """How many people follow one council."""
    query = (
        select(func.count())
        .select_from(_FOLLOWS)
        .join(_COUNCIL, _COUNCIL.c.id == _FOLLOWS.c.council_id)
        .where(_COUNCIL.c.slug == slug, _FOLLOWS.c.ended_at.is_(None))
    )
    return connection.scalar(query) or 0


def committees_of(connection: Connection, slug: str, *, first: date) -> tuple[Body, ...]:
    """The committees of a council by name, with the meetings that each holds from that day on."""
    coming = and_(_M.c.committee_id == _C.c.id, _M.c.starts_on >= first, _M.c.status.not_in(_OFF))
    query = (
        select(_C.c.id, _C.c.name, func.count(_M.c.id))
        .join(_COUNCIL, _COUNCIL.c.id == _C.c.council_id)
        .join(_M, coming, isouter=True)
        .where(_COUNCIL.c.slug == slug)
        .group_by(_C.c.id, _C.c.name)
    )
    found = [Body(id_, name, key_of(name), n) for id_, name, n in connection.execute(query)]
    return tuple(sorted(found, key=lambda body: name_key(body.name)))


def committee_called(connection: Connection, slug: str, key: str) -> Body:
    """The committee of that key, or of any name it ever had. Raises: NotFoundError."""
    query = (
        select(_C.c.id, _C.c.name)
        .join(_COUNCIL, _COUNCIL.c.id == _C.c.council_id)
        .join(_N, _N.c.committee_id == _C.c.id)
        .where(_COUNCIL.c.slug == slug, _N.c.name_key == name_key(key))
        .order_by(_C.c.id)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFoundError(f"{slug} has no committee {key!r}: see /councils/{slug}")
    return Body(row.id, row.name, key_of(row.name))


def key_of(committee: str) -> str:
    """The name of a committee as it stands in addresses: "planning-and-highways"."""
    return name_key(committee).replace(" ", "-")


# --- lists of meetings ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Among:
    """Which meetings a list is of; None leaves a choice open."""

    council: str | None = None
    committee: int | None = None
    first: date | None = None
    last: date | None = None
    is_told: bool = False
    changed_since: datetime | None = None


def coming_meetings(connection: Connection, among: Among, *, after: Mark | None = None, limit: int) -> Page:
    """Meetings in order of their days, the earliest first."""
    query = _among(connection, among)
    if after is not None:
        later = or_(_M.c.starts_on > after.on, and_(_M.c.starts_on == after.on, _M.c.id > after.id))
        query = query.where(_M.c.starts_on >= after.on, later)
    return _page(connection, query.order_by(_M.c.starts_on, _M.c.id), limit)


def past_meetings(connection: Connection, among: Among, *, after: Mark | None = None, limit: int) -> Page:
    """Meetings in order of their days, the latest first."""
    query = before(_among(connection, among), after)
    return _page(connection, query.order_by(_M.c.starts_on.desc(), _M.c.id.desc()), limit)


def before(query: Select[Any], mark: Mark | None) -> Select[Any]:
    """The query of meetings, the latest first, from behind that mark on."""
    if mark is None:
        return query
    earlier = or_(_M.c.starts_on < mark.on, and_(_M.c.starts_on == mark.on, _M.c.id < mark.id))
    return query.where(_M.c.starts_on <= mark.on, earlier)


def _among(connection: Connection, among: Among) -> Select[Any]:
    query = select(_M.c.id, _M.c.starts_on).where(_M.c.starts_on.is_not(None))
    if among.council is not None:
        council_by_slug(connection, among.council)
        query = query.where(_M.c.council_id == council_ids(connection)[among.council])
    if among.committee is not None:
        query = query.where(_M.c.committee_id == among.committee)
    if among.first is not None:
        query = query.where(_M.c.starts_on >= among.first)
    if among.last is not None:
        query = query.where(_M.c.starts_on <= among.last)
    if among.changed_since is not None:
        query = query.where(_M.c.changed_at >= among.changed_since)
    return query.where(is_told()) if among.is_told else query


def is_told() -> Any:
    """The condition that a meeting's summary is public in some language."""
    return (
        select(_S.c.id)
        .join(_V, _V.c.summary_id == _S.c.id)
        .where(_S.c.meeting_id == _M.c.id, _V.c.state == SummaryState.PUBLISHED.value)
        .exists()
    )


def _page(connection: Connection, query: Select[Any], limit: int) -> Page:
    rows = connection.execute(query.limit(limit + 1)).all()
    more = Mark(rows[limit - 1].starts_on, rows[limit - 1].id) if len(rows) > limit else None
    return Page(told_of(connection, [row.id for row in rows[:limit]]), more)


def told_of(connection: Connection, ids: Sequence[int]) -> tuple[Told, ...]:
    """Those meetings with what is public of them, in the order of the ids."""
    meetings = meetings_by_id(connection, ids)
    texts = languages_as_of(connection, ids, content_seq=ALL)
    return tuple(Told(meetings[id_], texts.get(id_, ())) for id_ in ids if id_ in meetings)


def meetings_of(
    connection: Connection, councils: Iterable[str], *, first: date, limit: int
) -> tuple[Told, ...]:
    """Meetings of several councils from that day on, in order of their days."""
    known = council_ids(connection)
    wanted = [known[slug] for slug in councils if slug in known]
    query = select(_M.c.id).where(_M.c.council_id.in_(wanted), _M.c.starts_on >= first)
    query = query.order_by(_M.c.starts_on, _M.c.id).limit(limit)
    return told_of(connection, list(connection.scalars(query)))


def newest_told(
    connection: Connection, council: str, committee: int | None, *, limit: int
) -> tuple[Told, ...]:
    """Meetings of a council whose summaries were published last; withdrawn ones have no text."""
    newest = func.max(_V.c.created_at)
    query = (
        select(_M.c.id)
        .join(_S, _S.c.meeting_id == _M.c.id)
        .join(_V, _V.c.summary_id == _S.c.id)
        .join(_COUNCIL, _COUNCIL.c.id == _M.c.council_id)
        .where(_COUNCIL.c.slug == council, _V.c.effective_seq.is_not(None))
        .group_by(_M.c.id)
        .order_by(newest.desc(), _M.c.id.desc())
        .limit(limit)
    )
    if committee is not None:
        query = query.where(_M.c.committee_id == committee)
    return told_of(connection, list(connection.scalars(query)))


# --- one meeting ------------------------------------------------------------------------------------------


def whole_meeting(connection: Connection, id_: int) -> Whole:
    """One meeting with everything public about it. Raises: NotFoundError."""
    found = told_of(connection, [id_])
    if not found:
        raise NotFoundError(f"there is no meeting {id_}: see /councils")
    told = found[0]
    query = select(_C.c.id, _C.c.name).join(_M, _M.c.committee_id == _C.c.id).where(_M.c.id == id_)
    committee, name = connection.execute(query).one()
    return Whole(
        council_by_slug(connection, told.meeting.council),
        told,
        Body(committee, name, key_of(name)),
        versions_of(connection, [id_]).get(id_, ()),
        None if told.summaries else _withdrawal(connection, id_),
    )


def versions_of(connection: Connection, ids: Iterable[int]) -> dict[int, tuple[Version, ...]]:
    """The public versions by meeting, English first."""
    earlier = _V.alias()
    is_correction = (
        select(earlier.c.version)
        .where(
            earlier.c.summary_id == _S.c.id,
            earlier.c.version < _V.c.version,
            earlier.c.effective_seq.is_not(None),
        )
        .exists()
    )
    columns = (_S.c.meeting_id, _S.c.id, _S.c.language, _V.c.version, _V.c.created_at)
    query = (
        select(*columns, is_correction.label("is_correction"))
        .join(_V, _V.c.summary_id == _S.c.id)
        .where(_S.c.meeting_id.in_(list(ids)), _V.c.state == SummaryState.PUBLISHED.value)
    )
    found: dict[int, list[Version]] = {}
    for meeting_id, id_, language, version, at, is_corrected in connection.execute(query):
        one = Version(id_, language, version, at, bool(is_corrected))
        found.setdefault(meeting_id, []).append(one)
    return {
        id_: tuple(sorted(of, key=lambda v: (v.language != "en", v.language))) for id_, of in found.items()
    }


def _withdrawal(connection: Connection, id_: int) -> Withdrawal | None:
    was = select(_V.c.version).join(_S, _S.c.id == _V.c.summary_id)
    was = was.where(_S.c.meeting_id == id_, _V.c.withdrawn_seq.is_not(None), _V.c.effective_seq.is_not(None))
    if connection.execute(was.limit(1)).first() is None:
        return None
    line = connection.execute(
        select(_P.c.published_at, _P.c.payload)
        .where(_P.c.item == item_of(id_), _P.c.kind == LineKind.WITHDRAWAL.value)
        .order_by(_P.c.seq.desc())
        .limit(1)
    ).one_or_none()
    if line is None:
        return Withdrawal(None, "")  # never mailed, so never told to anybody
    return Withdrawal(line.published_at, orjson.loads(line.payload)["why"] or "")


def last_said(connection: Connection, ids: Iterable[int]) -> dict[int, datetime]:
    """When the log last spoke of each meeting's summary; those it never mailed are left out."""
    items = {item_of(id_): id_ for id_ in ids}
    query = select(_P.c.item, func.max(_P.c.published_at)).where(_P.c.item.in_(list(items)))
    return {items[item]: at for item, at in connection.execute(query.group_by(_P.c.item))}


def written_at(connection: Connection, ids: Iterable[int]) -> dict[int, tuple[datetime, datetime]]:
    """When each meeting was first seen and last changed."""
    query = select(_M.c.id, _M.c.first_seen_at, _M.c.changed_at).where(_M.c.id.in_(list(ids)))
    return {id_: (first, changed) for id_, first, changed in connection.execute(query)}
