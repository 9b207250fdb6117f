"""The whole hostile corpus and larger bombs, polled in one go among good feeds: outcomes, time, memory."""

from __future__ import annotations

import contextlib
import gzip
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sqlalchemy import text

from digest.errors import FeedError
from digest.intake.child import ParserPool
from digest.intake.fetch import Fetcher, FetchLimits
from digest.model import Council, ParsedFeed, RawFeed
from digest.pipeline.poll import poll
from digest.store import councils, feeds
from digest.store.database import Database
from tests.benchmarks.poll_rows import CORES, NOW, body_of, parsers_mb
from tests.benchmarks.run_rows import peak_mb

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
GOOD = 40
POLLER_MB = 300.0


@dataclass(frozen=True, slots=True)
class Hostile:
    """One document as it is served; ``is_refused``: its poll must be an error, else items are read.

    ``body`` is made where it is served: the poller's memory must not hold it.
    """

    name: str
    body: Callable[[], bytes]
    is_refused: bool | None
    headers: tuple[tuple[str, str], ...] = ()


# Either outcome is right for these, as long as the poller and the good feeds stay well (index.json).
_EITHER = ("reject or", "or reject", "error or", "recover 2 items")


def corpus(folder: Path) -> list[Hostile]:
    """The hostile files, with the outcome that their index asks for."""
    found = []
    for entry in json.loads((folder / "index.json").read_text(encoding="utf-8")):
        if entry["file"].startswith("h"):
            packed = entry["kind"] == "compressed" and "undeclared" not in entry["file"]
            headers = (("Content-Encoding", "gzip"),) if packed else ()
            found.append(
                Hostile(entry["file"], (folder / entry["file"]).read_bytes, _is_refused(entry), headers)
            )
    return found


def _is_refused(entry: dict[str, Any]) -> bool | None:
    asked = entry["expect"]
    if any(words in asked for words in _EITHER) or entry["file"][:3] in ("h31", "h74", "h81"):
        return None
    starts = ("reject", "error", "abort", "served with", "as h5", "well-formed", "19 bytes")
    return bool(asked.startswith(starts) and entry["kind"] != "charset")


_HEAD, _TAIL = (
    b"<rss version='2.0'><channel><title>x</title><item><title>",
    b"</title></item></channel></rss>",
)


def bombs() -> list[Hostile]:
    """Larger ones than the corpus holds: each must be refused, or read at a bounded cost."""
    gzipped = (("Content-Encoding", "gzip"),)
    return [
        Hostile("gzip_50MB", lambda: gzip.compress(_HEAD + b"A" * 50_000_000 + _TAIL), True, gzipped),
        Hostile("prolog_100kB", lambda: b'<?xml version="1.0"?>' + b"\n" * 100_000 + _HEAD + _TAIL, None),
        Hostile("attributes_40k", _attributes, None),
        Hostile("soup_5MB_gzip", lambda: gzip.compress(_soup()), None, gzipped),
        Hostile("soup_5MB", _soup, True),
        Hostile("entities_1MB", lambda: b"<!DOCTYPE r [" + b"<!ENTITY a\n" * 90_000 + b"]>" + _HEAD, True),
        Hostile("cdata_1MB", lambda: _HEAD + b"<![CDATA[ " * 100_000, None),
        Hostile("mails_1MB", lambda: _HEAD + b"</title><author>" + b"a." * 500_000 + b"</author>", None),
    ]


def _attributes() -> bytes:
    attributes = " ".join(f'a{n}="1"' for n in range(40_000))
    return _HEAD.replace(b"<item>", f"<item {attributes}>".encode()) + _TAIL


def _soup() -> bytes:
    return _HEAD + b"<a><b><i>&lt;p>" * 350_000 + _TAIL


