"""Editions and pages: what is to be composed, and what was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import orjson
import zstandard
from sqlalchemy import Connection, insert, select, text, update

from digest.errors import NotFoundError
from digest.model import Page
from digest.store.tables import EditionItemRow, EditionRow, PageRow, table_of
from digest.store.upsert import insert_if_new

_E = table_of(EditionRow)
_I = table_of(EditionItemRow)
_P = table_of(PageRow)


@dataclass(frozen=True, slots=True)
class ToCompose:
    """An edition that has not been composed: whose wishes, which range, content as of when."""

    id: int
    run_id: int
    profile_id: int
    from_seq: int
    content_seq: int


@dataclass(frozen=True, slots=True)
class Item:
    """One item that an edition names, or counts when folded."""

    item: str
    version: int
    is_folded: bool = False


def editions_to_compose(
    connection: Connection, run_id: int, *, limit: int, after: int = 0
) -> tuple[ToCompose, ...]:
    """The next editions of a run without content and with an id above ``after``, in order of id."""
    query = (
        select(_E.c.id, _E.c.run_id, _E.c.profile_id, _E.c.from_seq, _E.c.content_seq)
        .where(_E.c.run_id == run_id, _E.c.composed_at.is_(None), _E.c.is_stale == 0, _E.c.id > after)
        .order_by(_E.c.id)
        .limit(limit)
    )
    return tuple(ToCompose(*row) for row in connection.execute(query))


def keep_edition(
    connection: Connection, edition_id: int, page: Page | None, items: Iterable[Item], *, now: datetime
) -> bool:
    """Store what an edition says; None: nothing to say. False when somebody composed it first.

    A page makes the edition's waiting batches ready; without one they are closed.
    """
    page_id = None if page is None else page_id_of(connection, page, now=now)
    done = connection.execute(
        update(_E)
        .where(_E.c.id == edition_id, _E.c.composed_at.is_(None))
        .values(page_id=page_id, composed_at=now)
    )
    if done.rowcount == 0:
        return False
    rows = [
        {"edition_id": edition_id, "item": i.item, "version": i.version, "is_folded": int(i.is_folded)}
        for i in items
    ]
    insert_if_new(connection, _I, rows)
    connection.execute(
        text("UPDATE batch SET state = :state WHERE edition_id = :edition AND state = 'waiting'"),
        {"state": "closed" if page is None else "ready", "edition": edition_id},
    )
    return True


def page_id_of(connection: Connection, page: Page, *, now: datetime) -> int:
    """The row of a page, stored once however often it is asked for."""
    fingerprint = page.fingerprint
    found = connection.scalar(select(_P.c.id).where(_P.c.fingerprint == fingerprint))
    if found is None:
        values = {"fingerprint": fingerprint, "body": _packed(page), "created_at": now}
        insert_if_new(connection, _P, values)
        found = connection.scalar(select(_P.c.id).where(_P.c.fingerprint == fingerprint))
    return int(found or 0)


def page_by_id(connection: Connection, page_id: int) -> Page:
    """The page as it was rendered. Raises: NotFoundError after its retention."""
    body = connection.scalar(select(_P.c.body).where(_P.c.id == page_id))
    if body is None:
        raise NotFoundError(f"page {page_id} is not stored any more: its retention is over")
    return _unpacked(body)


def _packed(page: Page) -> bytes:
    fields = [page.subject, page.preheader, page.html, page.text, page.language]
    return zstandard.compress(orjson.dumps(fields), 3)


def _unpacked(body: bytes) -> Page:
    subject, preheader, html, text_part, language = orjson.loads(zstandard.decompress(body))
    return Page(subject=subject, preheader=preheader, html=html, text=text_part, language=language)


def mark_stale(connection: Connection, item: str, *, content_seq: int) -> set[int]:
    """Unfinished editions that hold the item get a next revision; returns the runs concerned.

    Batches not yet claimed move to the revision and wait for it; claimed ones go as they are.
    """
    query = text(
        "SELECT DISTINCT e.id, e.run_id, e.profile_id, e.from_seq, e.revision FROM edition_item i "
        "JOIN edition e ON e.id = i.edition_id JOIN run r ON r.id = e.run_id "
        "WHERE i.item = :item AND e.is_stale = 0 AND r.state NOT IN ('completed', 'cancelled') "
        "AND EXISTS (SELECT 1 FROM batch b WHERE b.edition_id = e.id AND b.state IN ('waiting', 'ready'))"
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
    # Batches first: a claim that wins the race keeps its batch, and so its deliveries, as they are.
    connection.execute(
        text(
            "UPDATE batch SET edition_id = :new, state = 'waiting' "
            "WHERE edition_id = :old AND state IN ('waiting', 'ready')"
        ),
        {"old": old, "new": new},
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
    query = select(_I.c.item, _I.c.version, _I.c.is_folded).where(_I.c.edition_id == edition_id)
    return tuple(Item(item, version, bool(folded)) for item, version, folded in connection.execute(query))
