"""Being asked to leave, by an operator or by the system."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any


def on_signals(stop: threading.Event) -> None:
    """SIGTERM and Ctrl-C ask to leave; a second one leaves at once."""

    def ask(number: int, frame: Any) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
