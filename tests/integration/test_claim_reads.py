"""On SQLite a claim finds the readers of a batch beside each other, not each on a page of the table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event

from digest.pipeline import run as running
from digest.store.database import Database
from tests.benchmarks import run_rows
from tests.benchmarks.sink import sink


@contextmanager
def ways_to_readers(database: Database) -> Iterator[list[str]]:
    """How SQLite reaches ``s``, the reader, in each statement that asks for the letters of a batch."""
    found: list[str] = []

    def look(connection: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool) -> None:
        if "d.batch_id = ?" in statement and "s.address" in statement:
            own = cursor.connection.cursor()
            plan = own.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
            found.extend(step for *_, step in plan if step.startswith(("SEARCH s ", "SCAN s ")))

    event.listen(database.engine, "before_cursor_execute", look)
    try:
        yield found
    finally:
        event.remove(database.engine, "before_cursor_execute", look)


def test_the_readers_of_a_batch_are_read_in_an_index_of_their_profile(tmp_path: Path) -> None:
    database = run_rows.prepare(f"sqlite:///{tmp_path}/digest.db", 600, distinct=3)
    with sink() as port, ways_to_readers(database) as ways:
        (report,) = running.run_due(run_rows.works_of(database, port), patience=timedelta(0))
    database.close()
    assert report.counts["handed_over"] == 600
    assert len(ways) == 3, ways
    assert all("COVERING INDEX subscriber_letter (profile_id=? AND id=?" in way for way in ways), ways
