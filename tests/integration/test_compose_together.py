"""Several processes compose one run: the same pages, whoever made them and whoever died."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from digest.compose.profile import profile_of
from digest.model import Edition, Page
from digest.pipeline import compose, plan
from digest.pipeline.compose import Printer
from digest.pipeline.composers import compose_together
from digest.store import pages, runs
from digest.store.database import Database
from digest.store.runs import Run
from digest.testing import plain_page
from tests.integration.ledger_town import LIMITS, RULES, SUNDAY, Town
from tests.integration.processes import lives, until

READERS = 24


@pytest.fixture
def town(database: Database) -> Iterator[Town]:
    """A town on each database, whose ledger must be sound at the end of every story."""
    found = Town(database)
    yield found
    assert found.broken() == []


def planned(town: Town) -> Run:
    """A run of as many editions as readers, planned and not composed."""
    town.publish(1)
    for n in range(READERS):
        town.subscribe(wishes=profile_of(councils=["aber"], keywords=[f"word{n}"]))
    town.now = SUNDAY
    run = plan.open_due_runs(town.database, now=town.now, rules=RULES)[0]
    assert plan.plan(town.database, run, rules=RULES, now=town.now)
    return run


def told(town: Town, run: Run, printer: Printer, *, processes: int = 3) -> int:
    """Compose the run whole; how many editions the caller heard of."""
    heard: list[int] = []
    assert compose_together(
        town.database,
        run,
        printer=printer,
        limits=LIMITS,
        now=town.now,
        each=heard.append,
        processes=processes,
        least_each=1,
        may_fork=lambda: True,
    )
    return sum(heard)


def signed_page(edition: Edition) -> Page:
    """A page that says whose it is and which process made it."""
    page = plain_page(edition)
    return replace(page, text=f"{edition.profile.keywords[0]}, process {os.getpid()}")


def texts(town: Town) -> list[str]:
    """The text of every edition's page."""
    ids = [id_ for (id_,) in town.rows("SELECT page_id FROM edition WHERE page_id IS NOT NULL ORDER BY id")]
    with town.database.read() as connection:
        found = pages.pages_by_id(connection, ids)
    return [found[id_].text for id_ in ids]


def test_three_processes_share_the_editions_of_a_run(town: Town) -> None:
    run = planned(town)
    assert told(town, run, signed_page) == READERS
    made = texts(town)
    assert len(made) == READERS
    assert len({text.partition(",")[2] for text in made}) == 3


def test_who_composes_does_not_change_what_is_said(town: Town) -> None:
    run = planned(town)
    expected = [f"word{n}" for n in range(READERS)]
    told(town, run, signed_page)
    assert [text.partition(",")[0] for text in texts(town)] == expected


def test_what_a_killed_process_leaves_is_composed_by_the_others(town: Town) -> None:
    parent = os.getpid()

    def deadly(edition: Edition) -> Page:
        if os.getpid() != parent:
            os._exit(9)
        return signed_page(edition)

    run = planned(town)
    assert told(town, run, deadly) == READERS
    assert {text.partition(",")[2] for text in texts(town)} == {f" process {parent}"}


def test_few_editions_are_composed_without_help(town: Town) -> None:
    run = planned(town)
    assert compose_together(
        town.database,
        run,
        printer=signed_page,
        limits=LIMITS,
        now=town.now,
        processes=3,
        may_fork=lambda: True,
    )
    assert {text.partition(",")[2] for text in texts(town)} == {f" process {os.getpid()}"}


_PARENT = """
import sys
from tests.integration.test_compose_together import be_the_parent
be_the_parent(*sys.argv[1:])
"""


def test_when_the_parent_is_killed_its_helpers_stop(town: Town, database_url: str, tmp_path: Path) -> None:
    run = planned(town)
    said = tmp_path / "composing"
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", _PARENT, database_url, str(run.id), str(said)]
    parent = subprocess.Popen(command, cwd=root, env=os.environ | {"PYTHONPATH": str(root)})
    try:
        until(lambda: len(processes_in(said)) == 3 or parent.poll() is not None)
    finally:
        parent.kill()
        parent.wait()
    helpers = processes_in(said) - {parent.pid}
    assert len(helpers) == 2
    until(lambda: not any(lives(process) for process in helpers))
    # To the end of their parts it would be two thirds, and the parent's beginning.
    assert len(said.read_text().split()) < READERS / 2
    left = READERS - len(texts(town))
    assert told(town, run, signed_page) == left
    assert len(texts(town)) == READERS


def be_the_parent(url: str, run_id: str, path: str) -> None:
    """A process that composes together with two others, slowly and one edition at a time."""
    compose.CHUNK = 1
    database = Database(url)
    town = Town(database, now=SUNDAY, is_new=False)
    with database.read() as connection:
        run = runs.run_by_id(connection, int(run_id))

    def slow(edition: Edition) -> Page:
        with Path(path).open("ab", buffering=0) as file:
            file.write(f"{os.getpid()}\n".encode())
        time.sleep(0.3)
        return signed_page(edition)

    told(town, run, slow)


def processes_in(path: Path) -> set[int]:
    """Who has written a line there."""
    return {int(line) for line in path.read_text().split()} if path.exists() else set()
