"""iCalendar (RFC 5545), also ModernGov's one-meeting files and CivicPlus's calendars.

Time zones by name, Windows name or floating (the council's); recurrences within a window, without the
exceptions, with moved instances; a cancellation as STATUS or as a word of the summary. Each event is
read on its own: a broken one is kept as seen, the others stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import icalendar
from dateutil import rrule  # type: ignore[import-untyped]

from digest.errors import FeedError
from digest.intake.dates import zone
from digest.intake.dialects.moderngov import canonical, meeting_ids
from digest.intake.items import Document, Where
from digest.intake.links import clean_link, host_of
from digest.intake.names import bare, is_about_a_meeting
from digest.intake.papers import is_file, paper_of
from digest.intake.reading import Dialect, Part, Reading, merged
from digest.intake.titles import committee_of, plain, take_status
from digest.model import Document as Paper
from digest.model import MeetingStatus, NotMeeting, Sighting

MAX_EVENTS = 2_500
MAX_INSTANCES = 60  # of one recurring event
_BACK, _AHEAD = timedelta(days=60), timedelta(days=400)
_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_SPLIT_DAYS = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND"})  # thousands a day: no council's meetings
_STATUS = {
    "CANCELLED": MeetingStatus.CANCELLED,
    "TENTATIVE": MeetingStatus.PROVISIONAL,
    "CONFIRMED": MeetingStatus.SCHEDULED,
}
# Windows names as Outlook and Exchange write them (CLDR windowsZones), for where councils are.
_WINDOWS = {
    "GMT Standard Time": "Europe/London", "Greenwich Standard Time": "Atlantic/Reykjavik", "UTC": "UTC",
    "W. Europe Standard Time": "Europe/Berlin", "Romance Standard Time": "Europe/Paris",
    "Central Europe Standard Time": "Europe/Budapest", "GTB Standard Time": "Europe/Bucharest",
    "FLE Standard Time": "Europe/Kyiv", "Eastern Standard Time": "America/New_York",
    "Central Standard Time": "America/Chicago", "Mountain Standard Time": "America/Denver",
    "US Mountain Standard Time": "America/Phoenix", "Pacific Standard Time": "America/Los_Angeles",
    "Alaskan Standard Time": "America/Anchorage", "Hawaiian Standard Time": "Pacific/Honolulu",
    "Atlantic Standard Time": "America/Halifax", "AUS Eastern Standard Time": "Australia/Sydney",
    "New Zealand Standard Time": "Pacific/Auckland",
}  # fmt: skip


def claims(document: Document, where: Where) -> int:
    """Every calendar."""
    return 90 if document.kind == "ical" else 0


def read(document: Document, where: Where) -> Reading:
    """Meetings of the calendar, each instance of a recurring one."""
    parts: list[Part] = []
    others: list[NotMeeting] = []
    events = list(_events(document.text))
    moved = {(e.uid, e.instance) for e in events if e.instance is not None}
    is_meetings = (
        is_about_a_meeting(where.url.replace("/", " ").replace("-", " "))
        or "moderngov" in document.text[:500].lower()
    )
    for event in events[:MAX_EVENTS]:
        if len(parts) >= MAX_EVENTS:
            break
        found = _meetings(event, moved, where, is_meetings=is_meetings or len(events) == 1)
        parts += [f for f in found if isinstance(f, Part)]
        others += [f for f in found if isinstance(f, NotMeeting)]
    return Reading(merged(parts), tuple(others))


class _Event:
    """One VEVENT as far as it can be read: ``start`` None where it cannot."""

    __slots__ = (
        "attached",
        "instance",
        "location",
        "raw",
        "sequence",
        "start",
        "status",
        "summary",
        "text",
        "uid",
        "url",
    )

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self.uid = _text(raw, "UID")
        self.summary = _text(raw, "SUMMARY")
        self.text = _text(raw, "DESCRIPTION")
        self.location = _text(raw, "LOCATION")
        self.url = _text(raw, "URL")
        self.status = _text(raw, "STATUS").upper()
        self.start = _moment(raw, "DTSTART")
        self.instance = _moment(raw, "RECURRENCE-ID")
        self.attached = [str(a) for a in _several(raw, "ATTACH")]
        sequence = _text(raw, "SEQUENCE")
        self.sequence = int(sequence) if sequence.isdigit() and len(sequence) < 9 else 0


def _events(text: str) -> Iterator[_Event]:
    """The events of a text: the whole as one calendar, or, where that fails, one event at a time."""
    if "END:VCALENDAR" not in text[-200:].upper():  # cut off: the events that are whole still count
        text = "".join(text.rpartition("END:VEVENT")[:2]) + "\r\nEND:VCALENDAR\r\n"
    try:
        calendars = icalendar.Calendar.from_ical(text, multiple=True)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        pieces = re.split(r"(?=^BEGIN:VEVENT)", text, flags=re.MULTILINE)[1 : MAX_EVENTS + 1]
        if not pieces:
            raise FeedError("invalid_body", f"the calendar cannot be read: {error}") from error
        calendars = [c for p in pieces if (c := _alone(p)) is not None]
    for calendar in calendars:
        for raw in list(calendar.walk("VEVENT"))[:MAX_EVENTS]:
            yield _Event(raw)


def _alone(piece: str) -> Any:
    body = piece.partition("END:VEVENT")[0] + "END:VEVENT\r\n"
    try:
        return icalendar.Calendar.from_ical(f"BEGIN:VCALENDAR\r\n{body}END:VCALENDAR\r\n")
    except (ValueError, KeyError, IndexError, TypeError):
        return None


def _text(raw: Any, name: str) -> str:
    value = raw.get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    if value is None:
        return ""
    try:
        return str(value)[:20_000]
    except (ValueError, TypeError):
        return ""


def _several(raw: Any, name: str) -> list[Any]:
    value = raw.get(name)
    return value[:50] if isinstance(value, list) else [value] if value is not None else []


def _moment(raw: Any, name: str) -> datetime | date | None:
    """The value of a time property: aware, floating, or a day. A broken one raises on access."""
    found = _several(raw, name)
    try:
        value = found[0].dt if found else None
        zone_name = str(found[0].params.get("TZID", "")) if found else ""
    except Exception:  # noqa: BLE001 (icalendar raises its own kinds; a broken event is kept as seen)
        return None
    if isinstance(value, datetime) and value.tzinfo is None and zone_name:
        known = _WINDOWS.get(zone_name.strip('"'))
        return value.replace(tzinfo=zone(known)) if known else value
    return value if isinstance(value, (datetime, date)) else None


def _meetings(
    event: _Event, moved: set[tuple[str, Any]], where: Where, *, is_meetings: bool
) -> list[Part | NotMeeting]:
    title = _title(event.summary)
    if event.start is None:
        return [NotMeeting(event.uid or None, title, "unrecognised: the event's start cannot be read")]
    if not is_meetings and not is_about_a_meeting(title):
        return [NotMeeting(event.uid or None, title, "community_event: no council body is named")]
    starts, doubts = _starts(event, where)
    found: list[Part | NotMeeting] = []
    for start, instance in starts:
        if event.instance is None and len(starts) > 1 and (event.uid, instance) in moved:
            continue
        found.append(_part(event, title, start, event.instance or instance, doubts, where))
    return found


_DAY_TAIL = re.compile(r"\s*[;,-]\s*\d{1,2}/\d{1,2}/\d{4}$")


def _title(summary: str) -> str:
    return _DAY_TAIL.sub("", plain(summary))


def _starts(event: _Event, where: Where) -> tuple[list[tuple[Any, Any]], tuple[str, ...]]:
    """(start, instance) of each occurrence; instance None for an event that does not recur."""
    rules = _several(event.raw, "RRULE")
    if not rules or event.instance is not None:
        return [(event.start, None)], ()
    try:
        frequency = str(rules[0]["FREQ"][0]).upper()
        if frequency not in _FREQUENCIES or _SPLIT_DAYS & {str(k).upper() for k in rules[0]}:
            return [(event.start, None)], (f"a recurrence {frequency.lower()[:20]} is not followed",)
        return [(s, s) for s in _recurring(event, rules[0].to_ical().decode(), where)], ()
    except Exception:  # noqa: BLE001 (icalendar and dateutil raise their own kinds over a broken rule)
        return [(event.start, None)], ("the recurrence cannot be read",)


def _recurring(event: _Event, rule: str, where: Where) -> list[Any]:
    """The occurrences within the window, in the event's own zone, so that clock changes do not move them."""
    start = event.start
    info = start.tzinfo if isinstance(start, datetime) else None
    before = (where.as_of + _AHEAD).replace(tzinfo=None)
    rule = re.sub(r"UNTIL=([0-9T]{8,15})Z?", lambda m: f"UNTIL={_local_until(m[1], info)}", rule)
    if "UNTIL=" not in rule and "COUNT=" not in rule:
        rule += f";UNTIL={before:%Y%m%dT%H%M%S}"  # a rule that never comes true would be tried to year 9999
    after = (where.as_of - _BACK).replace(tzinfo=None)
    out = {_naive(e, info) for e in _dates(event.raw, "EXDATE")}
    found = []
    for at in rrule.rrulestr(rule, dtstart=_naive(start, None)).xafter(after, count=MAX_INSTANCES, inc=True):
        if at > before:
            break
        if at not in out:
            found.append(at)
    found += [n for e in _dates(event.raw, "RDATE") if after <= (n := _naive(e, info)) <= before]
    days = not isinstance(start, datetime)
    return [at.date() if days else at.replace(tzinfo=info) for at in sorted(set(found))[:MAX_INSTANCES]]


