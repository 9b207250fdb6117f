"""Editions: what is to be composed, and what was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import orjson
from sqlalchemy import Connection, case, func, insert, select, text, update

from digest.model import BatchState, Page
from digest.store.pages import page_ids_of
from digest.store.tables import BatchRow, EditionRow, NewsItemRow, NewsRow, table_of
from digest.store.types import to_stored
from digest.store.upsert import insert_plain, is_among, known_ids, update_plain

_B = table_of(BatchRow)
_E = table_of(EditionRow)
_I = table_of(NewsItemRow)
_N = table_of(NewsRow)


@dataclass(frozen=True, slots=True)
class ToCompose:
    """An edition that has not been composed: whose wishes, from where."""

    id: int
    run_id: int
    profile_id: int
    from_seq: int


@dataclass(frozen=True, slots=True)
class Item:
    """One item that an edition names, or counts when folded."""

    item: str
    version: int
    is_folded: bool = False


def editions_to_compose(
    connection: Connection, run_id: int, *, limit: int, after: int = 0, part: int = 0, parts: int = 1
) -> tuple[ToCompose, ...]:
    """The next editions of a run without content and with an id above ``after``, in order of id.

    ``part`` of ``parts``: every so-manieth, so that several processes compose different ones.
    """
    query = (
        select(_E.c.id, _E.c.run_id, _E.c.profile_id, _E.c.from_seq)
        .where(_E.c.run_id == run_id, _E.c.composed_at.is_(None), _E.c.is_stale == 0, _E.c.id > after)
        .order_by(_E.c.id)
        .limit(limit)
    )
    if parts > 1:
        query = query.where(_E.c.id % parts == part)
    return tuple(ToCompose(*row) for row in connection.execute(query))


def count_to_compose(connection: Connection, run_id: int) -> int:
    """How many editions of a run wait for their words."""
    query = select(func.count()).where(_E.c.run_id == run_id, _E.c.composed_at.is_(None), _E.c.is_stale == 0)
    return int(connection.execute(query).scalar_one())


@dataclass(frozen=True, slots=True)
class Composed:
    """What an edition says; ``page`` None: nothing to say."""

    edition_id: int
    page: Page | None
    items: tuple[Item, ...] = ()


def keep_editions(
    connection: Connection, made: Sequence[Composed], *, content_seq: int, now: datetime
) -> int:
    """Store what editions say; returns how many nobody had composed before. Twice is harmless.

    A page makes its edition's waiting batches ready; without one they are closed. Statements work on
    many rows each: a run may have as many editions as readers.
    """
    if not made:
        return 0
    page_ids = iter(page_ids_of(connection, [one.page for one in made if one.page is not None], now=now))
    news_ids = _news_ids(connection, made)
    at = to_stored(now)
    done = update_plain(
        connection,
        _E,
        ("page_id", "news_id", "content_seq", "composed_at"),
        [
            (
                None if one.page is None else next(page_ids),
                news_ids.get(id(one.items)),
                content_seq,
                at,
                one.edition_id,
            )
            for one in made
        ],
        # Said so that PostgreSQL expects many: it looks for the few ids then, and not through all that wait.
        where="coalesce(edition.composed_at, -1) < 0",
    )
    # By what the edition has become, not by what we made: somebody else may have composed it first.
    settle_waiting(connection, [one.edition_id for one in made])
    return done


def _news_ids(connection: Connection, made: Sequence[Composed]) -> dict[int, int]:
    """The row of what is named, stored where it is new, by the ``id`` of its tuple."""
    distinct = {id(one.items): one.items for one in made if one.items}
    prints = {key: _print_of(items) for key, items in distinct.items()}
    found = known_ids(connection, _N, prints.values())
    if new := {prints[key]: items for key, items in distinct.items() if prints[key] not in found}:
        insert_plain(connection, _N, ("fingerprint",), [(print_,) for print_ in new])
        found = known_ids(connection, _N, prints.values())
        insert_plain(
            connection,
            _I,
            ("news_id", "item", "version", "is_folded"),
            [(found[p], i.item, i.version, int(i.is_folded)) for p, items in new.items() for i in items],
        )
    return {key: found[print_] for key, print_ in prints.items()}


def _print_of(items: Sequence[Item]) -> str:
    named = sorted((one.item, one.version, one.is_folded) for one in items)
    return sha256(orjson.dumps(named)).hexdigest()


def settle_waiting(connection: Connection, edition_ids: Sequence[int]) -> None:
    """Waiting batches of composed editions are ready, or closed where there is nothing to say."""
    # Each asks for its own edition, and no index has a state like that: PostgreSQL would read all that wait,
    # or all editions, each time.
    its_own = _E.c.id == _B.c.edition_id
    has_page = select(_E.c.page_id.is_not(None)).where(its_own).scalar_subquery()
    is_composed = select(_E.c.composed_at.is_not(None)).where(its_own).scalar_subquery()
    connection.execute(
        update(_B)
        .where(is_among(connection, _B.c.edition_id, edition_ids), is_composed)
        .where(_B.c.state + "" == BatchState.WAITING.value)
        .values(state=case((has_page, BatchState.READY.value), else_=BatchState.CLOSED.value))
    )


def mark_stale(connection: Connection, item: str, *, content_seq: int) -> set[int]:
    """Unfinished editions that hold the item get a next revision; returns the runs concerned.

    ``content_seq`` is the seq of the correction; composing raises it to what it then finds.

    Batches not yet claimed move to the revision and wait for it; claimed ones go as they are.
    """
    query = text(
        "SELECT DISTINCT e.id, e.run_id, e.profile_id, e.from_seq, e.revision FROM news_item i "
        "JOIN edition e ON e.news_id = i.news_id JOIN run r ON r.id = e.run_id "
        "WHERE i.item = :item AND e.is_stale = 0 AND r.state NOT IN ('completed', 'cancelled') "
        "AND EXISTS (SELECT 1 FROM batch b WHERE b.edition_id = e.id "
        "AND b.state IN ('waiting', 'ready', 'claimed'))"
    )
    runs = set()
    for id_, run_id, profile, from_seq, revision in connection.execute(query, {"item": item}).all():
        connection.execute(update(_E).where(_E.c.id == id_).values(is_stale=1))
        new = connection.execute(
            insert(_E)
            .values(
                run_id=run_id,
                profile_id=profile,
                from_seq=from_seq,
                revision=revision + 1,
                content_seq=content_seq,
                is_stale=0,
            )
            .returning(_E.c.id)
        ).scalar_one()
        _move_unclaimed(connection, old=id_, new=int(new))
        runs.add(int(run_id))
    return runs


def _move_unclaimed(connection: Connection, *, old: int, new: int) -> None:
    # Batches first: a claim that wins the race keeps its batch, and so its deliveries, as they are. One that
    # was claimed before is to be done again just as it was: the same letter may have arrived.
    _move(
        connection, new, "edition_id = :old AND state IN ('waiting', 'ready') AND claimed_at IS NULL", old=old
    )


def join_newest_revision(connection: Connection, batch_id: int) -> None:
    """A batch that comes back unsent goes with the newest words of its edition."""
    newest = connection.execute(
        text(
            "SELECT n.id FROM batch b JOIN edition e ON e.id = b.edition_id "
            "JOIN edition n "
            "ON n.run_id = e.run_id AND n.profile_id = e.profile_id AND n.from_seq = e.from_seq "
            "WHERE b.id = :batch AND e.is_stale = 1 ORDER BY n.revision DESC LIMIT 1"
        ),
        {"batch": batch_id},
    ).scalar()
    if newest is not None:
        _move(connection, int(newest), "id = :batch AND state = 'ready'", batch=batch_id)
        settle_waiting(connection, [int(newest)])


def _move(connection: Connection, new: int, which: str, **values: int) -> None:
    # Batches first: a claim that wins the race keeps its batch, and so its deliveries, as they are.
    connection.execute(
        text(f"UPDATE batch SET edition_id = :new, state = 'waiting' WHERE {which}"), {"new": new, **values}
    )
    connection.execute(
        text(
            "UPDATE delivery SET edition_id = :new WHERE ended IS NULL "
            "AND batch_id IN (SELECT id FROM batch WHERE edition_id = :new)"
        ),
        {"new": new},
    )


def items_of(connection: Connection, edition_id: int) -> tuple[Item, ...]:
    """What an edition names or counts."""
    query = (
        select(_I.c.item, _I.c.version, _I.c.is_folded)
        .join(_E, _E.c.news_id == _I.c.news_id)
        .where(_E.c.id == edition_id)
        .order_by(_I.c.item)
    )
    return tuple(Item(item, version, bool(folded)) for item, version, folded in connection.execute(query))
