"""The log of what is known, and what a subscriber wishes to read of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from digest.model.meetings import Meeting
from digest.model.summaries import Condensed
from digest.model.text import fingerprint_of
from digest.model.words import Cadence, Detail, Format, LineKind, LineReaders, Tier, WishKind


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the publication log with all that a letter may say of it.

    ``item`` names what the line is about (``summary:<meeting id>``, ``meeting:<id>``,
    ``papers:<id>``); ``first_seq`` is the seq of that item's first line ever, ``first_at`` its time.
    ``meeting`` is the meeting as it was when the line was written; ``before`` the one it replaces.
    ``readers`` is whom it concerns; with ``others_first`` (seq, time) the item's first line for those who do
    not have its council enabled is a later one than ``first_seq``.
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
    readers: LineReaders = LineReaders.ALL
    others_first: tuple[int, datetime] | None = None

    def first_for(self, *, is_enabled: bool) -> tuple[int, datetime]:
        """Seq and time of the item's first line for readers with or without its council enabled."""
        return (self.others_first if not is_enabled else None) or (self.first_seq, self.first_at)

    def concerns(self, *, is_enabled: bool) -> bool:
        """Whether it says anything to readers with or without its council enabled."""
        return self.readers is not (LineReaders.OTHERS if is_enabled else LineReaders.ENABLED)


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

    ``enabled`` is no wish but what an operator gave: councils with limited support whose summaries are mailed
    to this professional all the same.
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
    # Outside repr: the fingerprint of who has nothing enabled is the one that is stored already.
    enabled: tuple[str, ...] = field(default=(), repr=False)

    @property
    def fingerprint(self) -> str:
        """One canonical fingerprint (sha256, hex)."""
        return fingerprint_of(repr(self) + (f" {self.enabled!r}" if self.enabled else ""))


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a digest comes. ``day``: monday…sunday, "1"…"28", "first sunday"…; "" for daily."""

    cadence: Cadence
    day: str
    time: str
    timezone: str
