"""Feeds are asked, understood, decided on and stored; new and moved meetings append their log lines.

One bad feed never stops the others. What a feed tells is stored in one transaction, with its lines
and the feed's own state, so a poll killed anywhere is simply asked again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection

from digest.errors import FeedError, FetchError
from digest.intake.decide import Change, ChangeKind, decide, meeting_key
from digest.intake.fetch import FeedRequest, NotModified
from digest.intake.links import host_of
from digest.intake.schedule import FeedHistory, Intervals, Poll, adopted_address, after_poll, health
from digest.intake.waiting import fresh_for_s
from digest.model import LineKind, Meeting, ParsedFeed, RawFeed, Support
from digest.pipeline.identity import url_key
from digest.store import councils, feeds, meetings, publications
from digest.store.database import LOCK_LOG, Database
from digest.store.feeds import Feed
from digest.store.publications import NewLine


class Fetches(Protocol):
    """What polling needs of ``intake.fetch.Fetcher``."""

    def fetch(self, request: FeedRequest) -> RawFeed | NotModified:
        """Raises: FetchError."""

    def group_of(self, url: str) -> str:
        """Whose server it is."""


class Parses(Protocol):
    """What polling needs of ``intake.child.ParserPool``."""

    def parse(self, raw: RawFeed, **circumstances: Any) -> ParsedFeed:
        """Raises: FeedError."""


@dataclass(slots=True)
class PollCounts:
    """What a poll did: feeds asked, of which unchanged and failed; meetings new, changed, cancelled.

    ``failures`` names each failed feed: (council, url, why).
    """

    feeds: int = 0
    unchanged: int = 0
    failed: int = 0
    new: int = 0
    changed: int = 0
    cancelled: int = 0
    failures: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Answer:
    """One feed's answer before it is stored: something parsed, nothing new, or an error."""

    feed: Feed
    history: FeedHistory
    poll: Poll
    raw: RawFeed | None = None
    parsed: ParsedFeed | None = None


def poll(
    database: Database,
    fetcher: Fetches,
    parser: Parses,
    *,
    clock: Callable[[], datetime],
    council: str | None = None,
    is_all: bool = False,
    concurrency: int = 8,
    intervals: Intervals | None = None,
    each: Callable[[int, int], None] = lambda done, total: None,
) -> PollCounts:
    """Poll the feeds that are due (or all), many hosts at a time and each host by turns.

    ``each`` is called with feeds done and feeds in all. Raises: NotFoundError for an unknown council.
    """
    with database.read() as connection:
        due = feeds.feeds_due(connection, now=clock(), council=council, is_all=is_all)
        hosts = _hosts(connection, due)
    groups: dict[str, list[Feed]] = defaultdict(list)
    for feed in due:
        groups[fetcher.group_of(feed.url)].append(feed)
    counts = PollCounts()

    def ask_group(group: list[Feed]) -> Iterable[_Answer]:
        return [_ask(feed, fetcher, parser, clock=clock, hosts=hosts[feed.council]) for feed in group]

    def in_parts(group: list[Feed]) -> list[list[Feed]]:
        # Small parts, so that what one host told is stored while the rest of it is asked.
        return [group[i : i + _PART] for i in range(0, len(group), _PART)]

    parts = [part for group in groups.values() for part in in_parts(group)]
    with ThreadPoolExecutor(max_workers=concurrency) as pool:
        for answers in pool.map(ask_group, parts):
            for answer in answers:
                _store(database, answer, counts, now=clock(), intervals=intervals)
                each(counts.feeds, len(due))
    return counts


_PART = 8


def _hosts(connection: Connection, due: Iterable[Feed]) -> dict[str, frozenset[str]]:
    """Hosts whose links a council's feeds may carry: its website's and those of its own feeds."""
    found: dict[str, set[str]] = defaultdict(set)
    for council in councils.all_councils(connection):
        if council.website:
            found[council.slug].add(host_of(council.website))
    for feed in feeds.all_feeds(connection):
        found[feed.council].add(host_of(feed.url))
    return {feed.council: frozenset(found[feed.council]) for feed in due}


def _ask(
    feed: Feed, fetcher: Fetches, parser: Parses, *, clock: Callable[[], datetime], hosts: frozenset[str]
) -> _Answer:
    history = _history_of(feed)
    request = FeedRequest(feed.url, etag=feed.etag, last_modified=feed.last_modified)
    try:
        raw = fetcher.fetch(request)
        if isinstance(raw, NotModified):
            asked = fresh_for_s(raw.headers, now=raw.fetched_at)
            return _Answer(feed, history, Poll(asked_s=asked, moved_to=raw.moved_to))
        parsed = parser.parse(
            raw,
            timezone=feed.timezone,
            country=feed.country,
            as_of=clock(),
            dialect=feed.dialect,
            hosts=hosts,
        )
    except FetchError as error:
        poll = Poll(
            error=error.kind, message=str(error), status=error.status, retry_after_s=error.retry_after_s
        )
        return _Answer(feed, history, poll)
    except FeedError as error:
        return _Answer(feed, history, Poll(error=error.kind, message=str(error)))
    asked = max((s for s in (parsed.ttl_s, fresh_for_s(raw.headers, now=raw.fetched_at)) if s), default=None)
    moved = raw.final_url if raw.final_url != feed.url else None
    good = Poll(asked_s=asked, skip_hours=parsed.skip_hours, moved_to=moved)
    return _Answer(feed, history, good, raw, parsed)


