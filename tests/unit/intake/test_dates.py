"""Dates and times as councils write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.intake.dates import find_time, find_when, published

NEAR = date(2026, 11, 24)
DAY = date(2026, 12, 14)

SPELLINGS = {
    "Monday, 14th December, 2026 6.30 pm": time(18, 30),
    "Monday 14th December 2026 7.00 p.m.": time(19),
    "Mon 14 Dec 2026, 7pm": time(19),
    "14 December 2026 at 14:00": time(14),
    "14th of December 2026 at 10.30am": time(10, 30),
    "14/12/2026 18:00": time(18),
    "14.12.2026 18.00": time(18),
    "14-12-26 18:00": time(18),
    "2026-12-14T18:00": time(18),
    "2026/12/14 18:00:21": time(18),
    "December 14th, 2026 @ 7:00 PM": time(19),
    "Monday, Dec 14, 2026 - 7:00 PM - 9:00 PM": time(19),
    "Monday, 14th December, 2026 12.00 noon": time(12),
    "Monday, 14th December, 2026 12 noon": time(12),
    "Monday, 14th December, 2026 noon": time(12),
    "Monday, 14th December, 2026 12.00 midday": time(12),
    "Monday, 14th December, 2026 12.15 am": time(0, 15),
    "Monday, 14th December, 2026 12.15 pm": time(12, 15),
    "Monday, 14th December, 2026 midnight": time(0),
    "Monday, 14th December, 2026 1800 hrs": time(18),
    "Monday, 14th December, 2026 18.00hrs": time(18),
    "Monday, 14th December, 2026 commencing at 6.00 pm": time(18),
    "Monday, 14th December, 2026 (7.00 pm)": time(19),
    "Monday, 14th December, 2026 6 - 8pm": time(18),
    "Monday, 14th December, 2026 6.00 - 8.00 pm": time(18),
    "Monday, 14th December, 2026 11.30 to 1.00 pm": time(11, 30),
    "Monday, 14th December, 2026 10.00 am to 12 noon": time(10),
    "Monday, 14th December, 2026 9.30": time(9, 30),
    "Monday, 14th December, 2026 6.30 pm GMT": time(18, 30),
    "Monday, 14th December, 2026": None,
    "Monday, 14th December, 2026 at the rising of Cabinet": None,
    "Monday, 14th December, 2026 following the conclusion of Council": None,
    "Monday, 14th December, 2026 Time to be confirmed": None,
    "7pm on Monday 14 December 2026": time(19),
    "7.30 pm, Monday 14 December 2026": time(19, 30),
    "Monday 14 December": None,
    "Dydd Llun, 14eg Rhagfyr, 2026 1.00 y.h.": time(13),
    "Dydd Llun, 14eg Ragfyr 2026 10.30 y.b.": time(10, 30),
    "Nos Lun 14 Rhagfyr 2026 7.00 yh": time(19),
}


@pytest.mark.parametrize(("text", "at"), SPELLINGS.items())
def test_a_spelling_is_read(text: str, at: time | None) -> None:
    when = find_when(text, country="gb", near=NEAR)
    assert when is not None
    assert (when.day, when.time) == (DAY, at)


@pytest.mark.parametrize(
    "text",
    [
        "Licensing (2003 Act) Sub-Committee",
        "Budget 2026/27",
        "Item 14, report 6.30",
        "31st February 2026",
        "Monday, 1st January, 0001",
        "Plan 2024-27",
        "Agenda 12/13",
        "",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert find_when(text, country="gb", near=NEAR) is None


def test_day_and_month_in_figures_follow_the_country() -> None:
    british = find_when("08/12/2026", country="gb")
    american = find_when("08/12/2026", country="us")
    assert british is not None
    assert british.day == date(2026, 12, 8)
    assert american is not None
    assert american.day == date(2026, 8, 12)


def test_figures_that_fit_only_the_other_order_are_a_doubt() -> None:
    when = find_when("12/14/2026", country="gb")
    assert when is not None
    assert when.day == DAY
    assert when.doubts


def test_a_weekday_that_does_not_fit_is_a_doubt_not_another_day() -> None:
    when = find_when("Tuesday, 3rd September, 2025 6.00 pm", country="gb")
    assert when is not None
    assert when.day == date(2025, 9, 3)
    assert "Tuesday" in when.doubts[0]


def test_a_time_that_names_no_half_of_the_day_is_a_doubt_not_a_guess() -> None:
    when = find_when("Monday, 14th December, 2026 7.30", country="gb")
    assert when is not None
    assert when.time is None
    assert "morning or evening" in when.doubts[0]


def test_a_date_without_year_is_the_one_near_its_publication() -> None:
    new_year = find_when("Monday 4 January", country="gb", near=date(2026, 12, 20))
    last_year = find_when("15 December", country="gb", near=date(2027, 1, 5))
    assert new_year is not None
    assert new_year.day == date(2027, 1, 4)
    assert last_year is not None
    assert last_year.day == date(2026, 12, 15)


def test_without_a_publication_a_date_without_year_is_not_guessed() -> None:
    assert find_when("Monday 4 January", country="gb") is None


def test_the_first_time_of_a_range_counts() -> None:
    assert find_time("07:00 PM - 09:00 PM") == time(19)
    assert find_time("All Day") is None


def test_summer_time_is_seen_in_the_instant() -> None:
    before = find_when("23 October 2026 6.00 pm", country="gb")
    after = find_when("26 October 2026 6.00 pm", country="gb")
    assert before is not None
    assert before.instant("Europe/London") == datetime(2026, 10, 23, 17, tzinfo=UTC)
    assert after is not None
    assert after.instant("Europe/London") == datetime(2026, 10, 26, 18, tzinfo=UTC)


Writer = Callable[[date, time], str]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def ordinal(day: int) -> str:
    return f"{day}{'th' if 10 < day < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


def twelve(at: time) -> str:
    return f"{at.hour % 12 or 12}.{at.minute:02} {'pm' if at.hour > 11 else 'am'}"


WRITERS: tuple[Writer, ...] = (
    lambda d, t: f"{DAYS[d.weekday()]}, {ordinal(d.day)} {MONTHS[d.month - 1]}, {d.year} {twelve(t)}",
    lambda d, t: f"{DAYS[d.weekday()]} {d.day} {MONTHS[d.month - 1]} {d.year} at {t:%H:%M}",
    lambda d, t: f"{d:%d/%m/%Y} {t:%H:%M}",
    lambda d, t: f"{MONTHS[d.month - 1]} {d.day}, {d.year} {t:%I:%M %p}",
    lambda d, t: f"{d.isoformat()}T{t:%H:%M}",
)
NAMES = (
    "Cabinet",
    "Audit, Risk & Standards - Panel A",
    "Licensing (2003 Act) Sub-Committee",
    "Joint Board 2026",
)


@given(
    day=st.dates(date(1995, 1, 1), date(2098, 12, 31)),
    minutes=st.integers(0, 24 * 60 - 1),
    writer=st.sampled_from(WRITERS),
    name=st.sampled_from(NAMES),
)
def test_any_date_and_time_is_read_back_among_other_words(
    day: date, minutes: int, writer: Writer, name: str
) -> None:
    at = time(minutes // 60, minutes % 60)
    text = f"Meeting of {writer(day, at)}, {name}"
    when = find_when(text, country="gb", near=NEAR)
    assert when is not None
    assert (when.day, when.time, when.doubts) == (day, at, ())
    assert text[when.end :] == f", {name}"


@given(st.text(max_size=200))
def test_no_text_breaks_the_search(text: str) -> None:
    when = find_when(text, country="gb", near=NEAR)
    if when is not None:
        assert 0 <= when.start < when.end <= len(text)
    published(text, timezone="Europe/London", country="gb")


PUBLISHED = {
    "Thu, 15 Oct 2026 17:00:00 +0100": datetime(2026, 10, 15, 16, tzinfo=UTC),
    "Fri, 16 Oct 2026 17:00:00 BST": datetime(2026, 10, 16, 16, tzinfo=UTC),
    "Fri, 16 Oct 2026 17:00:00 IST": datetime(2026, 10, 16, 16, tzinfo=UTC),
    "Fri, 16 Oct 2026 17:00:00 GMT": datetime(2026, 10, 16, 17, tzinfo=UTC),
    "Fri, 16 Oct 2026 17:00:00": datetime(2026, 10, 16, 16, tzinfo=UTC),
    "Mon, 16 Oct 2026 17:00:00 GMT": datetime(2026, 10, 16, 17, tzinfo=UTC),
    "Fri, 16 Oct 26 17:00 +0100": datetime(2026, 10, 16, 16, tzinfo=UTC),
    "Fri, 16 Oct 2026 24:00:00 GMT": datetime(2026, 10, 17, 0, tzinfo=UTC),
    "16/10/2026 17:00": datetime(2026, 10, 16, 16, tzinfo=UTC),
    "16 October 2026 5:00 PM": datetime(2026, 10, 16, 16, tzinfo=UTC),
    "2026-10-16T17:00:00Z": datetime(2026, 10, 16, 17, tzinfo=UTC),
    "2026-10-16T17:00:00.123+02:00": datetime(2026, 10, 16, 15, tzinfo=UTC),
    "Tue, 15 Dec 2020 05:00:00 -0800": datetime(2020, 12, 15, 13, tzinfo=UTC),
    "Mon, 01 Jan 0001 00:00:00 GMT": None,
    "yesterday": None,
    "": None,
}


@pytest.mark.parametrize(("text", "at"), PUBLISHED.items())
def test_a_publication_is_read(text: str, at: datetime | None) -> None:
    assert published(text, timezone="Europe/London", country="gb") == at
