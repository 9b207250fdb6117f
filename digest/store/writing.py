"""How SQLite's one write lock is waited for."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from sqlalchemy import Connection

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.000_3, 0.01


def begin_writing(connection: Connection, *, patience_ms: int) -> None:
    """Begin a write transaction on SQLite: take the write lock, waiting for it so long.

    SQLite itself looks for it again after pauses that grow to a tenth of a second. Several processes that
    write by turns would mostly sleep beside a free lock, so we look more often.
    """
    raw: Any = connection.connection.dbapi_connection
    until, pause = time.monotonic() + patience_ms / 1000, _FIRST_PAUSE_S
    raw.execute("PRAGMA busy_timeout=0")
    try:
        while not _begins(raw):
            if time.monotonic() >= until:
                break
            time.sleep(pause)
            pause = min(1.2 * pause, _LONGEST_PAUSE_S)
        if not raw.in_transaction:
            # Once more, to hear the reason in the usual words.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        raw.execute(f"PRAGMA busy_timeout={patience_ms}")


def _begins(raw: Any) -> bool:
    """Whether a write transaction begins on SQLite's connection now; True also where it never will."""
    try:
        raw.execute("BEGIN IMMEDIATE")
    except sqlite3.DatabaseError as error:
        return getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY
    return True
