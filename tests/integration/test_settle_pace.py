"""How fast letters leave, and how long a run waits for a provider that asks to slow down."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from digest.model import Outcome, Outgoing, Refused
from digest.pipeline.run import Works, run_due
from digest.store.database import Database
from tests.integration.ledger_town import SUNDAY, Town


@pytest.fixture
def town(database: Database) -> Town:
    found = Town(database)
    found.subscribe(6)
    found.publish(1)
    return found.at(SUNDAY)


def slow(town: Town, holder: str, *, per_hour: int) -> Works:
    works = town.works(holder, claim_size=2)
    return replace(works, desk=replace(works.desk, letters_per_hour=per_hour))


def letters(town: Town) -> int:
    return sum(len(said) for said in town.letters().values())


def test_all_workers_together_keep_to_the_hourly_limit(town: Town) -> None:
    for holder in ("one", "two", "one"):
        run_due(slow(town, holder, per_hour=120), patience=timedelta(seconds=2))
    assert letters(town) == 2  # one batch of two; the next may leave a minute later
    town.now += timedelta(minutes=1)
    run_due(slow(town, "two", per_hour=120), patience=timedelta(seconds=2))
    assert letters(town) == 4


def test_with_patience_a_run_waits_for_the_limit_and_ends_whole(town: Town) -> None:
    (report,) = run_due(slow(town, "one", per_hour=3600), patience=timedelta(minutes=1))
    assert report.counts["handed_over"] == 6
    assert town.now - SUNDAY >= timedelta(seconds=4)


def put_off(town: Town, *, by: timedelta) -> None:
    """The provider asks once to come back later."""
    answers = iter([Refused("slow down", is_final=False, retry_at=SUNDAY + by)])

    def before(outgoing: Outgoing) -> Outcome | None:
        return next(answers, None)

    town.sender.before = before


def test_a_provider_that_asks_to_slow_down_is_asked_again_at_its_time(town: Town) -> None:
    put_off(town, by=timedelta(seconds=30))
    (report,) = run_due(town.works(), patience=timedelta(minutes=1))
    assert report.counts["handed_over"] == 6
    assert timedelta(seconds=30) <= town.now - SUNDAY < timedelta(seconds=32)


def test_patience_bounds_the_wait(town: Town) -> None:
    put_off(town, by=timedelta(hours=1))
    (report,) = run_due(town.works(), patience=timedelta(minutes=1))
    assert (report.counts["handed_over"], report.counts["open"]) == (4, 2)
    assert town.now == SUNDAY
