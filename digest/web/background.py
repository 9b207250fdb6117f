"""One thread beside the requests: does what a page promised, and sends the letters that it asked for.

A request never waits for it, so that no answer tells how much there was to do. It wakes when something is
asked for, and every minute, in case another process asked. What fails is tried again with growing waits; the
log has numbers and kinds of error, never an address.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from digest.errors import DigestError

EVERY_S = 60.0
FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 300.0
MOST_TRIES = 12
"""Two seconds, doubled up to five minutes: half an hour altogether."""
MOST_WAITING = 10_000
"""More than anybody types in a minute; a flood beyond it is told to come back later."""
STOP_WITHIN_S = 20.0

_log = structlog.get_logger("digest.web")


@dataclass(slots=True, eq=False)
class _Errand:
    id: int
    what: str
    do: Callable[[], object]
    due: float
    tries: int = 0


class Background:
    """``send`` hands over the letters that wait; errands come by ``soon``. Safe to share between threads."""

    def __init__(self, send: Callable[[], object], *, every_s: float = EVERY_S) -> None:
        self._send = _Errand(0, "send notices", send, 0.0)
        self._every_s = every_s
        self._errands: deque[_Errand] = deque()
        self._last_id = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._is_over = False
        self._thread: threading.Thread | None = None

    def soon(self, what: str, do: Callable[[], object]) -> bool:
        """Do this within a moment, then send. False when too much waits already: nothing was taken."""
        with self._lock:
            if len(self._errands) >= MOST_WAITING:
                return False
            self._last_id += 1
            self._errands.append(_Errand(self._last_id, what, do, time.monotonic()))
        self.wake()
        return True

    def wake(self) -> None:
        """Something was stored that is to be sent."""
        self._send.due = min(self._send.due, time.monotonic())
        self._wake.set()

    def start(self) -> None:
        """Begin; twice is harmless."""
        if self._thread is None:
            self._is_over = False
            self._thread = threading.Thread(target=self._run, name="background", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Do what was promised, then end. What fails now is lost, and said."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._is_over = True
            self._wake.set()
            thread.join(STOP_WITHIN_S)

    def _run(self) -> None:
        while not self._is_over:
            self._wake.wait(self._rest())
            self._wake.clear()
            self._round()
        for one in self._errands:
            _log.error("errand lost at the end", what=one.what, errand=one.id)

    def _rest(self) -> float:
        """Seconds until something is due."""
        with self._lock:
            soonest = min((one.due for one in self._errands), default=self._send.due)
        return min(max(min(soonest, self._send.due) - time.monotonic(), 0.0), self._every_s)

    def _round(self) -> None:
        now = time.monotonic()
        with self._lock:
            due = [one for one in self._errands if one.due <= now or self._is_over]
            self._errands = deque(one for one in self._errands if one.due > now and not self._is_over)
        for one in due:
            if not _tried(one) and one.tries < MOST_TRIES:
                with self._lock:
                    self._errands.append(one)
        if due or self._send.due <= now or self._is_over:
            self._send.due = now + self._every_s
            if _tried(self._send):
                self._send.tries = 0


def _tried(errand: _Errand) -> bool:
    """Do it; False when it failed and is to be tried again at ``due``."""
    try:
        errand.do()
    except DigestError as error:
        errand.tries += 1
        errand.due = time.monotonic() + min(FIRST_WAIT_S * 2 ** (errand.tries - 1), LONGEST_WAIT_S)
        _note("errand failed", errand, error)
        return False
    except Exception as error:  # noqa: BLE001  a bug in one errand must not end the thread that all the others need
        _note("errand broke", errand, error)
    return True


def _note(event: str, errand: _Errand, error: Exception) -> None:
    # The kind of error only: its message may hold an address.
    facts: dict[str, Any] = {"what": errand.what, "errand": errand.id, "tries": errand.tries}
    _log.error(event, error=type(error).__name__, **facts)


@asynccontextmanager
async def running(background: Background) -> AsyncIterator[None]:
    """The thread lives as long as the server does."""
    background.start()
    try:
        yield
    finally:
        background.stop()
