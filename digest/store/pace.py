"""How fast letters may leave: one bucket for all workers, in one row, drawn on in the claim's transaction.

Kept as the instant from which the bucket is full again (GCRA, ITU-T I.371): nothing has to refill it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from digest.store import facts
from digest.store.types import from_stored, to_stored

_KEY = "letters_free_from"


def free_from(connection: Connection) -> datetime:
    """From when letters may leave again. On PostgreSQL the row stays locked to the end of the transaction."""
    connection.execute(
        text("INSERT INTO meta (key, value) VALUES (:key, '0') ON CONFLICT (key) DO NOTHING"), {"key": _KEY}
    )
    lock = "" if connection.dialect.name == "sqlite" else " FOR UPDATE"
    value = connection.execute(text(f"SELECT value FROM meta WHERE key = :key{lock}"), {"key": _KEY})
    return from_stored(int(value.scalar_one()))


def full_at(connection: Connection) -> datetime | None:
    """The same for who only looks; None when no letter has ever left under a limit."""
    return facts.instant(connection, _KEY)


def draw(connection: Connection, letters: int, *, per_hour: int, now: datetime) -> None:
    """So many letters leave now: the next ones wait until the hour's share for these is over."""
    free = max(free_from(connection), now) + timedelta(hours=1) * letters / per_hour
    connection.execute(
        text("UPDATE meta SET value = :value WHERE key = :key"), {"value": str(to_stored(free)), "key": _KEY}
    )
