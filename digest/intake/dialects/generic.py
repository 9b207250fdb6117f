"""Any other RSS, RDF or Atom feed, and what blogs, town councils and event calendars make of it.

A meeting is what names a body that meets and gives a date of its own: in an event element (mod_event),
in the title, else in the text. The publication date is never taken for the meeting's. What has no date
or names no body is kept as seen, with the reason.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, time

from digest.intake.dates import When, find_time, find_when, published
from digest.intake.items import Document, Item, Where
from digest.intake.links import clean_link
from digest.intake.names import bare, is_a_body, is_a_name, is_about_a_meeting, names_a_body
from digest.intake.papers import papers
from digest.intake.reading import Dialect, Part, Reading, identity_of, read_items
from digest.intake.titles import committee_of, plain, take_status
from digest.model import MeetingStatus, NotMeeting, Sighting, name_key

_MINUTES = re.compile(r"(?:draft\s|approved\s|unconfirmed\s)?(?:minutes|cofnodion)\b", re.IGNORECASE)
# "Agenda 13.10.26": the title names no body, a category may.
_ONLY_A_PAPER = re.compile(r"(?:agendas?|minutes|papers|summons|meetings?|notice)?", re.IGNORECASE)
_TIME_LABEL = re.compile(r"\b(?:start(?:ing)?\s)?time\s?:\s?(.{3,20})", re.IGNORECASE)
_PLACE_LABEL = re.compile(r"\b(?:venue|location|place)\s?:\s?([^.;:|]{3,100})(?=[.;|]|$)", re.IGNORECASE)
_START_FIELDS = ("startdate", "dtstart", "start", "starts", "eventdate", "event-date", "start-date")
_STATUS = {
    "confirmed": MeetingStatus.SCHEDULED, "scheduled": MeetingStatus.SCHEDULED,
    "cancelled": MeetingStatus.CANCELLED, "canceled": MeetingStatus.CANCELLED,
    "postponed": MeetingStatus.POSTPONED, "tentative": MeetingStatus.PROVISIONAL,
    "provisional": MeetingStatus.PROVISIONAL, "held": MeetingStatus.HELD,
}  # fmt: skip


def claims(document: Document, where: Where) -> int:
    """Every feed, weakly."""
    return 10 if document.kind == "xml" and document.root != "getmeetings" else 0


def read(document: Document, where: Where) -> Reading:
    """Meetings by their dates."""
    return read_items(document.items, where, meeting_or_not)


def meeting_or_not(item: Item, where: Where) -> Part | NotMeeting | None:
    """One item as understood; None for an empty one."""
    text = plain(item.content or item.summary, limit=2_000)
    title = plain(item.title) or plain(text)
    guid = plain(item.guid, limit=500) or None
    if not title and not item.link:
        return None
    if (kind := plain(item.field("type"))) and not is_about_a_meeting(kind):
        return NotMeeting(guid, title, f"{kind.lower()}_event")
    said = published(item.updated or item.published, timezone=where.timezone, country=where.country)
    event = next((when for name in _START_FIELDS if (when := _event(item.field(name), where))), None)
    in_title = find_when(title, country=where.country, near=where.near(said))
    when = event or _completed(in_title, text, where, where.near(said))
    if when is None:
        return NotMeeting(guid, title, "unrecognised: no date of a meeting in title or text")
    before, after = (title[: in_title.start], title[in_title.end :]) if in_title else (title, "")
    committee, status = _committee(before, after)
    if _ONLY_A_PAPER.fullmatch(committee):
        committee = next((c for c in map(plain, item.categories) if is_a_body(c)), committee)
    is_meeting = bool(event and kind) or is_about_a_meeting(title)
    if not is_meeting or not is_a_name(committee):
        return NotMeeting(guid, title, "community_event: no council body is named")
    given = _STATUS.get(item.field("status").strip().lower())
    return Part(
        _sighting(item, title, committee, when, guid, where),
        _identity(item, guid, committee, when),
        given or status or _told_in(text) or (MeetingStatus.HELD if _MINUTES.match(title) else None),
    )


def _completed(in_title: When | None, text: str, where: Where, near: date) -> When | None:
    """The date of the title with the time that the text gives it; without one, the date of the text."""
    in_text = find_when(text, country=where.country, near=near)
    if in_title is None or in_title.time is not None:
        return in_title or in_text
    labelled = _TIME_LABEL.search(text)
    if in_text is not None and in_text.day == in_title.day and in_text.time is not None:
        return replace(in_title, time=in_text.time)
    return replace(in_title, time=find_time(labelled[1])) if labelled else in_title


def _told_in(text: str) -> MeetingStatus | None:
    """A status that only the text says, in so many words at its start."""
    return take_status(text[:80].partition(".")[0])[1]


def _event(text: str, where: Where) -> When | None:
    return find_when(text, country=where.country) if text else None


def _committee(before: str, after: str) -> tuple[str, MeetingStatus | None]:
    """The body beside the date: before it, unless only what follows names one."""
    before, first = take_status(before.strip(" ,;:-–—"))
    after, second = take_status(after.strip(" ,;:-–—"))
    before, after = bare(committee_of(before)), bare(committee_of(after))
    name = after if after and names_a_body(after) and not names_a_body(before) else before or after
    return name, first or second


def _sighting(item: Item, title: str, committee: str, when: When, guid: str | None, where: Where) -> Sighting:
    said = published(item.updated or item.published, timezone=where.timezone, country=where.country)
    return Sighting(
        committee=committee,
        title=title,
        starts_at=when.instant(where.timezone),
        starts_on=when.day,
        status=MeetingStatus.SCHEDULED,
        url=clean_link(item.link, base=where.url, hosts=where.hosts),
        guid=guid,
        documents=papers(item, where),
        venue=plain(item.field("location")) or _place(plain(item.content or item.summary, limit=2_000)),
        published_at=said,
        doubts=when.doubts,
        says_status=True,
    )


def _place(text: str) -> str | None:
    """The place that a text labels as such."""
    match = _PLACE_LABEL.search(text)
    return match[1].strip() if match else None


def _identity(item: Item, guid: str | None, committee: str, when: When) -> str:
    """Reused and changing guids do not matter: committee and time say which items are one meeting."""
    at = f"{when.day}T{when.time}" if when.time not in (None, time(0)) else str(when.day)
    return f"{name_key(committee)}|{at}" if committee else identity_of("", when.day, None, guid or item.link)


DIALECT = Dialect("generic", claims, read)
