"""Before letters leave for people for the first time, an operator says so; once, for the installation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from digest.pipeline import plan
from digest.pipeline.plan import Rules
from digest.store import audit, runs
from digest.store.database import Database

_CONFIRMED = "first live run confirmed"
_SUBJECT = "installation"


def is_confirmed(database: Database) -> bool:
    """Whether somebody has said so before."""
    with database.read() as connection:
        return audit.is_noted(connection, _CONFIRMED, subject=_SUBJECT)


def letters_to_go(database: Database, *, rules: Rules, now: datetime) -> int:
    """How many letters would leave now: of all that is due, and of what earlier runs left open."""
    due = plan.due_now(database, now=now, rules=rules)
    with database.read() as connection:
        unfinished = runs.unfinished_runs(connection)
        letters = sum(plan.count_due(connection, one) for one in due)
        return letters + sum(runs.run_counts(connection, one.id)["open"] for one in unfinished)


def confirm(database: Database, *, actor: str, facts: Mapping[str, object], now: datetime) -> None:
    """Somebody has said so."""
    with database.write() as connection:
        audit.note(connection, _CONFIRMED, subject=_SUBJECT, actor=actor, now=now, facts=dict(facts))
