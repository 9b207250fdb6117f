"""The samples behind a desk, with one operator of each role."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from digest.cli.demo import run_demo
from digest.model import Role
from digest.pipeline import operators
from digest.settings import load_settings
from digest.web.app import create_app, create_preview_app
from digest.wiring import Hall
from tests.integration.web.conftest import serving

NOW = datetime(2025, 9, 7, 17, 0, tzinfo=UTC)
WORDS = "four words make one"


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one demo: councils, summaries, readers, a run that is done, an operator of each role."""
    folder = tmp_path_factory.mktemp("demo")
    run_demo(folder, as_json=True)
    made = Hall(load_settings(str(folder / "digest.toml"), {}), lambda: NOW)
    for name, role in (("vera", Role.VIEWER), ("ed", Role.EDITOR), ("ada", Role.ADMIN)):
        operators.add(made.database, name, role=role, password=WORDS, actor="test", now=NOW)
    made.close()
    return folder


@pytest.fixture
def hall(samples: Path, tmp_path: Path) -> Iterator[Hall]:
    """A copy of the demo; vera is a viewer, ed an editor, ada an admin."""
    shutil.copytree(samples, tmp_path / "demo")
    settings = load_settings(str(tmp_path / "demo" / "digest.toml"), {})
    settings = settings.model_copy(
        update={"safety": settings.safety.model_copy(update={"allow_list": ("test@example.org",)})}
    )
    made = Hall(settings, lambda: NOW)
    yield made
    made.close()


@dataclass(frozen=True)
class Operator:
    """A browser at the desk."""

    http: httpx.Client

    def get(self, path: str) -> httpx.Response:
        """A page under /operator."""
        return self.http.get(f"/operator{path}")

    def post(self, path: str, *, on: str, **fields: str) -> httpx.Response:
        """A form of the page ``on``, with that page's seal."""
        found = re.search(r'name="seal" value="([^"]+)"', self.get(on).text)
        seal = found[1] if found else ""
        return self.http.post(f"/operator{path}", data={"seal": seal, **fields})


@pytest.fixture
def address(hall: Hall) -> Iterator[str]:
    """Where the desk answers."""
    with serving(create_app(hall)) as found:
        yield found


@pytest.fixture
def signed_in(address: str) -> Iterator[Callable[[str], Operator]]:
    """Signs an operator in by name."""
    opened: list[httpx.Client] = []

    def sign_in(name: str) -> Operator:
        http = httpx.Client(base_url=address, timeout=60)
        opened.append(http)
        if name:
            answer = http.post("/operator/sign-in", data={"name": name, "password": WORDS})
            assert answer.status_code == 303, answer.text
        return Operator(http)

    yield sign_in
    for http in opened:
        http.close()


@pytest.fixture
def studio(hall: Hall) -> Iterator[Operator]:
    """`digest preview` of this machine: nobody signs in."""
    with serving(create_preview_app(hall)) as found, httpx.Client(base_url=found, timeout=60) as http:
        yield Operator(http)
