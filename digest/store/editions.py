"""Editions and pages: what is to be composed, and what was."""

from __future__ import annotations

from collections.abc import Collection, Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import orjson
import zstandard
from sqlalchemy import Connection, Table, bindparam, func, insert, select, text, update

from digest.errors import NotFoundError
from digest.model import Form, Page
from digest.store.tables import EditionRow, FormRow, NewsItemRow, NewsRow, PageRow, table_of
from digest.store.types import to_stored
from digest.store.upsert import insert_plain, is_among, update_plain

_E = table_of(EditionRow)
_I = table_of(NewsItemRow)
_N = table_of(NewsRow)
_P = table_of(PageRow)
_F = table_of(FormRow)
# Of a page of 40 kB: 4.1 kB at level 3, 4.2 kB at level 1 in half the time (zstandard 0.2x, measured).
_LEVEL = 1
_PACKED = "packed"


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
        where="edition.composed_at IS NULL",
    )
    # By what the edition has become, not by what we made: somebody else may have composed it first.
    settle_waiting(connection, [one.edition_id for one in made])
    return done


def _news_ids(connection: Connection, made: Sequence[Composed]) -> dict[int, int]:
    """The row of what is named, stored where it is new, by the ``id`` of its tuple."""
    distinct = {id(one.items): one.items for one in made if one.items}
    prints = {key: _print_of(items) for key, items in distinct.items()}
    found = _known(connection, _N, prints.values())
    if new := {prints[key]: items for key, items in distinct.items() if prints[key] not in found}:
        insert_plain(connection, _N, ("fingerprint",), [(print_,) for print_ in new])
        found = _known(connection, _N, prints.values())
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
    query = text(
        "UPDATE batch SET state = CASE WHEN (SELECT e.page_id FROM edition e WHERE e.id = batch.edition_id) "
        "IS NULL THEN 'closed' ELSE 'ready' END WHERE state = 'waiting' AND edition_id IN :ids "
        "AND EXISTS (SELECT 1 FROM edition e WHERE e.id = batch.edition_id AND e.composed_at IS NOT NULL)"
    ).bindparams(bindparam("ids", expanding=True))
    connection.execute(query, {"ids": list(edition_ids)})


def page_ids_of(connection: Connection, pages: Sequence[Page], *, now: datetime) -> list[int]:
    """The row id of each page, in their order; equal pages are stored once however often asked for."""
    form_ids = _form_ids(connection, pages)
    at = to_stored(now)
    rows = []
    for page in pages:
        form = page.form
        packed = _packed(page) if form is None else _own(page, _packed_form(form)[0])
        rows.append((*packed, at, None if form is None else form_ids[form]))
    wanted = {row[0]: row for row in rows}
    found: dict[str, int] = {}
    # Nearly all are new: to ask before would be to ask twice. One that was there may go in between.
    while missing := [row for print_, row in wanted.items() if print_ not in found]:
        insert_plain(connection, _P, ("fingerprint", "body", "created_at", "form_id"), missing)
        found = _known(connection, _P, wanted)
    return [found[row[0]] for row in rows]


def _form_ids(connection: Connection, pages: Sequence[Page]) -> dict[Form, int]:
    """The row id of each form, stored where it is new."""
    forms = {page.form: _packed_form(page.form) for page in pages if page.form is not None}
    wanted = dict(forms.values())
    found = _known(connection, _F, wanted)
    new = [(print_, body) for print_, body in wanted.items() if print_ not in found]
    if new:
        insert_plain(connection, _F, ("fingerprint", "body"), new)
        found = _known(connection, _F, wanted)
    return {form: found[print_] for form, (print_, _) in forms.items()}


def _known(connection: Connection, table: Table, fingerprints: Iterable[str]) -> dict[str, int]:
    wanted = list(dict.fromkeys(fingerprints))
    if not wanted:
        return {}
    query = select(table.c.fingerprint, table.c.id).where(is_among(connection, table.c.fingerprint, wanted))
    return dict(connection.execute(query).all())


