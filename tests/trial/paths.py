"""How a large database answers: no statement that runs every few seconds may read a whole large table.

PostgreSQL explains every statement of the scheduler's looks and steps on the very connection that sends it,
a moment before: with a million readers, letters and events behind it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event, text

from digest.settings import load_settings
from digest.store.database import Database
from digest.wiring import Hall
from scheduler.jobs import do
from scheduler.steps import LOOKS, Bench, Step
from tests.benchmarks import run_rows
from tests.benchmarks.sink import sink

LARGE = ("subscriber", "subscription", "delivery", "event")
"""Tables that grow with the readers; the log grows by some thousand lines a week, whoever reads."""
ONCE_A_SLOT = "min(subscriber.due_from_at)"
"""In this statement, asked where a slot has come that has no run: all readers of its schedule may be all."""
_EXPLAINED = re.compile(r"\s*(SELECT|UPDATE|DELETE|INSERT|WITH)\b", re.IGNORECASE)
_EVENTS = """
INSERT INTO event (event_id, kind, run_id, subscriber_id, happened_at, received_at, applied_at, payload)
SELECT run_id || '.' || subscriber_id, 'delivered', run_id, subscriber_id, :at, :at, :at, '{}' FROM delivery
"""
_FOLLOWS = """
INSERT INTO subscription (subscriber_id, council_id, source, started_at)
SELECT s.id, p.council_id, 'page', s.created_at FROM subscriber s
JOIN profile_council p ON p.profile_id = s.profile_id
"""


@dataclass
class Reader:
    """Statements, and which of the large tables each reads from end to end."""

    statements: set[str] = field(default_factory=set)
    whole: dict[str, set[str]] = field(default_factory=dict)

    @contextmanager
    def of(self, database: Database) -> Iterator[None]:
        """Look at every statement of this database meanwhile."""
        event.listen(database.engine, "before_cursor_execute", self._look)
        try:
            yield
        finally:
            event.remove(database.engine, "before_cursor_execute", self._look)

    def _look(
        self, connection: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool
    ) -> None:
        if many or not _EXPLAINED.match(statement):
            return
        shown = " ".join(statement.split())
        if shown in self.statements:
            return
        self.statements.add(shown)
        with cursor.connection.cursor() as own:
            own.execute(f"EXPLAIN (FORMAT JSON) {statement}", values)
            (found,) = own.fetchone()
        plan = found if isinstance(found, list) else json.loads(found)
        tables = set(_read_whole(plan[0]["Plan"])) & set(LARGE)
        if tables and ONCE_A_SLOT not in shown:
            self.whole[shown] = tables


def _read_whole(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan":
        yield node["Relation Name"]
    for below in node.get("Plans", ()):
        yield from _read_whole(below)


def town(url: str, readers: int) -> Database:
    """So many readers who have had a letter each, and an event for each letter."""
    database = run_rows.prepare(url, readers, distinct=400)
    with sink() as port:
        run_rows.timed_run(database, port)
    with database.write() as connection:
        connection.execute(text(_FOLLOWS))
        connection.execute(text(_EVENTS), {"at": int(run_rows.NOW.timestamp() * 1_000_000)})
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE")
    return database


def looked_at(url: str, folder: Path) -> Reader:
    """A quiet Tuesday, then the next Sunday's run up to its first claims."""
    reader = Reader()
    for now, steps in (
        (run_rows.NOW + timedelta(days=2), _QUIET),
        (run_rows.NOW + timedelta(days=7), _SUNDAY),
    ):
        hall = hall_of(url, folder, now)
        with reader.of(hall.database):
            bench = Bench(hall)
            for look in LOOKS.values():
                look(bench)
            for step in steps:
                do(bench, step)
        hall.close()
    return reader


_QUIET = tuple(Step(name) for name in ("events", "pauses", "unconfirmed", "retention", "notices"))
_SUNDAY = (Step("plan", (2,)), Step("compose", (2, 0, 1)), Step("settle", (2,)))


def hall_of(url: str, folder: Path, now: datetime) -> Hall:
    key = "k" * 43
    words = (f'database_url = "{url}"', f'secret_key = "{key}"', f'suppression_key = "{key}"')
    toml = "\n".join([*words, "[outbox]", f'directory = "{folder / "outbox"}"'])
    return Hall(load_settings(None, {}, toml_text=toml), lambda: now)
