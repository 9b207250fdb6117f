"""The editions and batches that planned deliveries go into, made and filled as they are planned."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, text

from digest.store.tables import BatchRow, EditionRow, batch_key, table_of
from digest.store.upsert import insert_plain

_SMALL = 4  # of these fill a batch: rather than to split a small group, the batch before stays smaller


def is_small(n: int, *, batch_size: int) -> bool:
    """Whether so many deliveries of one edition go into one batch together."""
    return n * _SMALL <= batch_size


def open_editions(
    connection: Connection, run_id: int, wanted: Iterable[tuple[int, int]], *, content_seq: int
) -> dict[tuple[int, int], int]:
    """Edition ids by (profile, from_seq), newest revision, made where missing. Twice is harmless."""
    wanted = set(wanted)
    found = _editions(connection, run_id)
    missing = sorted(wanted - set(found))
    if missing:
        insert_plain(
            connection,
            table_of(EditionRow),
            ("run_id", "profile_id", "from_seq", "revision", "content_seq", "is_stale"),
            [(run_id, profile, from_seq, 1, content_seq, 0) for profile, from_seq in missing],
        )
        found = _editions(connection, run_id)
    return {pair: found[pair] for pair in wanted}


def _editions(connection: Connection, run_id: int) -> dict[tuple[int, int], int]:
    rows = connection.execute(
        text("SELECT profile_id, from_seq, id FROM edition WHERE run_id = :run ORDER BY revision"),
        {"run": run_id},
    )
    return {(profile, from_seq): id_ for profile, from_seq, id_ in rows}


def extend_batches(
    connection: Connection, run_id: int, sizes: Mapping[int, int], *, batch_size: int
) -> dict[int, int]:
    """Fill each edition's batches by so many more deliveries; returns at which place of it they begin.

    Only a batch that is still waiting may grow; an edition that is being sent already starts a new one, and
    so does a small group for which the last one has no room.
    """
    already: dict[int, int] = {}
    rows = []
    states = _states(connection, run_id, sizes)
    levels = _fill_levels(connection, run_id, batch_size=batch_size)
    for edition, n in sizes.items():
        full = levels.get(edition, 0)
        if is_small(n, batch_size=batch_size) and full % batch_size + n > batch_size:
            full += batch_size - full % batch_size
        already[edition] = full
        number = full // batch_size
        while number * batch_size < full + n:
            size = min(full + n - number * batch_size, batch_size)
            key = batch_key(edition, number=number, attempt=1)
            rows.append((key, run_id, edition, number, 1, size, states[edition]))
            number += 1
    insert_plain(
        connection,
        table_of(BatchRow),
        ("id", "run_id", "edition_id", "number", "attempt", "size", "state"),
        rows,
        changes=("size",),
    )
    return already


def _states(connection: Connection, run_id: int, editions: Collection[int]) -> dict[int, str]:
    """Edition -> the state of a new batch of it; of these, and of those of the run that lie between."""
    rows = connection.execute(
        text(
            "SELECT id, CASE WHEN composed_at IS NULL THEN 'waiting' WHEN page_id IS NULL THEN 'closed' "
            "ELSE 'ready' END FROM edition WHERE id BETWEEN :first AND :last AND run_id = :run"
        ),
        {"run": run_id, "first": min(editions, default=0), "last": max(editions, default=0)},
    )
    return {edition: state for edition, state in rows}


_LAST_BATCHES = """
SELECT b.edition_id, b.number, b.size, b.state
FROM (SELECT edition_id, max(number) AS number FROM batch WHERE run_id = :run AND attempt = 1
      GROUP BY edition_id) last
JOIN batch b ON b.edition_id = last.edition_id AND b.number = last.number AND b.attempt = 1
"""


def _fill_levels(connection: Connection, run_id: int, *, batch_size: int) -> dict[int, int]:
    """Edition -> how many places of its batches are taken; places of a batch that may not grow all are."""
    rows = connection.execute(text(_LAST_BATCHES), {"run": run_id})
    return {
        e: number * batch_size + (n if state == "waiting" else batch_size) for e, number, n, state in rows
    }
