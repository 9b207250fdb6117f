"""Passages with the words found: marked where they stand, escaped whatever the text holds."""

from __future__ import annotations

import re
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from digest.render.plain import one_line
from digest.render.snippet import LENGTH, marked, passage

FILLER = "Nothing much was said about the weather of that week. " * 20


def test_a_word_is_marked_with_what_it_begins_and_a_short_one_only_whole() -> None:
    assert marked("Parks, parking, spark", ["park"]) == ("<mark>Parks</mark>, <mark>parking</mark>, spark")
    assert marked("At 43 of 431", ["43"]) == "At <mark>43</mark> of 431"


def test_a_phrase_is_marked_across_punctuation() -> None:
    assert marked("the 2025/26 budget", [], ["2025 26"]) == "the <mark>2025/26</mark> budget"


def test_the_passage_is_where_the_words_stand_together() -> None:
    text = f"The library. {FILLER} The library closes early. {FILLER}"
    found = passage(text, ["library", "closes"])
    assert "<mark>library</mark> <mark>closes</mark> early" in found
    assert found.startswith("…")
    assert found.endswith("…")


def test_what_the_text_holds_comes_out_escaped() -> None:
    found = passage('<script>alert("park")</script> & <mark>park', ["park", "script"])
    assert "<script" not in found
    assert re.sub(r"</?mark>", "", found) == (
        "&lt;script&gt;alert(&#34;park&#34;)&lt;/script&gt; &amp; &lt;mark&gt;park"
    )


@given(st.text(max_size=2000), st.lists(st.text(min_size=1, max_size=8).map(str.lower), max_size=4))
def test_a_passage_is_part_of_its_text_and_never_much_longer_than_asked(text: str, words: list[str]) -> None:
    words = [w for w in words if w.isalnum()]
    shown = unescape(str(re.sub(r"</?mark>", "", passage(text.replace("<", "("), words)))).strip("…")
    assert shown in unescape(one_line(text.replace("<", "("))) or "&" in text
    assert len(shown) <= LENGTH + 80 or " " not in shown
