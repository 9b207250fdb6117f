"""Summaries that come in by folders: those the studio watches, and the inbox as the desk shows it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from digest.resources import resource_dir
from digest.web.app import create_app, create_preview_app
from digest.wiring import Hall
from scheduler import inbox
from tests.integration.desk.conftest import WORDS, Operator
from tests.integration.web.conftest import serving

SAMPLE = "stockport-2025-09-03-children-families.md"
LOOK = "/studio?council=stockport&view=text"


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    """A folder with one summary that is published already."""
    folder = tmp_path / "watched"
    folder.mkdir()
    sample = resource_dir("samples") / "summaries" / SAMPLE
    (folder / SAMPLE).write_text(sample.read_text(encoding="utf-8"), encoding="utf-8")
    return folder


@pytest.fixture
def watching(hall: Hall, watched: Path) -> Iterator[Operator]:
    """`digest preview --watch FOLDER`."""
    app = create_preview_app(hall, watched=(watched,))
    with serving(app) as found, httpx.Client(base_url=found, timeout=60) as http:
        yield Operator(http)


def test_a_changed_summary_is_in_the_letter_at_the_next_look(watching: Operator, watched: Path) -> None:
    assert "the tram to Marple" not in watching.get(LOOK).text
    file = watched / SAMPLE
    before, _, after = file.read_text(encoding="utf-8").partition("questions:\n")
    changed = f"{before}questions:\n  - Will the tram to Marple come?\n{after}"
    file.write_text(changed, encoding="utf-8")
    assert "the tram to Marple" in unescape(watching.get(LOOK).text)


def test_a_broken_summary_is_named_with_line_and_reason_while_the_letter_stays(
    watching: Operator, watched: Path
) -> None:
    before = watching.get(LOOK).text
    assert "cannot be used" not in before
    (watched / "broken.md").write_text("---\ncouncil: stockprt\n---\n# What?\n", encoding="utf-8")
    page = unescape(watching.get(LOOK).text)
    assert "cannot be used" in page
    assert f"{watched / 'broken.md'}:" in page
    assert "Stockport" in page.split('<pre class="source">')[1]
    (watched / "broken.md").unlink()
    assert "cannot be used" not in watching.get(LOOK).text


def test_the_inbox_shows_what_waits_what_was_taken_and_what_was_refused_and_why(
    hall: Hall, watched: Path
) -> None:
    (watched / "broken.md").write_text("no head at all\n", encoding="utf-8")
    inbox.take_all(hall, watched)  # too fresh: whoever copies them in may still be writing
    for path in watched.iterdir():
        os.utime(path, (1, 1))
    inbox.take_all(hall, watched)
    (watched / "later.md").write_text("being written", encoding="utf-8")
    with_inbox = hall.settings.summaries.model_copy(update={"inbox": watched})
    hall.settings = hall.settings.model_copy(update={"summaries": with_inbox})
    with serving(create_app(hall)) as found, httpx.Client(base_url=found, timeout=60) as http:
        http.post("/operator/sign-in", data={"name": "vera", "password": WORDS})
        page = unescape(Operator(http).get("/summaries").text)
    assert "1 waiting, 1 taken, 1 refused" in page
    assert "later.md" in page
    assert "broken.md" in page
    assert "line 1" in page
