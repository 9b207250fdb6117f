"""`digest worker`: takes steps from the queue, one thread and one hall for each of its queues.

Whatever happens to a job, the step's fate is in the ledger and in the task's row; Procrastinate only brings
wake-ups, so jobs are deleted when they end, well or not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import structlog
from procrastinate import App

from digest.errors import DigestError, UsageError
from digest.store import runs, tasks
from digest.wiring import Hall
from scheduler.health import Health
from scheduler.jobs import JOBS, do
from scheduler.queue import HEARTBEAT_S, QUEUES, STALLED_AFTER_S, Queue, async_app
from scheduler.steps import HOUSE_EVERY, LANES, LETTERS, Bench, Step, steps_of_run

_BEAT_EVERY_S = 10.0
_COME_BACK_S = 1.0
_LOG = structlog.get_logger()


class Worker:
    """One worker process. ``make_hall`` gives each queue's thread a hall of its own."""

    def __init__(
        self, make_hall: Callable[[], Hall], *, queues: Sequence[str] = (), parts: int, wake_s: float
    ) -> None:
        """Raises: UsageError for an unknown queue."""
        if unknown := set(queues) - set(LANES):
            raise UsageError(
                f"no queue is called {', '.join(sorted(unknown))}: choose from {', '.join(LANES)}"
            )
        self.stop = threading.Event()
        self._queues = [name for name in LANES if name in queues or not queues]
        self._wake_s = wake_s
        self._hall = make_hall()
        self._url = self._hall.settings.database_url
        self._put = Queue(self._url)
        self._hands = {name: _Hands(make_hall(), self.stop, self._put, parts=parts) for name in self._queues}

    def run(self) -> None:
        """Until ``stop`` is set; what was begun is brought to an end that the ledger knows."""
        try:
            asyncio.run(self._run())
        finally:
            self._put.close()
            for hands in self._hands.values():
                hands.bench.hall.close()
            self._hall.close()

    async def _run(self) -> None:
        _LOG.info("worker started", queues=self._queues)
        working = [asyncio.create_task(self._work(name)) for name in self._queues]
        while not self.stop.is_set():
            await asyncio.to_thread(self._beat)
            await asyncio.to_thread(self.stop.wait, _BEAT_EVERY_S)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        _LOG.info("worker left")

    async def _work(self, queue: str) -> None:
        """Take this queue's jobs; a database that went away is waited for."""
        while not self.stop.is_set():
            try:
                app = async_app(self._url, most=4)
                self._register(app, queue)
                async with app.open_async():
                    await app.run_worker_async(
                        queues=[queue],
                        name=queue,
                        concurrency=1,
                        install_signal_handlers=False,
                        delete_jobs="always",
                        update_heartbeat_interval=HEARTBEAT_S,
                        stalled_worker_timeout=STALLED_AFTER_S,
                        fetch_job_polling_interval=self._wake_s,
                    )
            except Exception as error:  # noqa: BLE001 (a worker outlives its database)
                _LOG.warning("queue lost", queue=queue, kind=type(error).__name__)
            with suppress(asyncio.TimeoutError):
                await asyncio.sleep(_COME_BACK_S)

    def _register(self, app: App, queue: str) -> None:
        for name in (name for name in JOBS if QUEUES.get(name) == queue):
            app.task(name=name, queue=queue)(self._hands[queue].task(name))

    def _beat(self) -> None:
        try:
            with self._hall.database.write() as connection:
                tasks.beat(connection, "worker", now=self._hall.clock())
        except DigestError as error:
            _LOG.warning("no heartbeat", why=str(error))


class _Hands:
    """What one queue's thread does with a job."""

    def __init__(self, hall: Hall, stop: threading.Event, put: Queue, *, parts: int) -> None:
        self.bench = Bench(hall, should_stop=stop.is_set, parts=parts)
        self._health = Health(hall.database, clock=hall.clock, kept=frozenset(HOUSE_EVERY))
        self._put = put

    def task(self, name: str) -> Callable[..., Any]:
        """The function that Procrastinate calls."""

        def work(ids: list[int]) -> None:
            self._do(Step(name, tuple(ids)))

        return work

    def _do(self, step: Step) -> None:
        is_good = self._health.attempt(step.key, lambda: do(self.bench, step))
        if is_good and QUEUES[step.task] == LETTERS and not self.bench.should_stop():
            try:
                self._put.put(one for one in self._next(step) if one.key != step.key)
            except DigestError as error:
                _LOG.warning("next steps not queued", task=step.key, why=str(error))

    def _next(self, step: Step) -> list[Step]:
        """What the run needs now, without waiting for the scheduler's next look."""
        with self.bench.hall.database.read() as connection:
            run = runs.run_by_id(connection, step.ids[0])
            found = steps_of_run(connection, run, bench=self.bench, now=self.bench.hall.clock())
        may_try = self._health.may_try()
        return [one for one in found if may_try(one.key)]
