"""What one letter says: where each item stands, how much of it, and what is only counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from digest.compose.edition import Facts, edition_of, items_of
from digest.compose.editions import Editions
from digest.compose.lines import LineIndex
from digest.compose.profile import profile_of
from digest.model import (
    Detail,
    Edition,
    Entry,
    Folded,
    LineKind,
    Meeting,
    MeetingStatus,
    Place,
    Profile,
    Silence,
    Support,
    Waiting,
    WishKind,
)
from tests.unit.compose.builders import SUNDAY, Log, council, facts, meeting, said, summary

STOCKPORT = profile_of(councils=["stockport"])


def held(number: int, **changes: Any) -> Meeting:
    return meeting(number, starts_at=SUNDAY - timedelta(days=3), **changes)


def accounts(count: int) -> Log:
    log = Log()
    for number in range(count):
        log.add(LineKind.SUMMARY, held(number), summaries=(summary(),))
    return log


def refs(edition: Edition, place: Place) -> list[str]:
    return [entry.item for entry in edition.entries if entry.place is place]


# --- nothing to say -------------------------------------------------------------------------------


def test_nothing_in_the_range_is_an_empty_edition_even_with_meetings_coming_up() -> None:
    edition = edition_of(STOCKPORT, [], facts(Log(), upcoming=[meeting(1)]))
    assert edition.is_empty
    assert edition.entries == ()


def test_a_wished_quiet_note_says_so_and_lists_what_comes_up() -> None:
    edition = edition_of(
        replace(STOCKPORT, quiet_note=True), [], facts(Log(), upcoming=[meeting(1)], max_items=0)
    )
    assert (edition.is_quiet, edition.is_empty, said(edition)) == (True, False, ["meeting:1"])


def test_a_quiet_note_is_not_quiet_when_there_is_something_to_say() -> None:
    edition = edition_of(replace(STOCKPORT, quiet_note=True), accounts(1).lines, facts(accounts(1)))
    assert not edition.is_quiet


# --- coming up ------------------------------------------------------------------------------------


def test_a_new_meeting_and_its_state_are_one_entry_flagged_new() -> None:
    log = Log()
    log.add(LineKind.MEETING_NEW, meeting(1))
    now = meeting(1, venue="Town Hall")
    [entry] = edition_of(STOCKPORT, log.lines, facts(log, upcoming=[now])).entries
    assert (entry.item, entry.seqs, entry.is_new, entry.meeting) == ("meeting:1", (1,), True, now)


def test_meetings_known_from_state_come_soonest_first_within_the_horizon() -> None:
    log = accounts(1)
    days = {11: 6, 12: 2, 13: 15, 14: -1, 15: 13}
    upcoming = [meeting(n, starts_at=SUNDAY + timedelta(days=d)) for n, d in days.items()]
    edition = edition_of(STOCKPORT, log.lines, facts(log, upcoming=upcoming))
    assert refs(edition, Place.COMING_UP) == ["meeting:12", "meeting:11", "meeting:15"]
    assert all(e.seqs == () and not e.is_new for e in edition.entries if e.place is Place.COMING_UP)


@pytest.mark.parametrize("status", [MeetingStatus.CANCELLED, MeetingStatus.POSTPONED])
def test_a_cancelled_meeting_is_not_coming_up(status: MeetingStatus) -> None:
    log = accounts(1)
    edition = edition_of(STOCKPORT, log.lines, facts(log, upcoming=[meeting(1, status=status)]))
    assert refs(edition, Place.COMING_UP) == []


def test_a_meeting_announced_and_cancelled_in_one_range_is_not_counted_as_coming_up_either() -> None:
    log = Log()
    cancelled, other = meeting(1), meeting(2)
    log.add(LineKind.MEETING_NEW, cancelled)
    log.add(LineKind.SUMMARY, cancelled, summaries=(summary(),))
    log.add(LineKind.MEETING_CANCELLED, cancelled)
    log.add(LineKind.WITHDRAWAL, cancelled)
    log.add(LineKind.MEETING_NEW, other)
    only_coming = profile_of(councils=["stockport"], kinds=[WishKind.COMING_UP])
    known = facts(log, upcoming=[replace(cancelled, status=MeetingStatus.CANCELLED), other], max_items=0)
    edition = edition_of(only_coming, log.lines, known)
    assert [(fold.place, fold.items) for fold in edition.folded] == [(Place.COMING_UP, ("meeting:2",))]


def test_a_meeting_today_without_a_time_is_still_coming_up() -> None:
    log = accounts(1)
    today = meeting(1, starts_at=None, starts_on=date(2025, 9, 7))
    yesterday = meeting(2, starts_at=None, starts_on=date(2025, 9, 6))
    edition = edition_of(STOCKPORT, log.lines, facts(log, upcoming=[today, yesterday]))
    assert refs(edition, Place.COMING_UP) == ["meeting:1"]


@pytest.mark.parametrize(
    "wish",
    [
        {"committees": ["stockport/Audit"]},
        {"kinds": ["decisions"]},
        {"keywords": ["-scrutiny"]},
    ],
)
def test_the_same_wishes_filter_what_comes_up(wish: dict[str, Any]) -> None:
    log = Log()
    log.add(LineKind.SUMMARY, held(9, committee="Audit", title="Audit"), summaries=(summary(),))
    edition = edition_of(
        profile_of(councils=["stockport"], **wish), log.lines, facts(log, upcoming=[meeting(1)])
    )
    assert (refs(edition, Place.DECIDED), refs(edition, Place.COMING_UP)) == (["summary:9"], [])


def test_a_moved_meeting_is_told_as_moved_and_not_once_more_as_coming_up() -> None:
    log = Log()
    log.add(LineKind.MEETING_NEW, meeting(1))
    moved = meeting(1, starts_at=SUNDAY + timedelta(days=4))
    log.add(LineKind.MEETING_CHANGED, moved, before=meeting(1))
    edition = edition_of(STOCKPORT, log.lines, facts(log, from_seq=1, upcoming=[moved]))
    assert [(e.item, e.place, e.before) for e in edition.entries] == [
        ("meeting:1", Place.CHANGED, meeting(1))
    ]


def test_a_new_meeting_beyond_the_horizon_is_counted_for_later() -> None:
    log = Log()
    log.add(LineKind.MEETING_NEW, meeting(1, starts_at=SUNDAY + timedelta(days=60)))
    edition = edition_of(STOCKPORT, log.lines, facts(log))
    assert edition.folded == (Folded(Place.COMING_UP, council(), ("meeting:1",), "later"),)


def test_a_new_meeting_that_was_already_held_is_counted_as_held() -> None:
    log = Log()
    log.add(LineKind.MEETING_NEW, held(1))
    edition = edition_of(STOCKPORT, log.lines, facts(log))
    assert edition.folded == (Folded(Place.COMING_UP, council(), ("meeting:1",), "held"),)


def test_a_held_meeting_goes_with_its_own_account() -> None:
    log = Log()
    log.add(LineKind.MEETING_NEW, held(1))
    log.add(LineKind.SUMMARY, held(1), summaries=(summary(),))
    edition = edition_of(STOCKPORT, log.lines, facts(log))
    [entry] = edition.entries
    assert (entry.item, entry.also, entry.seqs, edition.folded) == ("summary:1", ("meeting:1",), (1, 2), ())


def test_a_joint_meeting_of_two_followed_councils_is_listed_once() -> None:
    ours, theirs = meeting(1, joint=frozenset({"k2"})), meeting(2, council="tameside")
    log = accounts(1)
    both = profile_of(councils=["stockport", "tameside"])
    known = (council(), council("tameside"))
    edition = edition_of(both, log.lines, facts(log, *known, upcoming=[ours, theirs]))
    assert len(refs(edition, Place.COMING_UP)) == 1
    log.add(LineKind.MEETING_NEW, theirs)
    edition = edition_of(both, log.lines, facts(log, *known, upcoming=[ours, theirs]))
    assert refs(edition, Place.COMING_UP) == ["meeting:2"]


# --- room and detail ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wished", "details"),
    [
        ("headline", ["headline"] * 8),
        ("brief", ["brief"] * 2 + ["headline"] * 6),
        ("full", ["full"] * 2 + ["brief"] * 4 + ["headline"] * 2),
    ],
)
def test_text_for_the_top_few_and_headlines_for_all(wished: str, details: list[str]) -> None:
    log = accounts(8)
    profile = profile_of(councils=["stockport"], detail=wished)
    edition = edition_of(profile, log.lines, facts(log, full_items=2))
    assert [entry.detail for entry in edition.entries] == [Detail(d) for d in details]


def test_what_has_no_room_is_counted_by_place_and_council() -> None:
    log = accounts(6)
    edition = edition_of(STOCKPORT, log.lines, facts(log, max_items=4))
    assert refs(edition, Place.DECIDED) == [f"summary:{n}" for n in range(4)]
    assert edition.folded == (Folded(Place.DECIDED, council(), ("summary:4", "summary:5")),)


def test_a_busy_council_leaves_room_for_every_place() -> None:
    log = accounts(60)
    log.add(LineKind.MEETING_NEW, meeting(100))
    log.add(LineKind.PAPERS, meeting(101))
    log.add(LineKind.MEETING_CANCELLED, meeting(102), before=meeting(102))
    edition = edition_of(STOCKPORT, log.lines, facts(log, max_items=40))
    assert {entry.place for entry in edition.entries} == {
        Place.DECIDED,
        Place.COMING_UP,
        Place.PAPERS,
        Place.CHANGED,
    }
    assert len(edition.entries) == 40


def test_what_matches_a_keyword_gets_the_room() -> None:
    log = accounts(6)
    log.add(LineKind.SUMMARY, held(9), summaries=(summary("SEND places"),))
    profile = profile_of(councils=["stockport"], keywords=["send"])
    edition = edition_of(profile, log.lines, facts(log, max_items=1))
    assert refs(edition, Place.DECIDED) == ["summary:9"]


def test_items_of_lists_everything_named_or_counted_once() -> None:
    log = accounts(3)
    edition = edition_of(STOCKPORT, log.lines, facts(log, max_items=2, upcoming=[meeting(9)]))
    assert sorted(items_of(edition)) == ["meeting:9", "summary:0", "summary:1", "summary:2"]


# --- after a pause ----------------------------------------------------------------------------------


def test_items_older_than_look_back_are_counted_as_earlier() -> None:
    log = Log()
    log.add(LineKind.SUMMARY, held(1), summaries=(summary(),), published_at=SUNDAY - timedelta(days=40))
    log.add(LineKind.SUMMARY, held(2), summaries=(summary(),), published_at=SUNDAY - timedelta(days=20))
    edition = edition_of(STOCKPORT, log.lines, facts(log, look_back=timedelta(days=28)))
    assert (edition.earlier, said(edition)) == (1, ["summary:2"])


def test_an_old_announcement_of_a_meeting_still_to_come_is_named_not_counted() -> None:
    log = Log()
    log.add(LineKind.MEETING_NEW, meeting(1), published_at=SUNDAY - timedelta(days=40))
    edition = edition_of(STOCKPORT, log.lines, facts(log, upcoming=[meeting(1)]))
    assert (edition.earlier, said(edition)) == (0, ["meeting:1"])


def test_a_letter_with_only_earlier_items_is_not_empty() -> None:
    log = Log()
    log.add(LineKind.SUMMARY, held(1), summaries=(summary(),), published_at=SUNDAY - timedelta(days=40))
    edition = edition_of(STOCKPORT, log.lines, facts(log))
    assert (edition.earlier, edition.is_empty) == (1, False)


# --- councils -----------------------------------------------------------------------------------------


def test_a_limited_council_says_how_many_wait_the_reader_included() -> None:
    limited = council(support=Support.LIMITED)
    edition = edition_of(STOCKPORT, [], facts(Log(), limited, waiting={"stockport": 12}))
    assert edition.limited == (Waiting(limited, 12),)
    assert edition_of(STOCKPORT, [], facts(Log(), limited)).limited == (Waiting(limited, 1),)


def test_a_paused_council_has_its_line_and_nothing_from_possibly_outdated_state() -> None:
    paused = council(support=Support.PAUSED)
    log = accounts(1)
    since = {"stockport": SUNDAY - timedelta(days=9)}
    edition = edition_of(STOCKPORT, log.lines, facts(log, paused, upcoming=[meeting(9)], silences=since))
    assert (edition.paused, said(edition)) == ((paused,), ["summary:0"])
    assert (refs(edition, Place.COMING_UP), edition.silences) == ([], ())


def test_a_silent_feed_has_its_line_for_those_who_follow_it() -> None:
    since = SUNDAY - timedelta(days=9)
    known = (council(), council("tameside"))
    edition = edition_of(
        STOCKPORT, [], facts(Log(), *known, silences={"stockport": since, "tameside": since})
    )
    assert edition.silences == (Silence(council(), since),)


# --- languages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("languages", "chosen", "missing"),
    [(("en", "cy"), "cy", None), (("cy", "en"), "cy", None), (("en",), "en", "cy")],
)
def test_the_wished_language_or_the_first_and_the_letter_says_which_is_missing(
    languages: tuple[str, ...], chosen: str, missing: str | None
) -> None:
    log = Log()
    log.add(LineKind.SUMMARY, held(1), summaries=tuple(summary(language=code) for code in languages))
    profile = profile_of(councils=["stockport"], language="cy")
    [entry] = edition_of(profile, log.lines, facts(log)).entries
    assert entry.summary is not None
    assert (entry.summary.language, entry.missing_language) == (chosen, missing)


# --- many profiles, one index -----------------------------------------------------------------------------


def told(entries: tuple[Entry, ...]) -> list[tuple[str, tuple[object, ...]]]:
    return [(entry.item, entry.reasons) for entry in entries]


def test_words_that_occur_in_nothing_share_the_news_and_others_do_not() -> None:
    log = accounts(2)
    log.add(LineKind.SUMMARY, held(9), summaries=(summary("SEND and parking"),))
    together = Editions(LineIndex(log.lines), facts(log, upcoming=[meeting(10)]))

    def news(**wishes: object) -> object:
        profile = profile_of(councils=["stockport"], **wishes)  # type: ignore[arg-type]
        edition = together.edition(profile, from_seq=0)
        assert edition.profile == profile
        assert replace(edition, entries=()).news is None  # what is changed is no longer that news
        return edition.news

    plain = news()
    assert news(keywords=["zebra"]) is news(keywords=["-unicorn"], wards=["nowhere"]) is plain
    assert news(keywords=["parking"]) is not plain
    assert news(keywords=["-parking"]) is not plain
    assert news(detail="headline") is not plain
    assert news(language="cy") is not plain
    assert news(format="text") is not plain


def test_an_index_shared_by_many_profiles_answers_each_as_if_alone() -> None:
    log = accounts(4)
    log.add(LineKind.SUMMARY, held(9), summaries=(summary("SEND and parking", topics=("Schools",)),))
    log.add(LineKind.MEETING_NEW, meeting(10))
    profiles: list[Profile] = [
        profile_of(councils=["stockport"], keywords=words, topics=topics, detail=detail, language=language)
        for words in ([], ["send"], ["-parking"], ["parking"])
        for topics in ([], ["schools"])
        for detail in ("headline", "full")
        for language in ("en", "cy")
    ]
    known: Facts = facts(log, upcoming=[meeting(10), meeting(11)])
    index = LineIndex(log.lines)
    together = [edition_of(profile, index, known) for profile in profiles]
    assert together == [edition_of(profile, log.lines, known) for profile in profiles]
    assert [edition_of(profile, index, known) for profile in reversed(profiles)] == together[::-1]
