"""Plain text: lines of 72 columns that lose no word, and safe single lines."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.render.plain import COLUMNS, many_lines, tidy, wrapped

WORDS = st.lists(st.text("abcä-/.", min_size=1, max_size=90), max_size=80)


@given(WORDS, st.sampled_from(["", "  "]))
def test_lines_are_as_the_standard_library_breaks_them(words: list[str], indent: str) -> None:
    text = " ".join(words)
    expected = textwrap.wrap(
        text,
        COLUMNS,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    has_mark = words and words[0] in ("-", "*", "•")
    if not has_mark:
        assert wrapped(text, indent).split("\n") == (expected or [""])


@given(WORDS)
def test_no_word_is_lost_or_cut(words: list[str]) -> None:
    assert wrapped(" ".join(words), "  ", "- ").split() == (["-", *words] if words else [])


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a\n\nb", ["a", "", "b"]),
        ("- " + "word " * 20, ["- " + "word " * 13 + "word", "  word word word word word word"]),
        ("https://x.example/" + "y" * 90, ["https://x.example/" + "y" * 90]),
    ],
)
def test_paragraphs_lists_and_addresses_keep_their_form(text: str, lines: list[str]) -> None:
    assert wrapped(text).split("\n") == lines


def test_many_lines_keep_their_breaks_and_nothing_else() -> None:
    assert many_lines("a\r\nb\rc\x00\x02\u202e\ud800") == "a\nb\nc\ufffd"


def test_a_text_part_is_tidy() -> None:
    assert tidy("\n\na  \n\n\n\nb\n\n") == "a\n\nb\n"