def _store(
    database: Database, answer: _Answer, counts: PollCounts, *, now: datetime, intervals: Intervals | None
) -> None:
    counts.feeds += 1
    feed, poll_ = answer.feed, answer.poll
    with database.write(lock=LOCK_LOG) as connection:
        if answer.parsed is not None:
            changes = take_in(connection, feed.council, answer.parsed, now=now)
            feeds.keep_leftovers(connection, feed.id, answer.parsed.not_meetings, now=now)
            _count(counts, changes)
            poll_ = replace(poll_, is_changed=bool(changes))
        history = after_poll(answer.history, poll_, now=now, intervals=intervals)
        _record(connection, answer, poll_, history, now=now)
    if poll_.error is not None:
        counts.failed += 1
        counts.failures.append((feed.council, feed.url, poll_.message or poll_.error))
    elif not poll_.is_changed:
        counts.unchanged += 1


def _count(counts: PollCounts, changes: Iterable[Change]) -> None:
    for change in changes:
        if change.kind is ChangeKind.NEW:
            counts.new += 1
        elif change.kind is ChangeKind.CANCELLED:
            counts.cancelled += 1
        else:
            counts.changed += 1


def _record(
    connection: Connection, answer: _Answer, poll_: Poll, history: FeedHistory, *, now: datetime
) -> None:
    values: dict[str, Any] = {
        "next_poll_at": history.next_poll_at,
        "last_checked_at": now,
        "last_good_at": history.last_good_at,
        "last_change_at": history.last_changed_at,
        "failing_since": history.failing_since,
        "failures": history.failures,
        "last_error": poll_.message,
        "state": health(history, now=now).value,
    }
    if answer.raw is not None and answer.parsed is not None:
        # Validators are kept only for a body that parsed: a login page's would freeze the feed on 304s.
        values |= {
            "etag": answer.raw.headers.get("etag"),
            "last_modified": answer.raw.headers.get("last-modified"),
            "found_dialect": answer.parsed.dialect,
        }
    moved = adopted_address(history, now=now)
    if moved is not None:
        values |= {"url": moved}
        history = replace(history, url=moved, moved_to=None, moved_seen=0, moved_since=None)
    feeds.record_poll(connection, answer.feed.id, history=_history_json(history), **values)


def take_in(connection: Connection, council: str, parsed: ParsedFeed, *, now: datetime) -> list[Change]:
    """Store what a feed tells of its meetings; returns the changes. Twice changes nothing.

    The transaction must hold ``LOCK_LOG``.
    """
    of = councils.council_by_slug(connection, council)
    council_id = councils.council_ids(connection)[council]
    keys = [meeting_key(sighting, council=council) for sighting in parsed.sightings]
    known = meetings.meetings_by_key(connection, council, keys)
    made = []
    for sighting, key in zip(parsed.sightings, keys, strict=True):
        change = decide(sighting, known.get(key), council=council, now=now, timezone=of.timezone)
        if change.kind is ChangeKind.UNCHANGED:
            continue
        stored = _save(connection, change.meeting, committee_id=sighting.committee_id, now=now)
        known[key] = stored
        made.append(change)
        if change.line is not None and of.support is not Support.PAUSED:
            _append(connection, change.line, stored, change.before, council_id=council_id, now=now)
    return made


def _save(connection: Connection, meeting: Meeting, *, committee_id: str | None, now: datetime) -> Meeting:
    facts = meetings.MeetingFacts(
        key=meeting.key,
        council=meeting.council,
        committee=meeting.committee,
        title=meeting.title,
        starts_at=meeting.starts_at,
        starts_on=meeting.starts_on,
        status=meeting.status,
        url=meeting.url,
        url_key=url_key(meeting.url),
        committee_id=committee_id,
        venue=meeting.venue,
        video_url=meeting.video_url,
        documents=meeting.documents,
    )
    return meetings.save_meeting(connection, facts, now=now)


def _append(
    connection: Connection,
    kind: LineKind,
    meeting: Meeting,
    before: Meeting | None,
    *,
    council_id: int,
    now: datetime,
) -> None:
    item = f"papers:{meeting.id}" if kind is LineKind.PAPERS else f"meeting:{meeting.id}"
    joint = meetings.joint_keys(connection, meeting)
    line = NewLine(kind, item, 1, council_id, replace(meeting, joint=joint), before)
    publications.append_line(connection, line, now=now)


# --- the feed's memory -----------------------------------------------------------------------------

_INSTANTS = {f.name for f in fields(FeedHistory) if "datetime" in str(f.type)}


def _history_of(feed: Feed) -> FeedHistory:
    known: dict[str, Any] = {
        name: datetime.fromisoformat(value) if name in _INSTANTS and value else value
        for name, value in feed.history.items()
        if name in {f.name for f in fields(FeedHistory)}
    }
    known.setdefault("url", feed.url)
    return FeedHistory(**known)


def _history_json(history: FeedHistory) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(history).items()
    }
