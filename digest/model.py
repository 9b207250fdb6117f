"""The values that pass between rooms: frozen, checked by their makers, free of the outside world.

Enters: nothing. Leaves: the types every other room speaks in (see GLOSSARY.md for the words).
Must never: read a clock, a disk, a network, a database or an environment variable.

Instants (``*_at``) are aware datetimes in UTC; calendar days (``*_on``) are plain dates in the
council's own time zone. Tuples are ordered as their docstring says; empty means "none known".
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

# --- words with a closed list of values ------------------------------------------------------


class Support(StrEnum):
    """How far a council is served (GLOSSARY: support level)."""

    FULL = "full"
    LIMITED = "limited"
    PAUSED = "paused"


class Approval(StrEnum):
    """Who lets a summary of a council into letters."""

    AUTO = "auto"
    APPROVAL = "approval"
    OFF = "off"


class MeetingStatus(StrEnum):
    """What a feed says of a meeting."""

    SCHEDULED = "scheduled"
    PROVISIONAL = "provisional"
    CANCELLED = "cancelled"
    POSTPONED = "postponed"
    HELD = "held"


class DocumentKind(StrEnum):
    """What a document is for, in the order residents look for them."""

    AGENDA = "agenda"
    REPORTS_PACK = "reports_pack"
    MINUTES = "minutes"
    DECISIONS = "decisions"
    ADDITIONAL = "additional"


class Origin(StrEnum):
    """Who wrote a summary; ``ai`` is always labelled in letters."""

    AI = "ai"
    HUMAN = "human"


class SummaryState(StrEnum):
    """draft -> approved -> published -> (corrected, withdrawn)."""

    DRAFT = "draft"
    APPROVED = "approved"
    PUBLISHED = "published"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"


class LineKind(StrEnum):
    """Kind of a line of the publication log."""

    SUMMARY = "summary"
    CORRECTION = "correction"
    WITHDRAWAL = "withdrawal"
    MEETING_NEW = "meeting_new"
    MEETING_CHANGED = "meeting_changed"
    MEETING_CANCELLED = "meeting_cancelled"
    PAPERS = "papers"


class WishKind(StrEnum):
    """Kinds of item a reader can switch on and off."""

    DECISIONS = "decisions"
    COMING_UP = "coming_up"
    PAPERS = "papers"
    CHANGES = "changes"


class Detail(StrEnum):
    """How much text an item gets."""

    HEADLINE = "headline"
    BRIEF = "brief"
    FULL = "full"


class Format(StrEnum):
    """What a reader's mail is made of."""

    HTML = "html"
    TEXT = "text"


class Tier(StrEnum):
    """What a reader is entitled to (digest.toml says what each tier may have)."""

    RESIDENT = "resident"
    PROFESSIONAL = "professional"


class SubscriberState(StrEnum):
    """Where a subscriber stands; only ``active`` ones get digests."""

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    LEFT = "left"
    SUPPRESSED = "suppressed"
    ERASED = "erased"


class Cadence(StrEnum):
    """How often a digest comes."""

    DAILY = "daily"
    WEEKLY = "weekly"
    FORTNIGHTLY = "fortnightly"
    MONTHLY = "monthly"


class RunKind(StrEnum):
    """What a run hands out: the digest of a slot, or one of the notices."""

    DIGEST = "digest"
    CONFIRM = "confirm"
    WELCOME = "welcome"
    LINK = "link"
    ADDRESS = "address"
    SUPPORTED = "supported"
    CANCELLED_MEETING = "cancelled_meeting"
    SERVICE = "service"


class RunState(StrEnum):
    """Where a run stands (docs/flow.md)."""

    PLANNING = "planning"
    COMPOSING = "composing"
    SENDING = "sending"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class BatchState(StrEnum):
    """Where a batch stands (docs/flow.md draws who may move what)."""

    WAITING = "waiting"
    READY = "ready"
    CLAIMED = "claimed"
    HANDED_OVER = "handed_over"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"
    CLOSED = "closed"


class Ended(StrEnum):
    """Named end of a delivery. The first five keep the range, the others give it back."""

    HANDED_OVER = "handed_over"
    EMPTY = "empty"
    LEFT = "left"
    SUPPRESSED = "suppressed"
    BAD_ADDRESS = "bad_address"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    EXPIRED = "expired"
    HELD_BACK = "held_back"

    @property
    def keeps_range(self) -> bool:
        """True where what the letter covered counts as said."""
        return self in _KEEPS


