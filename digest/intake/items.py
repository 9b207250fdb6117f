"""A guarded document in one shape for all dialects: items with plain fields, whatever the format was.

RSS 0.9x to 2.0, RSS 1.0 and Atom go through feedparser, with bytes only and its sanitiser off (titles are
cleaned in ``titles``, links in ``links``); other documents carry their text or their JSON value.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import feedparser
import orjson

from digest.errors import FeedError
from digest.intake.guard import GuardedBody
from digest.intake.links import host_of
from digest.intake.titles import plain

MAX_FIELD = 20_000  # characters of one field that a dialect may look at


@dataclass(frozen=True, slots=True)
class ItemLink:
    """A link beside the item's own: ``rel`` as in Atom (``enclosure``, ``alternate``, ``self``)."""

    href: str
    rel: str = "alternate"
    title: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a feed, as it stands there: nothing is cleaned yet, "" is absent.

    ``fields`` are the elements of namespaces by lower-case local name (``eventdates``, ``startdate``).
    """

    title: str = ""
    link: str = ""
    guid: str | None = None
    published: str = ""
    updated: str = ""
    summary: str = ""
    content: str = ""
    links: tuple[ItemLink, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    categories: tuple[str, ...] = ()

    def field(self, name: str) -> str:
        """The namespaced element of that local name, or ""."""
        return next((value for key, value in self.fields if key == name), "")


@dataclass(frozen=True, slots=True)
class Document:
    """A document of any kind. ``value`` is the JSON value, ``text`` the text of html, ical and services."""

    kind: str
    root: str
    title: str = ""
    link: str = ""
    description: str = ""
    generator: str = ""
    items: tuple[Item, ...] = ()
    text: str = ""
    value: Any = None
    is_partial: bool = False
    ttl_s: int | None = None
    skip_hours: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Where:
    """The circumstances of a reading: which address, which council, which day."""

    url: str
    timezone: str
    country: str
    as_of: datetime
    hosts: frozenset[str]

    @property
    def host(self) -> str:
        """The host that was asked."""
        return host_of(self.url)


def document_of(body: GuardedBody) -> Document:
    """The document in one shape. Raises: FeedError ``invalid_body`` where it is no JSON after all."""
    if body.kind == "json":
        try:
            value = orjson.loads(body.text)
        except orjson.JSONDecodeError as error:
            kind = "too_deep" if "depth limit" in str(error) else "invalid_body"
            raise FeedError(kind, f"the body is no JSON that can be read: {error}") from error
        return Document("json", "", value=value, is_partial=body.is_partial)
    if body.kind != "xml" or body.root == "getmeetings":
        return Document(body.kind, body.root, text=body.text, is_partial=body.is_partial)
    return _feed(body)


def _feed(body: GuardedBody) -> Document:
    # No base address: joining would silently mend links that are to be dropped (line ends inside).
    headers = {"content-type": "application/xml; charset=utf-8"}
    try:
        found = feedparser.parse(
            io.BytesIO(body.text.encode("utf-8", "replace")),
            response_headers=headers,
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except (ValueError, OverflowError, LookupError, TypeError, AttributeError, AssertionError) as error:
        raise FeedError("invalid_body", f"the feed cannot be read: {error}") from error
    feed = found.feed
    return Document(
        "xml",
        body.root,
        title=plain(_text(feed, "title")),
        link=_text(feed, "link").strip(),
        description=plain(_text(feed, "subtitle")),
        generator=plain(_text(feed, "generator")),
        items=tuple(_item(entry) for entry in found.entries),
        is_partial=body.is_partial,
        ttl_s=_minutes(_text(feed, "ttl")),
        skip_hours=_skip_hours(body.text),
    )


_KNOWN = frozenset({
    "title", "link", "id", "published", "updated", "summary", "content", "links", "tags", "title_detail",
    "summary_detail", "guidislink", "published_parsed", "updated_parsed", "authors", "author",
    "author_detail",
})  # fmt: skip


def _item(entry: Any) -> Item:
    fields = tuple(
        (key.rpartition("_")[2], value[:MAX_FIELD])
        for key, value in entry.items()
        if key not in _KNOWN and isinstance(value, str)
    )
    content = dict.get(entry, "content")
    return Item(
        title=_text(entry, "title"),
        link=_text(entry, "link").strip(),
        guid=_text(entry, "id").strip() or None,
        published=_text(entry, "published"),
        updated=str(dict.get(entry, "updated") or "")[:200],
        summary=_text(entry, "summary"),
        content=str(content[0].get("value", ""))[:MAX_FIELD] if content else "",
        links=tuple(_link(link) for link in dict.get(entry, "links", ())[:50]),
        fields=fields,
        categories=tuple(plain(tag.get("term") or "") for tag in dict.get(entry, "tags", ())[:20]),
    )


def _link(link: Any) -> ItemLink:
    return ItemLink(
        str(dict.get(link, "href") or "").strip()[:MAX_FIELD],
        str(dict.get(link, "rel") or "alternate"),
        plain(dict.get(link, "title")),
        str(dict.get(link, "type") or ""),
    )


def _text(entry: Any, key: str) -> str:
    value = dict.get(entry, key)  # feedparser's own get looks under other names, at ten times the cost
    return value[:MAX_FIELD] if isinstance(value, str) else ""


def _minutes(text: str) -> int | None:
    """``ttl`` is in minutes (RSS 2.0); nonsense is none."""
    return int(text) * 60 if text.isdigit() and len(text) < 7 else None


def _skip_hours(text: str) -> frozenset[int]:
    """``skipHours`` in GMT (RSS 2.0); feedparser drops it."""
    start = text.find("<skipHours>", 0, 20_000)
    end = text.find("</skipHours>", start, start + 2_000) if start >= 0 else -1
    if end < 0:
        return frozenset()
    pieces = (p.partition("</hour>")[0].strip() for p in text[start:end].split("<hour>")[1:])
    return frozenset(int(p) % 24 for p in pieces if p.isdigit() and len(p) < 3)