def _local_until(text: str, info: Any) -> str:
    """dateutil wants UNTIL as DTSTART is: here always naive, in the event's zone."""
    if "T" not in text or info is None:
        return text
    at = datetime.strptime(text[:15].ljust(15, "0"), "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return at.astimezone(info).strftime("%Y%m%dT%H%M%S")


def _dates(raw: Any, name: str) -> Iterator[Any]:
    for group in _several(raw, name):
        try:
            yield from (d.dt for d in group.dts[:500])
        except Exception:  # noqa: BLE001 (as above: one broken exception date is passed over)
            return


def _naive(value: datetime | date | None, info: Any) -> datetime:
    if not isinstance(value, datetime):
        return datetime.combine(value or date.max, time(0))
    if value.tzinfo is not None and info is not None:
        value = value.astimezone(info)
    return value.replace(tzinfo=None)


def _utc(value: datetime | date, where: Where) -> tuple[datetime | None, date]:
    """(instant, local day) of a start; a day alone has no instant."""
    if not isinstance(value, datetime):
        return None, value
    aware = value if value.tzinfo else value.replace(tzinfo=zone(where.timezone))
    return aware.astimezone(UTC), aware.astimezone(zone(where.timezone)).date()


def _part(
    event: _Event, title: str, start: Any, instance: Any, doubts: tuple[str, ...], where: Where
) -> Part:
    name, said = take_status(title)
    starts_at, starts_on = _utc(start, where)
    link, external_id = _link(event, where)
    if external_id is None and event.uid:
        mark = f":{_utc(instance, where)[0] or instance}" if instance is not None else ""
        external_id = f"{where.host}:UID:{plain(event.uid, limit=200)}{mark}"
    name = committee_of(name)
    sighting = Sighting(
        committee=bare(name),
        title=bare(name) if _DAY_TAIL.search(plain(event.summary)) else name,
        starts_at=starts_at,
        starts_on=starts_on,
        status=MeetingStatus.SCHEDULED,
        url=link,
        guid=plain(event.uid) or None,
        external_id=external_id,
        documents=_papers(event, where),
        venue=plain(event.location) or None,
        doubts=doubts,
        says_status=True,
    )
    status = said or _STATUS.get(event.status)
    stamp = datetime(1990, 1, 1, tzinfo=UTC) + timedelta(seconds=event.sequence)
    return Part(sighting, external_id or f"{sighting.committee}|{start}", status, stamp)


def _papers(event: _Event, where: Where) -> tuple[Paper, ...]:
    """What is attached, and the files that the description leads to."""
    files = [*event.attached, *(a for a in _addresses(event) if is_file(a))]
    found = [p for a in files if (p := paper_of(a, "", where))]
    return tuple({p.url: p for p in found}.values())


_ADDRESS = re.compile(r"https?://[^\s<>\"']{4,1000}")


def _addresses(event: _Event) -> list[str]:
    return [a.rstrip(".,;)") for a in _ADDRESS.findall(event.text)[:5]]


def _link(event: _Event, where: Where) -> tuple[str | None, str | None]:
    """The meeting's page, and ModernGov's id where the page is one of its."""
    for candidate in [event.url, *(a for a in _addresses(event) if not is_file(a))]:
        link = clean_link(candidate, base=where.url, hosts=where.hosts) if candidate else None
        if link is None:
            continue
        _, number = meeting_ids(link)
        if number is not None and "ielistdocuments" in link.lower():
            return canonical(link), f"{host_of(link)}:MId:{number}"
        return link, None
    return None, None


DIALECT = Dialect("ical", claims, read, reads_feeds=False)
