"""YouTube channel feeds: a webcast belongs to a meeting and never makes one.

The meeting is named by a link in the description or by body and date in the title. ``updated`` moves with
every view and says nothing.
"""

from __future__ import annotations

import re

from digest.intake.dates import find_when, published
from digest.intake.dialects.moderngov import canonical, meeting_ids
from digest.intake.items import Document, Item, Where
from digest.intake.links import host_of
from digest.intake.names import bare, names_a_body
from digest.intake.reading import Dialect, Reading
from digest.intake.titles import committee_of, plain, take_status
from digest.model import NotMeeting, Webcast

_MEETING_LINK = re.compile(
    r"https?://[A-Za-z0-9./-]{4,200}/ieListDocuments\.aspx\?[A-Za-z0-9&;=_%-]{3,200}", re.IGNORECASE
)


def claims(document: Document, where: Where) -> int:
    """By host or the videos' own element."""
    if document.kind != "xml":
        return 0
    is_channel = where.host.endswith("youtube.com") and "videos.xml" in where.url
    return 95 if is_channel or any(i.field("videoid") for i in document.items[:3]) else 0


def read(document: Document, where: Where) -> Reading:
    """Webcasts, and videos that are none."""
    webcasts: list[Webcast] = []
    others: list[NotMeeting] = []
    for item in document.items:
        webcast = _webcast(item, where)
        if webcast is not None:
            webcasts.append(webcast)
        else:
            others.append(NotMeeting(plain(item.guid) or None, plain(item.title), "video"))
    return Reading((), tuple(others), tuple(webcasts))


_VIDEO = re.compile(
    r"https://(?:www\.youtube\.com/(?:watch\?v=|live/|shorts/)|youtu\.be/)[A-Za-z0-9_-]{5,20}$"
)


def _webcast(item: Item, where: Where) -> Webcast | None:
    title = plain(item.title)
    if not _VIDEO.match(item.link):
        return None
    said = published(item.published, timezone=where.timezone, country=where.country)
    when = find_when(title, country=where.country, near=where.near(said))
    match = _MEETING_LINK.search(plain(item.summary, limit=5_000))
    link = match[0].replace("http://", "https://", 1) if match else None
    _, meeting_id = meeting_ids(link)
    if when is None:
        committee = ""
    else:
        name, _ = take_status(f"{title[: when.start]} {title[when.end :]}".strip(" ,;:-–—|"))
        committee = bare(committee_of(name))
    if meeting_id is None and not (when and names_a_body(committee)):
        return None
    return Webcast(
        url=item.link,
        title=title,
        committee=committee,
        starts_at=when.instant(where.timezone) if when else None,
        starts_on=when.day if when else None,
        guid=plain(item.guid) or None,
        meeting_url=canonical(link) if link and meeting_id else None,
        external_id=f"{host_of(link)}:MId:{meeting_id}" if meeting_id else None,
    )


DIALECT = Dialect("youtube", claims, read)