_KEEPS = frozenset({Ended.HANDED_OVER, Ended.EMPTY, Ended.LEFT, Ended.SUPPRESSED, Ended.BAD_ADDRESS})


# --- councils and meetings ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Council:
    """A council as an operator set it up. ``slug`` is its stable name in files and addresses."""

    slug: str
    name: str
    support: Support = Support.FULL
    approval: Approval = Approval.AUTO
    timezone: str = "Europe/London"
    country: str = "gb"
    website: str | None = None
    languages: tuple[str, ...] = ("en",)


@dataclass(frozen=True, slots=True)
class Document:
    """A paper of a meeting; ``title`` is a human name, never a bare file name."""

    kind: DocumentKind
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Attendee:
    """Who was there. ``party`` None: the source names none (not the same as Independent)."""

    name: str
    role: str | None = None
    party: str | None = None
    ward: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing decided; ``item`` is the agenda item's number or title where known."""

    text: str
    outcome: str | None = None
    item: str | None = None


@dataclass(frozen=True, slots=True)
class Meeting:
    """One meeting of one committee of one council, as the store knows it now.

    ``starts_at`` None with ``starts_on`` set: the day is known, the time is not. ``key`` is the
    identity that stays through re-polls, moves and renames. ``committee_keys`` are the name keys the
    committee has ever had, so that renamed committees keep their readers. ``joint`` holds the keys of
    the same meeting at other councils (a joint committee): a reader of both is told once. ``said_at``: when
    the source published what is known; an older word never overrules it.
    """

    id: int
    key: str
    council: str
    committee: str
    title: str
    starts_at: datetime | None
    starts_on: date | None
    status: MeetingStatus
    url: str | None
    venue: str | None = None
    video_url: str | None = None
    documents: tuple[Document, ...] = ()
    committee_keys: frozenset[str] = frozenset()
    timezone: str = "Europe/London"
    joint: frozenset[str] = frozenset()
    said_at: datetime | None = None


# --- intake ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RawFeed:
    """What came over the wire for one feed: undecoded ``body`` as served (after content-encoding).

    ``url`` is the address asked for, ``final_url`` where redirects ended; header names are lower case.
    ``moved_to``: the address that permanent redirects alone led to.
    """

    url: str
    final_url: str
    status: int
    headers: dict[str, str]
    body: bytes
    fetched_at: datetime
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """One meeting as one feed tells it. Several items about one meeting are already one sighting.

    ``external_id`` is ``installation:MId:123`` or the like where the platform has one; ``guid`` the
    first in document order; ``doubts`` (a weekday that does not fit) are for the operator.
    ``says_status``: the source states the status each time, so ``scheduled`` takes a cancellation back.
    """

    committee: str
    title: str
    starts_at: datetime | None
    starts_on: date | None
    status: MeetingStatus
    url: str | None
    guid: str | None = None
    external_id: str | None = None
    committee_id: str | None = None
    documents: tuple[Document, ...] = ()
    venue: str | None = None
    video_url: str | None = None
    published_at: datetime | None = None
    events: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    says_status: bool = False


@dataclass(frozen=True, slots=True)
class NotMeeting:
    """An item that is kept as seen but is no meeting, and why."""

    guid: str | None
    title: str
    why: str


@dataclass(frozen=True, slots=True)
class Webcast:
    """A video of a meeting that another feed names: by ``external_id``, else by committee and day."""

    url: str
    title: str
    committee: str
    starts_at: datetime | None
    starts_on: date | None
    guid: str | None = None
    meeting_url: str | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """A feed as understood. ``is_partial``: truncated or capped, absence means nothing.

    ``webcasts`` belong to meetings that are known or will be; they make none.
    """

    dialect: str
    title: str
    sightings: tuple[Sighting, ...]
    not_meetings: tuple[NotMeeting, ...] = ()
    is_partial: bool = False
    ttl_s: int | None = None
    skip_hours: frozenset[int] = frozenset()
    webcasts: tuple[Webcast, ...] = ()


