"""What comes first: matches, decisions, importance, time, and never chance."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from digest.compose.profile import profile_of
from digest.compose.rank import importance_of
from digest.compose.select import select
from digest.model import LineKind, LogLine, Meeting
from tests.unit.compose.builders import SUNDAY, Log, council, meeting, summary

READER = profile_of(councils=["stockport"], keywords=["send"])


def order_of(lines: list[LogLine]) -> list[str]:
    found = select(READER, lines, from_seq=0, upto_seq=99, councils={"stockport": council()})
    return [item.item for item in found]


def held(number: int, days_ago: int = 3) -> Meeting:
    return meeting(number, starts_at=SUNDAY - timedelta(days=days_ago))


def test_a_match_comes_before_any_decision_and_a_decision_before_any_announcement() -> None:
    log = Log()
    log.add(LineKind.PAPERS, meeting(5))
    log.add(LineKind.MEETING_NEW, meeting(1))
    log.add(LineKind.SUMMARY, held(2), summaries=(summary("A sum of £90m.", decisions=9),))
    log.add(LineKind.MEETING_NEW, meeting(3, title="SEND inquiry"))
    assert order_of(log.lines) == ["meeting:3", "summary:2", "meeting:1", "papers:5"]


def test_more_matches_come_first() -> None:
    log = Log()
    log.add(LineKind.SUMMARY, held(1), summaries=(summary("Send."),))
    log.add(LineKind.SUMMARY, held(2), summaries=(summary("Send.", topics=("Schools",)),))
    profile = profile_of(councils=["stockport"], keywords=["send"], topics=["schools"])
    found = select(profile, log.lines, from_seq=0, upto_seq=9, councils={"stockport": council()})
    assert [item.item for item in found] == ["summary:2", "summary:1"]


@pytest.mark.parametrize(
    ("heavy", "light"),
    [
        (summary("The deficit is £63m."), summary("A grant of £20,000.")),
        (summary("x", decisions=3), summary("x", decisions=1)),
        (summary("word " * 900), summary("word " * 100)),
        (summary("It costs £1.5 million."), summary("It costs £900 thousand.")),
        (summary("It costs £2bn"), summary("It costs £2m")),
    ],
)
def test_importance_is_money_decisions_and_length(heavy: object, light: object) -> None:
    log = Log()
    log.add(LineKind.SUMMARY, held(1), summaries=(light,))
    log.add(LineKind.SUMMARY, held(2), summaries=(heavy,))
    assert order_of(log.lines) == ["summary:2", "summary:1"]


def test_importance_explains_itself() -> None:
    weight = importance_of((summary("From £43m to £63m.", decisions=2),))
    assert (weight.score, weight.why) == (6, "largest sum 63,000,000 (+4), 2 decisions (+2)")
    assert importance_of(()).why == "nothing that adds weight"


def test_equal_announcements_go_soonest_first_and_accounts_latest_first() -> None:
    log = Log()
    log.add(LineKind.MEETING_NEW, meeting(1, starts_at=SUNDAY + timedelta(days=5)))
    log.add(LineKind.MEETING_NEW, meeting(2, starts_at=SUNDAY + timedelta(days=2)))
    log.add(LineKind.MEETING_NEW, meeting(3, starts_at=None))
    log.add(LineKind.SUMMARY, held(4, days_ago=5), summaries=(summary(),))
    log.add(LineKind.SUMMARY, held(5, days_ago=1), summaries=(summary(),))
    assert order_of(log.lines) == ["summary:5", "summary:4", "meeting:2", "meeting:1", "meeting:3"]


def test_equal_items_keep_their_order_whatever_the_order_of_the_lines() -> None:
    log = Log()
    for number in range(12):
        log.add(LineKind.SUMMARY, held(number), summaries=(summary(),))
    shuffled = list(log.lines)
    random.Random(7).shuffle(shuffled)
    assert order_of(shuffled) == order_of(log.lines)
    assert order_of(log.lines) == sorted(order_of(log.lines))
