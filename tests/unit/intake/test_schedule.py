"""When a feed is asked again, and how it stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import FeedError, FetchError
from digest.intake.schedule import (
    FeedHistory,
    Health,
    Intervals,
    Poll,
    adopted_address,
    after_poll,
    failed,
    health,
    silent_since,
)

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
FEED = FeedHistory("https://democracy.example.gov.uk/mgRss.aspx")
DAY = timedelta(days=1)


def wait(history: FeedHistory) -> timedelta:
    assert history.next_poll_at is not None
    return history.next_poll_at - NOW


def test_a_good_poll_is_followed_by_the_usual_interval_spread_a_little() -> None:
    after = after_poll(FEED, Poll(), now=NOW)
    assert timedelta(minutes=60) < wait(after) < timedelta(minutes=85)


def test_a_feed_that_changes_is_asked_more_often_and_a_quiet_one_less() -> None:
    busy, quiet = FEED, FEED
    for _ in range(20):
        busy = after_poll(busy, Poll(is_changed=True), now=NOW)
        quiet = after_poll(quiet, Poll(), now=NOW)
    assert busy.interval_s == Intervals().least_s
    assert quiet.interval_s == Intervals().most_s


def test_what_the_feed_asks_for_is_kept() -> None:
    after = after_poll(FEED, Poll(asked_s=43_200), now=NOW)
    assert wait(after) >= timedelta(hours=12)


def test_a_feed_cannot_ask_to_be_left_alone_for_years() -> None:
    after = after_poll(FEED, Poll(asked_s=10**9), now=NOW)
    assert wait(after) <= timedelta(days=1)


def test_retry_after_is_kept() -> None:
    error = FetchError("http", "429", status=429, retry_after_s=7_200.0)
    assert wait(after_poll(FEED, failed(error), now=NOW)) >= timedelta(hours=2)


def test_hours_to_skip_are_skipped() -> None:
    after = after_poll(FEED, Poll(skip_hours=frozenset({10, 11, 12})), now=NOW)
    assert after.next_poll_at == datetime(2026, 11, 25, 13, tzinfo=UTC)


def test_a_feed_that_skips_every_hour_is_not_believed() -> None:
    assert wait(after_poll(FEED, Poll(skip_hours=frozenset(range(24))), now=NOW)) < timedelta(hours=2)


def test_failures_double_the_wait_up_to_two_days() -> None:
    history, waits = FEED, []
    for _ in range(10):
        history = after_poll(history, failed(FetchError("timeout", "t")), now=NOW)
        waits.append(wait(history))
    assert waits[0] < waits[1] < waits[2] < waits[3]
    assert waits[-1] <= timedelta(hours=53)


def test_a_success_ends_the_back_off_and_the_failing() -> None:
    bad = after_poll(FEED, failed(FeedError("not_a_feed", "HTML")), now=NOW)
    assert health(bad, now=NOW) is Health.FAILING
    good = after_poll(bad, Poll(is_changed=True), now=NOW)
    assert (good.failures, good.failing_since, good.last_error) == (0, None, None)
    assert health(good, now=NOW) is Health.FRESH


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_waits_a_day_at_once(status: int) -> None:
    after = after_poll(FEED, failed(FetchError("http", "no", status=status, is_blocked=True)), now=NOW)
    assert wait(after) > timedelta(hours=21)
    assert health(after, now=NOW) is Health.BLOCKED


def test_a_feed_that_is_gone_is_retired() -> None:
    after = after_poll(FEED, failed(FetchError("http", "gone", status=410)), now=NOW)
    assert after.next_poll_at is None
    assert health(after, now=NOW) is Health.RETIRED


def test_since_when_a_feed_fails_is_remembered() -> None:
    history = FEED
    for hour in range(3):
        history = after_poll(history, failed(FetchError("timeout", "t")), now=NOW + timedelta(hours=hour))
    assert history.failing_since == NOW


def test_a_feed_without_news_for_long_is_quiet() -> None:
    history = after_poll(FEED, Poll(is_changed=True), now=NOW)
    assert health(history, now=NOW + 90 * DAY) is Health.QUIET


def test_a_feed_never_polled_waits() -> None:
    assert health(FEED, now=NOW) is Health.WAITING


NEW = "https://www.example.gov.uk/mgRss.aspx"


def moved(*, times: int, over: timedelta, url: str = FEED.url, to: str = NEW) -> FeedHistory:
    history = replace(FEED, url=url)
    for n in range(times):
        history = after_poll(history, Poll(moved_to=to), now=NOW + n * over / max(times - 1, 1))
    return history


def test_an_address_seen_three_times_over_two_days_is_adopted() -> None:
    assert adopted_address(moved(times=3, over=2 * DAY), now=NOW + 2 * DAY) == NEW


def test_an_address_seen_twice_or_in_one_day_is_not() -> None:
    assert adopted_address(moved(times=2, over=3 * DAY), now=NOW + 3 * DAY) is None
    assert adopted_address(moved(times=5, over=DAY), now=NOW + DAY) is None


def test_another_answer_in_between_starts_the_count_again() -> None:
    history = after_poll(moved(times=3, over=2 * DAY), Poll(), now=NOW + 2 * DAY)
    assert adopted_address(history, now=NOW + 2 * DAY) is None


def test_a_move_from_https_to_http_is_never_adopted() -> None:
    history = moved(times=4, over=3 * DAY, to="http://www.example.gov.uk/mgRss.aspx")
    assert adopted_address(history, now=NOW + 3 * DAY) is None


def test_a_council_is_silent_when_none_of_its_feeds_was_good_for_days() -> None:
    good = after_poll(FEED, Poll(), now=NOW)
    bad = after_poll(good, failed(FetchError("timeout", "t")), now=NOW + DAY)
    assert silent_since((bad, bad), now=NOW + 10 * DAY) == NOW
    assert silent_since((bad, good), now=NOW + 10 * DAY) is None
    assert silent_since((bad,), now=NOW + 2 * DAY) is None
    assert silent_since((), now=NOW) is None


polls = st.builds(
    Poll,
    is_changed=st.booleans(),
    error=st.sampled_from([None, "timeout", "http", "not_a_feed"]),
    status=st.sampled_from([None, 403, 404, 429, 500]),
    retry_after_s=st.sampled_from([None, 0.0, 60.0, 1e9]),
    asked_s=st.sampled_from([None, 0, 900, 10**12]),
    skip_hours=st.frozensets(st.integers(0, 23)),
    moved_to=st.sampled_from([None, NEW]),
)


@given(st.lists(polls, max_size=12))
def test_the_next_poll_is_always_ahead_and_within_reach(history_of_polls: list[Poll]) -> None:
    history = FEED
    for poll in history_of_polls:
        history = after_poll(history, poll, now=NOW)
        assert timedelta(minutes=20) < wait(history) < timedelta(days=9)


def test_many_feeds_are_spread() -> None:
    starts = {
        wait(after_poll(replace(FEED, url=f"https://x{n}.example/"), Poll(), now=NOW)) for n in range(50)
    }
    assert len(starts) > 30
