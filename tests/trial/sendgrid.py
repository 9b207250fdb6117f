"""A town that mails through the fake provider: real processes on both sides, every fault at random, kills."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.trial.crash import SUNDAY, TIMEOUT_S, Process, Town

FAULTS = 0.25
# After the lag of the logs, as long as the readers' slot is still fresh.
MUCH_LATER = "2025-09-07T20:30:00+01:00"
_VARIABLES = re.compile(r'webhook_public_key = "([^"]+)"')


@dataclass
class Provider:
    """`digest fake-sendgrid` as a process of its own."""

    popen: subprocess.Popen[str]
    url: str
    public_key: str

    def ask(self, path: str, document: object | None = None) -> Any:
        """One request to it."""
        body = None if document is None else json.dumps(document).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, body), timeout=60) as answer:
            return json.loads(answer.read())

    def letters(self) -> Counter[str]:
        """Letters by address that were accepted."""
        return Counter(letter["address"] for letter in self.ask("/__fake/outbox"))

    def clock(self, now: str) -> None:
        """Let its clock show that instant."""
        self.ask("/__fake/clock", {"now": datetime.fromisoformat(now).timestamp()})

    def close(self) -> None:
        """End it."""
        self.popen.kill()
        self.popen.wait()


def provider(*, faults: float, seed: int) -> Provider:
    """A fake that goes wrong in every way it can."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    command = [sys.executable, "-m", "digest", "fake-sendgrid", "--port", "0", "--seed", str(seed)]
    popen = subprocess.Popen(
        [*command, "--faults", str(faults)],
        env=os.environ | {"PYTHONPATH": root, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert popen.stdout is not None
    assert popen.stderr is not None
    url, key = popen.stdout.readline().strip(), None
    while key is None:
        key = _VARIABLES.search(popen.stderr.readline())
    return Provider(popen, url, key[1])


@dataclass
class MailingTown(Town):
    """The town with SendGrid as its sender, live."""

    to: Provider | None = None
    seed: int = 0
    kills: int = 0
    left: list[str] = field(default_factory=list)

    def _environment(self) -> dict[str, str]:
        assert self.to is not None
        kept = {k: v for k, v in super()._environment().items() if k != "DIGEST_OUTBOX__BATCH_SIZE"}
        return kept | {
            "DIGEST_SENDER": "sendgrid",
            "DIGEST_SENDGRID__BASE_URL": self.to.url,
            "DIGEST_SENDGRID__API_KEY": "SG.fake",
            "DIGEST_SENDGRID__BATCH_SIZE": str(self.batch_size),
            "DIGEST_SENDGRID__WEBHOOK_PUBLIC_KEY": self.to.public_key,
            "DIGEST_PUBLICATION__FROM": "digest@aber.example",
            "DIGEST_SAFETY__LIVE": "true",
            "DIGEST_SAFETY__MAX_DOUBTFUL": "1000",
            "DIGEST_SENDGRID__NOT_SENT_AFTER": "1h",
        }

    def start(self, now: str = SUNDAY) -> Process:
        """Start a live `digest run` beside us."""
        with (self.folder / "stderr.txt").open("ab") as said:
            return Process(
                subprocess.Popen(
                    [sys.executable, "-m", "digest", "--now", now, "run", "--yes", "--patience", "5s"],
                    cwd=self.folder,
                    env=self._environment(),
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    start_new_session=True,
                )
            )

    def kill_at_random(self, times: int, *, most_s: float) -> None:
        """Two runs at once, killed while they hand over, so many times or until there is nothing to do.

        About every second dies alone and leaves its helpers, as if the system had been short of memory.
        On a machine so busy that no run lives to hand over a letter, the next ones live twice as long.
        """
        dice, begun, now = random.Random(self.seed), time.monotonic(), datetime.fromisoformat(SUNDAY)
        started: list[Process] = []
        barren = 0
        while barren or (self.kills < times and time.monotonic() - begun < most_s):
            # Each pair begins a little later, as the provider's clock does.
            now += timedelta(seconds=5)
            pair = [self.start(now.isoformat()), self.start(now.isoformat())]
            started += pair
            pairs_to_come = max((times - self.kills) // 2, 1)
            self._wait_for_a_moment(pair, dice, pairs_to_come=pairs_to_come, lives=2**barren)
            barren = 0 if self._accepted() else barren + 1
            assert barren < 8, "no run lived to hand over a letter: nothing was tried"
            is_done = all(p.is_over() and p.popen.returncode == 0 for p in pair)
            for process in pair:
                self.kills += not process.is_over()
                process.kill(alone=dice.random() < 0.5)
            if is_done:
                break
        for process in started:
            process.kill()

    def _wait_for_a_moment(
        self, pair: list[Process], dice: random.Random, *, pairs_to_come: int, lives: int
    ) -> None:
        """Until some more letters were taken, or some time is over: the last ones may have to wait long."""
        accepted = self._accepted()
        # So many letters that some are left for all pairs that are to be killed.
        share = max(len(self.heard) - accepted, 1) // pairs_to_come
        until = accepted + dice.randint(1, max(2, share))
        most = time.monotonic() + dice.uniform(2, 8) * lives
        while not all(p.is_over() for p in pair) and self._accepted() < until and time.monotonic() < most:
            time.sleep(0.005)

    def _accepted(self) -> int:
        assert self.to is not None
        return int(self.to.ask("/__fake/state")["messages"])

    def leave(self, n: int) -> None:
        """Some who have got nothing yet leave, before anything more is claimed."""
        assert self.to is not None
        # What the provider takes late was claimed before they left.
        self.to.ask("/__fake/clock", {"advance": 120})
        got = self.to.letters()
        self.left = [one for one in self.heard if one not in got][-n:]
        if self.left:
            self.digests([("subscriber", "leave", one) for one in self.left], now=SUNDAY)

    def finish(self) -> None:
        """Without faults now: half of the provider's posts are read, and two last runs ask its logs."""
        assert self.to is not None
        self.to.ask("/__fake/faults", {"probability": 0})
        self.to.clock(MUCH_LATER)
        events = self.folder / "events.jsonl"
        posts = [json.loads(post["body"]) for post in self.to.ask("/__fake/events", {})[::2]]
        events.write_text("\n".join(json.dumps(post) for post in posts))
        self.digests([("events", "replay", "events.jsonl")], now=MUCH_LATER)
        last = [self.start(MUCH_LATER), self.start(MUCH_LATER)]
        for process in last:
            process.popen.wait(timeout=TIMEOUT_S)

    def wrong(self) -> list[str]:
        """What is wrong after the last run, in sentences."""
        assert self.to is not None
        got = self.to.letters()
        expected = set(self.heard) - set(self.left)
        found = []
        if missing := sorted(expected - set(got)):
            found.append(f"{len(missing)} got no letter, {missing[:3]} among them")
        if strangers := sorted(set(got) - expected):
            found.append(f"{len(strangers)} got a letter and should not, {strangers[:3]} among them")
        if doubles := sorted(address for address, n in got.items() if n > 1):
            found.append(f"{len(doubles)} got more than one letter, {doubles[:3]} among them")
        return found + self.ledger_faults()
