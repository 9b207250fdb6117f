"""Connections and transactions on SQLite and PostgreSQL, and whether the schema fits this program.

``Database.read()`` and ``Database.write()`` are the only ways in. A write on SQLite is
``BEGIN IMMEDIATE`` (one writer at a time, no lock upgrade that could fail half-way); on PostgreSQL
it is an ordinary transaction, ``REPEATABLE READ`` where planning asks for it.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from digest.errors import DatabaseBusyError, SchemaError, StoreError
from digest.store import tables
from digest.store.writing import begin_writing

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
HEAD = "0006"
# Programs from this schema on work with HEAD too. A migration that only expands leaves it; one that contracts
# sets it to the schema that no longer used what goes (docs/operating.md, "A new version").
OLDEST_PROGRAM = "0005"
_NOBODYS = "~"  # sorts behind every revision
# A table of the schema's own, beside alembic's: what it says is of this database and never copied to another.
_KEEP_OLDEST = (
    "CREATE TABLE IF NOT EXISTS oldest_program (revision VARCHAR(32) NOT NULL)",
    "DELETE FROM oldest_program",
    f"INSERT INTO oldest_program VALUES ('{OLDEST_PROGRAM}')",
)
BUSY_TIMEOUT_MS = 30_000
# Kilobytes of SQLite pages kept per connection: the hot pages of a million readers, within the memory bar.
CACHE_KB = 16_384

LOCK_LOG = 7_301
LOCK_PLAN = 7_302
LOCK_SCHEMA = 7_303


class _NotKeptError(Exception):
    """Ends a rehearsal."""


class Database:
    """One database, by its URL (``sqlite:///digest.db`` or ``postgresql://…``). Safe to share by threads."""

    def __init__(self, url: str, *, cache_kb: int = CACHE_KB, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        """``busy_timeout_ms``: how long to wait for SQLite's locks. Nothing is opened yet.

        Raises: StoreError when the URL or its driver cannot be used.
        """
        self.url = _with_driver(url)
        self.is_sqlite = self.url.startswith("sqlite")
        self._cache_kb = cache_kb
        self._busy_timeout_ms = busy_timeout_ms
        self.engine = self._engine()
        self._checked = False
        self._lock = threading.Lock()

    def _engine(self) -> Engine:
        try:
            if not self.is_sqlite:
                return create_engine(self.url, pool_pre_ping=True, pool_size=5, max_overflow=10)
            engine = create_engine(
                self.url,
                poolclass=QueuePool,
                pool_size=4,
                pool_use_lifo=True,
                max_overflow=12,
                connect_args={"check_same_thread": False},
            )
        except (ArgumentError, ModuleNotFoundError) as error:
            raise StoreError(
                f"database_url cannot be used: {error} (PostgreSQL needs council-digest[postgres])"
            ) from error
        event.listen(engine, "connect", self._on_connect)
        # SQLAlchemy must not begin transactions by itself: we say IMMEDIATE.
        event.listen(engine, "begin", lambda connection: None)
        return engine

    def _on_connect(self, connection: Any, record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={self._busy_timeout_ms}",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"cache_size=-{self._cache_kb}",
            "temp_store=FILE",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    # --- transactions ---------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in a read transaction: on SQLite all of it sees one state, on PostgreSQL each
        statement its own."""
        self.require_current()
        with self._translated(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                self._end(connection, "ROLLBACK")

    @contextmanager
    def write(
        self, *, durable: bool = False, repeatable: bool = False, lock: int | None = None
    ) -> Iterator[Connection]:
        """A connection in a write transaction: committed on leaving, rolled back on any error.

        ``durable``: survives a power failure once left (SQLite ``synchronous=FULL``; WAL with NORMAL may
        lose the last commits). ``repeatable``: all statements see one state (PostgreSQL). ``lock``: one
        of ``LOCK_*``, held until the end; on SQLite the write lock itself is that lock.
        Raises: DatabaseBusyError when another process holds the database too long.
        """
        self.require_current()
        with self._translated(), self.engine.connect() as connection:
            yield from self._writing(connection, durable=durable, repeatable=repeatable, lock=lock)

    @contextmanager
    def rehearse(self) -> Iterator[Connection]:
        """As ``write``, but whatever was written is rolled back on leaving."""
        with suppress(_NotKeptError), self.write() as connection:
            yield connection
            raise _NotKeptError

    def _writing(
        self, connection: Connection, *, durable: bool, repeatable: bool, lock: int | None
    ) -> Iterator[Connection]:
        if self.is_sqlite:
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            begin_writing(connection, patience_ms=self._busy_timeout_ms)
        elif repeatable:
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        session_lock = lock if repeatable and not self.is_sqlite else None
        try:
            if session_lock is not None:
                # Taken and committed before the snapshot: a repeatable read must not begin while waiting.
                connection.execute(text("SELECT pg_advisory_lock(:k)"), {"k": session_lock})
                connection.commit()
            elif lock is not None and not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": lock})
            yield connection
            self._end(connection, "COMMIT")
        except BaseException:
            self._end(connection, "ROLLBACK")
            raise
        finally:
            if session_lock is not None:
                connection.execute(text("SELECT pg_advisory_unlock(:k)"), {"k": session_lock})
                connection.commit()

    def _end(self, connection: Connection, how: str) -> None:
        if not self.is_sqlite:
            connection.commit() if how == "COMMIT" else connection.rollback()
            return
        raw = connection.connection.dbapi_connection
        if raw is not None and raw.in_transaction:
            connection.exec_driver_sql(how)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            raise self._operational(error) from error
        except OverflowError as error:
            raise StoreError(f"{self.shown_url} has no number as large as that: {error}") from error
        except DatabaseError as error:
            if "could not serialize" in str(error.orig):
                raise DatabaseBusyError(
                    f"{self.shown_url}: somebody changed the same rows: try again"
                ) from error
            if "malformed" in str(error.orig):
                raise StoreError(
                    f"{self.shown_url} is damaged: stop everything and restore a backup (`digest db restore`)"
                ) from error
            if "file is not a database" in str(error.orig):
                raise StoreError(
                    f"{self.shown_url} is not a database: name another file in database_url"
                ) from error
            raise

    def _operational(self, error: DBAPIError) -> StoreError:
        said = str(error.orig).strip().splitlines()[0] if error.orig else str(error)
        if "locked" in said or "busy" in said or "could not serialize" in said or "deadlock" in said:
            return DatabaseBusyError(f"{self.shown_url} is held by another process for too long: try again")
        if "unable to open" in said:
            return StoreError(
                f"{self.shown_url} cannot be opened: does its folder exist and may you write there?"
            )
        if "readonly" in said:
            return StoreError(
                f"{self.shown_url} cannot be written: may this user write to its file and to the folder?"
            )
        if "disk is full" in said:
            return StoreError(
                f"the disk of {self.shown_url} is full: make room and start again, nothing was lost"
            )
        return StoreError(f"{self.shown_url}: {said}")

    @property
    def shown_url(self) -> str:
        """The URL without its password."""
        return make_url(self.url).render_as_string(hide_password=True)

    # --- schema -------------------------------------------------------------------------------------

    def version(self) -> str | None:
        """The revision of the schema that the database has; None for an empty one."""
        with self._translated(), self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()

    def _require_file(self) -> None:
        """To look at a database makes none: SQLite would lay an empty file where nobody meant one."""
        file = make_url(self.url).database
        if self.is_sqlite and file and file != ":memory:" and not Path(file).exists():
            raise SchemaError(
                f"{self.shown_url} does not exist: go to the folder of your installation or give --config; "
                "`digest db upgrade` (or `digest init`) makes a new one"
            )

    def require_current(self) -> None:
        """Raises: SchemaError that says which side is older and what to do."""
        if self._checked:
            return
        self._require_file()
        found = self.version()
        if found == HEAD:
            self._checked = True
        elif found is None:
            raise SchemaError(
                f"{self.shown_url} has no tables yet: run `digest db upgrade` (or `digest init`)"
            )
        elif found > HEAD and self._oldest_program() <= HEAD:
            self._checked = True
        elif found > HEAD:
            raise SchemaError(
                f"{self.shown_url} has schema {found}, this program knows {HEAD}: install a newer one"
            )
        else:
            raise SchemaError(
                f"{self.shown_url} has schema {found}, this program needs {HEAD}: run `digest db upgrade`"
            )

    def _oldest_program(self) -> str:
        """The oldest schema whose program works with this one, as whoever brought it here has said."""
        with self._translated(), self.engine.connect() as connection:
            if not inspect(connection).has_table("oldest_program"):
                return _NOBODYS
            return connection.execute(text("SELECT revision FROM oldest_program")).scalar() or _NOBODYS

    def upgrade(self) -> None:
        """Bring the schema to this program's. Twice is harmless; two at once wait for each other.

        A newer one with which this program works is left as it is. Raises: SchemaError for any other.
        """
        from alembic import command
        from alembic.config import Config

        found = self.version()
        if found is not None and found > HEAD:
            self.require_current()
            return
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self._lock, self._translated(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": LOCK_SCHEMA})
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
                for statement in _KEEP_OLDEST:
                    connection.exec_driver_sql(statement)
                self._end(connection, "COMMIT")
            except BaseException:
                self._end(connection, "ROLLBACK")
                raise
        self._checked = False

    def check(self) -> tuple[str, ...]:
        """What is wrong with the database, in sentences; empty means nothing."""
        self.require_current()
        with self._translated(), self.engine.connect() as connection:
            missing = sorted(set(tables.metadata.tables) - set(inspect(connection).get_table_names()))
            found = [f"the table {name} is missing: restore a backup" for name in missing]
            if self.is_sqlite:
                answer = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
                found += [f"SQLite says: {line}" for line in answer if line != "ok"]
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                found += [f"a row of {row[0]} points to nothing in {row[2]}" for row in broken]
            return tuple(found)

    def backup(self, to: Path) -> None:
        """Copy a SQLite database while it is in use; the copy appears whole or not at all.

        Only an older backup is replaced by it.
        Raises: StoreError for PostgreSQL, when the file cannot be written, or is there and is something else.
        """
        if not self.is_sqlite:
            raise StoreError("back a PostgreSQL database up with its own pg_dump")
        self.require_current()
        if to.exists():
            self._require_replaceable(to)
        temporary = to.with_name(to.name + ".part")
        try:
            target = sqlite3.connect(temporary)
            with self.engine.connect() as connection:
                source: Any = connection.connection.dbapi_connection
                source.backup(target)
            target.close()
            temporary.replace(to)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{to} cannot be written: {error}") from error

    def _require_replaceable(self, to: Path) -> None:
        if to.samefile(str(self.engine.url.database)):
            raise StoreError(f"{to} is the database itself: name another file")
        try:
            _require_backup(to)
        except StoreError as error:
            raise StoreError(f"{to} is there and is no backup: name another file") from error

    def restore(self, source: Path, *, replace: bool = False) -> Path | None:
        """Put a backup in this SQLite database's place; where the old one was kept, if there was one.

        Nothing may use the database meanwhile. The file appears whole or not at all.
        Raises: StoreError for PostgreSQL, a file that is no backup of ours, or when there is a database and
        ``replace`` is not given.
        """
        if not self.is_sqlite:
            raise StoreError("restore a PostgreSQL database with its own pg_restore")
        _require_backup(source)
        place = Path(str(self.engine.url.database))
        if place.exists() and not replace:
            raise StoreError(f"{place} is there: move it away, or add --replace, which keeps it beside")
        self.close()
        temporary, kept = place.with_name(place.name + ".part"), None
        try:
            shutil.copyfile(source, temporary)
            if place.exists():
                # What is still in the old database's log belongs to it, and would spoil the new one.
                with closing(sqlite3.connect(place)) as old:
                    old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                kept = place.with_name(place.name + ".before")
                place.replace(kept)
            for tail in ("-wal", "-shm"):
                place.with_name(place.name + tail).unlink(missing_ok=True)
            temporary.replace(place)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{place} cannot be written: {error}") from error
        return kept

    def close(self) -> None:
        """Let go of every connection. Twice is harmless."""
        self.engine.dispose()


def _require_backup(source: Path) -> None:
    """Raises: StoreError when the file is no whole database of this program or an older one."""
    if not source.is_file():
        raise StoreError(f"{source} is no file: name one that `digest db backup` wrote")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)) as opened:
            (version,) = opened.execute("SELECT version_num FROM alembic_version").fetchone()
            (is_whole,) = opened.execute("PRAGMA integrity_check").fetchone()
    except (sqlite3.Error, TypeError) as error:
        raise StoreError(f"{source} is no backup of a digest database ({error})") from error
    if is_whole != "ok":
        raise StoreError(f"{source} is damaged ({is_whole}): take an older backup")
    if version > HEAD:
        raise StoreError(f"{source} has schema {version}, this program knows {HEAD}: install a newer one")


def _with_driver(url: str) -> str:
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    if not url.startswith(("sqlite:", "postgresql+psycopg:")):
        raise StoreError(f"database_url {url.split(':')[0]!r} is neither sqlite:///file nor postgresql://…")
    return url
