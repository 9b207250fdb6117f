"""A bounded memory of rendered fragments: thousands of editions share their entries."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Memo(Generic[Value]):
    """Remembers values up to ``limit`` in weight, the most recently asked ones longest.

    Two generations: when the young one has half the weight it becomes the old one, and what was not asked
    for since is forgotten. No step goes through a dictionary that another thread may change, so threads can
    share it; at worst a value is made twice.
    """

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._young: dict[Hashable, Value] = {}
        self._old: dict[Hashable, Value] = {}
        self._weights: dict[Hashable, int] = {}
        self._weight = 0

    def get(self, key: Hashable) -> Value | None:
        """The value kept under the key, or None."""
        value = self._young.get(key)
        if value is None and (value := self._old.get(key)) is not None:
            self.keep(key, value, weight=self._weights.get(key, 0))
        return value

    def keep(self, key: Hashable, value: Value, *, weight: int) -> None:
        """Remember the value; older ones may be forgotten for it."""
        if self._weight + weight > self._half:
            old, weights = self._young, self._weights.copy()
            self._old, self._young, self._weight = old, {}, 0
            self._weights = {key: w for key, w in weights.items() if key in old}
        self._young[key] = value
        self._weights[key] = weight
        self._weight += weight

    @property
    def weight(self) -> int:
        """What is kept now, in the weights given."""
        return sum(self._weights.copy().values())
