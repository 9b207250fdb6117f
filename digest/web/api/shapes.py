"""The JSON that goes out and comes in. Instants are RFC 3339 in UTC; null means "not known"."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from digest.model import (
    Cadence,
    Detail,
    DocumentKind,
    Format,
    MeetingStatus,
    Origin,
    SubscriberState,
    Support,
    Tier,
)


def zulu(at: datetime) -> str:
    """RFC 3339 in UTC with Z."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


Instant = Annotated[datetime, PlainSerializer(zulu, return_type=str)]


class Shape(BaseModel):
    """Unknown fields are errors: a slip in a name must not be lost without a word."""

    model_config = ConfigDict(extra="forbid")


class CouncilShape(Shape):
    """A council; letters carry summaries of those with full support."""

    slug: str
    name: str
    support: Support
    timezone: str
    country: str
    website: str | None
    languages: list[str]


class CommitteeShape(Shape):
    """A committee; ``key`` filters meetings and stays through renames. ``coming``: its meetings to come."""

    key: str
    name: str
    coming: int


class CouncilWhole(CouncilShape):
    """A council with its committees, by name."""

    committees: list[CommitteeShape]


class CouncilList(Shape):
    """All councils by name."""

    councils: list[CouncilShape]


class DocumentShape(Shape):
    """A paper."""

    kind: DocumentKind
    title: str
    url: str


class SummaryRef(Shape):
    """A public summary of a meeting: one a language."""

    id: int
    language: str
    version: int
    headline: str


class MeetingShape(Shape):
    """A meeting; ``starts_at`` null with ``starts_on`` set: the day is known, the time is not."""

    id: int
    council: str
    committee: str
    title: str
    status: MeetingStatus
    starts_on: date | None
    starts_at: Instant | None
    timezone: str
    venue: str | None
    url: str | None
    video_url: str | None
    documents: list[DocumentShape]
    summaries: list[SummaryRef]
    changed_at: Instant


class MeetingList(Shape):
    """Some meetings in order of their days; ``next`` goes into ``after`` for the ones that follow."""

    meetings: list[MeetingShape]
    next: str | None


class DecisionShape(Shape):
    """One thing decided."""

    text: str
    outcome: str | None
    item: str | None


class AttendeeShape(Shape):
    """Who was there."""

    name: str
    role: str | None
    party: str | None
    ward: str | None


class SummaryShape(Shape):
    """A public summary. ``html`` holds p ul ol li strong em a h4 blockquote sup and nothing else."""

    id: int
    meeting: int
    council: str
    committee: str
    language: str
    version: int
    origin: Origin
    published_at: Instant
    is_correction: bool
    headline: str
    questions: list[str]
    lead: str
    html: str
    text: str
    topics: list[str]
    decisions: list[DecisionShape]
    attendees: list[AttendeeShape]
    documents: list[DocumentShape]


class RefusedShape(Shape):
    """What could not be taken in, where it is wrong, and why."""

    path: str
    line: int
    why: str


class TakenShape(Shape):
    """What became of what was sent, as `digest summary import` says it."""

    imported: int
    unchanged: int
    refused: list[RefusedShape]


# --- subscribers ------------------------------------------------------------------------------------------

Word = Annotated[str, Field(max_length=200)]
Words = Annotated[list[Word], Field(max_length=100)]


class NewSubscriber(Shape):
    """As `digest subscriber add` takes it. Without ``confirmed`` they are pending until they confirm.

    ``committees``: "slug/Name", or "-slug/Name" for all but it; ``keywords``: "-word" excludes. "" is the
    default.
    """

    email: Annotated[str, Field(max_length=320)]
    councils: Annotated[list[Word], Field(min_length=1, max_length=500)]
    name: Word = ""
    committees: Words = []
    topics: Words = []
    keywords: Words = []
    wards: Words = []
    cadence: Cadence | None = None
    day: Word = ""
    time: Word = ""
    timezone: Word = ""
    detail: Detail | None = None
    format: Format | None = None
    language: Word = ""
    tier: Tier | None = None
    confirmed: bool = False
    consent_source: Word = ""
    consent_at: Word = ""


class ConsentShape(Shape):
    """Who agreed where and when."""

    source: str
    at: Instant


class SubscriberShape(Shape):
    """A reader with their wishes; the address is empty once they are erased."""

    id: int
    email: str
    name: str
    status: SubscriberState
    councils: list[str]
    committees: list[str]
    topics: list[str]
    keywords: list[str]
    wards: list[str]
    cadence: Cadence
    day: str
    time: str
    timezone: str
    detail: Detail
    format: Format
    language: str
    tier: Tier
    paused_until: date | None
    created_at: Instant
    ended_at: Instant | None
    ended_reason: str | None
    consents: list[ConsentShape]


class SubscriberList(Shape):
    """Some readers in order of joining; ``next`` goes into ``after`` for the ones that follow."""

    subscribers: list[SubscriberShape]
    next: int | None


class Added(Shape):
    """Who was added, or was there already with the same wishes."""

    id: int
    is_new: bool


class Find(Shape):
    """An address stands in the body, never in the path: paths are logged."""

    email: Annotated[str, Field(max_length=320)]


class Pause(Shape):
    """``until``: the first day with letters again; null: until they resume."""

    until: date | None = None


class Leave(Shape):
    """``council``: only that one; null: altogether."""

    council: Word | None = None
