"""CMIS (Astech): no feed, but a month calendar in plain HTML; the year is only in the address."""

from __future__ import annotations

import re
from datetime import date

from digest.intake.dates import When, find_when
from digest.intake.items import Document, Where
from digest.intake.links import clean_link, host_of
from digest.intake.reading import Dialect, Reading
from digest.intake.titles import committee_of, plain, take_status
from digest.model import MeetingStatus, NotMeeting, Sighting

MAX_MEETINGS = 500
# A day's cell or a link: one pass over the page, every repetition bounded.
_DAY_OR_LINK = re.compile(
    r"""SimpleCalendarDate["'][^<>]{0,200}>(?P<day>[^<]{1,60})<"""
    r"""|<a\s[^<>]{0,300}?href=["'](?P<href>[^"'<>]{1,1000})["'][^<>]{0,200}>(?P<label>[^<]{0,300})<""",
    re.IGNORECASE,
)
_IDS = re.compile(r"/Meeting/(?P<meeting>\d{1,9})(?:/Committee/(?P<committee>\d{1,9}))?", re.IGNORECASE)
_ASKED = re.compile(r"/Date/(\d{4})-(\d\d)-(\d\d)", re.IGNORECASE)
_TIME = re.compile(r"^(\d{1,2}[:.]\d\d)\s*(?:hrs\s*)?(?:[-–]\s*)?")


def claims(document: Document, where: Where) -> int:
    """A web page that carries the calendar's marks."""
    if document.kind != "html":
        return 0
    return 90 if "SimpleCalendarDate" in document.text or "ModCMISMeetings" in document.text else 0


def read(document: Document, where: Where) -> Reading:
    """Meetings in the order of the month."""
    near = _asked_month(where)
    day: When | None = None
    found_all: list[Sighting | NotMeeting] = []
    for match in _DAY_OR_LINK.finditer(document.text):
        if match["day"]:
            day = find_when(plain(match["day"]), country=where.country, near=near)
        elif _IDS.search(match["href"]) and len(found_all) < MAX_MEETINGS:
            found = _meeting(match["href"], plain(match["label"]), day, where)
            found_all.append(found)
    return Reading.of(found_all)


def _asked_month(where: Where) -> date:
    match = _ASKED.search(where.url)
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else where.as_of.date()
    except ValueError:
        return where.as_of.date()


def _meeting(href: str, label: str, day: When | None, where: Where) -> Sighting | NotMeeting:
    if day is None:
        return NotMeeting(None, label, "unrecognised: no day above it")
    label, status = take_status(label)
    clock = _TIME.match(label)
    when = find_when(f"{day.day.isoformat()} {clock[1]}", country=where.country) if clock else day
    when = when or day
    committee = committee_of(label[clock.end() :] if clock else label)
    link = clean_link(href, base=where.url, hosts=where.hosts)
    ids = _IDS.search(href)
    at = when.time.strftime(" %H:%M") if when.time else ""
    return Sighting(
        committee=committee,
        title=f"{committee} - {when.day.isoformat()}{at}",
        starts_at=when.instant(where.timezone),
        starts_on=when.day,
        status=status or MeetingStatus.SCHEDULED,
        url=link,
        external_id=f"{host_of(link) or where.host}:Meeting:{ids['meeting']}" if ids else None,
        committee_id=f"{host_of(link) or where.host}:Committee:{ids['committee']}"
        if ids and ids["committee"]
        else None,
        doubts=day.doubts,
        says_status=True,
    )


DIALECT = Dialect("cmis", claims, read, reads_feeds=False)
