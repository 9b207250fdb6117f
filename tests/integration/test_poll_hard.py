"""Polling when things go wrong: hostile documents among good ones, and a poller that is killed."""

from __future__ import annotations

import json
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
ROOT = Path(__file__).resolve().parents[2]


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


def test_hostile_documents_hurt_neither_the_poller_nor_the_good_feeds(
    database: Database, shared: Path
) -> None:
    """The whole hostile corpus and larger bombs, in a process of its own that must stay small.

    What must become of each document, and that every good feed is done, is asserted there.
    """
    command = [sys.executable, "-m", "tests.benchmarks.rows", "hostile", _address(database)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["documents"] > len(list((shared / "feeds" / "hostile").glob("h*")))
    assert seen["peak_mb"] < 300


def test_nothing_of_a_hostile_document_reaches_the_database(town: Poller, web: Web, shared: Path) -> None:
    for path in sorted((shared / "feeds" / "hostile").glob("h0*")):
        town.add("hostile", web.tell(f"/{path.name}", path.read_bytes()))
    town.poll()
    told = str(town.known("hostile")) + str([town.leftovers(f"{web.url}{path}") for path in web.pages])
    assert "CANARY" not in told
    assert "root:" not in told


def test_a_poll_killed_in_the_middle_is_simply_done_again(town: Poller, web: Web, tmp_path: Path) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def stuck(headers: dict[str, str]) -> Answer:
        reached.set()
        go_on.wait(20)
        return 503, {}, b""

    for number in range(GOOD):
        town.add("anytown", web.tell(f"/rss/{number}", good_feed(number)))
    web.pages["/rss/4"] = stuck
    process = _poll_elsewhere(_address(town.database), tmp_path)
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


def _address(database: Database) -> str:
    """The address as an operator writes it."""
    return database.url.replace("postgresql+psycopg:", "postgresql:")


def _poll_elsewhere(url: str, folder: Path) -> subprocess.Popen[bytes]:
    """`digest poll` in a process of its own."""
    settings = {
        "DIGEST_DATABASE_URL": url,
        "DIGEST_FEEDS__ALLOW_PRIVATE_ADDRESSES": "true",
        "DIGEST_FEEDS__HOST_PAUSE_S": "0",
    }
    command = [sys.executable, "-m", "digest", "--now", NOW.isoformat(), "poll"]
    where = {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=folder, env=os.environ | settings | where)
