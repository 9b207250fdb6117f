"""The clock: a timer that only wakes lanes, a heartbeat, and a way out that takes seconds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from digest.errors import DigestError
from digest.store import tasks
from digest.wiring import Hall
from scheduler.jobs import do
from scheduler.lanes import Lane, LaneThread
from scheduler.steps import FEEDS, HOUSE, LANES, LETTERS, NOTICES, Bench, Step

SLOWER = {NOTICES: 1, LETTERS: 1, FEEDS: 4, HOUSE: 2}
"""How many times the settings' ``queue.wake_s`` each lane sleeps."""
_BEAT_EVERY_S = 15.0
# A lane's last request may take as long as the provider's read time-out; a feed is asked again anyway.
_LEAVE_WITHIN_S = {NOTICES: 75.0, LETTERS: 75.0, FEEDS: 5.0, HOUSE: 10.0}
_LOG = structlog.get_logger()


class Clock:
    """One scheduler. ``make_hall`` gives each lane a hall of its own; ``act`` does or defers its steps."""

    def __init__(
        self,
        make_hall: Callable[[], Hall],
        *,
        wake_s: float,
        is_confirmed: bool = False,
        parts: int = 1,
        groups: int = 1,
        act: Callable[[Bench, Step], None] = do,
        each_beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._make_hall = make_hall
        self._wake_s = wake_s
        self._is_confirmed = is_confirmed
        self._parts, self._groups = parts, groups
        self._act = act
        self._each_beat = each_beat
        self._hall = make_hall()
        self.stop = threading.Event()

    def lane(self, name: str) -> Lane:
        """One lane, with a hall of its own."""
        bench = Bench(
            self._make_hall(),
            should_stop=self.stop.is_set,
            parts=self._parts,
            groups=self._groups,
            is_confirmed=self._is_confirmed,
        )
        return Lane(name, bench, act=self._act)

    def once(self) -> int:
        """One turn of every lane, in this thread; returns how many steps failed."""
        failed = 0
        for name in (HOUSE, FEEDS, NOTICES, LETTERS):
            lane = self.lane(name)
            try:
                lane.turn()
            finally:
                lane.bench.hall.close()
            failed += lane.health.failed
        self._beat()
        return failed

    def run(self) -> bool:
        """Until ``stop`` is set; False when something had to be left in the middle."""
        threads = [LaneThread(name, lambda name=name: self.lane(name), stop=self.stop) for name in LANES]  # type: ignore[misc]
        timer = self._timer(threads)
        for thread in threads:
            thread.start()
        timer.start()
        _LOG.info("scheduler started")
        try:
            while not self.stop.is_set():
                self._beat()
                self._wake_late(threads)
                self.stop.wait(min(_BEAT_EVERY_S, self._wake_s))
        finally:
            self.stop.set()
            timer.shutdown(wait=False)
            left = [one.name for one in threads if not one.leave(within_s=_LEAVE_WITHIN_S[one.name])]
            self._hall.close()
        _LOG.info("scheduler left", unfinished=left)
        return not left

    def _timer(self, threads: list[LaneThread]) -> Any:
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        timer = BackgroundScheduler(timezone=UTC)
        for thread in threads:
            timer.add_job(
                thread.wake,
                IntervalTrigger(seconds=self._wake_s * SLOWER[thread.name], timezone=UTC),
                id=thread.name,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
                next_run_time=datetime.now(UTC),
            )
        return timer

    def _wake_late(self, threads: list[LaneThread]) -> None:
        """The timer counts by the wall clock: set back by an hour, it would sleep that hour."""
        for thread in threads:
            if time.monotonic() - thread.woken_at > 3 * self._wake_s * SLOWER[thread.name]:
                thread.wake()

    _beaten_at = -_BEAT_EVERY_S

    def _beat(self) -> None:
        if time.monotonic() - self._beaten_at < _BEAT_EVERY_S:
            return
        self._beaten_at = time.monotonic()
        try:
            with self._hall.database.write() as connection:
                tasks.beat(connection, "scheduler", now=self._hall.clock())
            self._each_beat()
        except DigestError as error:
            _LOG.warning("no heartbeat", why=str(error))
