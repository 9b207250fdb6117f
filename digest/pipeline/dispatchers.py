"""Letters handed over by several processes of this machine: making their bodies keeps a processor busy.

Each is a holder of its own and claims like any other, so the ledger cannot tell helpers from a second
`digest run`: whoever dies leaves claims of a dead holder, and the others go on with the rest.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import replace

from digest.pipeline.dispatch import dispatch
from digest.pipeline.helpers import Helper, ShouldStop, is_forkable
from digest.pipeline.holder import Desk
from digest.store import batches
from digest.store.database import Database
from digest.store.runs import Run

# Less than this is handed over sooner than a process has begun.
LEAST_EACH = 5_000  # letters
LEAST_REQUESTS_EACH = 500
_LOOK_AGAIN_S = 0.05
# A helper that was asked to stop waits for the answer to its request, then puts back what it has claimed.
_LAST_ANSWER_S = 30.0
_BYTES = 8  # of a number that a helper writes and we read


def dispatch_together(
    database: Database,
    run: Run,
    desk: Desk,
    *,
    each: Callable[[int], None] = lambda n: None,
    processes: int = 1,
    holder_name: Callable[[], str] | None = None,
    least_each: int = LEAST_EACH,
    least_requests_each: int = LEAST_REQUESTS_EACH,
    may_fork: Callable[[], bool] = is_forkable,
) -> None:
    """``dispatch`` of a run by up to so many processes, ``holder_name`` being asked in each.

    One alone makes the first claim, so that trouble is found by few letters. With a limit an hour it stays
    alone: that is shared by all, and slower than one.
    """
    if processes > 1 and holder_name is not None and desk.letters_per_hour is None and may_fork():
        first = dispatch(database, run, desk, each=each, most_claims=1)
        with database.read() as connection:
            requests, letters = batches.ready(connection, run.id, now=desk.clock())
        parts = min(processes, max(requests // least_requests_each, letters // least_each))
        is_well = first.letters and not (first.why or first.refused or first.uncertain)
        if parts > 1 and is_well and not desk.should_stop():
            _share(database, run, desk, each=each, parts=parts, holder_name=holder_name)
    dispatch(database, run, desk, each=each)


def _share(
    database: Database,
    run: Run,
    desk: Desk,
    *,
    each: Callable[[int], None],
    parts: int,
    holder_name: Callable[[], str],
) -> None:
    """Until nothing is claimable, by so many processes; what a dead one held is left."""
    ours = replace(desk, at_once=max(desk.at_once // parts, 1), sharing=parts)
    # Every helper has a place to count in and nobody else writes there: no lock that a dead one would keep.
    counts = memoryview(mmap.mmap(-1, _BYTES * parts)).cast("q")

    def help_as(part: int) -> Callable[[ShouldStop], None]:
        def work(should_stop: ShouldStop) -> None:
            def count(n: int) -> None:
                counts[part] += n

            own = Database(database.url)
            dispatch(own, run, replace(ours, holder=holder_name(), should_stop=should_stop), each=count)
            desk.sender.close()
            own.close()

        return work

    database.close()
    desk.sender.close()
    helpers = [Helper(help_as(part)) for part in range(1, parts)]
    told = 0

    def tell(n: int) -> None:
        nonlocal told
        theirs = sum(counts)
        each(n + theirs - told)
        told = theirs

    try:
        dispatch(database, run, ours, each=tell)
        if desk.should_stop():
            _ask_to_stop(helpers)
        while not all(helper.is_over(within_s=_LOOK_AGAIN_S) for helper in helpers):
            tell(0)
    finally:
        _ask_to_stop(helpers)
        for helper in helpers:
            helper.is_over(within_s=_LAST_ANSWER_S)
            helper.kill()
    tell(0)


def _ask_to_stop(helpers: list[Helper]) -> None:
    for helper in helpers:
        helper.ask_to_stop()
