"""A guarded body becomes a document: JSON by orjson, feeds by expat, and by feedparser what expat refuses."""

from __future__ import annotations

import orjson

from digest.errors import FeedError
from digest.intake import loose, reader
from digest.intake.guard import GuardedBody
from digest.intake.items import Document
from digest.intake.titles import plain


def document_of(body: GuardedBody) -> Document:
    """The document in one shape. Raises: FeedError ``invalid_body`` or ``too_deep``."""
    if body.kind == "json":
        return _json(body)
    if body.kind != "xml" or body.root == "getmeetings":
        return Document(body.kind, body.root, text=body.text, is_partial=body.is_partial)
    try:
        return _feed(body)
    except reader.Refused:
        return loose.document_of(body)


def _json(body: GuardedBody) -> Document:
    try:
        value = orjson.loads(body.text)
    except orjson.JSONDecodeError as error:
        kind = "too_deep" if "depth limit" in str(error) else "invalid_body"
        raise FeedError(kind, f"the body is no JSON that can be read: {error}") from error
    return Document("json", "", value=value, is_partial=body.is_partial)


def _feed(body: GuardedBody) -> Document:
    found = reader.Reader()
    found.read(body.text)
    channel = found.channel
    fields = dict(reversed(channel.fields))
    return Document(
        "xml",
        body.root,
        title=plain(channel.values.get("title")),
        link=reader.link_of(channel),
        description=plain(channel.values.get("summary") or fields.get("subtitle")),
        generator=plain(fields.get("generator")),
        items=tuple(found.items),
        is_partial=body.is_partial,
        ttl_s=_minutes(fields.get("ttl", "")),
        skip_hours=_hours(fields.get("skiphours", "")),
    )


def _minutes(text: str) -> int | None:
    """``ttl`` is in minutes (RSS 2.0); nonsense is none."""
    return int(text) * 60 if text.isascii() and text.isdigit() and len(text) < 7 else None


def _hours(text: str) -> frozenset[int]:
    """``skipHours`` holds hours of the day in GMT (RSS 2.0); 24 is written for midnight."""
    words = text.split()[:50]
    return frozenset(int(w) % 24 for w in words if w.isascii() and w.isdigit() and len(w) < 3)
