"""Small facts that all processes share, by name: one line each in the ``meta`` table."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from digest.store.types import from_stored, to_stored


def instant(connection: Connection, name: str) -> datetime | None:
    """The instant kept under that name, or None."""
    found = connection.execute(text("SELECT value FROM meta WHERE key = :key"), {"key": name}).scalar()
    return None if found is None else from_stored(int(found))


def keep_later(connection: Connection, name: str, at: datetime) -> None:
    """Keep an instant, unless a later one is kept already. Twice is harmless."""
    connection.execute(
        text(
            "INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE "
            "SET value = excluded.value WHERE CAST(meta.value AS BIGINT) < CAST(excluded.value AS BIGINT)"
        ),
        {"key": name, "value": str(to_stored(at))},
    )
