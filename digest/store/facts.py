"""Small facts that all processes share, by name: what, and when it was said, in the ``meta`` table.

What was said by a clock that ran ahead (a rehearsal of next spring, a machine that woke in another year) is
not believed once the time is right again: letters would wait for it for months.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from digest.store.types import from_stored, to_stored

_SAID_AT = ".said_at"
_CLOCKS_DIFFER = timedelta(hours=1)


def instant(connection: Connection, name: str, *, now: datetime) -> datetime | None:
    """The instant kept under that name; None where there is none, or none to be believed."""
    query = text("SELECT key, value FROM meta WHERE key IN (:name, :said)")
    rows = connection.execute(query, {"name": name, "said": name + _SAID_AT})
    found = {key: from_stored(int(value)) for key, value in rows}
    if found.get(name + _SAID_AT, now) > now + _CLOCKS_DIFFER:
        return None
    return found.get(name)


def keep(connection: Connection, name: str, at: datetime, *, now: datetime) -> None:
    """Keep an instant, whatever was kept before."""
    connection.execute(
        text(
            "INSERT INTO meta (key, value) VALUES (:key, :value) "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        ),
        [
            {"key": name, "value": str(to_stored(at))},
            {"key": name + _SAID_AT, "value": str(to_stored(now))},
        ],
    )


def keep_later(connection: Connection, name: str, at: datetime, *, now: datetime) -> None:
    """Keep an instant, unless a later one is kept and believed. Twice is harmless."""
    hold(connection, name)
    known = instant(connection, name, now=now)
    if known is None or known < at:
        keep(connection, name, at, now=now)


def hold(connection: Connection, name: str) -> None:
    """Nobody else changes the fact before this transaction ends."""
    if connection.dialect.name == "sqlite":
        return  # one writes at a time
    connection.execute(
        text("INSERT INTO meta (key, value) VALUES (:name, '0') ON CONFLICT (key) DO NOTHING"), {"name": name}
    )
    connection.execute(text("SELECT 1 FROM meta WHERE key = :name FOR UPDATE"), {"name": name})
