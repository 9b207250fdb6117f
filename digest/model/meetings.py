"""Councils, their meetings, and what intake makes of a feed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from digest.model.words import Approval, DocumentKind, MeetingStatus, Support


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
    the source published what is known; an older word never overrules it. ``told`` (in a line of the log):
    the same news of a joint meeting by its other councils before, as (council, line of the log).
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
    told: tuple[tuple[str, int], ...] = ()


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
