"""What was decided as an Atom feed (RFC 4287): stable ids, one entry a meeting, corrected in place."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

ATOM = "http://www.w3.org/2005/Atom"
_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document may hold (XML 1.0, production 2)."""


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One meeting's summary as it stands now. ``html`` is sanitised; "" says the heading alone."""

    url: str
    title: str
    updated_at: datetime
    html: str
    language: str
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed's own facts. ``updated_at``: of its newest entry, or when there was nothing yet to say."""

    url: str
    page_url: str
    title: str
    author: str
    language: str
    updated_at: datetime


def feed_bytes(feed: Feed, entries: Iterable[FeedEntry]) -> bytes:
    """The feed as UTF-8; the same facts give the same bytes."""
    root = ET.Element(_tag("feed"), {"{http://www.w3.org/XML/1998/namespace}lang": feed.language})
    _add(root, "id", feed.page_url)
    _add(root, "title", feed.title)
    _add(root, "updated", _rfc3339(feed.updated_at))
    ET.SubElement(root, _tag("link"), {"rel": "self", "href": feed.url, "type": "application/atom+xml"})
    ET.SubElement(root, _tag("link"), {"rel": "alternate", "href": feed.page_url, "type": "text/html"})
    _add(ET.SubElement(root, _tag("author")), "name", feed.author)
    for entry in entries:
        _entry(root, entry)
    ET.register_namespace("", ATOM)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _entry(root: ET.Element, entry: FeedEntry) -> None:
    lang = {"{http://www.w3.org/XML/1998/namespace}lang": entry.language}
    element = ET.SubElement(root, _tag("entry"), lang)
    _add(element, "id", entry.url)
    _add(element, "title", entry.title)
    _add(element, "updated", _rfc3339(entry.updated_at))
    ET.SubElement(element, _tag("link"), {"rel": "alternate", "href": entry.url, "type": "text/html"})
    for topic in entry.topics:
        ET.SubElement(element, _tag("category"), {"term": _NOT_XML.sub("", topic)})
    # RFC 4287, 4.1.3.3: HTML stands escaped as text.
    _add(element, "content", entry.html or entry.title, type="html" if entry.html else "text")


def _add(parent: ET.Element, name: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, _tag(name), attributes).text = _NOT_XML.sub("", text)


def _tag(name: str) -> str:
    return f"{{{ATOM}}}{name}"


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
