"""A run's trouble with its provider: counted by all its processes together, kept over restarts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from digest.store import facts

_HELD = "provider_asked_to_wait_until"


def doubted(connection: Connection, run_id: int) -> int:
    """One more answer in doubt; how many that makes in a row."""
    return _one_more(connection, run_id, "doubts_in_a_row")


def put_off(connection: Connection, run_id: int) -> int:
    """The provider asks once more to come later; how many that makes in a row."""
    return _one_more(connection, run_id, "put_offs_in_a_row")


def _one_more(connection: Connection, run_id: int, what: str) -> int:
    query = text(
        f"INSERT INTO trouble (run_id, {what}) VALUES (:run, 1) "
        f"ON CONFLICT (run_id) DO UPDATE SET {what} = trouble.{what} + 1 RETURNING {what}"
    )
    return int(connection.execute(query, {"run": run_id}).scalar_one())


def went_well(connection: Connection, run_id: int) -> None:
    """Letters were taken: rows of doubts and put-offs end. Writes only where there is one."""
    connection.execute(
        text(
            "UPDATE trouble SET doubts_in_a_row = 0, put_offs_in_a_row = 0 "
            "WHERE run_id = :run AND doubts_in_a_row + put_offs_in_a_row > 0"
        ),
        {"run": run_id},
    )


def refused_and_taken(connection: Connection, run_id: int) -> tuple[int, int]:
    """Letters of a run that were refused, and taken, since it was last resumed."""
    refused, taken = _ever(connection, run_id)
    query = text("SELECT refused_before, taken_before FROM trouble WHERE run_id = :run")
    before = connection.execute(query, {"run": run_id}).one_or_none() or (0, 0)
    return max(refused - before[0], 0), max(taken - before[1], 0)


def forgive(connection: Connection, run_id: int) -> None:
    """An operator lets the run go on: all counts begin anew."""
    refused, taken = _ever(connection, run_id)
    connection.execute(
        text(
            "UPDATE trouble SET doubts_in_a_row = 0, put_offs_in_a_row = 0, refused_before = :refused, "
            "taken_before = :taken WHERE run_id = :run"
        ),
        {"run": run_id, "refused": refused, "taken": taken},
    )
    connection.execute(
        text(
            "INSERT INTO trouble (run_id, refused_before, taken_before) VALUES (:run, :refused, :taken) "
            "ON CONFLICT (run_id) DO NOTHING"
        ),
        {"run": run_id, "refused": refused, "taken": taken},
    )


def _ever(connection: Connection, run_id: int) -> tuple[int, int]:
    query = text(
        "SELECT state, sum(size) FROM batch WHERE run_id = :run AND state IN ('refused', 'handed_over') "
        "GROUP BY state"
    )
    found = {state: int(letters) for state, letters in connection.execute(query, {"run": run_id})}
    return found.get("refused", 0), found.get("handed_over", 0)


def hold(connection: Connection, *, until: datetime, now: datetime) -> None:
    """No letter of any run leaves before that instant: the provider asks for it."""
    facts.keep_later(connection, _HELD, until, now=now)


def held_until(connection: Connection, *, now: datetime) -> datetime | None:
    """Until when the provider wants nothing; None when it never asked."""
    return facts.instant(connection, _HELD, now=now)


def is_held(connection: Connection, *, now: datetime) -> bool:
    """Whether the provider wants nothing yet."""
    until = held_until(connection, now=now)
    return until is not None and until > now
