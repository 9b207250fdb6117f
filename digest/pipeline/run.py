"""`digest run`: everything that is due, from the calendar to the last recorded answer.

Started again, or beside another, it goes on with what is unfinished: each round asks the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from digest.model import RunKind, RunState
from digest.pipeline import (
    announced,
    audiences,
    composers,
    dispatch,
    dispatchers,
    events,
    pacing,
    pauses,
    plan,
    safety,
)
from digest.pipeline.audiences import Notices
from digest.pipeline.compose import Limits, Printer
from digest.pipeline.holder import Desk
from digest.pipeline.plan import Rules
from digest.pipeline.safety import Growth
from digest.pipeline.settle import LAG, Records, Settler
from digest.store import batches, runs
from digest.store.database import Database
from digest.store.runs import Run

_LOOK_AGAIN = timedelta(milliseconds=200)


@dataclass(frozen=True, slots=True)
class Works:
    """All that a run needs, put together by ``wiring``. ``pause`` waits some seconds (a test may not).

    ``processes``: how many may compose and hand over a run; ``holder_name`` names the one that asks.
    """

    database: Database
    printer: Printer
    rules: Rules
    limits: Limits
    desk: Desk
    pause: Callable[[float], None]
    growth: Growth | None = None
    records: Records | None = None
    not_sent_after: timedelta | None = LAG
    processes: int = 1
    notices: Notices | None = None
    holder_name: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Called as work is done: what ("planned", "composed", "handed over"), in which run, how many.

    ``expect`` is called before it, where it is known how many more are to come; ``waits`` once for a run,
    before the first wait for what keeps its letters.
    """

    tell: Callable[[str, int, int], None] = lambda what, run_id, n: None
    expect: Callable[[str, int, int], None] = lambda what, run_id, n: None
    waits: Callable[[int], None] = lambda run_id: None


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run and how its deliveries stand."""

    run: Run
    counts: Mapping[str, int]

    @property
    def is_settled(self) -> bool:
        """Nothing is open, in doubt or refused, and no operator has to look at it."""
        left = self.counts["open"] or self.counts["uncertain"] or self.counts["refused"]
        return not left and self.run.state is not RunState.PAUSED


def run_due(works: Works, *, patience: timedelta, progress: Progress | None = None) -> list[RunReport]:
    """Do everything that is due now, and whatever earlier runs left; returns each run touched.

    Waits up to ``patience`` for letters that another process holds, for the hourly limit, and for the time at
    which the provider lets us come back. Stops where the desk is asked to. Twice is harmless.
    """
    told = progress or Progress()
    clock = works.desk.clock
    pauses.end_due(works.database, now=clock())
    plan.close_stale(works.database, now=clock(), rules=works.rules)
    open_notices(works)
    plan.open_due_runs(works.database, now=clock(), rules=works.rules)
    with works.database.read() as connection:
        todo = runs.unfinished_runs(connection)
    waited = timedelta(0)
    settler = Settler(works.records, works.not_sent_after)
    for run in todo:
        has_waited = False
        while not works.desk.should_stop():
            is_done = _advance(works, run, told, settler)
            left = patience - waited
            if left <= timedelta(0) or (is_done and not _comes_back(works, run, within=left)):
                break
            if not has_waited:
                told.waits(run.id)
            has_waited = True
            works.pause(_LOOK_AGAIN.total_seconds())
            waited += _LOOK_AGAIN
    return [report(works.database, run.id) for run in todo]


def open_notices(works: Works) -> None:
    """Make runs of the notices that may go now. Twice is harmless."""
    if works.notices is None:
        return
    now, key = works.desk.clock(), works.notices.suppression_key
    announced.open_due(works.database, window=works.rules.send_between, now=now)
    announced.withdraw_late(works.database, now=now)
    audiences.open_waiting(works.database, suppression_key=key, now=now)


def run_notices(
    works: Works, *, progress: Progress | None = None, only_personal: bool = False
) -> list[RunReport]:
    """Hand over every notice that may go now, and no digest; returns each run touched. Twice is harmless.

    ``only_personal``: and none to an audience, which may be everybody.
    """
    open_notices(works)
    with works.database.read() as connection:
        todo = [run for run in runs.unfinished_runs(connection) if run.kind is not RunKind.DIGEST]
    if only_personal:
        todo = [run for run in todo if run.kind.is_personal]
    for run in todo:
        settler = Settler(works.records, works.not_sent_after)
        _advance(works, run, progress or Progress(), settler)
    return [report(works.database, run.id) for run in todo]


def _advance(works: Works, run: Run, told: Progress, settler: Settler) -> bool:
    """One round over a run; True when nobody here can do more for it now."""
    database, clock = works.database, works.desk.clock
    with database.read() as connection:
        current = runs.run_by_id(connection, run.id)
    if current.completed_at is not None:
        return True
    # Also of a run where nothing is sent now: who is in flight there is planned nowhere else.
    dispatch.free_dead_claims(database, run.id, works.desk)
    if current.state is RunState.PAUSED:
        settler.settle(database, run.id, now=clock())
        return True
    if current.kind is not RunKind.DIGEST:
        _plan_notice(works, current, told)
        if events.stop_if_closed(database, run.id):
            return True
    elif current.state is not RunState.CANCELLED:
        plan.plan(database, current, rules=works.rules, now=clock(), each=_tell(told, "planned", run))
        composers.compose_together(
            database,
            current,
            printer=works.printer,
            limits=works.limits,
            now=clock(),
            each=_tell(told, "composed", run),
            processes=works.processes,
        )
        if events.stop_if_closed(database, run.id):
            return True
        if works.growth is not None and safety.pause_if_grown(database, current, works.growth):
            return True
    with database.read() as connection:
        _, letters = batches.ready(connection, run.id, now=clock())
    told.expect("handed over", run.id, letters)
    dispatchers.dispatch_together(
        database,
        current,
        works.desk,
        each=_tell(told, "handed over", run),
        processes=works.processes,
        holder_name=works.holder_name,
    )
    settler.settle(database, run.id, now=clock())
    dispatch.complete(database, current, now=clock())
    with database.read() as connection:
        current = runs.run_by_id(connection, run.id)
        hours = works.desk.send_between
        return current.completed_at is not None or not pacing.has_work(connection, run, hours, now=clock())


def _plan_notice(works: Works, run: Run, told: Progress) -> None:
    if works.notices is None or run.state is RunState.CANCELLED:
        return
    audiences.plan(
        works.database,
        run,
        printer=works.notices.printer,
        batch_size=works.rules.batch_size,
        now=works.desk.clock(),
        each=_tell(told, "planned", run),
    )


def _comes_back(works: Works, run: Run, *, within: timedelta) -> bool:
    """Whether letters may leave later, as the provider asked or when it is day, and soon enough to wait."""
    now = works.desk.clock()
    with works.database.read() as connection:
        retry_at = runs.next_retry(connection, run.id, now=now)
        if retry_at is None:
            return False
        leaves_at = pacing.leaves_from(connection, run, works.desk.send_between, now=max(retry_at, now))
    return leaves_at <= now + within


def _tell(told: Progress, what: str, run: Run) -> Callable[[int], None]:
    return lambda n: told.tell(what, run.id, n)


def report(database: Database, run_id: int) -> RunReport:
    """How a run stands. Raises: NotFoundError."""
    with database.read() as connection:
        return RunReport(runs.run_by_id(connection, run_id), runs.run_counts(connection, run_id))
