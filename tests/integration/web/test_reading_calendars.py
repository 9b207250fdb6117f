"""Calendars and feeds as programs read them: stable, comparable, in the right hour, and each reader's own."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import feedparser
import httpx
import pytest
from icalendar import Calendar

from digest.compose.profile import profile_of
from digest.links import Purpose
from digest.model import Cadence, CommitteeWish, MeetingStatus, Profile, Schedule, SubscriberState
from digest.pipeline import publish
from digest.store import subscribers
from digest.wiring import Hall
from tests.integration.web.conftest import Clock
from tests.integration.web.reading_town import NOW, Town

WINTER = datetime(2025, 11, 12, 18, 30, tzinfo=UTC)
SUMMER = datetime(2025, 9, 10, 17, 30, tzinfo=UTC)


@pytest.fixture
def town(hall: Hall) -> Town:
    made = Town(hall.database)
    made.council("aber", "Aber Town Council")
    made.council("bury", "Bury Council")
    return made


def events_of(answer: httpx.Response) -> dict[str, Any]:
    """The events of a calendar by their titles."""
    assert answer.headers["Content-Type"].startswith("text/calendar")
    return {str(event["SUMMARY"]): event for event in Calendar.from_ical(answer.content).events}


def test_a_council_s_meetings_stand_in_their_own_hour_summer_and_winter(
    town: Town, client: httpx.Client
) -> None:
    town.meeting("aber", "Cabinet", at=SUMMER)
    town.meeting("aber", "Planning", at=WINTER)
    town.meeting("aber", "Licensing", at=date(2025, 9, 20))
    events = events_of(client.get("/councils/aber/calendar.ics"))
    assert events["Cabinet"].start == SUMMER
    assert events["Planning"].start == WINTER
    assert (events["Licensing"].start, events["Licensing"].end) == (date(2025, 9, 20), date(2025, 9, 21))
    assert events["Cabinet"]["LOCATION"] == "Town Hall"


def test_an_event_keeps_its_name_when_its_meeting_moves_and_counts_up(
    town: Town, client: httpx.Client
) -> None:
    town.meeting("aber", "Cabinet", at=SUMMER, key="one")
    before = events_of(client.get("/councils/aber/calendar.ics"))["Cabinet"]
    later = NOW + timedelta(hours=3)
    town.meeting("aber", "Cabinet", at=WINTER, key="one", now=later)
    after = events_of(client.get("/councils/aber/calendar.ics"))["Cabinet"]
    assert after["UID"] == before["UID"]
    assert after["SEQUENCE"] > before["SEQUENCE"]
    assert (after.start, after.DTSTAMP) == (WINTER, later)


def test_a_cancelled_meeting_is_cancelled_in_the_calendar_too(town: Town, client: httpx.Client) -> None:
    town.meeting("aber", "Cabinet", at=SUMMER, status=MeetingStatus.CANCELLED)
    town.meeting("aber", "Planning", at=SUMMER, status=MeetingStatus.PROVISIONAL)
    events = events_of(client.get("/councils/aber/calendar.ics"))
    assert events["Cancelled: Cabinet"]["STATUS"] == "CANCELLED"
    assert events["Provisional: Planning"]["STATUS"] == "TENTATIVE"


def test_a_committee_s_calendar_holds_its_meetings_alone(town: Town, client: httpx.Client) -> None:
    town.meeting("aber", "Cabinet", at=SUMMER)
    town.meeting("aber", "Planning & Highways", at=SUMMER)
    events = events_of(client.get("/councils/aber/calendar.ics?committee=planning-and-highways"))
    assert list(events) == ["Planning & Highways"]


def test_one_meeting_can_be_put_into_a_calendar(town: Town, client: httpx.Client) -> None:
    id_ = town.meeting("aber", "Cabinet", at=SUMMER)
    assert list(events_of(client.get(f"/meetings/{id_}/calendar.ics"))) == ["Cabinet, Aber Town Council"]
    assert client.get("/meetings/4711/calendar.ics").status_code == 404


@pytest.mark.parametrize("path", ["/councils/aber/calendar.ics", "/councils/aber/feed.xml"])
def test_what_has_not_changed_is_not_sent_again(
    town: Town, client: httpx.Client, clock: Clock, path: str
) -> None:
    town.summary()
    first = client.get(path)
    clock.forward(timedelta(hours=5))
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    town.meeting("aber", "Cabinet", at=SUMMER)
    town.summary(lead="It closes after all.", now=NOW + timedelta(hours=1))
    changed = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200


# --- feeds -------------------------------------------------------------------------------------------


def entries_of(answer: httpx.Response) -> list[Any]:
    parsed = feedparser.parse(answer.content)
    assert not parsed.bozo
    assert parsed.version == "atom10"
    return list(parsed.entries)


def test_a_feed_says_what_was_decided_the_newest_word_first(town: Town, client: httpx.Client) -> None:
    town.summary(committee="Planning", question="And the bridge?", now=NOW + timedelta(hours=1))
    town.summary()
    bridge, library = entries_of(client.get("/councils/aber/feed.xml"))
    assert (bridge.title, library.title) == ("And the bridge?", "Will the library close?")
    assert library.id.startswith("http://testserver/meetings/")
    assert library.updated == "2025-09-07T17:00:00Z"
    assert "The library stays open." in library.content[0].value
    assert "AI summary" in library.content[0].value


def test_a_correction_and_a_withdrawal_keep_the_entry_and_move_its_time(
    town: Town, client: httpx.Client
) -> None:
    id_ = town.summary()
    first = entries_of(client.get("/councils/aber/feed.xml"))[0]
    town.summary(lead="It closes.", now=NOW + timedelta(hours=1))
    corrected = entries_of(client.get("/councils/aber/feed.xml"))[0]
    publish.withdraw(town.database, id_, why="wrong", now=NOW + timedelta(hours=2))
    withdrawn = entries_of(client.get("/councils/aber/feed.xml"))[0]
    assert first.id == corrected.id == withdrawn.id
    assert [e.updated[11:13] for e in (first, corrected, withdrawn)] == ["17", "18", "19"]
    assert withdrawn.title == "Withdrawn: Libraries saved"
    assert "closes" not in withdrawn.content[0].value


def test_what_no_xml_may_hold_breaks_no_feed(town: Town, client: httpx.Client) -> None:
    town.summary(question="Is ]]> & <b> \ufffe \x0b fine?", lead="Yes \uffff & no.")
    assert entries_of(client.get("/councils/aber/feed.xml"))[0].title.startswith("Is ]]>")


# --- each reader's own -------------------------------------------------------------------------------


def reader(hall: Hall, profile: Profile, state: SubscriberState = SubscriberState.ACTIVE) -> str:
    """A reader with those wishes; the address of their calendar."""
    with hall.database.write() as connection:
        id_ = subscribers.add_subscriber(
            connection,
            "ada@example.org",
            name="",
            profile=profile,
            schedule=Schedule(Cadence.WEEKLY, "sunday", "18:00", "Europe/London"),
            state=state,
            start_mark=0,
            consent=None,
            source="test",
            now=NOW,
        )
    return f"/calendar/{hall.signer.token(Purpose.CALENDAR, id_, on=NOW.date())}.ics"


def test_a_reader_s_calendar_follows_their_wishes(town: Town, hall: Hall, client: httpx.Client) -> None:
    for council, committee in (("aber", "Cabinet"), ("aber", "Planning"), ("bury", "Cabinet")):
        town.meeting(council, committee, at=SUMMER)
    town.meeting("bury", "Licensing", at=SUMMER)
    wishes = (CommitteeWish("aber", "planning"), CommitteeWish("bury", "licensing", is_wanted=False))
    path = reader(hall, profile_of(councils=["aber", "bury"], committees=wishes))
    answer = client.get(path)
    assert sorted(events_of(answer)) == ["Cabinet, Bury Council", "Planning, Aber Town Council"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_a_reader_s_calendar_ends_with_the_subscription(town: Town, hall: Hall, client: httpx.Client) -> None:
    path = reader(hall, profile_of(councils=["aber"]), SubscriberState.LEFT)
    answer = client.get(path)
    assert answer.status_code == 410
    assert "This calendar has ended" in answer.text


def test_a_calendar_opens_with_no_other_link(hall: Hall, client: httpx.Client) -> None:
    token = hall.signer.token(Purpose.UNSUBSCRIBE, 1, on=NOW.date())
    assert client.get(f"/calendar/{token}.ics").status_code == 404
    assert client.get("/calendar/nonsense.ics").status_code == 404
