"""A town for crash tests: real processes, killed at random. Commands go in, letters and counts come out.

What each reader must get is known from how the town was made, so nothing here looks into the database.
"""

from __future__ import annotations

import email
import email.policy
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

THURSDAY = "2025-09-04T09:00:00Z"
SUNDAY = "2025-09-07T18:00:00+01:00"
LATER = "2025-09-07T18:30:00+01:00"
TIMEOUT_S = 300

COUNCILS = {"aber": "full", "bury": "full", "crewe": "limited", "dover": "full"}
COMMITTEES = ("Planning", "Audit", "Housing")
DETAILS = ("headline", "brief", "full")
# (councils, committees): what is wished, and whether there is news for it.
HEARD = (
    ("aber", ""),
    ("bury", ""),
    ("aber;bury", ""),
    ("aber;crewe", ""),
    ("aber;bury;crewe;dover", ""),
    ("aber", "aber/Planning"),
    ("bury", "-bury/Audit"),
    ("bury;dover", "bury/Housing"),
)
SILENT = (("crewe", ""), ("dover", ""), ("crewe;dover", ""), ("aber", "aber/Licensing"))
NEWS = [(slug, committee) for slug in ("aber", "bury", "crewe") for committee in COMMITTEES]

SUMMARY = """---
council: {slug}
committee: {committee}
title: {committee} of {slug}, {word}
starts_at: 2025-09-03T10:00
url: https://{slug}.example/{committee}
origin: human
---
The committee met and agreed what it had to agree.

## What was decided

- The first point was agreed.
- The second point waits.
"""


_ALL_OF_THEM = """
import json, sys
from digest.cli import app
for arguments in json.loads(sys.argv[1]):
    app(arguments, standalone_mode=False)
"""


