"""Parsing in a child: a hostile document may end its parser, never the poller."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from digest.errors import FeedError
from digest.intake.child import ParserPool
from digest.intake.parse import parse
from digest.model import ParsedFeed, RawFeed
from tests.unit.intake.feeds import AT, raw, titled

HERE: dict[str, Any] = {"timezone": "Europe/London", "country": "gb", "as_of": AT}
GOOD = raw(titled(["Agenda published: Meeting of Monday, 7th December, 2026 6.00 pm, Cabinet"]))


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    with ParserPool(1) as made:
        yield made


def test_the_child_says_what_the_parser_says(pool: ParserPool) -> None:
    assert pool.parse(GOOD, **HERE) == parse(GOOD, **HERE)


def test_an_error_comes_back_with_its_kind(pool: ParserPool) -> None:
    with pytest.raises(FeedError, match="empty body") as caught:
        pool.parse(raw(""), **HERE)
    assert caught.value.kind == "not_a_feed"


def test_a_killed_worker_is_an_error_and_is_replaced(pool: ParserPool) -> None:
    pool.parse(GOOD, **HERE)
    (worker,) = pool._all
    os.kill(worker._process.pid, signal.SIGKILL)
    with pytest.raises(FeedError) as caught:
        pool.parse(GOOD, **HERE)
    assert caught.value.kind == "too_large"
    assert pool.parse(GOOD, **HERE).sightings


def test_a_document_that_needs_too_much_memory_is_refused() -> None:
    # One character beyond the basic plane makes every copy of the text four times as large.
    items = "".join(f"<item><title>\U0001f5f3{'x' * 3_000}{n}</title></item>" for n in range(2_400))
    body = raw(f"<rss><channel><title>t</title>{items}</channel></rss>")
    with ParserPool(1, memory_bytes=96 * 1024 * 1024) as small, pytest.raises(FeedError) as caught:
        small.parse(body, **HERE)
    assert caught.value.kind == "too_large"


def test_a_document_that_takes_too_long_is_refused() -> None:
    """The start of a worker does not count, or the first document of a slow machine would fail."""
    with ParserPool(1, wall_s=0.02) as hasty:
        body = raw(titled(f"Meeting of Monday, 7th December, 2026 6.00 pm, Panel {n}" for n in range(2_000)))
        with pytest.raises(FeedError, match="could not be read within"):
            hasty.parse(body, **HERE)


def test_many_threads_share_few_workers() -> None:
    with ParserPool(2) as pool, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: pool.parse(GOOD, **HERE), range(40)))
        assert len(pool._all) <= 2
    assert answers == [parse(GOOD, **HERE)] * 40


def test_a_closed_pool_starts_anew() -> None:
    pool = ParserPool(1)
    pool.parse(GOOD, **HERE)
    pool.close()
    assert pool.parse(GOOD, **HERE).sightings
    pool.close()


TITLE = "Agenda published: Meeting of Monday, 7th December, 2026 6.00 pm, Cabinet"


def channel(items: str, *, is_closed: bool = True) -> bytes:
    return f"<rss><channel>{items}{'</channel></rss>' if is_closed else ''}".encode()


def item(inside: str) -> str:
    return f"<item><title>{TITLE}</title></item><item>{inside}</item>"


ATTRIBUTES = " ".join(f'a{n}="x"' for n in range(40_000))
BOMBS = {
    "blank lines before the document": b"\n" * 100_000 + GOOD.body,
    "declarations in the prolog": b"<!ENTITY a\n" * 90_000 + GOOD.body,
    "attributes of the root": f"<rss {ATTRIBUTES}><channel></channel></rss>".encode(),
    "attributes of an item": channel(f"<item {ATTRIBUTES}/>"),
    "tag soup": channel(item(f"<description>{'<b><i ' * 800_000}</description>")),
    "escaped tag soup": channel(item(f"<description>{'&lt;b&gt;&lt;i ' * 300_000}</description>")),
    "an author like an address": channel(item(f"<title>a <b></title><author>{'a.' * 100_000}</author>")),
    "unclosed CDATA": channel(f"<item><title>{'<![CDATA[ ' * 300_000}", is_closed=False),
    "unclosed comments": channel("<!-- " * 300_000, is_closed=False),
    "unclosed tags": channel("<item " * 300_000, is_closed=False),
    "ampersands": channel(item(f"<title>{'&' * 2_000_000}</title>")),
    "references": channel(item(f"<title>&#{'9' * 2_000_000};</title>")),
    "items": channel("<item/>" * 100_000),
    "one long title": channel(item(f"<title>{'Meeting of 1 ' * 300_000}</title>")),
    "dates": channel(item(f"<title>{'1 May 2026 ' * 20_000}</title>")),
    "depth": channel("<a>" * 100_000, is_closed=False),
    "quotes in JSON": b'{"version": "https://jsonfeed.org/version/1", "items": ["' + b'\\"' * 1_000_000,
    "events": b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\nEND:VEVENT\r\n" * 30_000 + b"END:VCALENDAR",
    "links of a calendar page": b"<html>SimpleCalendarDate" + b'<a href="' * 200_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_and_the_next_feed_is_read(pool: ParserPool, name: str) -> None:
    try:
        found = pool.parse(raw(BOMBS[name]), **HERE)
    except FeedError as error:
        assert "budget" not in str(error), "the guard must stop this, not the kill"  # noqa: PT017
        assert "could not be read within" not in str(error)  # noqa: PT017
    else:
        assert len(found.sightings) + len(found.not_meetings) <= 2_500
    assert pool.parse(GOOD, **HERE).sightings


def test_the_whole_hostile_corpus_among_good_feeds_leaves_them_whole(shared: Path) -> None:
    """One feed that is a bomb never stops the others."""
    bombs = [raw(path.read_bytes()) for path in sorted((shared / "feeds/hostile").glob("h*"))]
    mixed = [feed for bomb in bombs for feed in (bomb, GOOD)]

    with ParserPool(2) as pool, ThreadPoolExecutor(4) as threads:

        def outcome(feed: RawFeed) -> ParsedFeed | str:
            try:
                return pool.parse(feed, **HERE)
            except FeedError as error:
                return error.kind

        outcomes = list(threads.map(outcome, mixed))
    assert outcomes[1::2] == [parse(GOOD, **HERE)] * len(bombs)
    assert len(bombs) > 50
