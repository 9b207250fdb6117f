"""Steps as jobs of Procrastinate, for as many workers on as many machines as there are.

A job carries ids and is a wake-up: the tables say what is done, so a job that comes twice, late or never
harms nothing, and the next look makes it again. Equal jobs that wait are one (``queueing_lock``), equal jobs
never run side by side (``lock``). Its tables live in a PostgreSQL schema of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import psycopg
import structlog
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Status
from procrastinate.schema import SchemaManager, migrations_path
from psycopg import sql
from sqlalchemy.engine import make_url

from digest.errors import SchemaError, StoreError
from digest.store.database import LOCK_SCHEMA
from scheduler.jobs import JOBS, do
from scheduler.steps import FEEDS, HOUSE, LETTERS, NOTICES, Bench, Step

SCHEMA = "digest_queue"
GROUPS = 16
"""Groups of hosts: as many workers can poll at the same time."""
HEARTBEAT_S, STALLED_AFTER_S = 5.0, 20.0
_LOG = structlog.get_logger()

_RUN = ("plan", "compose", "dispatch", "settle")
QUEUES = {
    **dict.fromkeys(_RUN, LETTERS),
    "notices": NOTICES,
    "poll": FEEDS,
    **dict.fromkeys((name for name in JOBS if name not in (*_RUN, "notices", "poll", "inbox")), HOUSE),
}
"""Which queue each task waits in; a worker has one thread for each, so none starves another."""


def conninfo(url: str) -> str:
    """What psycopg understands of a database_url."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def sync_app(url: str) -> App:
    """An app to put jobs into the queue with, from any thread; open it, and close it."""
    return App(connector=SyncPsycopgConnector(**_pool(url, most=4)))


def async_app(url: str, *, most: int = 6) -> App:
    """An app for a worker."""
    return App(connector=PsycopgConnector(**_pool(url, most=most)))


def _pool(url: str, *, most: int) -> dict[str, Any]:
    options = {"options": f"-c search_path={SCHEMA}"}
    return {"conninfo": conninfo(url), "kwargs": options, "min_size": 1, "max_size": most, "timeout": 10.0}


class Queue:
    """Puts steps into the queue; what only this process can do is done here."""

    def __init__(self, url: str) -> None:
        """Raises: StoreError when the database cannot be reached."""
        self._url = url
        self._app = sync_app(url)
        try:
            self._app.open()
        except ConnectorException as error:
            raise StoreError(f"the queue cannot be reached: {error}") from error

    def act(self, bench: Bench, step: Step) -> None:
        """Put a step into its queue, or do it. Raises: StoreError when the queue cannot be reached."""
        if step.is_here:
            do(bench, step)
        else:
            self.put((step,))

    def put(self, steps: Iterable[Step]) -> None:
        """Put steps into their queues; one that waits there already stays one."""
        for step in steps:
            job = self._app.configure_task(
                step.task,
                queue=QUEUES[step.task],
                lock=step.key,
                queueing_lock=step.key,
            )
            try:
                job.defer(ids=list(step.ids))
            except AlreadyEnqueued:
                continue
            except ConnectorException as error:
                raise StoreError(f"the queue cannot be reached: {_line(error)}") from error

    def free_stalled(self) -> list[str]:
        """Give up jobs whose worker is gone or frozen; returns their keys. The next look makes them again."""
        try:
            return asyncio.run(_free_stalled(self._url))
        except ConnectorException as error:
            raise StoreError(f"the queue cannot be reached: {_line(error)}") from error

    def close(self) -> None:
        """Let go of the connections. Twice is harmless."""
        self._app.close()


async def _free_stalled(url: str) -> list[str]:
    app = async_app(url, most=2)
    async with app.open_async():
        found = list(await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S))
        for job in found:
            await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
        await app.job_manager.prune_stalled_workers(2 * STALLED_AFTER_S)
    return [str(job.lock) for job in found]


def _line(error: BaseException) -> str:
    return " ".join(str(error.__cause__ or error).split())[:200]


# --- its tables ------------------------------------------------------------------------------------------

_MADE = sql.SQL("CREATE TABLE IF NOT EXISTS digest_migration (name text PRIMARY KEY)")


def upgrade(url: str) -> bool:
    """Make the queue's tables, or bring them to this Procrastinate's; False when nothing was to do.

    Twice is harmless, two at once wait for each other. Raises: StoreError.
    """
    try:
        with psycopg.connect(conninfo(url)) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK_SCHEMA,))
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA)))
            connection.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(SCHEMA)))
            return _migrate(connection)
    except psycopg.Error as error:
        raise StoreError(f"the queue's tables cannot be made: {_line(error)}") from error


def _migrate(connection: psycopg.Connection[Any]) -> bool:
    connection.execute(_MADE)
    done = {name for (name,) in connection.execute("SELECT name FROM digest_migration")}
    known = sorted(path.name for path in migrations_path.glob("*.sql"))
    new = [name for name in known if name not in done]
    if not done:
        connection.execute(SchemaManager.get_schema())
    else:
        for name in new:
            connection.execute((migrations_path / name).read_bytes())
    for name in new:
        connection.execute("INSERT INTO digest_migration VALUES (%s)", (name,))
    return bool(new)


def require_current(url: str) -> None:
    """Raises: SchemaError that says what to do where the queue's tables are missing or old; StoreError."""
    try:
        with psycopg.connect(conninfo(url)) as connection:
            table = connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.digest_migration",)).fetchone()
            done: set[str] = set()
            if table is not None and table[0] is not None:
                query = sql.SQL("SELECT name FROM {}.digest_migration").format(sql.Identifier(SCHEMA))
                done = {name for (name,) in connection.execute(query)}
    except psycopg.Error as error:
        raise StoreError(f"the queue cannot be reached: {_line(error)}") from error
    if not done:
        raise SchemaError("the queue has no tables yet: run `digest db upgrade`")
    if {path.name for path in migrations_path.glob("*.sql")} - done:
        raise SchemaError("the queue's tables are older than this Procrastinate: run `digest db upgrade`")
