"""How fast letters leave, and how long a run waits for a provider that asks to slow down."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from digest.model import InDoubt, Outcome, Outgoing, Refused
from digest.pipeline import settle
from digest.pipeline.run import Works, run_due
from digest.slots import window_of
from digest.store import runs
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


# --- the hours of sending ---------------------------------------------------------------------------------


def by_day(town: Town) -> Works:
    works = town.works()
    return replace(works, desk=replace(works.desk, send_between=window_of("06:00-22:00")))


def test_what_was_put_off_into_the_night_waits_for_the_day(town: Town) -> None:
    put_off(town, by=timedelta(hours=3))
    run_due(by_day(town), patience=timedelta(0))
    town.now = SUNDAY + timedelta(hours=4)  # 22:00 in London
    (report,) = run_due(by_day(town), patience=timedelta(minutes=10))
    assert (report.counts["handed_over"], report.counts["open"]) == (4, 2)
    assert town.now == SUNDAY + timedelta(hours=4)
    town.now = SUNDAY + timedelta(hours=12)
    (report,) = run_due(by_day(town), patience=timedelta(0))
    assert report.counts["handed_over"] == 6


def test_with_patience_a_run_waits_for_the_day_that_is_near(town: Town) -> None:
    put_off(town, by=timedelta(hours=3))
    run_due(by_day(town), patience=timedelta(0))
    town.now = SUNDAY + timedelta(hours=12) - timedelta(seconds=30)
    (report,) = run_due(by_day(town), patience=timedelta(minutes=1))
    assert report.counts["handed_over"] == 6
    assert town.now - SUNDAY >= timedelta(hours=12)


def test_letters_in_doubt_that_go_again_wait_for_the_day_too(town: Town) -> None:
    town.sender.before = lambda outgoing: InDoubt("no answer")
    (report,) = run_due(by_day(town), patience=timedelta(0))
    town.sender.before = lambda outgoing: None
    town.now = SUNDAY + timedelta(hours=5)
    with town.database.write() as connection:
        runs.resume_run(connection, report.run.id)
    assert (
        settle.settle_by_hand(
            town.database, report.run.id, is_sent=False, batch_id=None, now=town.now
        ).batches
        == 3
    )
    (night,) = run_due(by_day(town), patience=timedelta(0))
    town.now = SUNDAY + timedelta(hours=12)
    (day,) = run_due(by_day(town), patience=timedelta(0))
    assert (night.counts["handed_over"], day.counts["handed_over"]) == (0, 6)
