"""`digest scheduler` and `digest worker`: the processes that run for years."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.entrance import FAILED, Entrance, say
from digest.cli.signals import on_signals

if TYPE_CHECKING:
    from digest.wiring import Hall


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.command("scheduler")(scheduler)
    app.command("worker")(worker)


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
    """Whether steps are done here or put into the queue, as ``queue.engine`` says."""
    if hall.settings.queue.engine == "local":
        return {}
    from scheduler import queue
    from scheduler.health import Health

    queue.require_current(hall.settings.database_url)
    jobs = queue.Queue(hall.settings.database_url)
    health = Health(hall.database, clock=hall.clock)

    def free_stalled() -> None:
        for name in jobs.free_stalled():
            health.note_stalled(name)

    parts = hall.settings.queue.parts
    return {"parts": parts, "groups": queue.GROUPS, "act": jobs.act, "each_beat": free_stalled}


def worker(
    context: typer.Context,
    queues: Annotated[
        str, typer.Option(help="Only these: letters, notices, feeds, house; with commas.")
    ] = "",
) -> None:
    """Take work from the queue, on this machine or another; start as many as there are cores to spare.

    Needs queue.engine = "procrastinate" and a running `digest scheduler`. Ends within seconds of SIGTERM.

    Example: digest worker --queues letters,notices
    """
    from digest.errors import SettingsError

    log_to_stderr()
    entrance: Entrance = context.obj
    with entrance.hall(runs_on=True) as hall:
        if hall.settings.queue.engine != "procrastinate":
            raise SettingsError(
                'a worker takes work from a queue, and queue.engine is "local": the scheduler does all of it '
                'by itself; write queue.engine = "procrastinate" to have workers'
            )
        from scheduler import queue
        from scheduler.worker import Worker

        hall.database.require_current()
        queue.require_current(hall.settings.database_url)
        _ = hall.skeleton, hall.signer, hall.suppression_key, hall.rules
        wanted = [name.strip() for name in queues.split(",") if name.strip()]
        of = hall.settings.queue
        made = Worker(lambda: another(hall), queues=wanted, parts=of.parts, wake_s=of.wake_s)
        on_signals(made.stop)
        made.run()


def another(hall: Hall) -> Hall:
    """One more hall of the same installation, for a thread of its own."""
    from digest.wiring import Hall

    made = Hall(hall.settings, hall.clock)
    made.skeleton = hall.skeleton  # compiled once, and immutable
    return made


def leave(*, is_clean: bool) -> None:
    """End the process, also while a thread hangs in a request: the ledger knows what that may have done."""
    if not is_clean:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def log_to_stderr() -> None:
    """One JSON line an event, on stderr: ids only, never addresses."""
    import logging

    import structlog

    # What these would say as text on many lines, our own lines say as events.
    for name in ("psycopg.pool", "procrastinate", "apscheduler"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
