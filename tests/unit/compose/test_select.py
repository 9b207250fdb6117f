"""Which items a profile is told, as what, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from digest.compose.lines import LineIndex
from digest.compose.profile import profile_of
from digest.compose.select import Chosen, select
from digest.errors import NotFoundError
from digest.model import Document, DocumentKind, LineKind, MeetingStatus, Place, Profile, Reason, Support
from tests.unit.compose.builders import SUNDAY, Log, council, meeting, summary

STOCKPORT = profile_of(councils=["stockport"])
CHILDREN = "Children & Families Scrutiny Committee"


def chosen_of(profile: Profile, log: Log, *, from_seq: int = 0) -> list[Chosen]:
    known = {c: council(c) for c in ("stockport", "tameside")}
    return list(select(profile, log.lines, from_seq=from_seq, upto_seq=log.seq, councils=known))


def kinds_of(profile: Profile, log: Log, *, from_seq: int = 0) -> list[LineKind]:
    return [item.kind for item in chosen_of(profile, log, from_seq=from_seq)]


# --- wishes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "kind"),
    [
        ("decisions", LineKind.SUMMARY),
        ("coming_up", LineKind.MEETING_NEW),
        ("changes", LineKind.MEETING_CANCELLED),
        ("papers", LineKind.PAPERS),
    ],
)
def test_each_wished_kind_lets_in_its_own_lines_only(wish: str, kind: LineKind) -> None:
    log = Log()
    log.add(LineKind.SUMMARY, meeting(1), summaries=(summary(),))
    log.add(LineKind.MEETING_NEW, meeting(2))
    log.add(LineKind.MEETING_CANCELLED, meeting(3), before=meeting(3))
    log.add(LineKind.PAPERS, meeting(4))
    assert kinds_of(profile_of(councils=["stockport"], kinds=[wish]), log) == [kind]


def test_no_item_of_another_council_is_told() -> None:
    log = Log()
    log.add(LineKind.SUMMARY, meeting(1, council="tameside"), summaries=(summary(),))
    assert chosen_of(STOCKPORT, log) == []


@pytest.mark.parametrize(
    ("committees", "told"),
    [
        ([], {"Planning", CHILDREN, "Audit"}),
        (["stockport/planning"], {"Planning"}),
        (["-stockport/planning"], {CHILDREN, "Audit"}),
        (["stockport/planning", "-stockport/audit"], {"Planning"}),
        (["stockport/children and families scrutiny committee"], {CHILDREN}),
        (["tameside/planning"], {"Planning", CHILDREN, "Audit"}),
    ],
)
def test_the_committee_rule(committees: list[str], told: set[str]) -> None:
    log = Log()
    for number, name in enumerate(("Planning", CHILDREN, "Audit")):
        log.add(LineKind.MEETING_NEW, meeting(number, committee=name))
    profile = profile_of(councils=["stockport", "tameside"], committees=committees)
    assert {item.meeting.committee for item in chosen_of(profile, log)} == told


def test_a_renamed_committee_keeps_its_readers() -> None:
    log = Log()
    log.add(
        LineKind.MEETING_NEW,
        meeting(1, committee="Place Board", committee_keys=frozenset({"planning", "place board"})),
    )
    profile = profile_of(councils=["stockport"], committees=["stockport/Planning"])
    assert [item.reasons for item in chosen_of(profile, log)] == [(Reason("committee", "Place Board"),)]


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("Parking charges rise.", False),
        ("The PARKING review.", False),
        ("A parkingmeter.", True),
        ("Car park works.", True),
    ],
)
def test_an_excluded_keyword_is_a_whole_word_in_any_case(text: str, is_told: bool) -> None:
    log = Log()
    log.add(LineKind.SUMMARY, meeting(1), summaries=(summary(text),))
    profile = profile_of(councils=["stockport"], keywords=["-parking"])
    assert bool(chosen_of(profile, log)) == is_told


def test_an_excluded_phrase_is_found_across_punctuation_and_in_documents() -> None:
    log = Log()
    papers = (Document(DocumentKind.AGENDA, "Blue-Badge scheme", "https://x.example/a.pdf"),)
    log.add(LineKind.PAPERS, meeting(1, documents=papers))
    assert chosen_of(profile_of(councils=["stockport"], keywords=['-"blue badge"']), log) == []


def test_topics_keywords_and_wards_are_reasons_and_never_filter() -> None:
    log = Log()
    log.add(
        LineKind.SUMMARY,
        meeting(1),
        summaries=(summary("SEND places in Heatons  South are short.", topics=("Children's care",)),),
    )
    log.add(LineKind.SUMMARY, meeting(2), summaries=(summary("Bins."),))
    profile = profile_of(
        councils=["stockport"], topics=["children's care"], keywords=["send"], wards=["Heatons South"]
    )
    first, second = chosen_of(profile, log)
    assert first.reasons == (
        Reason("topic", "Children's care"),
        Reason("keyword", "SEND"),
        Reason("ward", "Heatons South"),
        Reason("council", "Stockport Council"),
    )
    assert second.reasons == (Reason("council", "Stockport Council"),)


@pytest.mark.parametrize(
    ("text", "wish", "shown"),
    [
        ("The SEND report", "send", "SEND"),
        ("Resend it, then send it", "send", "send"),
        ("special\n needs", "Special Needs", "special needs"),
        ("Special-Needs", "special needs", "Special-Needs"),
        ("specialised; special educational; Special needs.", "special needs", "Special needs"),
        ("Children & Families", "children and families", "children and families"),
        ("İ SEND", "send", "send"),
    ],
)
def test_a_match_is_shown_in_the_items_own_spelling(text: str, wish: str, shown: str) -> None:
    log = Log()
    log.add(LineKind.SUMMARY, meeting(1, committee="Audit", title="Audit"), summaries=(summary(text),))
    [item] = chosen_of(profile_of(councils=["stockport"], keywords=[wish]), log)
    assert item.reasons[0] == Reason("keyword", shown)


def test_a_keyword_that_is_also_the_matched_topic_is_one_reason() -> None:
    log = Log()
    log.add(LineKind.SUMMARY, meeting(1), summaries=(summary("Housing waits.", topics=("Housing",)),))
    profile = profile_of(councils=["stockport"], topics=["housing"], keywords=["housing"])
    assert [r.kind for r in chosen_of(profile, log)[0].reasons] == ["topic", "council"]


def test_a_followed_council_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(NotFoundError, match="gwynedd"):
        chosen_of(profile_of(councils=["gwynedd"]), Log())


# --- several lines of one item --------------------------------------------------------------------


def test_new_then_moved_is_told_once_as_new_with_the_latest_facts() -> None:
    log = Log()
    log.add(LineKind.MEETING_NEW, meeting(1))
    later = meeting(1, starts_at=SUNDAY + timedelta(days=9))
    log.add(LineKind.MEETING_CHANGED, later, before=meeting(1))
    [item] = chosen_of(STOCKPORT, log)
    assert (item.kind, item.place, item.meeting, item.seqs, item.is_new) == (
        LineKind.MEETING_NEW,
        Place.COMING_UP,
        later,
        (1, 2),
        True,
    )


def test_who_wishes_changes_only_is_told_of_a_move_of_a_new_meeting() -> None:
    log = Log()
    log.add(LineKind.MEETING_NEW, meeting(1))
    log.add(LineKind.MEETING_CHANGED, meeting(1, venue="Town Hall"), before=meeting(1))
    assert kinds_of(profile_of(councils=["stockport"], kinds=["changes"]), log) == [LineKind.MEETING_CHANGED]


def test_new_then_cancelled_is_told_once_as_cancelled() -> None:
    log = Log()
    log.add(LineKind.MEETING_NEW, meeting(1))
    log.add(LineKind.MEETING_CANCELLED, meeting(1, status=MeetingStatus.CANCELLED), before=meeting(1))
    [item] = chosen_of(STOCKPORT, log)
    assert (item.kind, item.place, item.seqs) == (LineKind.MEETING_CANCELLED, Place.CHANGED, (1, 2))


def test_two_moves_in_one_range_are_told_from_where_the_reader_left() -> None:
    log = Log()
    first, second, third = (meeting(1, starts_at=SUNDAY + timedelta(days=d)) for d in (3, 4, 5))
    log.add(LineKind.MEETING_NEW, first)
    log.add(LineKind.MEETING_CHANGED, second, before=first)
    log.add(LineKind.MEETING_CHANGED, third, before=second)
    [item] = chosen_of(STOCKPORT, log, from_seq=1)
    assert (item.kind, item.before, item.meeting) == (LineKind.MEETING_CHANGED, first, third)


def test_moved_away_and_back_still_says_what_happened() -> None:
    log = Log()
    first, second = (meeting(1, starts_at=SUNDAY + timedelta(days=d)) for d in (3, 4))
    log.add(LineKind.MEETING_NEW, first)
    log.add(LineKind.MEETING_CHANGED, second, before=first)
    log.add(LineKind.MEETING_CHANGED, first, before=second)
    assert chosen_of(STOCKPORT, log, from_seq=1)[0].before == second


def test_a_correction_of_something_new_is_told_as_new_in_its_latest_text() -> None:
    log = Log()
    log.add(LineKind.SUMMARY, meeting(1), summaries=(summary("Wrong."),))
    log.add(LineKind.CORRECTION, meeting(1), summaries=(summary("Right."),))
    [item] = chosen_of(STOCKPORT, log)
    assert (item.kind, item.place, item.since) == (LineKind.SUMMARY, Place.DECIDED, None)
    assert item.summaries[0].lead == "Right."


def test_a_correction_of_an_earlier_letter_stands_on_its_own_with_its_date() -> None:
    log = Log()
    first = log.add(LineKind.SUMMARY, meeting(1), summaries=(summary("Wrong."),))
    log.add(LineKind.CORRECTION, meeting(1), summaries=(summary("Still wrong."),))
    log.add(LineKind.CORRECTION, meeting(1), summaries=(summary("Right."),), why="a wrong sum")
    [item] = chosen_of(STOCKPORT, log, from_seq=1)
    assert (item.kind, item.place, item.since, item.why, item.seqs) == (
        LineKind.CORRECTION,
        Place.CORRECTED,
        first.first_at,
        "a wrong sum",
        (2, 3),
    )


def test_published_and_withdrawn_within_the_range_is_not_told_at_all() -> None:
    log = Log()
    log.add(LineKind.SUMMARY, meeting(1), summaries=(summary(),))
    log.add(LineKind.WITHDRAWAL, meeting(1))
    assert chosen_of(STOCKPORT, log) == []


def test_a_withdrawal_alone_of_something_new_in_the_range_is_not_told() -> None:
    log = Log()
    log.add(LineKind.SUMMARY, meeting(1), summaries=(summary(),))
    log.add(LineKind.WITHDRAWAL, meeting(1))
    del log.lines[0]
    log.lines[0] = replace(log.lines[0], seq=2)
    known = {"stockport": council()}
    index = LineIndex(log.lines)
    told = [
        [item.kind for item in select(STOCKPORT, index, from_seq=mark, upto_seq=2, councils=known)]
        for mark in (1, 0, 1)
    ]
    assert told == [[LineKind.WITHDRAWAL], [], [LineKind.WITHDRAWAL]]


def test_a_withdrawal_of_an_earlier_letter_is_told_without_the_withdrawn_text() -> None:
    log = Log()
    log.add(LineKind.SUMMARY, meeting(1), summaries=(summary(),))
    log.add(LineKind.WITHDRAWAL, meeting(1), summaries=(summary("Withdrawn text."),))
    [item] = chosen_of(STOCKPORT, log, from_seq=1)
    assert (item.kind, item.place, item.summaries) == (LineKind.WITHDRAWAL, Place.CORRECTED, ())


def test_withdrawn_and_published_again_is_one_correction() -> None:
    log = Log()
    log.add(LineKind.SUMMARY, meeting(1), summaries=(summary(),))
    log.add(LineKind.WITHDRAWAL, meeting(1))
    log.add(LineKind.SUMMARY, meeting(1), summaries=(summary("Mended."),))
    assert kinds_of(STOCKPORT, log, from_seq=1) == [LineKind.CORRECTION]


# --- support ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("support", "told"),
    [
        (Support.FULL, {"summary:1", "summary:2", "meeting:3", "summary:4"}),
        (Support.LIMITED, {"meeting:3", "summary:4"}),
        (Support.PAUSED, {"summary:1", "summary:2", "meeting:3", "summary:4"}),
    ],
)
def test_limited_support_mails_meetings_and_withdrawals_but_no_account(
    support: Support, told: set[str]
) -> None:
    log = Log()
    log.add(LineKind.SUMMARY, meeting(2), summaries=(summary(),))
    log.add(LineKind.SUMMARY, meeting(4), summaries=(summary(),))
    log.add(LineKind.SUMMARY, meeting(1), summaries=(summary(),))
    log.add(LineKind.CORRECTION, meeting(2), summaries=(summary(),))
    log.add(LineKind.MEETING_NEW, meeting(3))
    log.add(LineKind.WITHDRAWAL, meeting(4))
    known = {"stockport": council(support=support)}
    found = select(STOCKPORT, log.lines, from_seq=2, upto_seq=log.seq, councils=known)
    assert {item.item for item in found} == told


# --- joint meetings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("linked", [{1}, {2}, {1, 2}])
def test_a_joint_meeting_is_told_once_for_both_councils(linked: set[int]) -> None:
    log = Log()
    ours = meeting(1, joint=frozenset({"k2"} if 1 in linked else ()))
    theirs = meeting(2, council="tameside", joint=frozenset({"k1"} if 2 in linked else ()))
    log.add(LineKind.MEETING_NEW, ours)
    log.add(LineKind.MEETING_NEW, theirs)
    log.add(LineKind.MEETING_NEW, meeting(3))
    items = chosen_of(profile_of(councils=["stockport", "tameside"]), log)
    joint = next(item for item in items if item.also)
    assert len(items) == 2
    assert (joint.item, joint.also, joint.seqs) == ("meeting:2", ("meeting:1",), (1, 2))
    assert {r.value for r in joint.reasons} == {"Stockport Council", "Tameside Council"}


def test_a_reader_of_one_council_sees_only_its_half_of_a_joint_meeting() -> None:
    log = Log()
    log.add(LineKind.MEETING_NEW, meeting(1, joint=frozenset({"k2"})))
    log.add(LineKind.MEETING_NEW, meeting(2, council="tameside", joint=frozenset({"k1"})))
    [item] = chosen_of(STOCKPORT, log)
    assert (item.item, item.also) == ("meeting:1", ())


def late_half() -> Log:
    """Stockport's half at line 1, and at line 2 Tameside's, which knows of it."""
    log = Log()
    log.add(LineKind.MEETING_NEW, meeting(1))
    theirs = meeting(2, council="tameside", joint=frozenset({"k1"}), told=(("stockport", 1),))
    log.add(LineKind.MEETING_NEW, theirs)
    return log


def test_the_late_half_of_a_joint_meeting_is_not_told_again() -> None:
    both = profile_of(councils=["stockport", "tameside"])
    assert chosen_of(both, late_half(), from_seq=1) == []
    [item] = chosen_of(both, late_half())
    assert item.also == ("meeting:1",)


def test_who_follows_only_the_late_council_is_told_its_half() -> None:
    [item] = chosen_of(profile_of(councils=["tameside"]), late_half(), from_seq=1)
    assert item.item == "meeting:2"


def test_a_late_half_is_told_where_committees_of_the_other_council_are_chosen() -> None:
    choosy = profile_of(councils=["stockport", "tameside"], committees=["stockport/Cabinet"])
    assert [item.item for item in chosen_of(choosy, late_half(), from_seq=1)] == ["meeting:2"]
