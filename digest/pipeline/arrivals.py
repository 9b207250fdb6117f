"""Answers on their way from the threads that ask to the one that stores: bounded, taken many at a time."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

_T = TypeVar("_T")

# How many may wait to be stored, and how many one transaction takes: enough that a commit is shared, few
# enough that whoever else writes the log waits for well under a second. Nothing waits longer than the
# patience: what a poll has learnt is soon safe.
WAITING, TOGETHER, PATIENCE_S = 256, 64, 0.2


class Arrivals(Generic[_T]):
    """``expected`` answers in all; waking the taker for every single one would cost more than storing it."""

    def __init__(self, expected: int) -> None:
        self._to_come = expected
        self._here: list[_T] = []
        self._is_closed = False
        lock = threading.Lock()
        self._is_worth_it = threading.Condition(lock)
        self._has_room = threading.Condition(lock)

    def put(self, one: _T) -> bool:
        """Hand one over, waiting while too many wait; False when nobody takes any more."""
        with self._has_room:
            while len(self._here) >= WAITING and not self._is_closed:
                self._has_room.wait()
            if self._is_closed:
                return False
            self._here.append(one)
            self._to_come -= 1
            if self._is_enough():
                self._is_worth_it.notify()
            return True

    def take(self) -> list[_T]:
        """Up to ``TOGETHER`` answers in the order of their arrival; empty when all have been taken."""
        with self._is_worth_it:
            while not self._here and self._to_come:
                self._is_worth_it.wait_for(self._is_enough, PATIENCE_S)
            taken, self._here = self._here[:TOGETHER], self._here[TOGETHER:]
            self._has_room.notify_all()
            return taken

    def close(self) -> None:
        """Nobody takes any more: who waits to hand over is let go."""
        with self._has_room:
            self._is_closed = True
            self._has_room.notify_all()

    def _is_enough(self) -> bool:
        return len(self._here) >= TOGETHER or not self._to_come
