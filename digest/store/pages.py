"""Pages, each stored once however many editions show it, and forms, which pages of equal news share."""

from __future__ import annotations

from collections.abc import Collection, MutableMapping, Sequence
from datetime import datetime
from hashlib import sha256

import orjson
import zstandard
from sqlalchemy import Connection, select

from digest.errors import NotFoundError
from digest.model import Form, Page
from digest.store.tables import FormRow, PageRow, table_of
from digest.store.types import to_stored
from digest.store.upsert import insert_plain, is_among, known_ids

_P = table_of(PageRow)
_F = table_of(FormRow)
# Of a page of 40 kB: 4.1 kB at level 3, 4.2 kB at level 1 in half the time (zstandard 0.2x, measured).
_LEVEL = 1
_PACKED = "packed"
_TRIES = 3


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
    for _ in range(_TRIES):
        missing = [row for print_, row in wanted.items() if print_ not in found]
        if not missing:
            break
        insert_plain(connection, _P, ("fingerprint", "body", "created_at", "form_id"), missing)
        found = known_ids(connection, _P, wanted)
    return [found[row[0]] for row in rows]


def _form_ids(connection: Connection, pages: Sequence[Page]) -> dict[Form, int]:
    """The row id of each form, stored where it is new."""
    forms = {page.form: _packed_form(page.form) for page in pages if page.form is not None}
    wanted = dict(forms.values())
    found = known_ids(connection, _F, wanted)
    new = [(print_, body) for print_, body in wanted.items() if print_ not in found]
    if new:
        insert_plain(connection, _F, ("fingerprint", "body"), new)
        found = known_ids(connection, _F, wanted)
    return {form: found[print_] for form, (print_, _) in forms.items()}


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
    query = select(_F.c.id, _F.c.body).where(is_among(connection, _F.c.id, ids))
    for id_, packed in connection.execute(query):
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
