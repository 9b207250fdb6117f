"""Discovery: from a council's web address to its feeds, over real servers on this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from digest.errors import FetchError
from digest.intake.discover import MAX_REQUESTS, FoundFeed, discover
from digest.intake.fetch import Fetcher, FetchLimits
from digest.intake.parse import parse
from digest.model import ParsedFeed, RawFeed

FEED = (
    b'<?xml version="1.0"?><rss version="2.0"><channel><title>Example Council</title><link>x</link>'
    b"<item><title>Agenda published: Meeting of Monday, 7th December, 2026 6.00 pm, Cabinet</title>"
    b"<link>ieListDocuments.aspx?CId=1&amp;MId=7</link></item></channel></rss>"
)


class Pages(dict[str, bytes]):
    """Path -> body of a site; anything else is 404. ``asked`` lists the paths in order."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []


@pytest.fixture
def site() -> Iterator[Pages]:
    pages = Pages()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            pages.asked.append(self.path)
            body = pages.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.end_headers()
            self.wfile.write(body or b"")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    pages.url = f"http://127.0.0.1:{server.server_port}"
    yield pages
    server.shutdown()
    server.server_close()


def found(site: Pages, path: str = "/", *, reads: bool = False) -> tuple[FoundFeed, ...]:
    def read(raw: RawFeed) -> ParsedFeed:
        return parse(raw, timezone="Europe/London", country="gb", as_of=raw.fetched_at)

    limits = FetchLimits(host_pause_s=0)
    with Fetcher(contact="x", limits=limits, allow_private_addresses=True) as fetcher:
        return discover(site.url + path, fetcher, parse=read if reads else None)


def test_a_feed_named_by_the_page_is_found(site: Pages) -> None:
    site["/"] = (
        b'<html><head><link rel="alternate" type="application/rss+xml" href="/news.xml"></head></html>'
    )
    site["/news.xml"] = FEED
    (feed,) = found(site)
    assert (feed.url, feed.title) == (f"{site.url}/news.xml", "Example Council")


def test_a_moderngov_page_leads_to_the_feed_beside_it(site: Pages) -> None:
    site["/"] = b'<html><a href="/committees/mgCalendarMonthView.aspx">Calendar</a></html>'
    site["/committees/mgRss.aspx"] = FEED
    (feed,) = found(site)
    assert feed.url == f"{site.url}/committees/mgRss.aspx"


def test_moderngov_is_found_where_it_usually_is(site: Pages) -> None:
    site["/"] = b"<html>Welcome</html>"
    site["/mgRss.aspx"] = FEED
    assert [f.url for f in found(site)] == [f"{site.url}/mgRss.aspx"]


def test_the_address_of_a_feed_is_that_feed(site: Pages) -> None:
    site["/x.xml"] = FEED
    (feed,) = found(site, "/x.xml", reads=True)
    assert (feed.source, feed.dialect, feed.meetings) == ("the address itself", "moderngov", 1)


def test_a_link_that_is_no_feed_is_no_find(site: Pages) -> None:
    site["/"] = b'<html><a href="/feed/">Feed</a><a href="/rss">RSS</a></html>'
    site["/feed/"] = b"<html>Sign in</html>"
    assert found(site) == ()


def test_the_same_feed_is_found_once(site: Pages) -> None:
    site["/"] = b'<html><a href="/mgRss.aspx">a</a><a href="mgRss.aspx">b</a></html>'
    site["/mgRss.aspx"] = FEED
    assert len(found(site)) == 1


def test_links_to_other_sites_are_not_followed(site: Pages) -> None:
    site["/"] = b'<html><a href="http://127.0.0.2:9/feed/">Feed</a></html>'
    found(site)
    assert all(path.startswith("/") for path in site.asked)


def test_a_page_of_a_thousand_links_costs_a_dozen_requests(site: Pages) -> None:
    site["/"] = b"<html>" + b"".join(b'<a href="/%d/feed/">x</a>' % n for n in range(1_000)) + b"</html>"
    found(site)
    assert len(site.asked) <= MAX_REQUESTS + 2  # the page and robots.txt


def test_robots_txt_is_honoured(site: Pages) -> None:
    site["/robots.txt"] = b"User-agent: *\nDisallow: /mgRss.aspx\n"
    site["/"] = b"<html>Welcome</html>"
    site["/mgRss.aspx"] = FEED
    assert found(site) == ()
    assert "/mgRss.aspx" not in site.asked


def test_a_site_that_does_not_answer_is_an_error(site: Pages) -> None:
    with pytest.raises(FetchError):
        found(site, "/nowhere")
