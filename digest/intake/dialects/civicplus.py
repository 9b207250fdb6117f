"""CivicPlus: the calendar (``RSSFeed.aspx?ModID=58``) and the agenda centre (``ModID=65``).

The calendar's namespace is the site's own address, so elements are known by their local names; the guid
ends in .NET ticks that change with every edit. The agenda centre gives one item per paper, with the day
of the meeting in title or link.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

from digest.intake.dates import When, find_time, find_when, published
from digest.intake.items import Document, Item, Where
from digest.intake.links import clean_link, host_of, page_of, query_of
from digest.intake.names import bare, is_about_a_meeting, names_a_body
from digest.intake.papers import paper_of, papers
from digest.intake.reading import Dialect, Part, Reading, identity_of, merged
from digest.intake.titles import committee_of, plain, take_status
from digest.model import DocumentKind, MeetingStatus, NotMeeting, Sighting, name_key

_TICKS = re.compile(r"/\d{15,20}$")
_PAPER_LINK = re.compile(
    r"/AgendaCenter/(?:ViewFile/(?P<kind>[A-Za-z]{1,30})|PreviousVersions)/_(?P<month>\d\d)(?P<day>\d\d)(?P<year>\d{4})-(?P<id>\d{1,9})",
    re.IGNORECASE,
)

_ALL_DAY = re.compile(r"\s*12:00 AM\s*-\s*(?:11:59 PM|12:00 AM)", re.IGNORECASE)


def claims(document: Document, where: Where) -> int:
    """By the address, the calendar's elements, or links into an agenda centre."""
    if document.kind != "xml":
        return 0
    if page_of(where.url) == "rssfeed.aspx" and "modid" in query_of(where.url):
        return 90
    items = document.items[:5]
    if any(i.field("eventdates") for i in items):
        return 85
    return 85 if any("/agendacenter/" in i.link.lower() for i in items) else 0


def read(document: Document, where: Where) -> Reading:
    """Meetings of the calendar, or of the papers."""
    where = replace(where, country="us")
    is_meetings = is_about_a_meeting(document.title) or "meeting" in where.url.lower()
    parts: list[Part] = []
    others: list[NotMeeting] = []
    for item in document.items:
        is_paper = "/agendacenter/" in item.link.lower()
        found = _paper(item, where) if is_paper else _event(item, where, is_meetings=is_meetings)
        if isinstance(found, Part):
            parts.append(found)
        elif found is not None:
            others.append(found)
    return Reading(merged(parts), tuple(others))


def _event(item: Item, where: Where, *, is_meetings: bool) -> Part | NotMeeting | None:
    title = plain(item.title)
    if not title:
        return None
    guid = _TICKS.sub("", plain(item.guid, limit=500)) or None
    bare_title, status = take_status(title)
    if not names_a_body(bare_title) and not is_meetings:
        return NotMeeting(guid, title, "community_event: no council body is named")
    days = item.field("eventdates")
    when = find_when(days or plain(item.summary, limit=2_000), country=where.country)
    times = item.field("eventtimes")
    at = find_time(times) if times and not _ALL_DAY.match(times) else None
    if when is not None and at is not None:
        when = replace(when, time=at)
    link = clean_link(item.link, base=where.url, hosts=where.hosts)
    number = query_of(link).get("eid", "")
    external_id = f"{host_of(link)}:EID:{number}" if number.isdigit() else None
    sighting = _sighting(item, bare_title, bare_title, when, where, guid=guid, external_id=external_id)
    sighting = replace(sighting, venue=plain(item.field("location")) or None, url=link)
    key = external_id or identity_of(name_key(bare_title), sighting.starts_on, sighting.starts_at, link)
    return Part(sighting, key, status)


def _sighting(
    item: Item,
    name: str,
    title: str,
    when: When | None,
    where: Where,
    *,
    guid: str | None,
    external_id: str | None = None,
) -> Sighting:
    return Sighting(
        committee=bare(name) if names_a_body(name) else "",
        title=title,
        starts_at=when.instant(where.timezone) if when else None,
        starts_on=when.day if when else None,
        status=MeetingStatus.SCHEDULED,
        url=None,
        guid=guid,
        external_id=external_id,
        documents=papers(item, where),
        published_at=published(item.published, timezone=where.timezone, country=where.country),
        doubts=when.doubts if when else ("no date is given",),
        says_status=True,
    )


_PAPER_TITLE = re.compile(r"\s*\(?\b(?:PDF|HTML)\b\)?\s*$", re.IGNORECASE)


def _paper(item: Item, where: Where) -> Part | NotMeeting | None:
    """An agenda or minutes: what it is for is in the title, the day there or in the link."""
    title = _PAPER_TITLE.sub("", plain(item.title)) or plain(item.summary)
    guid = _TICKS.sub("", plain(item.guid, limit=500)) or None
    match = _PAPER_LINK.search(item.link)
    near = published(item.published, timezone=where.timezone, country=where.country)
    when = find_when(title, country=where.country, near=where.near(near))
    name = title if when is None else f"{title[: when.start]} {title[when.end :]}"
    when = when or _by_link(match)
    name, status = take_status(name.strip(" ,;:-–—"))
    category = next((c for c in item.categories if names_a_body(c)), "")
    name = bare(committee_of(name)) or bare(category)
    if when is None or not name:
        return NotMeeting(guid, title, "unrecognised: no date of a meeting in title or link")
    kind = match["kind"] if match and match["kind"] else ""
    label = _label(f"{kind} {title} {item.link}".lower())
    paper = paper_of(item.link, label, where)
    external_id = f"{host_of(item.link)}:AgendaCenter:{match['id']}" if match else None
    sighting = replace(
        _sighting(item, name, title, when, where, guid=guid, external_id=external_id),
        committee=name if names_a_body(name) or not category else bare(category),
        url=clean_link(item.link, base=where.url, hosts=where.hosts),
        documents=(paper,) if paper else (),
    )
    is_minutes = paper is not None and paper.kind is DocumentKind.MINUTES
    held = MeetingStatus.HELD if is_minutes else None
    same_day = identity_of(name_key(sighting.committee), when.day, None, None)
    return Part(sighting, external_id or same_day, status or held)


def _label(text: str) -> str:
    for word in ("Minutes", "Packet", "Notice"):
        if word.lower() in text:
            return word
    return "Agenda"


def _by_link(match: re.Match[str] | None) -> When | None:
    if match is None:
        return None
    try:
        return When(date(int(match["year"]), int(match["month"]), int(match["day"])), None, 0, 0)
    except ValueError:
        return None


DIALECT = Dialect("civicplus", claims, read)
