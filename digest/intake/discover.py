"""A council's web address becomes its feeds: what its pages link, and where known platforms have theirs.

Polite and bounded: a dozen requests at most, robots.txt and the host's pause as for any poll. Every find
was fetched and is a feed that the guard lets through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urljoin, urlsplit

from digest.errors import IntakeError
from digest.intake.fetch import FeedRequest, Fetcher
from digest.intake.guard import guard
from digest.intake.links import clean_link, host_of, site_of
from digest.intake.papers import anchors
from digest.intake.titles import plain
from digest.model import ParsedFeed, RawFeed

MAX_REQUESTS = 12
MAX_PAGE_CHARS = 500_000


@dataclass(frozen=True, slots=True)
class FoundFeed:
    """A feed that answered. ``source`` says how it was found; ``meetings`` None: it was not read."""

    url: str
    title: str
    source: str
    dialect: str | None = None
    meetings: int | None = None


def discover(
    url: str,
    fetcher: Fetcher,
    *,
    parse: Callable[[RawFeed], ParsedFeed] | None = None,
) -> tuple[FoundFeed, ...]:
    """The feeds of the site at ``url``, the surest first; empty where none answers.

    ``parse`` (a parser pool's, with the council's circumstances) names dialects and counts meetings.
    Raises: FetchError where not even the page itself answers.
    """
    page = fetcher.fetch(FeedRequest(url))
    if not isinstance(page, RawFeed):
        return ()
    if found := _checked(page, "the address itself", parse):
        return (found,)
    text = page.body[:MAX_PAGE_CHARS].decode("utf-8", "replace")
    feeds: dict[str, FoundFeed] = {}
    for candidate, source in islice(_unique(_candidates(text, page.final_url)), MAX_REQUESTS):
        found = _tried(candidate, source, fetcher, parse)
        if found is not None:
            feeds.setdefault(found.url, found)
    return tuple(feeds.values())


def _tried(
    url: str, source: str, fetcher: Fetcher, parse: Callable[[RawFeed], ParsedFeed] | None
) -> FoundFeed | None:
    try:
        answer = fetcher.fetch(FeedRequest(url))
    except IntakeError:
        return None  # a guess that does not answer is no find
    return _checked(answer, source, parse) if isinstance(answer, RawFeed) else None


def _checked(raw: RawFeed, source: str, parse: Callable[[RawFeed], ParsedFeed] | None) -> FoundFeed | None:
    try:
        body = guard(raw.body, content_type=raw.headers.get("content-type"))
        if parse is not None:
            parsed = parse(raw)
            return FoundFeed(raw.final_url, parsed.title, source, parsed.dialect, len(parsed.sightings))
    except IntakeError:
        return None
    if body.kind == "html" or body.kind == "json":
        return None
    start = body.text.find("<title")
    title = body.text[start : start + 400].partition(">")[2].partition("</title")[0] if start >= 0 else ""
    return FoundFeed(raw.final_url, plain(title.removeprefix("<![CDATA[").removesuffix("]]>")), source)


def _unique(found: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    seen: set[str] = set()
    for url, source in found:
        if url not in seen:
            seen.add(url)
            yield url, source


_LINK = re.compile(r"<link\s([^<>]{1,1000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([A-Za-z-]{2,20})\s{0,3}=\s{0,3}(?:"([^"<>]{0,1000})"|'([^'<>]{0,1000})')""")
_FEED_TYPES = (
    "application/rss+xml",
    "application/atom+xml",
    "application/feed+json",
    "text/calendar",
    "application/rdf+xml",
)
_FEED_LINK = re.compile(
    r"mgrss\.aspx|feed\.ashx|rssfeed\.aspx|viewpublisherrss|icalendar\.aspx|/feed/?$|/rss/?$|\.(?:rss|atom|ics)$|meetingcalendarpublic",
    re.IGNORECASE,
)
_MODERNGOV_PAGE = re.compile(r"^(.{8,300}/)(?:mg[a-z]{3,40}|ie[a-z]{3,40})\.aspx", re.IGNORECASE)


def _candidates(text: str, base: str) -> Iterable[tuple[str, str]]:
    """Addresses worth a look, the surest first."""
    hosts = frozenset({host_of(base)}) | _linked_platforms(text)
    for match in _LINK.finditer(text):
        attributes = {m[1].lower(): m[2] or m[3] or "" for m in _ATTRIBUTE.finditer(match[1])}
        if (
            attributes.get("type", "").lower() in _FEED_TYPES
            and "alternate" in attributes.get("rel", "").lower()
        ):
            yield from _clean(attributes.get("href", ""), base, hosts, "linked by the page as its feed")
    pages = [clean_link(href, base=base, hosts=hosts) for href, _ in _all_anchors(text)]
    links = [p for p in pages if p]
    yield from ((link, "linked by the page") for link in links if _FEED_LINK.search(link))
    for link in [base, *links]:
        if folder := _MODERNGOV_PAGE.match(link):
            yield f"{folder[1]}mgRss.aspx", "where ModernGov has its feed"
    yield from _guesses(base)


def _clean(href: str, base: str, hosts: frozenset[str], source: str) -> Iterable[tuple[str, str]]:
    link = clean_link(href, base=base, hosts=hosts)
    if link is not None:
        yield link, source


def _all_anchors(text: str) -> Iterable[tuple[str, str]]:
    at, size = 0, 20_000
    while at < len(text):
        yield from anchors(text[at : at + size + 2_000])
        at += size


_PLATFORM_HOST = re.compile(
    r"https?://([a-z0-9.-]{3,100}\.(?:moderngov\.co\.uk|cmis\.uk\.com|legistar\.com|granicus\.com|primegov\.com|escribemeetings\.com))\b",
    re.IGNORECASE,
)


def _linked_platforms(text: str) -> frozenset[str]:
    """Hosts of known vendors that the council's own page leads to."""
    return frozenset(m[1].lower() for m in _PLATFORM_HOST.finditer(text))


def _guesses(base: str) -> Iterable[tuple[str, str]]:
    """Where a council's ModernGov and Legistar usually are."""
    parts = urlsplit(base)
    host = host_of(base)
    source = "where ModernGov usually has its feed"
    if host.endswith(".legistar.com"):
        yield urljoin(base, "/Feed.ashx?M=Calendar"), "where Legistar has its calendar"
        return
    folder = parts.path.rpartition("/")[0]
    yield f"{parts.scheme}://{parts.netloc}{folder}/mgRss.aspx", source
    site = site_of(host)
    if site.count(".") >= 1 and not host.replace(".", "").isdigit():
        yield f"{parts.scheme}://democracy.{site}/mgRss.aspx", source
        yield f"https://{site.partition('.')[0]}.moderngov.co.uk/mgRss.aspx", source
