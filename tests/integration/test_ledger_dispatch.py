"""Claims, answers and doubts: a letter is sent once, and its end is known or said to be unknown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from digest.compose.profile import profile_of
from digest.model import BatchState, Ended, HandedOver, InDoubt, Outcome, Outgoing, Refused, RunState
from digest.pipeline import dispatch, plan
from digest.pipeline.pacing import FIRST_REQUESTS
from digest.store import batches, deliveries, recheck, runs
from digest.store.database import LOCK_PLAN, Database
from digest.store.spans import Range
from digest.testing import KilledError, take_all
from tests.integration.ledger_town import HOLD, SUNDAY, WEEK, Town, following


@pytest.fixture
def town(database: Database) -> Iterator[Town]:
    """A town on each database, whose ledger must be sound at the end of every story."""
    found = Town(database)
    yield found
    assert found.broken() == []


def in_doubt(outgoing: Outgoing) -> Outcome:
    return InDoubt("no answer")


def die(outgoing: Outgoing) -> Outcome:
    raise KilledError


def claim(town: Town, run_id: int, holder: str, *, claim_size: int) -> list[batches.ClaimedBatch]:
    with town.database.write(durable=True) as connection:
        held = batches.claim(
            connection, run_id, holder=holder, now=town.now, held_until=town.now + HOLD, claim_size=claim_size
        )
        taken, changed = recheck.recheck(connection, held)
    assert not changed
    return taken


def record(town: Town, batch_id: int, holder: str, state: BatchState) -> bool:
    with town.database.write() as connection:
        return batches.record(connection, batch_id, holder=holder, state=state, now=town.now)


# --- claims ---------------------------------------------------------------------------------------------


def test_two_claimers_get_disjoint_batches(town: Town) -> None:
    town.publish(1)
    readers = town.subscribe(10)
    run = town.planned()
    first = claim(town, run.id, "one", claim_size=4)
    second = claim(town, run.id, "two", claim_size=100)
    assert [len(batch.recipients) for batch in first] == [2, 2]
    got = [id_ for batch in (*first, *second) for id_, _, _ in batch.recipients]
    assert sorted(got) == readers


def test_a_claim_that_has_not_run_out_is_somebodys(town: Town) -> None:
    town.publish(1)
    town.subscribe(2)
    run = town.planned()
    claim(town, run.id, "one", claim_size=100)
    town.now += HOLD
    assert town.dispatch(run, "two").letters == 0
    assert town.sender.arrived == []
    assert town.counts(run)["open"] == 2


def test_a_claim_past_its_time_is_in_doubt_and_is_not_sent_again(town: Town) -> None:
    town.publish(1)
    town.subscribe(2)
    run = town.planned()
    claim(town, run.id, "one", claim_size=100)
    town.now += HOLD + timedelta(seconds=1)
    assert town.dispatch(run, "two").letters == 0
    assert town.sender.arrived == []
    assert town.counts(run)["uncertain"] == 2


def test_a_repeatable_sender_does_a_claim_past_its_time_again(town: Town) -> None:
    town.sender.is_repeatable = True
    town.publish(1)
    readers = town.subscribe(2)
    run = town.planned()
    claim(town, run.id, "one", claim_size=100)
    town.now += HOLD + timedelta(seconds=1)
    town.dispatch(run, "two")
    assert sorted(town.letters()) == readers
    assert town.state(run) is RunState.COMPLETED


def test_a_dead_holders_claim_does_not_wait_for_its_time(town: Town) -> None:
    town.publish(1)
    town.subscribe(2)
    run = town.planned()
    claim(town, run.id, "one", claim_size=100)
    town.dead.add("one")
    town.dispatch(run, "two")
    assert town.counts(run)["uncertain"] == 2


def test_a_late_answer_that_it_was_taken_ends_the_doubt(town: Town) -> None:
    town.publish(1)
    town.subscribe(2)
    run = town.planned()
    (batch,) = claim(town, run.id, "one", claim_size=100)
    town.now += HOLD + timedelta(seconds=1)
    town.dispatch(run, "two")
    assert record(town, batch.id, "one", BatchState.HANDED_OVER)
    dispatch.complete(town.database, run, now=town.now)
    assert town.counts(run)["handed_over"] == 2
    assert town.state(run) is RunState.COMPLETED


@pytest.mark.parametrize("state", [BatchState.READY, BatchState.REFUSED, BatchState.UNCERTAIN])
def test_any_other_late_answer_changes_nothing(town: Town, state: BatchState) -> None:
    town.publish(1)
    town.subscribe(2)
    run = town.planned()
    (batch,) = claim(town, run.id, "one", claim_size=100)
    town.now += HOLD + timedelta(seconds=1)
    town.dispatch(run, "two")
    assert not record(town, batch.id, "one", state)
    assert town.counts(run)["uncertain"] == 2


def test_nobody_records_for_another_holder(town: Town) -> None:
    town.publish(1)
    town.subscribe(2)
    run = town.planned()
    (batch,) = claim(town, run.id, "one", claim_size=100)
    assert not record(town, batch.id, "two", BatchState.HANDED_OVER)
    assert town.counts(run)["open"] == 2


def test_who_wakes_after_their_hold_sends_nothing_of_the_rest(town: Town) -> None:
    town.publish(1)
    town.subscribe(6)
    run = town.planned()

    def sleep_long(outgoing: Outgoing) -> Outcome | None:
        town.now += HOLD
        return None

    town.sender.before = sleep_long
    town.dispatch(run)
    assert [len(request.recipients) for request in town.sender.arrived] == [2, 2, 2]
    assert sorted(town.letters()) == sorted({*town.letters()})
    assert all(len(said) == 1 for said in town.letters().values())


def test_letters_that_go_out_slowly_are_shared_also_where_each_is_a_request(town: Town) -> None:
    """Who claims as many letters as a claim may hold would leave nothing to the others for half an hour."""
    town.publish(1)
    for n in range(40):
        town.subscribe(wishes=profile_of(councils=["aber"], keywords=[f"word{n}"]))
    run = town.planned()
    by: list[str] = []

    def slowly(outgoing: Outgoing) -> Outcome | None:
        town.now += timedelta(seconds=1)
        by.append("one")
        if len(by) == 1:
            town.sender.before = lambda outgoing: by.append("two")
            town.dispatch(run, "two")
            town.sender.before = slowly
        return None

    town.sender.before = slowly
    town.dispatch(run, "one")
    assert by.count("one") == FIRST_REQUESTS
    assert by.count("two") == 40 - FIRST_REQUESTS
    assert [len(said) for said in town.letters().values()] == [1] * 40


def test_killed_between_claim_and_request_is_in_doubt_not_lost(town: Town) -> None:
    town.publish(1)
    town.subscribe(4)
    run = town.planned()
    town.sender.before = die
    with pytest.raises(KilledError):
        town.dispatch(run, "one", claim_size=2)
    town.dead.add("one")
    town.sender.before = lambda outgoing: None
    town.dispatch(run, "two")
    assert town.counts(run) == {"due": 4, "editions": 1, "handed_over": 2, "uncertain": 2}


def test_put_back_by_the_next_holder_what_may_have_arrived_still_goes_as_it_was(town: Town) -> None:
    """Repeatable: a letter written a second time is the same letter, whatever its reader wishes since."""
    town.sender.is_repeatable = True
    item = town.publish(1)
    town.publish(2, slug="bury")
    (reader,) = town.subscribe()
    run = town.planned()
    claim(town, run.id, "one", claim_size=100)
    town.dead.add("one")
    stops = iter([False, True])
    told = replace(town.desk("two"), should_stop=lambda: next(stops, True))
    assert dispatch.dispatch(town.database, run, told).letters == 0
    assert town.rows("SELECT state, claimed_at IS NULL FROM batch") == [("ready", False)]
    town.set_wishes(reader, following("bury"))
    town.dispatch(run, "three")
    assert [said.items for said in town.letters()[reader]] == [[item]]


def test_a_claim_whose_readers_cannot_be_read_is_put_back_without_a_doubt(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.publish(1)
    town.subscribe(5)
    run = town.planned()

    def fail(*args: object, **kwargs: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(recheck, "recheck", fail)
        with pytest.raises(KilledError):
            town.dispatch(run)
    assert town.rows("SELECT DISTINCT state, claimed_at FROM batch") == [("ready", None)]
    assert town.dispatch(run, "two").letters == 5
    assert town.counts(run) == {"due": 5, "editions": 1, "handed_over": 5}


# --- answers ------------------------------------------------------------------------------------------------


def test_doubt_is_not_sent_again_and_does_not_block_the_next_run(town: Town) -> None:
    first = town.publish(1)
    (reader,) = town.subscribe()
    town.sender.answer = in_doubt
    run = town.planned()
    town.dispatch(run)
    town.dispatch(run)
    assert len(town.sender.arrived) == 1
    town.sender.answer = lambda outgoing: HandedOver()
    second = town.at(SUNDAY + timedelta(days=6)).publish(2)
    town.at(SUNDAY + WEEK).run()
    assert [list(said.named) for said in town.letters()[reader]] == [[first], [second]]
    assert [low for low, _, _ in town.ranges(reader)] == [0, 1]
    assert town.counts(run)["uncertain"] == 1


def test_three_doubts_in_a_row_pause_the_run(town: Town) -> None:
    town.publish(1)
    town.subscribe(10)
    run = town.planned()
    town.sender.answer = in_doubt
    assert town.dispatch(run).uncertain == 6
    stored = town.again(run)
    assert stored.state is RunState.PAUSED
    assert stored.why == "3 answers in a row in doubt, the last: no answer"
    assert town.counts(run) == {"due": 10, "editions": 1, "uncertain": 6, "open": 4}


def test_a_resumed_run_sends_the_rest_and_leaves_the_doubts(town: Town) -> None:
    town.publish(1)
    town.subscribe(10)
    run = town.planned()
    town.sender.answer = in_doubt
    town.dispatch(run)
    town.sender.answer = lambda outgoing: HandedOver()
    town.dispatch(run)
    assert town.counts(run)["open"] == 4
    town.resume(run)
    town.dispatch(run)
    assert town.counts(run) == {"due": 10, "editions": 1, "handed_over": 4, "uncertain": 6}
    assert all(len(said) == 1 for said in town.letters().values())


def test_doubts_with_good_answers_between_do_not_pause(town: Town) -> None:
    town.publish(1)
    town.subscribe(10)
    run = town.planned()
    answers = iter([in_doubt, in_doubt, lambda o: HandedOver(), in_doubt, in_doubt])
    town.sender.answer = lambda outgoing: next(answers)(outgoing)
    town.dispatch(run)
    assert town.state(run) is not RunState.PAUSED
    assert town.counts(run) == {"due": 10, "editions": 1, "handed_over": 2, "uncertain": 8}


def test_a_refusal_gives_back_and_stops_nobody_else(town: Town) -> None:
    item = town.publish(1)
    readers = town.subscribe(4)
    run = town.planned()
    refused = iter([Refused("no such template"), None])
    town.sender.before = lambda outgoing: next(refused)
    town.dispatch(run)
    assert town.counts(run) == {"due": 4, "editions": 1, "handed_over": 2, "refused": 2}
    assert [town.mark(reader) for reader in readers] == [0, 0, 1, 1]
    town.sender.before = lambda outgoing: None
    town.at(SUNDAY + WEEK).run()
    assert {r: [list(s.named) for s in said] for r, said in town.letters().items()} == {
        reader: [[item]] for reader in readers
    }


def test_a_provider_that_asks_for_later_is_asked_later(town: Town) -> None:
    town.publish(1)
    (reader,) = town.subscribe()
    run = town.planned()
    later = town.now + timedelta(hours=1)
    town.sender.before = lambda outgoing: Refused("busy", is_final=False, retry_at=later)
    town.dispatch(run)
    town.sender.before = lambda outgoing: None
    town.at(later - timedelta(minutes=1)).run()
    assert town.letters() == {}
    town.at(later).run()
    assert list(town.letters()) == [reader]
    assert town.state(run) is RunState.COMPLETED


def test_a_bad_address_keeps_its_range_and_the_others_get_theirs(town: Town) -> None:
    town.publish(1)
    bad, good = town.subscribe(2)
    run = town.planned()
    town.sender.answer = lambda outgoing: HandedOver(bad={bad: "no such box"})
    town.dispatch(run)
    assert town.counts(run) == {"due": 2, "editions": 1, "handed_over": 1, "bad_address": 1}
    assert (town.mark(bad), town.mark(good)) == (1, 1)


def test_when_everybody_s_mailbox_is_refused_the_fault_is_ours_and_the_run_pauses(town: Town) -> None:
    town.publish(1)
    town.subscribe(30)
    run = town.planned()

    def refuse_all(outgoing: Outgoing) -> Outcome:
        return HandedOver(bad={one.subscriber_id: "550 go away" for one in outgoing.recipients})

    town.sender.answer = refuse_all
    town.dispatch(run)
    paused = town.again(run)
    assert paused.state is RunState.PAUSED
    assert paused.why == "20 of 20 addresses were refused, the last: 550 go away"
    assert town.counts(run) == {"due": 30, "editions": 1, "bad_address": 20, "open": 10}


def test_nothing_to_say_is_empty_and_sends_nothing(town: Town) -> None:
    town.publish(1, slug="bury")
    (reader,) = town.subscribe(wishes=following("aber"))
    (report,) = town.at(SUNDAY).run()
    assert report.counts["empty"] == 1
    assert town.letters() == {}
    assert town.mark(reader) == town.last_seq()


@pytest.mark.parametrize("moment", ["UPDATE subscriber", "UPDATE delivery", "UPDATE batch"])
def test_a_letter_that_is_just_given_back_is_nobody_s_to_claim(postgres_url: str, moment: str) -> None:
    # On SQLite one writes at a time.
    town = Town(Database(postgres_url))
    town.publish(1)
    town.subscribe(3)
    run = town.planned()
    taken: list[list[batches.ClaimedBatch]] = []

    def look(connection: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool) -> None:
        if statement.startswith(moment) and not taken:
            taken.append([])
            taken.append(claim(town, run.id, "another", claim_size=10))

    event.listen(town.database.engine, "before_cursor_execute", look)
    plan.cancel(town.database, run.id, why="asked", now=town.now)
    event.remove(town.database.engine, "before_cursor_execute", look)
    assert taken == [[], []]
    assert town.counts(run)["cancelled"] == 3
    assert town.broken() == []
    town.database.close()


@pytest.mark.parametrize("moment", ["UPDATE subscriber", "UPDATE delivery", "UPDATE batch"])
def test_what_is_put_back_while_a_run_is_cancelled_is_given_back_too(postgres_url: str, moment: str) -> None:
    town = Town(Database(postgres_url))
    town.publish(1)
    readers = town.subscribe(4)
    run = town.planned()
    (taken, *_) = claim(town, run.id, "one", claim_size=1)
    done: list[bool] = []

    def put_back(connection: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool) -> None:
        if statement.startswith(moment) and not done:
            done.append(False)
            done.append(record(town, taken.id, "one", BatchState.READY))

    event.listen(town.database.engine, "before_cursor_execute", put_back)
    plan.cancel(town.database, run.id, why="asked", now=town.now)
    event.remove(town.database.engine, "before_cursor_execute", put_back)
    assert done == [False, True]
    assert town.broken() == []
    dispatch.complete(town.database, town.again(run), now=town.now)
    assert town.counts(run)["cancelled"] == 4
    assert [town.mark(reader) for reader in readers] == [0, 0, 0, 0]
    assert town.broken() == []
    town.publish(2)
    town.at(SUNDAY + WEEK).run()
    assert sorted(town.letters()) == readers
    town.database.close()


def test_a_batch_put_back_after_a_correction_finds_its_number_free(town: Town) -> None:
    """While it was out its edition got new words, and somebody who changed wishes came to them."""
    town.subscribe(2)
    (mover,) = town.subscribe(wishes=following("bury"))
    town.publish(1)
    town.publish(2, slug="bury")
    run = town.planned()
    calls: list[int] = []

    def slow_down(outgoing: Outgoing) -> Outcome:
        if calls:
            return take_all(outgoing)
        calls.append(1)
        town.publish(1, words="Corrected words")
        town.set_wishes(mover, following("aber"))
        # Another process rechecks, and finds the mover.
        dispatch.dispatch(town.database, run, town.desk("two"))
        return Refused("429 slow down", is_final=False, slows_all=True)

    town.sender.answer = slow_down
    town.dispatch(run, "one", claim_size=1)
    town.now += timedelta(hours=1)
    town.run()
    assert town.counts(run)["handed_over"] == 3
    assert town.state(run) is RunState.COMPLETED


def test_a_letter_that_a_later_run_is_just_taking_over_is_nobody_s_to_claim(postgres_url: str) -> None:
    town = Town(Database(postgres_url))
    town.publish(1)
    town.subscribe(3)
    older = town.planned()
    town.now += WEEK
    (later,) = plan.open_due_runs(town.database, now=town.now, rules=town.works().rules)
    plan_of = deliveries.PlanOf(later.id, later.schedule_id or 0, later.slot_at, later.upto_seq, 2)
    with town.database.write(repeatable=True, lock=LOCK_PLAN) as connection:
        deliveries.close_older(connection, plan_of, Range(1, 1_000))
        assert claim(town, older.id, "another", claim_size=10) == []
    assert town.counts(older)["expired"] == 3
    assert town.broken() == []
    town.database.close()


def test_a_letter_that_ends_while_a_run_is_counted_is_counted_once(town: Town) -> None:
    town.publish(1)
    leaves, *_ = town.subscribe(4)
    run = town.planned()

    counted: list[str] = []

    def end_a_letter(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "FROM delivery" in statement and not counted:
            counted.append(statement)
            with town.database.write() as other:
                deliveries.end_delivery(other, run.id, leaves, ended=Ended.LEFT)

    event.listen(town.database.engine, "after_cursor_execute", end_a_letter)
    with town.database.read() as connection:
        assert runs.run_counts(connection, run.id)["due"] == 4
    event.remove(town.database.engine, "after_cursor_execute", end_a_letter)
    assert counted
    assert town.counts(run) == {"due": 4, "editions": 1, "open": 3, "left": 1}


def test_a_claimed_letter_is_not_given_back(town: Town) -> None:
    town.publish(1)
    town.subscribe(3)
    run = town.planned()
    (taken, *_) = claim(town, run.id, "one", claim_size=1)
    with town.database.write(lock=LOCK_PLAN) as connection:
        given_back = deliveries.give_back_run(connection, run.id, ended=Ended.CANCELLED)
    assert given_back == 3 - len(taken.recipients)
    assert record(town, taken.id, "one", BatchState.HANDED_OVER)
