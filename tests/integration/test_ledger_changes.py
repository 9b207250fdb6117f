"""What changes between planning and claim: wishes, pauses, goodbyes, corrections and withdrawals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from digest.model import Outcome, Outgoing, RunState, SubscriberState
from digest.slots import schedule_of
from digest.store import recheck, subscribers
from digest.store.batches import HeldBatch
from digest.store.database import Database
from tests.integration.ledger_town import SUNDAY, WEEK, Town, following


@pytest.fixture(params=["few readers in a batch", "many"])
def town(
    database: Database, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Town]:
    """A town on each database, whose ledger must be sound at the end of every story.

    Batches of few readers are looked at together, those of many each by itself.
    """
    if request.param == "many":
        monkeypatch.setattr(recheck, "_FEW", 0)
    found = Town(database)
    yield found
    assert found.broken() == []


def named(town: Town, reader: int) -> list[list[str]]:
    return [sorted(said.named) for said in town.letters().get(reader, [])]


@pytest.mark.parametrize(
    ("state", "ended"), [(SubscriberState.LEFT, "left"), (SubscriberState.SUPPRESSED, "suppressed")]
)
def test_who_is_gone_before_the_claim_gets_nothing_and_keeps_the_range(
    town: Town, state: SubscriberState, ended: str
) -> None:
    town.publish(1)
    gone, stays = town.subscribe(2)
    run = town.planned()
    town.end(gone, state)
    town.dispatch(run)
    assert list(town.letters()) == [stays]
    assert town.counts(run) == {"due": 2, "editions": 1, "handed_over": 1, ended: 1}
    assert town.ranges(gone) == [(0, 1, ended)]


def test_who_leaves_in_the_moment_after_the_claim_gets_nothing(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.publish(1)
    gone, stays = town.subscribe(2)
    run = town.planned()

    looked_at = recheck.recheck

    def leave_first(connection: Connection, held: Sequence[HeldBatch], **rest: Any) -> Any:
        assert town.rows("SELECT state FROM batch") == [("claimed",)]
        town.end(gone, SubscriberState.LEFT)
        return looked_at(connection, held, **rest)

    monkeypatch.setattr(recheck, "recheck", leave_first)
    town.dispatch(run)
    assert list(town.letters()) == [stays]
    assert town.ranges(gone) == [(0, 1, "left")]


def test_who_pauses_before_the_claim_gets_nothing_and_the_news_after_the_pause(town: Town) -> None:
    item = town.publish(1)
    (reader,) = town.subscribe()
    run = town.planned()
    town.pause(reader)
    town.dispatch(run)
    assert town.letters() == {}
    assert town.counts(run) == {"due": 1, "editions": 1, "cancelled": 1}
    assert town.mark(reader) == 0
    with town.database.write() as connection:
        subscribers.resume(connection, reader, now=town.now)
    town.at(SUNDAY + WEEK).run()
    assert named(town, reader) == [[item]]


def test_who_gets_letters_at_another_time_from_now_on_gets_this_one_still(town: Town) -> None:
    item = town.publish(1)
    (reader,) = town.subscribe()
    run = town.planned()
    with town.database.write() as connection:
        monthly = schedule_of("monthly", "1", "09:00", "Europe/London")
        subscribers.set_schedule(connection, reader, monthly, now=town.now)
    town.dispatch(run)
    assert named(town, reader) == [[item]]


def test_changed_wishes_are_planned_again_in_the_same_run_with_the_same_range(town: Town) -> None:
    town.publish(1)
    other = town.publish(2, slug="bury")
    changed, stays = town.subscribe(2)
    run = town.planned()
    before = town.ranges(changed)[0][:2]
    town.set_wishes(changed, following("bury"))
    town.dispatch(run)
    assert named(town, changed) == []
    town.compose(run)
    town.dispatch(run)
    assert named(town, changed) == [[other]]
    assert len(named(town, stays)) == 1
    assert town.ranges(changed) == [(*before, "handed_over")]
    assert town.state(run) is RunState.COMPLETED


def test_wishes_changed_to_something_without_news_are_empty(town: Town) -> None:
    town.publish(1)
    (reader,) = town.subscribe()
    run = town.planned()
    town.set_wishes(reader, following("bury"))
    town.run()
    assert town.letters() == {}
    assert town.counts(run)["empty"] == 1
    assert town.state(run) is RunState.COMPLETED


def test_wishes_changed_twice_end_where_they_ended(town: Town) -> None:
    first = town.publish(1)
    town.publish(2, slug="bury")
    (reader,) = town.subscribe()
    run = town.planned()
    town.set_wishes(reader, following("bury"))
    town.dispatch(run)
    town.set_wishes(reader, following("aber"))
    town.run()
    assert named(town, reader) == [[first]]


def test_a_correction_before_the_claim_is_what_the_letter_says(town: Town) -> None:
    item = town.publish(1, words="First words")
    (reader,) = town.subscribe()
    run = town.planned()
    town.publish(1, words="Better words")
    assert town.dispatch(run).letters == 0
    town.compose(run)
    town.dispatch(run)
    (said,) = town.letters()[reader]
    assert said.named == {item: "Better words"}
    town.at(SUNDAY + WEEK).run()
    assert [list(s.named) for s in town.letters()[reader]][1:] == [[item]]


def test_a_withdrawal_before_the_claim_takes_the_item_out(town: Town) -> None:
    town.publish(1)
    stays = town.publish(2)
    (reader,) = town.subscribe()
    run = town.planned()
    town.withdraw(1)
    town.run()
    assert named(town, reader) == [[stays]]
    assert town.state(run) is RunState.COMPLETED


def test_a_withdrawal_of_all_there_was_leaves_an_empty_letter(town: Town) -> None:
    town.publish(1)
    (reader,) = town.subscribe()
    run = town.planned()
    town.withdraw(1)
    town.run()
    assert named(town, reader) == []
    assert town.counts(run)["empty"] == 1


def test_a_correction_of_another_item_leaves_the_edition_as_it_is(town: Town) -> None:
    town.publish(1)
    town.publish(2, slug="bury")
    (reader,) = town.subscribe()
    run = town.planned()
    town.publish(2, slug="bury", words="Better words")
    assert town.dispatch(run).letters == 1
    assert len(named(town, reader)) == 1


def test_what_is_claimed_goes_as_it_is_and_the_rest_is_corrected(town: Town) -> None:
    item = town.publish(1, words="First words")
    readers = town.subscribe(4)
    run = town.planned()
    corrected: list[str] = []

    def correct(outgoing: Outgoing) -> Outcome | None:
        if not corrected:
            corrected.append(town.publish(1, words="Better words"))
        return None

    town.sender.before = correct
    town.dispatch(run, claim_size=2)
    town.run()
    words = [town.letters()[reader][0].named[item] for reader in readers]
    assert words == ["First words", "First words", "Better words", "Better words"]
    assert all(len(said) == 1 for said in town.letters().values())


def test_who_had_the_first_words_gets_the_correction_next(town: Town) -> None:
    item = town.publish(1, words="First words")
    (reader,) = town.subscribe()
    town.at(SUNDAY).run()
    town.at(SUNDAY + timedelta(days=1)).publish(1, words="Better words")
    town.at(SUNDAY + WEEK).run()
    assert [said.named for said in town.letters()[reader]] == [
        {item: "First words"},
        {item: "Better words"},
    ]
