"""A small town of councils and readers for the tests of the residents' pages."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import select

from digest.compose.profile import profile_of
from digest.links import Purpose
from digest.model import Council, SubscriberState, Support
from digest.slots import schedule_of
from digest.store import councils, subscribers
from digest.store.subscribers import Consent, Subscriber
from digest.store.tables import metadata
from digest.wiring import Hall

SUNDAYS = schedule_of("weekly", "sunday", "18:00", "Europe/London")
ANN = "ann.mellor+council@example.org"


def with_councils(hall: Hall) -> None:
    """Two councils with summaries, one with limited support."""
    with hall.database.write() as connection:
        for slug, name, support in (
            ("stockport", "Stockport", Support.FULL),
            ("great-harrow", "Great Harrow", Support.FULL),
            ("little-wittering", "Little Wittering", Support.LIMITED),
        ):
            councils.add_council(connection, Council(slug, name, support), now=hall.clock())


def add_reader(
    hall: Hall,
    address: str = ANN,
    *followed: str,
    state: SubscriberState = SubscriberState.ACTIVE,
    language: str = "en",
) -> int:
    """A reader of these councils (Stockport and Great Harrow unless said), with consent on record."""
    wishes = profile_of(councils=followed or ("stockport", "great-harrow"), language=language)
    with hall.database.write() as connection:
        return subscribers.add_subscriber(
            connection,
            address,
            name="Ann",
            profile=wishes,
            schedule=SUNDAYS,
            state=state,
            start_mark=0,
            consent=Consent("test", datetime(2025, 6, 3, tzinfo=UTC)),
            source="test",
            now=hall.clock(),
        )


def reader(hall: Hall, id_: int) -> Subscriber:
    """How the reader stands now."""
    with hall.database.read() as connection:
        found = subscribers.subscriber_by_id(connection, id_)
    assert found is not None
    return found


def link(hall: Hall, purpose: Purpose, id_: int, *, on: date | None = None) -> str:
    """The path that a letter of that day links to."""
    token = hall.signer.token(purpose, id_, on=on or hall.clock().date())
    return f"/{purpose.word}/{token}"


def dump(hall: Hall) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table: equal dumps mean that nothing changed at all."""
    with hall.database.read() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(select(table)).all()), key=repr)
            for table in metadata.sorted_tables
        }
