"""How tasks go: a failure is logged, counted, backed off and shown by `digest status`; it stops nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from digest.errors import DigestError
from digest.links import without_addresses
from digest.pipeline.status import PARKED_FROM
from digest.store import tasks
from digest.store.database import Database
from scheduler.jobs import StopAskedError

FIRST_WAIT = timedelta(seconds=10)
PARKED_WAIT = timedelta(hours=1)
"""A parked task is tried again this often: what it waited for may have been mended."""
NEVER_LONG_WAIT = timedelta(minutes=1)
"""Looks, and people who wait for a confirmation, are tried again at least this often."""
STALLS_PARKED_FROM = 20
_MOST_DOUBLINGS = 5
_LOG = structlog.get_logger()


class Health:
    """Tries tasks and remembers how they went: in the database, and here for when there is none."""

    def __init__(
        self, database: Database, *, clock: Callable[[], datetime], kept: frozenset[str] = frozenset()
    ) -> None:
        """``kept``: tasks whose last success is worth a row."""
        self._database = database
        self._clock = clock
        self._kept = kept
        self._failing: set[str] = set()
        self._not_before: dict[str, float] = {}
        self.failed = 0

    def may_try(self) -> Callable[[str], bool]:
        """Which tasks may be tried now, as all processes have found them so far."""
        now = self._clock()
        with self._database.read() as connection:
            known = tasks.all_tasks(connection)
        self._failing |= {name for name, task in known.items() if task.failures}
        # Nothing waits longer than a parked task: a clock that ran ahead may have written anything.
        waits = {
            name
            for name, task in known.items()
            if task.next_try_at is not None and now < task.next_try_at <= now + PARKED_WAIT
        }
        return lambda name: name not in waits and time.monotonic() >= self._not_before.get(name, 0)

    def attempt(self, name: str, work: Callable[[], None]) -> bool:
        """Do it; False when it failed. Never raises."""
        try:
            work()
        except StopAskedError:
            return True
        except Exception as error:  # noqa: BLE001 (a failing task never stops the others)
            self.note_failure(name, said(error))
            return False
        self._note_ok(name)
        return True

    def _note_ok(self, name: str) -> None:
        self._not_before.pop(name, None)
        if name not in self._failing and name not in self._kept:
            return
        self._failing.discard(name)
        try:
            with self._database.write() as connection:
                tasks.note_ok(connection, name, now=self._clock(), is_kept=name in self._kept)
        except DigestError as error:
            _LOG.warning("success not noted", task=name, why=said(error))

    def note_stalled(self, name: str) -> None:
        """Its worker died or froze. That may be the machine's fault: only after many is the task put off."""
        now = self._clock()
        with self._database.write() as connection:
            known = tasks.all_tasks(connection).get(name)
            failures = 1 + (known.failures if known else 0)
            next_try_at = now + PARKED_WAIT if failures >= STALLS_PARKED_FROM else now
            why = f"its worker died or froze, {failures} times in a row"
            tasks.note_failed(connection, name, why=why, now=now, next_try_at=next_try_at)
        _LOG.warning("job stalled", task=name, failures=failures)

    def note_failure(self, name: str, why: str) -> None:
        """Count a failure and put the task off: 10 s, twice as long each time, an hour once it is parked."""
        self.failed += 1
        self._failing.add(name)
        self._not_before[name] = time.monotonic() + FIRST_WAIT.total_seconds()
        failures = 1
        try:
            with self._database.write() as connection:
                known = tasks.all_tasks(connection).get(name)
                failures = 1 + (known.failures if known else 0)
                now = self._clock()
                next_try_at = now + wait_after(failures, name=name)
                tasks.note_failed(connection, name, why=why, now=now, next_try_at=next_try_at)
        except DigestError as error:
            _LOG.warning("failure not noted", task=name, why=said(error))
        is_parked = failures >= PARKED_FROM
        _LOG.warning("task parked" if is_parked else "task failed", task=name, failures=failures, why=why)


def wait_after(failures: int, *, name: str = "") -> timedelta:
    """How long a task rests after so many failures in a row."""
    wait = FIRST_WAIT * (1 << min(failures - 1, _MOST_DOUBLINGS))
    if name == "notices" or name.startswith("look:"):
        return min(wait, NEVER_LONG_WAIT)
    return PARKED_WAIT if failures >= PARKED_FROM else wait


def said(error: BaseException) -> str:
    """An error as one line without anybody's address."""
    text = " ".join(str(error).split())
    shown = text if isinstance(error, DigestError) else f"{type(error).__name__}: {text}"
    return without_addresses(shown)[:500]
