"""Who holds the database: writers wait for each other, and whoever waits in vain is told why."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from digest.errors import DatabaseBusyError, StoreError
from digest.model import Council
from digest.store import councils
from digest.store.database import Database

NOW = datetime(2025, 9, 4, 9, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_database_held_too_long_is_said_and_nothing_is_changed(sqlite_url: str) -> None:
    holder, waiter = Database(sqlite_url), Database(sqlite_url, busy_timeout_ms=50)
    with holder.write():
        with pytest.raises(DatabaseBusyError, match="held by another process for too long: try again"):
            add_a_council(waiter)
        with waiter.read() as connection:
            assert councils.all_councils(connection) == ()
    add_a_council(waiter)
    with holder.read() as connection:
        assert len(councils.all_councils(connection)) == 1
    holder.close()
    waiter.close()


def test_a_file_that_is_damaged_while_in_use_is_said_so_when_written_to(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.read():
        pass  # a connection is open and kept
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    path.write_bytes(b"no database at all " * 1000)
    for tail in ("-wal", "-shm"):
        path.with_name(path.name + tail).unlink(missing_ok=True)
    with pytest.raises(StoreError, match=r"is not a database|is damaged"):
        add_a_council(database)
    database.close()


def test_two_writers_by_turns_do_not_sleep_beside_a_free_lock(sqlite_url: str) -> None:
    """SQLite's own pauses grow to a tenth of a second: whoever waits would hardly ever get the lock."""
    turns: list[int] = []
    go_on = threading.Event()

    def write_by_turns(who: int) -> None:
        own = Database(sqlite_url)
        while not go_on.is_set():
            with own.write():
                turns.append(who)
                time.sleep(0.01)
            time.sleep(0.001)
        own.close()

    writers = [threading.Thread(target=write_by_turns, args=(who,)) for who in (1, 2)]
    for writer in writers:
        writer.start()
    try:
        deadline = time.monotonic() + 30
        while len(turns) < 150 and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        go_on.set()
        for writer in writers:
            writer.join()
    changes = sum(one != other for one, other in itertools.pairwise(turns))
    # By SQLite's pauses about one turn in twenty changes hands.
    assert changes > len(turns) / 6, f"{changes} changes in {len(turns)} turns"


def add_a_council(database: Database) -> None:
    with database.write() as connection:
        councils.add_council(connection, Council("aber", "Aber"), now=NOW)


def add_then_fail(connection: Connection) -> None:
    councils.add_council(connection, Council("aber", "Aber"), now=NOW)
    raise ZeroDivisionError


def test_an_error_inside_a_write_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        add_then_fail(connection)
    with database.read() as connection:
        assert councils.all_councils(connection) == ()


COUNTER = """
import sys
from datetime import datetime, UTC
from digest.model import Council
from digest.store import councils
from digest.store.database import Database
database = Database(sys.argv[1])
for i in range(40):
    with database.write(durable=i % 2 == 0) as connection:
        councils.add_council(connection, Council(f"{sys.argv[2]}-{i}", "Name"), now=datetime.now(UTC))
    with database.read() as connection:
        assert f"{sys.argv[2]}-{i}" in {one.slug for one in councils.all_councils(connection)}
database.close()
"""


def test_two_processes_write_and_read_one_database_side_by_side(database_url: str) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", COUNTER, database_url, name],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("left", "right")
    ]
    said = [process.communicate(timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    database = Database(database_url)
    with database.read() as connection:
        assert len(councils.all_councils(connection)) == 80
    assert database.check() == ()
    database.close()
