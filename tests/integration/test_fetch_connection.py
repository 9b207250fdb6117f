"""One kept connection, against servers that do not keep to the rules."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from digest.errors import FetchError
from digest.intake.fetch import FeedRequest, Fetcher, FetchLimits, NotModified
from digest.model import RawFeed

BODY = b"<rss/>"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n" + BODY
NOT_MODIFIED = b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n'


@contextmanager
def server(*connections: Sequence[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Each connection gives these bytes, one after each request, and hangs up; (address, requests)."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def speak() -> None:
            for answers in connections:
                peer, _ = listening.accept()
                with peer:
                    for answer in answers:
                        heard.append(peer.recv(65_536))
                        peer.sendall(answer)

        thread = threading.Thread(target=speak, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/rss", heard


@pytest.fixture
def fetch() -> Iterator[Fetcher]:
    limits = FetchLimits(connect_s=2, read_s=2, total_s=5, host_pause_s=0)
    with Fetcher(contact="x", limits=limits, allow_private_addresses=True, respect_robots=False) as made:
        yield made


def body(fetch: Fetcher, url: str) -> bytes:
    raw = fetch.fetch(FeedRequest(url))
    assert isinstance(raw, RawFeed)
    return raw.body


def test_a_server_that_hung_up_in_between_is_asked_again(fetch: Fetcher) -> None:
    with server([OK], [OK]) as (url, heard):
        assert [body(fetch, url), body(fetch, url)] == [BODY, BODY]
    assert len(heard) == 2


def test_a_server_that_hangs_up_at_once_is_not_asked_for_ever(fetch: Fetcher) -> None:
    with server([b""]) as (url, heard), pytest.raises(FetchError, match="could not be reached"):
        fetch.fetch(FeedRequest(url))
    assert len(heard) == 1


def test_what_follows_an_answer_unasked_is_never_taken_for_the_next(fetch: Fetcher) -> None:
    """Some servers send a body with 304: it must not be read as the answer to another request."""
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    with server([NOT_MODIFIED + smuggled, b""], [OK]) as (url, _):
        assert isinstance(fetch.fetch(FeedRequest(url, etag='"1"')), NotModified)
        assert body(fetch, url) == BODY


def test_hints_before_the_answer_are_passed_over(fetch: Fetcher) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x.css>\r\n\r\n" + b"HTTP/1.1 100 Continue\r\n\r\n"
    with server([hints + OK]) as (url, _):
        assert body(fetch, url) == BODY


def test_a_body_in_chunks_is_put_together(fetch: Fetcher) -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n<r\r\n4\r\nss/>\r\n0\r\nT: x\r\n\r\n"
    )
    with server([chunked, OK]) as (url, heard):
        assert [body(fetch, url), body(fetch, url)] == [BODY, BODY]
    assert len(heard) == 2


def test_a_body_without_an_end_ends_with_the_connection(fetch: Fetcher) -> None:
    with server([b"HTTP/1.0 200 OK\r\n\r\n" + BODY]) as (url, _):
        assert body(fetch, url) == BODY


BROKEN = {
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n" + BODY,
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n<rss",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "no status": b"HTTP/1.1 fine\r\n\r\n",
    "a long line": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    "only hints": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10,
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_is_an_error_of_its_feed(fetch: Fetcher, answer: bytes) -> None:
    with server([answer]) as (url, _), pytest.raises(FetchError) as caught:
        fetch.fetch(FeedRequest(url))
    assert caught.value.kind == "http"


def test_a_header_over_two_lines_is_one_value_and_is_sent_back_on_one(fetch: Fetcher) -> None:
    folded = b'HTTP/1.1 200 OK\r\nETag: "a\r\n b"\r\nContent-Length: 6\r\n\r\n' + BODY
    with server([folded, NOT_MODIFIED]) as (url, heard):
        raw = fetch.fetch(FeedRequest(url))
        assert isinstance(raw, RawFeed)
        assert raw.headers["etag"] == '"a b"'
        fetch.fetch(FeedRequest(url, etag=raw.headers["etag"]))
    assert b'If-None-Match: "a b"\r\n' in heard[1]


def test_a_stored_validator_cannot_add_a_header(fetch: Fetcher) -> None:
    with server([OK]) as (url, heard):
        fetch.fetch(FeedRequest(url, etag='"1"\r\nX-Evil: yes', last_modified="now\nX-Evil: yes"))
    assert b"\nX-Evil" not in heard[0]


def test_an_address_in_another_alphabet_is_asked_in_ascii(fetch: Fetcher) -> None:
    with server([OK]) as (url, heard):
        body(fetch, url + "/ymgynghoriadau/tŷ?q=ŵ&a=%20b")
    assert heard[0].startswith(b"GET /rss/ymgynghoriadau/t%C5%B7?q=%C5%B5&a=%20b HTTP/1.1\r\n")
