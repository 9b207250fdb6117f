"""Polling measured: changed feeds beside feedparser alone, unchanged ones beside bare GETs, and memory.

The servers are one process on 127.0.x.y, so that each feed is a host of its own, as in the wild.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from xml.sax.saxutils import escape

from digest.intake.child import ParserPool
from digest.intake.fetch import Fetcher, FetchLimits
from digest.model import Council, RawFeed
from digest.pipeline.poll import PollCounts, poll
from digest.store import councils, feeds
from digest.store.database import Database
from tests.benchmarks.run_rows import peak_mb

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
ITEMS = 15
CORES = min(os.cpu_count() or 1, 4)
BODIES = ("Cabinet", "Planning & Highways Committee", "Licensing (2003 Act) Sub-Committee", "Audit Committee",
          "Children & Families Scrutiny Committee")  # fmt: skip
EVENTS = ("Agenda published", "Agenda supplement published - Additional paper 1 -", "Minutes published")


def address(number: int) -> str:
    """One of the 60,000 loopback addresses that are used here."""
    return f"127.0.{1 + number // 250}.{1 + number % 250}"


def body_of(number: int) -> bytes:
    """A ModernGov feed of 15 items about five meetings."""
    items = []
    for at in range(ITEMS):
        day = NOW + timedelta(days=7 + at // 3 * 3)
        meeting, committee = number * 100 + at // 3, escape(BODIES[at // 3])
        link = f"http://{address(number)}/ieListDocuments.aspx?CId={at // 3 + 100}&MId={meeting}"
        items.append(
            f"<item><title>{EVENTS[at % 3]}: Meeting of {day:%A}, {day.day}th {day:%B}, {day.year} 6.00 pm, "
            f"{committee}</title><link>{escape(link)}</link><description>Papers of {committee}</description>"
            f"<pubDate>{format_datetime(NOW - timedelta(hours=at + 1))}</pubDate>"
            f'<guid isPermaLink="false">mg-{meeting}-{at}</guid></item>'
        )
    head = f"<title>Council {number}</title><link>http://{address(number)}/</link><description/>"
    return (
        '\ufeff<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0"><channel>'
        f"{head}{''.join(items)}</channel></rss>"
    ).encode()


@contextlib.contextmanager
def hosts(count: int) -> Iterator[int]:
    """The port of ``count`` hosts, which are served by a process of their own."""
    command = [sys.executable, "-m", "tests.benchmarks.poll_rows", str(count)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def serve(count: int) -> None:
    """``/N`` is feed N, ready made; 304 for who names its tag; no robots.txt."""
    answers = [_ready(body_of(number)) for number in range(count)]
    server = socket.create_server(("0.0.0.0", 0), backlog=1_024)
    chosen = selectors.DefaultSelector()
    chosen.register(server, selectors.EVENT_READ)
    print(server.getsockname()[1], flush=True)
    while True:
        for key, _ in chosen.select():
            if key.fileobj is server:
                one, _ = server.accept()
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                chosen.register(one, selectors.EVENT_READ)
                continue
            asker = key.fileobj
            assert isinstance(asker, socket.socket)
            try:
                asker.sendall(_answer(asker.recv(8_192), answers))
            except OSError:
                chosen.unregister(asker)
                asker.close()


def _ready(body: bytes) -> bytes:
    head = f'HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nETag: "one"\r\nContent-Length: {len(body)}\r\n\r\n'
    return head.encode() + body


def _answer(request: bytes, answers: list[bytes]) -> bytes:
    if not request:
        raise ConnectionError
    path = request.split(b" ", 2)[1]
    if path == b"/robots.txt":
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    if b'if-none-match: "one"' in request.lower():
        return b'HTTP/1.1 304 Not Modified\r\nETag: "one"\r\n\r\n'
    return answers[int(path[1:])]


class Round:
    """An installation with ``count`` councils of one feed each, on so many hosts; ``go`` polls them all."""

    def __init__(self, url: str, count: int, port: int, *, at_hosts: int) -> None:
        self.database = Database(url)
        self.database.upgrade()
        with self.database.write() as connection:
            for number in range(count):
                slug = f"council-{number}"
                councils.add_council(connection, Council(slug, f"Council {number}"), now=NOW)
                feed = f"http://{address(number % at_hosts)}:{port}/{number}"
                feeds.add_feed(connection, slug, feed, dialect=None, now=NOW)

    def go(self, fetcher: Fetcher, pool: ParserPool) -> tuple[float, PollCounts]:
        """Seconds and counts of one poll of everything."""
        began = time.perf_counter()
        counts = poll(self.database, fetcher, pool, clock=lambda: NOW, is_all=True, concurrency=2 * CORES + 4)
        return time.perf_counter() - began, counts


def changed(url: str, count: int) -> dict[str, float]:
    """Every feed on a host of its own, and everything it tells is new."""
    with hosts(count) as port, ParserPool(CORES) as pool, _fetcher() as fetcher:
        town = Round(url, count, port, at_hosts=count)
        pool.parse(_raw(), timezone="Europe/London", country="gb", as_of=NOW)
        seconds, counts = town.go(fetcher, pool)
        sizes = parsers_mb()
    assert (counts.new, counts.failed) == (count * 5, 0), counts
    return {"per_second": count / seconds, "peak_mb": peak_mb(), "children_mb": sum(sizes)}


def parsers_mb() -> list[float]:
    """The largest size so far of each living parser of this process, in megabytes (Linux)."""
    found = []
    for listed in Path("/proc/self/task").glob("*/children"):
        for pid in listed.read_text().split():
            if b"digest.intake.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                status = Path(f"/proc/{pid}/status").read_text()
                found.append(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
    return found


def unchanged(url: str, count: int) -> dict[str, float]:
    """Feeds that answer 304, a hundred a host, so that connections are kept as the floor's is."""
    with hosts(count) as port, ParserPool(CORES) as pool, _fetcher() as fetcher:
        town = Round(url, count, port, at_hosts=max(count // 100, 1))
        town.go(fetcher, pool)
        seconds, counts = town.go(fetcher, pool)
        floor = bare_gets(count, port)
    assert (counts.unchanged, counts.failed) == (count, 0), counts
    return {"per_second": count / seconds, "floor_per_second": count / floor}


def _fetcher() -> Fetcher:
    limits = FetchLimits(host_pause_s=0)
    return Fetcher(contact="bench@digest.example", limits=limits, allow_private_addresses=True)


def _raw() -> RawFeed:
    return RawFeed("http://127.0.0.1/0", "http://127.0.0.1/0", 200, {}, body_of(0), NOW)


def bare_gets(count: int, port: int) -> float:
    """Seconds for that many conditional GETs on one kept connection: the least that asking costs."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    began = time.perf_counter()
    for number in range(count):
        connection.request("GET", f"/{number}", headers={"If-None-Match": '"one"'})
        connection.getresponse().read()
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def feedparser_alone(count: int) -> float:
    """Seconds for ``feedparser.parse`` of the same bodies on as many cores, and nothing else."""
    with ProcessPoolExecutor(CORES) as pool:
        list(pool.map(_parsed, range(CORES)))  # the imports are not measured
        bodies = [body_of(number) for number in range(count)]
        began = time.perf_counter()
        list(pool.map(_parsed_bodies, [bodies[n::CORES] for n in range(CORES)]))
        return time.perf_counter() - began


def _parsed(number: int) -> int:
    return _parsed_bodies([body_of(number)])


def _parsed_bodies(bodies: list[bytes]) -> int:
    import feedparser

    return sum(len(feedparser.parse(body).entries) for body in bodies)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
