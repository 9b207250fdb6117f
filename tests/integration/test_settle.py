"""Letters in doubt: proof settles them, an operator may, and what was not sent goes again just as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from digest.deliver.evidence import Finding, Found, SendGridRecords
from digest.deliver.fake_sendgrid import Fault, serve
from digest.deliver.sendgrid import SendGrid, transport_of
from digest.errors import NotFoundError
from digest.model import InDoubt, RunState, SubscriberState
from digest.pipeline import dispatch, plan, settle
from digest.pipeline.run import run_due
from digest.store import batches, doubts, runs
from digest.store.database import Database
from digest.store.runs import Run
from digest.testing import take_all
from tests.integration.ledger_town import HOLD, SUNDAY, WEEK, Town, following


@pytest.fixture
def town(database: Database) -> Town:
    return Town(database)


def in_doubt(town: Town, readers: int = 2) -> Run:
    """A run whose one batch left and was not answered."""
    town.subscribe(readers)
    town.publish(1)
    run = town.planned()
    town.sender.answer = lambda outgoing: InDoubt("no answer")
    town.dispatch(run)
    town.sender.answer = take_all
    assert town.counts(run)["uncertain"] == readers
    return run


def by_hand(town: Town, run: Run, *, is_sent: bool) -> int:
    done = settle.settle_by_hand(town.database, run.id, is_sent=is_sent, batch_id=None, now=town.now).batches
    dispatch.complete(town.database, town.again(run), now=town.now)
    return done


def letters_each(town: Town) -> dict[int, int]:
    return {reader: len(said) for reader, said in town.letters().items()}


def test_settled_as_sent_the_letters_count_as_handed_over_and_the_run_is_complete(town: Town) -> None:
    run = in_doubt(town)
    assert by_hand(town, run, is_sent=True) == 1
    assert town.counts(run)["handed_over"] == 2
    assert town.state(run) is RunState.COMPLETED
    assert town.broken() == []


def test_settled_as_not_sent_the_same_letter_goes_once_more(town: Town) -> None:
    run = in_doubt(town)
    first = town.sender.arrived.pop()
    by_hand(town, run, is_sent=False)
    town.dispatch(run)
    (second,) = town.sender.arrived
    assert (second.page, second.recipients) == (first.page, first.recipients)
    assert town.counts(run)["handed_over"] == 2
    assert town.state(run) is RunState.COMPLETED
    assert town.broken() == []


@pytest.mark.parametrize("is_sent", [True, False])
def test_settling_twice_is_harmless(town: Town, is_sent: bool) -> None:
    run = in_doubt(town)
    assert by_hand(town, run, is_sent=is_sent) == 1
    assert by_hand(town, run, is_sent=is_sent) == 0
    assert by_hand(town, run, is_sent=not is_sent) == 0
    town.dispatch(run)
    assert sum(letters_each(town).values()) == (2 if is_sent else 4)  # the first two arrived before the doubt
    assert town.state(run) is RunState.COMPLETED


def test_a_batch_of_another_run_cannot_be_settled(town: Town) -> None:
    run = in_doubt(town)
    with pytest.raises(NotFoundError, match="no batch 1"):
        settle.settle_by_hand(town.database, run.id, is_sent=True, batch_id=1, now=town.now)


def test_a_further_attempt_goes_to_nobody_who_left_or_paused_since(town: Town) -> None:
    run = in_doubt(town, readers=2)
    town.sender.arrived.clear()
    ((leaver,), (pauser,)) = town.rows("SELECT id FROM subscriber ORDER BY id")
    town.end(leaver, SubscriberState.LEFT)
    town.pause(pauser)
    by_hand(town, run, is_sent=False)
    town.dispatch(run)
    assert town.letters() == {}
    assert town.counts(run) == {"due": 2, "editions": 1, "left": 1, "cancelled": 1}
    assert town.mark(pauser) == 0
    assert town.broken() == []


def test_not_sent_after_the_next_letter_went_the_old_one_still_goes_as_it_was(town: Town) -> None:
    run = in_doubt(town, readers=1)
    town.sender.arrived.clear()
    ((reader,),) = town.rows("SELECT id FROM subscriber")
    town.publish(2)
    town.at(SUNDAY + WEEK).run()
    town.set_wishes(reader, following("bury"))
    by_hand(town, run, is_sent=False)
    town.run()
    items = [item for said in town.letters()[reader] for item in said.items]
    assert len(items) == len(set(items)) == 2
    assert town.state(run) is RunState.COMPLETED
    assert town.broken() == []


def test_in_a_cancelled_run_what_was_not_sent_is_given_back(town: Town) -> None:
    from digest.pipeline import plan

    run = in_doubt(town, readers=1)
    plan.cancel(town.database, run.id, why="test", now=town.now)
    by_hand(town, run, is_sent=False)
    ((reader,),) = town.rows("SELECT id FROM subscriber")
    assert town.counts(run)["cancelled"] == 1
    assert town.mark(reader) == 0
    assert town.again(run).completed_at is not None


# --- by the provider's logs --------------------------------------------------------------------------------


class Logs:
    """A provider's logs that answer one thing."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.asked = 0

    def was_taken(self, deliveries: object, *, since: object, until: object, sample: int = 10) -> Finding:
        """The one thing."""
        self.asked += 1
        return Finding(self.found, "as the test says")


