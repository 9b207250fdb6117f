"""Moments of a run at which the promise was once broken, each told as it happens; see ``test_promise``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from digest import slots
from digest.model import InDoubt, Outcome, Outgoing, Refused
from digest.pipeline import plan
from digest.store.runs import Run
from digest.testing import said_in
from tests.integration.promise_checks import CheckedWorld
from tests.integration.promise_world import RULES, SCHEDULES, WISHES, nothing

ABER = WISHES[0]


@pytest.fixture(params=[True, False], ids=["repeatable", "doubtful"])
def world(request: pytest.FixtureRequest) -> Iterator[CheckedWorld]:
    found = CheckedWorld(is_repeatable=request.param)
    yield found
    found.close()


def opened(world: CheckedWorld, schedule: str = "daily") -> Run:
    """The run of the schedule's next slot, nothing planned yet."""
    world.now = slots.next_slot(SCHEDULES[schedule], world.now) + timedelta(minutes=5)
    [run] = plan.open_due_runs(world.database, now=world.now, rules=RULES)
    return run


def words(world: CheckedWorld) -> list[dict[str, str]]:
    return [said_in(request.page).named for request in world.sender.arrived]


@pytest.mark.parametrize("is_planned", [True, False])
def test_a_summary_withdrawn_before_its_letter_is_composed_is_not_said(
    world: CheckedWorld, is_planned: bool
) -> None:
    world.somebody_joins(ABER, "daily")
    world.publish(0, -1, "Wrong.")
    world.publish(3, -1, "Right.")
    run = opened(world)
    if is_planned:
        world.plan_and_check(run)
    world.withdraw(0)
    world.plan_and_check(world.run_of(run.id))
    world.compose_run(run)
    world.hand_over(run)
    assert words(world) == [{"summary:2": "Right."}]


def test_a_summary_corrected_before_its_letter_is_composed_is_said_corrected(world: CheckedWorld) -> None:
    world.somebody_joins(ABER, "daily")
    world.publish(0, -1, "Wrong.")
    run = opened(world)
    world.plan_and_check(run)
    world.publish(0, -1, "Right.")
    world.compose_run(run)
    world.hand_over(run)
    assert words(world) == [{"summary:1": "Right."}]


def test_a_summary_corrected_after_its_letter_is_composed_is_said_corrected(world: CheckedWorld) -> None:
    world.somebody_joins(ABER, "daily")
    world.publish(0, -1, "Wrong.")
    run = opened(world)
    world.plan_and_check(run)
    world.compose_run(run)
    world.publish(0, -1, "Right.")
    world.hand_over(run)
    assert words(world) == []
    world.compose_run(world.run_of(run.id))
    world.hand_over(run)
    assert words(world) == [{"summary:1": "Right."}]


def test_a_letter_refused_for_now_while_its_summary_is_withdrawn_goes_without_it(
    world: CheckedWorld,
) -> None:
    world.somebody_joins(ABER, "daily")
    world.publish(0, -1, "Wrong.")
    world.publish(3, -1, "Right.")
    run = opened(world)
    world.plan_and_check(run)
    world.compose_run(run)

    def withdrawn_meanwhile(outgoing: Outgoing) -> Outcome | None:
        world.withdraw(0)
        return Refused("busy", is_final=False, retry_at=world.now + timedelta(hours=1))

    world.sender.before = withdrawn_meanwhile
    world.hand_over(run)
    world.sender.before = nothing
    world.now += timedelta(hours=2)
    world.run_all()
    assert words(world) == [{"summary:2": "Right."}]


def test_who_is_planned_late_joins_an_edition_that_is_composed_already(world: CheckedWorld) -> None:
    """The first reader's letter is in flight when the next slot is planned for both."""
    world.somebody_joins(ABER, "weekly")
    world.publish(0, -1, "Text.")
    world.now += timedelta(days=9)
    first = opened(world, "weekly")
    world.plan_and_check(first)
    world.compose_run(first)
    world.somebody_joins(ABER, "weekly")

    def a_week_later(outgoing: Outgoing) -> Outcome | None:
        world.publish(3, 6, "News.")
        second = opened(world, "weekly")
        world.plan_and_check(second)
        world.compose_run(second)
        return None

    world.sender.before = a_week_later
    world.hold = timedelta(days=30)
    world.hand_over(first)
    world.sender.before = nothing
    world.run_all()
    world.check_ledger()
    assert [one.standing for one in world.deliveries()] == ["handed_over"] * 3


def test_a_doubtful_letter_refused_when_done_again_leaves_no_gap() -> None:
    world = CheckedWorld(is_repeatable=True)
    try:
        world.somebody_joins(ABER, "daily")
        world.publish(0, -1, "First.")
        first = opened(world)
        world.plan_and_check(first)
        world.compose_run(first)
        world.sender.answer = lambda outgoing: InDoubt("no answer")
        world.hand_over(first)
        world.publish(3, -1, "Second.")
        second = opened(world)
        world.plan_and_check(second)
        world.sender.before = lambda outgoing: Refused("no")
        world.hand_over(first)
        world.check_ledger()
    finally:
        world.close()
