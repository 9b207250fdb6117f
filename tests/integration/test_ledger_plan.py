"""Who is due and what they are owed: planning, slots, marks, and ranges without gap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from digest import slots
from digest.errors import StoreError
from digest.model import RunState
from digest.pipeline import plan
from digest.pipeline.run import run_due
from digest.store import runs
from digest.store.database import Database
from tests.integration.ledger_town import RULES, SUNDAY, WEEK, Town, following


@pytest.fixture
def town(database: Database) -> Iterator[Town]:
    """A town on each database, whose ledger must be sound at the end of every story."""
    found = Town(database)
    yield found
    assert found.broken() == []


LEDGER = (
    "SELECT * FROM run",
    "SELECT * FROM edition",
    "SELECT * FROM batch",
    "SELECT * FROM delivery",
    "SELECT * FROM subscriber",
)


def everything(town: Town) -> list[list[str]]:
    return [sorted(map(repr, town.rows(query))) for query in LEDGER]


def test_planning_twice_changes_nothing(town: Town) -> None:
    town.publish(1)
    town.subscribe(5)
    run = town.planned()
    before = everything(town)
    town.plan(run)
    plan.open_due_runs(town.database, now=town.now, rules=RULES)
    assert everything(town) == before


def test_planning_again_before_it_was_whole_changes_nothing_for_who_is_planned(town: Town) -> None:
    town.publish(1)
    town.subscribe(3)
    (run,) = plan.open_due_runs(town.database, now=SUNDAY, rules=RULES)
    plan.plan(town.database, run, rules=RULES, now=SUNDAY, range_size=1)
    before = everything(town)
    with town.database.write() as connection:
        connection.execute(text("UPDATE run SET planned_at = NULL, state = 'planning'"))
    plan.plan(town.database, town.again(run), rules=RULES, now=SUNDAY, range_size=1)
    assert everything(town) == before


def test_a_slot_is_one_run_whoever_notices_it(town: Town) -> None:
    town.subscribe()
    first = plan.open_due_runs(town.database, now=SUNDAY, rules=RULES)
    assert plan.open_due_runs(town.database, now=SUNDAY, rules=RULES) == []
    assert len(first) == len(town.rows("SELECT id FROM run")) == 1


def test_equal_wishes_share_one_edition_and_other_wishes_do_not(town: Town) -> None:
    town.publish(1)
    town.subscribe(3)
    town.subscribe(2, wishes=following("aber", "bury"))
    run = town.planned()
    assert town.counts(run)["editions"] == 2


def test_who_came_after_the_slot_is_not_due(town: Town) -> None:
    town.publish(1)
    (early,) = town.subscribe()
    town.now = SUNDAY + timedelta(minutes=1)
    (late,) = town.subscribe()
    town.run()
    assert set(town.letters()) == {early}
    town.at(SUNDAY + WEEK).run()
    assert set(town.letters()) == {early, late}


def test_ranges_follow_each_other_without_gap_over_weeks(town: Town) -> None:
    readers = town.subscribe(3)
    for week in range(4):
        town.now = SUNDAY + week * WEEK - timedelta(days=1)
        if week != 2:
            town.publish(week)
        town.at(SUNDAY + week * WEEK).run()
    for reader in readers:
        ranges = town.ranges(reader)
        assert [high for _, high, _ in ranges[:-1]] == [low for low, _, _ in ranges[1:]]
        assert (ranges[0][0], ranges[-1][1]) == (0, town.last_seq())
        assert [standing for _, _, standing in ranges] == [
            "handed_over",
            "handed_over",
            "empty",
            "handed_over",
        ]


def test_a_reader_is_told_each_item_once_over_weeks(town: Town) -> None:
    (reader,) = town.subscribe()
    items = []
    for week in range(3):
        town.now = SUNDAY + week * WEEK - timedelta(days=1)
        items.append(town.publish(week))
        town.at(SUNDAY + week * WEEK).run()
    assert [list(said.named) for said in town.letters()[reader]] == [[item] for item in items]


def test_running_again_after_the_end_hands_nothing_over(town: Town) -> None:
    town.publish(1)
    (reader,) = town.subscribe()
    (first,) = town.at(SUNDAY).run()
    assert first.is_settled
    assert town.run() == []
    assert len(town.letters()[reader]) == 1


def test_missed_slots_merge_into_the_last_and_nothing_is_lost(town: Town) -> None:
    (reader,) = town.subscribe()
    items = []
    for week in range(3):
        town.now = SUNDAY + week * WEEK - timedelta(days=1)
        items.append(town.publish(week))
    (report,) = town.at(SUNDAY + 2 * WEEK).run()
    assert report.run.slot_at == SUNDAY + 2 * WEEK
    assert [at[:10] for at in report.run.merged] == ["2025-09-07", "2025-09-14"]
    assert [sorted(said.named) for said in town.letters()[reader]] == [sorted(items)]


def test_a_run_later_than_half_its_cadence_waits_for_the_next_slot(town: Town) -> None:
    item = town.publish(1)
    (reader,) = town.subscribe()
    assert town.at(SUNDAY + timedelta(days=3, hours=13)).run() == []
    (report,) = town.at(SUNDAY + WEEK).run()
    assert len(report.run.merged) == 1
    assert [list(said.named) for said in town.letters()[reader]] == [[item]]


def test_a_run_a_little_late_still_goes(town: Town) -> None:
    town.publish(1)
    (reader,) = town.subscribe()
    town.at(SUNDAY + timedelta(days=3)).run()
    assert list(town.letters()) == [reader]


def test_no_run_begins_outside_the_hours_of_sending(town: Town) -> None:
    town.publish(1)
    (reader,) = town.subscribe()
    assert town.at(SUNDAY + timedelta(hours=4)).run() == []  # 22:00 in London
    assert town.at(SUNDAY + timedelta(hours=11, minutes=59)).run() == []  # 05:59
    assert len(town.at(SUNDAY + timedelta(hours=12)).run()) == 1
    assert list(town.letters()) == [reader]


def test_a_run_unfinished_after_two_days_is_closed_and_its_news_comes_next(town: Town) -> None:
    item = town.publish(1)
    (reader,) = town.subscribe()
    run = town.planned()
    town.at(SUNDAY + timedelta(hours=49)).run()
    assert town.letters() == {}
    assert town.counts(run) == {"due": 1, "editions": 1, "expired": 1}
    assert town.mark(reader) == 0
    town.at(SUNDAY + WEEK).run()
    assert [list(said.named) for said in town.letters()[reader]] == [[item]]


def test_a_later_run_closes_an_older_planned_letter_and_says_its_news(town: Town) -> None:
    item = town.publish(1)
    (reader,) = town.subscribe()
    run = town.planned()
    with town.database.write() as connection:
        connection.execute(text("UPDATE run SET state = 'paused'"))
    town.now = SUNDAY + WEEK
    (later,) = plan.open_due_runs(town.database, now=town.now, rules=RULES)
    town.plan(later)
    town.compose(later)
    town.dispatch(later)
    assert town.counts(run)["expired"] == 1
    assert [(low, high) for low, high, standing in town.ranges(reader) if standing != "expired"] == [(0, 1)]
    assert [list(said.named) for said in town.letters()[reader]] == [[item]]


def test_a_cancelled_run_gives_back_and_the_next_letter_says_it(town: Town) -> None:
    item = town.publish(1)
    readers = town.subscribe(3)
    run = town.planned()
    assert plan.cancel(town.database, run.id, why="asked", now=town.now) == 3
    assert plan.cancel(town.database, run.id, why="asked", now=town.now) == 0
    assert [town.mark(reader) for reader in readers] == [0, 0, 0]
    assert town.counts(run)["cancelled"] == 3
    town.run()
    assert town.letters() == {}
    town.at(SUNDAY + WEEK).run()
    assert {reader: [list(s.named) for s in said] for reader, said in town.letters().items()} == {
        reader: [[item]] for reader in readers
    }
    assert town.state(run) is RunState.CANCELLED


def test_a_reader_has_one_open_letter_however_many_runs_plan_them(town: Town) -> None:
    town.publish(1)
    (reader,) = town.subscribe()
    run = town.planned()
    other = (
        "INSERT INTO run (kind, key, schedule_id, slot_at, upto_seq, as_of, state, merged, created_at) "
        "SELECT kind, 'other', schedule_id, slot_at, upto_seq, as_of, 'planning', merged, created_at FROM run"
    )
    with town.database.write() as connection:
        connection.execute(text(other))
    with town.database.read() as connection:
        second = runs.all_runs(connection, limit=1)[0]
    town.plan(second)
    assert town.ranges(reader) == [(0, 1, "expired"), (0, 1, "waiting")]
    assert town.rows("SELECT open_run_id FROM subscriber") == [(second.id,)]
    town.plan(run)
    assert town.rows("SELECT open_run_id FROM subscriber") == [(second.id,)]


def test_a_mark_that_cannot_move_with_its_delivery_undoes_the_plan(town: Town) -> None:
    """Delivery and mark move together: what the database says it wrote must be as much of both."""
    town.publish(1)
    (reader,) = town.subscribe()
    (run,) = plan.open_due_runs(town.database, now=SUNDAY, rules=RULES)
    with town.database.write() as connection:
        connection.execute(text("UPDATE subscriber SET open_run_id = :run"), {"run": run.id})
    with pytest.raises(StoreError, match="1 deliveries were planned and 0 marks moved"):
        plan.plan(town.database, run, rules=RULES, now=SUNDAY)
    with town.database.write() as connection:
        connection.execute(text("UPDATE subscriber SET open_run_id = NULL"))
    assert town.ranges(reader) == []


@pytest.mark.parametrize("window", ["06:00-22:00", "06:00-18:00", "09:00-17:00", "07:00-08:00"])
def test_readers_whose_slot_is_out_of_hours_have_their_letter_at_the_next_opening(
    town: Town, window: str
) -> None:
    """Each day one letter, whatever the hours are in which letters may leave."""
    daily = slots.schedule_of("daily", "", "18:00", "Europe/London")
    (reader,) = town.subscribe(schedule=daily)
    works = replace(town.works(), rules=replace(RULES, send_between=slots.window_of(window)))
    for hour in range(4 * 24):
        town.now = SUNDAY + timedelta(hours=hour, minutes=30)
        if hour % 24 == 0:
            town.publish(1 + hour // 24)
        run_due(works, patience=timedelta(0))
    assert len(town.letters()[reader]) in (3, 4)
    assert town.broken() == []
