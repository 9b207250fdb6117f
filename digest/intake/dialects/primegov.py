"""PrimeGov: ``PublicPortal/ListUpcomingMeetings``. Local times; a cancellation is a document's name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

from digest.intake.dates import find_when
from digest.intake.items import Document, Where
from digest.intake.links import clean_link
from digest.intake.names import bare, names_a_body
from digest.intake.papers import paper_of
from digest.intake.reading import Dialect, Reading
from digest.intake.titles import committee_of, plain, take_status
from digest.model import Document as Paper
from digest.model import MeetingStatus, NotMeeting, Sighting

MAX_MEETINGS = 2_500
_PAST = 3  # meetingState: past, not cancelled


def claims(document: Document, where: Where) -> int:
    """A list of records with PrimeGov's fields."""
    value = document.value
    if document.kind != "json" or not isinstance(value, list):
        return 0
    if where.host.endswith(".primegov.com") or "/publicportal/" in where.url.lower():
        return 90
    records = [v for v in value[:20] if isinstance(v, dict)]
    return 85 if any({"dateTime", "documentList"} <= r.keys() for r in records) else 0


def read(document: Document, where: Where) -> Reading:
    """Meetings of the list."""
    where = replace(where, country="us")
    found = [_meeting(v, where) for v in document.value[:MAX_MEETINGS] if isinstance(v, dict)]
    return Reading(
        tuple(f for f in found if isinstance(f, Sighting)),
        tuple(f for f in found if isinstance(f, NotMeeting)),
    )


def _meeting(record: dict[str, Any], where: Where) -> Sighting | NotMeeting:
    title, status = take_status(plain(str(record.get("title") or "")))
    number = record.get("id")
    guid = str(number) if isinstance(number, int) else None
    when = find_when(str(record.get("dateTime") or record.get("date") or "")[:100], country=where.country)
    if when is None or guid is None:
        return NotMeeting(guid, title, "unidentified")
    listed = record.get("documentList")
    papers = [d for d in listed[:50] if isinstance(d, dict)] if isinstance(listed, list) else []
    names = [plain(str(d.get("templateName") or "")) for d in papers]
    if any("cancel" in n.lower() for n in names):
        status = MeetingStatus.CANCELLED
    if status is None and record.get("meetingState") == _PAST:
        status = MeetingStatus.HELD
    return Sighting(
        committee=_body_of(title),
        title=title,
        starts_at=when.instant(where.timezone),
        starts_on=when.day,
        status=status or MeetingStatus.SCHEDULED,
        url=_page(papers, where),
        guid=guid,
        external_id=f"{where.host}:meeting:{guid}",
        committee_id=f"{where.host}:committee:{record['committeeId']}"
        if isinstance(record.get("committeeId"), int)
        else None,
        documents=tuple(p for d, n in zip(papers, names, strict=True) if (p := _paper(d, n, where))),
        venue=plain(str(record.get("location") or "")) or None,
        says_status=True,
    )


def _page(papers: list[dict[str, Any]], where: Where) -> str | None:
    template = next((d["templateId"] for d in papers if isinstance(d.get("templateId"), int)), None)
    if template is None:
        return None
    link = urljoin(where.url, f"/Portal/Meeting?meetingTemplateId={template}")
    return clean_link(link, base=where.url, hosts=where.hosts)


def _paper(record: dict[str, Any], name: str, where: Where) -> Paper | None:
    number = record.get("id")
    if not isinstance(number, int):
        return None
    return paper_of(urljoin(where.url, f"/Public/CompiledDocument/{number}"), name or "Document", where)


def _body_of(title: str) -> str:
    """ "City Council - Recess": the part that names a body."""
    pieces = [committee_of(p) for p in title.split(" - ")]
    return bare(next((p for p in pieces if names_a_body(p)), pieces[0]))


DIALECT = Dialect("primegov", claims, read, reads_feeds=False)
