"""PostgreSQL plans by what it counted last. A run fills its tables in minutes; the count is of an hour ago.

Whenever it was counted, no statement of a run may go through a table once for each row of another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from digest.pipeline import compose, plan
from digest.pipeline import run as running
from digest.slots import schedule_of
from digest.store import profiles, runs
from digest.store.database import Database
from tests.benchmarks import run_rows
from tests.benchmarks.sink import sink

READERS = 1_200  # each with an edition of their own
MOST = 40 * READERS  # rows that a statement may look at; a table for each row of another is 1,440,000
_EXPLAINED = re.compile(r"\s*(SELECT|UPDATE|DELETE|INSERT|WITH)\b", re.IGNORECASE)


def _rows(node: dict[str, Any]) -> int:
    """Rows that a plan looked at, all rounds of all its nodes together."""
    names = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter")
    own = sum(node.get(name, 0) for name in names) * node["Actual Loops"]
    return int(own) + sum(_rows(below) for below in node.get("Plans", ()))


@contextmanager
def looked_at(database: Database) -> Iterator[dict[str, int]]:
    """Statement -> most rows that it looked at, of everything that this database is asked meanwhile."""
    most: dict[str, int] = {}

    def look(connection: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool) -> None:
        if many or not _EXPLAINED.match(statement):
            return
        with cursor.connection.cursor() as own:
            own.execute("SAVEPOINT before")
            own.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
            (found,) = own.fetchone()
            own.execute("ROLLBACK TO before")
        shown = " ".join(statement.split())
        most[shown] = max(most.get(shown, 0), _rows(found[0]["Plan"]))

    event.listen(database.engine, "before_cursor_execute", look)
    try:
        yield most
    finally:
        event.remove(database.engine, "before_cursor_execute", look)


def count(database: Database) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")  # and what tests before have left is gone


@pytest.mark.parametrize("counted", ["empty", "before", "planned", "composed"])
def test_a_run_is_no_slower_for_what_the_database_has_not_counted_yet(
    postgres_url: str, counted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = Database(postgres_url)
    count(empty)
    empty.close()
    database = run_rows.prepare(postgres_url, READERS, distinct=READERS, items=2)
    with database.write() as connection:
        # A second slot, so that the letters of the first run are open while the second is planned.
        earlier = schedule_of("weekly", "sunday", "17:45", "Europe/London")
        values = {"other": profiles.schedule_id(connection, earlier)}
        connection.execute(text("UPDATE subscriber SET schedule_id = :other WHERE id % 2 = 0"), values)
    if counted == "before":
        count(database)

    done_with: list[str] = []

    def then(phase: str, do: Callable[..., Any]) -> Callable[..., Any]:
        def done(*args: Any, **kwargs: Any) -> Any:
            result = do(*args, **kwargs)
            done_with.append(phase)
            if counted == phase:
                count(database)
            return result

        return done

    monkeypatch.setattr(plan, "plan", then("planned", plan.plan))
    monkeypatch.setattr(
        running.composers, "compose_together", then("composed", running.composers.compose_together)
    )
    monkeypatch.setattr(compose, "CHUNK", 100)
    with sink() as port, looked_at(database) as most:
        works = replace(run_rows.works_of(database, port), processes=1)
        first, second = plan.open_due_runs(database, now=run_rows.NOW, rules=works.rules)
        for run in (first, second):
            plan.plan(database, run, rules=works.rules, now=run_rows.NOW)
        # Killed just before that was noted, the next process plans it all once more.
        for run in (first, second):
            with database.write() as connection:
                runs.set_run(connection, run.id, planned_at=None, state="planning")
            plan.plan(database, run, rules=works.rules, now=run_rows.NOW)
        plan.cancel(database, second.id, why="a mistake", now=run_rows.NOW)
        running.run_due(works, patience=timedelta(0))
        seen = [running.report(database, run.id).counts for run in (first, second)]
    database.close()
    assert (seen[0]["handed_over"], seen[1]["cancelled"]) == (READERS // 2, READERS // 2)
    assert {"planned", "composed"} <= set(done_with)
    assert len(most) > 30, most
    worst = max(most, key=lambda statement: most[statement])
    assert most[worst] <= MOST, f"{most[worst]} rows: {worst}"
