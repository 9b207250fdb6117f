"""The log of what is known, and what a subscriber wishes to read of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from digest.model.meetings import Meeting
from digest.model.summaries import Condensed
from digest.model.text import fingerprint_of
from digest.model.words import Cadence, Detail, Format, LineKind, Tier, WishKind


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
