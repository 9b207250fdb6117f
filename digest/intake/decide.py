"""What a sighting changes of what is known, and when to ask a feed again. Pure: ``now`` is an argument.

Absence never cancels: only sightings come here. An older word never overrules a newer one: two feeds of
one council may tell the same meeting from different days.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from digest.intake.dates import zone
from digest.intake.kinship import day_of
from digest.model import Document, LineKind, Meeting, MeetingStatus, Sighting, name_key


class ChangeKind(StrEnum):
    """What a sighting means for a meeting; where several are true, the first of this order."""

    NEW = "new"
    CANCELLED = "cancelled"
    POSTPONED = "postponed"
    REINSTATED = "reinstated"
    TIME_CHANGED = "time_changed"
    MOVED = "moved"
    DOCUMENTS = "documents"
    DETAILS = "details"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Change:
    """The meeting as it is to be stored (``id`` 0: not yet), and the log line to write, if any.

    ``line`` None: nothing to tell readers (unchanged, a detail, or a meeting that was over when first
    seen). ``before`` is the meeting as it was known.
    """

    kind: ChangeKind
    meeting: Meeting
    before: Meeting | None = None
    line: LineKind | None = None


_OFF = frozenset({MeetingStatus.CANCELLED, MeetingStatus.POSTPONED})
_LINES = {
    ChangeKind.NEW: LineKind.MEETING_NEW,
    ChangeKind.CANCELLED: LineKind.MEETING_CANCELLED,
    ChangeKind.POSTPONED: LineKind.MEETING_CHANGED,
    ChangeKind.REINSTATED: LineKind.MEETING_CHANGED,
    ChangeKind.TIME_CHANGED: LineKind.MEETING_CHANGED,
    ChangeKind.MOVED: LineKind.MEETING_CHANGED,
    ChangeKind.DOCUMENTS: LineKind.PAPERS,
}


def meeting_key(sighting: Sighting, *, council: str) -> str:
    """The identity that stays through re-polls, moves and renames.

    The platform's own id where there is one; else committee, day and time, so that two meetings of one
    committee on one day stay two. Joint meetings of two councils keep a key each.
    """
    if sighting.external_id:
        return f"{council}|{sighting.external_id}"
    committee = sighting.committee_id or name_key(sighting.committee) or sighting.guid or ""
    if sighting.starts_at is not None:
        when = sighting.starts_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
    else:
        when = str(sighting.starts_on or sighting.url or sighting.guid or sighting.title)
    return f"{council}|{committee}|{when}"


def decide(
    sighting: Sighting,
    known: Meeting | None,
    *,
    council: str,
    now: datetime,
    timezone: str = "Europe/London",
    known_names: frozenset[str] = frozenset(),
) -> Change:
    """The change that ``sighting`` makes to ``known`` (None: never seen). Twice gives ``unchanged``.

    ``known_names``: name keys under which this committee has been known, so that renaming keeps readers.
    """
    if known is None:
        return _new(sighting, council, now, timezone, known_names)
    after = _told(known, sighting, now, known_names)
    kind = _kind(known, after)
    if kind is ChangeKind.UNCHANGED:
        return Change(kind, known, known)
    line = _LINES.get(kind)
    if line is not None and line is not LineKind.PAPERS and _is_over(after, now) and _is_over(known, now):
        line = None
    return Change(kind, after, known, line)


def _new(
    sighting: Sighting, council: str, now: datetime, timezone: str, known_names: frozenset[str]
) -> Change:
    meeting = Meeting(
        id=0,
        key=meeting_key(sighting, council=council),
        council=council,
        committee=sighting.committee,
        title=sighting.title,
        starts_at=sighting.starts_at,
        starts_on=_day(sighting, timezone),
        status=sighting.status,
        url=sighting.url,
        venue=sighting.venue,
        video_url=sighting.video_url,
        documents=sighting.documents,
        committee_keys=known_names | {name_key(sighting.committee)},
        timezone=timezone,
        said_at=_said(sighting, now),
    )
    is_understood = bool(meeting.committee) and (meeting.starts_at or meeting.starts_on) is not None
    is_news = is_understood and not _is_over(meeting, now)
    line = LineKind.MEETING_NEW if is_news and meeting.status not in _OFF else None
    return Change(ChangeKind.NEW, meeting, None, line)


def _told(known: Meeting, sighting: Sighting, now: datetime, known_names: frozenset[str]) -> Meeting:
    """``known`` with what the sighting says. What it leaves out stays; an older word adds papers only."""
    documents = _gathered(known, sighting)
    if _is_stale(known, sighting):
        return replace(known, documents=documents, video_url=known.video_url or sighting.video_url)
    status = _status(known, sighting)
    # Silence that leaves a meeting off says nothing new of it: it must not make a later silence count.
    is_silent = status in _OFF and sighting.status is MeetingStatus.SCHEDULED
    said_at = _said(sighting, now) or (now if sighting.says_status else None)
    after = replace(
        known,
        committee=sighting.committee or known.committee,
        title=sighting.title if sighting.starts_on or not known.starts_on else known.title,
        status=status,
        url=sighting.url or known.url,
        venue=sighting.venue or known.venue,
        video_url=sighting.video_url or known.video_url,
        documents=documents,
        committee_keys=known.committee_keys | known_names | {name_key(sighting.committee)} - {""},
        said_at=known.said_at if is_silent else said_at or known.said_at,
    )
    if sighting.starts_at is not None or _day(sighting, known.timezone) not in (None, day_of(known)):
        return replace(after, starts_at=sighting.starts_at, starts_on=_day(sighting, known.timezone))
    return after


def _gathered(known: Meeting, sighting: Sighting) -> tuple[Document, ...]:
    """All papers ever named: a feed's window forgets the older ones."""
    return tuple({d.url: d for d in (*known.documents, *sighting.documents)}.values())


