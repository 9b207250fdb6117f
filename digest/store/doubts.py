"""Doubtful batches and what becomes of them: proven handed over, or sent once more as a further attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, text

from digest.errors import ConflictError
from digest.model import Ended
from digest.store.deliveries import end_batch
from digest.store.tables import ATTEMPTS, batch_key
from digest.store.types import from_stored, to_stored


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A batch whose fate is not known. ``until``: the last instant at which its request can have left."""

    id: int
    attempt: int
    letters: int
    why: str | None
    provider_id: str | None
    since: datetime
    until: datetime


_DOUBTFUL = """
SELECT b.id, b.attempt, b.why, b.provider_id, b.claimed_at, b.held_until, b.recorded_at,
  (SELECT count(*) FROM delivery d WHERE d.batch_id = b.id AND d.ended IS NULL) AS letters
FROM batch b WHERE b.run_id = :run AND b.state = 'uncertain' ORDER BY b.id
"""


def doubtful(connection: Connection, run_id: int) -> list[Doubtful]:
    """The uncertain batches of a run."""
    return [_doubtful(row) for row in connection.execute(text(_DOUBTFUL), {"run": run_id})]


def _doubtful(row: Any) -> Doubtful:
    since = from_stored(row.claimed_at or 0)
    # An answer that was recorded ends the request; otherwise it may have left until the hold was over.
    until = from_stored(row.recorded_at or row.held_until or row.claimed_at or 0)
    return Doubtful(row.id, row.attempt, row.letters, row.why, row.provider_id, since, max(since, until))


def letters_of(connection: Connection, batch_id: int, *, most: int) -> list[tuple[int, str]]:
    """(subscriber id, address) of a batch's letters that have no end yet; erased readers left out.

    A letter about a new address went to that one; once nobody asks for it any more, it is not known where.
    """
    query = text(
        "SELECT s.id, CASE WHEN r.kind = 'address' THEN c.address ELSE s.address END FROM delivery d "
        "JOIN subscriber s ON s.id = d.subscriber_id JOIN run r ON r.id = d.run_id "
        "LEFT JOIN address_change c ON c.subscriber_id = s.id "
        "WHERE d.batch_id = :batch AND d.ended IS NULL AND s.address <> '' "
        "AND (r.kind <> 'address' OR c.address IS NOT NULL) ORDER BY s.id LIMIT :most"
    )
    return [(id_, address) for id_, address in connection.execute(query, {"batch": batch_id, "most": most})]


_PROVEN = """
SELECT b.id, min(v.id) FROM batch b
JOIN delivery d ON d.batch_id = b.id
JOIN event v ON v.run_id = d.run_id AND v.subscriber_id = d.subscriber_id
WHERE b.run_id = :run AND (b.state = 'uncertain' OR (b.state = 'ready' AND b.attempt > 1))
  AND v.kind IN :proofs
GROUP BY b.id
"""


def proven(connection: Connection, run_id: int, *, proofs: Sequence[str]) -> list[tuple[int, int]]:
    """(batch, event) where an event proves a doubtful batch, or the one before a waiting further attempt."""
    query = text(_PROVEN).bindparams(bindparam("proofs", expanding=True))
    return [(b, v) for b, v in connection.execute(query, {"run": run_id, "proofs": list(proofs)})]


def settle_sent(
    connection: Connection, batch_id: int, *, why: str, now: datetime, provider_id: str | None = None
) -> bool:
    """A doubtful batch (or a further attempt not yet begun) was handed over; False when it is none."""
    query = text(
        "UPDATE batch SET state = 'handed_over', recorded_at = :now, why = :why, "
        "provider_id = coalesce(:provider, provider_id) "
        "WHERE id = :id AND (state = 'uncertain' OR (state = 'ready' AND attempt > 1))"
    )
    values = {"id": batch_id, "now": to_stored(now), "why": why, "provider": provider_id}
    return connection.execute(query, values).rowcount == 1


def settle_not_sent(connection: Connection, batch_id: int, *, why: str, now: datetime) -> int | None:
    """A doubtful batch mailed nobody: the same stored letters go again as a further attempt.

    Returns how many; None when it is not in doubt. In a cancelled run they end, given back where the
    reader's mark still stands there. Raises: ConflictError after the last possible attempt.
    """
    row = connection.execute(
        text(
            "SELECT b.run_id, b.edition_id, b.number, b.attempt, r.state FROM batch b "
            "JOIN run r ON r.id = b.run_id WHERE b.id = :id AND b.state = 'uncertain'"
        ),
        {"id": batch_id},
    ).one_or_none()
    if row is None:
        return None
    if row.attempt + 1 >= ATTEMPTS:
        raise ConflictError(f"batch {batch_id} was tried {row.attempt} times: settle it as sent")
    close = text(
        "UPDATE batch SET state = 'closed', recorded_at = :now, why = :why "
        "WHERE id = :id AND state = 'uncertain'"
    )
    if connection.execute(close, {"id": batch_id, "now": to_stored(now), "why": why}).rowcount != 1:
        return None
    if row.state == "cancelled":
        return end_batch(connection, batch_id, ended=Ended.CANCELLED)
    return _try_again(connection, batch_id, row)


def _try_again(connection: Connection, batch_id: int, row: Any) -> int:
    """A new ready batch with the deliveries of the closed one; it stays marked as claimed before.

    So it goes just as it was: neither changed wishes nor a correction may make another letter of a range
    whose reader may have had the next letter already.
    """
    key = batch_key(row.edition_id, number=row.number, attempt=row.attempt + 1)
    values = {"new": key, "old": batch_id, "attempt": row.attempt + 1}
    connection.execute(
        text(
            "INSERT INTO batch (id, run_id, edition_id, number, attempt, size, state, claimed_at) "
            "SELECT :new, run_id, edition_id, number, :attempt, size, 'ready', coalesce(claimed_at, 0) "
            "FROM batch WHERE id = :old"
        ),
        values,
    )
    moved = connection.execute(
        text("UPDATE delivery SET batch_id = :new WHERE batch_id = :old AND ended IS NULL"),
        {"new": key, "old": batch_id},
    ).rowcount
    connection.execute(
        text(
            "UPDATE batch SET size = :n, state = CASE WHEN :n = 0 THEN 'closed' ELSE state END "
            "WHERE id = :new"
        ),
        {"n": moved, "new": key},
    )
    return int(moved)


def is_batch_of(connection: Connection, batch_id: int, run_id: int) -> bool:
    """Whether a run has that batch."""
    query = text("SELECT 1 FROM batch WHERE id = :id AND run_id = :run")
    return connection.execute(query, {"id": batch_id, "run": run_id}).one_or_none() is not None
