"""Is everything all right? In one look, without counting a million rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from digest import slots
from digest.model import BatchState
from digest.pipeline.events import DROPPED, often_failing
from digest.pipeline.run import Works
from digest.store import (
    audit,
    batches,
    councils,
    desk,
    events,
    feeds,
    profiles,
    publications,
    runs,
    subscribers,
    tasks,
)

PARKED_FROM = 5
"""A task of the scheduler that failed so often in a row is parked: tried once an hour until it goes well."""


_DROPS_COUNT_FOR = timedelta(days=14)


def status_of(works: Works) -> dict[str, Any]:
    """Councils, feeds, summaries, subscribers, runs and the next slot; instants are aware."""
    now = works.desk.clock()
    with works.database.read() as connection:
        found = councils.all_councils(connection)
        all_feeds = feeds.all_feeds(connection)
        waiting = desk.summary_counts(connection)["draft"]
        unfinished = runs.unfinished_runs(connection)
        newest = runs.all_runs(connection, limit=1)
        schedules = profiles.schedules_by_id(connection)
        in_use = subscribers.schedules_in_use(connection)
        states = subscribers.state_counts(connection)
        log_lines = publications.last_seq(connection)
        closed = events.account_closed(connection)
        failing = often_failing(connection, now=now)
        dropped = audit.facts_since(connection, DROPPED, since=now - _DROPS_COUNT_FOR, most=10)
        known = tasks.all_tasks(connection)
        seen = tasks.heartbeats(connection)
        in_doubt = {
            str(run.id): letters
            for run in unfinished
            if (letters := batches.letters_in(connection, run.id, BatchState.UNCERTAIN))
        }
        silent = feeds.silences(connection, before=now - works.limits.silent_after)
    return {
        "now": now,
        "councils": _tally(council.support.value for council in found),
        "feeds": _tally(feed.state for feed in all_feeds),
        "silent_councils": sorted(silent),
        "silent_since": {slug: _day(since) for slug, since in sorted(silent.items())},
        "blocked_feeds": [feed.url for feed in all_feeds if feed.state == "blocked"],
        "summaries_waiting_for_approval": waiting,
        "log_lines": log_lines,
        "subscribers": states,
        "last_run": newest[0].id if newest else None,
        "unfinished_runs": [run.id for run in unfinished],
        "paused_runs": [f"{run.id}: {run.why}" for run in unfinished if run.state == "paused"],
        "letters_in_doubt": in_doubt,
        "account_closed": closed.why if closed else None,
        "letters_dropped": {subject.partition(":")[2]: facts["why"] for subject, facts in dropped.items()},
        "readers_whose_letters_often_fail": failing,
        "scheduler_seen_at": seen.get("scheduler"),
        "failing_tasks": [f"{t.name}: {t.why}" for t in known.values() if 0 < t.failures < PARKED_FROM],
        "parked_tasks": [f"{t.name}: {t.why}" for t in known.values() if t.failures >= PARKED_FROM],
        "next_slot": _next_slot((schedules[id_] for id_ in in_use), now),
    }


def _day(at: datetime) -> str:
    return at.date().isoformat()


def _tally(words: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return dict(sorted(counts.items()))


def _next_slot(schedules: Any, now: datetime) -> datetime | None:
    return min((slots.next_slot(schedule, now) for schedule in schedules), default=None)
