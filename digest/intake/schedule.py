"""When to ask a feed again, and how it stands: a small record per feed, moved on by each poll.

The next poll is the latest of what is asked of us (ttl, max-age, Retry-After, skipHours) and our own
interval, which follows how often the feed really changes. All bounded; spread by the feed's fingerprint,
so that nothing here is random (numbers: shared practice of miniflux, reader and FreshRSS).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from digest.errors import FetchError, IntakeError
from digest.model import fingerprint_of


@dataclass(frozen=True, slots=True)
class Intervals:
    """Bounds of polling in seconds; ``backoff_most_s`` bounds the wait after failures."""

    usual_s: int = 3_600
    least_s: int = 1_800
    most_s: int = 86_400
    backoff_most_s: int = 172_800
    blocked_s: int = 86_400
    asked_most_s: int = 604_800


@dataclass(frozen=True, slots=True)
class FeedHistory:
    """What is remembered of a feed between polls. A new feed is ``FeedHistory(url)``.

    ``failures`` counts polls in a row that failed, since ``failing_since``. ``moved_to`` was seen
    ``moved_seen`` times in a row since ``moved_since``.
    """

    url: str
    interval_s: int = 3_600
    failures: int = 0
    failing_since: datetime | None = None
    last_good_at: datetime | None = None
    last_changed_at: datetime | None = None
    next_poll_at: datetime | None = None
    is_blocked: bool = False
    retired_at: datetime | None = None
    moved_to: str | None = None
    moved_seen: int = 0
    moved_since: datetime | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Poll:
    """How one poll went. ``error`` None: it was good; ``is_changed``: something new came.

    ``error`` is the kind of the FetchError or FeedError (see ``failed``). ``asked_s`` is the longest of
    ttl, max-age and Expires that the feed asked for; ``skip_hours`` are hours of the day in UTC.
    """

    is_changed: bool = False
    error: str | None = None
    message: str | None = None
    is_blocked: bool = False
    status: int | None = None
    retry_after_s: float | None = None
    asked_s: int | None = None
    skip_hours: frozenset[int] = frozenset()
    moved_to: str | None = None


def failed(error: IntakeError) -> Poll:
    """The poll that ended in this error."""
    if not isinstance(error, FetchError):
        return Poll(error=error.kind, message=str(error))
    return Poll(
        error=error.kind,
        message=str(error),
        is_blocked=error.is_blocked,
        status=error.status,
        retry_after_s=error.retry_after_s,
    )


class Health(StrEnum):
    """How a feed stands, for the operator."""

    WAITING = "waiting"
    FRESH = "fresh"
    QUIET = "quiet"
    FAILING = "failing"
    BLOCKED = "blocked"
    RETIRED = "retired"


def after_poll(
    history: FeedHistory, poll: Poll, *, now: datetime, intervals: Intervals | None = None
) -> FeedHistory:
    """The history after a poll, with ``next_poll_at`` set (None: retired, never again)."""
    limits = intervals or Intervals()
    if poll.status == 410:
        return replace(
            history, retired_at=history.retired_at or now, next_poll_at=None, last_error=poll.message
        )
    if poll.error is not None:
        moved = _after_failure(history, poll, now)
    else:
        moved = _after_success(history, poll, now, limits)
    return replace(moved, next_poll_at=next_poll(moved, poll, now=now, intervals=limits))


def _after_failure(history: FeedHistory, poll: Poll, now: datetime) -> FeedHistory:
    return replace(
        history,
        failures=history.failures + 1,
        failing_since=history.failing_since or now,
        is_blocked=_is_blocked(poll),
        last_error=poll.message or poll.error,
    )


def _is_blocked(poll: Poll) -> bool:
    """Refused by a gatekeeper: a person is asked, nothing is tried around it."""
    return poll.is_blocked or poll.status in (401, 403)


def _after_success(history: FeedHistory, poll: Poll, now: datetime, limits: Intervals) -> FeedHistory:
    interval = history.interval_s // 2 if poll.is_changed else history.interval_s * 5 // 4
    return replace(
        _moved(history, poll, now),
        interval_s=min(max(interval, limits.least_s), limits.most_s),
        failures=0,
        failing_since=None,
        is_blocked=False,
        last_error=None,
        last_good_at=now,
        last_changed_at=now if poll.is_changed else history.last_changed_at,
    )


def _moved(history: FeedHistory, poll: Poll, now: datetime) -> FeedHistory:
    if poll.moved_to is None and history.moved_to is None:
        return history
    if poll.moved_to is None:
        return replace(history, moved_to=None, moved_seen=0, moved_since=None)
    if poll.moved_to == history.moved_to:
        return replace(history, moved_seen=history.moved_seen + 1)
    return replace(history, moved_to=poll.moved_to, moved_seen=1, moved_since=now)


_MOVED_TIMES, _MOVED_FOR = 3, timedelta(days=2)


def adopted_address(history: FeedHistory, *, now: datetime) -> str | None:
    """The new address of a feed that moved for good: seen three times over two days, never https to http."""
    to, since = history.moved_to, history.moved_since
    if to is None or since is None or history.moved_seen < _MOVED_TIMES or now - since < _MOVED_FOR:
        return None
    return None if history.url.startswith("https:") and not to.startswith("https:") else to


def next_poll(
    history: FeedHistory, poll: Poll, *, now: datetime, intervals: Intervals | None = None
) -> datetime:
    """The instant of the next poll: the latest of what is asked and what we want, bounded and spread."""
    limits = intervals or Intervals()
    wait = _backoff(history, poll, limits) if poll.error is not None else history.interval_s
    asked = min(poll.asked_s or 0, limits.most_s)
    wait = max(_spread(history, wait), asked)
    if poll.retry_after_s is not None:
        wait = max(wait, min(max(int(poll.retry_after_s), 60), limits.asked_most_s))
    return _outside(now + timedelta(seconds=wait), poll.skip_hours)


def _backoff(history: FeedHistory, poll: Poll, limits: Intervals) -> int:
    if _is_blocked(poll):
        return limits.blocked_s
    doubled = limits.usual_s * 2 ** min(max(history.failures - 1, 0), 16)
    return int(min(doubled, limits.backoff_most_s))


def _spread(history: FeedHistory, wait: int) -> int:
    """Plus or minus a tenth, always the same for the same feed and state."""
    seed = int(fingerprint_of(f"{history.url}|{history.failures}|{history.interval_s}")[:8], 16)
    return wait + wait * (seed % 2_001 - 1_000) // 10_000


def _outside(at: datetime, skip_hours: frozenset[int]) -> datetime:
    """The first instant from ``at`` on in no skipped hour; a feed that skips all day is not believed."""
    if len(skip_hours) > 23:
        return at
    at = at.astimezone(UTC)
    while at.hour in skip_hours:
        at = (at + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
    return at


def health(history: FeedHistory, *, now: datetime, quiet_after: timedelta = timedelta(days=60)) -> Health:
    """How the feed stands. Quiet: it answers, but nothing new came for ``quiet_after``."""
    if history.retired_at is not None:
        return Health.RETIRED
    if history.is_blocked:
        return Health.BLOCKED
    if history.failing_since is not None:
        return Health.FAILING
    if history.last_good_at is None:
        return Health.WAITING
    since = history.last_changed_at
    return Health.QUIET if since is None or now - since > quiet_after else Health.FRESH


def silent_since(
    histories: tuple[FeedHistory, ...], *, now: datetime, after: timedelta = timedelta(days=3)
) -> datetime | None:
    """Since when none of a council's feeds could be read, if that is longer than ``after``; else None."""
    if not histories:
        return None
    known = [h.last_good_at or h.failing_since for h in histories if h.failing_since or h.retired_at]
    if len(known) < len(histories):
        return None
    newest = max((k for k in known if k is not None), default=None)
    return newest if newest is not None and now - newest > after else None
