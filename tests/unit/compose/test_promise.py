"""The promise as properties: over any log, any wishes and any split of the log into ranges, each matching
item of each range is named or counted exactly once, and nothing else is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from digest.compose.edition import Facts, edition_of
from digest.compose.editions import Editions
from digest.compose.explain import explain
from digest.compose.lines import LineIndex
from digest.compose.profile import profile_of
from digest.model import (
    LineKind,
    LineReaders,
    LogLine,
    Meeting,
    MeetingStatus,
    Place,
    Profile,
    Support,
    WishKind,
    name_key,
)
from tests.unit.compose.builders import SUNDAY, Log, council, meeting, said, summary

COUNCILS = ("gwynedd", "stockport", "tameside")
COMMITTEES = ("Planning", "Audit", "Children & Families")
TEXTS = ("SEND places are short.", "Parking charges rise by £2m.", "Bins.", "SEND transport and parking.")
# What may follow the last line of an item: the store refuses anything else.
NEXT: dict[LineKind | None, tuple[LineKind, ...]] = {
    None: (LineKind.SUMMARY, LineKind.MEETING_NEW, LineKind.PAPERS),
    LineKind.SUMMARY: (LineKind.CORRECTION, LineKind.WITHDRAWAL),
    LineKind.CORRECTION: (LineKind.CORRECTION, LineKind.WITHDRAWAL),
    LineKind.WITHDRAWAL: (LineKind.SUMMARY, LineKind.CORRECTION),
    LineKind.MEETING_NEW: (LineKind.MEETING_CHANGED, LineKind.MEETING_CANCELLED),
    LineKind.MEETING_CHANGED: (LineKind.MEETING_CHANGED, LineKind.MEETING_CANCELLED),
    LineKind.MEETING_CANCELLED: (LineKind.MEETING_CHANGED,),
    LineKind.PAPERS: (LineKind.PAPERS,),
}
WISH = {
    LineKind.SUMMARY: WishKind.DECISIONS,
    LineKind.CORRECTION: WishKind.DECISIONS,
    LineKind.WITHDRAWAL: WishKind.DECISIONS,
    LineKind.MEETING_NEW: WishKind.COMING_UP,
    LineKind.MEETING_CHANGED: WishKind.CHANGES,
    LineKind.MEETING_CANCELLED: WishKind.CHANGES,
    LineKind.PAPERS: WishKind.PAPERS,
}


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """A log of up to 30 lines about up to 8 meetings, each item's lines in a possible order."""
    log = Log()
    meetings = [
        meeting(
            number,
            council=draw(st.sampled_from(COUNCILS)),
            committee=draw(st.sampled_from(COMMITTEES)),
            title="Meeting",
            starts_at=SUNDAY + timedelta(days=draw(st.integers(-10, 30))),
        )
        for number in range(draw(st.integers(1, 8)))
    ]
    last: dict[tuple[int, str], LineKind] = {}
    # Summaries that only who has the council enabled was told.
    apart: set[int] = set()
    for _ in range(draw(st.integers(0, 30))):
        about = draw(st.sampled_from(meetings))
        family = draw(st.sampled_from(("summary", "meeting", "papers")))
        possible = [kind for kind in NEXT[last.get((about.id, family))] if family in _families(kind)]
        kind = draw(st.sampled_from(possible))
        readers = LineReaders.ALL
        if family == "summary":
            is_first = (about.id, family) not in last
            if is_first and draw(st.booleans()):
                apart.add(about.id)
            elif about.id in apart and kind is not LineKind.WITHDRAWAL and draw(st.booleans()):
                # Full support: the others are told what was told to some.
                kind, readers = LineKind.SUMMARY, LineReaders.OTHERS
                apart.remove(about.id)
            if about.id in apart:
                readers = LineReaders.ENABLED
        last[about.id, family] = kind
        log.now += timedelta(hours=draw(st.integers(0, 12)))
        texts = (summary(draw(st.sampled_from(TEXTS))),) if family == "summary" else ()
        before = about if kind == LineKind.MEETING_CHANGED else None
        log.add(kind, about, summaries=texts, before=before, readers=readers)
    return log


def _families(kind: LineKind) -> tuple[str, ...]:
    if kind is LineKind.PAPERS:
        return ("papers",)
    return ("meeting",) if kind.value.startswith("meeting") else ("summary",)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    councils = draw(st.lists(st.sampled_from(COUNCILS), min_size=1, unique=True))
    names = draw(st.dictionaries(st.sampled_from(COMMITTEES), st.booleans(), max_size=2))
    keywords = draw(st.lists(st.sampled_from(("send", "-parking", "charges", "-bins")), unique=True))
    return profile_of(
        councils=councils,
        committees=[("" if wanted else "-") + f"{councils[0]}/{name}" for name, wanted in names.items()],
        keywords=keywords,
        kinds=draw(st.none() | st.lists(st.sampled_from(WishKind), min_size=1)),
        detail=draw(st.sampled_from(("headline", "brief", "full"))),
        quiet_note=draw(st.booleans()),
        enabled=draw(st.lists(st.sampled_from(COUNCILS), unique=True)),
    )


