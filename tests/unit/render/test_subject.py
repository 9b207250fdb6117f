"""Subject and preheader: what is inside, of the right length, safe."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import Edition, Page
from digest.render.page import render_page
from digest.render.plain import one_line, shortened
from tests.unit.render.builders import (
    AS_OF,
    cancelled,
    coming_up,
    condensed,
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


def page_of(value: Edition) -> Page:
    return render_page(value, skeleton())


def with_headline(headline: str) -> Page:
    return page_of(edition(decided(summary=condensed(headline=headline))))


def test_the_hook_question_of_the_top_item_comes_first() -> None:
    subject = page_of(whole_edition()).subject
    assert subject == "Will Stockport's £63 million SEND deficit worsen? And 13 more"


@pytest.mark.parametrize(
    ("value", "subject"),
    [
        (edition(coming_up()), "Coming up: Planning & Highways Regulation Committee, 11 September"),
        (edition(cancelled()), "Cancelled: Audit Committee, 3 September"),
        (edition(moved()), "Changed: Cabinet, 16 September"),
        (edition(papers()), "Papers: Planning & Highways Regulation Committee, 11 September"),
        (edition(corrected()), "Corrected: Will Stockport's £63 million SEND deficit…, 3 September"),
        (edition(withdrawn()), "Withdrawn: Children & Families Scrutiny Committee, 3 September"),
        (edition(is_quiet=True), "7 September: a quiet time at Stockport"),
    ],
)
def test_without_a_question_the_subject_says_what_is_there(value: Edition, subject: str) -> None:
    assert page_of(value).subject == subject


def test_two_quiet_weeks_have_different_subjects() -> None:
    later = edition(is_quiet=True, as_of=AS_OF + timedelta(days=7))
    assert page_of(edition(is_quiet=True)).subject != page_of(later).subject


def test_a_long_question_ends_after_a_whole_word() -> None:
    headline = (
        "Will the council's long and winding plan for the roads of the borough ever be finished in our days?"
    )
    subject = with_headline(headline).subject
    assert len(subject) <= 70
    assert subject.endswith("…")
    assert headline.startswith(subject[:-1])
    assert headline[len(subject) - 1] in " ,"


@given(st.text(max_size=300))
def test_no_content_breaks_a_subject_or_preheader(headline: str) -> None:
    page = with_headline(headline)
    for line, low, high in ((page.subject, 1, 70), (page.preheader, 40, 100)):
        assert low <= len(line) <= high
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]", line)
        line.encode("utf-8")


@given(st.lists(st.text("abc", min_size=1, max_size=9), min_size=1, max_size=30), st.integers(12, 80))
def test_a_cut_is_always_between_words(words: list[str], limit: int) -> None:
    text = " ".join(words)
    cut = shortened(text, limit)
    assert len(cut) <= limit
    assert cut == text or (cut.endswith("…") and text.startswith(cut[:-1] + " "))


@pytest.mark.parametrize(
    "value",
    [whole_edition(), edition(decided()), edition(coming_up()), edition(is_quiet=True), edition(earlier=3)],
)
def test_a_preheader_has_40_to_100_characters(value: Edition) -> None:
    assert 40 <= len(page_of(value).preheader) <= 100


def test_line_ends_and_direction_marks_are_gone() -> None:
    assert one_line("Free\r\nBcc: x\u202egnp.exe\u2066 now") == "Free Bcc: xgnp.exe now"


def test_a_committee_of_any_length_fits() -> None:
    long = meeting(committee="Very " * 60 + "long", title="x")
    assert len(page_of(edition(coming_up(meeting=long))).subject) <= 70
