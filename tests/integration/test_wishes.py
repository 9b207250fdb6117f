"""A reader's own changes on both databases: what is written, what comes back, and what stays closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from digest.compose.profile import profile_of
from digest.model import Council, SubscriberState
from digest.pipeline import wishes
from digest.pipeline.wishes import Change
from digest.slots import schedule_of
from digest.store import councils, desk, postcodes, signup, subscribers
from digest.store.councils import council_ids
from digest.store.database import Database
from digest.store.own_data import own_data
from digest.store.subscribers import Consent, Subscriber

NOW = datetime(2025, 9, 7, 17, tzinfo=UTC)
SUNDAYS = schedule_of("weekly", "sunday", "18:00", "Europe/London")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    one = Database(database_url)
    one.upgrade()
    with one.write() as connection:
        for slug in ("stockport", "great-harrow"):
            councils.add_council(connection, Council(slug, slug.title()), now=NOW)
        subscribers.add_subscriber(
            connection,
            "ann@example.org",
            name="Ann",
            profile=profile_of(councils=["stockport", "great-harrow"]),
            schedule=SUNDAYS,
            state=SubscriberState.ACTIVE,
            start_mark=0,
            consent=Consent("test", NOW),
            source="test",
            now=NOW,
        )
    yield one
    one.close()


def ann(database: Database) -> Subscriber:
    with database.read() as connection:
        return subscribers.subscriber_by_address(connection, "ann@example.org")


def open_councils(database: Database, id_: int) -> list[str]:
    with database.read() as connection:
        return [one.council for one in desk.subscriptions_of(connection, id_) if one.ended_at is None]


def test_one_click_closes_every_subscription_with_its_reason(database: Database) -> None:
    id_ = ann(database).id
    wishes.leave_all(database, id_, reason="one-click", now=NOW)
    assert ann(database).state is SubscriberState.LEFT
    assert ann(database).ended_reason == "one-click"
    assert ann(database).due_from_at is None
    assert open_councils(database, id_) == []


def test_leaving_is_undone_with_all_that_belongs_to_it(database: Database) -> None:
    before = ann(database)
    standing = wishes.leave(database, before.id, council=None, reason="page", now=NOW)
    assert standing is not None
    assert wishes.undo(database, standing, now=NOW)
    assert ann(database) == before
    assert sorted(open_councils(database, before.id)) == ["great-harrow", "stockport"]


def test_a_change_writes_what_differs_and_says_what_was(database: Database) -> None:
    before = ann(database)
    same = Change(before.profile, before.schedule, at_once=False)
    assert wishes.change(database, before.id, same, source="page", now=NOW) is None
    other = replace(same, at_once=True, is_paused=True, paused_until=date(2025, 10, 5))
    standing = wishes.change(database, before.id, other, source="page", now=NOW)
    assert standing is not None
    assert ann(database).paused_until == date(2025, 10, 5)
    assert wishes.undo(database, standing, now=NOW)
    assert ann(database) == before


def test_postcodes_are_replaced_and_the_longest_wins(database: Database) -> None:
    with database.write() as connection:
        ids = council_ids(connection)
        postcodes.replace_all(connection, [("SK9", ids["stockport"])])
        rows = [("SK1", ids["stockport"]), ("SK1 3", ids["great-harrow"]), ("SK1", ids["stockport"])]
        assert postcodes.replace_all(connection, rows) == 2
        assert [one.slug for one in postcodes.councils_at(connection, "sk13xe")] == ["great-harrow"]
        assert [one.slug for one in postcodes.councils_at(connection, "SK1 1AA")] == ["stockport"]
        assert postcodes.councils_at(connection, "SK9 1AA") == ()


def test_what_is_offered_and_what_is_stored_about_one(database: Database) -> None:
    with database.read() as connection:
        offered = signup.offers(connection, signup.named(connection, "harrow"), today=NOW.date())
        found = own_data(connection, ann(database).id)
    assert [(one.council.slug, one.held, one.coming) for one in offered] == [("great-harrow", 0, 0)]
    assert found["address"] == "ann@example.org"
    assert found["consents"] == [{"source": "test", "wording": None, "at": "2025-09-07T17:00:00Z"}]
