"""The body of one mail/send request as bytes: what all letters share is encoded once, the readers appended.

Pure. Source: contracts on POST /v3/mail/send. Finished values stand in headers, since tags do not work there;
the opaque delivery id is the only thing about a reader that the provider keeps for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import orjson

from digest.deliver.message import ONE_CLICK, envelope_address, one_line, shared_headers, values_of
from digest.model import Form, Outgoing, Page, Readers, Recipient
from digest.render.tags import (
    ACTION,
    MAX_VALUE_BYTES,
    NAME_HTML,
    NAME_TEXT,
    PREFERENCES,
    UNSUBSCRIBE,
    VIEW,
    checked_link,
    tags_in,
    values_for,
)

DELIVERY_ARG = "dg_delivery_id"
CATEGORY = "digest"  # categories are few per account and kept for long: one for all letters

# What neither JSON nor HTML reads; render.tags holds links to the same characters.
_LETTERS_AND_DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_PLAIN = _LETTERS_AND_DIGITS + b":/._~%?=+@,;!$()*[]#-"
_NO_TRACKING = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": {"enable": False},
    "subscription_tracking": {"enable": False},
    "ganalytics": {"enable": False},
}
_WIRE = "sendgrid"
_PERSONAL = (UNSUBSCRIBE, PREFERENCES, ACTION, NAME_HTML, NAME_TEXT)


def request_body(outgoing: Outgoing, recipients: Sequence[Recipient], *, is_trial: bool = False) -> bytes:
    """The JSON of one request that mails each recipient alone; ``is_trial``: validated, nobody mailed.

    Addresses have passed ``message.address_fault``.

    Raises: RenderError for a link that must not stand in HTML.
    """
    wire = _wire_of(outgoing.page)
    view_url = checked_link(outgoing.view_url, "view")
    shared = orjson.dumps(_shared(outgoing, view_url, is_trial=is_trial))
    people = _people(outgoing, Readers.of(recipients), wire.tags).encode()
    content = wire.content(outgoing.page.own, view_url.encode())
    return b"".join([shared[:-1], b',"content":[', *content, b'],"personalizations":[', people, b"]}"])


@dataclass(frozen=True, slots=True)
class _Wire:
    """A form as JSON writes it, its pieces inside the quotes and cut at the one link that all readers share,
    and the tags of its pages."""

    html: tuple[tuple[bytes, ...], ...] | None
    text: tuple[tuple[bytes, ...], ...]
    tags: tuple[str, ...]

    def content(self, own: tuple[str, str], view_url: bytes) -> list[bytes]:
        """The parts of a page with these words of its own (HTML, text) and this link, to be joined."""
        found = [b'{"type":"text/plain","value":"', *_laid(self.text, _written(own[1]), view_url), b'"}']
        if self.html is not None:
            html = _laid(self.html, _written(own[0]), view_url)
            found += [b',{"type":"text/html","value":"', *html, b'"}']
        return found


def _wire_of(page: Page) -> _Wire:
    """The page's form for the wire, made once for all its pages.

    Links are filled in as bytes: neither a tag nor a link holds what JSON would write otherwise. Own words
    hold no tags (``render.tags.neutralise``).
    """
    form = page.form or Form(None if page.html is None else (page.html,), (page.text,))
    wire = form.made.get(_WIRE)
    if wire is None:
        html = None if form.html is None else _cut(form.html)
        wire = form.made[_WIRE] = _Wire(html, _cut(form.text), tags_in(page))
    return wire


def _laid(pieces: Sequence[Sequence[bytes]], own: bytes, view_url: bytes) -> list[bytes]:
    laid: list[bytes] = []
    for piece in pieces:
        for cut in piece:
            laid += (cut, view_url)
        laid[-1] = own
    return laid[:-1]


def _cut(pieces: Sequence[str]) -> tuple[tuple[bytes, ...], ...]:
    return tuple(tuple(_written(piece).split(VIEW.encode())) for piece in pieces)


def _written(text: str) -> bytes:
    return orjson.dumps(text)[1:-1]


def _shared(outgoing: Outgoing, view_url: str, *, is_trial: bool) -> dict[str, object]:
    publication = outgoing.publication
    shared: dict[str, object] = {
        "from": {"email": envelope_address(publication.from_address), "name": one_line(publication.name)},
        "subject": one_line(outgoing.page.subject.replace(VIEW, view_url)),
        "headers": shared_headers(outgoing),
        "categories": [CATEGORY],
        "tracking_settings": _NO_TRACKING,
    }
    if publication.reply_to:
        shared["reply_to"] = {"email": envelope_address(publication.reply_to)}
    if is_trial:
        shared["mail_settings"] = {"sandbox_mode": {"enable": True}}
    return shared


def _people(outgoing: Outgoing, readers: Readers, tags: Sequence[str]) -> str:
    """The personalizations, one a reader, as JSON text: written by hand, for this is the work of a large run.

    Every value was checked to hold no character that JSON would read, but for names, which are encoded.
    """
    tags = [tag for tag in tags if tag in _PERSONAL]
    columns = {UNSUBSCRIBE: _links(outgoing, readers, readers.unsubscribe_urls)}
    if PREFERENCES in tags:
        columns[PREFERENCES] = _links(outgoing, readers, readers.preferences_urls)
    if ACTION in tags:
        actions = [a or p for a, p in zip(readers.action_urls, readers.preferences_urls, strict=True)]
        columns[ACTION] = _links(outgoing, readers, actions)
    if NAME_HTML in tags or NAME_TEXT in tags:
        names = [_name(name) for name in readers.names]
        columns[NAME_HTML], columns[NAME_TEXT] = [n[0] for n in names], [n[1] for n in names]
    addresses = readers.addresses
    if not "".join(addresses).isascii():
        addresses = [envelope_address(address) for address in addresses]
    signs = "".join(readers.deliveries).encode("utf-8", "replace").translate(None, _LETTERS_AND_DIGITS)
    if signs or not all(readers.deliveries):
        raise ValueError("a delivery id is letters and digits")
    form = (
        '{"to":[{"email":"%s"}],"headers":{"List-Unsubscribe":"<%s>",'
        f'"List-Unsubscribe-Post":"{ONE_CLICK}"}},"substitutions":{{'
        + ",".join(f'"{tag}":"%s"' for tag in tags)
        + f'}},"custom_args":{{"{DELIVERY_ARG}":"%s"}}}}'
    )
    own = (columns[tag] for tag in tags)
    return _listed(form, (addresses, columns[UNSUBSCRIBE], *own, readers.deliveries))


def _listed(form: str, columns: Sequence[Sequence[str]]) -> str:
    """The form with a row of the columns in each ``%s``, once for every row, with commas between.

    All rows are laid out first and joined in one go: filling in one by one takes four times as long.
    """
    first, *between, last = form.split("%s")
    rows, width = len(columns[0]), 2 * len(columns)
    laid = [""] * (rows * width)
    for at, (before, column) in enumerate(zip((f"{last},{first}", *between), columns, strict=True)):
        laid[2 * at :: width] = [before] * rows
        laid[2 * at + 1 :: width] = column
    if laid:
        laid[0] = first
        laid.append(last)
    return "".join(laid)


def _links(outgoing: Outgoing, readers: Readers, urls: Sequence[str]) -> Sequence[str]:
    """The links, all checked in one go; only where something is wrong is each looked at, to name it."""
    lines = "\n" + "\n".join(urls)
    signs = lines.encode("utf-8", "replace").translate(None, _PLAIN)
    is_plain = signs == b"\n" * len(urls) and lines.count("\nhttp") == len(urls)
    if not is_plain or max(map(len, urls)) > MAX_VALUE_BYTES:
        for reader in readers:
            values_of(outgoing, reader)
        raise ValueError("a link holds characters that are not allowed in one")
    return urls


@lru_cache(maxsize=4096)
def _name(name: str) -> tuple[str, str]:
    """The name as HTML and as text would greet with it, each inside JSON quotes."""
    no_link = "https://localhost/"
    values = values_for(unsubscribe_url=no_link, preferences_url=no_link, view_url=no_link, name=name)
    return orjson.dumps(values[NAME_HTML]).decode()[1:-1], orjson.dumps(values[NAME_TEXT]).decode()[1:-1]
