"""A database moves to another kind: all of it, verified, and everything goes on where it stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from digest.errors import ConflictError, StoreError
from digest.pipeline import dispatch
from digest.store import copying
from digest.store.database import Database
from digest.store.tables import metadata
from tests.integration.ledger_town import SUNDAY, WEEK, Town


class StopError(Exception):
    """A kill in the middle of a copy."""


@pytest.fixture
def town(sqlite_only: Database) -> Town:
    """A town in the middle of a run: some have their letter, some are planned."""
    made = Town(sqlite_only)
    made.subscribe(9)
    for number in range(3):
        made.publish(number)
    run = made.planned()
    desk = replace(made.desk(), should_stop=lambda: len(made.sender.arrived) >= 2)
    assert dispatch.dispatch(made.database, run, desk).letters == 4
    return made


@pytest.fixture
def target(postgres_url: str) -> Iterator[Database]:
    made = Database(postgres_url)
    yield made
    made.close()


def rows_in(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {
            name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()  # noqa: S608
            for name in metadata.tables
        }


def test_everything_is_there_and_verified(town: Town, target: Database) -> None:
    copied = copying.copy(town.database, target, range_size=4)
    assert {one.table: one.rows for one in copied} == rows_in(town.database) == rows_in(target)
    assert rows_in(target)["delivery"] == 9
    town.database = target
    assert town.broken() == []
    assert target.check() == ()


def test_a_run_goes_on_where_it_stopped(town: Town, target: Database) -> None:
    copying.copy(town.database, target)
    town.database = target
    town.run("another")
    assert sorted(len(letters) for letters in town.letters().values()) == [1] * 9
    assert town.rows("SELECT state FROM run") == [("completed",)]
    town.at(SUNDAY + WEEK - timedelta(hours=1)).publish(7)
    town.at(SUNDAY + WEEK).run()
    assert sorted(len(letters) for letters in town.letters().values()) == [2] * 9
    assert town.broken() == []


def test_no_number_is_ever_given_again(town: Town, target: Database) -> None:
    with town.database.write() as connection:
        # The newest reader is gone: only the counter remembers that there was one.
        for table in ("subscription", "delivery"):
            connection.execute(text(f"DELETE FROM {table} WHERE subscriber_id = 9"))  # noqa: S608
        connection.execute(text("DELETE FROM subscriber WHERE id = 9"))
    last = town.last_seq()
    copying.copy(town.database, target)
    town.database = target
    assert town.subscribe(1) == [10]
    town.publish(8)
    assert town.last_seq() == last + 1


def test_a_database_with_anything_in_it_is_refused_and_stays_as_it_is(town: Town, target: Database) -> None:
    copying.copy(town.database, target)
    before = rows_in(target)
    with pytest.raises(ConflictError, match=r"is not empty.*createdb NAME"):
        copying.copy(town.database, target)
    assert rows_in(target) == before


def test_a_database_is_not_copied_onto_itself(town: Town) -> None:
    with pytest.raises(ConflictError, match="is the database itself"):
        copying.copy(town.database, town.database)


def test_killed_in_the_middle_it_has_copied_nothing_and_can_be_started_again(
    town: Town, target: Database
) -> None:
    def die(table: str, rows: int) -> None:
        if table == "delivery":
            raise StopError

    with pytest.raises(StopError):
        copying.copy(town.database, target, each=die)
    assert set(rows_in(target).values()) == {0}
    copying.copy(town.database, target)
    assert rows_in(target) == rows_in(town.database)


def test_a_row_that_arrives_otherwise_is_noticed_and_nothing_is_copied(town: Town, target: Database) -> None:
    with target.write() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN NEW.covered_seq := NEW.covered_seq + 1; RETURN NEW; END $$"
            )
        )
        connection.execute(
            text("CREATE TRIGGER spoil BEFORE INSERT ON subscriber FOR EACH ROW EXECUTE FUNCTION spoil()")
        )
    try:
        with pytest.raises(StoreError, match="the table subscriber does not hold what it should"):
            copying.copy(town.database, target)
        assert set(rows_in(target).values()) == {0}
    finally:
        with target.write() as connection:
            connection.execute(text("DROP TRIGGER spoil ON subscriber"))
            connection.execute(text("DROP FUNCTION spoil()"))


def test_back_to_a_file_it_is_the_same_again(town: Town, target: Database, tmp_path: Path) -> None:
    there = copying.copy(town.database, target)
    file = Database(f"sqlite:///{tmp_path / 'back.db'}")
    assert copying.copy(target, file) == there
    file.close()
