"""How fast letters may leave: one bucket for all workers, in one row, drawn on in the claim's transaction.

Kept as the instant from which the bucket is full again (GCRA, ITU-T I.371): nothing has to refill it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from digest.store import facts

_KEY = "letters_free_from"


def free_from(connection: Connection, *, now: datetime) -> datetime:
    """From when letters may leave again. On PostgreSQL the row stays locked to the end of the transaction."""
    facts.hold(connection, _KEY)
    return full_at(connection, now=now) or now


def full_at(connection: Connection, *, now: datetime) -> datetime | None:
    """The same for who only looks; None when no letter has ever left under a limit."""
    return facts.instant(connection, _KEY, now=now)


def draw(connection: Connection, letters: int, *, per_hour: int, now: datetime) -> None:
    """So many letters leave now: the next ones wait until the hour's share for these is over."""
    free = max(free_from(connection, now=now), now) + timedelta(hours=1) * letters / per_hour
    facts.keep(connection, _KEY, free, now=now)
