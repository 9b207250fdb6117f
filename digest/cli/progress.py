"""How far a run is, on a terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from digest.pipeline.run import Progress


@contextmanager
def bars(asked: threading.Event) -> Iterator[Progress]:
    """Bars on a terminal. Asked to leave, work that owes nobody an answer ends where it is told of."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    from digest.pipeline.run import Progress

    rate = TextColumn("{task.fields[rate]:,.0f} a second")
    left = TimeRemainingColumn(elapsed_when_finished=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, left)
    # Drawn by us, not by a thread of its own: a run makes copies of this process to share its work.
    console, is_quiet = Console(stderr=True), not sys.stderr.isatty()
    with Bars(*columns, console=console, transient=True, auto_refresh=False, disable=is_quiet) as shown:
        tasks: dict[tuple[str, int], Any] = {}
        drawn_at = 0.0

        def bar_of(what: str, run_id: int) -> Any:
            if (what, run_id) not in tasks:
                tasks[what, run_id] = shown.add_task(f"Run {run_id}: {what}", total=None, rate=0)
            return tasks[what, run_id]

        def expect(what: str, run_id: int, n: int) -> None:
            if n:
                task = bar_of(what, run_id)
                shown.update(task, total=shown.tasks[task].completed + n)

        def tell(what: str, run_id: int, n: int) -> None:
            nonlocal drawn_at
            if asked.is_set() and what != "handed over":
                raise KeyboardInterrupt
            task = bar_of(what, run_id)
            shown.update(task, advance=n)
            shown.update(task, rate=shown.tasks[task].speed or 0)
            if (now := time.monotonic()) - drawn_at > 0.1:
                drawn_at = now
                shown.refresh()

        yield Progress(tell, expect)