class TimedPool:
    """A parser pool that remembers how long each document took. For as many threads as it has workers."""

    def __init__(self, pool: ParserPool) -> None:
        self._pool = pool
        self.seconds: dict[str, float] = {}

    def parse(self, raw: RawFeed, **circumstances: Any) -> ParsedFeed:
        began = time.perf_counter()
        try:
            return self._pool.parse(raw, **circumstances)
        finally:
            self.seconds[raw.url.rpartition("/")[2]] = time.perf_counter() - began

    def warm(self) -> None:
        """Start a worker before anything is timed."""
        with contextlib.suppress(FeedError):
            self._pool.parse(RawFeed("http://x/", "http://x/", 200, {}, b"x", NOW),
                             timezone="UTC", country="gb", as_of=NOW)  # fmt: skip


def hostile(url: str) -> dict[str, float]:
    """Poll everything once; asserts every outcome and the memory, and gives the figures."""
    documents = [*corpus(SHARED / "feeds" / "hostile"), *bombs()]
    with served() as port, ParserPool(CORES) as pool, _fetcher() as fetcher:
        database = Database(url)
        database.upgrade()
        _add(database, documents, port)
        timed = TimedPool(pool)
        timed.warm()
        counts = poll(database, fetcher, timed, clock=lambda: NOW, is_all=True, concurrency=CORES)
        own_mb, parsers = peak_mb(), parsers_mb()
    failed = {url.rpartition("/")[2] for _, url, _ in counts.failures}
    assert counts.feeds == len(documents) + GOOD, counts
    wrong = [one.name for one in documents if one.is_refused is (one.name not in failed)]
    assert wrong == [], wrong
    assert failed <= {one.name for one in documents}, failed
    assert _good_meetings(database) == GOOD * 5
    slowest = max(timed.seconds, key=lambda name: timed.seconds[name])
    assert own_mb <= POLLER_MB, own_mb
    return {
        "documents": len(documents),
        "refused": len(failed),
        "good": GOOD,
        "slowest_s": timed.seconds[slowest],
        "peak_mb": own_mb,
        "child_mb": max(parsers),
    }


def _fetcher() -> Fetcher:
    limits = FetchLimits(host_pause_s=0)
    return Fetcher(contact="bench@digest.example", limits=limits, allow_private_addresses=True)


def _add(database: Database, documents: list[Hostile], port: int) -> None:
    """Good feeds between the hostile ones, on as many hosts as there are feeds."""
    with database.write() as connection:
        councils.add_council(connection, Council("hostile", "Hostile"), now=NOW)
        for number in range(max(GOOD, len(documents))):
            host = f"http://127.0.1.{number + 1}:{port}"
            if number < len(documents):
                where = f"{host}/hostile/{documents[number].name}"
                feeds.add_feed(connection, "hostile", where, dialect=None, now=NOW)
            if number < GOOD:
                councils.add_council(connection, Council(f"good-{number}", f"Good {number}"), now=NOW)
                feeds.add_feed(connection, f"good-{number}", f"{host}/good/{number}", dialect=None, now=NOW)


def _good_meetings(database: Database) -> int:
    query = "SELECT count(*) FROM meeting JOIN council ON council.id = council_id WHERE slug LIKE 'good-%'"
    with database.read() as connection:
        return int(connection.scalar(text(query)) or 0)


@contextlib.contextmanager
def served() -> Iterator[int]:
    """The port of a server of all this, in a process of its own: its memory is not the poller's."""
    command = [sys.executable, "-m", "tests.benchmarks.hostile_rows"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def serve() -> None:
    """``/hostile/NAME`` and ``/good/N``, as the poller will ask for them."""
    documents = {one.name: one for one in (*corpus(SHARED / "feeds" / "hostile"), *bombs())}
    bodies = {name: one.body() for name, one in documents.items()}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            _, kind, name = f"{self.path}/ /".split("/")[:3]
            one = documents.get(name)
            body = bodies[name] if one else body_of(int(name)) if kind == "good" else b""
            self.send_response(200 if body or one else 404)
            for header, value in (("Content-Type", "text/xml"), *(one.headers if one else ())):
                self.send_header(header, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # the poller hangs up on what is too large

    server = Server(("0.0.0.0", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve()
