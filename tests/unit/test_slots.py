"""Slots: local times become instants, once each, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import SubscriberError
from digest.model import Cadence, Schedule
from digest.slots import (
    FIRST_WEEK,
    MOST_SLOTS,
    WEEKDAYS,
    due_slots,
    late_limit,
    latest_slot,
    next_allowed,
    next_slot,
    schedule_of,
    schedule_with,
    slots_between,
    window_of,
    zone_of,
)

LONDON = "Europe/London"
SUNDAY_EVENING = schedule_of("weekly", "sunday", "18:00", LONDON)
ZONES = (
    "UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia",
    "Africa/Casablanca", "America/St_Johns", "Pacific/Chatham", "Asia/Tehran", "Africa/Cairo",
    "America/Santiago",
)  # fmt: skip


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(slot: datetime, zone: str) -> datetime:
    return slot.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


days = st.one_of(
    st.just(("daily", "")),
    st.tuples(st.sampled_from(["weekly", "fortnightly"]), st.sampled_from(WEEKDAYS)),
    st.tuples(st.just("monthly"), st.integers(1, 28).map(str)),
    st.tuples(
        st.just("monthly"),
        st.tuples(
            st.sampled_from(["first", "second", "third", "fourth", "last"]), st.sampled_from(WEEKDAYS)
        ).map(" ".join),
    ),
)
quarters = st.integers(0, 95).map(lambda n: f"{n // 4:02}:{n % 4 * 15:02}")
schedules = st.builds(lambda d, t, z: schedule_of(d[0], d[1], t, z), days, quarters, st.sampled_from(ZONES))
instants = st.datetimes(datetime.fromisoformat("2005-01-01"), datetime.fromisoformat("2045-01-01")).map(
    lambda d: d.replace(tzinfo=UTC)
)


def test_a_weekly_slot_keeps_its_local_time_over_both_clock_changes() -> None:
    slots = slots_between(SUNDAY_EVENING, utc("2025-03-20"), utc("2025-04-10"))
    assert slots == [utc("2025-03-23T18:00"), utc("2025-03-30T17:00"), utc("2025-04-06T17:00")]
    slots = slots_between(SUNDAY_EVENING, utc("2025-10-19"), utc("2025-11-03"))
    assert slots == [utc("2025-10-19T17:00"), utc("2025-10-26T18:00"), utc("2025-11-02T18:00")]


def test_a_time_that_does_not_exist_fires_at_the_first_instant_after_the_gap() -> None:
    in_the_gap = schedule_of("weekly", "sunday", "01:30", LONDON)
    assert latest_slot(in_the_gap, utc("2025-03-31")) == utc("2025-03-30T01:00")


def test_a_time_that_comes_twice_fires_once_the_first_time() -> None:
    twice = schedule_of("daily", "", "01:30", LONDON)
    on_the_day = slots_between(twice, utc("2025-10-25T12:00"), utc("2025-10-26T12:00"))
    assert on_the_day == [utc("2025-10-26T00:30")]


def test_lord_howe_jumps_half_an_hour() -> None:
    in_the_gap = schedule_of("daily", "", "02:15", "Australia/Lord_Howe")
    slot = latest_slot(in_the_gap, utc("2025-10-05T00:00"))
    assert slot == utc("2025-10-04T15:30")
    assert local(slot, "Australia/Lord_Howe") == datetime.fromisoformat("2025-10-05T02:30")


def test_the_day_that_samoa_skipped_does_not_fire_twice() -> None:
    midnight = schedule_of("daily", "", "00:00", "Pacific/Apia")
    slots = slots_between(midnight, utc("2011-12-28T20:00"), utc("2012-01-01T20:00"))
    assert [local(s, "Pacific/Apia").day for s in slots] == [29, 31, 1, 2]


def test_fortnights_are_counted_from_the_first_monday_of_1970() -> None:
    fortnightly = schedule_of("fortnightly", "monday", "09:00", "UTC")
    assert next_slot(fortnightly, utc("1970-01-01")) == utc("1970-01-05T09:00")
    assert next_slot(fortnightly, utc("1970-01-05T09:00")) == utc("1970-01-19T09:00")
    sunday = schedule_of("fortnightly", "sunday", "09:00", "UTC")
    assert next_slot(sunday, utc("1970-01-05")) == utc("1970-01-11T09:00")


def test_monthly_by_ordinal_weekday() -> None:
    first = schedule_of("monthly", "First Sunday", "10:00", "UTC")
    assert next_slot(first, utc("2025-09-01")) == utc("2025-09-07T10:00")
    last = schedule_of("monthly", "last friday", "10:00", "UTC")
    assert slots_between(last, utc("2025-01-01"), utc("2025-03-31")) == [
        utc("2025-01-31T10:00"), utc("2025-02-28T10:00"), utc("2025-03-28T10:00"),
    ]  # fmt: skip


def test_a_leap_day_and_a_turn_of_the_year_are_days_like_others() -> None:
    daily = schedule_of("daily", "", "12:00", "UTC")
    assert utc("2024-02-29T12:00") in slots_between(daily, utc("2024-02-28"), utc("2024-03-02"))
    assert slots_between(daily, utc("2025-12-31T12:00"), utc("2026-01-01T12:00")) == [utc("2026-01-01T12:00")]


def test_of_several_missed_slots_the_last_is_due_and_the_others_are_merged() -> None:
    due = due_slots(SUNDAY_EVENING, after=utc("2025-09-01"), now=utc("2025-09-24"))
    assert due.last == utc("2025-09-21T17:00")
    assert due.merged == (utc("2025-09-07T17:00"), utc("2025-09-14T17:00"))


def test_nothing_is_due_between_two_slots() -> None:
    due = due_slots(SUNDAY_EVENING, after=utc("2025-09-21T17:00"), now=utc("2025-09-24"))
    assert due.last is None
    assert due.merged == ()


def test_a_slot_is_due_at_its_very_instant() -> None:
    at = utc("2025-09-21T17:00")
    assert due_slots(SUNDAY_EVENING, after=at - timedelta(seconds=1), now=at).last == at
    assert due_slots(SUNDAY_EVENING, after=at, now=at).last is None


def test_a_very_long_downtime_costs_a_bounded_list_that_ends_with_the_latest() -> None:
    daily = schedule_of("daily", "", "12:00", "UTC")
    slots = slots_between(daily, utc("1900-01-01"), utc("2025-01-01"))
    assert len(slots) == MOST_SLOTS
    assert slots[-1] == utc("2024-12-31T12:00")


@pytest.mark.parametrize(
    ("cadence", "hours"), [("daily", 12), ("weekly", 84), ("fortnightly", 168), ("monthly", 336)]
)
def test_a_run_is_late_after_half_its_cadence(cadence: str, hours: int) -> None:
    day = {"daily": "", "monthly": "1"}.get(cadence, "sunday")
    assert late_limit(schedule_of(cadence, day, "18:00", LONDON)) == timedelta(hours=hours)


@given(schedules, instants)
def test_next_and_latest_meet_without_a_slot_between(schedule: Schedule, at: datetime) -> None:
    before, after = latest_slot(schedule, at), next_slot(schedule, at)
    assert before <= at < after
    assert slots_between(schedule, before, after) == [after]
    assert latest_slot(schedule, after) == after


@given(schedules, instants, st.integers(1, 400))
def test_slots_between_splits_at_any_instant(schedule: Schedule, start: datetime, span: int) -> None:
    end = start + timedelta(days=span)
    middle = start + timedelta(days=span // 2, minutes=17)
    whole = slots_between(schedule, start, end)
    assert whole == slots_between(schedule, start, middle) + slots_between(schedule, middle, end)
    assert whole == sorted(set(whole))


@given(schedules, instants)
def test_every_slot_is_on_its_day_at_its_time_or_just_after_a_gap(schedule: Schedule, at: datetime) -> None:
    slot = next_slot(schedule, at)
    zone = ZoneInfo(schedule.timezone)
    here = slot.astimezone(zone)
    wanted = datetime.combine(here.date(), time.fromisoformat(schedule.time))
    if here.replace(tzinfo=None) != wanted:
        just_before = (slot - timedelta(seconds=1)).astimezone(zone)
        assert here.utcoffset() != just_before.utcoffset(), "off its time without a clock change"
        assert here.replace(tzinfo=None) > just_before.replace(tzinfo=None) + timedelta(seconds=1)
        return
    assert here.fold == 0
    if schedule.cadence in (Cadence.WEEKLY, Cadence.FORTNIGHTLY):
        assert WEEKDAYS[here.weekday()] == schedule.day
    if schedule.cadence is Cadence.FORTNIGHTLY:
        assert (here.date() - FIRST_WEEK).days // 7 % 2 == 0


@given(schedules, instants)
@settings(max_examples=50)
def test_a_daily_schedule_fires_on_every_local_day_of_a_year(schedule: Schedule, at: datetime) -> None:
    zone = schedule.timezone
    daily = schedule_of("daily", "", schedule.time, zone)
    slots = slots_between(daily, at, at + timedelta(days=365))
    here = [local(s, zone).date() for s in slots]
    expected = [here[0] + timedelta(days=n) for n in range((here[-1] - here[0]).days + 1)]
    skipped = {date(2011, 12, 30)} if zone == "Pacific/Apia" else set()
    assert sorted(set(here)) == [d for d in expected if d not in skipped]


# --- when letters may leave -----------------------------------------------------------------------


def test_inside_the_window_a_letter_leaves_at_once() -> None:
    at = utc("2025-07-01T12:00")
    assert next_allowed(at, window_of("06:00-22:00"), LONDON) == at


def test_at_night_it_waits_for_the_local_morning() -> None:
    assert next_allowed(utc("2025-07-01T21:00"), window_of("06:00-22:00"), LONDON) == utc("2025-07-02T05:00")
    assert next_allowed(utc("2025-07-02T04:59"), window_of("06:00-22:00"), LONDON) == utc("2025-07-02T05:00")


def test_a_window_may_run_over_midnight() -> None:
    night = window_of("22:00-06:00")
    assert next_allowed(utc("2025-01-01T23:00"), night, "UTC") == utc("2025-01-01T23:00")
    assert next_allowed(utc("2025-01-01T12:00"), night, "UTC") == utc("2025-01-01T22:00")


def test_a_window_inside_a_gap_opens_the_day_after() -> None:
    assert next_allowed(utc("2025-03-30T00:30"), window_of("01:15-01:45"), LONDON) == utc("2025-03-31T00:15")


@given(instants, st.integers(0, 1439), st.integers(1, 1440), st.sampled_from(ZONES))
def test_the_next_allowed_time_is_allowed_and_never_earlier(
    at: datetime, start: int, end: int, zone: str
) -> None:
    if start == end:
        return
    window = window_of(f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}")
    allowed = next_allowed(at, window, zone)
    assert at <= allowed <= at + timedelta(days=4)
    assert next_allowed(allowed, window, zone) == allowed


# --- what people write ------------------------------------------------------------------------------


def test_spellings_of_one_schedule_are_equal() -> None:
    assert schedule_of(" Weekly ", "SUNDAY", "8:00", LONDON) == schedule_of(
        "weekly", "sunday", "08:00", LONDON
    )
    assert schedule_of("monthly", "01", "08:00", LONDON).day == "1"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (("hourly", "", "18:00", LONDON), "hourly.*daily, weekly"),
        (("weekly", "sonntag", "18:00", LONDON), "sonntag.*(sunday|monday)"),
        (("weekly", "", "18:00", LONDON), "no day for a weekly digest"),
        (("daily", "sunday", "18:00", LONDON), "a daily digest has no day"),
        (("monthly", "29", "18:00", LONDON), "29.*1 to 28"),
        (("monthly", "fifth sunday", "18:00", LONDON), "fifth sunday.*first sunday"),
        (("monthly", "²", "18:00", LONDON), "no day for a monthly"),
        (("weekly", "sunday", "18:10", LONDON), "18:10.*quarter hour"),
        (("weekly", "sunday", "24:00", LONDON), "24:00.*quarter hour"),
        (("weekly", "sunday", "6pm", LONDON), "6pm.*HH:MM"),
        (("weekly", "sunday", "18:00", "Europe/Lodnon"), "Europe/Lodnon.*Europe/London"),
        (("weekly", "sunday", "18:00", "Europe"), '"Europe" is no time zone'),
        (("weekly", "sunday", "18:00", "../../etc/passwd"), "is no time zone"),
        (("weekly", "sunday", "18:00", ""), "is no time zone"),
    ],
)
def test_what_cannot_be_a_schedule_is_refused_with_the_mend(
    written: tuple[str, str, str, str], says: str
) -> None:
    with pytest.raises(SubscriberError, match=says):
        schedule_of(*written)


@pytest.mark.parametrize(
    "text", ["", "6-22", "06:00", "06:00-06:00", "24:00-06:00", "06:00-25:00", "06:70-07:00"]
)
def test_what_cannot_be_a_window_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SubscriberError, match="06:00-22:00"):
        window_of(text)


def test_a_wish_for_a_part_keeps_the_rest_of_the_default() -> None:
    assert schedule_with(SUNDAY_EVENING, time="07:15") == schedule_of("weekly", "sunday", "07:15", LONDON)
    assert schedule_with(SUNDAY_EVENING, cadence="daily").day == ""
    assert schedule_with(SUNDAY_EVENING, cadence="monthly").day == "first sunday"
    first_friday = schedule_of("monthly", "first friday", "18:00", LONDON)
    assert schedule_with(first_friday, cadence="weekly").day == "friday"
    assert schedule_with(schedule_of("daily", "", "18:00", LONDON), cadence="weekly").day == "sunday"
    assert schedule_with(schedule_of("monthly", "15", "18:00", LONDON), cadence="monthly").day == "15"


def test_a_zone_is_known_by_its_exact_name() -> None:
    assert zone_of("Europe/London").key == "Europe/London"
