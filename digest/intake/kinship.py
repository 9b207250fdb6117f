"""What belongs together: a sighting to its council, a webcast to its meeting, a joint meeting to its twin.

All pure, and all careful: two meetings are never made one; a joint meeting is linked, so that a reader of
both councils is told once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from digest.intake.dates import zone
from digest.model import Meeting, MeetingStatus, Sighting, Webcast, name_key

_JOINT = frozenset({"joint", "cydbwyllgor", "combined", "shared"})
_FRILLS = "committee sub board panel the of and for a meeting council pwyllgor"
_COMMON = _JOINT | frozenset(_FRILLS.split())


def council_of(sighting: Sighting, table: Mapping[str, str], *, default: str | None) -> str | None:
    """Whose meeting it is where one installation serves several councils.

    ``table``: committee -> council slug, a committee by its number ("1009"), its full id
    ("host:CId:1009") or its name in any spelling. ``default`` where the table says nothing.
    """
    identifier = sighting.committee_id or ""
    number = identifier.rpartition(":")[2]
    by_name = {name_key(name): slug for name, slug in table.items()}
    found = table.get(identifier) or (table.get(number) if number else None)
    return found or by_name.get(name_key(sighting.committee)) or default


def are_joint(one: Meeting, other: Meeting) -> bool:
    """True for one meeting of a joint committee as two councils publish it: same time, kindred names."""
    if one.council == other.council or MeetingStatus.CANCELLED in (one.status, other.status):
        return False
    if one.starts_at is None or one.starts_at != other.starts_at:
        return False
    first, second = set(name_key(one.committee).split()), set(name_key(other.committee).split())
    if not (first & _JOINT and second & _JOINT):
        return False
    told, also = first - _COMMON, second - _COMMON
    return bool(told) and (told <= also or also <= told)


def meeting_of(webcast: Webcast, meetings: Iterable[Meeting]) -> Meeting | None:
    """The meeting that a webcast shows: the one it names, else the only one of that body on that day."""
    meetings = tuple(meetings)
    if webcast.external_id is not None:
        named = [m for m in meetings if m.key.endswith(f"|{webcast.external_id}")]
        if named:
            return named[0]
    wanted = name_key(webcast.committee)
    if not wanted or webcast.starts_on is None:
        return None
    same = [
        m
        for m in meetings
        if day_of(m) == webcast.starts_on and wanted in {name_key(m.committee), *m.committee_keys}
    ]
    exact = [m for m in same if m.starts_at == webcast.starts_at] if webcast.starts_at else []
    found = exact or same
    return found[0] if len(found) == 1 else None


def earlier_self(
    sighting: Sighting, meetings: Iterable[Meeting], *, told: frozenset[str], now: datetime
) -> Meeting | None:
    """The meeting that a sighting without a platform's id has moved from, where there is no doubt.

    The same page and committee, still ahead, and under a key that the feed no longer tells (``told``: keys
    of all its sightings): then the page was edited. A page used again after its meeting is a new one.
    """
    if sighting.external_id is not None or sighting.url is None or sighting.starts_on is None:
        return None
    today = now.date()
    found = [
        m
        for m in meetings
        if m.url == sighting.url
        and m.key not in told
        and name_key(sighting.committee) in {name_key(m.committee), *m.committee_keys}
        and (day := day_of(m)) is not None
        and day >= today
    ]
    return found[0] if len(found) == 1 else None


def day_of(meeting: Meeting) -> date | None:
    """The day of a meeting in its council's zone."""
    if meeting.starts_at is None:
        return meeting.starts_on
    return meeting.starts_at.astimezone(zone(meeting.timezone)).date()
