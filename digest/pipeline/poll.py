"""Feeds are asked, understood, decided on and stored; new and moved meetings append their log lines.

Threads fetch and have parsed, one per host group at a time; this thread stores what has arrived. One bad
feed never stops the others. What a feed tells is stored in one transaction, with its lines and the feed's
own state, so a poll killed anywhere is simply asked again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from digest.errors import IntakeError
from digest.intake.decide import Change, ChangeKind
from digest.intake.fetch import FeedRequest, NotModified
from digest.intake.links import host_of
from digest.intake.schedule import (
    FeedHistory,
    Intervals,
    Poll,
    adopted_address,
    after_poll,
    failed,
    health,
)
from digest.intake.waiting import fresh_for_s
from digest.model import NotMeeting, ParsedFeed, RawFeed
from digest.pipeline.arrivals import Arrivals
from digest.pipeline.groups import group_of
from digest.pipeline.sightings import Taken, Town, take_feed, take_in
from digest.store import councils, feeds
from digest.store.database import LOCK_LOG, Database
from digest.store.feeds import Feed

__all__ = ["Fetches", "Parses", "PollCounts", "poll", "take_in"]


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
    """One feed's answer before it is stored: something parsed, nothing new, or an error.

    ``headers`` of the body that was parsed; the body itself is let go.
    """

    feed: Feed
    poll: Poll
    headers: Mapping[str, str] = field(default_factory=dict)
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
    group: int = 0,
    groups: int = 1,
) -> PollCounts:
    """Poll the feeds that are due (or all), many hosts at a time and each host by turns.

    ``group`` of ``groups``: only those hosts, so that several processes share the feeds and no two a host.
    ``each`` is called with feeds done and feeds in all. Raises: NotFoundError for an unknown council.
    """
    with database.read() as connection:
        due = feeds.feeds_due(connection, now=clock(), council=council, is_all=is_all)
        due = tuple(feed for feed in due if group_of(fetcher, feed.url, groups=groups) == group)
        hosts = _hosts(connection, due)
    counts, answers = PollCounts(), Arrivals[_Answer](len(due))

    def ask_all(some: Sequence[Feed]) -> None:
        for feed in some:
            if not answers.put(_ask(feed, fetcher, parser, clock=clock, hosts=hosts[feed.council])):
                return

    with ThreadPoolExecutor(max_workers=concurrency) as pool:
        for some in _by_host(due, fetcher):
            pool.submit(ask_all, some)
        try:
            while arrived := answers.take():
                _store(database, arrived, counts, now=clock(), intervals=intervals)
                each(counts.feeds, len(due))
        finally:
            answers.close()
            pool.shutdown(cancel_futures=True)
    return counts


def _by_host(due: Iterable[Feed], fetcher: Fetches) -> list[list[Feed]]:
    """One list per host group, for one thread: the longest first, since its pauses take longest."""
    groups: dict[str, list[Feed]] = defaultdict(list)
    for feed in due:
        groups[fetcher.group_of(feed.url)].append(feed)
    return sorted(groups.values(), key=len, reverse=True)


def _hosts(connection: Connection, due: Iterable[Feed]) -> dict[str, frozenset[str]]:
    """Hosts whose links a council's feeds may carry: its website's and those of its own feeds.

    A feed that councils share may carry the links of all of them.
    """
    found: dict[str, set[str]] = defaultdict(set)
    shared: dict[str, set[str]] = defaultdict(set)
    for slug, website in councils.websites(connection).items():
        found[slug].add(host_of(website))
    for slug, url, others in feeds.feed_places(connection):
        found[slug].add(host_of(url))
        shared[slug] |= others
    return {
        slug: frozenset(host for one in {slug, *shared[slug]} for host in found[one])
        for slug in {feed.council for feed in due}
    }


def _ask(
    feed: Feed, fetcher: Fetches, parser: Parses, *, clock: Callable[[], datetime], hosts: frozenset[str]
) -> _Answer:
    try:
        raw = fetcher.fetch(FeedRequest(feed.url, etag=feed.etag, last_modified=feed.last_modified))
        fresh_s = fresh_for_s(raw.headers, now=raw.fetched_at)
        if isinstance(raw, NotModified):
            return _Answer(feed, Poll(asked_s=fresh_s, moved_to=raw.moved_to))
        parsed = parser.parse(
            raw,
            timezone=feed.timezone,
            country=feed.country,
            as_of=clock(),
            dialect=feed.dialect,
            hosts=hosts,
        )
    except IntakeError as error:
        return _Answer(feed, failed(error))
    except Exception as error:  # noqa: BLE001 (one feed's surprise is named and must not stop the others)
        return _Answer(feed, Poll(error="invalid_body", message=f"{type(error).__name__}: {error}"[:500]))
    asked_s = max((s for s in (parsed.ttl_s, fresh_s) if s), default=None)
    good = Poll(asked_s=asked_s, skip_hours=parsed.skip_hours, moved_to=raw.moved_to)
    return _Answer(feed, good, raw.headers, parsed)


# --- what was answered, stored -------------------------------------------------------------------


def _store(
    database: Database,
    answers: Sequence[_Answer],
    counts: PollCounts,
    *,
    now: datetime,
    intervals: Intervals | None,
) -> None:
    """Store answers in one transaction; where the database refuses one of them, the others alone."""
    try:
        done = _stored(database, answers, now=now, intervals=intervals)
    except (DataError, IntegrityError) as error:
        if len(answers) > 1:
            for answer in answers:
                _store(database, (answer,), counts, now=now, intervals=intervals)
            return
        why = f"what it tells cannot be stored ({str(error.orig).strip()[:300]})"
        refused = _Answer(answers[0].feed, Poll(error="invalid_body", message=why))
        done = _stored(database, (refused,), now=now, intervals=intervals)
    for answer, changes in done:
        _count(counts, answer, changes)


def _stored(
    database: Database, answers: Sequence[_Answer], *, now: datetime, intervals: Intervals | None
) -> list[tuple[_Answer, tuple[Change, ...]]]:
    done: list[tuple[_Answer, tuple[Change, ...]]] = []
    leftovers: list[tuple[int, NotMeeting]] = []
    recorded: dict[int, dict[str, Any]] = {}
    told = [answer.feed for answer in answers if answer.parsed is not None]
    with database.write(lock=LOCK_LOG if told else None) as connection:
        town = Town(connection, _councils_of(told), now=now)
        for answer in answers:
            feed, taken = answer.feed, Taken(())
            if answer.parsed is not None:
                taken = take_feed(town, feed.council, answer.parsed, feed=feed.id, table=feed.committees)
                leftovers += [(feed.id, item) for item in taken.leftovers]
            went = replace(answer.poll, is_changed=bool(taken.changes))
            history = after_poll(_history_of(feed), went, now=now, intervals=intervals)
            recorded[feed.id] = _record(
                connection, answer, went, history, is_complete=not taken.is_waiting, now=now
            )
            done.append((answer, taken.changes))
        town.say()
        feeds.keep_leftovers(connection, leftovers, now=now)
        feeds.record_polls(connection, recorded.items())
    return done


def _councils_of(told: Iterable[Feed]) -> set[str]:
    return {slug for feed in told for slug in (feed.council, *feed.committees.values())}


def _count(counts: PollCounts, answer: _Answer, changes: Iterable[Change]) -> None:
    counts.feeds += 1
    if answer.poll.error is not None:
        counts.failed += 1
        why = answer.poll.message or answer.poll.error
        counts.failures.append((answer.feed.council, answer.feed.url, why))
    elif not changes:
        counts.unchanged += 1
    for change in changes:
        if change.kind is ChangeKind.NEW:
            counts.new += 1
        elif change.kind is ChangeKind.CANCELLED:
            counts.cancelled += 1
        else:
            counts.changed += 1


def _record(
    connection: Connection,
    answer: _Answer,
    went: Poll,
    history: FeedHistory,
    *,
    is_complete: bool,
    now: datetime,
) -> dict[str, Any]:
    """What is stored of the feed after this poll, by column."""
    feed = answer.feed
    values: dict[str, Any] = {
        "next_poll_at": history.next_poll_at,
        "last_checked_at": now,
        "last_good_at": history.last_good_at,
        "last_change_at": history.last_changed_at,
        "failing_since": history.failing_since,
        "failures": history.failures,
        "last_error": went.message,
        "state": health(history, now=now).value,
    }
    if answer.parsed is not None:
        # Validators are kept only for a body that was read whole: a login page's would freeze the feed
        # on 304s, and so would those of half a body.
        is_whole = is_complete and not answer.parsed.is_partial
        values |= {
            "etag": answer.headers.get("etag") if is_whole else None,
            "last_modified": answer.headers.get("last-modified") if is_whole else None,
            "found_dialect": answer.parsed.dialect,
        }
    moved = adopted_address(history, now=now)
    if moved is not None and feeds.is_polled(connection, feed, moved):
        values |= {
            "state": "retired",
            "next_poll_at": None,
            "last_error": f"moved to {moved}, a feed already",
        }
        history = replace(history, retired_at=now, next_poll_at=None)
    elif moved is not None:
        values |= {"url": moved}
        history = replace(history, url=moved, moved_to=None, moved_seen=0, moved_since=None)
    return values | {"history": history}


# --- the feed's memory -----------------------------------------------------------------------------

_NAMES = frozenset(f.name for f in fields(FeedHistory))
_INSTANTS = frozenset(f.name for f in fields(FeedHistory) if "datetime" in str(f.type))


def _history_of(feed: Feed) -> FeedHistory:
    known: dict[str, Any] = {
        name: datetime.fromisoformat(value) if name in _INSTANTS and value else value
        for name, value in feed.history.items()
        if name in _NAMES
    }
    known.setdefault("url", feed.url)
    return FeedHistory(**known)
