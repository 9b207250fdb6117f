"""The worst Sunday with a provider: every fault at random, runs killed in pairs, one letter each.

Real processes on both sides, a real SIGKILL, both databases; only the size is small (`make trial` has the
full one).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

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
