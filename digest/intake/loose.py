"""Feeds that are not well-formed, by feedparser: bytes only, sanitiser off, behind the guard.

Titles are cleaned in ``titles`` and links in ``links``. Its e-mail expression over authors takes minutes on
200 kB (its issue 562), so names are clipped first; whatever else it may do, the child process bounds.
"""

from __future__ import annotations

import io
import re
from typing import Any

import feedparser

from digest.errors import FeedError
from digest.intake.guard import GuardedBody
from digest.intake.items import MAX_FIELD, Document, Item, ItemLink
from digest.intake.titles import plain

MAX_CHARS = 3_000_000  # feedparser takes a second for a million
_PERSON = re.compile(
    r"(<(?:[A-Za-z0-9]{1,20}:)?(?:author|creator|managingeditor|webmaster|contributor|publisher|email|name|owner)\b[^<>]{0,500}>)"
    r"[^<]{200,}",
    re.IGNORECASE,
)


def document_of(body: GuardedBody) -> Document:
    """The document as far as it can be made out. Raises: FeedError ``invalid_body``."""
    if len(body.text) > MAX_CHARS:
        raise FeedError("too_large", f"the feed is not well-formed, and longer than {MAX_CHARS} characters")
    # No base address: joining would silently mend links that are to be dropped (line ends inside).
    headers = {"content-type": "application/xml; charset=utf-8"}
    try:
        found = feedparser.parse(
            io.BytesIO(_PERSON.sub(r"\1", body.text).encode("utf-8", "replace")),
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
