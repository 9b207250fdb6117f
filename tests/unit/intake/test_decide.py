"""What a sighting means for what is known: new, moved, cancelled, back again, or nothing at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.intake.decide import Change, ChangeKind, decide, meeting_key
from digest.intake.kinship import are_joint, council_of, earlier_self, meeting_of
from digest.model import Document, DocumentKind, LineKind, Meeting, MeetingStatus, Sighting, Webcast, name_key

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
START = datetime(2026, 12, 9, 18, tzinfo=UTC)
SAID = datetime(2026, 11, 23, 10, tzinfo=UTC)
SEEN = Sighting(
    committee="Adult Social Care & Health Scrutiny Committee",
    title="Adult Social Care & Health Scrutiny Committee - Wednesday, 9th December, 2026 6.00 pm",
    starts_at=START,
    starts_on=date(2026, 12, 9),
    status=MeetingStatus.SCHEDULED,
    url="https://democracy.stockport.gov.uk/ieListDocuments.aspx?CId=1004&MId=31901",
    external_id="democracy.stockport.gov.uk:MId:31901",
    committee_id="democracy.stockport.gov.uk:CId:1004",
    published_at=SAID,
    events=("agenda_published",),
)


def told(sighting: Sighting, known: Meeting | None = None) -> Change:
    return decide(sighting, known, council="stockport", now=NOW)


KNOWN = replace(told(SEEN).meeting, id=7)


def later(hours: int = 24, **changes: object) -> Sighting:
    return replace(SEEN, published_at=SAID + timedelta(hours=hours), **changes)  # type: ignore[arg-type]


def test_a_meeting_never_seen_is_new_and_told() -> None:
    change = told(SEEN)
    assert (change.kind, change.line) == (ChangeKind.NEW, LineKind.MEETING_NEW)
    assert change.meeting.key == "stockport|democracy.stockport.gov.uk:MId:31901"


def test_the_same_word_twice_changes_nothing() -> None:
    change = told(SEEN, KNOWN)
    assert (change.kind, change.line, change.meeting) == (ChangeKind.UNCHANGED, None, KNOWN)


def test_another_time_is_a_change_of_the_same_meeting() -> None:
    moved = datetime(2026, 12, 16, 17, 30, tzinfo=UTC)
    change = told(later(starts_at=moved, starts_on=date(2026, 12, 16)), KNOWN)
    assert (change.kind, change.line) == (ChangeKind.TIME_CHANGED, LineKind.MEETING_CHANGED)
    assert (change.meeting.starts_at, change.meeting.id, change.before) == (moved, 7, KNOWN)


def test_a_cancellation_is_told_once() -> None:
    off = later(status=MeetingStatus.CANCELLED)
    change = told(off, KNOWN)
    assert (change.kind, change.line) == (ChangeKind.CANCELLED, LineKind.MEETING_CANCELLED)
    assert told(off, change.meeting).kind is ChangeKind.UNCHANGED


def test_a_postponed_meeting_is_a_change_not_a_cancellation() -> None:
    change = told(later(status=MeetingStatus.POSTPONED), KNOWN)
    assert (change.kind, change.line) == (ChangeKind.POSTPONED, LineKind.MEETING_CHANGED)


def test_a_new_agenda_after_a_cancellation_brings_the_meeting_back() -> None:
    off = told(later(status=MeetingStatus.CANCELLED), KNOWN).meeting
    assert told(later(48), off).kind is ChangeKind.REINSTATED


def test_a_supplement_after_a_cancellation_does_not() -> None:
    off = told(later(status=MeetingStatus.CANCELLED), KNOWN).meeting
    change = told(later(48, events=("agenda_supplement_published",)), off)
    assert change.meeting.status is MeetingStatus.CANCELLED
    assert change.line is None


def test_an_older_word_from_another_feed_does_not_undo_a_cancellation() -> None:
    off = told(later(status=MeetingStatus.CANCELLED), KNOWN).meeting
    assert told(SEEN, off).kind is ChangeKind.UNCHANGED


def test_an_older_word_from_another_feed_does_not_move_a_meeting_back() -> None:
    moved = told(later(starts_at=START + timedelta(days=7), starts_on=date(2026, 12, 16)), KNOWN).meeting
    assert told(SEEN, moved).meeting == moved


def test_a_source_that_states_the_status_takes_a_cancellation_back() -> None:
    silent = replace(SEEN, published_at=None)
    off = told(replace(silent, status=MeetingStatus.CANCELLED), KNOWN).meeting
    assert told(replace(silent, says_status=True), off).kind is ChangeKind.REINSTATED


def test_silence_repeated_does_not_bring_a_cancelled_meeting_back() -> None:
    off = told(replace(SEEN, published_at=None, status=MeetingStatus.CANCELLED), KNOWN).meeting
    off = replace(off, said_at=None)
    once = told(SEEN, off)
    assert once.meeting.status is MeetingStatus.CANCELLED
    assert told(SEEN, once.meeting).line is None


def test_two_sources_that_disagree_do_not_take_turns() -> None:
    """A feed's old cancellation stays in its window after the calendar took it back."""
    cancelled = later(status=MeetingStatus.CANCELLED)
    calendar = replace(SEEN, published_at=None, says_status=True, events=())
    known, lines = KNOWN, []
    for word in (cancelled, calendar, cancelled, calendar, cancelled):
        change = told(word, known)
        known = change.meeting
        lines.append(change.line)
    assert lines == [LineKind.MEETING_CANCELLED, LineKind.MEETING_CHANGED, None, None, None]


