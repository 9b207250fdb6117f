"""Several processes hand over one run: everybody gets one letter, whoever sent it and whoever died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from multiprocessing import active_children
from pathlib import Path

import pytest

from digest.model import HandedOver, Outcome, Outgoing, Refused
from digest.pipeline import dispatch
from digest.pipeline.dispatchers import dispatch_together
from digest.pipeline.holder import Desk
from digest.store import runs
from digest.store.database import Database
from digest.store.runs import Run
from digest.testing import KilledError
from digest.wiring import holder_name, is_alive
from tests.integration.ledger_town import SUNDAY, Town
from tests.integration.processes import lives, until

READERS = 240
ROOT = Path(__file__).resolve().parents[2]
_PARENT = """
import sys
from tests.integration.test_dispatch_together import be_the_parent
be_the_parent(*sys.argv[1:])
"""


@dataclass
class Ledge:
    """A sender that all processes share: each letter is a line in a file, with the process that wrote it."""

    path: Path
    act: Callable[[Outgoing], Outcome | None] = lambda outgoing: None
    takes_s: float = 0.002
    name: str = "ledge"
    is_repeatable: bool = False
    batch_size: int = 2
    parent: int = field(default_factory=os.getpid)

    def send(self, outgoing: Outgoing) -> Outcome:
        """Write, unless ``act`` has an answer of its own."""
        time.sleep(self.takes_s)
        if (answer := self.act(outgoing)) is not None:
            return answer
        lines = "".join(f"{os.getpid()} {one.subscriber_id}\n" for one in outgoing.recipients)
        with self.path.open("ab", buffering=0) as file:
            file.write(lines.encode())
        return HandedOver("taken")

    def close(self) -> None:
        """Nothing is held open."""

    def lines(self) -> list[tuple[int, int]]:
        """(process, reader) of every letter."""
        if not self.path.exists():
            return []
        return [(int(a), int(b)) for a, b in (line.split() for line in self.path.read_text().splitlines())]

    def processes(self) -> Counter[int]:
        """Letters by process."""
        return Counter(process for process, _ in self.lines())

    def most_to_one(self) -> int:
        """The most letters that one reader has got."""
        return max(Counter(reader for _, reader in self.lines()).values(), default=0)


@pytest.fixture
def town(database: Database) -> Iterator[Town]:
    """A town on each database, whose ledger must be sound at the end of every story."""
    found = Town(database)
    yield found
    assert found.broken() == []
    assert not active_children()


@pytest.fixture
def run(town: Town) -> Run:
    """A run that is planned and composed."""
    town.publish(1)
    town.subscribe(READERS)
    return town.planned()


@pytest.fixture
def ledge(tmp_path: Path) -> Ledge:
    """Where the letters of a story arrive."""
    return Ledge(tmp_path / "arrived.txt")


def desk(town: Town, ledge: Ledge) -> Desk:
    """This process as a holder, which sees whether the others live."""
    found = town.desk(holder_name(), claim_size=8)
    return replace(found, sender=ledge, is_alive=is_alive)


def together(town: Town, run: Run, at: Desk, *, least_each: int = 1) -> int:
    """Hand over by three; how many letters the caller heard of."""
    heard: list[int] = []
    dispatch_together(
        town.database,
        run,
        at,
        each=heard.append,
        processes=3,
        holder_name=holder_name,
        least_each=least_each,
        may_fork=lambda: True,
    )
    dispatch.complete(town.database, run, now=town.now)
    return sum(heard)


def test_three_processes_share_the_letters_of_a_run(town: Town, run: Run, ledge: Ledge) -> None:
    assert together(town, run, desk(town, ledge)) == READERS
    assert len(ledge.lines()) == READERS
    assert ledge.most_to_one() == 1
    assert len(ledge.processes()) == 3
    assert town.counts(run) == {"due": READERS, "editions": 1, "handed_over": READERS}
    holders = {holder for (holder,) in town.rows("SELECT DISTINCT holder FROM batch")}
    assert {int(holder.split("/")[-2]) for holder in holders} == set(ledge.processes())


def test_few_letters_are_handed_over_without_help(town: Town, run: Run, ledge: Ledge) -> None:
    assert together(town, run, desk(town, ledge), least_each=READERS) == READERS
    assert set(ledge.processes()) == {os.getpid()}


def test_with_an_hourly_limit_nobody_helps(town: Town, run: Run, ledge: Ledge) -> None:
    together(town, run, replace(desk(town, ledge), letters_per_hour=1_000_000))
    assert set(ledge.processes()) == {os.getpid()}


def test_trouble_is_found_out_by_one_process_and_few_letters(town: Town, run: Run, ledge: Ledge) -> None:
    asked: list[int] = []

    def refuse(outgoing: Outgoing) -> Outcome:
        asked.append(os.getpid())
        return Refused("the key is wrong", is_final=False, pauses_run=True)

    ledge.act = refuse
    together(town, run, desk(town, ledge))
    assert len(asked) == 1
    assert town.counts(run)["open"] == READERS
    assert town.again(run).why == "the key is wrong"


def test_a_pause_stops_the_helpers_too(town: Town, run: Run, ledge: Ledge) -> None:
    def pause(outgoing: Outgoing) -> None:
        if len(ledge.lines()) > 20:
            with Database(town.database.url).write() as connection:
                runs.pause_run(connection, run.id, why="an operator")

    ledge.act = pause
    together(town, run, desk(town, ledge))
    assert 20 < len(ledge.lines()) <= 20 + 3 * 8 + 8
    assert town.counts(run)["open"] == READERS - len(ledge.lines())


def test_what_a_killed_helper_held_is_in_doubt_and_the_others_do_the_rest(
    town: Town, run: Run, ledge: Ledge
) -> None:
    def die(outgoing: Outgoing) -> None:
        if os.getpid() != ledge.parent and ledge.processes()[os.getpid()] >= 10:
            os.kill(os.getpid(), signal.SIGKILL)

    ledge.act = die
    together(town, run, desk(town, ledge))
    assert ledge.most_to_one() == 1
    counts = town.counts(run)
    assert set(counts) == {"due", "editions", "handed_over", "uncertain"}
    assert counts["handed_over"] + counts["uncertain"] == READERS
    # A claim is eight letters, and two helpers died.
    assert 0 < counts["uncertain"] <= 2 * 8
    assert READERS - len(ledge.lines()) <= counts["uncertain"]


def test_when_the_parent_fails_the_helpers_put_back_what_they_have_not_sent(
    town: Town, run: Run, ledge: Ledge
) -> None:
    def fail(outgoing: Outgoing) -> None:
        if os.getpid() == ledge.parent and len(ledge.processes()) == 3:
            raise KilledError

    ledge.act = fail
    with pytest.raises(KilledError):
        together(town, run, desk(town, ledge))
    assert not active_children()
    held = town.rows("SELECT DISTINCT holder FROM batch WHERE state = 'claimed'")
    assert held == [(holder_name(),)]
    assert town.counts(run)["open"] > READERS / 2


def test_when_the_parent_is_killed_its_helpers_stop(
    town: Town, run: Run, ledge: Ledge, database_url: str
) -> None:
    command = [sys.executable, "-c", _PARENT, database_url, str(ledge.path), str(run.id)]
    parent = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        until(lambda: len(ledge.processes()) == 3 or parent.poll() is not None)
    finally:
        parent.kill()
        parent.wait()
    helpers = [process for process in ledge.processes() if process != parent.pid]
    assert len(helpers) == 2
    until(lambda: not any(lives(process) for process in helpers))
    assert len(ledge.lines()) < READERS / 2
    # What the helpers held is ready again; only the killed one's letters are in doubt.
    held = town.rows("SELECT DISTINCT holder FROM batch WHERE state = 'claimed'")
    assert [holder.split("/")[-2] for (holder,) in held] in ([str(parent.pid)], [])
    together(town, run, desk(town, ledge))
    assert ledge.most_to_one() == 1
    counts = town.counts(run)
    assert counts["handed_over"] + counts.get("uncertain", 0) == READERS
    assert counts.get("uncertain", 0) <= 8


def be_the_parent(url: str, path: str, run_id: str) -> None:
    """A process that hands over together with two others, slowly."""
    database = Database(url)
    town = Town(database, now=SUNDAY, is_new=False)
    ledge = Ledge(Path(path), takes_s=0.05)
    with database.read() as connection:
        run = runs.run_by_id(connection, int(run_id))
    together(town, run, desk(town, ledge))