# --- summaries -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Section:
    """One ``##`` section of a summary: its heading ("" for the lead) and cleaned Markdown."""

    heading: str
    markdown: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary as read from a file or the API, before it is stored.

    ``committee`` and ``starts_at`` (aware; None when only ``starts_on``) find the meeting when
    ``url`` does not. ``lead`` is the first paragraph in Markdown, ``sections`` the rest; footnotes are
    already folded into ``footnotes`` (label, text), never left as markup.
    """

    council: str
    committee: str
    starts_at: datetime | None
    starts_on: date
    origin: Origin
    lead: str
    sections: tuple[Section, ...] = ()
    title: str | None = None
    url: str | None = None
    video_url: str | None = None
    source_id: str | None = None
    language: str = "en"
    model: str | None = None
    questions: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    attendees: tuple[Attendee, ...] = ()
    documents: tuple[Document, ...] = ()
    decisions: tuple[Decision, ...] = ()
    footnotes: tuple[tuple[str, str], ...] = ()

    @property
    def fingerprint(self) -> str:
        """Same content, same fingerprint (sha256, hex)."""
        return fingerprint_of(repr(self))


@dataclass(frozen=True, slots=True)
class Condensed:
    """A summary made ready for letters, once per version: sanitised HTML and plain text per detail.

    ``html``/``text`` hold the body *after* the headline: brief = lead and up to four key points,
    full = everything. ``headline`` is plain text (the hook question, else the title); ``lead`` plain.
    """

    headline: str
    lead: str
    brief_html: str
    brief_text: str
    full_html: str
    full_text: str
    questions: tuple[str, ...]
    topics: tuple[str, ...]
    decisions: tuple[Decision, ...]
    attendees: tuple[Attendee, ...]
    documents: tuple[Document, ...]
    origin: Origin
    language: str
    search_text: str


# --- the log and the wishes ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the publication log with all that a letter may say of it.

    ``item`` names what the line is about (``summary:<meeting id>``, ``meeting:<id>``,
    ``papers:<id>``); ``first_seq`` is the seq of that item's first line ever, ``first_at`` its time.
    ``meeting`` is the meeting as it was when the line was written; ``before`` the one it replaces.
    """

    seq: int
    kind: LineKind
    item: str
    version: int
    council: str
    published_at: datetime
    meeting: Meeting
    first_seq: int
    first_at: datetime
    before: Meeting | None = None
    summaries: tuple[Condensed, ...] = ()
    why: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class CommitteeWish:
    """A committee wanted (or not) in one council; ``committee`` is a name key, see ``name_key``."""

    council: str
    committee: str
    is_wanted: bool = True


@dataclass(frozen=True, slots=True)
class Profile:
    """The wishes that change the text. Equal wishes are one profile, whatever the order or spelling.

    Make one with ``compose.profile.profile_of``, which brings every field to its canonical form:
    sorted, without duplicates, councils as slugs, the rest as name keys.
    """

    councils: tuple[str, ...]
    committees: tuple[CommitteeWish, ...] = ()
    topics: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    wards: tuple[str, ...] = ()
    kinds: tuple[WishKind, ...] = tuple(WishKind)
    detail: Detail = Detail.BRIEF
    language: str = "en"
    format: Format = Format.HTML
    tier: Tier = Tier.RESIDENT
    quiet_note: bool = False

    @property
    def fingerprint(self) -> str:
        """One canonical fingerprint (sha256, hex)."""
        return fingerprint_of(repr(self))


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a digest comes. ``day``: monday…sunday, "1"…"28", "first sunday"…; "" for daily."""

    cadence: Cadence
    day: str
    time: str
    timezone: str


# --- what a letter says ------------------------------------------------------------------------------


class Place(StrEnum):
    """Where in a letter an entry stands, in reading order."""

    DECIDED = "decided"
    CORRECTED = "corrected"
    CHANGED = "changed"
    PAPERS = "papers"
    COMING_UP = "coming_up"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an entry is there: kind ``council|committee|topic|keyword|ward``, and the words matched."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One item as one edition says it.

    ``seqs`` are the log lines it stands for (empty for a meeting listed from state alone);
    ``since`` is set on corrections and withdrawals: when the item was first published.
    ``also``: other items that this entry stands for, so that they are said once (the other half of a
    joint meeting; the announcement of a meeting whose summary is here).
    """

    item: str
    version: int
    seqs: tuple[int, ...]
    place: Place
    line_kind: LineKind
    council: Council
    meeting: Meeting
    detail: Detail
    reasons: tuple[Reason, ...] = ()
    summary: Condensed | None = None
    missing_language: str | None = None
    since: datetime | None = None
    before: Meeting | None = None
    why: str | None = None
    is_new: bool = False
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A council with limited support, and how many wait for it (the reader included)."""

    council: Council
    waiting: int


@dataclass(frozen=True, slots=True)
class Silence:
    """A council none of whose feeds could be read since then."""

    council: Council
    since: datetime


@dataclass(frozen=True, slots=True)
class Folded:
    """Items counted, not named: "and 4 more", with the item refs that the count stands for.

    ``why``: ``more`` (no room), ``later`` (announced, beyond the horizon) or ``held`` (announced and
    already past). ``also``: further refs of the same meetings, which the count must not count again.
    """

    place: Place
    council: Council
    items: tuple[str, ...]
    why: str = "more"
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edition:
    """What a run says to one (profile, from_seq]. Entries are in reading order within each place.

    ``earlier`` counts matching items older than ``look_back`` after a pause. ``is_quiet``: nothing in
    the range, but the reader wished a line that says so.
    """

    profile: Profile
    from_seq: int
    upto_seq: int
    as_of: datetime
    councils: tuple[Council, ...]
    entries: tuple[Entry, ...] = ()
    folded: tuple[Folded, ...] = ()
    limited: tuple[Waiting, ...] = ()
    paused: tuple[Council, ...] = ()
    silences: tuple[Silence, ...] = ()
    earlier: int = 0
    is_quiet: bool = False

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to say and no quiet note is wished: such an edition has no page."""
        return (
            not self.is_quiet
            and self.earlier == 0
            and not any(e.seqs for e in self.entries)
            and not self.folded
        )


