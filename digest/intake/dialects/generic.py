"""Any other RSS or Atom feed: a meeting is what gives a date of its own, in the title or the text.

The publication date is never taken for the meeting's. What has no date is kept as seen and said so.
"""

from __future__ import annotations

from digest.intake.dates import When, find_when, published
from digest.intake.items import Document, Item, Where
from digest.intake.links import clean_link
from digest.intake.reading import Dialect, Part, Reading, identity_of, merged
from digest.intake.titles import committee_of, document_kind, plain, take_status, without_meeting
from digest.model import Document as Paper
from digest.model import MeetingStatus, NotMeeting, Sighting, name_key


def claims(document: Document, where: Where) -> int:
    """Every feed, weakly."""
    return 10 if document.kind == "xml" and document.root != "getmeetings" else 0


def read(document: Document, where: Where) -> Reading:
    """Meetings by their dates."""
    parts: list[Part] = []
    others: list[NotMeeting] = []
    for item in document.items:
        found = meeting_or_not(item, where)
        if isinstance(found, Part):
            parts.append(found)
        elif found is not None:
            others.append(found)
    return Reading(merged(parts), tuple(others))


def meeting_or_not(item: Item, where: Where) -> Part | NotMeeting | None:
    """One item as understood; None for an empty one."""
    title = plain(item.title)
    text = plain(item.content or item.summary, limit=2_000)
    title = title or plain(text)
    guid = plain(item.guid, limit=500) or None
    if not title and not item.link:
        return None
    said = published(item.published or item.updated, timezone=where.timezone, country=where.country)
    near = (said or where.as_of).date()
    when = find_when(title, country=where.country, near=near)
    if when is not None:
        return _part(item, title, title[: when.start], title[when.end :], when, guid, where)
    when = find_when(text, country=where.country, near=near)
    if when is None:
        return NotMeeting(guid, title, "unrecognised: no date of a meeting in title or text")
    return _part(item, title, title, "", when, guid, where)


def _part(
    item: Item, title: str, before: str, after: str, when: When, guid: str | None, where: Where
) -> Part:
    before, first = take_status(before.strip(" ,;:-–—"))
    after, second = take_status(after.strip(" ,;:-–—"))
    committee = without_meeting(committee_of(before) or committee_of(after))
    status = first or second
    starts_at = when.instant(where.timezone)
    link = clean_link(item.link, base=where.url, hosts=where.hosts)
    sighting = Sighting(
        committee=committee,
        title=title,
        starts_at=starts_at,
        starts_on=when.day,
        status=status or MeetingStatus.SCHEDULED,
        url=link,
        guid=guid,
        documents=papers(item, where),
        published_at=published(
            item.published or item.updated, timezone=where.timezone, country=where.country
        ),
        doubts=when.doubts,
    )
    identity = guid or link or identity_of(name_key(committee), when.day, starts_at, None)
    return Part(sighting, f"{identity}|{name_key(committee)}", status)


def papers(item: Item, where: Where) -> tuple[Paper, ...]:
    """Enclosures on the council's hosts, by kind."""
    found = []
    for link in item.links:
        url = clean_link(link.href, base=where.url, hosts=where.hosts) if link.rel == "enclosure" else None
        if url is not None:
            title = link.title or plain(url.rpartition("/")[2])
            found.append(Paper(document_kind(title, url), title, url))
    return tuple(found)


DIALECT = Dialect("generic", claims, read)
