"""Claims: a batch is somebody's until ``held_until``, then uncertain; every step is a compare-and-set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, bindparam, select, text, update

from digest.model import BatchState, Ended
from digest.store.deliveries import end_batch
from digest.store.editions import join_newest_revision
from digest.store.filling import open_editions
from digest.store.tables import ATTEMPTS, BatchRow, EditionRow, batch_key, table_of
from digest.store.types import from_stored, to_stored
from digest.store.upsert import is_among, update_plain

_B = table_of(BatchRow)
_E = table_of(EditionRow)


@dataclass(frozen=True, slots=True)
class HeldBatch:
    """A batch in the holder's hands whose readers are not yet looked at; ``size`` is what was planned."""

    id: int
    edition_id: int
    page_id: int
    profile_id: int
    attempt: int
    size: int
    is_again: bool


@dataclass(frozen=True, slots=True)
class ClaimedBatch:
    """A batch in the holder's hands, with the recipients that passed the recheck, in order of id.

    ``recipients`` are (subscriber id, address, name). ``is_again``: claimed before and never answered, so
    the same letters may have left already.
    """

    id: int
    edition_id: int
    page_id: int
    attempt: int
    recipients: Sequence[tuple[int, str, str]]
    is_again: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """A delivery that the recheck took out of its batch because the wishes changed since planning."""

    subscriber_id: int
    profile_id: int
    from_seq: int


def holders(connection: Connection, run_id: int) -> list[str]:
    """Who holds batches of a run now."""
    query = text("SELECT DISTINCT holder FROM batch WHERE run_id = :run AND state = 'claimed'")
    return list(connection.execute(query, {"run": run_id}).scalars())


def expire_claims(
    connection: Connection, run_id: int, *, now: datetime, dead: Sequence[str], is_repeatable: bool
) -> int:
    """Claims past ``held_until`` or of ``dead`` holders: ready again if repeatable, else uncertain."""
    state = BatchState.READY if is_repeatable else BatchState.UNCERTAIN
    query = text(
        "UPDATE batch SET state = :state, why = 'the claim ended and no answer was recorded' "
        "WHERE run_id = :run AND state = 'claimed' AND (held_until < :now OR holder IN :dead)"
    ).bindparams(bindparam("dead", type_=String(), expanding=True))
    values = {"state": state.value, "run": run_id, "now": to_stored(now), "dead": list(dead)}
    return max(connection.execute(query, values).rowcount, 0)


def ready(connection: Connection, run_id: int, *, now: datetime) -> tuple[int, int]:
    """How many batches of a run could be claimed now, and about how many letters (as were planned)."""
    query = text(
        "SELECT count(*), coalesce(sum(size), 0) FROM batch "
        "WHERE run_id = :run AND state = 'ready' AND (retry_at IS NULL OR retry_at <= :now)"
    )
    n, letters = connection.execute(query, {"run": run_id, "now": to_stored(now)}).one()
    return int(n), int(letters)


# The batch size bounds a claim from below, the claim size from above. Batches of one number hold readers of
# about the same ids, whatever the edition: so a claim reads one part of the readers' table and not all of it.
# Joined, PostgreSQL would begin with the editions that have a page, while it thinks that there are none yet,
# and go through all batches for each.
_READY = """
SELECT b.id, b.edition_id, b.attempt, b.size, b.claimed_at IS NOT NULL AS is_again
FROM batch b
WHERE b.run_id = :run AND b.state = 'ready' AND (b.retry_at IS NULL OR b.retry_at <= :now)
  AND (SELECT e.page_id IS NOT NULL AND (e.is_stale = 0 OR b.claimed_at IS NOT NULL)
       FROM edition e WHERE e.id = b.edition_id)
ORDER BY b.number LIMIT :most {lock}
"""
_USUAL_SIZE = 250  # letters of a batch in a large run, rather too few


