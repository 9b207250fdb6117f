"""What the provider told: stored before it is applied, and once, whatever the order and however often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, text

from digest.store import audit
from digest.store.types import from_stored, to_stored

REOPENED = "account reopened"
ACCOUNT = 0
"""In place of run and subscriber: an event about the account itself."""


class NewEvent(NamedTuple):
    """A row to be. ``key`` is equal for repeats of one happening; ``is_applied``: there is nothing to do."""

    key: str
    kind: str
    run_id: int | None
    subscriber_id: int | None
    happened_at: datetime
    is_applied: bool
    payload: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """A stored event that has not been applied. ``facts``: address, reason, suppression, word."""

    id: int
    kind: str
    run_id: int | None
    subscriber_id: int | None
    happened_at: datetime
    facts: dict[str, Any]


_INSERT = """
INSERT INTO event (event_id, kind, run_id, subscriber_id, happened_at, received_at, applied_at, payload)
VALUES ({marks}) ON CONFLICT (event_id) DO NOTHING
"""


def store(connection: Connection, found: Sequence[NewEvent], *, now: datetime) -> int:
    """Keep what is new; returns how many that is. Twice is harmless."""
    at = to_stored(now)
    # A post speaks of few instants.
    stored = {instant: to_stored(instant) for instant in {e.happened_at for e in found}}
    # Two posts of the same events would wait for each other on PostgreSQL if each stored them as they came.
    # What is said of the account keeps its order: the last word counts.
    rows = [
        (key, kind, run_id, subscriber_id, stored[happened_at], at, at if is_applied else None, payload)
        for key, kind, run_id, subscriber_id, happened_at, is_applied, payload in sorted(
            found, key=_one_order
        )
    ]
    if not rows:
        return 0
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    # The driver's own statement: a post carries thousands, and each costs a microsecond this way.
    result = connection.exec_driver_sql(_INSERT.format(marks=", ".join([mark] * 8)), rows)
    return max(result.rowcount, 0)


def _one_order(event: NewEvent) -> str:
    return "" if event.run_id == ACCOUNT else event.key


def waiting(connection: Connection, *, most: int = 1000) -> list[Waiting]:
    """Events stored and not applied, in the order they came."""
    query = text(
        "SELECT id, kind, run_id, subscriber_id, happened_at, payload FROM event "
        "WHERE applied_at IS NULL ORDER BY id LIMIT :most"
    )
    return [
        Waiting(row.id, row.kind, row.run_id, row.subscriber_id, from_stored(row.happened_at),
                orjson.loads(row.payload))
        for row in connection.execute(query, {"most": most})
    ]  # fmt: skip


def mark_applied(connection: Connection, ids: Sequence[int], *, now: datetime) -> None:
    """They were applied."""
    if ids:
        connection.execute(
            text("UPDATE event SET applied_at = :now WHERE id = :id"),
            [{"now": to_stored(now), "id": id_} for id_ in ids],
        )


@dataclass(frozen=True, slots=True)
class Closed:
    """The provider has closed the account: since when, and its word for it."""

    at: datetime
    why: str


def account_closed(connection: Connection) -> Closed | None:
    """What the newest event about the account says, if it closed it and no operator knew better since."""
    query = text(
        "SELECT happened_at, payload FROM event WHERE run_id = :a AND subscriber_id = :a "
        "ORDER BY happened_at DESC, id DESC LIMIT 1"
    )
    row = connection.execute(query, {"a": ACCOUNT}).one_or_none()
    if row is None:
        return None
    facts, at = orjson.loads(row.payload), from_stored(row.happened_at)
    if not facts["stops"] or audit.is_noted(connection, REOPENED, subject="account", since=at):
        return None
    return Closed(at, facts["reason"])


_LAST_FIVE = """
SELECT run_id, max(CASE WHEN kind IN ('blocked', 'deferred') THEN 1 ELSE 0 END) AS is_soft,
  max(CASE WHEN kind = 'delivered' THEN 1 ELSE 0 END) AS is_delivered
FROM event
WHERE subscriber_id = :s AND run_id IN (
  SELECT d.run_id FROM delivery d JOIN batch b ON b.id = d.batch_id
  WHERE d.subscriber_id = :s AND (d.ended = 1 OR (d.ended IS NULL AND b.state <> 'closed'))
  ORDER BY d.run_id DESC LIMIT 5)
GROUP BY run_id
"""


def soft_failures(connection: Connection, subscriber_id: int) -> int:
    """How many of a reader's last five letters were blocked, or deferred and never delivered."""
    rows = connection.execute(text(_LAST_FIVE), {"s": subscriber_id}).all()
    return sum(1 for row in rows if row.is_soft and not row.is_delivered)


def open_doubts(connection: Connection) -> list[int]:
    """Runs that have a batch in doubt, or a further attempt waiting."""
    query = text(
        "SELECT DISTINCT b.run_id FROM run r JOIN batch b ON b.run_id = r.id "
        "WHERE r.completed_at IS NULL AND (b.state = 'uncertain' OR (b.state = 'ready' AND b.attempt > 1))"
    )
    return list(connection.execute(query).scalars())


def counts_of(connection: Connection, run_id: int) -> dict[str, int]:
    """How many events of each kind came for a run, folded ones included."""
    query = text(
        "SELECT kind, sum(n) FROM (SELECT kind, n FROM event_count WHERE run_id = :run UNION ALL "
        "SELECT kind, 1 FROM event WHERE run_id = :run) x GROUP BY kind ORDER BY kind"
    )
    return {kind: int(n) for kind, n in connection.execute(query, {"run": run_id})}
