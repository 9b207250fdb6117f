"""Polling when things go wrong: hostile documents among good ones, and a poller that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.intake.child import ParserPool
from digest.store.database import Database
from tests.integration.towns import NOW, Answer, Poller, Web, agenda, feed_of, poller

TUESDAY = "Tuesday, 8th December, 2026 6.00 pm"
GOOD = 6


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.close()


@pytest.fixture
def town(database: Database) -> Iterator[Poller]:
    with ParserPool(2) as pool, poller(database, pool) as made:
        yield made


def good_feed(number: int) -> str:
    return feed_of(agenda(number + 1, TUESDAY, f"Panel {number}", committee_id=number))


def bombs() -> dict[str, bytes]:
    """Larger ones than the corpus holds, made here."""
    attributes = " ".join(f'a{n}="1"' for n in range(40_000))
    return {
        "prolog": b'<?xml version="1.0"?>' + b"\n" * 100_000 + b"<rss/>",
        "attributes": f"<rss><channel><item {attributes}><title>x</title></item></channel></rss>".encode(),
        "soup": b"<rss><channel>" + b"<item><title>a<b><i>" * 90_000,
    }


def test_hostile_documents_hurt_neither_the_poller_nor_the_good_feeds(
    town: Poller, web: Web, shared: Path
) -> None:
    hostile = sorted(p for p in (shared / "feeds" / "hostile").iterdir() if p.name[0] == "h")
    for number in range(GOOD):
        town.add(f"good-{number}", web.tell(f"/good/{number}", good_feed(number)))
        for path in hostile[number::GOOD]:
            packed = {"Content-Encoding": "gzip"} if "gzip" in path.name and "undecl" not in path.name else {}
            town.add("hostile", web.tell(f"/{path.name}", path.read_bytes(), **packed))
    for name, body in bombs().items():
        town.add("hostile", web.tell(f"/{name}", body))
    counts = town.poll()
    assert counts.feeds == GOOD + len(hostile) + len(bombs())
    assert [len(town.known(f"good-{number}")) for number in range(GOOD)] == [1] * GOOD
    assert {url for council, url, _ in counts.failures if council != "hostile"} == set()
    failed = {url.rpartition("/")[2] for _, url, _ in counts.failures}
    assert {"h01_billion_laughs.xml", "h50_login_page_200.html", "h70_gzip_bomb_50MB.xml.gz"} <= failed
    assert not any("CANARY" in committee for committee, _, _ in town.known("hostile"))


def test_a_poll_killed_in_the_middle_is_simply_done_again(town: Poller, web: Web, tmp_path: Path) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def stuck(headers: dict[str, str]) -> Answer:
        reached.set()
        go_on.wait(20)
        return 503, {}, b""

    for number in range(GOOD):
        town.add("anytown", web.tell(f"/rss/{number}", good_feed(number)))
    web.pages["/rss/4"] = stuck
    process = _poll_elsewhere(town.database.url, tmp_path)
    assert reached.wait(30)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    go_on.set()
    web.tell("/rss/4", good_feed(4))
    town.poll()
    town.poll()
    assert sorted(committee for committee, _, _ in town.known("anytown")) == [
        f"Panel {n}" for n in range(GOOD)
    ]
    items = [item for _, item in town.lines()]
    assert (len(items), len(set(items))) == (GOOD, GOOD)


def _poll_elsewhere(url: str, folder: Path) -> subprocess.Popen[bytes]:
    """`digest poll` in a process of its own."""
    settings = {
        "DIGEST_DATABASE_URL": url.replace("postgresql+psycopg:", "postgresql:"),
        "DIGEST_FEEDS__ALLOW_PRIVATE_ADDRESSES": "true",
        "DIGEST_FEEDS__HOST_PAUSE_S": "0",
    }
    command = [sys.executable, "-m", "digest", "--now", NOW.isoformat(), "poll"]
    where = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.Popen(command, cwd=folder, env=os.environ | settings | where)
