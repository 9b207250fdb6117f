"""The desk with many readers behind it, small; `python -m tests.trial desk` has 100,000."""

from __future__ import annotations

from pathlib import Path

from tests.trial import pages


def test_no_page_grows_with_the_readers(tmp_path: Path, database_url: str) -> None:
    few = pages.answers(pages.beside(database_url), tmp_path / "few", 100)
    many = pages.answers(database_url, tmp_path / "many", 3_000)
    assert pages.grown(few, many) == []
    assert many["/subscribers"].size > few["/suppressions"].size
