"""The rows of a whole run: planned, composed, claimed, handed to a bare sink, recorded, closed.

By the product's own sender, so nothing that it does to a letter is left out.
"""

from __future__ import annotations

import resource
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from digest.compose.profile import profile_of
from digest.deliver.sendgrid import SendGrid
from digest.links import Signer
from digest.model import (
    Council,
    Document,
    DocumentKind,
    Origin,
    Publication,
    Summary,
)
from digest.pipeline.compose import Limits
from digest.pipeline.holder import Desk
from digest.pipeline.plan import Rules
from digest.pipeline.publish import take_in
from digest.pipeline.run import Works, run_due
from digest.render.page import render_page
from digest.render.skeleton import compile_skeleton
from digest.slots import schedule_of, window_of
from digest.store import councils, invariants, pages, profiles
from digest.store.database import Database
from digest.store.types import to_stored
from digest.wiring import holder_name, template_sources
from tests.benchmarks import floors

NOW = datetime(2025, 9, 7, 17, 0, tzinfo=UTC)
PUBLICATION = Publication("Council Digest", "digest@example.org", "https://digest.example.org")


def prepare(url: str, n: int, *, distinct: int, items: int = 1, finds: bool = False) -> Database:
    """A migrated database with councils, news of the week and n readers on ``distinct`` profiles.

    Every profile has a word of its own that occurs in nothing. ``finds``: and words that occur, in other
    items than anybody else's of that council.
    """
    database = Database(url)
    database.upgrade()
    slugs = [f"council-{i}" for i in range(20)]
    with database.write() as connection:
        for slug in slugs:
            councils.add_council(connection, Council(slug, slug.title()), now=NOW - timedelta(days=30))
    for slug in slugs:
        for number in range(items):
            summary = _summary(slug, number)
            published_at = NOW - timedelta(days=2)
            take_in(database, summary, url_key=None, now=published_at, archive_after=timedelta(60))
    with database.write() as connection:
        schedule = profiles.schedule_id(connection, schedule_of("weekly", "sunday", "18:00", "Europe/London"))
        ids = [
            profiles.profile_id(connection, profile_of(councils=[slugs[i % 20]], keywords=_words(i, finds)))
            for i in range(distinct)
        ]
        _insert_subscribers(connection, n, schedule, ids)
    return database


def _words(i: int, finds: bool) -> list[str]:
    number = i // 20 if finds else 0
    return [f"word{i}", *(f"topic{bit}" for bit in range(number.bit_length()) if number >> bit & 1)]


def _summary(slug: str, number: int) -> Summary:
    return Summary(
        council=slug,
        committee=f"Committee {number}",
        starts_at=NOW - timedelta(days=4),
        starts_on=(NOW - timedelta(days=4)).date(),
        origin=Origin.AI,
        lead="The cabinet agreed a budget of £12 million for roads. " * 4,
        questions=("What will happen to the roads?",),
        topics=("Transport", f"topic{number}"),
        documents=(Document(DocumentKind.AGENDA, "Agenda", "https://example.org/a.pdf"),),
    )


def _insert_subscribers(connection: Any, n: int, schedule: int, ids: list[int]) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    numbers = (
        "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < :n)"
        if is_sqlite
        else "WITH g AS (SELECT generate_series(1, :n) AS i)"
    )
    connection.execute(text("CREATE TEMP TABLE pick (at INT PRIMARY KEY, profile_id INT)"))
    connection.execute(
        text("INSERT INTO pick VALUES (:at, :id)"), [{"at": at, "id": id_} for at, id_ in enumerate(ids)]
    )
    connection.execute(
        text(
            "INSERT INTO subscriber (address, address_key, name, state, profile_id, schedule_id, "  # noqa: S608 - constants
            f"covered_seq, due_from_at, created_at) {numbers} "
            "SELECT 'reader' || i || '@example.org', 'reader' || i || '@example.org', '', 'active', "
            "pick.profile_id, :schedule, 0, :since, :since "
            "FROM g JOIN pick ON pick.at = CAST(i AS bigint) * 7919 % :p ORDER BY i"
        ),
        {"n": n, "p": len(ids), "schedule": schedule, "since": to_stored(NOW - timedelta(days=7))},
    )


def works_of(database: Database, port: int, *, claim_size: int = 20_000) -> Works:
    skeleton = compile_skeleton(template_sources(), PUBLICATION)
    sender = SendGrid("x", base_url=f"http://127.0.0.1:{port}", batch_size=floors.BATCH)
    desk = Desk(
        sender=sender,
        publication=PUBLICATION,
        signer=Signer("k" * 40),
        holder="bench",
        clock=lambda: NOW,
        is_alive=lambda holder: True,
        claim_size=claim_size,
        hold=timedelta(minutes=5),
    )
    rules = Rules(window_of("06:00-22:00"), timedelta(hours=48), sender.batch_size, 3)
    limits = Limits(timedelta(14), timedelta(28), 5, 40, timedelta(3))
    return Works(
        database,
        lambda e: render_page(e, skeleton),
        rules,
        limits,
        desk,
        pause=time.sleep,
        processes=2,
        holder_name=holder_name,
    )


def timed_run(database: Database, port: int) -> tuple[float, dict[str, int]]:
    """Seconds of `digest run` over everybody due, and its counts; the ledger is checked afterwards."""
    works = works_of(database, port)
    began = time.perf_counter()
    report = run_due(works, patience=timedelta(0))[0]
    seconds = time.perf_counter() - began
    with database.read() as connection:
        wrong = invariants.broken(connection)
    assert not wrong, wrong
    return seconds, dict(report.counts)


def peak_mb() -> float:
    """Largest resident size of this program so far, in megabytes (proc(5): VmHWM).

    Not ``ru_maxrss``: that one begins with the size of whoever started the process.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def helper_mb() -> float:
    """Largest resident size of a process that helped and has ended; what it shares with this one included."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def mean_page_bytes(database: Database) -> int:
    """HTML and text of a stored page, as an average of some."""
    with database.read() as connection:
        ids = connection.execute(text("SELECT id FROM page ORDER BY id LIMIT 20")).scalars().all()
        some = [pages.page_by_id(connection, id_) for id_ in ids]
    return sum(len(page.html or "") + len(page.text) for page in some) // len(some)
