"""Equal news is printed once, and is for each reader what they would get alone."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model import Format, Page, Profile
from digest.render.page import render_page
from digest.render.skeleton import Skeleton, compile_skeleton
from tests.unit.render.builders import PUBLICATION, decided, edition, skeleton, sources, whole_edition


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(("road", "school", "£", "a" * 80)), max_size=4), st.integers(3_000, 90_000))
def test_equal_news_is_printed_once_and_is_what_each_would_get_alone(keywords: list[str], room: int) -> None:
    """Also where the words themselves make the letter too large, and other entries have to give way."""
    own = compile_skeleton_once()
    news = object()
    for format in Format:
        for words in ([], keywords, [*keywords, "more"]):
            profile = Profile(councils=("stockport",), keywords=tuple(words), format=format)
            alone = whole_edition(profile=profile)
            together = render_page(alone.with_news((news, format)), own, max_bytes=room)
            assert together == render_page(alone, skeleton(), max_bytes=room)
            assert together.form is not None


def test_pages_of_equal_news_share_their_form_and_nothing_else_does() -> None:
    own = compile_skeleton_once()
    news = object()

    def page(*words: str, **changes: object) -> Page:
        profile = Profile(councils=("stockport",), keywords=words)
        return render_page(whole_edition(profile=profile, **changes).with_news(news), own)

    first, second = page("zebra"), page("unicorn", "road")
    assert first.form is second.form
    assert "zebra" in first.text
    assert "zebra" not in second.text + (second.html or "") + str(second.form)
    changed = replace(first, text="something else")
    assert (changed.form, changed.own) == (None, ("", ""))


@lru_cache
def compile_skeleton_once() -> Skeleton:
    """One of this module's own, so that no other test has filled its memory."""
    return compile_skeleton(sources(), PUBLICATION)


def test_an_own_shell_that_never_says_why_or_twice_is_a_letter_too() -> None:
    for says in (0, 2):
        texts = dict(sources())
        for file, one in (("letter.txt", "{{ sentence|wrapped }}"), ("letter.mjml", "{{ sentence }}")):
            assert one in texts[file]
            texts[file] = texts[file].replace(one, " ".join([one] * says) or "-")
        profile = Profile(councils=("stockport",), keywords=("zebra & co",))
        page = render_page(edition(decided(), profile=profile), compile_skeleton(texts, PUBLICATION))
        assert page.text.count("zebra & co") == (page.html or "").count("zebra &amp; co") == says
        assert not set("\x02\x04") & set(page.text + (page.html or ""))
