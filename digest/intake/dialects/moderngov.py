"""ModernGov (Civica): ``mgRss.aspx``, most UK councils.

An item is a publication event, not a meeting: agenda, supplement, minutes and decisions of one meeting
are items of their own. The meeting's date is only in the title, and the event word or the heading form
says on which side of the date the committee stands. Issues, decisions, plans and petitions share the feed.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from urllib.parse import urlsplit

from digest.intake.dates import When, find_when, published
from digest.intake.items import Document, Item, Where
from digest.intake.links import clean_link, host_of, page_of, query_of
from digest.intake.reading import Dialect, Part, Reading, identity_of, read_items
from digest.intake.titles import committee_of, plain, take_status
from digest.model import MeetingStatus, NotMeeting, Sighting, name_key

_PAGES = re.compile(
    r"(?:^|/)(?:ielistdocuments|ieissuedetails|iedecisiondetails|mg[a-z]{3,40})\.aspx", re.IGNORECASE
)

# Pages of ModernGov that are about something other than a meeting, and what.
_OTHER_PAGES = {
    "ieissuedetails.aspx": "issue", "mgissuehistoryhome.aspx": "issue",
    "mgissuehistorychronology.aspx": "issue",
    "iedecisiondetails.aspx": "decision", "mgdelegateddecisions.aspx": "decision",
    "mglistplanitems.aspx": "plan", "mgplanshome.aspx": "plan", "mglistplans.aspx": "plan",
    "mgepetitiondisplay.aspx": "epetition", "mgepetitionlistdisplay.aspx": "epetition",
    "mgconsultationdisplay.aspx": "consultation", "mgconsultationlistdisplay.aspx": "consultation",
    "mguserinfo.aspx": "person", "mgoutsidebodydetails.aspx": "outside_body",
    "mgelectionresults.aspx": "election", "mgelectionareares.aspx": "election",
    "mgelectionareadetails.aspx": "election",
}  # fmt: skip
_WHO = r"^(?:key\s|officer\s|delegated\s|executive\s|individual\s)*"
_OTHER_EVENTS = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (_WHO + r"issues?\s(?:published|details|updated)\b", "issue"),
        (_WHO + r"decisions?\s(?:published|made|called|taken|recorded)\b(?!.*meeting\sof)", "decision"),
        (r"^publication\sof\s(?:a\s)?(?:forward\s)?plan\b", "plan"),
        (r"^(?:forward\splan|plan\spublished|key\sdecision\splan|cyhoeddi\scynllun)\b", "plan"),
        (r"^e-?petitions?\b|^petition\s(?:published|created|closed)\b|^e-?ddeiseb", "epetition"),
        (r"^consultations?\b", "consultation"),
    )
)

# "Agenda supplement published - Supplementary Agenda 1 : Meeting of …", "Meeting held: …", in both languages.
_EVENT = re.compile(
    r"^(?P<event>"
    r"(?P<supplement>(?:agenda\ssupplement|supplementary\sagenda|supplement(?:ary)?(?:\spack)?|addendum|additional\sdocuments?|atodiad)\b)"
    r"|(?P<minutes>(?:draft\s|printed\s|public\s)*minutes\b|cofnodion\b)"
    r"|(?P<decisions>decision\ssheets?\b|decisions?(?:\snotice|\slist|\ssummary)?\b|taflen\sbenderfyniadau\b)"
    r"|(?P<agenda>(?:draft\s|public\s|revised\s|amended\s)*agenda(?:\sfrontsheet|\sand\sreports|\sreports\spack)?\b"
    r"|reports?\spack\b|rhaglen\b)"
    r"|(?P<held>meeting\sheld\b|cyfarfod\swedi(?:'i|\sei)\sgynnal\b)"
    r"|(?P<cancelled>(?:notice\sof\s)?(?:meeting\s|cyfarfod\s)?(?:cancelled|canceled|cancellation|canslwyd)\b)"
    r"|(?P<postponed>(?:meeting\s)?(?:postponed|postponement)\b)"
    r"|(?P<changed>(?:meeting\s(?:date\s|time\s|venue\s)?(?:re-?scheduled|re-?arranged|changed|moved|amended|details)"
    r"|(?:new|change\sof)\s(?:meeting|date|time|venue))\b)"
    r"|(?P<webcast>webcast\b|gweddarllediad\b)"
    r"|(?P<new>(?:new\s|upcoming\s|forthcoming\s)?meeting\s(?:published|added|created|scheduled|arranged|announced)\b"
    r"|meeting\b|cyfarfod\b)"
    r")(?P<rest>[^:]{0,40}:|.{0,400}?\s?:\s(?=meeting\sof|cyfarfod|dydd)"
    r"|[\s–—-]{1,3}(?=meeting\sof)|\s(?:(?:re-?)?(?:published|issued)\s|(?:now\s)?available\s)?for\s(?:the\s)?)",
    re.IGNORECASE,
)
_MEETING_OF = re.compile(r"^\s*(?:(?:meeting|cyfarfod)(?:\sof|\so)?(?:\sthe)?\b\s?:?\s*)", re.IGNORECASE)

_EVENTS = {
    "supplement": ("agenda_supplement_published", None),
    "minutes": ("minutes_published", MeetingStatus.HELD),
    "decisions": ("decision_sheet_published", MeetingStatus.HELD),
    "agenda": ("agenda_published", None),
    "held": ("meeting_held", MeetingStatus.HELD),
    "cancelled": ("meeting_cancelled", MeetingStatus.CANCELLED),
    "postponed": ("meeting_postponed", MeetingStatus.POSTPONED),
    "changed": ("meeting_changed", None),
    "webcast": ("webcast_published", None),
    "new": ("meeting_published", None),
}


def claims(document: Document, where: Where) -> int:
    """Certain by the address; likely by the links of the items."""
    if document.kind != "xml" or document.root == "getmeetings":
        return 0
    if page_of(where.url) == "mgrss.aspx":
        return 90
    links = [i.link for i in document.items[:20]] + [document.link]
    return 80 if any(_PAGES.search(link[:500]) for link in links) else 0


def read(document: Document, where: Where) -> Reading:
    """Meetings from publication events; what is no meeting with the reason."""
    return read_items(document.items, where, _item)


def _item(item: Item, where: Where) -> Part | NotMeeting | None:
    title = plain(item.title) or plain(item.summary)
    guid = plain(item.guid) or None
    link = clean_link(item.link, base=where.url, hosts=where.hosts)
    if not title and not item.link:
        return None
    why = _other(title, item.link)
    if why is None:
        part = _meeting(item, title, guid, link, where)
        if part is not None:
            return part
        why = "unrecognised: neither a date nor a meeting's link"
    return NotMeeting(guid, title, why)


def _other(title: str, link: str) -> str | None:
    for pattern, kind in _OTHER_EVENTS:
        if pattern.search(title):
            return kind
    return _OTHER_PAGES.get(page_of(link))


def meeting_ids(link: str | None) -> tuple[str | None, str | None]:
    """(CId, MId) of a ModernGov link in any of its spellings; numbers only."""
    query = query_of(link)
    committee = query.get("cid") or query.get("committeeid")
    meeting = query.get("mid") or query.get("meetingid")
    return _number(committee), _number(meeting)


def _number(text: str | None) -> str | None:
    text = (text or "").strip()
    return str(int(text)) if text.isascii() and text.isdigit() and len(text) < 12 else None


def canonical(link: str) -> str:
    """One spelling of a meeting's address: ``ieListDocuments.aspx?CId=&MId=``, without marks and versions."""
    committee, meeting = meeting_ids(link)
    if meeting is None:
        return link
    parts = urlsplit(link)
    folder = parts.path.rpartition("/")[0]
    query = f"CId={committee}&MId={meeting}" if committee else f"MId={meeting}"
    return f"{parts.scheme}://{parts.netloc}{folder}/ieListDocuments.aspx?{query}"


