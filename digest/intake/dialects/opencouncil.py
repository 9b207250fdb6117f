"""OpenCouncil city feeds: the published date is the meeting's time; the guid is unique in a city only."""

from __future__ import annotations

from urllib.parse import urlsplit

from digest.intake.dates import find_when, published, zone
from digest.intake.items import Document, Item, Where
from digest.intake.links import clean_link, host_of
from digest.intake.reading import Dialect, Part, Reading, identity_of, read_items
from digest.intake.titles import committee_of, plain, take_status
from digest.model import MeetingStatus, NotMeeting, Sighting, name_key


def claims(document: Document, where: Where) -> int:
    """By its generator or host."""
    if document.kind != "xml":
        return 0
    return 90 if document.generator.lower() == "opencouncil" or "opencouncil" in where.host else 0


def read(document: Document, where: Where) -> Reading:
    """Meetings at their published dates."""
    return read_items(document.items, where, _item)


def _item(item: Item, where: Where) -> Part | NotMeeting | None:
    title = plain(item.title)
    guid = plain(item.guid) or None
    at = published(item.published, timezone=where.timezone, country=where.country)
    when = find_when(title, country=where.country)
    if at is None and when is None:
        return NotMeeting(guid, title, "unrecognised: no date of a meeting") if title else None
    day = at.astimezone(zone(where.timezone)).date() if at else None
    if when is not None and day != when.day:
        at, day = when.instant(where.timezone), when.day
    name, status = take_status(title[: when.start] if when else title)
    committee = committee_of(name.partition(" - ")[0])
    link = clean_link(item.link, base=where.url, hosts=where.hosts)
    city = urlsplit(link or where.url).path.strip("/").partition("/")[0]
    sighting = Sighting(
        committee=committee,
        title=title,
        starts_at=at,
        starts_on=day,
        status=MeetingStatus.SCHEDULED,
        url=link,
        guid=guid,
        external_id=f"{host_of(link) or where.host}/{city}:{guid}" if guid else None,
        doubts=when.doubts if when else (),
    )
    return Part(sighting, sighting.external_id or identity_of(name_key(committee), day, at, link), status)


DIALECT = Dialect("opencouncil", claims, read)
