"""Tags: they cannot occur in content, they are replaced once, and nobody's links reach another."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import RenderError
from digest.model import Page
from digest.render import tags
from digest.render.page import render_page
from tests.unit.render.builders import condensed, decided, edition, meeting, skeleton, whole_edition

URL = "https://digest.council.example"


def values(name: str = "Anna") -> dict[str, str]:
    return tags.values_for(
        unsubscribe_url=f"{URL}/unsubscribe/u1",
        preferences_url=f"{URL}/preferences/p1",
        view_url=f"{URL}/view/v1",
        name=name,
    )


def whole(page: Page) -> str:
    return "\n".join((page.subject, page.preheader, page.html or "", page.text))


def test_no_tag_is_part_of_another() -> None:
    for one in tags.ALL_TAGS:
        assert [other for other in tags.ALL_TAGS if one in other] == [one]


def test_a_filled_letter_holds_no_tag() -> None:
    filled = tags.fill(render_page(whole_edition(), skeleton()), values())
    assert "-dg" not in whole(filled)
    assert f"{URL}/unsubscribe/u1" in filled.text
    assert "Hello Anna," in filled.text


_SCRAPS = (*tags.ALL_TAGS, "-", "-d", "-dg", "-dgU", "nsub-", "dgPrefs-", "x")


@given(st.lists(st.sampled_from(_SCRAPS), max_size=12).map("".join))
def test_tags_are_found_from_left_to_right_wherever_they_stand(text: str) -> None:
    filled = values()
    expected = re.sub("|".join(map(re.escape, tags.ALL_TAGS)), lambda tag: filled[tag[0]], text)
    page = Page(subject="", preheader="", html=None, text=text)
    assert tags.fill(page, filled).text == expected
    found = re.findall("|".join(map(re.escape, tags.ALL_TAGS)), text)
    assert set(tags.tags_in(page)) == set(found)


@given(st.text(alphabet="-dgUnsbPref0 ", max_size=60))
def test_content_can_never_hold_a_tag(text: str) -> None:
    for safe in (tags.neutralise(text), tags.neutralise_html(text)):
        assert not any(tag in safe for tag in tags.ALL_TAGS)


def test_an_address_in_text_that_holds_a_tag_still_leads_there() -> None:
    assert tags.neutralise(f"see {URL}/a-dgView-b now") == f"see {URL}/a%2DdgView-b now"


def test_tags_in_council_content_stay_plain_words() -> None:
    hostile = "Ask -dgUnsub- and -dgNameH- now"
    entry = decided(
        meeting=meeting(committee=hostile, title=hostile, venue=hostile, url=f"{URL}/x-dgUnsub-"),
        summary=condensed(
            headline=hostile,
            brief_html=f"<p>{hostile} <a href='{URL}/-dgPrefs-'>x</a></p>",
            brief_text=hostile,
        ),
    )
    page = render_page(edition(entry), skeleton())
    count = tags.fill(page, values()).text.count("/unsubscribe/u1")
    plain = tags.fill(render_page(edition(decided()), skeleton()), values()).text.count("/unsubscribe/u1")
    assert count == plain
    assert "-dg" not in page.subject


def test_a_name_goes_escaped_into_html_and_plain_into_text() -> None:
    filled = tags.fill(render_page(edition(decided()), skeleton()), values("Zoë <b>&\r\nBcc: x"))
    assert "Hello Zoë &lt;b&gt;&amp; Bcc: x," in (filled.html or "")
    assert "Hello Zoë <b>& Bcc: x," in filled.text


def test_a_name_that_is_a_tag_is_no_tag() -> None:
    filled = tags.fill(render_page(edition(decided()), skeleton()), values(tags.UNSUBSCRIBE))
    assert "Hello \u2011dgUnsub-," in filled.text


def test_a_value_is_not_searched_for_tags_again() -> None:
    page = Page(subject="s", preheader="p", html=None, text=f"{tags.NAME_TEXT} {tags.VIEW}")
    assert tags.fill(page, {tags.NAME_TEXT: tags.VIEW, tags.VIEW: "v"}).text == f"{tags.VIEW} v"


def test_a_missing_value_is_an_error_that_names_the_tag() -> None:
    page = Page(subject="s", preheader="p", html=None, text=tags.UNSUBSCRIBE)
    with pytest.raises(RenderError, match="-dgUnsub-"):
        tags.fill(page, {})


@pytest.mark.parametrize(
    "bad", ["javascript:alert(1)", 'https://x/"a', "https://x/<a>", "https://x/a&b", "https://x/a b", ""]
)
def test_an_address_that_html_would_read_is_refused(bad: str) -> None:
    with pytest.raises(RenderError, match="unsubscribe"):
        tags.values_for(unsubscribe_url=bad, preferences_url=URL, view_url=URL)


def test_the_browser_view_hands_over_no_account_and_no_name() -> None:
    page = tags.neutral(render_page(whole_edition(), skeleton()), URL + "/")
    assert "-dg" not in whole(page)
    assert "/unsubscribe/" not in whole(page)
    assert "/preferences/" not in whole(page)
    assert "Hello," in page.text


def test_filling_two_readers_mixes_nothing() -> None:
    page = render_page(edition(decided()), skeleton())
    one, other = tags.fill(page, values("Anna")), tags.fill(page, replace_all(values("Ben")))
    assert "Anna" not in other.text
    assert "u1" not in other.text
    assert "u2" not in one.text


def replace_all(filled: dict[str, str]) -> dict[str, str]:
    return {tag: value.replace("u1", "u2") for tag, value in filled.items()}


def test_a_text_only_page_is_filled_too() -> None:
    page = replace(render_page(edition(decided()), skeleton()), html=None)
    assert tags.fill(page, values()).html is None
