"""``GET /metrics`` for Prometheus: read from the tables at every scrape, so any web process may be asked.

Nothing here counts all readers or all letters: a scrape costs milliseconds at any size. It names nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from digest.errors import DigestError
from digest.pipeline.status import PARKED_FROM
from digest.store import batches, events, feeds, publications, runs, tasks

if TYPE_CHECKING:
    from digest.wiring import Hall


def router_of(hall: Hall) -> APIRouter:
    """``GET /metrics``; 503 while the database cannot be read."""
    router = APIRouter()

    @router.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        """What an alarm needs (docs/operating.md)."""
        registry = CollectorRegistry()
        try:
            with hall.database.read() as connection:
                registry.register(_Read(list(_families(connection, hall.clock()))))
        except DigestError:
            return Response("the database cannot be used\n", status_code=503, media_type="text/plain")
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


class _Read(Collector):
    """What was read, as the library wants it."""

    def __init__(self, found: list[GaugeMetricFamily]) -> None:
        self._found = found

    def collect(self) -> Iterable[GaugeMetricFamily]:
        return self._found


def _families(connection: Connection, now: datetime) -> Iterator[GaugeMetricFamily]:
    unfinished = runs.unfinished_runs(connection)
    yield _one("digest_log_lines", "Lines of the publication log.", publications.last_seq(connection))
    yield _one("digest_runs_unfinished", "Runs with anything left to do.", len(unfinished))
    paused = sum(run.state == "paused" for run in unfinished)
    yield _one("digest_runs_paused", "Runs that wait for an operator.", paused)
    oldest = max(((now - run.slot_at).total_seconds() for run in unfinished), default=0)
    yield _one("digest_run_oldest_seconds", "How long ago the oldest unfinished run's slot was.", oldest)
    standing = GaugeMetricFamily("digest_batches", "Batches of unfinished runs.", labels=("state",))
    counts: dict[str, int] = dict.fromkeys(("waiting", "ready", "claimed", "handed_over", "uncertain"), 0)
    for run in unfinished:
        for state, n in batches.standing(connection, run.id).items():
            counts[state] = counts.get(state, 0) + n
    for state, n in counts.items():
        standing.add_metric((state,), n)
    yield standing
    yield _feeds(connection)
    waiting = len(events.waiting(connection))
    yield _one("digest_events_waiting", "Events stored and not applied; 1000 stands for more.", waiting)
    closed = events.account_closed(connection) is not None
    yield _one("digest_account_closed", "1 while the provider has closed the account.", int(closed))
    yield from _scheduler(connection, now)


def _feeds(connection: Connection) -> GaugeMetricFamily:
    found = GaugeMetricFamily("digest_feeds", "Feeds by how they are.", labels=("state",))
    for state, n in feeds.state_counts(connection).items():
        found.add_metric((state,), n)
    return found


def _scheduler(connection: Connection, now: datetime) -> Iterator[GaugeMetricFamily]:
    known = tasks.all_tasks(connection)
    failing = GaugeMetricFamily("digest_task_failures", "Failures in a row.", labels=("task",))
    for task in known.values():
        failing.add_metric((task.name,), task.failures)
    yield failing
    parked = sum(task.failures >= PARKED_FROM for task in known.values())
    yield _one("digest_tasks_parked", "Tasks that are tried only once an hour.", parked)
    seen = GaugeMetricFamily("digest_seen_seconds", "Since each was last heard of.", labels=("process",))
    for process, at in tasks.heartbeats(connection).items():
        seen.add_metric((process,), (now - at).total_seconds())
    yield seen


def _one(name: str, says: str, value: float) -> GaugeMetricFamily:
    found = GaugeMetricFamily(name, says)
    found.add_metric((), value)
    return found
