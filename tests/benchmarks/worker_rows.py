"""A run by one worker and by two: `digest worker` processes as a service starts them, on PostgreSQL.

From the moment that the run is made until its last batch is recorded. The provider is the bare sink, which
may take its time as one far away does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import text

from digest.store.database import Database
from tests.benchmarks import run_rows
from tests.benchmarks.sink import sink

MOST_S = 600
_STANDS = """
SELECT (SELECT count(*) FROM run), (SELECT count(*) FROM run WHERE composed_at IS NOT NULL),
       (SELECT count(*) FROM batch WHERE state IN ('waiting', 'ready', 'claimed'))
"""


def by_workers(url: str, readers: int, *, profiles: int, workers: int, answer_s: float) -> dict[str, float]:
    """Seconds of a run of so many readers by so many workers, each answer taking ``answer_s``."""
    database = run_rows.prepare(url, readers, distinct=profiles)
    with tempfile.TemporaryDirectory(prefix="digest-workers-") as folder, sink(answer_s) as port:
        town = _Town(Path(folder), url, port)
        town.call("init")
        town.call("db", "upgrade")
        try:
            for _ in range(workers):
                town.launch("worker")
            town.launch("scheduler", "--yes")
            seconds = _watch(database)
        finally:
            town.end()
    with database.read() as connection:
        taken = connection.execute(text("SELECT sum(size) FROM batch WHERE state = 'handed_over'")).scalar()
    database.close()
    assert taken == readers, taken
    return {"seconds": seconds, "per_second": readers / seconds}


def _watch(database: Database) -> float:
    """Seconds between the first look that sees the run and the first that sees it done."""
    began, until = 0.0, time.monotonic() + MOST_S
    while time.monotonic() < until:
        with database.read() as connection:
            made, composed, open_ = connection.execute(text(_STANDS)).one()
        if made and not began:
            began = time.monotonic()
        if composed and not open_:
            return time.monotonic() - began
        time.sleep(0.02)
    raise AssertionError(f"not done after {MOST_S} s")


class _Town:
    """A folder with settings, and the processes that work there."""

    def __init__(self, folder: Path, url: str, port: int) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._environment = os.environ | {
            "DIGEST_DATABASE_URL": url,
            "DIGEST_QUEUE__ENGINE": "procrastinate",
            "DIGEST_QUEUE__WAKE_S": "0.2",
            "DIGEST_SENDER": "sendgrid",
            "DIGEST_SENDGRID__API_KEY": "SG.sink",
            "DIGEST_SENDGRID__BASE_URL": f"http://127.0.0.1:{port}",
            "DIGEST_SENDGRID__BATCH_SIZE": "1000",
            "DIGEST_SENDGRID__SPREAD": "0s",
            "DIGEST_PUBLICATION__FROM": "digest@example.org",
            "DIGEST_SAFETY__LIVE": "true",
        }

    def call(self, *words: str) -> None:
        """One command to its end."""
        done = subprocess.run(
            self._line(*words), cwd=self._folder, env=self._environment, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()

    def launch(self, *words: str) -> None:
        """One process that works until it is asked to leave; it has begun when this returns."""
        log = self._folder / f"{len(self._processes)}.txt"
        with log.open("wb") as said:
            one = subprocess.Popen(
                self._line(*words),
                cwd=self._folder,
                env=self._environment,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )
        self._processes.append(one)
        while b" started" not in log.read_bytes():
            assert one.poll() is None, log.read_text()
            time.sleep(0.02)

    def end(self) -> None:
        """Ask all to leave, and wait."""
        for one in self._processes:
            one.send_signal(signal.SIGTERM)
        for one in self._processes:
            one.wait(timeout=60)

    def _line(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "digest", "--now", run_rows.NOW.isoformat(), *words]
