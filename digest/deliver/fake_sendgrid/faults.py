"""What can go wrong between a request and its answer, to order or at random."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

FaultKind = Literal[
    "status", "reset_before_read", "reset_after_accept", "truncate_response", "no_x_message_id",
    "late_accept", "hang_after_accept", "delay", "close_idle",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing going wrong. ``accept``: a ``status`` fault that mails all the same (the cruel one).

    ``delay_s``: real seconds before the answer; ``retry_after_s`` and ``reset_at``: headers of a 429, which
    has none at all when ``tells_when`` is False.
    """

    kind: FaultKind
    status: int = 503
    accept: bool = False
    delay_s: float = 0.0
    retry_after_s: int | None = None
    reset_at: int | None = None
    tells_when: bool = True


EVERY_FAULT: tuple[Fault, ...] = (
    Fault("status", 429, retry_after_s=0),
    *(Fault("status", status, accept=accept) for status in (500, 502, 503, 504) for accept in (False, True)),
    Fault("reset_before_read"),
    Fault("reset_after_accept"),
    Fault("truncate_response"),
    Fault("no_x_message_id"),
    Fault("late_accept"),
    Fault("close_idle"),
)


@dataclass(slots=True)
class FaultPlan:
    """Faults to come: first those in the queue, then at random with ``probability``."""

    rng: random.Random
    queue: list[Fault | None] = field(default_factory=list)
    probability: float = 0.0
    at_random: Sequence[Fault] = EVERY_FAULT
    happened: list[Fault] = field(default_factory=list)

    def next(self) -> Fault | None:
        """The fault of the next request; None in the queue lets one request through."""
        fault = self._drawn()
        if fault is not None:
            self.happened.append(fault)
        return fault

    def _drawn(self) -> Fault | None:
        if self.queue:
            return self.queue.pop(0)
        if self.at_random and self.rng.random() < self.probability:
            return self.rng.choice(self.at_random)
        return None
