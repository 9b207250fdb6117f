"""What a dialect makes of a document, and how several items about one meeting become one sighting."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime

from digest.intake.items import Document, Item, Where
from digest.model import MeetingStatus, NotMeeting, Sighting, Webcast


@dataclass(frozen=True, slots=True)
class Reading:
    """Sightings in document order of their first item, what is no meeting, and webcasts of meetings."""

    sightings: tuple[Sighting, ...]
    not_meetings: tuple[NotMeeting, ...] = ()
    webcasts: tuple[Webcast, ...] = ()

    @classmethod
    def of(cls, found: Iterable[Sighting | NotMeeting]) -> Reading:
        """Both kinds told apart, each in document order."""
        found = tuple(found)
        return cls(
            tuple(f for f in found if isinstance(f, Sighting)),
            tuple(f for f in found if isinstance(f, NotMeeting)),
        )


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of feed. ``claims`` gives 0 (not mine) to 100 (certainly mine); the highest reads it.

    ``reads_feeds``: it reads the items of any RSS or Atom feed when it is forced on one.
    """

    name: str
    claims: Callable[[Document, Where], int]
    read: Callable[[Document, Where], Reading]
    reads_feeds: bool = True

    def can_read(self, document: Document, where: Where) -> bool:
        """True where forcing this dialect makes sense."""
        is_feed = document.kind == "xml" and document.root != "getmeetings"
        return (self.reads_feeds and is_feed) or self.claims(document, where) > 0


@dataclass(frozen=True, slots=True)
class Part:
    """One item as understood: a sighting-to-be. ``status`` None: the item says nothing of it.

    ``stamp`` orders the items of one meeting where the platform gives one (an edit stamp), else the
    publication does.
    """

    sighting: Sighting
    identity: str
    status: MeetingStatus | None = None
    stamp: datetime | None = None

    @property
    def at(self) -> datetime | None:
        """When this item was said."""
        return self.stamp or self.sighting.published_at


def read_items(
    items: Iterable[Item], where: Where, understand: Callable[[Item, Where], Part | NotMeeting | None]
) -> Reading:
    """Each item understood on its own, then the items of one meeting put together."""
    parts: list[Part] = []
    others: list[NotMeeting] = []
    for item in items:
        found = understand(item, where)
        if isinstance(found, Part):
            parts.append(found)
        elif found is not None:
            others.append(found)
    return Reading(merged(parts), tuple(others))


def merged(parts: Iterable[Part]) -> tuple[Sighting, ...]:
    """One sighting per identity, in document order.

    The latest item says when and where; the latest that speaks of a status says that; documents and
    events are gathered. Without publication times the first of the document counts: feeds list the
    newest first.
    """
    groups: dict[str, list[Part]] = {}
    for part in parts:
        groups.setdefault(part.identity, []).append(part)
    return tuple(_one(group) for group in groups.values())


def _one(group: list[Part]) -> Sighting:
    if len(group) == 1:
        return replace(group[0].sighting, status=group[0].status or MeetingStatus.SCHEDULED)
    ordered = _latest_first(group)
    dated = [p for p in ordered if p.sighting.starts_on is not None] or ordered
    said = next((p.status for p in ordered if p.status is not None), None)
    first = dated[0].sighting
    clock = [p.sighting.starts_at for p in dated if p.sighting.starts_on == first.starts_on]
    return replace(
        first,
        starts_at=first.starts_at or next((at for at in clock if at is not None), None),
        status=said or MeetingStatus.SCHEDULED,
        guid=next((p.sighting.guid for p in group if p.sighting.guid), None),
        url=next((p.sighting.url for p in ordered if p.sighting.url), None),
        venue=next((p.sighting.venue for p in ordered if p.sighting.venue), None),
        video_url=next((p.sighting.video_url for p in ordered if p.sighting.video_url), None),
        documents=tuple({d.url: d for p in group for d in p.sighting.documents}.values()),
        events=tuple(dict.fromkeys(e for p in group for e in p.sighting.events)),
        doubts=tuple(dict.fromkeys(d for p in dated[:1] for d in p.sighting.doubts)),
        published_at=max((p.sighting.published_at for p in group if p.sighting.published_at), default=None),
    )


def _latest_first(group: list[Part]) -> list[Part]:
    if any(p.at is None for p in group):
        return group
    return sorted(group, key=lambda p: p.at or p.sighting.published_at, reverse=True)  # type: ignore[arg-type,return-value]


def identity_of(committee_key: str, day: date | None, starts_at: datetime | None, url: str | None) -> str:
    """Which items are one meeting where the platform gives no id."""
    return f"{committee_key}|{starts_at or day or url or ''}"
