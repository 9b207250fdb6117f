"""The editions and batches that planned deliveries go into, made and filled as they are planned."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, case, select

from digest.model import BatchState
from digest.store.tables import BatchRow, EditionRow, batch_key, table_of
from digest.store.upsert import insert_plain, is_among

_B = table_of(BatchRow)
_E = table_of(EditionRow)

_SMALL = 4  # of these fill a batch: rather than to split a small group, the batch before stays smaller


def is_small(n: int, *, batch_size: int) -> bool:
    """Whether so many deliveries of one edition go into one batch together."""
    return n * _SMALL <= batch_size


def open_editions(
    connection: Connection, run_id: int, wanted: Iterable[tuple[int, int]], *, content_seq: int
) -> dict[tuple[int, int], int]:
    """Edition ids by (profile, from_seq), newest revision, made where missing. Twice is harmless."""
    wanted = set(wanted)
    found = _editions(connection, run_id, wanted)
    missing = sorted(wanted - set(found))
    if missing:
        insert_plain(
            connection,
            _E,
            ("run_id", "profile_id", "from_seq", "revision", "content_seq", "is_stale"),
            [(run_id, profile, from_seq, 1, content_seq, 0) for profile, from_seq in missing],
        )
        found = _editions(connection, run_id, wanted)
    return {pair: found[pair] for pair in wanted}


def _editions(
    connection: Connection, run_id: int, wanted: Collection[tuple[int, int]]
) -> dict[tuple[int, int], int]:
    profiles = {profile for profile, _ in wanted}
    query = (
        select(_E.c.profile_id, _E.c.from_seq, _E.c.id)
        .where(_E.c.run_id == run_id, is_among(connection, _E.c.profile_id, profiles))
        .order_by(_E.c.revision)
    )
    return {(profile, from_seq): id_ for profile, from_seq, id_ in connection.execute(query)}


def extend_batches(
    connection: Connection, run_id: int, sizes: Mapping[int, int], *, batch_size: int
) -> dict[int, int]:
    """Fill each edition's batches by so many more deliveries; returns at which place of it they begin.

    Only a batch that is still waiting may grow; an edition that is being sent already starts a new one, and
    so does a small group for which the last one has no room.
    """
    already: dict[int, int] = {}
    rows = []
    states = _states(connection, sizes)
    levels = _fill_levels(connection, sizes, batch_size=batch_size)
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
        _B,
        ("id", "run_id", "edition_id", "number", "attempt", "size", "state"),
        rows,
        changes=("size",),
    )
    return already


def _states(connection: Connection, editions: Collection[int]) -> dict[int, str]:
    """Edition -> the state of a new batch of it."""
    state = case(
        (_E.c.composed_at.is_(None), BatchState.WAITING.value),
        (_E.c.page_id.is_(None), BatchState.CLOSED.value),
        else_=BatchState.READY.value,
    )
    query = select(_E.c.id, state).where(is_among(connection, _E.c.id, editions))
    return {edition: state for edition, state in connection.execute(query)}


def _fill_levels(connection: Connection, editions: Collection[int], *, batch_size: int) -> dict[int, int]:
    """Edition -> how many places of its batches are taken; places of a batch that may not grow all are."""
    # The last of each edition comes last.
    query = (
        select(_B.c.edition_id, _B.c.number, _B.c.size, _B.c.state)
        .where(is_among(connection, _B.c.edition_id, editions), _B.c.attempt == 1)
        .order_by(_B.c.number)
    )
    return {
        e: number * batch_size + (n if state == "waiting" else batch_size)
        for e, number, n, state in connection.execute(query)
    }