def _said(sighting: Sighting, now: datetime) -> datetime | None:
    """When it was said; a publication in the future would make every later word look old.

    A source that states the status each time and gives no publication speaks of the moment it is asked.
    """
    said = sighting.published_at
    return said if said is not None and said <= now + timedelta(days=2) else None


def _is_stale(known: Meeting, sighting: Sighting) -> bool:
    said = sighting.published_at
    return said is not None and known.said_at is not None and said < known.said_at


# Papers for a cancelled meeting do not bring it back.
_SILENT = frozenset({"agenda_supplement_published", "webcast_published"})


def _status(known: Meeting, sighting: Sighting) -> MeetingStatus:
    """The status after the sighting. ``scheduled`` is also what an item says that says nothing of it."""
    if sighting.status is not MeetingStatus.SCHEDULED or sighting.says_status:
        return sighting.status
    if known.status is MeetingStatus.PROVISIONAL:
        return MeetingStatus.SCHEDULED
    if known.status not in _OFF:
        return known.status
    has_moved = _day(sighting, known.timezone) not in (None, day_of(known))
    is_later = sighting.published_at is not None and known.said_at is not None
    says_more = not (sighting.events and set(sighting.events) <= _SILENT)
    return MeetingStatus.SCHEDULED if has_moved or (is_later and says_more) else known.status


def _kind(known: Meeting, after: Meeting) -> ChangeKind:
    if replace(after, said_at=known.said_at) == known:
        return ChangeKind.UNCHANGED
    was_off, is_off = known.status in _OFF, after.status in _OFF
    if is_off and after.status is not known.status:
        is_postponed = after.status is MeetingStatus.POSTPONED
        return ChangeKind.POSTPONED if is_postponed else ChangeKind.CANCELLED
    if was_off and not is_off and after.status is not MeetingStatus.HELD:
        return ChangeKind.REINSTATED
    if (known.starts_at, known.starts_on) != (after.starts_at, after.starts_on):
        return ChangeKind.TIME_CHANGED
    if known.venue and after.venue != known.venue:
        return ChangeKind.MOVED
    if len(after.documents) > len(known.documents):
        return ChangeKind.DOCUMENTS
    return ChangeKind.DETAILS


def _day(sighting: Sighting, timezone: str) -> date | None:
    """The local day that the sighting names."""
    if sighting.starts_at is None:
        return sighting.starts_on
    return sighting.starts_at.astimezone(zone(timezone)).date()


def _is_over(meeting: Meeting, now: datetime) -> bool:
    """True from the day after the meeting on, in the council's zone."""
    day = day_of(meeting)
    return day is not None and day < now.astimezone(zone(meeting.timezone)).date()
