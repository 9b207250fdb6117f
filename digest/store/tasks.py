"""How the scheduler's tasks have been, and when each process was last heard of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, text

from digest.store.tables import MetaRow, TaskRow, table_of
from digest.store.types import from_stored, to_stored
from digest.store.upsert import insert_or_update

_T = table_of(TaskRow)
_M = table_of(MetaRow)
_BEAT = "heartbeat:"


@dataclass(frozen=True, slots=True)
class Task:
    """One task: last success and failure, failures in a row and ever, why, and when it may be tried again."""

    name: str
    ok_at: datetime | None
    failed_at: datetime | None
    failures: int
    failed: int
    why: str | None
    next_try_at: datetime | None


def all_tasks(connection: Connection) -> dict[str, Task]:
    """Every task that has a row, by name."""
    return {row.name: Task(*row) for row in connection.execute(select(_T).order_by(_T.c.name))}


def note_ok(connection: Connection, name: str, *, now: datetime, is_kept: bool) -> None:
    """It went well. ``is_kept`` False: the row goes, since the task may never come again."""
    if not is_kept:
        connection.execute(delete(_T).where(_T.c.name == name))
        return
    row = {"name": name, "ok_at": now, "failures": 0, "failed": 0, "why": None, "next_try_at": None}
    changes = ("ok_at", "failures", "why", "next_try_at")
    insert_or_update(connection, _T, [row], keys=["name"], changes=changes)


def note_failed(connection: Connection, name: str, *, why: str, now: datetime, next_try_at: datetime) -> None:
    """It failed once more."""
    connection.execute(
        text(
            "INSERT INTO task (name, failed_at, failures, failed, why, next_try_at) "
            "VALUES (:name, :now, 1, 1, :why, :next) ON CONFLICT (name) DO UPDATE SET "
            "failed_at = excluded.failed_at, failures = task.failures + 1, failed = task.failed + 1, "
            "why = excluded.why, next_try_at = excluded.next_try_at"
        ),
        {"name": name, "now": to_stored(now), "why": why, "next": to_stored(next_try_at)},
    )


def beat(connection: Connection, who: str, *, now: datetime) -> None:
    """``who`` (scheduler, worker) is alive."""
    row = {"key": _BEAT + who, "value": str(to_stored(now))}
    insert_or_update(connection, _M, [row], keys=["key"], changes=["value"])


def heartbeats(connection: Connection) -> dict[str, datetime]:
    """When each was last heard of."""
    query = select(_M.c.key, _M.c.value).where(_M.c.key.like(_BEAT + "%"))
    return {key.removeprefix(_BEAT): from_stored(int(value)) for key, value in connection.execute(query)}
