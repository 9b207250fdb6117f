"""Editions composed by several processes of this machine: rendering keeps a processor busy, not a thread.

Each process takes every so-manieth edition and stores it by compare-and-set, as two runs side by side do.
Whoever dies leaves its editions to the others' last round, so nothing is done twice and nothing is lost.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime

from digest.pipeline.compose import Limits, Printer, compose
from digest.pipeline.helpers import Helper, ShouldStop, is_forkable
from digest.store import editions
from digest.store.database import Database
from digest.store.runs import Run

# Fewer editions than this are composed sooner than a process has begun.
LEAST_EACH = 500


def compose_together(
    database: Database,
    run: Run,
    *,
    printer: Printer,
    limits: Limits,
    now: datetime,
    each: Callable[[int], None] = lambda n: None,
    processes: int = 1,
    least_each: int = LEAST_EACH,
    may_fork: Callable[[], bool] = is_forkable,
) -> bool:
    """``compose`` of a run by up to so many processes; the pages are the same with any number of them."""
    with database.read() as connection:
        waiting = editions.count_to_compose(connection, run.id)
    parts = min(processes, waiting // least_each) if may_fork() else 1

    def part_of(own: Database, part: int, parts: int, each: Callable[[int], None]) -> bool:
        return compose(own, run, printer=printer, limits=limits, now=now, each=each, part=part, parts=parts)

    if parts < 2:
        return part_of(database, 0, 1, each)

    def help_with(part: int) -> Callable[[ShouldStop], None]:
        def work(should_stop: ShouldStop) -> None:
            def go_on(n: int) -> None:
                if should_stop():
                    sys.exit()  # what is composed is stored, the rest is the others'

            own = Database(database.url)
            part_of(own, part, parts, go_on)
            own.close()

        return work

    database.close()
    helpers = [Helper(help_with(part)) for part in range(1, parts)]
    done = _Count(each)
    try:
        part_of(database, 0, parts, done)
        for helper in helpers:
            helper.is_over()
    finally:
        for helper in helpers:
            helper.kill()
    is_whole = part_of(database, 0, 1, done)
    each(max(waiting - done.n, 0))
    return is_whole


class _Count:
    """Passes progress on and adds it up."""

    def __init__(self, each: Callable[[int], None]) -> None:
        self._each = each
        self.n = 0

    def __call__(self, n: int) -> None:
        self.n += n
        self._each(n)