supports = st.fixed_dictionaries({slug: st.sampled_from(Support) for slug in COUNCILS})


def expected(
    profile: Profile, log: Log, support: dict[str, Support], from_seq: int, upto_seq: int
) -> set[str]:
    """The items a letter owes, written from the promise: one line at a time, no cleverness."""
    lines: dict[str, list[LogLine]] = {}
    for line in log.lines:
        if line.seq <= upto_seq and _concerns(line, profile):
            lines.setdefault(line.item, []).append(line)
    owed = set()
    for item, ever in lines.items():
        found = [line for line in ever if line.seq > from_seq]
        is_new = ever[0].seq > from_seq
        if found and _is_wished(profile, found[-1], support) and _is_told(profile, found, is_new=is_new):
            owed.add(item)
    return owed


def _concerns(line: LogLine, profile: Profile) -> bool:
    if line.readers is LineReaders.ALL:
        return True
    return (line.council in profile.enabled) == (line.readers is LineReaders.ENABLED)


def _is_wished(profile: Profile, latest: LogLine, support: dict[str, Support]) -> bool:
    if latest.council not in profile.councils:
        return False
    wanted = [w.committee for w in profile.committees if w.council == latest.council and w.is_wanted]
    unwanted = [w.committee for w in profile.committees if w.council == latest.council and not w.is_wanted]
    committee = name_key(latest.meeting.committee)
    if (wanted and committee not in wanted) or committee in unwanted:
        return False
    is_limited = support[latest.council] is Support.LIMITED and latest.council not in profile.enabled
    if is_limited and latest.kind in (LineKind.SUMMARY, LineKind.CORRECTION):
        return False
    text = name_key(" ".join(s.search_text for s in latest.summaries)).split()
    return not any(word in text for word in profile.excluded)


def _is_told(profile: Profile, found: list[LogLine], *, is_new: bool) -> bool:
    latest = found[-1]
    if latest.kind is LineKind.WITHDRAWAL and is_new:
        return False
    if latest.item.startswith("meeting") and latest.kind is not LineKind.MEETING_CANCELLED:
        # As new, or as changed for who wishes only changes; an older meeting only as changed.
        return any(WISH[line.kind] in profile.kinds for line in found)
    return WISH[latest.kind] in profile.kinds


def facts_of(
    log: Log, support: dict[str, Support], from_seq: int, upto_seq: int, *, max_items: int = 40
) -> Facts:
    return Facts(
        from_seq=from_seq,
        upto_seq=upto_seq,
        as_of=max(SUNDAY, log.now),
        councils={slug: council(slug, support[slug]) for slug in COUNCILS},
        upcoming=_state_of(log),
        look_back=timedelta(days=3650),
        max_items=max_items,
    )


def _state_of(log: Log) -> list[Meeting]:
    """The meetings as the lines left them: only a line about the meeting itself cancels or revives it."""
    cancelled: dict[int, bool] = {}
    state: dict[int, Meeting] = {}
    for line in log.lines:
        if line.item.startswith("meeting"):
            cancelled[line.meeting.id] = line.kind is LineKind.MEETING_CANCELLED
        is_cancelled = cancelled.get(line.meeting.id, False)
        status = MeetingStatus.CANCELLED if is_cancelled else MeetingStatus.SCHEDULED
        state[line.meeting.id] = replace(line.meeting, status=status)
    return list(state.values())


def said_of_log(log: Log, profile: Profile, facts: Facts, owed: set[str]) -> Counter[str]:
    """Refs of the range that the edition says, without coming meetings that it counts by state alone."""
    edition = edition_of(profile, log.lines, facts)
    refs = {line.item for line in log.lines if facts.from_seq < line.seq <= facts.upto_seq}
    # An entry without lines is from the state, and `said` leaves it out; a fold has only refs.
    coming = {
        f"meeting:{meeting.id}"
        for meeting in facts.upcoming
        if meeting.status is MeetingStatus.SCHEDULED
        and meeting.starts_at is not None
        and facts.as_of <= meeting.starts_at <= facts.as_of + facts.horizon
    }
    folded = {ref for fold in edition.folded if fold.place is Place.COMING_UP for ref in fold.items}
    by_state = (coming & folded) - owed
    return Counter(ref for ref in said(edition) if ref in refs - by_state)