@dataclass
class Process:
    """A `digest run` that was started."""

    popen: subprocess.Popen[bytes]

    def kill(self, *, alone: bool = False) -> None:
        """SIGKILL: nothing after this instant is done. ``alone``: its helpers see that it is gone."""
        with suppress(ProcessLookupError):
            if alone:
                self.popen.kill()
            else:
                os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def stop(self) -> None:
        """SIGSTOP, with its helpers: frozen until `wake`."""
        os.killpg(self.popen.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """SIGCONT."""
        os.killpg(self.popen.pid, signal.SIGCONT)

    def is_over(self) -> bool:
        """Whether it has ended by itself."""
        return self.popen.poll() is not None

    def end(self) -> int:
        """Wait for its own end; its exit code."""
        return self.popen.wait(timeout=TIMEOUT_S)


@dataclass
class Town:
    """Councils with news, readers, and a folder with settings and outbox."""

    folder: Path
    database_url: str
    size: int
    batch_size: int = 5
    claim_size: int = 20
    heard: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    wishes: dict[str, tuple[str, str]] = field(default_factory=dict)

    # --- commands ------------------------------------------------------------------------------------

    def digest(self, *arguments: str, now: str = THURSDAY, is_ok: bool = True) -> str:
        """Run one command to its end; its stdout. Raises: AssertionError when it fails and should not."""
        return self.digests([arguments], now=now, is_ok=is_ok)

    def digests(self, commands: list[tuple[str, ...]], *, now: str = THURSDAY, is_ok: bool = True) -> str:
        """Run commands one after another in one process (each would need a second to begin)."""
        lines = json.dumps([["--now", now, *command] for command in commands])
        done = subprocess.run(
            [sys.executable, "-c", _ALL_OF_THEM, lines],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        if is_ok and done.returncode != 0:
            raise AssertionError(f"digest {commands} ended {done.returncode}: {done.stderr}")
        return done.stdout

    def start(self, now: str = SUNDAY) -> Process:
        """Start a `digest run` beside us."""
        with (self.folder / "stderr.txt").open("ab") as said:
            return Process(
                subprocess.Popen(
                    [sys.executable, "-m", "digest", "--now", now, "run", "--patience", "60s"],
                    cwd=self.folder,
                    env=self._environment(),
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    start_new_session=True,
                )
            )

    def _environment(self) -> dict[str, str]:
        root = Path(__file__).resolve().parent.parent.parent
        kept = {k: v for k, v in os.environ.items() if not k.startswith("DIGEST_")}
        return kept | {
            "PYTHONPATH": str(root),
            "DIGEST_DATABASE_URL": self.database_url,
            "DIGEST_OUTBOX__BATCH_SIZE": str(self.batch_size),
            "DIGEST_DISPATCH__CLAIM_SIZE": str(self.claim_size),
        }

    # --- the town --------------------------------------------------------------------------------------

    def build(self) -> Town:
        """Make everything up to the moment before the Sunday slot."""
        self._write_readers(self.folder / "readers.csv")
        news = self.folder / "news"
        news.mkdir()
        for slug, committee in NEWS:
            words = SUMMARY.format(slug=slug, committee=committee, word=word_of(slug, committee))
            (news / f"{slug}-{committee}.md").write_text(words)
        councils = [
            ("council", "add", slug, "--name", slug.title(), "--support", support)
            for slug, support in COUNCILS.items()
        ]
        taken_in = [("summary", "import", "news"), ("subscriber", "import", "readers.csv")]
        self.digests([("init",), *councils, *taken_in])
        return self

    def _write_readers(self, path: Path) -> None:
        lines = ["email,councils,committees,detail,status,consent_source,consent_at"]
        for i in range(self.size):
            address = f"reader{i}@test.example"
            # One in ten has nothing to hear, one in twenty has not confirmed.
            is_silent, is_pending = i % 10 == 3, i % 20 == 7
            wishes = SILENT if is_silent else HEARD
            councils, committees = self.wishes[address] = wishes[i // 10 % len(wishes)]
            status = "pending" if is_pending else "active"
            lines.append(f"{address},{councils},{committees},{DETAILS[i % 3]},{status},form,{THURSDAY}")
            (self.pending if is_pending else self.silent if is_silent else self.heard).append(address)
        path.write_text("\n".join(lines) + "\n")

    # --- what came out -----------------------------------------------------------------------------------

    def letters_written(self) -> int:
        """How many letters lie in the outbox now."""
        return sum(1 for _ in self._letter_paths())

    def _letter_paths(self) -> Iterator[Path]:
        try:
            for run in os.scandir(self.folder / "outbox"):
                for entry in os.scandir(run.path):
                    if entry.name.endswith(".eml"):
                        yield Path(entry.path)
        except FileNotFoundError:
            return

    def readers_written_to(self) -> Counter[str]:
        """Letters by address, by their To header."""
        found: Counter[str] = Counter()
        for path in self._letter_paths():
            with path.open("rb") as file:
                head = file.read(4096)
            to = re.search(rb"(?mi)^To:.*?([\w.+-]+@[\w.-]+)", head)
            assert to, f"{path} names nobody"
            found[to[1].decode()] += 1
        return found

    def letter_to(self, address: str) -> EmailMessage:
        """The only letter to somebody."""
        for path in self._letter_paths():
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            if address in str(message["To"]):
                return message
        raise AssertionError(f"no letter to {address}")

    def runs(self) -> list[dict[str, Any]]:
        """`run list --json`."""
        found: list[dict[str, Any]] = json.loads(self.digest("run", "list", "--json"))["runs"]
        return found

    def faults(self, *, expected: set[str] | None = None) -> list[str]:
        """What is wrong after the last run, in sentences; empty means every promise was kept."""
        wanted = set(self.heard) if expected is None else expected
        got = self.readers_written_to()
        found = []
        if missing := sorted(wanted - set(got)):
            found.append(f"{len(missing)} got no letter, {missing[:3]} among them")
        if strangers := sorted(set(got) - wanted):
            found.append(f"{len(strangers)} got a letter and should not, {strangers[:3]} among them")
        if doubles := sorted(address for address, n in got.items() if n > 1):
            found.append(f"{len(doubles)} got more than one letter, {doubles[:3]} among them")
        return found + self.ledger_faults()

    def ledger_faults(self) -> list[str]:
        """What the counts of the runs and `db check` find wrong."""
        answers = self.digests([("run", "list", "--json"), ("db", "check", "--json")], is_ok=False)
        documents = [json.loads(part) for part in answers.replace("\n}\n{", "\n}\0{").split("\0")]
        found = [fault for run in documents[0]["runs"] for fault in _faults_of(run)]
        wrong: list[str] = documents[1]["wrong"]
        return found + wrong


ENDS = (
    "handed_over", "empty", "left", "suppressed", "bad_address", "refused", "held_back", "cancelled",
    "expired", "uncertain", "open",
)  # fmt: skip


def _faults_of(run: dict[str, Any]) -> list[str]:
    found = []
    if run["due"] != sum(run[name] for name in ENDS):
        found.append(f"run {run['id']}: {run['due']} were due, the ends add up to another number: {run}")
    if run["open"] or run["uncertain"]:
        found.append(f"run {run['id']}: {run['open']} open, {run['uncertain']} in doubt")
    if run["state"] != "completed":
        found.append(f"run {run['id']} is {run['state']}")
    return found


def word_of(slug: str, committee: str) -> str:
    """A word that only letters about that meeting hold."""
    return f"word{slug}{committee}".lower()


@dataclass
class Killer:
    """Kills runs of a town at random moments; every choice comes from one seed."""

    town: Town
    seed: int
    kills: int = 0
    _to_first_letter_s: float = 0.0

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def go(self, times: int, *, at_once: int = 1, most_s: float = math.inf) -> None:
        """Start runs and kill them so many times, until everything is done or the time is over."""
        begun = time.monotonic()
        while self.kills < times and time.monotonic() - begun < most_s:
            processes = [self.town.start() for _ in range(at_once)]
            had = self.town.letters_written()
            # So many that some are left for every kill.
            most = max(2, (len(self.town.heard) - had) // (times - self.kills))
            if self._to_first_letter_s and self._dice.random() < 0.4:
                self._wait_some_time(processes, upto=had + most)
            else:
                self._wait_for_letters(processes, had=had, upto=had + self._dice.randint(1, most))
            # One that has ended well may have left the rest to the other, which is killed now.
            is_done = self.town.letters_written() >= len(self.town.heard)
            for process in processes:
                self.kills += not process.is_over()
                process.kill(alone=self._dice.random() < 0.5)
            if is_done:
                return

    def _wait_for_letters(self, processes: list[Process], *, had: int, upto: int) -> None:
        """Until some more letters lie there: a moment in the middle of handing over."""
        begun = time.monotonic()
        while (n := self.town.letters_written()) < upto and not _are_over(processes):
            if n > had and not self._to_first_letter_s:
                self._to_first_letter_s = time.monotonic() - begun
            time.sleep(0.002)

    def _wait_some_time(self, processes: list[Process], *, upto: int) -> None:
        """About as long as a process needs to begin: in planning, composing, the first claim.

        Who goes on with what others have planned needs less, and would be through with all letters by then.
        """
        until = time.monotonic() + self._dice.uniform(0.4, 1.1) * self._to_first_letter_s
        while time.monotonic() < until and self.town.letters_written() < upto and not _are_over(processes):
            time.sleep(0.002)


def _are_over(processes: list[Process]) -> bool:
    return all(process.is_over() for process in processes)
