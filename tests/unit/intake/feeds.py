"""Small feeds made on the spot, and what a check of them says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from digest.intake.check import check_document
from digest.model import RawFeed

AT = datetime(2026, 11, 25, 9, tzinfo=UTC)
URL = "https://example.moderngov.co.uk/mgRss.aspx"


def rss(*items: dict[str, str], link: str = "https://example.moderngov.co.uk/", extra: str = "") -> str:
    """A well-formed RSS document of items given as element -> text."""
    body = "".join(
        "<item>" + "".join(f"<{name}>{escape(text)}</{name}>" for name, text in item.items()) + "</item>"
        for item in items
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>Example Council</title>'
        f"<link>{link}</link><description/>{extra}{body}</channel></rss>"
    )


def meeting_link(number: int, committee: int = 1) -> str:
    """A ModernGov address of one meeting."""
    return f"https://example.moderngov.co.uk/ieListDocuments.aspx?CId={committee}&MId={number}"


def titled(titles: Iterable[str]) -> str:
    """A ModernGov feed with one meeting per title."""
    return rss(*({"title": t, "link": meeting_link(n)} for n, t in enumerate(titles, 1)))


def raw(body: str | bytes, *, url: str = URL, content_type: str = "text/xml") -> RawFeed:
    """The body as fetched from ``url``."""
    data = body.encode() if isinstance(body, str) else body
    return RawFeed(url, url, 200, {"content-type": content_type}, data, AT)


def checked(
    body: str | bytes, *, country: str = "gb", dialect: str | None = None, **served: str
) -> dict[str, Any]:
    """What ``feed check`` says of the body."""
    return check_document(
        raw(body, **served), timezone="Europe/London", country=country, as_of=AT, dialect=dialect
    )
