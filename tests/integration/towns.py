"""A small web of councils' servers on this machine, and a poller that goes round them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.sax.saxutils import escape

from sqlalchemy import text

from digest.intake.child import ParserPool
from digest.intake.fetch import Fetcher, FetchLimits
from digest.model import Council
from digest.pipeline.poll import PollCounts, poll
from digest.store import councils, feeds, meetings
from digest.store.database import Database
from digest.store.feeds import Feed

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
Answer = tuple[int, dict[str, str], bytes]


class Web:
    """A server whose pages are (status, headers, body) or a function of the request's headers."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer | Callable[[dict[str, str]], Answer]] = {}
        self.asked: list[str] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                web.asked.append(self.path)
                page = web.pages.get(self.path, (404, {}, b""))
                status, more, body = (
                    page({k.lower(): v for k, v in self.headers.items()}) if callable(page) else page
                )
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
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def tell(self, path: str, body: str | bytes, *, content_type: str = "text/xml", **headers: str) -> str:
        """Serve a body; returns its address."""
        data = body.encode() if isinstance(body, str) else body
        self.pages[path] = (200, {"Content-Type": content_type, **headers}, data)
        return self.url + path

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Poller:
    """One installation that polls; its clock stands until it is moved."""

    database: Database
    fetcher: Fetcher
    pool: ParserPool
    now: datetime = NOW
    added: set[str] = field(default_factory=set)

    def add(self, slug: str, url: str, *, dialect: str | None = None, **table: str) -> None:
        """A feed of a council, which is made if it is new; ``table`` as c101="brent"."""
        with self.database.write() as connection:
            if slug not in self.added:
                councils.add_council(connection, Council(slug, slug.title()), now=self.now)
                self.added.add(slug)
            committees = {name.removeprefix("c"): whose for name, whose in table.items()}
            feeds.add_feed(connection, slug, url, dialect=dialect, now=self.now, committees=committees)

    def poll(self, *, later: timedelta = timedelta(0), is_all: bool = True) -> PollCounts:
        self.now += later
        return poll(
            self.database, self.fetcher, self.pool, clock=lambda: self.now, is_all=is_all, concurrency=4
        )

    def known(self, slug: str) -> list[tuple[str, str, str]]:
        """(committee, local start or day, status) of a council's meetings."""
        with self.database.read() as connection:
            found = meetings.meetings_between(
                connection, slug, first=NOW.date().replace(year=2000), last=NOW.date().replace(year=2040)
            )
        return [(m.committee, str(m.starts_at or m.starts_on), m.status.value) for m in found]

    def lines(self) -> list[tuple[str, str]]:
        """(kind, item) of the log in order."""
        with self.database.read() as connection:
            rows = connection.execute(text("SELECT kind, item FROM publication ORDER BY seq"))
            return [(kind, item) for kind, item in rows]

    def feed(self, url: str) -> Feed:
        with self.database.read() as connection:
            return feeds.feeds_named(connection, url)[0]

    def leftovers(self, url: str) -> list[tuple[str, str]]:
        with self.database.read() as connection:
            (one,) = feeds.feeds_named(connection, url)
            return [(left.title, left.why) for left in feeds.leftovers(connection, one.id)]


@contextmanager
def poller(database: Database, pool: ParserPool) -> Iterator[Poller]:
    """A poller of that database which makes no pauses and may ask this machine."""
    limits = FetchLimits(connect_s=2, read_s=5, total_s=10, host_pause_s=0)
    with Fetcher(contact="feeds@digest.example", limits=limits, allow_private_addresses=True) as fetcher:
        yield Poller(database, fetcher, pool)


HOST = "https://democracy.anytown.gov.uk"


def feed_of(*items: dict[str, str]) -> str:
    """A ModernGov feed of items given as element -> text."""
    body = "".join(
        "<item>" + "".join(f"<{name}>{escape(value)}</{name}>" for name, value in item.items()) + "</item>"
        for item in items
    )
    head = f"<title>Anytown</title><link>{HOST}/</link><description/>"
    return f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel>{head}{body}</channel></rss>'


def agenda(number: int, when: str, committee: str, *, committee_id: int = 7, **more: str) -> dict[str, str]:
    """The item of a ModernGov feed that announces a meeting; ``said`` is its pubDate."""
    link = f"{HOST}/ieListDocuments.aspx?CId={committee_id}&MId={number}"
    item = {
        "title": f"{more.get('event', 'Agenda published')}: Meeting of {when}, {committee}",
        "link": link,
        "guid": f"{link}#{more.get('event', 'agenda')}{more.get('said', '')}",
    }
    return item | ({"pubDate": more["said"]} if "said" in more else {})


def any_of(found: Any) -> Any:
    """The one element."""
    (one,) = found
    return one
