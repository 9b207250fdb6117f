"""JSON Feed 1.0 and 1.1: the same items as RSS under other names; wrong types are passed over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from digest.intake.dialects.generic import meeting_or_not
from digest.intake.items import MAX_FIELD, Document, Item, ItemLink, Where
from digest.intake.links import host_of
from digest.intake.reading import Dialect, Reading, read_items

MAX_ITEMS = 2_500


def claims(document: Document, where: Where) -> int:
    """By the version that every JSON Feed carries."""
    value = document.value
    if document.kind != "json" or not isinstance(value, dict) or not isinstance(value.get("items"), list):
        return 0
    return 95 if "jsonfeed.org/version/" in str(value.get("version", ""))[:100] else 0


def read(document: Document, where: Where) -> Reading:
    """Meetings by their dates, as in any feed."""
    value = document.value
    home = host_of(_text(value, "home_page_url"))
    where = replace(where, hosts=where.hosts | ({home} if home else set()))
    items = [_item(entry) for entry in value["items"][:MAX_ITEMS] if isinstance(entry, dict)]
    return read_items((i for i in items if i is not None), where, meeting_or_not)


def _item(entry: dict[str, Any]) -> Item | None:
    guid = entry.get("id")
    if isinstance(guid, bool) or not isinstance(guid, (str, int, float)):
        return None
    attachments = entry.get("attachments")
    attachments = attachments if isinstance(attachments, list) else []
    return Item(
        title=_text(entry, "title"),
        link=_text(entry, "url") or _text(entry, "external_url"),
        guid=str(guid)[:500],
        published=_text(entry, "date_published"),
        updated=_text(entry, "date_modified"),
        summary=_text(entry, "summary") or _text(entry, "content_text"),
        content=_text(entry, "content_html") or _text(entry, "content_text"),
        links=tuple(_link(a) for a in attachments[:50] if isinstance(a, dict)),
        fields=tuple(_extension(entry)),
    )


def _link(attachment: dict[str, Any]) -> ItemLink:
    return ItemLink(
        _text(attachment, "url"), "enclosure", _text(attachment, "title"), _text(attachment, "mime_type")
    )


def _extension(entry: dict[str, Any]) -> list[tuple[str, str]]:
    """Fields of extension objects (names that start with "_"), where they are plain text."""
    found = []
    for name, value in entry.items():
        if name.startswith("_") and isinstance(value, dict):
            found += [(key.lower(), text[:500]) for key, text in value.items() if isinstance(text, str)]
    return found[:50]


def _text(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    return value[:MAX_FIELD] if isinstance(value, str) else ""


DIALECT = Dialect("jsonfeed", claims, read, reads_feeds=False)
