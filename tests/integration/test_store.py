"""The database itself: its schema, and a log whose order is the order of commits."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from digest.errors import SchemaError, StoreError
from digest.model import Council, LineKind, Meeting, MeetingStatus
from digest.store import councils, editions, meetings, publications
from digest.store.database import HEAD, LOCK_LOG, MIGRATIONS, Database
from digest.store.editions import Item
from digest.store.publications import NewLine

NOW = datetime(2025, 9, 4, 9, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parent.parent.parent


# --- schema -------------------------------------------------------------------------------------------


def with_version(database: Database, version: str) -> Database:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
    return Database(database.url)


def test_an_older_schema_is_said_with_the_command_that_mends_it(database: Database) -> None:
    older = with_version(database, "0000")
    message = rf"has schema 0000, this program needs {HEAD}: run `digest db upgrade`"
    with pytest.raises(SchemaError, match=message), older.read():
        pass
    with pytest.raises(SchemaError, match=message), older.write():
        pass
    older.close()


def test_a_newer_schema_that_only_has_more_is_worked_with(database: Database) -> None:
    """A worker of the version before starts again while the database has been upgraded already."""
    with database.write() as connection:
        connection.execute(text("ALTER TABLE council ADD COLUMN something_new INTEGER"))
    newer = with_version(database, "9999")
    with newer.write() as connection:
        councils.add_council(connection, Council("aber", "Aber"), now=NOW)
    newer.upgrade()
    assert newer.version() == "9999"
    with newer.read() as connection:
        assert [one.slug for one in councils.all_councils(connection)] == ["aber"]
    newer.close()


def test_a_newer_schema_that_lacks_what_this_program_needs_is_said_and_never_touched(
    database: Database,
) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE oldest_program SET revision = '9999'"))
    newer = with_version(database, "9999")
    message = rf"has schema 9999, this program knows {HEAD}: install a newer one"
    with pytest.raises(SchemaError, match=message), newer.read():
        pass
    with pytest.raises(SchemaError, match=message):
        newer.upgrade()
    assert newer.version() == "9999"
    newer.close()


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    with database.write() as connection:
        councils.add_council(connection, Council("aber", "Aber"), now=NOW)
    database.upgrade()
    database.upgrade()
    with database.read() as connection:
        assert [one.slug for one in councils.all_councils(connection)] == ["aber"]
    assert database.check() == ()


def test_a_database_without_tables_is_said_with_the_command_that_makes_them(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    empty = Database(f"sqlite:///{path}")
    with pytest.raises(SchemaError, match=r"does not exist.*`digest db upgrade`"), empty.read():
        pass
    assert not path.exists()
    path.touch()
    with pytest.raises(SchemaError, match="has no tables yet: run `digest db upgrade`"), empty.read():
        pass
    empty.close()


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear reader, " * 1000)
    wrong = Database(f"sqlite:///{path}")
    for what in (wrong.upgrade, wrong.require_current, wrong.check):
        with pytest.raises(StoreError, match="is not a database"):
            what()
    assert path.read_text().startswith("Dear reader")
    wrong.close()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    nowhere = Database(f"sqlite:///{tmp_path / 'gone' / 'digest.db'}")
    with pytest.raises(StoreError, match="does its folder exist"):
        nowhere.upgrade()
    nowhere.close()


def test_another_kind_of_database_is_said() -> None:
    with pytest.raises(StoreError, match="neither sqlite:///file nor postgresql://"):
        Database("mysql://localhost/digest")


def test_a_server_that_does_not_answer_is_said_without_the_password() -> None:
    away = Database("postgresql://ann:s3cret@127.0.0.1:9/digest")
    with pytest.raises(StoreError) as refused:
        away.version()
    assert "127.0.0.1" in str(refused.value)
    assert "s3cret" not in str(refused.value)
    away.close()


def migrated_to(database: Database, revision: str) -> None:
    """An empty database as the program of that schema would have left it."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.begin() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_what_editions_named_before_schema_0005_is_known_after_it(database_url: str, tmp_path: Path) -> None:
    is_sqlite = database_url.startswith("sqlite")
    database = Database(f"sqlite:///{tmp_path}/older.db" if is_sqlite else database_url)
    migrated_to(database, "0004")
    with database.engine.begin() as connection:
        for statement in (
            "INSERT INTO profile (id, fingerprint, wishes) VALUES (1, 'p', '{}')",
            "INSERT INTO run (id, kind, key, slot_at, upto_seq, as_of, state, merged, created_at) "
            "VALUES (1, 'digest', 'k', 0, 9, 0, 'completed', '[]', 0)",
            "INSERT INTO edition (id, run_id, profile_id, from_seq, revision, content_seq, is_stale) "
            "VALUES (7, 1, 1, 0, 1, 9, 0), (8, 1, 1, 1, 1, 9, 0), (9, 1, 1, 2, 1, 9, 0)",
            "INSERT INTO edition_item (edition_id, item, version, is_folded) "
            "VALUES (7, 'summary:1', 2, 0), (7, 'meeting:4', 0, 1), (8, 'summary:1', 2, 0)",
        ):
            connection.exec_driver_sql(statement)
    database.upgrade()
    with database.read() as connection:
        named = {id_: set(editions.items_of(connection, id_)) for id_ in (7, 8, 9)}
    assert named == {
        7: {Item("summary:1", 2), Item("meeting:4", 0, is_folded=True)},
        8: {Item("summary:1", 2)},
        9: set(),
    }
    assert database.check() == ()
    database.close()