def run_with_logs(town: Town, found: Found) -> Logs:
    logs = Logs(found)
    run_due(replace(town.works(), records=logs), patience=timedelta(seconds=2))
    return logs


def test_letters_that_the_logs_hold_were_handed_over(town: Town) -> None:
    run = in_doubt(town)
    run_with_logs(town, Found.TAKEN)
    assert town.counts(run)["handed_over"] == 2
    assert letters_each(town) == {1: 1, 2: 1}


def test_logs_that_hold_nothing_prove_nothing_before_their_lag_is_over(town: Town) -> None:
    run = in_doubt(town)
    town.now += settle.LAG - timedelta(minutes=1)
    run_with_logs(town, Found.NOT_FOUND)
    assert town.counts(run)["uncertain"] == 2


def test_after_the_lag_what_the_logs_do_not_hold_goes_again(town: Town) -> None:
    run = in_doubt(town)
    town.sender.arrived.clear()
    town.now += settle.LAG
    run_with_logs(town, Found.NOT_FOUND)
    assert town.counts(run)["handed_over"] == 2
    assert letters_each(town) == {1: 1, 2: 1}
    assert town.state(run) is RunState.COMPLETED


def test_where_that_is_left_to_an_operator_empty_logs_settle_nothing_ever(town: Town) -> None:
    run = in_doubt(town)
    town.now += timedelta(days=1)
    works = replace(town.works(), records=Logs(Found.NOT_FOUND), not_sent_after=None)
    run_due(works, patience=timedelta(seconds=2))
    assert town.counts(run)["uncertain"] == 2


def test_logs_that_cannot_be_read_leave_the_doubt_however_late(town: Town) -> None:
    run = in_doubt(town)
    town.now += timedelta(days=1)
    logs = run_with_logs(town, Found.UNKNOWN)
    assert town.counts(run)["uncertain"] == 2
    assert logs.asked == 1


def test_what_the_logs_lack_after_days_they_may_have_forgotten(town: Town) -> None:
    run = in_doubt(town)
    town.sender.arrived.clear()
    town.now += settle.LOGS_REMEMBER + timedelta(hours=5)
    run_with_logs(town, Found.NOT_FOUND)
    assert town.counts(run)["uncertain"] == 2
    assert letters_each(town) == {}
    with town.database.read() as connection:
        (doubt,) = doubts.doubtful(connection, run.id)
    finding = settle.finding_of(town.database, Logs(Found.NOT_FOUND), run.id, doubt, now=town.now)
    assert finding.found is Found.UNKNOWN
    assert "settle it yourself" in finding.why
    assert by_hand(town, run, is_sent=True) == 1


@pytest.mark.parametrize("address", ["anna@münchen.example", "Anna.Long@Example.org"])
def test_the_logs_know_an_address_as_the_request_had_it(town: Town, address: str) -> None:
    """The provider took it and its answer was lost: hours later nobody gets a second letter."""
    town.subscribe_at(address)
    town.publish(1)
    town.at(SUNDAY)
    with serve() as fake:
        fake.account.set_now(town.now.timestamp())
        fake.account.faults.queue = [Fault("reset_after_accept")]
        timeouts = {"connect_timeout_s": 5.0, "read_timeout_s": 5.0}
        sender = SendGrid("SG.fake", base_url=fake.url, **timeouts)
        transport = transport_of("SG.fake", base_url=fake.url, **timeouts)

        def run() -> Run:
            works = replace(town.works(), desk=replace(town.desk(), sender=sender))
            works = replace(works, records=SendGridRecords(transport))
            return run_due(works, patience=timedelta(0))[0].run

        doubtful = run()
        assert town.counts(doubtful)["uncertain"] == 1
        town.now += settle.LAG + timedelta(hours=1)
        fake.account.set_now(town.now.timestamp())
        run()
        assert town.counts(doubtful)["handed_over"] == 1
        assert len(fake.account.messages) == 1
        sender.close()
        transport.close()


@pytest.mark.parametrize("how", ["paused", "cancelled"])
def test_who_was_in_flight_in_a_run_that_was_stopped_gets_the_next_letters(town: Town, how: str) -> None:
    """Its holder died: nobody sends there any more, and the claim ends all the same."""
    readers = town.subscribe(8)
    town.publish(1)
    first = town.planned()
    with town.database.write(durable=True) as connection:
        batches.claim(
            connection, first.id, holder="dead", now=town.now, held_until=town.now + HOLD, claim_size=2
        )
        if how == "paused":
            runs.pause_run(connection, first.id, why="doubts")
    if how == "cancelled":
        plan.cancel(town.database, first.id, why="asked", now=town.now)
    town.now += 2 * HOLD
    town.run()
    town.publish(2)
    town.at(SUNDAY + WEEK).run()
    assert sorted(town.letters()) == readers
    assert town.broken() == []
