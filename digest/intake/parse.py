"""Bytes to sightings: guard, one shape for all formats, the dialect that knows it, cleaned results."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from digest.errors import FeedError
from digest.intake.dialects.registry import named, recognised
from digest.intake.documents import document_of
from digest.intake.guard import MAX_BYTES, GuardedBody, guard
from digest.intake.items import Document, Where
from digest.intake.links import host_of
from digest.model import ParsedFeed, RawFeed

MAX_SIGHTINGS = 2_500


def parse(
    raw: RawFeed,
    *,
    timezone: str,
    country: str,
    as_of: datetime,
    dialect: str | None = None,
    hosts: frozenset[str] = frozenset(),
    max_bytes: int = MAX_BYTES,
) -> ParsedFeed:
    """What the feed says. ``hosts``: the council's hosts beside the feed's own, for links.

    Raises: FeedError with a kind of ``digest feed check``; twice gives the same.
    """
    headers = raw.headers
    body = guard(
        raw.body,
        content_type=headers.get("content-type"),
        is_unpacked=headers.get("content-encoding", "identity").lower() not in ("identity", ""),
        max_bytes=max_bytes,
    )
    document = document_of(body)
    _refuse_apology(document)
    where = Where(
        url=raw.final_url or raw.url,
        timezone=timezone,
        country=country,
        as_of=as_of,
        hosts=_hosts(document, raw) | {host.lower() for host in hosts},
    )
    chosen = named(dialect) if dialect else recognised(document, where)
    if chosen is None or not chosen.can_read(document, where):
        raise FeedError("not_a_feed", _refusal(body, document))
    reading = chosen.read(document, where)
    return ParsedFeed(
        dialect=chosen.name,
        title=document.title,
        sightings=tuple(replace(s, title=s.title or s.committee) for s in reading.sightings[:MAX_SIGHTINGS]),
        not_meetings=reading.not_meetings[:MAX_SIGHTINGS],
        is_partial=document.is_partial or len(reading.sightings) > MAX_SIGHTINGS,
        ttl_s=document.ttl_s,
        skip_hours=document.skip_hours,
        webcasts=reading.webcasts,
    )


# Names that only public bodies can have; a vendor's feed may lead to its council's own host.
_PUBLIC = (".gov.uk", ".gov.wales", ".llyw.cymru", ".gov.scot")
_VENDOR = ".moderngov.co.uk"


def _hosts(document: Document, raw: RawFeed) -> frozenset[str]:
    """Whose links may stand: the feed's own hosts, the site it names, and a council behind its vendor."""
    own = {host_of(raw.url), host_of(raw.final_url), host_of(document.link)} - {""}
    if any(host.endswith(_VENDOR) for host in own):
        own |= {h for i in document.items[:100] if (h := host_of(i.link)).endswith(_PUBLIC)}
    return frozenset(own)


def _refuse_apology(document: Document) -> None:
    """A well-formed feed that says it is none (Legistar answers 200 with it)."""
    if document.title.lower() in ("invalid feed", "error", "feed not found", "invalid parameters"):
        raise FeedError("invalid_body", f"the server answers with a feed that says “{document.title}”")


_TITLE_CHARS = 120


def _refusal(body: GuardedBody, document: Document) -> str:
    if body.kind == "html":
        text = body.text[:20_000]
        start = text.lower().find("<title>")
        title = text[start + 7 :].partition("<")[0] if start >= 0 else ""
        title = " ".join(title.split())[:_TITLE_CHARS]
        return f"not a feed (HTML): the address gives a web page{f' “{title}”' if title else ''}"
    if body.kind == "json":
        return "not a feed: the JSON is none of the kinds that are known"
    return f"not a feed: no dialect knows what to do with this {body.root or body.kind}"
