"""At once, if wished: who was told of a meeting hears that it is off or has moved, once, by day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.model import MeetingStatus, SubscriberState
from digest.pipeline.run import run_due
from digest.store.database import Database
from tests.integration.post_office import (
    MEETING_AT,
    MONDAY,
    SUNDAY,
    THURSDAY,
    WELSH,
    PostOffice,
    links_in,
    words_of,
)

ANN, BERT = "ann@example.org", "bert@example.org"
NIGHT = datetime(2025, 9, 8, 22, 30, tzinfo=UTC)  # 23:30 in London
NEXT_MORNING = datetime(2025, 9, 9, 5, 30, tzinfo=UTC)


@pytest.fixture
def post(database: Database, tmp_path: Path) -> PostOffice:
    return PostOffice(database, tmp_path / "outbox")


@pytest.fixture
def told(sqlite_only: Database, tmp_path: Path) -> PostOffice:
    """Ann, who wishes to hear at once, and Bert, who does not, had Sunday's letter about a meeting."""
    return with_letter(PostOffice(sqlite_only, tmp_path / "outbox"))


def with_letter(post: PostOffice) -> PostOffice:
    post.add(ANN, at_once=True)
    post.add(BERT)
    post.tell()
    post.at(SUNDAY).run()
    assert {str(letter["To"]) for letter in post.letters()} == {ANN, BERT}
    return post.at(MONDAY)


def at_once(post: PostOffice, address: str = ANN) -> list[str]:
    """Subjects of the letters after the digest."""
    return [str(letter["Subject"]) for letter in post.to(address)][1:]


def test_a_cancelled_meeting_is_told_at_once_to_who_wished_it(post: PostOffice) -> None:
    with_letter(post).tell(MeetingStatus.CANCELLED)
    assert post.send()["handed_over"] == 1
    assert at_once(post) == ["Cancelled: Planning, 16 September"]
    assert at_once(post, BERT) == []
    letter = post.to(ANN)[1]
    assert "Tuesday 16 September, 6pm, will not take place" in words_of(letter)
    assert "You asked to be told at once" in words_of(letter)
    assert {"meetings", "preferences", "unsubscribe", "view"} <= set(links_in(letter))


def test_a_moved_meeting_says_when_it_was_and_when_it_is(told: PostOffice) -> None:
    told.tell(starts_at=MEETING_AT + timedelta(days=1))
    told.send()
    assert at_once(told) == ["Moved: Planning, 17 September"]
    words = words_of(told.to(ANN)[1])
    assert "It was Tuesday 16 September, 6pm; it is now Wednesday 17 September, 6pm." in words


def test_a_meeting_that_takes_place_after_all_is_told_too(told: PostOffice) -> None:
    told.tell(MeetingStatus.CANCELLED)
    told.send()
    told.now += timedelta(hours=1)
    told.tell()
    told.send()
    assert at_once(told) == ["Cancelled: Planning, 16 September", "Takes place: Planning, 16 September"]


def test_a_change_is_told_once_however_often_anybody_looks(told: PostOffice) -> None:
    told.tell(MeetingStatus.CANCELLED)
    for _ in range(3):
        told.send()
        told.run()
        told.now += timedelta(hours=1)
    assert len(at_once(told)) == 1
    assert told.rows("SELECT count(*) FROM run WHERE kind = 'cancelled_meeting'") == [(1,)]


def test_of_two_changes_in_a_row_only_the_last_is_told(told: PostOffice) -> None:
    told.tell(starts_at=MEETING_AT + timedelta(days=1))
    told.tell(starts_at=MEETING_AT + timedelta(days=2))
    told.send()
    assert at_once(told) == ["Moved: Planning, 18 September"]


def test_at_night_it_waits_for_the_morning(told: PostOffice) -> None:
    told.at(NIGHT).tell(MeetingStatus.CANCELLED)
    assert told.send()["runs"] == 0
    assert told.at(NEXT_MORNING).send()["handed_over"] == 1


def test_what_a_letter_has_told_by_then_is_not_told_again(told: PostOffice) -> None:
    told.at(SUNDAY + timedelta(days=7)).tell(MeetingStatus.CANCELLED)
    run_due(replace(told.works(), notices=None), patience=timedelta(seconds=1))
    assert len(told.to(ANN)) == 2
    told.now += timedelta(hours=1)
    assert told.send()["runs"] == 0


def test_who_was_never_told_of_the_meeting_hears_nothing(sqlite_only: Database, tmp_path: Path) -> None:
    post = PostOffice(sqlite_only, tmp_path / "outbox")
    post.add(ANN, at_once=True)
    post.tell()
    post.tell(MeetingStatus.CANCELLED)
    post.send()
    assert post.letters() == []


@pytest.mark.parametrize("state", [SubscriberState.LEFT, SubscriberState.SUPPRESSED])
def test_who_is_gone_hears_nothing(told: PostOffice, state: SubscriberState) -> None:
    told.tell(MeetingStatus.CANCELLED)
    told.end(1, state)
    told.send()
    assert at_once(told) == []


def test_who_has_paused_hears_nothing(told: PostOffice) -> None:
    told.tell(MeetingStatus.CANCELLED)
    told.pause(1)
    told.send()
    assert at_once(told) == []


def test_after_the_meeting_nobody_is_told(told: PostOffice) -> None:
    told.at(MEETING_AT + timedelta(hours=1)).tell(MeetingStatus.CANCELLED)
    assert told.send()["runs"] == 0


def test_news_that_is_days_old_waits_for_the_letter(told: PostOffice) -> None:
    told.tell(MeetingStatus.CANCELLED)
    told.now += timedelta(hours=49)
    assert told.send()["runs"] == 0


def test_a_new_venue_is_no_news_at_once(told: PostOffice) -> None:
    told.tell(MeetingStatus.PROVISIONAL)
    assert told.send()["runs"] == 0


@pytest.mark.parametrize("is_polled_apart", [True, False])
@pytest.mark.parametrize("change", ["cancelled", "moved"])
def test_a_joint_meeting_s_change_is_told_once_to_who_follows_both_councils(
    sqlite_only: Database, tmp_path: Path, change: str, is_polled_apart: bool
) -> None:
    post = PostOffice(sqlite_only, tmp_path / "outbox")
    post.add(ANN, "aber", "bury", at_once=True)
    post.add(BERT, "bury", at_once=True)
    joint = "Aber and Bury Joint Committee"
    for council in ("aber", "bury"):
        post.tell(committee=joint, council=council)
    post.at(SUNDAY).run()
    post.at(MONDAY)
    status = MeetingStatus.CANCELLED if change == "cancelled" else MeetingStatus.SCHEDULED
    starts_at = MEETING_AT if change == "cancelled" else MEETING_AT + timedelta(days=1)
    for council in ("aber", "bury"):
        post.tell(status, committee=joint, council=council, starts_at=starts_at)
        if is_polled_apart:
            post.send()
            post.now += timedelta(minutes=30)
    post.send()
    assert (len(at_once(post, ANN)), len(at_once(post, BERT))) == (1, 1)


def test_a_welsh_reader_hears_in_welsh(sqlite_only: Database, tmp_path: Path) -> None:
    post = PostOffice(sqlite_only, tmp_path / "outbox", now=THURSDAY)
    post.add(ANN, at_once=True, **WELSH)
    post.tell()
    post.at(SUNDAY).run()
    post.at(MONDAY).tell(MeetingStatus.CANCELLED)
    post.send()
    assert at_once(post) == ["Wedi'i ganslo: Planning, 16 Medi"]
