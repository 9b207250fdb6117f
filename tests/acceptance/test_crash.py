"""An operator's worst Sunday: `digest run` dies at any moment, and still each reader gets exactly one letter.

Real processes, a real SIGKILL, both databases; only the size is small (`make trial` has the full one).
"""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.trial.crash import LATER, SUNDAY, THURSDAY, Killer, Town, word_of

SIZE = 200


@pytest.fixture
def seed() -> int:
    """Chosen anew each time and printed with a failure: put it here to see the same kills again."""
    found = random.SystemRandom().randrange(10**6)
    print(f"seed {found}")
    return found


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A town with news and readers, a moment before its Sunday slot, on SQLite; others are copies of it."""
    folder = tmp_path_factory.mktemp("town")
    return Town(folder, f"sqlite:///{folder}/digest.db", SIZE).build()


@pytest.fixture
def laptop(tmp_path: Path, built: Town) -> Town:
    """The town on SQLite."""
    folder = tmp_path / "town"
    shutil.copytree(built.folder, folder)
    return replace(built, folder=folder, database_url=f"sqlite:///{folder}/digest.db")


@pytest.fixture(params=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Town:
    """The town on each database."""
    if request.param == "sqlite":
        found: Town = request.getfixturevalue("laptop")
        return found
    return Town(tmp_path, request.getfixturevalue("postgres_url"), SIZE).build()


@pytest.mark.slow
def test_killed_at_random_each_reader_gets_one_letter(town: Town, seed: int) -> None:
    Killer(town, seed).go(3)
    assert town.start(LATER).end() == 0
    assert town.faults() == []


@pytest.mark.slow
def test_two_runs_at_once_both_killed_each_reader_gets_one_letter(town: Town, seed: int) -> None:
    Killer(town, seed).go(2, at_once=2)
    last = [town.start(LATER), town.start(LATER)]
    assert [process.end() for process in last] == [0, 0]
    assert town.faults() == []


@pytest.mark.slow
def test_a_frozen_process_that_wakes_after_its_hold_doubles_nothing(laptop: Town) -> None:
    frozen = laptop.start(SUNDAY)
    until_letters(laptop, 1)
    frozen.stop()
    assert 0 < laptop.letters_written() < len(laptop.heard)
    # Half an hour later by the clock of the second: whatever the first one held has run out.
    assert laptop.start(LATER).end() == 0
    frozen.wake()
    assert frozen.end() == 0
    assert laptop.faults() == []


@pytest.mark.slow
def test_between_kill_and_last_run_people_leave_pause_and_change_their_wishes(laptop: Town) -> None:
    first = laptop.start(SUNDAY)
    until_letters(laptop, 1)
    first.kill()
    got = laptop.readers_written_to()
    waiting = [one for one in laptop.heard if one not in got]
    changers = [one for one in waiting if laptop.wishes[one] == ("aber", "")][-25:]
    others = [one for one in waiting if one not in changers][-60:]
    leavers, pausers = others[::2], others[1::2]
    lines = "".join(f"{one},bury\n" for one in changers)
    (laptop.folder / "changes.csv").write_text("email,councils\n" + lines)
    commands = [("subscriber", "leave", one) for one in leavers]
    commands += [("subscriber", "pause", one) for one in pausers]
    laptop.digests([*commands, ("subscriber", "import", "changes.csv", "--update")], now=LATER)
    assert laptop.start(LATER).end() == 0
    # What the killed process had claimed may have been written, so it is written again just as it was:
    # one claim of letters at most. Everybody else's wishes of the last minute are followed.
    written = laptop.readers_written_to()
    late = [one for one in others if one in written]
    old = [one for one in changers if word_of("bury", "Planning") not in words_to(laptop, one)]
    assert len(late) + len(old) <= laptop.claim_size
    assert laptop.faults(expected=set(laptop.heard) - (set(others) - set(late))) == []
    (run,) = laptop.runs()
    assert run["left"] + run["cancelled"] == len(others) - len(late)
    for one in set(changers) - set(old):
        assert word_of("aber", "Planning") not in words_to(laptop, one)


def words_to(town: Town, reader: str) -> str:
    """The plain text of a reader's letter."""
    body = town.letter_to(reader).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


@pytest.mark.slow
def test_killed_in_planning_a_run_is_planned_whole_or_not_at_all(laptop: Town, seed: int) -> None:
    due = {0, len(laptop.heard) + len(laptop.silent)}
    dice = random.Random(seed)
    for _ in range(2):
        process, before = laptop.start(SUNDAY), written_at(laptop)
        while written_at(laptop) == before and not process.is_over():
            time.sleep(0.0005)
        time.sleep(dice.uniform(0, 0.03))
        process.kill()
        assert {run["due"] for run in laptop.runs()} <= due
    assert laptop.start(LATER).end() == 0
    assert laptop.faults() == []


@pytest.mark.slow
def test_a_notice_killed_at_random_reaches_each_of_its_readers_once(laptop: Town, seed: int) -> None:
    dice = random.Random(seed)
    laptop.digest("notice", "supported", "aber")
    for _ in range(2):
        process, before = laptop.start(THURSDAY), laptop.letters_written()
        while laptop.letters_written() == before and not process.is_over():
            time.sleep(0.002)
        time.sleep(dice.uniform(0, 0.02))
        process.kill()
    assert laptop.start(THURSDAY).end() == 0
    followers = {one for one, (councils, _) in laptop.wishes.items() if "aber" in councils.split(";")}
    assert laptop.readers_written_to() == Counter(followers - set(laptop.pending))
    (run,) = laptop.runs()
    assert (run["kind"], run["handed_over"]) == ("supported", len(followers - set(laptop.pending)))


def written_at(town: Town) -> int:
    """When the database was last written to: a run's first commit changes SQLite's write-ahead log."""
    log = town.folder / "digest.db-wal"
    return log.stat().st_mtime_ns if log.exists() and log.stat().st_size else 0


def until_letters(town: Town, n: int) -> None:
    """Wait until so many letters lie in the outbox."""
    while town.letters_written() < n:
        time.sleep(0.002)