# --- the log ------------------------------------------------------------------------------------------------


def line_for(number: int) -> NewLine:
    meeting = Meeting(
        id=1,
        key="one",
        council="aber",
        committee="Planning",
        title="Planning",
        starts_at=NOW,
        starts_on=NOW.date(),
        status=MeetingStatus.SCHEDULED,
        url=None,
    )
    return NewLine(LineKind.MEETING_NEW, f"meeting:{number}", 1, 1, meeting)


def with_a_meeting(database: Database) -> None:
    with database.write() as connection:
        councils.add_council(connection, Council("aber", "Aber"), now=NOW)
        facts = meetings.MeetingFacts(
            key="one",
            council="aber",
            committee="Planning",
            title="Planning",
            starts_at=NOW,
            starts_on=NOW.date(),
            status=MeetingStatus.SCHEDULED,
            url=None,
            url_key=None,
            venue=None,
            video_url=None,
            documents=(),
        )
        meetings.save_meeting(connection, facts, now=NOW)


def seqs(database: Database) -> list[int]:
    with database.read() as connection:
        return list(connection.execute(text("SELECT seq FROM publication ORDER BY seq")).scalars())


def test_whoever_sees_a_line_sees_every_line_before_it(database: Database) -> None:
    with_a_meeting(database)
    failed: list[BaseException] = []

    def write(first: int) -> None:
        own = Database(database.url)
        try:
            for number in range(first, first + 25):
                with own.write(lock=LOCK_LOG) as connection:
                    publications.append_line(connection, line_for(number), now=NOW)
        except BaseException as error:  # noqa: BLE001 - told to the test, which runs in another thread
            failed.append(error)
        finally:
            own.close()

    writers = [threading.Thread(target=write, args=(first,)) for first in (0, 100)]
    for writer in writers:
        writer.start()
    seen = []
    while any(writer.is_alive() for writer in writers):
        seen.append(seqs(database))
    for writer in writers:
        writer.join()
    assert failed == []
    final = seqs(database)
    assert len(final) == 50
    assert all(view == final[: len(view)] for view in seen)


def test_a_second_writer_waits_for_the_first_and_gets_the_later_number(database: Database) -> None:
    with_a_meeting(database)
    order: list[tuple[str, int]] = []
    is_begun = threading.Event()

    def second() -> None:
        own = Database(database.url)
        is_begun.set()
        with own.write(lock=LOCK_LOG) as connection:
            order.append(("second", publications.append_line(connection, line_for(2), now=NOW)))
        own.close()

    thread = threading.Thread(target=second)
    with database.write(lock=LOCK_LOG) as connection:
        thread.start()
        is_begun.wait()
        thread.join(timeout=0.1)
        order.append(("first", publications.append_line(connection, line_for(1), now=NOW)))
    thread.join()
    assert [name for name, _ in order] == ["first", "second"]
    assert order[0][1] < order[1][1]


def append_then_fail(connection: Connection) -> None:
    publications.append_line(connection, line_for(2), now=NOW)
    raise ZeroDivisionError


def test_a_line_that_was_rolled_back_leaves_no_number_to_be_used_twice(database: Database) -> None:
    with_a_meeting(database)
    with database.write(lock=LOCK_LOG) as connection:
        first = publications.append_line(connection, line_for(1), now=NOW)
    with pytest.raises(ZeroDivisionError), database.write(lock=LOCK_LOG) as connection:
        append_then_fail(connection)
    with database.write(lock=LOCK_LOG) as connection:
        third = publications.append_line(connection, line_for(3), now=NOW)
    assert third > first
    assert seqs(database) == [first, third]


def test_the_number_of_a_deleted_newest_line_is_never_used_again(database: Database) -> None:
    with_a_meeting(database)
    with database.write(lock=LOCK_LOG) as connection:
        first = publications.append_line(connection, line_for(1), now=NOW)
    with database.write(lock=LOCK_LOG) as connection:
        connection.execute(text("DELETE FROM publication"))
    with database.write(lock=LOCK_LOG) as connection:
        assert publications.append_line(connection, line_for(2), now=NOW) > first


def test_a_rehearsal_keeps_nothing_and_lets_its_faults_through(database: Database) -> None:
    with database.rehearse() as connection:
        councils.add_council(connection, Council("aber", "Aber"), now=NOW)
        assert [one.slug for one in councils.all_councils(connection)] == ["aber"]
    with pytest.raises(ZeroDivisionError), database.rehearse():
        _ = 1 / 0
    with database.read() as connection:
        assert not councils.all_councils(connection)
