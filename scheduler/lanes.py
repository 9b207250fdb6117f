"""Lanes: letters, notices, feeds and the house, each with a thread and a hall of its own.

So a run of hours never starves a confirmation or a poll, and whatever a task does to its lane stays there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from digest.errors import DigestError
from digest.wiring import Hall
from scheduler.health import Health
from scheduler.jobs import do
from scheduler.steps import HOUSE_EVERY, LOOKS, Bench, Step

# Planned, composed, handed over, settled: each look finds what the one before made possible.
_ROUNDS = 8
_LOG = structlog.get_logger()


class Lane:
    """One lane at work. ``act`` does a step here, or gives it to whoever is to do it."""

    def __init__(self, name: str, bench: Bench, *, act: Callable[[Bench, Step], None] = do) -> None:
        self.name = name
        self.bench = bench
        self._act = act
        hall = bench.hall
        self.health = Health(hall.database, clock=hall.clock, kept=frozenset(HOUSE_EVERY))

    def turn(self) -> None:
        """Do what there is to do now, and what that makes possible; each step once."""
        done: set[str] = set()
        for _ in range(_ROUNDS):
            steps = [step for step in self._look() if step.key not in done]
            if not steps or self.bench.should_stop():
                return
            for step in steps:
                if self.bench.should_stop():
                    return
                done.add(step.key)
                self.health.attempt(step.key, lambda step=step: self._act(self.bench, step))  # type: ignore[misc]

    def _look(self) -> list[Step]:
        found: list[Step] = []
        look = f"look:{self.name}"

        def work() -> None:
            found.extend(LOOKS[self.name](self.bench))

        try:
            may_try = self.health.may_try()
        except DigestError as error:
            self.health.note_failure(look, str(error))
            return []
        if not may_try(look):
            return []
        self.health.attempt(look, work)
        return [step for step in found if may_try(step.key)]


class LaneThread:
    """A lane in a thread of its own, woken from outside; wakes that come while it works are one."""

    def __init__(self, name: str, make: Callable[[], Lane], *, stop: threading.Event) -> None:
        self.name = name
        self._make = make
        self._stop = stop
        self._awake = threading.Event()
        # A daemon: whatever hangs in a lane, the process can leave.
        self._thread = threading.Thread(target=self._run, name=f"lane {name}", daemon=True)
        self.woken_at = time.monotonic()

    def start(self) -> None:
        """Begin to wait for wakes."""
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        self.woken_at = time.monotonic()
        self._awake.set()

    def leave(self, *, within_s: float) -> bool:
        """Wait for the end of what it does; False when it did not end in time."""
        self._awake.set()
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        lane = self._make()
        try:
            while not self._stop.is_set():
                self._awake.wait()
                self._awake.clear()
                if not self._stop.is_set():
                    self._turn(lane)
        finally:
            _close(lane.bench.hall)

    def _turn(self, lane: Lane) -> None:
        try:
            lane.turn()
        except Exception as error:  # noqa: BLE001 (a lane goes on whatever happened in one turn)
            _LOG.error("lane failed", lane=self.name, kind=type(error).__name__)


def _close(hall: Hall) -> None:
    try:
        hall.close()
    except Exception as error:  # noqa: BLE001 (leaving: what cannot be closed is closed by the end of the process)
        _LOG.warning("not closed", kind=type(error).__name__)
