"""The real databases of the integration tests, for stories told through commands and HTTP alone."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from digest.cli import main
from tests.integration.conftest import (  # noqa: F401
    _postgres,
    _sqlite_template,
    database_url,
    postgres_url,
    sqlite_url,
)


@dataclass(frozen=True)
class Done:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    said: str

    @property
    def document(self) -> Any:
        """Stdout as the one JSON document it must be."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Operator:
    """Somebody at a terminal in a folder of their own."""

    folder: Path

    def digest(self, *words: str, now: str | None = "2025-09-04T09:00:00Z") -> Done:
        """Run the console script, in this process: an interpreter for each command would take a minute.

        ``now`` None: by the real clock.
        """
        said, complained = io.StringIO(), io.StringIO()
        code = 0
        with pytest.MonkeyPatch.context() as here, redirect_stdout(said), redirect_stderr(complained):
            here.chdir(self.folder)
            here.setattr(sys, "argv", ["digest", *(["--now", now] if now else []), *words])
            try:
                main()
            except SystemExit as ended:
                code = int(ended.code or 0)
        return Done(code, said.getvalue(), complained.getvalue())

    def write(self, name: str, content: str) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        return path


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    """An operator with settings, a database and one council, aber."""
    found = Operator(tmp_path)
    assert found.digest("init").code == 0
    assert found.digest("council", "add", "aber", "--name", "Aber").code == 0
    return found