def claim(
    connection: Connection,
    run_id: int,
    *,
    holder: str,
    now: datetime,
    held_until: datetime,
    claim_size: int,
    most_batches: int | None = None,
) -> list[HeldBatch]:
    """Take ready batches worth up to ``claim_size`` deliveries (one batch at least) for ``holder``.

    ``most_batches``: and no more of them than this. The transaction must be durable, and is short: readers
    are looked at after it (``store.recheck``), so that nobody waits for it who claims too.
    """
    size = max(claim_size, 1)
    most = size if most_batches is None else max(min(most_batches, size), 1)
    taken = _ready(connection, run_id, now=now, claim_size=size, most_batches=most)
    if not taken:
        return []
    ids = [row.id for row in taken]
    claimed = {
        "state": BatchState.CLAIMED.value,
        "holder": holder,
        "claimed_at": now,
        "held_until": held_until,
    }
    connection.execute(update(_B).where(is_among(connection, _B.c.id, ids)).values(why=None, **claimed))
    said = select(_E.c.id, _E.c.page_id, _E.c.profile_id).where(
        is_among(connection, _E.c.id, {row.edition_id for row in taken})
    )
    editions = {id_: (page, profile) for id_, page, profile in connection.execute(said)}
    return [
        HeldBatch(
            row.id, row.edition_id, *editions[row.edition_id], row.attempt, row.size, bool(row.is_again)
        )
        for row in taken
    ]


