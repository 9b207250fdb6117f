"""What the public pages read, on both databases: lists without gaps, committees, what is public."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from digest.errors import NotFoundError
from digest.model import MeetingStatus
from digest.pipeline import publish
from digest.store import reading
from digest.store.database import Database
from digest.store.reading import Among, Mark
from tests.integration.web.reading_town import NOW, Town

DAY = date(2025, 9, 10)


@pytest.fixture
def town(database: Database) -> Town:
    made = Town(database)
    made.council("aber", "Aber Town Council")
    made.council("bury", "Bury Council")
    return made


def test_a_list_goes_both_ways_without_gap_or_repeat(town: Town) -> None:
    ids = [town.meeting("aber", "Cabinet", at=DAY + timedelta(days=n // 3), key=str(n)) for n in range(8)]
    town.meeting("bury", "Cabinet", at=DAY)
    for ask, order in ((reading.coming_meetings, ids), (reading.past_meetings, ids[::-1])):
        seen: list[int] = []
        mark: Mark | None = None
        while True:
            with town.database.read() as connection:
                page = ask(connection, Among("aber"), after=mark, limit=3)
            seen += [told.meeting.id for told in page.told]
            if page.more is None:
                break
            mark = page.more
        assert seen == order


def test_meetings_of_the_next_days_are_counted_without_cancelled_ones(town: Town) -> None:
    town.meeting("aber", "Cabinet", at=DAY)
    town.meeting("aber", "Planning", at=DAY, status=MeetingStatus.CANCELLED)
    with town.database.read() as connection:
        found = reading.listed_councils(connection, first=DAY, last=DAY)
        bodies = reading.committees_of(connection, "aber", first=DAY)
    assert {one.council.slug: one.coming for one in found} == {"aber": 1, "bury": 0}
    assert [(body.name, body.coming) for body in bodies] == [("Cabinet", 1), ("Planning", 0)]


def test_a_committee_is_found_by_its_key(town: Town) -> None:
    town.meeting("aber", "Planning & Highways", at=DAY)
    with town.database.read() as connection:
        assert (
            reading.committee_called(connection, "aber", "planning-and-highways").name
            == "Planning & Highways"
        )
        with pytest.raises(NotFoundError, match="aber has no committee 'gardening'"):
            reading.committee_called(connection, "aber", "gardening")


def test_only_what_is_public_is_told_and_the_newest_word_comes_first(town: Town) -> None:
    first = town.summary(committee="Cabinet")
    second = town.summary(committee="Planning", now=NOW + timedelta(hours=1))
    with town.database.read() as connection:
        newest = reading.newest_told(connection, "aber", None, limit=5)
        decided = reading.past_meetings(connection, Among("aber", is_told=True), limit=5).told
    assert [told.meeting.id for told in newest] == [town.meeting_of(second), town.meeting_of(first)]
    assert len(decided) == 2
    publish.withdraw(town.database, second, why="wrong", now=NOW + timedelta(hours=2))
    with town.database.read() as connection:
        decided = reading.past_meetings(connection, Among("aber", is_told=True), limit=5).told
        withdrawn = reading.whole_meeting(connection, town.meeting_of(second)).withdrawal
    assert [told.meeting.id for told in decided] == [town.meeting_of(first)]
    assert withdrawn == reading.Withdrawal(datetime(2025, 9, 7, 19, tzinfo=UTC), "wrong")


def test_a_correction_is_known_as_one(town: Town) -> None:
    id_ = town.meeting_of(town.summary(lead="It closes."))
    with town.database.read() as connection:
        assert not reading.versions_of(connection, [id_])[id_][0].is_correction
    town.summary(lead="It stays.")
    with town.database.read() as connection:
        (version,) = reading.versions_of(connection, [id_])[id_]
    assert (version.version, version.is_correction) == (2, True)