def test_a_date_without_a_time_does_not_take_a_known_time_away() -> None:
    assert told(later(starts_at=None), KNOWN).meeting.starts_at == START


def test_what_a_sighting_leaves_out_stays() -> None:
    full = replace(KNOWN, venue="Town Hall", video_url="https://x.example/v")
    after = told(later(url=None), full).meeting
    assert (after.url, after.venue, after.video_url) == (KNOWN.url, "Town Hall", "https://x.example/v")


def test_another_place_is_told() -> None:
    change = told(later(venue="Library"), replace(KNOWN, venue="Town Hall"))
    assert (change.kind, change.line) == (ChangeKind.MOVED, LineKind.MEETING_CHANGED)


def test_papers_gather_and_are_told_once() -> None:
    agenda = Document(DocumentKind.AGENDA, "Agenda", "https://x.example/a.pdf")
    minutes = Document(DocumentKind.MINUTES, "Minutes", "https://x.example/m.pdf")
    first = told(later(documents=(agenda,)), KNOWN)
    second = told(later(documents=(minutes,)), first.meeting)
    assert (first.kind, first.line) == (ChangeKind.DOCUMENTS, LineKind.PAPERS)
    assert second.meeting.documents == (agenda, minutes)
    assert told(later(documents=(agenda,)), second.meeting).kind is ChangeKind.UNCHANGED


def test_a_renamed_committee_keeps_its_old_names() -> None:
    after = told(later(committee="Adults and Health Committee"), KNOWN).meeting
    assert {name_key(SEEN.committee), "adults and health committee"} <= after.committee_keys
    assert after.key == KNOWN.key


@pytest.mark.parametrize("status", [MeetingStatus.CANCELLED, MeetingStatus.POSTPONED])
def test_a_meeting_first_seen_when_it_is_off_is_not_announced(status: MeetingStatus) -> None:
    assert told(replace(SEEN, status=status)).line is None


def test_a_meeting_that_was_over_when_first_seen_is_not_announced() -> None:
    old = replace(SEEN, starts_at=NOW - timedelta(days=3), starts_on=date(2026, 11, 22))
    assert told(old).line is None


def test_todays_meeting_is_announced() -> None:
    today = replace(SEEN, starts_at=NOW - timedelta(hours=1), starts_on=date(2026, 11, 25))
    assert told(today).line is LineKind.MEETING_NEW


def test_a_meeting_without_a_date_is_stored_and_not_announced() -> None:
    assert told(replace(SEEN, starts_at=None, starts_on=None)).line is None


def test_a_publication_in_the_future_does_not_silence_later_words() -> None:
    odd = told(replace(SEEN, published_at=datetime(2099, 1, 1, tzinfo=UTC))).meeting
    assert told(later(status=MeetingStatus.CANCELLED), odd).kind is ChangeKind.CANCELLED


PLAIN = replace(SEEN, external_id=None, committee_id=None)


def test_without_an_id_two_meetings_of_one_committee_on_one_day_are_two() -> None:
    evening = replace(PLAIN, starts_at=START + timedelta(hours=2))
    assert meeting_key(PLAIN, council="x") != meeting_key(evening, council="x")


def test_without_an_id_spelling_title_guid_and_link_do_not_matter() -> None:
    other = replace(
        PLAIN, committee="adult social care and health scrutiny committee", title="?", guid="new", url=None
    )
    assert meeting_key(PLAIN, council="x") == meeting_key(other, council="x")


def test_one_meeting_of_two_councils_has_two_keys() -> None:
    assert meeting_key(SEEN, council="adur") != meeting_key(SEEN, council="worthing")


