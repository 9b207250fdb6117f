"""Waits that grow, runs that begin off the full hour, and trouble that all processes count together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import HandedOver, InDoubt, Outcome, Outgoing, Refused, RunState
from digest.pipeline import dispatch, pacing
from digest.pipeline.run import run_due
from digest.store import pace, troubles
from digest.store.database import Database
from digest.store.runs import Run
from digest.testing import KilledError, take_all
from tests.integration.ledger_town import SUNDAY, WEEK, Town

LATER = Refused("slow down", is_final=False, slows_all=True)


@pytest.fixture
def town(database: Database) -> Town:
    return Town(database)


def answers(town: Town, *these: Outcome | type[KilledError]) -> list[datetime]:
    """The sender answers these in turn, then takes all; returns the times at which it was asked."""
    asked: list[datetime] = []
    rest = iter(these)

    def before(outgoing: Outgoing) -> Outcome | None:
        asked.append(town.now)
        found = next(rest, None)
        if isinstance(found, type):
            raise found
        return found

    town.sender.before = before
    return asked


def planned(town: Town, readers: int) -> Run:
    town.subscribe(readers)
    town.publish(1)
    return town.planned()


# --- waits -------------------------------------------------------------------------------------------------


@given(times=st.integers(1, 60), dice=st.floats(0, 1))
def test_waits_double_up_to_five_minutes_and_are_shortened_by_up_to_half(times: int, dice: float) -> None:
    whole = min(2 * 2 ** (times - 1), 300)
    assert timedelta(seconds=whole / 2) <= pacing.backoff(times, dice=dice) <= timedelta(seconds=whole)


def test_a_provider_that_does_not_say_when_is_asked_later_and_later_and_only_once_each_time(
    town: Town,
) -> None:
    planned(town, 6)
    asked = answers(town, LATER, LATER, LATER)
    (report,) = town.run()
    while report.counts["open"]:
        town.now += timedelta(seconds=1)
        (report,) = town.run()
    waits = [(b - a).total_seconds() for a, b in pairwise(asked)]
    assert [2 <= waits[0] < 4, 4 <= waits[1] < 6, 8 <= waits[2] < 10] == [True] * 3
    assert waits[3:] == [0, 0]
    assert report.counts["handed_over"] == 6


def test_what_one_process_was_told_holds_for_all(town: Town) -> None:
    run = planned(town, 6)
    asked = answers(town, replace(LATER, retry_at=SUNDAY + timedelta(minutes=3)))
    town.dispatch(run, "one")
    town.dispatch(run, "two")
    assert len(asked) == 1
    town.now += timedelta(minutes=3)
    town.dispatch(run, "two")
    assert town.counts(run)["handed_over"] == 6


def test_a_provider_that_says_at_once_and_never_means_it_is_not_asked_over_and_over(town: Town) -> None:
    run = planned(town, 2)
    asked = answers(town, *[replace(LATER, retry_at=SUNDAY)] * 30)
    for _ in range(20):
        town.dispatch(run)
    assert len(asked) == 2


def test_after_letters_were_taken_waits_begin_small_again(town: Town) -> None:
    run = planned(town, 8)
    answers(town, LATER, HandedOver(), LATER)
    town.dispatch(run)
    for _ in range(2):
        town.now += timedelta(seconds=2)
        town.dispatch(run)
    assert town.counts(run)["handed_over"] == 8


def test_one_letter_that_is_put_off_holds_no_other(town: Town) -> None:
    run = planned(town, 6)
    answers(town, Refused("greylisted", is_final=False))
    town.dispatch(run)
    assert (town.counts(run)["handed_over"], town.counts(run)["open"]) == (4, 2)


# --- off the full hour ----------------------------------------------------------------------------------


def spread(town: Town, run: Run, holder: str = "one") -> int:
    """Letters handed over by now, where large runs begin up to four minutes after a full hour."""
    dispatch.dispatch(town.database, run, replace(town.desk(holder), spread=timedelta(minutes=4)))
    return town.counts(run).get("handed_over", 0)


def test_a_large_run_at_a_full_hour_begins_later_for_every_process_at_the_same_time(town: Town) -> None:
    run = planned(town, 6)
    begun = None
    for second in range(0, 241, 10):
        town.now = SUNDAY + timedelta(seconds=second)
        if spread(town, run, f"holder {second}"):
            begun = town.now
            break
    assert begun is not None
    assert timedelta(minutes=1) <= begun - SUNDAY <= timedelta(minutes=4)


def test_a_run_of_one_request_begins_at_once(town: Town) -> None:
    assert spread(town, planned(town, 2)) == 2


@pytest.mark.parametrize(
    "begin", [lambda run: run, lambda run: replace(run, slot_at=run.slot_at + timedelta(minutes=15))]
)
def test_off_the_full_hour_or_long_after_it_nobody_waits(town: Town, begin: Callable[[Run], Run]) -> None:
    run = begin(planned(town, 6))
    if run.slot_at == SUNDAY:
        town.now += timedelta(minutes=5)
    assert spread(town, run) == 6


# --- trouble is the run's, not the process's --------------------------------------------------------------


def careful(town: Town, run: Run, holder: str) -> None:
    desk = replace(town.desk(holder, claim_size=2), most_refusals=3, most_doubts=3)
    dispatch.dispatch(town.database, run, desk)


def test_refusals_before_a_restart_count_with_those_after_it(town: Town) -> None:
    run = planned(town, 10)
    answers(town, Refused("no"), KilledError, Refused("no"))
    with pytest.raises(KilledError):
        careful(town, run, "one")
    assert town.state(run) is not RunState.PAUSED
    careful(town, run, "two")
    assert town.state(run) is RunState.PAUSED


def test_a_resumed_run_counts_refusals_anew(town: Town) -> None:
    run = planned(town, 12)
    answers(town, Refused("no"), Refused("no"), Refused("no"))
    careful(town, run, "one")
    assert town.state(run) is RunState.PAUSED
    town.resume(run)
    careful(town, run, "two")
    assert town.state(run) is not RunState.PAUSED
    assert town.counts(run)["refused"] == 6


def test_doubts_in_a_row_count_over_a_restart(town: Town) -> None:
    run = planned(town, 10)
    answers(town, InDoubt("no answer"), InDoubt("no answer"), KilledError, InDoubt("no answer"))
    with pytest.raises(KilledError):
        careful(town, run, "one")
    town.dead.add("one")
    careful(town, run, "two")
    again = town.again(run)
    assert again.state is RunState.PAUSED
    assert "3 answers in a row in doubt" in (again.why or "")


def test_a_good_answer_ends_a_row_of_doubts(town: Town) -> None:
    run = planned(town, 12)
    answers(town, InDoubt("?"), InDoubt("?"), HandedOver(), InDoubt("?"), InDoubt("?"))
    careful(town, run, "one")
    assert town.state(run) is not RunState.PAUSED
    town.sender.answer = take_all


# --- several at the same time -----------------------------------------------------------------------------


def test_as_many_requests_are_under_way_as_the_sender_has_connections(town: Town) -> None:
    run = planned(town, 10)
    both = Barrier(2, timeout=20)

    def before(outgoing: Outgoing) -> Outcome | None:
        if town.sender.arrived:  # the first goes alone, to see that all is well
            both.wait()
        return None

    town.sender.before = before
    dispatch.dispatch(town.database, run, replace(town.desk(), at_once=2))
    assert town.counts(run)["handed_over"] == 10
    assert {reader: len(said) for reader, said in town.letters().items()} == dict.fromkeys(range(1, 11), 1)


def test_after_trouble_one_request_is_under_way_again(town: Town) -> None:
    """An outage puts few letters in doubt, however many connections there are."""
    run = planned(town, 40)
    town.sender.before = lambda outgoing: None if len(town.sender.arrived) < 3 else InDoubt("no answer")
    dispatch.dispatch(town.database, run, replace(town.desk(), at_once=8))
    assert town.state(run) is RunState.PAUSED
    # One alone, then two, then what the first claim still holds, which nobody answers, and one alone again:
    # two letters in each.
    assert town.counts(run)["uncertain"] == 2 * (pacing.FIRST_REQUESTS - 3 + 1)


def test_a_run_that_meets_trouble_at_once_sends_one_at_a_time(town: Town) -> None:
    run = planned(town, 40)
    town.sender.before = lambda outgoing: InDoubt("no answer")
    dispatch.dispatch(town.database, run, replace(town.desk(), at_once=8))
    assert (town.state(run), town.counts(run)["uncertain"]) == (RunState.PAUSED, 6)


def test_what_is_refused_or_doubtful_among_several_is_recorded_for_itself(town: Town) -> None:
    run = planned(town, 8)
    answers_of: dict[int, Outcome] = {3: Refused("no"), 5: InDoubt("no answer")}

    def before(outgoing: Outgoing) -> Outcome | None:
        return answers_of.get(outgoing.recipients[0].subscriber_id)

    town.sender.before = before
    dispatch.dispatch(town.database, run, replace(town.desk(), at_once=3))
    counts = town.counts(run)
    assert (counts["handed_over"], counts["refused"], counts["uncertain"]) == (4, 2, 2)


def test_requests_under_way_that_are_all_put_off_were_put_off_once(town: Town) -> None:
    run = planned(town, 6)
    answers(town, HandedOver(), LATER, LATER)
    dispatch.dispatch(town.database, run, replace(town.desk(), at_once=3))
    with town.database.read() as connection:
        until = troubles.held_until(connection, now=town.now)
    assert until == town.now + pacing.backoff(1, dice=1)
    town.now = until
    dispatch.dispatch(town.database, run, replace(town.desk(), at_once=3))
    assert town.counts(run) == {"due": 6, "editions": 1, "handed_over": 6}


def test_a_rehearsal_of_next_spring_holds_up_no_letter_of_today(town: Town) -> None:
    """The hourly share that it drew, and the wait that was asked of it, are of a clock that ran ahead."""
    town.subscribe(2)
    town.publish(1)
    slow = replace(town.works(), desk=replace(town.desk(), letters_per_hour=1000))
    town.now = SUNDAY + 26 * WEEK + timedelta(hours=1)
    run_due(slow, patience=timedelta(0))
    assert sum(len(said) for said in town.letters().values()) == 2
    with town.database.write() as connection:
        troubles.hold(connection, until=town.now + timedelta(hours=1), now=town.now)
    town.sender.arrived.clear()
    town.now = SUNDAY + timedelta(minutes=5)
    town.publish(2)
    run_due(slow, patience=timedelta(0))
    assert sum(len(said) for said in town.letters().values()) == 2
    with town.database.write() as connection:
        assert troubles.held_until(connection, now=town.now) is None
        # What is asked for now is believed now.
        troubles.hold(connection, until=town.now + timedelta(minutes=9), now=town.now)
        assert troubles.held_until(connection, now=town.now) == town.now + timedelta(minutes=9)
        assert pace.free_from(connection, now=town.now) < town.now + timedelta(minutes=1)