def _ready(
    connection: Connection, run_id: int, *, now: datetime, claim_size: int, most_batches: int
) -> list[Any]:
    """Ready batches for one claim. Few are looked at (and locked, on PostgreSQL) unless they are small."""
    query = text(
        _READY.format(lock="" if connection.dialect.name == "sqlite" else "FOR UPDATE OF b SKIP LOCKED")
    )
    rows: Sequence[Any] = ()
    for most in (min(claim_size // _USUAL_SIZE + 1, most_batches), most_batches):
        rows = connection.execute(query, {"run": run_id, "now": to_stored(now), "most": most}).all()
        if len(rows) < most or sum(row.size for row in rows) >= claim_size:
            break
    taken: list[Any] = []
    total = 0
    for row in rows:
        if taken and total + row.size > claim_size:
            break
        taken.append(row)
        total += row.size
    return taken


def replan(
    connection: Connection,
    run_id: int,
    moved: Iterable[tuple[Moved, int]],
    *,
    content_seq: int,
    batch_size: int,
) -> int:
    """Put deliveries whose wishes changed into the edition of the new wishes, same run, same own range.

    ``moved`` carries the edition's raised ``from_seq`` beside each. They wait in new batches for it.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for one, raised in moved:
        groups.setdefault((one.profile_id, raised), []).append(one.subscriber_id)
    if not groups:
        return 0
    editions = open_editions(connection, run_id, groups, content_seq=content_seq)
    n = 0
    for pair, subscribers in groups.items():
        edition = editions[pair]
        for start in range(0, len(subscribers), batch_size):
            some = subscribers[start : start + batch_size]
            batch = _new_batch(connection, run_id, edition, size=len(some))
            connection.execute(
                text(
                    "UPDATE delivery SET edition_id = :edition, batch_id = :batch "
                    "WHERE run_id = :run AND subscriber_id = :s AND ended IS NULL"
                ),
                [{"edition": edition, "batch": batch, "run": run_id, "s": s} for s in some],
            )
            n += len(some)
    return n


def _new_batch(connection: Connection, run_id: int, edition: int, *, size: int, attempt: int = 1) -> int:
    """One more batch of an edition: ready with a page, closed without."""
    # Numbers are of all revisions together: what is put back joins the newest one, and keeps its own.
    number = connection.execute(
        text(
            "SELECT coalesce(max(b.number), -1) + 1 FROM edition n JOIN edition e "
            "ON e.run_id = n.run_id AND e.profile_id = n.profile_id AND e.from_seq = n.from_seq "
            "JOIN batch b ON b.edition_id = e.id WHERE n.id = :e"
        ),
        {"e": edition},
    ).scalar_one()
    key = batch_key(edition, number=number, attempt=attempt)
    connection.execute(
        text(
            "INSERT INTO batch (id, run_id, edition_id, number, attempt, size, state) "
            "SELECT :id, :run, :edition, :number, :attempt, :size, "
            "CASE WHEN e.composed_at IS NULL THEN 'waiting' WHEN e.page_id IS NULL THEN 'closed' "
            "ELSE 'ready' END FROM edition e WHERE e.id = :edition"
        ),
        {"id": key, "run": run_id, "edition": edition, "number": number, "attempt": attempt, "size": size},
    )
    return key


def record(
    connection: Connection,
    batch_id: int,
    *,
    holder: str,
    state: BatchState,
    now: datetime,
    provider_id: str | None = None,
    why: str | None = None,
    retry_at: datetime | None = None,
    is_again: bool = False,
) -> bool:
    """Write the answer to a claimed batch; False when it is not this holder's any more.

    ``ready`` says that nobody was mailed: the batch is as if it had never been claimed, and joins the
    newest revision of its edition. ``is_again``: it may have been, so the same letters go again.
    An answer that the provider took it counts also after the claim ran out (it is evidence); nothing
    else may touch a batch that is not held. Twice is harmless.
    """
    late = "OR (state = 'uncertain' AND :state = 'handed_over')" if state is BatchState.HANDED_OVER else ""
    result = connection.execute(
        text(
            "UPDATE batch SET state = :state, recorded_at = :now, provider_id = :provider, why = :why, "
            "retry_at = :retry, "
            "claimed_at = CASE WHEN :unclaim = 1 AND attempt = 1 THEN NULL ELSE claimed_at END "
            f"WHERE id = :id AND holder = :holder AND (state = 'claimed' {late})"
        ),
        {
            "state": state.value,
            "now": to_stored(now),
            "provider": provider_id,
            "why": why,
            "retry": None if retry_at is None else to_stored(retry_at),
            "id": batch_id,
            "holder": holder,
            "unclaim": int(state is BatchState.READY and not is_again),
        },
    )
    if result.rowcount and state is BatchState.READY and not is_again and not _is_further(batch_id):
        join_newest_revision(connection, batch_id)
    return result.rowcount == 1


def record_handed_over(
    connection: Connection, answers: Sequence[tuple[int, str | None]], *, holder: str, now: datetime
) -> None:
    """``record`` of many batches (id, provider's id) that the provider took, in one statement."""
    handed_over, at = BatchState.HANDED_OVER.value, to_stored(now)
    update_plain(
        connection,
        _B,
        ("state", "recorded_at", "provider_id", "why", "retry_at"),
        [(handed_over, at, provider, None, None, id_, holder) for id_, provider in answers],
        keys=("id", "holder"),
        where="batch.state IN ('claimed', 'uncertain')",
    )


def _is_further(batch_id: int) -> bool:
    """A further attempt goes as it was (see ``doubts``)."""
    return batch_id % ATTEMPTS > 1


def refuse(connection: Connection, batch_id: int) -> int:
    """End what is left of a refused batch, ranges given back; returns how many letters that is."""
    return end_batch(connection, batch_id, ended=Ended.REFUSED)


def standing(connection: Connection, run_id: int) -> dict[str, int]:
    """How many batches of a run are in each state."""
    rows = connection.execute(
        text("SELECT state, count(*) FROM batch WHERE run_id = :run GROUP BY state"), {"run": run_id}
    )
    return {state: n for state, n in rows}


def letters_in(connection: Connection, run_id: int, state: BatchState) -> int:
    """How many letters, as planned, are in batches of a run in that state."""
    query = text("SELECT coalesce(sum(size), 0) FROM batch WHERE run_id = :run AND state = :state")
    return int(connection.execute(query, {"run": run_id, "state": state.value}).scalar_one())


@dataclass(frozen=True, slots=True)
class Said:
    """Letters of batches in one state of which the same was said; ``retry_at``: the first that goes again."""

    state: str
    why: str | None
    letters: int
    retry_at: datetime | None


def said_of(connection: Connection, run_id: int, *, most: int) -> list[Said]:
    """What was last said of a run's ready and refused batches, most letters (as planned) first."""
    query = text(
        "SELECT state, why, sum(size) AS letters, min(retry_at) FROM batch "
        "WHERE run_id = :run AND state IN ('ready', 'refused') "
        "GROUP BY state, why ORDER BY letters DESC, why LIMIT :most"
    )
    rows = connection.execute(query, {"run": run_id, "most": most})
    return [Said(state, why, int(n), None if at is None else from_stored(at)) for state, why, n, at in rows]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A batch whose fate is not known, and why."""

    id: int
    size: int
    why: str | None


def in_doubt(connection: Connection, run_id: int) -> list[Doubt]:
    """The uncertain batches of a run."""
    rows = connection.execute(
        text("SELECT id, size, why FROM batch WHERE run_id = :run AND state = 'uncertain' ORDER BY id"),
        {"run": run_id},
    )
    return [Doubt(id_, size, why) for id_, size, why in rows]