sightings = st.builds(
    Sighting,
    committee=st.just(SEEN.committee),
    title=st.just("t"),
    starts_at=st.sampled_from([None, START, START + timedelta(days=7)]),
    starts_on=st.sampled_from([date(2026, 12, 9), date(2026, 12, 16)]),
    status=st.sampled_from(MeetingStatus),
    url=st.sampled_from([None, SEEN.url]),
    external_id=st.just(SEEN.external_id),
    venue=st.sampled_from([None, "Town Hall"]),
    published_at=st.sampled_from([None, SAID, SAID + timedelta(days=1)]),
    events=st.sampled_from([(), ("agenda_published",), ("agenda_supplement_published",)]),
    says_status=st.booleans(),
)


@settings(max_examples=300)
@given(st.lists(sightings, min_size=1, max_size=6))
def test_a_poll_repeated_says_nothing_new(words: list[Sighting]) -> None:
    known = None
    for word in words:
        known = told(word, known).meeting
        again = told(word, known)
        assert again.line is None
        assert again.meeting == known


@given(st.lists(sightings, min_size=1, max_size=6))
def test_the_identity_never_changes(words: list[Sighting]) -> None:
    known = told(words[0]).meeting
    for word in words[1:]:
        assert told(word, known).meeting.key == known.key
        known = told(word, known).meeting


BEXLEY = replace(KNOWN, council="bexley", committee="Joint Committee, Eltham Crematorium", key="b")
GREENWICH = replace(KNOWN, council="greenwich", committee="Eltham Crematorium Joint Committee", key="g")


def test_a_joint_meeting_of_two_councils_is_one() -> None:
    assert are_joint(BEXLEY, GREENWICH)


def test_two_cabinets_at_the_same_time_are_not() -> None:
    assert not are_joint(replace(BEXLEY, committee="Cabinet"), replace(GREENWICH, committee="Cabinet"))


def test_two_joint_committees_of_other_matters_are_not() -> None:
    assert not are_joint(BEXLEY, replace(GREENWICH, committee="South London Waste Joint Committee"))


def test_joint_meetings_at_another_time_are_not() -> None:
    assert not are_joint(BEXLEY, replace(GREENWICH, starts_at=START + timedelta(hours=1)))


@pytest.mark.parametrize(
    "key", ["1004", "democracy.stockport.gov.uk:CId:1004", "Adult social care and health scrutiny committee"]
)
def test_a_shared_installation_is_told_apart_by_the_table(key: str) -> None:
    assert council_of(SEEN, {key: "worthing"}, default="adur") == "worthing"


def test_a_committee_the_table_does_not_name_goes_to_the_default() -> None:
    assert council_of(SEEN, {"9": "worthing"}, default="adur") == "adur"


WEBCAST = Webcast("https://youtu.be/AbCdEfGhIj0", "t", SEEN.committee, START, date(2026, 12, 9))


def test_a_webcast_finds_the_meeting_it_names() -> None:
    named = replace(WEBCAST, committee="", starts_on=None, external_id=SEEN.external_id)
    assert meeting_of(named, [BEXLEY, KNOWN]) == KNOWN


def test_a_webcast_finds_the_only_meeting_of_that_body_on_that_day() -> None:
    assert meeting_of(WEBCAST, [KNOWN, replace(KNOWN, key="z", starts_at=START + timedelta(days=1))]) == KNOWN


def test_a_webcast_that_fits_two_meetings_is_tied_to_none() -> None:
    unsure = replace(WEBCAST, starts_at=None)
    assert meeting_of(unsure, [KNOWN, replace(KNOWN, key="z", starts_at=START + timedelta(hours=2))]) is None


PAGE = replace(told(PLAIN).meeting, url="https://anytown.gov.uk/full-council", id=9)
EDITED = replace(PLAIN, url=PAGE.url, starts_at=START + timedelta(days=7), starts_on=date(2026, 12, 16))


def test_a_page_edited_to_another_day_is_the_same_meeting_moved() -> None:
    moved_from = earlier_self(EDITED, [PAGE], told=frozenset(), now=NOW)
    assert moved_from == PAGE
    change = told(replace(EDITED, published_at=SAID + timedelta(days=1)), moved_from)
    assert (change.kind, change.meeting.key) == (ChangeKind.TIME_CHANGED, PAGE.key)


def test_a_page_used_again_after_its_meeting_is_a_new_one() -> None:
    assert earlier_self(EDITED, [PAGE], told=frozenset(), now=START + timedelta(days=2)) is None


def test_a_meeting_that_the_feed_still_tells_has_not_moved() -> None:
    assert earlier_self(EDITED, [PAGE], told=frozenset({PAGE.key}), now=NOW) is None


def test_a_page_that_carries_two_meetings_moves_neither() -> None:
    assert earlier_self(EDITED, [PAGE, replace(PAGE, key="other")], told=frozenset(), now=NOW) is None