@dataclass(frozen=True, slots=True)
class Page:
    """An edition's rendered bytes, with tags in place of everything personal (see ``render.page``)."""

    subject: str
    preheader: str
    html: str | None
    text: str
    language: str = "en"

    @property
    def fingerprint(self) -> str:
        """Equal pages are stored once (sha256, hex)."""
        return fingerprint_of(
            "\0".join((self.subject, self.preheader, self.html or "", self.text, self.language))
        )


@dataclass(frozen=True, slots=True)
class Publication:
    """Who publishes: what ``[publication]`` in digest.toml says (one value for all letters)."""

    name: str
    from_address: str
    base_url: str
    reply_to: str | None = None
    postal_address: str = ""
    support_line: str = ""
    contact: str = ""
    logo_url: str | None = None
    colours: dict[str, str] = field(default_factory=dict)


# --- handing over ----------------------------------------------------------------------------------------


class Recipient(NamedTuple):
    """One reader of one batch, checked in the claim. ``delivery`` is the opaque ``dg_delivery_id``.

    A named tuple, because a million are made in one run and a frozen dataclass costs three times as much.

    ``action_url``: where a notice's one button leads (confirm, for instance); "" where it has none.
    """

    subscriber_id: int
    delivery: str
    address: str
    name: str
    unsubscribe_url: str
    preferences_url: str
    action_url: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request's worth: one page, one recipient a letter, one sender identity."""

    run_id: int
    batch_id: int
    kind: RunKind
    page: Page
    view_url: str
    publication: Publication
    recipients: tuple[Recipient, ...]
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The provider took all recipients but ``bad`` (subscriber id -> why).

    ``held_back`` went to the outbox instead, because nothing may leave for them yet (safety.live).
    """

    provider_id: str | None = None
    bad: dict[int, str] = field(default_factory=dict)
    held_back: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider said no and mailed nobody; ``is_final`` False asks to try later.

    ``held_back`` were not part of what was refused.
    """

    why: str
    is_final: bool = True
    retry_at: datetime | None = None
    pauses_run: bool = False
    held_back: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The request left and no answer is known: nobody may send it again without evidence.

    ``bad`` (subscriber id -> why) and ``held_back`` were not in the request: for them there is no doubt.
    """

    why: str
    provider_id: str | None = None
    bad: dict[int, str] = field(default_factory=dict)
    held_back: frozenset[int] = frozenset()


Outcome = HandedOver | Refused | InDoubt


# --- small pure things every room may need ------------------------------------------------------------


def fingerprint_of(text: str) -> str:
    """sha256 of the text in UTF-8, hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


_NOT_WORD = re.compile(r"[^\w\s]+")
_SPACES = re.compile(r"\s+")


def name_key(name: str) -> str:
    """The key under which spellings of one name meet: case, accents' form, ``&``, punctuation and spaces.

    >>> name_key("Children &  Families Sub-Committee") == name_key("children and families sub committee")
    True
    """
    text = unicodedata.normalize("NFKC", name).casefold().replace("&", " and ")
    return _SPACES.sub(" ", _NOT_WORD.sub(" ", text)).strip()
