"""A scheduler and two workers as processes, one killed while it hands over; ``make trial`` does more."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from scheduler import queue
from tests.trial.crash import LATER, Town

READERS = 120


class QueueTown(Town):
    """The town whose letters workers hand over."""

    def _environment(self) -> dict[str, str]:
        options = {"DIGEST_QUEUE__ENGINE": "procrastinate", "DIGEST_QUEUE__WAKE_S": "0.3"}
        return super()._environment() | options

    def launch(self, *words: str) -> subprocess.Popen[bytes]:
        """`digest scheduler` or `digest worker` beside us."""
        with (self.folder / "stderr.txt").open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "digest", "--now", LATER, *words],
                cwd=self.folder,
                env=self._environment(),
                stdout=subprocess.DEVNULL,
                stderr=said,
            )


@pytest.fixture
def town(tmp_path: Path, postgres_url: str) -> Iterator[QueueTown]:
    with psycopg.connect(queue.conninfo(postgres_url), autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS digest_queue CASCADE")
    yield QueueTown(tmp_path, postgres_url, READERS)
    with psycopg.connect(queue.conninfo(postgres_url), autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS digest_queue CASCADE")


def test_a_worker_killed_while_it_hands_over_costs_nobody_a_letter(town: QueueTown) -> None:
    town.build()
    town.digest("db", "upgrade")
    processes = [town.launch("scheduler"), town.launch("worker"), town.launch("worker")]
    try:
        while town.letters_written() < 10:
            assert processes[0].poll() is None
            time.sleep(0.01)
        processes[1].kill()
        while town.letters_written() < len(town.heard) or not _is_over(town):
            assert processes[2].poll() is None
            time.sleep(0.1)
        for process in (processes[0], processes[2]):
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert town.faults() == []


def _is_over(town: QueueTown) -> bool:
    with psycopg.connect(queue.conninfo(town.database_url)) as connection:
        row = connection.execute("SELECT count(*) FROM run WHERE completed_at IS NOT NULL").fetchone()
    return row == (1,)
