"""What a feed tells of meetings becomes stored meetings and log lines, within one transaction.

Sightings find their council (shared installations) and their meeting: by key, else by what only that
meeting can be: the same address, the same committee at the same time, the same page after a move. Two
feeds that carry one meeting are one meeting; two meetings that one feed tells apart stay two.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection

from digest.intake.dates import zone
from digest.intake.decide import Change, ChangeKind, decide, meeting_key
from digest.intake.kinship import council_of, day_of, earlier_self, meeting_of
from digest.model import (
    LineKind,
    Meeting,
    NotMeeting,
    ParsedFeed,
    Sighting,
    Support,
    Webcast,
    name_key,
)
from digest.pipeline.identity import url_key
from digest.store import councils, meetings, publications
from digest.store.committees import Committees
from digest.store.publications import NewLine

# So long a webcast may wait for its meeting to be told by another feed.
_WEBCAST_WAITS = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Taken:
    """What taking a feed in did; ``leftovers`` are kept for the operator.

    ``is_waiting``: a recent webcast's meeting is not known yet, so the feed must be read again.
    """

    changes: tuple[Change, ...]
    leftovers: tuple[NotMeeting, ...] = ()
    is_waiting: bool = False


class Town:
    """The councils of one transaction as it finds them, and the lines it is to append at its end.

    ``slugs``: the councils that its feeds may tell of; nobody else is looked up.
    """

    def __init__(self, connection: Connection, slugs: Iterable[str], *, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.councils = councils.councils_named(connection, slugs)
        self.lines: list[NewLine] = []
        self._committees: dict[int, Committees] = {}

    def committees(self, council_id: int) -> Committees:
        """The committees of a council, read once."""
        if council_id not in self._committees:
            self._committees[council_id] = Committees(self.connection, council_id)
        return self._committees[council_id]

    def say(self) -> None:
        """Append the lines, in the order in which the changes were found."""
        publications.append_lines(self.connection, self.lines, now=self.now)
        self.lines = []


def take_in(connection: Connection, council: str, parsed: ParsedFeed, *, now: datetime) -> Taken:
    """Store what one feed of ``council`` tells, and append its lines. Twice changes nothing, says nothing.

    The transaction must hold ``LOCK_LOG``.
    """
    town = Town(connection, (council,), now=now)
    taken = take_feed(town, council, parsed)
    town.say()
    return taken


def take_feed(
    town: Town,
    council: str,
    parsed: ParsedFeed,
    *,
    feed: int | None = None,
    table: Mapping[str, str] | None = None,
) -> Taken:
    """As ``take_in`` for one of several feeds of a transaction; its lines wait for ``town.say()``.

    ``feed``: its number, so that its words are known by it; ``table``: whose its committees are, where
    several councils share it.
    """
    now = town.now
    groups, strangers = _by_council(parsed.sightings, council, table or {})
    changes: list[Change] = []
    for slug, sightings in groups.items():
        if slug in town.councils:
            changes += _Taking(town, slug, feed=feed).take(sightings)
    shown, unseen = _attach(town.connection, council, parsed.webcasts)
    is_waiting = any(w.starts_on and w.starts_on >= (now - _WEBCAST_WAITS).date() for w in unseen)
    left = (NotMeeting(w.guid, w.title, "a webcast whose meeting is not known (yet)") for w in unseen)
    return Taken((*changes, *shown), (*parsed.not_meetings, *strangers, *left), is_waiting)


def _by_council(
    sightings: Iterable[Sighting], council: str, table: Mapping[str, str]
) -> tuple[dict[str, list[Sighting]], list[NotMeeting]]:
    """Sightings by council. A table that names committees of the feed's own council names all of them."""
    default = None if council in table.values() else council
    groups: dict[str, list[Sighting]] = defaultdict(list)
    strangers = []
    for sighting in sightings:
        slug = council_of(sighting, table, default=default) if table else council
        if slug is not None:
            groups[slug].append(sighting)
        else:
            why = f"a meeting of {sighting.committee}, which is not among the feed's committees"
            strangers.append(NotMeeting(sighting.guid, sighting.title, why))
    return groups, strangers


