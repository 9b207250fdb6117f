"""`digest run`: everything that is due, from the calendar to the last recorded answer.

Started again, or beside another, it goes on with what is unfinished: each round asks the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from digest.model import RunState
from digest.pipeline import compose, dispatch, events, pauses, plan, safety
from digest.pipeline.compose import Limits, Printer
from digest.pipeline.dispatch import Desk
from digest.pipeline.plan import Rules
from digest.pipeline.safety import Growth
from digest.pipeline.settle import Records, Settler
from digest.store import runs
from digest.store.database import Database
from digest.store.runs import Run

_LOOK_AGAIN = timedelta(milliseconds=200)


@dataclass(frozen=True, slots=True)
class Works:
    """All that a run needs, put together by ``wiring``. ``pause`` waits some seconds (a test may not)."""

    database: Database
    printer: Printer
    rules: Rules
    limits: Limits
    desk: Desk
    pause: Callable[[float], None]
    growth: Growth | None = None
    records: Records | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Called as work is done: what ("planned", "composed", "handed over"), in which run, how many."""

    tell: Callable[[str, int, int], None] = lambda what, run_id, n: None


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run and how its deliveries stand."""

    run: Run
    counts: Mapping[str, int]

    @property
    def is_settled(self) -> bool:
        """Nothing is open, in doubt or refused."""
        return not (self.counts["open"] or self.counts["uncertain"] or self.counts["refused"])


def run_due(works: Works, *, patience: timedelta, progress: Progress | None = None) -> list[RunReport]:
    """Do everything that is due now, and whatever earlier runs left; returns each run touched.

    Waits up to ``patience`` for letters that another process holds, for the hourly limit, and for the time at
    which the provider lets us come back. Twice is harmless.
    """
    told = progress or Progress()
    clock = works.desk.clock
    pauses.end_due(works.database, now=clock())
    plan.close_stale(works.database, now=clock(), rules=works.rules)
    plan.open_due_runs(works.database, now=clock(), rules=works.rules)
    with works.database.read() as connection:
        todo = runs.unfinished_runs(connection)
    waited = timedelta(0)
    settler = Settler(works.records)
    for run in todo:
        while waited < patience:
            is_done = _advance(works, run, told, settler)
            if is_done and not _comes_back(works, run, within=patience - waited):
                break
            works.pause(_LOOK_AGAIN.total_seconds())
            waited += _LOOK_AGAIN
        else:
            _advance(works, run, told, settler)
    return [report(works.database, run.id) for run in todo]


def _advance(works: Works, run: Run, told: Progress, settler: Settler) -> bool:
    """One round over a run; True when nobody here can do more for it now."""
    database, clock = works.database, works.desk.clock
    with database.read() as connection:
        current = runs.run_by_id(connection, run.id)
    if current.completed_at is not None:
        return True
    if current.state is RunState.PAUSED:
        settler.settle(database, run.id, now=clock())
        return True
    if current.state is not RunState.CANCELLED:
        plan.plan(database, current, rules=works.rules, now=clock(), each=_tell(told, "planned", run))
        compose.compose(
            database,
            current,
            printer=works.printer,
            limits=works.limits,
            now=clock(),
            each=_tell(told, "composed", run),
        )
        if events.stop_if_closed(database, run.id):
            return True
        if works.growth is not None and safety.pause_if_grown(database, current, works.growth):
            return True
    dispatch.dispatch(database, current, works.desk, each=_tell(told, "handed over", run))
    settler.settle(database, run.id, now=clock())
    dispatch.complete(database, current, now=clock())
    with database.read() as connection:
        current = runs.run_by_id(connection, run.id)
        return current.completed_at is not None or not runs.has_work(connection, run.id, now=clock())


def _comes_back(works: Works, run: Run, *, within: timedelta) -> bool:
    """Whether the provider asked to come back, and soon enough to wait for it."""
    with works.database.read() as connection:
        retry_at = runs.next_retry(connection, run.id)
    return retry_at is not None and retry_at <= works.desk.clock() + within


def _tell(told: Progress, what: str, run: Run) -> Callable[[int], None]:
    return lambda n: told.tell(what, run.id, n)


def report(database: Database, run_id: int) -> RunReport:
    """How a run stands. Raises: NotFoundError."""
    with database.read() as connection:
        return RunReport(runs.run_by_id(connection, run_id), runs.run_counts(connection, run_id))
