"""Before letters leave for the first time, an operator says so; once for each place that they go to.

A rehearsal with a provider on this machine says nothing about the real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from digest.pipeline import notices, plan
from digest.pipeline.plan import Rules
from digest.pipeline.run import Works
from digest.store import audit, runs
from digest.store.database import Database

_CONFIRMED = "first live run confirmed"


def is_confirmed(database: Database, place: str) -> bool:
    """Whether somebody has said so before, for that place."""
    with database.read() as connection:
        return audit.is_noted(connection, _CONFIRMED, subject=place)


def letters_to_go(database: Database, *, rules: Rules, now: datetime) -> int:
    """How many letters would leave now: of all that is due, and of what earlier runs left open."""
    due = plan.due_now(database, now=now, rules=rules)
    with database.read() as connection:
        unfinished = runs.unfinished_runs(connection)
        letters = sum(plan.count_due(connection, one) for one in due)
        return letters + sum(runs.run_counts(connection, one.id)["open"] for one in unfinished)


def with_notices(works: Works) -> int:
    """The same with the notices that may go: what an operator types."""
    now = works.desk.clock()
    return letters_to_go(works.database, rules=works.rules, now=now) + notices.waiting_letters(works)


def confirm(
    database: Database, place: str, *, actor: str, facts: Mapping[str, object], now: datetime
) -> None:
    """Somebody has said so."""
    with database.write() as connection:
        audit.note(connection, _CONFIRMED, subject=place, actor=actor, now=now, facts=dict(facts))
