"""The whole realistic corpus on a real server, polled: what is known of each council afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from digest.intake.child import ParserPool
from digest.model import Council
from digest.pipeline.poll import poll
from digest.store import councils, meetings
from digest.store.database import Database
from tests.integration.towns import NOW, Poller, Web, poller

# (committee, start or day, status, how many papers): addresses depend on where a feed is served.
Known = set[tuple[str, str, str, int]]


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.close()


@pytest.fixture
def town(database: Database) -> Iterator[Poller]:
    with ParserPool(2) as pool, poller(database, pool) as made:
        yield made


def corpus(shared: Path) -> dict[str, dict[str, Any]]:
    """Name of a file -> its expectation and its ``body``."""
    folder = shared / "feeds" / "realistic"
    found = {}
    for path in sorted(folder.glob("*.expected.json")):
        expected = json.loads(path.read_text(encoding="utf-8"))
        name = path.name.partition(".")[0].replace("_", "-")
        found[name] = expected | {"body": (folder / expected["file"]).read_bytes()}
    return found


def add(town: Poller, web: Web, name: str, expected: dict[str, Any]) -> None:
    """A council whose feed has the path that it has in the wild, and whose links may lead to its site."""
    own = urlsplit(expected["feed_url"])
    path = f"{own.path}?{own.query}&file={name}"
    with town.database.write() as connection:
        council = Council(
            name,
            name,
            timezone=expected["timezone"],
            country="us" if expected["timezone"].startswith("America") else "gb",
            website=f"{own.scheme}://{own.netloc}/",
        )
        councils.add_council(connection, council, now=NOW)
    town.added.add(name)
    town.add(name, web.tell(path, expected["body"], content_type=expected["http"]["content_type"]))


def wanted(expected: dict[str, Any]) -> Known:
    """What has a day; what has none is kept too, but stands in no list of meetings."""
    dated = (m for m in expected["meetings"] if m["starts_at"] or m.get("starts_on"))
    return {(m["committee"] or "", _when(m), m["status"], len(m["documents"])) for m in dated}


def known(town: Poller, name: str) -> Known:
    with town.database.read() as connection:
        found = meetings.meetings_between(connection, name, first=date(2000, 1, 1), last=date(2040, 1, 1))
    return {(m.committee, str(m.starts_at or m.starts_on), m.status.value, len(m.documents)) for m in found}


def _when(meeting: dict[str, Any]) -> str:
    if not meeting["starts_at"]:
        return str(meeting["starts_on"])
    return str(datetime.fromisoformat(meeting["starts_at"]).astimezone(UTC))


def test_every_realistic_feed_is_known_as_it_should_be_after_a_poll(
    town: Poller, web: Web, shared: Path
) -> None:
    expectations = corpus(shared)
    failed = set()
    for name, expected in expectations.items():
        add(town, web, name, expected)
        at = datetime.fromisoformat(expected["fetched_at"])
        counts = poll(
            town.database,
            town.fetcher,
            town.pool,
            clock=lambda at=at: at,  # type: ignore[misc]
            council=name,
            is_all=True,
        )
        assert counts.feeds == 1
        failed |= {council for council, _, _ in counts.failures}
    assert failed == {name for name, expected in expectations.items() if "expect_error" in expected}
    assert {name: known(town, name) for name in expectations} == {
        name: wanted(expected) for name, expected in expectations.items()
    }
