"""Every item leads somewhere: to all of it, to a calendar, and to less of its kind."""

from __future__ import annotations

import re

import pytest

from digest.model import Detail, Entry, MeetingStatus, Page, Profile
from digest.render import tags
from digest.render.lint import lint
from digest.render.page import render_page
from tests.unit.render.builders import (
    cancelled,
    coming_up,
    corrected,
    decided,
    edition,
    meeting,
    moved,
    papers,
    skeleton,
    whole_edition,
    withdrawn,
)

URL = "https://digest.council.example"
LESS = re.compile(r'<a class="less" href="([^"]*)" aria-label="([^"]*)"[^>]*>([^<]*)</a>')


def html_of(*entries: Entry) -> str:
    return render_page(edition(*entries), skeleton()).html or ""


def filled(page: Page) -> Page:
    values = tags.values_for(
        unsubscribe_url=f"{URL}/unsubscribe/u",
        preferences_url=f"{URL}/preferences/p",
        view_url=f"{URL}/view/v",
    )
    return tags.fill(page, values)


@pytest.mark.parametrize(
    "entry", [decided(), decided(detail=Detail.HEADLINE), moved(), papers(), coming_up()]
)
def test_each_item_has_a_link_to_less_of_its_committee(entry: Entry) -> None:
    (found,) = LESS.findall(html_of(entry))
    committee = entry.meeting.committee.replace("&", "%26").replace(" ", "%20")
    assert found[0] == f"-dgPrefs-?less=committee:stockport/{committee}"
    assert found[1:] == (f"Less of this: {entry.meeting.committee.replace('&', '&amp;')}", "Less of this")


@pytest.mark.parametrize("entry", [corrected(), withdrawn()])
def test_what_we_got_wrong_is_said_without_an_offer_to_hear_less(entry: Entry) -> None:
    assert LESS.findall(html_of(entry)) == []


def test_the_link_to_less_is_the_readers_own() -> None:
    page = filled(render_page(edition(decided()), skeleton()))
    assert f'href="{URL}/preferences/p?less=committee:stockport/Children%20%26%20Families' in (
        page.html or ""
    )


def test_a_committee_named_like_a_tag_hands_nothing_over() -> None:
    page = filled(render_page(edition(decided(meeting=meeting(committee="-dgUnsub-"))), skeleton()))
    assert "less=committee:stockport/&#45;dgUnsub-" in (page.html or "")
    assert (page.html or "").count("/unsubscribe/u") == html_of(decided()).count(tags.UNSUBSCRIBE)


def test_the_browser_view_offers_nobody_less() -> None:
    page = tags.neutral(render_page(whole_edition(), skeleton()), URL)
    assert "Less of this" not in (page.html or "")
    assert "less=" not in (page.html or "")
    assert LESS.search(render_page(whole_edition(), skeleton()).html or "")


def test_links_to_less_go_before_any_words_do() -> None:
    many = edition(*(decided(n) for n in range(6)), *(coming_up(n) for n in range(100, 124)))
    large = render_page(many, skeleton(), max_bytes=200_000)
    small = render_page(many, skeleton(), max_bytes=len(large.html or "") - 2_000)
    assert len(LESS.findall(large.html or "")) == 30
    assert LESS.findall(small.html or "") == []
    assert small.text == large.text


def test_a_coming_meeting_has_its_calendar_file_in_both_parts() -> None:
    page = render_page(edition(coming_up(20)), skeleton())
    link = f"{URL}/meetings/20/calendar.ics"
    assert f'href="{link}" aria-label="Add to calendar: Planning' in (page.html or "")
    assert f"Add to calendar: {link}\n" in page.text


@pytest.mark.parametrize(
    "entry",
    [
        cancelled(),
        coming_up(meeting=meeting(starts_at=None, starts_on=None)),
        coming_up(meeting=meeting(status=MeetingStatus.POSTPONED)),
    ],
)
def test_what_does_not_take_place_then_goes_into_no_calendar(entry: Entry) -> None:
    assert "calendar.ics" not in html_of(entry).replace("/councils/stockport/calendar.ics", "")


@pytest.mark.parametrize("detail", list(Detail))
def test_a_shortened_item_leads_to_all_of_it_in_both_parts(detail: Detail) -> None:
    page = render_page(edition(decided(7, detail=detail)), skeleton())
    assert f'href="{URL}/meetings/7"' in (page.html or "")
    assert f"Read all of it:\n{URL}/meetings/7\n" in page.text


@pytest.mark.parametrize("language", ["en", "cy"])
def test_the_lint_finds_nothing_in_a_letter_with_all_links(language: str) -> None:
    page = render_page(whole_edition(profile=Profile(councils=("stockport",), language=language)), skeleton())
    assert lint(page) == ()
    assert lint(filled(page), value_bytes=0) == ()
