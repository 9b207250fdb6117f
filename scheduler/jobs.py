"""The tasks themselves: each does one step, here and now, in whichever process was woken for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from digest.pipeline import compose, dispatch, events, notices, pauses, plan, retention, safety, suppress
from digest.pipeline.poll import poll
from digest.pipeline.run import Works, run_notices
from digest.pipeline.settle import Settler
from digest.store import batches, runs
from digest.store.runs import Run
from scheduler import inbox
from scheduler.steps import Bench, Step

# A large run makes room for another one after this long; what is left of it is found at the next look.
SLICE_S = 60.0


class StopAskedError(Exception):
    """Somebody asked this process to leave: what was begun is stored, the rest is found again."""


def do(bench: Bench, step: Step) -> None:
    """Do one step. Raises: whatever goes wrong in it; StopAskedError."""
    JOBS[step.task](bench, *step.ids)


def plan_run(bench: Bench, run_id: int) -> None:
    """Write the deliveries of everyone due in the run."""
    hall = bench.hall
    run = _run(bench, run_id)
    if run.completed_at is None:
        plan.plan(hall.database, run, rules=hall.rules, now=hall.clock(), each=_leave_if_asked(bench))


def compose_run(bench: Bench, run_id: int, part: int = 0, parts: int = 1) -> None:
    """Give its words to every ``parts``-th edition of the run."""
    hall = bench.hall
    compose.compose(
        hall.database,
        _run(bench, run_id),
        printer=hall.printer,
        limits=hall.limits,
        now=hall.clock(),
        each=_leave_if_asked(bench),
        part=part,
        parts=parts,
    )


def dispatch_run(bench: Bench, run_id: int, part: int = 0) -> None:
    """Hand over until nothing is claimable, or for a while. ``part`` only tells jobs of one run apart."""
    hall = bench.hall
    run = _run(bench, run_id)
    growth = hall.works.growth
    if events.stop_if_closed(hall.database, run_id):
        return
    if growth is not None and safety.pause_if_grown(hall.database, run, growth):
        return
    dispatch.dispatch(hall.database, run, _for_a_while(bench).desk)
    _close(bench, run)


def _for_a_while(bench: Bench) -> Works:
    """What a run needs, with a desk that stops when asked to, or when others should have a turn."""
    until = time.monotonic() + SLICE_S
    works = bench.hall.works
    desk = replace(works.desk, should_stop=lambda: bench.should_stop() or time.monotonic() > until)
    return replace(works, desk=desk)


def settle_run(bench: Bench, run_id: int) -> None:
    """Free the claims of the dead, and ask about letters in doubt; close the run if nothing is left."""
    hall = bench.hall
    run = _run(bench, run_id)
    dispatch.free_dead_claims(hall.database, run_id, hall.works.desk)
    # Asked anew each time: what the logs did not know a minute ago they may know now.
    works = hall.works
    Settler(works.records, works.not_sent_after).settle(hall.database, run_id, now=hall.clock())
    _close(bench, run)


def _close(bench: Bench, run: Run) -> None:
    """Complete a run that is over. Counting its letters is for the end, not for every round."""
    with bench.hall.database.read() as connection:
        current = runs.run_by_id(connection, run.id)
        standing = batches.standing(connection, run.id)
    is_over = not {"waiting", "ready", "claimed"} & set(standing)
    if current.completed_at is None and (is_over or current.state == "cancelled"):
        dispatch.complete(bench.hall.database, run, now=bench.hall.clock())


def send_notices(bench: Bench) -> None:
    """Make runs of the notices that may go now, and hand them over."""
    run_notices(_for_a_while(bench))


def forget_unconfirmed(bench: Bench) -> None:
    """Delete addresses that nobody confirmed in time."""
    hall = bench.hall
    notices.forget_unconfirmed(hall.works, within=hall.settings.retention.unconfirmed)


def keep_tidy(bench: Bench) -> None:
    """Let go of what has been kept long enough."""
    hall, of = bench.hall, bench.hall.settings.retention
    retention.keep_tidy(
        hall.database,
        retention.Kept(of.pages, of.deliveries, of.events, of.left),
        suppression_key=hall.suppression_key,
        now=hall.clock(),
        each=_leave_if_asked(bench),
    )


def read_suppressions(bench: Bench) -> None:
    """Take over whom the provider will not mail; nothing to do where nobody can be asked."""
    hall = bench.hall
    if hall.records is not None:
        suppress.sync(hall.database, hall.records, suppression_key=hall.suppression_key, now=hall.clock())


def poll_group(bench: Bench, group: int = 0, groups: int = 1) -> None:
    """Poll the due feeds of one group of hosts."""
    hall = bench.hall
    leave = _leave_if_asked(bench)
    poll(
        hall.database,
        hall.fetcher,
        hall.parser,
        clock=hall.clock,
        concurrency=hall.settings.feeds.concurrency,
        intervals=hall.intervals,
        each=lambda done, total: leave(done),
        group=group,
        groups=groups,
    )


def apply_events(bench: Bench) -> None:
    """Apply what the provider told and nobody has applied: a web process may have died in between."""
    hall = bench.hall
    events.apply_waiting(hall.database, suppression_key=hall.suppression_key, now=hall.clock())


def end_pauses(bench: Bench) -> None:
    """Whose pause is over is active again."""
    pauses.end_due(bench.hall.database, now=bench.hall.clock())


def take_inbox(bench: Bench) -> None:
    """Take in the files that lie in the inbox folder."""
    folder = bench.hall.settings.summaries.inbox
    if folder is not None:
        inbox.take_all(bench.hall, folder, should_stop=bench.should_stop)


JOBS: dict[str, Callable[..., None]] = {
    "plan": plan_run,
    "compose": compose_run,
    "dispatch": dispatch_run,
    "settle": settle_run,
    "notices": send_notices,
    "poll": poll_group,
    "inbox": take_inbox,
    "events": apply_events,
    "pauses": end_pauses,
    "suppressions": read_suppressions,
    "unconfirmed": forget_unconfirmed,
    "retention": keep_tidy,
}


def _run(bench: Bench, run_id: int) -> Run:
    with bench.hall.database.read() as connection:
        return runs.run_by_id(connection, run_id)


def _leave_if_asked(bench: Bench) -> Callable[[int], None]:
    """Called after each transaction of a long task."""

    def look(done: int) -> None:
        if bench.should_stop():
            raise StopAskedError

    return look
