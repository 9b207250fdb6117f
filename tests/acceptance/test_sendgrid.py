"""The worst Sunday with a provider: every fault at random, runs killed in pairs, one letter each.

Real processes on both sides, a real SIGKILL, both databases; only the size is small (`make trial` has the
full one).
"""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.processes import until
from tests.trial.sendgrid import FAULTS, MailingTown, Provider, provider

SIZE = 1_000


@pytest.fixture
def seed() -> int:
    """Chosen anew each time and printed with a failure: put it here to see the same choices again."""
    found = random.SystemRandom().randrange(10**6)
    print(f"seed {found}")
    return found


@pytest.fixture
def fake(seed: int) -> Iterator[Provider]:
    running = provider(faults=FAULTS, seed=seed)
    yield running
    running.close()


@pytest.mark.slow
def test_killed_against_a_failing_provider_each_reader_gets_one_letter(
    tmp_path: Path, database_url: str, fake: Provider, seed: int
) -> None:
    town = MailingTown(tmp_path, database_url, SIZE, batch_size=20, claim_size=40, to=fake, seed=seed)
    town.build()
    fake.clock("2025-09-07T18:00:00+01:00")
    town.kill_at_random(5, most_s=60)
    assert town.kills, "nobody was killed: nothing was tried"
    town.leave(3)
    town.finish()
    assert town.wrong() == []


@pytest.fixture
def good(seed: int) -> Iterator[Provider]:
    """A provider that fails nobody."""
    running = provider(faults=0, seed=seed)
    yield running
    running.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_leave_a_run_puts_back_what_it_has_not_sent(
    tmp_path: Path, database_url: str, good: Provider, seed: int, number: signal.Signals
) -> None:
    town = MailingTown(tmp_path, database_url, SIZE, batch_size=2, claim_size=200, to=good, seed=seed)
    town.build()
    good.clock("2025-09-07T18:00:00+01:00")
    running = town.start()
    until(lambda: good.letters().total() >= 20 or running.is_over())
    running.popen.send_signal(number)
    assert running.end() == 130
    sent = good.letters()
    (run,) = town.runs()
    assert (run["uncertain"], run["handed_over"]) == (0, sent.total())
    assert run["open"] > 0
    assert "start it again to go on" in (tmp_path / "stderr.txt").read_text()
    assert town.start().end() == 0
    assert sorted(good.letters()) == sorted(town.heard)
    assert set(good.letters().values()) == {1}
    assert town.ledger_faults() == []
