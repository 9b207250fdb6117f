"""Copies of this process that share a piece of work: a processor is kept busy by processes, not threads."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

ShouldStop = Callable[[], bool]


def is_forkable() -> bool:
    """Whether a copy of this process is sound: another thread might hold a lock that nobody would free."""
    return sys.platform == "linux" and threading.active_count() == 1


class Helper:
    """A copy of this process that does ``work`` and ends. Nothing may be open while it is made.

    SQLite keeps one account of its locks per file and process, and a copy would trust the copied one
    (sqlite.org/howtocorrupt, 2.6); a connection to a server has one user.

    ``work`` is given a question to ask between its steps: whether it is to stop, because it was told to or
    because the process that made it is gone.
    """

    def __init__(self, work: Callable[[ShouldStop], None]) -> None:
        context = multiprocessing.get_context("fork")
        self._process = context.Process(target=_help, args=(work, os.getpid()), daemon=True)
        # What is there already is nothing for the copy's garbage collector to look through again and again.
        gc.freeze()
        try:
            self._process.start()
        finally:
            gc.unfreeze()

    def ask_to_stop(self) -> None:
        """It ends after the step that it is at. Twice is harmless."""
        if self._process.is_alive():
            self._process.terminate()

    def is_over(self, *, within_s: float | None = None) -> bool:
        """Whether it has ended; waits so long for it (None: until it has)."""
        self._process.join(within_s)
        return self._process.exitcode is not None

    def kill(self) -> None:
        """It ends now, whatever it is at. Twice is harmless."""
        self._process.kill()
        self._process.join()


def _help(work: Callable[[ShouldStop], None], parent: int) -> None:
    # An interrupt at the keyboard goes to all processes: the parent decides for its helpers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    told: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        told.append(number)

    signal.signal(signal.SIGTERM, stop)
    work(lambda: bool(told) or os.getppid() != parent)