@settings(max_examples=150, deadline=None)
@given(logs(), profiles(), supports, st.lists(st.integers(0, 30)), st.integers(0, 12))
def test_each_matching_item_of_each_range_is_said_exactly_once(
    log: Log, profile: Profile, support: dict[str, Support], cuts: list[int], max_items: int
) -> None:
    marks = sorted({0, log.seq, *(min(cut, log.seq) for cut in cuts)})
    for from_seq, upto_seq in pairwise(marks):
        known = facts_of(log, support, from_seq, upto_seq, max_items=max_items)
        owed = expected(profile, log, support, from_seq, upto_seq)
        assert said_of_log(log, profile, known, owed) == Counter(owed)


@settings(max_examples=80, deadline=None)
@given(logs(), profiles(), supports, st.integers(0, 12))
def test_the_seqs_of_an_edition_are_disjoint_and_all_from_the_range(
    log: Log, profile: Profile, support: dict[str, Support], from_seq: int
) -> None:
    edition = edition_of(profile, log.lines, facts_of(log, support, from_seq, log.seq))
    seqs = [seq for entry in edition.entries for seq in entry.seqs]
    assert len(seqs) == len(set(seqs))
    assert all(from_seq < seq <= log.seq for seq in seqs)


@settings(max_examples=80, deadline=None)
@given(logs(), profiles(), supports)
def test_no_item_of_a_council_that_is_not_followed_is_said(
    log: Log, profile: Profile, support: dict[str, Support]
) -> None:
    edition = edition_of(profile, log.lines, facts_of(log, support, 0, log.seq, max_items=5))
    assert {entry.meeting.council for entry in edition.entries} <= set(profile.councils)
    assert {fold.council.slug for fold in edition.folded} <= set(profile.councils)


@settings(max_examples=80, deadline=None)
@given(logs(), profiles(), profiles(), supports, st.integers(0, 12))
def test_two_profiles_never_influence_each_other(
    log: Log, one: Profile, other: Profile, support: dict[str, Support], max_items: int
) -> None:
    known = facts_of(log, support, 0, log.seq, max_items=max_items)
    shared = LineIndex(log.lines)
    alone = edition_of(one, log.lines, known)
    edition_of(other, shared, known)
    assert edition_of(one, shared, known) == alone


@settings(max_examples=80, deadline=None)
@given(logs(), st.lists(profiles(), min_size=2, max_size=6), supports, st.integers(0, 12), st.integers(0, 12))
def test_editions_of_one_run_are_those_that_each_profile_would_have_alone(
    log: Log, several: list[Profile], support: dict[str, Support], from_seq: int, max_items: int
) -> None:
    known = facts_of(log, support, from_seq, log.seq, max_items=max_items)
    # Every one also without words of its own, so that some are told the same.
    several += [replace(one, topics=(), keywords=(), excluded=(), wards=()) for one in several]
    together = Editions(LineIndex(log.lines), known)
    found = [together.edition(one, from_seq=from_seq) for one in several]
    assert found == [edition_of(one, log.lines, known) for one in several]
    told = {}
    for edition in found:
        assert edition.news is not None
        assert replace(edition, profile=several[0]) == told.setdefault(
            edition.news, replace(edition, profile=several[0])
        )


@settings(max_examples=80, deadline=None)
@given(logs(), profiles(), supports, st.integers(0, 30), st.integers(0, 12))
def test_raising_the_from_seq_to_the_first_line_of_the_councils_changes_nothing(
    log: Log, profile: Profile, support: dict[str, Support], from_seq: int, max_items: int
) -> None:
    own = [line.seq for line in log.lines if line.council in profile.councils and line.seq > from_seq]
    raised = (own[0] - 1) if own else log.seq
    low = edition_of(profile, log.lines, facts_of(log, support, from_seq, log.seq, max_items=max_items))
    high = edition_of(profile, log.lines, facts_of(log, support, raised, log.seq, max_items=max_items))
    assert replace(high, from_seq=from_seq) == low


@settings(max_examples=80, deadline=None)
@given(logs(), profiles(), supports, st.integers(0, 12), st.integers(0, 12))
def test_the_explanation_agrees_with_the_edition_on_every_line(
    log: Log, profile: Profile, support: dict[str, Support], from_seq: int, max_items: int
) -> None:
    known = facts_of(log, support, from_seq, log.seq, max_items=max_items)
    edition = edition_of(profile, log.lines, known)
    named = {ref for entry in edition.entries if entry.seqs for ref in (entry.item, *entry.also)}
    owed = expected(profile, log, support, from_seq, log.seq)
    verdicts = explain(profile, log.lines, known)
    assert [verdict.seq for verdict in verdicts] == [line.seq for line in log.lines]
    for verdict, line in zip(verdicts, log.lines, strict=True):
        in_range = from_seq < verdict.seq <= log.seq and _concerns(line, profile)
        assert verdict.is_in == (in_range and verdict.item in owed)
        assert (verdict.where == "named") == (in_range and verdict.item in named)
        assert verdict.why
