"""What tests ask of processes that they have started, or that those have."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def until(is_so: Callable[[], bool]) -> None:
    """Wait for it, twenty seconds at the most. Raises: AssertionError."""
    for _ in range(2_000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it did not become so within 20 seconds")


def lives(process: int) -> bool:
    """Whether a process runs: a dead one that nobody has waited for does not."""
    try:
        told = Path(f"/proc/{process}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return told.rpartition(")")[2].split()[0] != "Z"
