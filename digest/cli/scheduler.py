"""`digest scheduler` and `digest worker`: the processes that run for years."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.entrance import FAILED, Entrance, say

if TYPE_CHECKING:
    import threading

    from digest.wiring import Hall


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.command("scheduler")(scheduler)


def scheduler(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, then end.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not wait for the first live run by hand.")] = False,
) -> None:
    """Do everything when it is due, for years: polls, the inbox, runs, notices, retention.

    Two of them are harmless. Ends within seconds of SIGTERM or Ctrl-C; `digest status` shows how it goes.

    Example: digest scheduler
    """
    from scheduler.clock import Clock

    log_to_stderr()
    entrance: Entrance = context.obj
    with entrance.hall(runs_on=True) as hall:
        hall.database.require_current()
        # Templates and keys are looked at before anything begins: a wrong one stops here.
        _ = hall.skeleton, hall.signer, hall.suppression_key, hall.rules
        clock = Clock(
            lambda: another(hall), wake_s=hall.settings.queue.wake_s, is_confirmed=yes, **_engine_of(hall)
        )
        if once:
            failed = clock.once()
            if failed:
                say(f"{failed} tasks failed: see `digest status`")
                raise SystemExit(FAILED)
            return
        on_signals(clock.stop)
        leave(is_clean=clock.run())


def _engine_of(hall: Hall) -> dict[str, Any]:
    return {}


def another(hall: Hall) -> Hall:
    """One more hall of the same installation, for a thread of its own."""
    from digest.wiring import Hall

    made = Hall(hall.settings, hall.clock)
    made.skeleton = hall.skeleton  # compiled once, and immutable
    return made


def on_signals(stop: threading.Event) -> None:
    """SIGTERM and Ctrl-C ask to leave; a second one leaves at once."""

    def ask(number: int, frame: Any) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)


def leave(*, is_clean: bool) -> None:
    """End the process, also while a thread hangs in a request: the ledger knows what that may have done."""
    if not is_clean:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def log_to_stderr() -> None:
    """One JSON line an event, on stderr: ids only, never addresses."""
    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
