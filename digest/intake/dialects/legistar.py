"""Legistar (Granicus): ``Feed.ashx?M=Calendar``. Date and time are in the title, in US order.

The guid is the meeting's GUID and the stamp of its last change, so every edit looks new: the stamp is cut
off and says which item is the latest. The published date is that change, not the meeting.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

from digest.intake.dates import find_when, published
from digest.intake.items import Document, Item, Where
from digest.intake.links import clean_link, host_of, page_of, query_of
from digest.intake.names import names_a_body
from digest.intake.reading import Dialect, Part, Reading, identity_of, read_items
from digest.intake.titles import committee_of, plain, take_status
from digest.model import MeetingStatus, NotMeeting, Sighting, name_key

_STAMP = re.compile(r"-(\d{4})-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)$")


def claims(document: Document, where: Where) -> int:
    """By the host or the address of the feed, or by the links of its items."""
    if document.kind != "xml":
        return 0
    if where.host.endswith(".legistar.com") or page_of(where.url) == "feed.ashx":
        return 90
    links = [i.link for i in document.items[:5]]
    return 85 if any(host_of(link).endswith(".legistar.com") for link in links) else 0


def read(document: Document, where: Where) -> Reading:
    """Meetings, the latest edit of each."""
    return read_items(document.items, replace(where, country="us"), _item)


def _item(item: Item, where: Where) -> Part | NotMeeting | None:
    title = plain(item.title)
    if not title:
        return None
    guid, stamp = _unstamped(plain(item.guid) or None)
    when = find_when(title, country=where.country)
    if when is None:
        return NotMeeting(guid, title, "unrecognised: no date in the title")
    before, first = take_status(title[: when.start].strip(" -–,"))
    _, second = take_status(title[when.end :])
    category = next((c for c in item.categories if c), "")
    committee = committee_of(category) or _body_of(before)
    link = clean_link(item.link, base=where.url, hosts=where.hosts)
    number = query_of(link).get("id", "")
    external_id = f"{host_of(link)}:ID:{number}" if number.isdigit() else None
    starts_at = when.instant(where.timezone)
    sighting = Sighting(
        committee=committee,
        title=committee_of(before) or committee,
        starts_at=starts_at,
        starts_on=when.day,
        status=MeetingStatus.SCHEDULED,
        url=link,
        guid=guid,
        external_id=external_id,
        published_at=published(item.published, timezone="UTC", country=where.country),
        doubts=when.doubts,
        says_status=True,
    )
    identity = external_id or identity_of(name_key(committee), when.day, starts_at, link)
    return Part(sighting, identity, first or second, stamp)


def _unstamped(guid: str | None) -> tuple[str | None, datetime | None]:
    match = _STAMP.search(guid or "")
    if guid is None or match is None:
        return guid, None
    try:
        stamp = datetime.strptime(match[0], "-%Y-%m-%d-%H-%M-%S").replace(tzinfo=UTC)
        return guid[: match.start()], stamp
    except ValueError:
        return guid, None


def _body_of(text: str) -> str:
    """ "Library Advisory Board - Special": the part that names a body."""
    pieces = [committee_of(p) for p in text.split(" - ")]
    return next((p for p in pieces if names_a_body(p)), pieces[0])


DIALECT = Dialect("legistar", claims, read)