def page_by_id(connection: Connection, page_id: int) -> Page:
    """The page as it was rendered. Raises: NotFoundError after its retention."""
    return pages_by_id(connection, (page_id,))[page_id]


def pages_by_id(
    connection: Connection, page_ids: Sequence[int], *, forms: MutableMapping[int, Form] | None = None
) -> dict[int, Page]:
    """The pages as they were rendered. Raises: NotFoundError for the first whose retention is over.

    ``forms``, by row id, are not read again; those that are read are added.
    """
    forms = {} if forms is None else forms
    query = select(_P.c.id, _P.c.body, _P.c.form_id).where(is_among(connection, _P.c.id, page_ids))
    rows = connection.execute(query).all()
    _read_forms(connection, {form for _, _, form in rows if form is not None and form not in forms}, forms)
    found = {
        id_: _unpacked(body) if form is None else _with(forms[form], body)
        for id_, body, form in rows
        if form is None or form in forms  # else it goes just now, and the page with it
    }
    for id_ in page_ids:
        if id_ not in found:
            raise NotFoundError(f"page {id_} is not stored any more: its retention is over")
    return found


def _read_forms(connection: Connection, ids: Collection[int], forms: MutableMapping[int, Form]) -> None:
    if not ids:
        return
    for id_, packed in connection.execute(
        select(_F.c.id, _F.c.body).where(is_among(connection, _F.c.id, ids))
    ):
        forms[id_] = _form_of(packed)


def _form_of(packed: bytes) -> Form:
    head, _, pieces = zstandard.decompress(packed).partition(b"\n")
    html, text_pieces = orjson.loads(head)
    at = 0

    def cut(sizes: Sequence[int]) -> tuple[str, ...]:
        nonlocal at
        found = []
        for size in sizes:
            found.append(pieces[at : at + size].decode())
            at += size
        return tuple(found)

    return Form(None if html is None else cut(html), cut(text_pieces))


# The fingerprints are of compressed bytes, a tenth to read; another version of zstandard may give equal pages
# other ones, and then they are stored twice.


def _packed_form(form: Form) -> tuple[str, bytes]:
    """Fingerprint and compressed bytes of a form, made once for all of its pages.

    That is one line of JSON with the sizes of its pieces in bytes, which follow as they are.
    """
    packed: tuple[str, bytes] | None = form.made.get(_PACKED)
    if packed is None:
        html = None if form.html is None else [piece.encode() for piece in form.html]
        text_pieces = [piece.encode() for piece in form.text]
        sizes = [None if html is None else [*map(len, html)], [*map(len, text_pieces)]]
        whole = b"".join((orjson.dumps(sizes), b"\n", *(html or ()), *text_pieces))
        body = zstandard.compress(whole, _LEVEL)
        packed = form.made[_PACKED] = (sha256(body).hexdigest(), body)
    return packed


def _own(page: Page, form_print: str) -> tuple[str, bytes]:
    """Fingerprint and bytes of what a page adds to its form, as JSON."""
    body = orjson.dumps([page.subject, page.preheader, page.language, *page.own])
    return sha256(form_print.encode() + body).hexdigest(), body


def _with(form: Form, body: bytes) -> Page:
    subject, preheader, language, own_html, own_text = orjson.loads(body)
    own = (own_html, own_text)
    return Page.laid_out(form, own, subject=subject, preheader=preheader, language=language)


def _packed(page: Page) -> tuple[str, bytes]:
    """Fingerprint and compressed bytes of a page without a form.

    That is one line of JSON with all but the HTML, which follows as it is.
    """
    head = orjson.dumps([page.subject, page.preheader, page.text, page.language, page.html is not None])
    body = zstandard.compress(head + b"\n" + (page.html or "").encode(), _LEVEL)
    return sha256(body).hexdigest(), body


def _unpacked(body: bytes) -> Page:
    head, _, html = zstandard.decompress(body).partition(b"\n")
    subject, preheader, text_part, language, has_html = orjson.loads(head)
    whole = html.decode() if has_html else None
    return Page(subject=subject, preheader=preheader, html=whole, text=text_part, language=language)


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
