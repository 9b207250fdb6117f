"""A small installation behind HTTP; the clock stands where the test puts it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from digest.settings import load_settings
from digest.web.app import create_app
from digest.web.listening import listening
from digest.wiring import Hall

NOW = datetime(2025, 9, 7, 17, 0, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that a test moves."""

    at: datetime = field(default=NOW)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, by: timedelta) -> None:
        self.at += by


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hall(tmp_path: Path, clock: Clock) -> Iterator[Hall]:
    """An empty installation with the outbox as its sender, on SQLite."""
    settings = load_settings(
        None,
        {
            "DIGEST_DATABASE_URL": f"sqlite:///{tmp_path}/digest.db",
            "DIGEST_BASE_URL": "http://testserver",
            "DIGEST_SECRET_KEY": "k" * 64,
            "DIGEST_SUPPRESSION_KEY": "s" * 64,
            "DIGEST_OUTBOX__DIRECTORY": f"{tmp_path}/outbox",
            "DIGEST_PUBLICATION__NAME": "Council Digest",
            "DIGEST_PUBLICATION__FROM": "digest@example.org",
        },
    )
    made = Hall(settings, clock)
    made.database.upgrade()
    yield made
    made.close()


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """A real server of that application, on a free port of this machine: its address."""
    with listening("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def client(hall: Hall) -> Iterator[httpx.Client]:
    """Asks the installation over HTTP; follows no redirect, so that a test sees each answer."""
    with serving(create_app(hall)) as address, httpx.Client(base_url=address, timeout=60) as asked:
        yield asked
