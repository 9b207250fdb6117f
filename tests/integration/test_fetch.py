"""Fetching, against real servers on this machine: polite, bounded, and only where it may go."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest

from digest.errors import FetchError
from digest.intake.fetch import (
    FeedRequest,
    Fetcher,
    FetchLimits,
    NotModified,
    group_of,
    redirected,
    unpacked_body,
)
from digest.intake.network import is_public
from digest.model import RawFeed

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
BODY = b"<rss><channel><title>t</title></channel></rss>"
Answer = tuple[int, dict[str, str], bytes]


class Site:
    """A server whose pages are functions; it keeps every request it saw."""

    def __init__(self) -> None:
        self.pages: dict[str, Callable[[dict[str, str]], Answer] | Answer] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.connections: set[int] = set()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                headers = {k.lower(): v for k, v in self.headers.items()}
                site.seen.append((self.path, headers))
                site.connections.add(self.client_address[1])
                page = site.pages.get(self.path, (404, {}, b""))
                status, more, body = page(headers) if callable(page) else page
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                if status != 304:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if status != 304:
                    self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def paths(self) -> list[str]:
        return [path for path, _ in self.seen]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


def fetcher(**limits: float) -> Fetcher:
    asked = {"host_pause_s": 0.0, "connect_s": 2.0, "read_s": 2.0, "total_s": 5.0} | limits
    return Fetcher(
        contact="https://digest.example/about; feeds@digest.example",
        limits=FetchLimits(**asked),  # type: ignore[arg-type]
        allow_private_addresses=True,
        respect_robots=False,
        now=lambda: NOW,
    )


def kind_of(url: str, fetch: Fetcher) -> str:
    with pytest.raises(FetchError) as caught:
        fetch.fetch(FeedRequest(url))
    return caught.value.kind


def test_a_feed_is_fetched_as_it_was_served(site: Site) -> None:
    site.pages["/mgRss.aspx"] = (200, {"Content-Type": "text/xml", "ETag": '"1"'}, BODY)
    with fetcher() as fetch:
        raw = fetch.fetch(FeedRequest(f"{site.url}/mgRss.aspx"))
    assert isinstance(raw, RawFeed)
    assert (raw.body, raw.status, raw.fetched_at) == (BODY, 200, NOW)
    assert raw.headers["content-type"] == "text/xml"
    assert (raw.url, raw.final_url, raw.moved_to) == (f"{site.url}/mgRss.aspx",) * 2 + (None,)


def test_the_request_says_who_asks_and_how_to_reach_them(site: Site) -> None:
    site.pages["/"] = (200, {}, BODY)
    with fetcher() as fetch:
        fetch.fetch(FeedRequest(f"{site.url}/"))
    _, headers = site.seen[0]
    assert headers["user-agent"].startswith("council-digest/")
    assert "feeds@digest.example" in headers["user-agent"]
    assert headers["accept-encoding"] == "gzip"


def test_validators_are_sent_back_and_304_is_no_body(site: Site) -> None:
    def page(headers: dict[str, str]) -> Answer:
        is_same = headers.get("if-none-match") == 'W/"1"' and "if-modified-since" in headers
        return (304, {"ETag": 'W/"1"'}, b"") if is_same else (200, {}, BODY)

    site.pages["/"] = page
    with fetcher() as fetch:
        request = FeedRequest(f"{site.url}/", etag='W/"1"', last_modified="Tue, 24 Nov 2026 09:00:00 GMT")
        answer = fetch.fetch(request)
    assert isinstance(answer, NotModified)
    assert answer.headers["etag"] == 'W/"1"'


def test_one_connection_serves_many_requests(site: Site) -> None:
    site.pages["/"] = (304, {}, b"")
    site.pages["/b"] = (200, {}, BODY)
    with fetcher() as fetch:
        for _ in range(5):
            fetch.fetch(FeedRequest(f"{site.url}/"))
            fetch.fetch(FeedRequest(f"{site.url}/b"))
    assert len(site.connections) == 1


def test_one_host_is_asked_once_at_a_time_and_left_alone_in_between(site: Site) -> None:
    at: list[float] = []

    def page(_: dict[str, str]) -> Answer:
        at.append(time.monotonic())
        return 200, {}, BODY

    site.pages["/"] = page
    with fetcher(host_pause_s=0.1) as fetch:
        threads = [
            threading.Thread(target=fetch.fetch, args=(FeedRequest(f"{site.url}/"),)) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all(b - a >= 0.1 for a, b in pairwise(at))


def test_gzip_is_unpacked(site: Site) -> None:
    site.pages["/"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(BODY))
    with fetcher() as fetch:
        raw = fetch.fetch(FeedRequest(f"{site.url}/"))
    assert isinstance(raw, RawFeed)
    assert raw.body == BODY


def test_a_bomb_is_stopped_at_the_cap(site: Site) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    site.pages["/"] = (200, {"Content-Encoding": "gzip"}, bomb)
    with fetcher() as fetch:
        assert kind_of(f"{site.url}/", fetch) == "too_large"


def test_a_body_over_the_cap_is_not_read_to_its_end(site: Site) -> None:
    site.pages["/"] = (200, {}, b"x" * 3_000_000)
    with fetcher(raw_bytes=100_000) as fetch:
        assert kind_of(f"{site.url}/", fetch) == "too_large"


def test_a_truncated_gzip_gives_what_came(site: Site) -> None:
    site.pages["/"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(BODY * 100)[:-12])
    with fetcher() as fetch:
        raw = fetch.fetch(FeedRequest(f"{site.url}/"))
    assert isinstance(raw, RawFeed)
    assert raw.body.startswith(BODY)


def test_damaged_data_is_said_to_be_damaged(site: Site) -> None:
    site.pages["/"] = (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b\x08\x00" + b"\xff" * 200)
    with fetcher() as fetch:
        assert kind_of(f"{site.url}/", fetch) == "truncated"


def test_a_file_is_unpacked_as_a_body_is() -> None:
    packed = gzip.compress(BODY)
    assert unpacked_body([packed], encoding="gzip", url="x.gz") == BODY
    with pytest.raises(FetchError, match="unpacks to more"):
        unpacked_body([gzip.compress(b"\0" * 20_000_000)], encoding="GZIP", url="x.gz")


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip"])
def test_an_encoding_that_was_not_asked_for_is_refused(site: Site, coding: str) -> None:
    site.pages["/"] = (200, {"Content-Encoding": coding}, zlib.compress(BODY))
    with fetcher() as fetch:
        assert kind_of(f"{site.url}/", fetch) == "http"


def test_permanent_redirects_name_the_new_address(site: Site) -> None:
    site.pages["/old"] = (301, {"Location": "/newer"}, b"moved")
    site.pages["/newer"] = (308, {"Location": f"{site.url}/new"}, b"")
    site.pages["/new"] = (200, {}, BODY)
    with fetcher() as fetch:
        raw = fetch.fetch(FeedRequest(f"{site.url}/old"))
    assert isinstance(raw, RawFeed)
    assert raw.final_url == raw.moved_to == f"{site.url}/new"


def test_a_temporary_redirect_is_followed_and_not_adopted(site: Site) -> None:
    site.pages["/old"] = (302, {"Location": "/new"}, b"")
    site.pages["/new"] = (200, {}, BODY)
    with fetcher() as fetch:
        raw = fetch.fetch(FeedRequest(f"{site.url}/old"))
    assert isinstance(raw, RawFeed)
    assert (raw.final_url, raw.moved_to) == (f"{site.url}/new", None)


def test_a_redirect_without_end_is_an_error(site: Site) -> None:
    site.pages["/loop"] = (302, {"Location": "/loop"}, b"")
    with fetcher() as fetch:
        assert kind_of(f"{site.url}/loop", fetch) == "http"
    assert len(site.seen) == 6


@pytest.mark.parametrize(
    "target", ["ftp://x.example/", "file:///etc/passwd", "javascript:alert(1)", "http://a:b@127.0.0.1/"]
)
def test_a_redirect_elsewhere_than_the_web_is_refused(site: Site, target: str) -> None:
    site.pages["/"] = (302, {"Location": target}, b"")
    with fetcher() as fetch:
        assert kind_of(f"{site.url}/", fetch) == "refused_address"


def test_a_redirect_never_leads_from_https_to_http() -> None:
    with pytest.raises(FetchError, match="not https"):
        redirected(
            "https://democracy.example.gov.uk/mgRss.aspx", "http://democracy.example.gov.uk/mgRss.aspx"
        )
    assert redirected("https://a.example/x", "/y") == "https://a.example/y"
    assert redirected("http://a.example/x", "https://a.example/x") == "https://a.example/x"


def test_a_server_without_a_certificate_is_an_error(site: Site) -> None:
    with fetcher() as fetch:
        assert kind_of(site.url.replace("http:", "https:"), fetch) == "http"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_says_that_a_person_is_needed(site: Site, status: int) -> None:
    site.pages["/"] = (status, {}, b"Just a moment...")
    with fetcher() as fetch, pytest.raises(FetchError, match="ask the council") as caught:
        fetch.fetch(FeedRequest(f"{site.url}/"))
    assert (caught.value.is_blocked, caught.value.status) == (True, status)
    assert len(site.seen) == 1


def test_a_challenge_with_another_status_is_a_refusal_too(site: Site) -> None:
    site.pages["/"] = (503, {"cf-mitigated": "challenge"}, b"")
    with fetcher() as fetch, pytest.raises(FetchError) as caught:
        fetch.fetch(FeedRequest(f"{site.url}/"))
    assert caught.value.is_blocked


@pytest.mark.parametrize(
    ("value", "seconds"), [("120", 120.0), ("Wed, 25 Nov 2026 10:00:00 GMT", 3_600.0), ("soon", None)]
)
def test_retry_after_is_passed_on(site: Site, value: str, seconds: float | None) -> None:
    site.pages["/"] = (429, {"Retry-After": value}, b"")
    with fetcher() as fetch, pytest.raises(FetchError) as caught:
        fetch.fetch(FeedRequest(f"{site.url}/"))
    assert caught.value.retry_after_s == seconds


def test_a_server_that_drips_is_left_after_the_total_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, fetcher(total_s=0.3, read_s=0.2) as fetch:
        done = threading.Event()

        def drip() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(65_536)
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not done.wait(0.05):
                    try:
                        peer.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        assert kind_of(f"http://127.0.0.1:{server.getsockname()[1]}/", fetch) == "timeout"
        done.set()
        thread.join()


def test_a_server_that_never_answers_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, fetcher(read_s=0.1) as fetch:
        assert kind_of(f"http://127.0.0.1:{server.getsockname()[1]}/", fetch) == "timeout"


def test_endless_headers_are_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, fetcher() as fetch:

        def shout() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(65_536)
                try:
                    peer.sendall(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 300_000)
                except OSError:
                    return

        threading.Thread(target=shout, daemon=True).start()
        assert kind_of(f"http://127.0.0.1:{server.getsockname()[1]}/", fetch) == "http"


def test_a_closed_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with fetcher() as fetch:
        assert kind_of(f"http://127.0.0.1:{port}/", fetch) == "http"


PRIVATE = [
    "http://127.0.0.1/", "http://localhost/", "http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://[64:ff9b::a00:1]/", "http://[2002:a00:1::]/",
    "http://[fe80::1]/", "http://[fc00::1]/", "http://0.0.0.0/", "http://100.64.0.1/", "http://192.0.2.1/",
    "http://2130706433/", "http://0x7f.1/", "http://224.0.0.1/", "http://[::10.0.0.1]/",
]  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE)
def test_private_addresses_are_refused_in_every_form(url: str) -> None:
    with Fetcher(contact="x", limits=FetchLimits(host_pause_s=0), respect_robots=False) as fetch:
        assert kind_of(url, fetch) == "refused_address"


def test_a_name_that_has_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with Fetcher(contact="x", limits=FetchLimits(host_pause_s=0), respect_robots=False) as fetch:
        assert kind_of("http://rebind.example/", fetch) == "refused_address"


def test_a_redirect_to_a_private_address_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first host is let through as if public; the redirect's is not."""
    site.pages["/"] = (302, {"Location": "http://127.0.0.2:80/secret"}, b"")
    monkeypatch.setattr("digest.intake.network.is_public", lambda address: address == "127.0.0.1")
    monkeypatch.setattr("digest.intake.fetch.refuse_port", lambda *_, **__: None)
    with Fetcher(contact="x", limits=FetchLimits(host_pause_s=0), respect_robots=False) as fetch:
        assert kind_of(f"{site.url}/", fetch) == "refused_address"
    assert site.paths() == ["/"]


