"""Meetings as an iCalendar (RFC 5545, 7986): the same meetings give the same bytes, so programs can compare.

Times are UTC instants, which every program shows on its reader's own clock; a meeting of which only the day
is known is a whole day. Councils announce no end: an event takes two hours of a calendar.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from icalendar import Calendar, Event, vDuration

from digest.model import Meeting, MeetingStatus
from digest.render.plain import one_line, shortened
from digest.render.views import MAX_HEADLINE, day_of, named, web_address
from digest.render.words import Language, message

LENGTH = timedelta(hours=2)
"""What an event takes; the council says when a meeting begins, not when it ends."""
REFRESH = timedelta(hours=6)
"""How often a program should ask again; feeds are polled about that often."""
_STATUS = {
    MeetingStatus.PROVISIONAL: "TENTATIVE",
    MeetingStatus.CANCELLED: "CANCELLED",
    MeetingStatus.POSTPONED: "CANCELLED",
}
_PREFIX = {
    MeetingStatus.PROVISIONAL: message("Provisional"),
    MeetingStatus.CANCELLED: message("Cancelled"),
    MeetingStatus.POSTPONED: message("Postponed"),
}


@dataclass(frozen=True, slots=True)
class Dated:
    """A meeting for a calendar, with its council's name, and when it was first seen and last changed."""

    meeting: Meeting
    council: str
    first_seen_at: datetime
    changed_at: datetime


def calendar_bytes(
    dated: Iterable[Dated],
    *,
    name: str,
    base_url: str,
    language: Language,
    note: str = "",
    with_council: bool = False,
) -> bytes:
    """The calendar with one event a meeting in the order given; ``with_council`` names each one's council.

    ``note`` is said of every event that takes ``LENGTH``.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//Council Digest//meetings//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("name", named(name))
    calendar.add("x-wr-calname", named(name))
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(REFRESH))
    for one in dated:
        event = _event(one, base_url, language, note=note, with_council=with_council)
        if event is not None:
            calendar.add_component(event)
    return bytes(calendar.to_ical())


def _event(one: Dated, base_url: str, language: Language, *, note: str, with_council: bool) -> Event | None:
    """The meeting; None without a day."""
    meeting, on = one.meeting, day_of(one.meeting)
    if on is None:
        return None
    event = Event()
    event.add("uid", f"meeting-{meeting.id}@{urlsplit(base_url).hostname}")
    event.add("dtstamp", one.changed_at.astimezone(UTC).replace(microsecond=0))
    event.add("last-modified", one.changed_at.astimezone(UTC).replace(microsecond=0))
    # Whatever changes a meeting moves this number up; it fits 31 bits for 68 years.
    event.add("sequence", max(int((one.changed_at - one.first_seen_at).total_seconds()), 0))
    if meeting.starts_at is not None:
        event.add("dtstart", meeting.starts_at.astimezone(UTC))
        event.add("duration", LENGTH)
    else:
        event.add("dtstart", on)
        event.add("dtend", on + timedelta(days=1))
        event.add("transp", "TRANSPARENT")
    event.add("status", _STATUS.get(meeting.status, "CONFIRMED"))
    event.add("summary", _summary(one, language, with_council=with_council))
    if meeting.venue and one_line(meeting.venue):
        event.add("location", named(meeting.venue))
    event.add("url", f"{base_url}/meetings/{meeting.id}")
    event.add("description", _description(one, base_url, note))
    return event


def _summary(one: Dated, language: Language, *, with_council: bool) -> str:
    words = [named(one.meeting.committee) or shortened(one_line(one.meeting.title), MAX_HEADLINE)]
    if with_council:
        words.append(named(one.council))
    text = ", ".join(words)
    status = one.meeting.status
    return f"{language(_PREFIX[status])}: {text}" if status in _PREFIX else text


def _description(one: Dated, base_url: str, note: str) -> str:
    lines = [named(one.council), f"{base_url}/meetings/{one.meeting.id}"]
    if source := web_address(one.meeting.url):
        lines.append(source)
    if note and one.meeting.starts_at is not None:
        lines.append(note)
    return "\n".join(lines)