def _meeting(item: Item, title: str, guid: str | None, link: str | None, where: Where) -> Part | None:
    said = published(item.published or item.updated, timezone=where.timezone, country=where.country)
    understood = understand(title, country=where.country, near=where.near(said))
    committee_id, meeting_id = meeting_ids(link)
    if understood.when is None and meeting_id is None:
        return None
    when = understood.when
    starts_at = when.instant(where.timezone) if when else None
    starts_on = when.day if when else None
    external_id = f"{host_of(link)}:MId:{meeting_id}" if meeting_id else None
    committee = understood.committee
    sighting = Sighting(
        committee=committee,
        title=" - ".join(t for t in (committee, understood.when_text) if t) or title,
        starts_at=starts_at,
        starts_on=starts_on,
        status=understood.status or MeetingStatus.SCHEDULED,
        url=canonical(link) if link else None,
        guid=guid,
        external_id=external_id,
        committee_id=f"{host_of(link)}:CId:{committee_id}" if committee_id else None,
        published_at=said,
        events=(understood.event,) if understood.event else (),
        doubts=_doubts(committee, when),
    )
    identity = external_id or identity_of(name_key(committee), starts_on, starts_at, link or guid)
    return Part(sighting, identity, understood.status)


def _doubts(committee: str, when: When | None) -> tuple[str, ...]:
    found = when.doubts if when else ("no date is given",)
    return found if committee else (*found, "no committee is named")


class Understood:
    """A title taken apart: event, date, committee, status."""

    __slots__ = ("committee", "event", "status", "when", "when_text")

    def __init__(
        self, committee: str, event: str, status: MeetingStatus | None, when: When | None, when_text: str
    ) -> None:
        self.committee = committee
        self.event = event
        self.status = status
        self.when = when
        self.when_text = when_text


@lru_cache(maxsize=4_096)
def understand(title: str, *, country: str, near: date) -> Understood:
    """Find the date, then the committee beside it; never split on commas or hyphens."""
    title, lead = _lead_status(title)
    match = _EVENT.match(title)
    event, status = "", None
    rest = title
    if match:
        kind = next(k for k in _EVENTS if match.group(k))
        event, status = _EVENTS[kind]
        rest = title[match.end() :]
    status = lead or status
    when = find_when(rest, country=country, near=near)
    if when is None:
        rest, marked = take_status(_MEETING_OF.sub("", rest))
        return Understood(committee_of(rest), event, marked or status, None, "")
    before, after = _MEETING_OF.sub("", rest[: when.start]), rest[when.end :]
    committee, marked = _committee(before, after, is_event=bool(match))
    return Understood(committee, event, marked or status, when, rest[when.start : when.end].strip(" ,"))


def _lead_status(title: str) -> tuple[str, MeetingStatus | None]:
    """A status before the event word ("CANCELLED - Agenda published: …")."""
    rest, status = take_status(title)
    return (rest, status) if status is not None and _EVENT.match(rest) else (title, None)


def _committee(before: str, after: str, *, is_event: bool) -> tuple[str, MeetingStatus | None]:
    """What follows the date in a feed's title, what precedes it in a heading; the status of either side."""
    before, first = _side(before)
    after, second = _side(after)
    name = (after or before) if is_event else (before or after)
    return name, first or second


def _side(text: str) -> tuple[str, MeetingStatus | None]:
    text, status = take_status(text.strip(" ,;:-–—\t"))
    return committee_of(text), status


DIALECT = Dialect("moderngov", claims, read)
