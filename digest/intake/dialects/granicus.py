"""Granicus ViewPublisher: ``ViewPublisherRSS.php?view_id=&mode=agendas|minutes|vpodcast``.

Here the published date *is* the meeting's time, with its offset. Before the meeting a link carries an
``event_id``, afterwards a ``clip_id``; papers are links inside the description.
"""

from __future__ import annotations

from dataclasses import replace

from digest.intake.dates import When, find_when, published, zone
from digest.intake.items import Document, Item, Where
from digest.intake.links import clean_link, page_of, query_of
from digest.intake.names import bare
from digest.intake.papers import linked, paper_of
from digest.intake.reading import Dialect, Part, Reading, identity_of, read_items
from digest.intake.titles import committee_of, plain, take_status
from digest.model import DocumentKind, MeetingStatus, NotMeeting, Sighting, name_key

_PAGES = ("agendaviewer.php", "minutesviewer.php", "mediaplayer.php", "generatedagendaviewer.php")


def claims(document: Document, where: Where) -> int:
    """By the address of the feed or the pages its items lead to."""
    if document.kind != "xml":
        return 0
    if page_of(where.url).startswith("viewpublisherrss"):
        return 90
    return 85 if any(page_of(i.link) in _PAGES for i in document.items[:5]) else 0


def read(document: Document, where: Where) -> Reading:
    """Meetings at their published dates."""
    return read_items(document.items, replace(where, country="us"), _item)


def _item(item: Item, where: Where) -> Part | NotMeeting | None:
    title = plain(item.title)
    if not title:
        return None
    guid = plain(item.guid, limit=500) or None
    when = find_when(title, country=where.country)
    at = published(item.published, timezone=where.timezone, country=where.country)
    if when is None and at is None:
        return NotMeeting(guid, title, "unrecognised: no date in the title or as its publication")
    day_at = at.astimezone(zone(where.timezone)).date() if at else None
    if when is not None and (at is None or day_at != when.day):
        at, day_at = when.instant(where.timezone), when.day
    before, first = take_status(_before(title, when).strip(" -–,"))
    _, second = take_status(title[when.end :] if when else "")
    committee = bare(committee_of(before))
    link = clean_link(item.link, base=where.url, hosts=where.hosts)
    papers = linked(item.content or item.summary, where, only_papers=False)
    own = paper_of(item.link, "Agenda", where) if page_of(link) == "agendaviewer.php" else None
    is_held = "clip_id" in query_of(link)
    sighting = Sighting(
        committee=committee,
        title=title,
        starts_at=at,
        starts_on=day_at,
        status=MeetingStatus.SCHEDULED,
        url=link,
        guid=guid,
        documents=papers or ((own,) if own else ()),
        video_url=link if page_of(link) == "mediaplayer.php" else None,
        events=("minutes_published",) if any(p.kind is DocumentKind.MINUTES for p in papers) else (),
        doubts=when.doubts if when else (),
        says_status=True,
    )
    status = first or second or (MeetingStatus.HELD if is_held else None)
    return Part(sighting, identity_of(name_key(committee), day_at, at, link), status)


def _before(title: str, when: When | None) -> str:
    return title[: when.start] if when else title


DIALECT = Dialect("granicus", claims, read)
