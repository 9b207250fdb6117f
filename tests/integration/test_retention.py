"""Retention: old rows are counted and go, in small ranges; totals stay, and the ledger holds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from digest.deliver.events import events_of
from digest.errors import NotFoundError
from digest.links import delivery_id
from digest.model import SubscriberState
from digest.pipeline import retention
from digest.pipeline.events import hear
from digest.pipeline.retention import Gone, Kept
from digest.store import events, pages, runs, suppressions
from digest.store.database import Database
from tests.integration.ledger_town import SUNDAY, WEEK, Town

KEPT = Kept(timedelta(days=60), timedelta(days=30), timedelta(days=20), timedelta(days=10))
KEY = "k" * 40
TABLES = ("delivery", "batch", "edition", "news", "news_item", "page", "event")


class StopError(Exception):
    """A kill between two transactions."""


@pytest.fixture
def town(database: Database) -> Town:
    """Three weekly runs, each of seven letters with an event for each."""
    made = Town(database)
    made.subscribe(7)
    for week in range(3):
        at = SUNDAY + week * WEEK
        made.at(at - timedelta(hours=1)).publish(week)
        made.at(at).run()
        posts = [
            f'{{"event": "delivered", "sg_event_id": "e{week}-{n}", "timestamp": {int(at.timestamp())}, '
            f'"email": "x@test.example", "dg_delivery_id": "{delivery_id(week + 1, n)}"}}'
            for n in range(1, 8)
        ]
        hear(database, events_of(f"[{','.join(posts)}]".encode()), suppression_key=KEY, now=at)
    return made


def tidy(town: Town, now: datetime, **options: Any) -> Gone:
    return retention.keep_tidy(town.database, KEPT, suppression_key=KEY, now=now, range_size=2, **options)


def sizes(town: Town) -> dict[str, int]:
    return {name: town.rows(f"SELECT count(*) FROM {name}")[0][0] for name in TABLES}  # noqa: S608


def counts(town: Town) -> list[dict[str, int]]:
    with town.database.read() as connection:
        return [runs.run_counts(connection, id_) for id_ in (1, 2, 3)]


def event_counts(town: Town) -> list[dict[str, int]]:
    with town.database.read() as connection:
        return [events.counts_of(connection, id_) for id_ in (1, 2, 3)]


def test_nothing_goes_before_its_time(town: Town) -> None:
    before = sizes(town)
    assert tidy(town, SUNDAY + timedelta(days=20)).total == 0
    assert sizes(town) == before


def test_letters_go_after_their_time_and_all_totals_stay(town: Town) -> None:
    before, events_before = counts(town), event_counts(town)
    assert [one["handed_over"] for one in before] == [7, 7, 7]
    assert events_before == [{"delivered": 7}] * 3
    now = SUNDAY + timedelta(days=61)
    gone = tidy(town, now)
    assert (gone.deliveries, gone.batches, gone.editions, gone.pages, gone.events) == (21, 12, 1, 1, 21)
    assert counts(town) == before
    assert event_counts(town) == events_before
    assert town.broken() == []
    assert town.database.check() == ()
    assert tidy(town, now).total == 0


def test_the_next_letter_says_what_it_would_have_said(town: Town) -> None:
    tidy(town, SUNDAY + timedelta(days=250))
    later = SUNDAY + 40 * WEEK
    town.at(later - timedelta(hours=1)).publish(9)
    (report,) = town.at(later).run()
    assert report.counts["handed_over"] == 7
    assert {len(letters) for letters in town.letters().values()} == {4}
    assert all(len(letters[-1].items) == 1 for letters in town.letters().values())
    assert town.broken() == []


def test_killed_between_any_two_transactions_it_goes_on(town: Town) -> None:
    before, events_before = counts(town), event_counts(town)
    now = SUNDAY + timedelta(days=400)

    def die(n: int) -> None:
        if n:
            raise StopError

    kills = 0
    while True:
        try:
            tidy(town, now, each=die)
        except StopError:
            kills += 1
            assert counts(town) == before
            assert event_counts(town) == events_before
            assert town.broken() == []
            if not any(sizes(town).values()):
                break
    assert kills > 20


def test_an_unfinished_run_keeps_everything(database: Database) -> None:
    town = Town(database)
    town.subscribe(2)
    town.publish(1)
    town.planned()
    before = sizes(town)
    assert tidy(town, SUNDAY + timedelta(days=4000)).total == 0
    assert sizes(town) == before


def test_a_page_that_newer_letters_show_stays(town: Town) -> None:
    with town.database.read() as connection:
        first = connection.execute(text("SELECT min(id) FROM page")).scalar_one()
    with town.database.write() as connection:
        # Said again word for word two weeks later.
        connection.execute(text("UPDATE edition SET page_id = :p WHERE run_id = 3"), {"p": first})
    tidy(town, SUNDAY + timedelta(days=70))
    with town.database.read() as connection:
        assert pages.page_by_id(connection, first).text
    tidy(town, SUNDAY + timedelta(days=90))
    with town.database.read() as connection, pytest.raises(NotFoundError, match="retention is over"):
        pages.page_by_id(connection, first)


def test_addresses_of_who_left_go_and_older_lists_cannot_bring_them_back(town: Town) -> None:
    town.at(SUNDAY + 3 * WEEK).end(1, SubscriberState.LEFT)
    assert tidy(town, SUNDAY + 3 * WEEK + timedelta(days=9)).left == 0
    now = SUNDAY + 3 * WEEK + timedelta(days=11)
    assert tidy(town, now).left == 1
    assert town.rows("SELECT address, state FROM subscriber WHERE id = 1") == [("", "erased")]
    with town.database.read() as connection:
        bar = suppressions.bars(connection, ["reader0@test.example"], key=KEY)["reader0@test.example"]
    assert bar.since == SUNDAY + 3 * WEEK
    assert not bar.is_suppression
