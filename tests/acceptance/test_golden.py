"""Every kind of letter stays as it was looked at, in samples/expected.

When a change is meant, `python -m tests.golden --write` writes them anew.
"""

from __future__ import annotations

import pytest

from digest.render.lint import lint
from tests import golden

MOST_BYTES = 1_500_000
UNCONFIRMED = ("notice-confirm", "notice-address")


@pytest.mark.slow
@pytest.mark.xdist_group("golden")
@pytest.mark.parametrize("name", golden.names())
def test_a_letter_is_as_it_was_looked_at(name: str) -> None:
    for file, content in golden.files_of(name, golden.letters()[name]).items():
        changed = golden.difference(file, content)
        mend = "\nif this is meant: python -m tests.golden --write, and look at the letter"
        assert not changed, changed + mend


def test_no_other_file_lies_among_the_letters() -> None:
    found = {path.name.rpartition(".")[0] for path in golden.FOLDER.iterdir()}
    assert found == set(golden.names())


def test_the_letters_are_small_enough_to_keep() -> None:
    assert sum(path.stat().st_size for path in golden.FOLDER.iterdir()) <= MOST_BYTES


@pytest.mark.parametrize("name", golden.names())
def test_the_lint_finds_nothing_in_a_kept_letter(name: str) -> None:
    assert lint(golden.kept(name), value_bytes=0, needs_unsubscribe=name not in UNCONFIRMED) == ()


def test_readers_of_plain_text_get_no_html() -> None:
    without = {name for name in golden.names() if golden.kept(name).html is None}
    assert without == {"demo-text-only", "demo-welsh-text-only", "state-text-only"}


def test_a_change_is_shown_as_the_line_that_changed() -> None:
    page = golden.kept("notice-confirm")
    assert page.html is not None
    changed = golden.difference("notice-confirm.html", page.html.replace("Stockport", "Stockpot", 1))
    assert any(line.startswith("+") and "Stockpot" in line for line in changed.splitlines())
    assert len(changed.splitlines()) < 12
