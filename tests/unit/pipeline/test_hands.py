"""Several requests under way at once: every answer is told, whatever becomes of the others."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from digest.model import HandedOver, Outcome, Outgoing
from digest.pipeline.hands import Hands
from digest.store.batches import ClaimedBatch
from tests.unit.deliver.letters import outgoing, reader


def batch(number: int, *, people: int = 1) -> ClaimedBatch:
    return ClaimedBatch(number, number, number, 1, [(n, f"r{n}@example.org", "") for n in range(people)])


def letter(one: ClaimedBatch) -> Outgoing:
    return replace(outgoing(reader(1)), batch_id=one.id)


def took(given: Outgoing) -> Outcome:
    return HandedOver(str(given.batch_id))


def test_as_many_are_under_way_as_are_given_and_answers_come_in_their_order() -> None:
    met = threading.Barrier(3, timeout=10)

    def send(given: Outgoing) -> Outcome:
        met.wait()
        return took(given)

    some, before = [batch(3), batch(1), batch(2)], threading.active_count()
    with Hands(send, most=3) as hands:
        for _ in range(2):  # by the same threads
            assert list(hands.answers(some, letter)) == [(one, HandedOver(str(one.id))) for one in some]
    assert threading.active_count() == before  # a copy of this process can be made again


def test_a_batch_with_nobody_left_is_not_sent() -> None:
    empty = batch(2, people=0)
    with Hands(took, most=2) as hands:
        assert list(hands.answers([batch(1), empty], letter)) == [(batch(1), HandedOver("1")), (empty, None)]
        assert list(hands.answers([empty], letter)) == [(empty, None)]


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_where_one_breaks_the_answers_of_the_others_are_told_first(broken: int) -> None:
    def send(given: Outgoing) -> Outcome:
        if given.batch_id == broken:
            raise MemoryError
        return took(given)

    told: list[int] = []
    with Hands(send, most=3) as hands, pytest.raises(MemoryError):
        told.extend(one.id for one, _ in hands.answers([batch(1), batch(2), batch(3)], letter))
    assert told == [n for n in (1, 2, 3) if n != broken]
