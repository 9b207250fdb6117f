"""What there is to do now, read from the calendar and the tables: "what should be, and is not yet?"

A step names a task and ids, nothing else. Doing one twice, late, or beside another process is harmless:
the ledger says what is done. Each lane has one look, and its steps never wait for those of another lane.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from digest.errors import ConflictError
from digest.model import RunKind, RunState
from digest.pipeline import first_live, pacing, pauses, plan
from digest.pipeline import groups as hosts
from digest.store import batches, editions, feeds, runs, tasks
from digest.store.runs import Run
from digest.wiring import live_place

if TYPE_CHECKING:
    from digest.wiring import Hall

LETTERS, NOTICES, FEEDS, HOUSE = "letters", "notices", "feeds", "house"
LANES = (NOTICES, LETTERS, FEEDS, HOUSE)
"""In order of who must never wait."""

# Evidence of doubtful letters comes by webhook or with the lag of the provider's logs.
_SETTLE_EVERY_S = 60.0
_EDITIONS_OF_A_PART = 100


@dataclass(frozen=True, slots=True)
class Step:
    """One task to be done: its name, and the ids it is about.

    ``is_here``: only the scheduler's own process can do it (the inbox is a folder of its machine).
    """

    task: str
    ids: tuple[int, ...] = ()
    is_here: bool = False

    @property
    def key(self) -> str:
        """The same step has the same key, whoever finds it."""
        return ":".join((self.task, *map(str, self.ids)))


@dataclass
class Bench:
    """What one lane works with. ``parts``: how many jobs share one run; ``groups``: how many the feeds.

    ``is_confirmed``: an operator has agreed to the first live run beforehand.
    """

    hall: Hall
    should_stop: Callable[[], bool] = lambda: False
    parts: int = 1
    groups: int = 1
    is_confirmed: bool = False
    _spaced: dict[str, float] = field(default_factory=dict)

    def has_passed(self, key: str, every_s: float) -> bool:
        """Whether that long has passed since this was last True for the key."""
        now = time.monotonic()
        if now - self._spaced.get(key, -every_s) < every_s:
            return False
        self._spaced[key] = now
        return True


# --- looks ----------------------------------------------------------------------------------------------


def letters(bench: Bench) -> list[Step]:
    """Runs that are due are made; then whatever each unfinished run of digests needs next."""
    hall, now = bench.hall, bench.hall.clock()
    # Before anybody is planned: whose pause ended while nobody looked is due too.
    pauses.end_due(hall.database, now=now)
    plan.close_stale(hall.database, now=now, rules=hall.rules)
    confirm_first_live_run(bench)
    plan.open_due_runs(hall.database, now=now, rules=hall.rules)
    return steps_of_runs(bench)


def notices(bench: Bench) -> list[Step]:
    """One step for all notices: they are few, and must not wait for one another's look."""
    return [Step("notices")]


def feed_groups(bench: Bench) -> list[Step]:
    """The groups with a feed that is due, and the inbox folder."""
    hall = bench.hall
    steps = [Step("inbox", is_here=True)] if hall.settings.summaries.inbox is not None else []
    with hall.database.read() as connection:
        due = feeds.feeds_due(connection, now=hall.clock())
    wanted = {hosts.group_of(hall.fetcher, feed.url, groups=bench.groups) for feed in due}
    return [*steps, *(Step("poll", (group, bench.groups)) for group in sorted(wanted))]


HOUSE_EVERY = {
    "events": timedelta(minutes=1),
    "pauses": timedelta(minutes=5),
    "suppressions": timedelta(hours=1),
    "unconfirmed": timedelta(hours=6),
    "retention": timedelta(days=1),
}
"""Tasks of the house, and how long after its last success each comes again."""


def house(bench: Bench) -> list[Step]:
    """Tasks of the house whose last success, by whichever process, is long enough ago."""
    now = bench.hall.clock()
    with bench.hall.database.read() as connection:
        known = tasks.all_tasks(connection)
    last = {name: known[name].ok_at if name in known else None for name in HOUSE_EVERY}
    return [Step(name) for name, every in HOUSE_EVERY.items() if _has_come(last[name], every, now)]


def _has_come(last: datetime | None, every: timedelta, now: datetime) -> bool:
    # A success in the future: the clock ran ahead for a while.
    return last is None or now - last >= every or last > now


LOOKS: dict[str, Callable[[Bench], list[Step]]] = {
    NOTICES: notices,
    LETTERS: letters,
    FEEDS: feed_groups,
    HOUSE: house,
}


# --- runs -----------------------------------------------------------------------------------------------


def steps_of_runs(bench: Bench) -> list[Step]:
    """The next steps of every unfinished run of digests, oldest slot first."""
    now = bench.hall.clock()
    with bench.hall.database.read() as connection:
        found = [run for run in runs.unfinished_runs(connection) if run.kind is RunKind.DIGEST]
        return [step for run in found for step in steps_of_run(connection, run, bench=bench, now=now)]


def steps_of_run(connection: Connection, run: Run, *, bench: Bench, now: datetime) -> list[Step]:
    """What one run needs next, as its row and its batches say."""
    standing = batches.standing(connection, run.id)
    settle = _settle_steps(run, standing, bench)
    if run.completed_at is not None:
        return []
    if run.state in (RunState.PAUSED, RunState.CANCELLED):
        return settle
    if run.planned_at is None:
        return [Step("plan", (run.id,))]
    waiting = _editions_without_words(connection, run, standing)
    if run.composed_at is None or waiting:
        parts = min(bench.parts, max(1, ceil(waiting / _EDITIONS_OF_A_PART)))
        return [Step("compose", (run.id, part, parts)) for part in range(parts)]
    if not pacing.has_work(connection, run, bench.hall.rules.send_between, now=now):
        return settle
    wanted = min(bench.parts, max(1, standing.get("ready", 0)))
    return [*(Step("dispatch", (run.id, part)) for part in range(wanted)), *settle]


def _editions_without_words(connection: Connection, run: Run, standing: Collection[str]) -> int:
    """Their batches tell, and not the run's row alone: a correction may have come as it was written."""
    if run.composed_at is not None and "waiting" not in standing:
        return 0
    return editions.count_to_compose(connection, run.id)


def _settle_steps(run: Run, standing: Collection[str], bench: Bench) -> list[Step]:
    """Evidence and dead claims are looked for now and then; a run with nothing left is closed at once.

    Whatever the run's state: whose letter is in flight is planned nowhere else.
    """
    is_over = not {"waiting", "ready", "claimed"} & set(standing)
    if run.state is RunState.CANCELLED or (is_over and "uncertain" not in standing):
        return [Step("settle", (run.id,))] if run.state is not RunState.PAUSED else []
    if {"uncertain", "claimed"} & set(standing) and bench.has_passed(f"settle:{run.id}", _SETTLE_EVERY_S):
        return [Step("settle", (run.id,))]
    return []


def confirm_first_live_run(bench: Bench) -> None:
    """Letters leave for the first time only after an operator said so.

    Raises: ConflictError that says how, while there is a letter to go.
    """
    hall = bench.hall
    place = live_place(hall.settings)
    if place is None or first_live.is_confirmed(hall.database, place):
        return
    if not first_live.letters_to_go(hall.database, rules=hall.rules, now=hall.clock()):
        return
    if not bench.is_confirmed:
        raise ConflictError(
            "the first live run waits for an operator: look at `digest run --dry-run`, then start "
            "`digest run` once by hand, or the scheduler with --yes"
        )
    first_live.confirm(
        hall.database, place, actor="operator", facts={"by": "scheduler --yes"}, now=hall.clock()
    )