def test_the_checked_address_is_the_one_connected_to(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves elsewhere at a second look is not looked at twice."""
    looks: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *args: object, **kwargs: object) -> object:
        if host == "council.example":
            looks.append(host)
            host = "127.0.0.1" if len(looks) == 1 else "10.0.0.1"
        return real(host, port, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    site.pages["/"] = (200, {}, BODY)
    with fetcher() as fetch:
        fetch.fetch(FeedRequest(site.url.replace("127.0.0.1", "council.example") + "/"))
    assert looks == ["council.example"]
    assert site.seen[0][1]["host"].startswith("council.example:")


def test_odd_ports_and_addresses_are_refused() -> None:
    with Fetcher(contact="x", respect_robots=False) as fetch:
        for url in (
            "http://93.184.216.34:22/",
            "ftp://x.example/",
            "http:///x",
            "http://a@x.example/",
            "http://x.example\\@y/",
        ):
            assert kind_of(url, fetch) in ("refused_address", "http")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


def test_a_vendors_hosts_are_one_group() -> None:
    assert group_of("https://a.moderngov.co.uk/x") == group_of("https://b.moderngov.co.uk/y")
    assert group_of("https://democracy.a.gov.uk/") != group_of("https://democracy.b.gov.uk/")


ROBOTS = b"User-agent: *\nDisallow: /\n\nUser-agent: council-digest\nDisallow: /search\nAllow: /search/feed\n"


def test_robots_txt_is_read_once_and_kept(site: Site) -> None:
    site.pages["/robots.txt"] = (200, {}, ROBOTS)
    site.pages["/mgRss.aspx"] = site.pages["/search/feed"] = (200, {}, BODY)
    with Fetcher(contact="x", limits=FetchLimits(host_pause_s=0), allow_private_addresses=True) as fetch:
        fetch.fetch(FeedRequest(f"{site.url}/mgRss.aspx"))
        fetch.fetch(FeedRequest(f"{site.url}/search/feed"))
        with pytest.raises(FetchError, match=r"robots\.txt") as caught:
            fetch.fetch(FeedRequest(f"{site.url}/search"))
    assert caught.value.is_blocked
    assert site.paths() == ["/robots.txt", "/mgRss.aspx", "/search/feed"]


@pytest.mark.parametrize(("status", "is_asked"), [(404, True), (403, True), (500, False)])
def test_a_missing_robots_txt_allows_and_a_failing_one_does_not(
    site: Site, status: int, is_asked: bool
) -> None:
    site.pages["/robots.txt"] = (status, {}, b"")
    site.pages["/x"] = (200, {}, BODY)
    with Fetcher(contact="x", limits=FetchLimits(host_pause_s=0), allow_private_addresses=True) as fetch:
        if is_asked:
            assert isinstance(fetch.fetch(FeedRequest(f"{site.url}/x")), RawFeed)
        else:
            with pytest.raises(FetchError):
                fetch.fetch(FeedRequest(f"{site.url}/x"))
    assert ("/x" in site.paths()) is is_asked