class _Taking:
    """The sightings of one council on their way into the store."""

    def __init__(self, town: Town, slug: str, *, feed: int | None) -> None:
        self._town = town
        self._connection = town.connection
        self._council_id, self._council = town.councils[slug]
        self._now = town.now
        self._feed = feed
        self._committees = town.committees(self._council_id)

    def take(self, sightings: Sequence[Sighting]) -> list[Change]:
        keys = [meeting_key(sighting, council=self._council.slug) for sighting in sightings]
        known = self._known(sightings, keys)
        known |= {meeting.key: meeting for meeting in known.values()}
        made: list[Change] = []
        waiting: dict[str, tuple[Sighting, Change]] = {}
        for sighting, key in zip(sightings, keys, strict=True):
            identity = known[key].key if key in known else key
            if identity in waiting:
                # Told twice under two keys: the second is decided on what the first left.
                known |= self._save(waiting)
                waiting = {}
            change = self._decide(sighting, known.get(identity))
            if change.kind is not ChangeKind.UNCHANGED:
                waiting[identity] = (sighting, change)
                made.append(change)
        self._save(waiting)
        return made

    def _decide(self, sighting: Sighting, known: Meeting | None) -> Change:
        name, committee_id = sighting.committee, sighting.committee_id
        names = self._committees.keys_of(name, external_id=committee_id)
        if known is not None and name_key(name) in known.committee_keys | names:
            # A name that the committee has had renames nothing: older items keep it for a while.
            sighting = replace(sighting, committee=known.committee)
        if known is not None and not self._committees.is_worded_by(
            self._feed, name, external_id=committee_id
        ):
            self._take_name(name, sighting)  # remembered, so that who follows it by this name is told
            sighting = _in_known_words(sighting, known)
        return decide(
            sighting,
            known,
            council=self._council.slug,
            now=self._now,
            timezone=self._council.timezone,
            known_names=names,
        )

    def _take_name(self, name: str, sighting: Sighting) -> None:
        self._committees.take(name, external_id=sighting.committee_id, now=self._now, feed=self._feed)

    # --- whose meeting is it ----------------------------------------------------------------------

    def _known(self, sightings: Sequence[Sighting], keys: Sequence[str]) -> dict[str, Meeting]:
        """The stored meetings by the keys of the sightings; a new key of a known meeting is remembered."""
        slug, told = self._council.slug, frozenset(keys)
        found = meetings.meetings_by_key(self._connection, slug, keys)
        # What one feed tells apart is two meetings, whatever a key once stood for.
        found = {k: m for k, m in found.items() if m.key == k or m.key not in told}
        lost = [(s, k) for s, k in zip(sightings, keys, strict=True) if k not in found]
        if not lost:
            return found
        kin = meetings.kindred_meetings(
            self._connection,
            slug,
            days=[day for s, _ in lost if (day := _day_of(s, self._council.timezone)) is not None],
            url_keys=[address for s, _ in lost if (address := url_key(s.url)) is not None],
        )
        taken = {m.id for m in found.values()}
        for sighting, key in lost:
            free = [m for m in kin if m.id not in taken and m.key not in told]
            same = _same(sighting, free) or earlier_self(sighting, free, told=told, now=self._now)
            if same is not None:
                found[key] = same
                taken.add(same.id)
                meetings.add_alias(self._connection, self._council_id, key, same.id)
        return found

    # --- into the store --------------------------------------------------------------------------

    def _save(self, waiting: Mapping[str, tuple[Sighting, Change]]) -> dict[str, Meeting]:
        """Store meetings and note their lines; returns them by key."""
        if not waiting:
            return {}
        told = sorted(waiting.values(), key=lambda pair: pair[0].published_at or _LONG_AGO)
        self._committees.add_new(
            [(change.meeting.committee, sighting.committee_id) for sighting, change in told],
            now=self._now,
            feed=self._feed,
        )
        for sighting, change in told:  # the newest name is the one that stays
            self._take_name(change.meeting.committee, sighting)
        stored = meetings.save_meetings(
            self._connection,
            [_facts(change.meeting, sighting) for sighting, change in waiting.values()],
            now=self._now,
            feed=self._feed,
            committees=self._committees,
        )
        if self._council.support is not Support.PAUSED:
            changes = (change for _, change in waiting.values())
            self._town.lines += [
                self._line(c, m) for c, m in zip(changes, stored, strict=True) if c.line is not None
            ]
        return {m.key: m for m in stored}

    def _line(self, change: Change, meeting: Meeting) -> NewLine:
        kind = change.line or LineKind.MEETING_CHANGED
        item = f"papers:{meeting.id}" if kind is LineKind.PAPERS else f"meeting:{meeting.id}"
        twins = meetings.joint_meetings(self._connection, meeting)
        told = publications.told_of(self._connection, kind, [f"meeting:{twin.id}" for twin in twins])
        linked = replace(meeting, joint=frozenset(twin.key for twin in twins), told=told)
        return NewLine(kind, item, 1, self._council_id, linked, change.before)


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def _in_known_words(sighting: Sighting, known: Meeting) -> Sighting:
    """Another feed's words (in another language, say) only fill what is not known yet."""
    return replace(
        sighting,
        committee=known.committee,
        title=known.title,
        venue=known.venue or sighting.venue,
        url=known.url or sighting.url,
    )


