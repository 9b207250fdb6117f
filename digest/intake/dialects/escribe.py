"""eScribe: ``MeetingsCalendarView.aspx/GetCalendarMeetings``, an ASP.NET envelope ``{"d": [...]}``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

from digest.intake.dates import find_when
from digest.intake.items import Document, Where
from digest.intake.links import clean_link
from digest.intake.names import bare
from digest.intake.papers import paper_of
from digest.intake.reading import Dialect, Reading
from digest.intake.titles import committee_of, plain, take_status
from digest.model import Document as Paper
from digest.model import MeetingStatus, NotMeeting, Sighting

MAX_MEETINGS = 2_500


def claims(document: Document, where: Where) -> int:
    """An envelope whose records have eScribe's fields."""
    records = _records(document)
    if records is None:
        return 0
    if where.host.endswith(".escribemeetings.com"):
        return 90
    return 85 if any("MeetingName" in r for r in records[:20] if isinstance(r, dict)) else 0


def _records(document: Document) -> list[Any] | None:
    value = document.value
    if document.kind != "json" or not isinstance(value, dict):
        return None
    records = value.get("d")
    return records if isinstance(records, list) else None


def read(document: Document, where: Where) -> Reading:
    """Meetings of the calendar."""
    where = replace(where, country="us")
    records = (_records(document) or [])[:MAX_MEETINGS]
    found = [_meeting(r, where) for r in records if isinstance(r, dict)]
    return Reading(
        tuple(f for f in found if isinstance(f, Sighting)),
        tuple(f for f in found if isinstance(f, NotMeeting)),
    )


def _meeting(record: dict[str, Any], where: Where) -> Sighting | NotMeeting:
    title, status = take_status(plain(_text(record, "MeetingName")))
    guid = plain(_text(record, "ID")) or None
    when = find_when(_text(record, "StartDate") or _text(record, "FormattedStart"), country=where.country)
    if guid is None or when is None:
        return NotMeeting(guid, title, "unidentified")
    papers = record.get("MeetingDocumentLink")
    papers = papers if isinstance(papers, list) else []
    kind, _ = take_status(plain(_text(record, "MeetingType")))
    if status is None and record.get("MeetingPassed") is True:
        status = MeetingStatus.HELD
    page = _text(record, "Url") or urljoin(where.url, f"/Meeting.aspx?Id={guid}")
    return Sighting(
        committee=bare(committee_of(kind or title)),
        title=title,
        starts_at=when.instant(where.timezone),
        starts_on=when.day,
        status=status or MeetingStatus.SCHEDULED,
        url=clean_link(page, base=where.url, hosts=where.hosts),
        guid=guid,
        external_id=f"{where.host}:{guid}",
        documents=tuple(p for d in papers[:50] if isinstance(d, dict) and (p := _paper(d, where))),
        venue=plain(_text(record, "Location")) or None,
        says_status=True,
    )


def _paper(record: dict[str, Any], where: Where) -> Paper | None:
    """Addresses are relative to the site, not to the service that lists them."""
    address = urljoin(urljoin(where.url, "/"), _text(record, "Url"))
    return paper_of(address, plain(_text(record, "Title")) or plain(_text(record, "Type")), where)


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    return value[:2_000] if isinstance(value, str) else ""


DIALECT = Dialect("escribe", claims, read, reads_feeds=False)