def _facts(meeting: Meeting, sighting: Sighting) -> meetings.MeetingFacts:
    return meetings.MeetingFacts(
        key=meeting.key,
        council=meeting.council,
        committee=meeting.committee,
        title=meeting.title,
        starts_at=meeting.starts_at,
        starts_on=meeting.starts_on,
        status=meeting.status,
        url=meeting.url,
        url_key=url_key(meeting.url),
        committee_id=sighting.committee_id,
        venue=meeting.venue,
        video_url=meeting.video_url,
        documents=meeting.documents,
        said_at=meeting.said_at,
    )


def _same(sighting: Sighting, kin: Collection[Meeting]) -> Meeting | None:
    """The meeting that a sighting under a new key must be: its address, else committee and time."""
    address = url_key(sighting.url)
    if address is not None and ":MId:" in address:
        behind = [m for m in kin if url_key(m.url) == address]
        if behind:
            return behind[0]
    name = name_key(sighting.committee)
    same = [
        m
        for m in kin
        if name in m.committee_keys and _at_one_time(sighting, m) and not _is_told_apart(sighting, m)
    ]
    return same[0] if len(same) == 1 and name else None


def _at_one_time(sighting: Sighting, meeting: Meeting) -> bool:
    if sighting.starts_at is not None and meeting.starts_at is not None:
        return sighting.starts_at == meeting.starts_at
    day = _day_of(sighting, meeting.timezone)
    return day is not None and day == day_of(meeting)


def _is_told_apart(sighting: Sighting, meeting: Meeting) -> bool:
    """One installation gave the two different ids: they are two, at whatever time."""
    if sighting.external_id is None:
        return False
    known = meeting.key.partition("|")[2]
    return known.rpartition(":")[0] == sighting.external_id.rpartition(":")[0]


def _day_of(sighting: Sighting, timezone: str) -> date | None:
    return (
        sighting.starts_on
        if sighting.starts_at is None
        else sighting.starts_at.astimezone(zone(timezone)).date()
    )


# --- webcasts ----------------------------------------------------------------------------------------


def _attach(
    connection: Connection, council: str, webcasts: Sequence[Webcast]
) -> tuple[list[Change], list[Webcast]]:
    """Webcasts shown with their meetings, and those whose meeting is not known. They make none."""
    if not webcasts:
        return [], []
    named = [f"{council}|{w.external_id}" for w in webcasts if w.external_id]
    days = [w.starts_on for w in webcasts if w.starts_on is not None]
    addresses = [a for w in webcasts if (a := url_key(w.meeting_url)) is not None]
    kin = {m.id: m for m in meetings.kindred_meetings(connection, council, days=days, url_keys=addresses)}
    kin |= {m.id: m for m in meetings.meetings_by_key(connection, council, named).values()}
    changes, unseen = [], []
    for webcast in webcasts:
        meeting = meeting_of(webcast, kin.values())
        if meeting is None:
            unseen.append(webcast)
        elif meeting.video_url is None:
            kin[meeting.id] = meetings.set_video(connection, meeting, webcast.url)
            changes.append(Change(ChangeKind.DETAILS, kin[meeting.id], meeting))
    return changes, unseen
