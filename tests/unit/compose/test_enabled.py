"""One log for two sorts of reader: who has a limited council enabled, and the others."""

from __future__ import annotations

from datetime import timedelta

import pytest

from digest.compose.profile import profile_of
from digest.compose.select import Chosen, select
from digest.model import LineKind, LineReaders, Place, Profile
from tests.unit.compose.builders import SUNDAY, Log, council, meeting, summary

RESIDENT = profile_of(councils=["stockport"])
PRESS = profile_of(councils=["stockport"], tier="professional", enabled=["stockport"])
TEXT = (summary("Bins."),)


def told_apart(*more: LineKind) -> Log:
    """Line 1 is for who has it enabled, line 2 tells the others, the rest is for all."""
    log, about = Log(), meeting(1, council="stockport")
    log.add(LineKind.SUMMARY, about, summaries=TEXT, readers=LineReaders.ENABLED)
    log.now += timedelta(hours=1)
    log.add(LineKind.SUMMARY, about, summaries=TEXT, readers=LineReaders.OTHERS)
    for kind in more:
        log.now += timedelta(hours=1)
        log.add(kind, about, summaries=TEXT)
    return log


def told(reader: Profile, log: Log, *, after: int) -> list[Chosen]:
    known = {"stockport": council("stockport")}
    return list(select(reader, log.lines, from_seq=after, upto_seq=log.seq, councils=known))


def test_each_sort_of_reader_is_told_once_and_as_new() -> None:
    log = told_apart()
    assert [(one.place, one.is_new, one.seqs) for one in told(PRESS, log, after=0)] == [
        (Place.DECIDED, True, (1,))
    ]
    assert told(PRESS, log, after=1) == []
    assert [(one.place, one.is_new, one.seqs) for one in told(RESIDENT, log, after=1)] == [
        (Place.DECIDED, True, (2,))
    ]


@pytest.mark.parametrize(
    ("reader", "after", "place", "since_h"),
    [
        (PRESS, 1, Place.CORRECTED, 0),
        (RESIDENT, 1, Place.DECIDED, None),
        (PRESS, 2, Place.CORRECTED, 0),
        (RESIDENT, 2, Place.CORRECTED, 1),
    ],
)
def test_a_correction_is_one_since_the_reader_was_first_told(
    reader: Profile, after: int, place: Place, since_h: int | None
) -> None:
    log = told_apart(LineKind.CORRECTION)
    (one,) = told(reader, log, after=after)
    since = None if since_h is None else SUNDAY - timedelta(days=2) + timedelta(hours=since_h)
    assert (one.place, one.since) == (place, since)


def test_a_withdrawal_within_the_range_of_the_first_telling_is_told_to_nobody_who_was_not_told() -> None:
    log = told_apart(LineKind.WITHDRAWAL)
    assert told(RESIDENT, log, after=1) == []
    assert [one.kind for one in told(PRESS, log, after=1)] == [LineKind.WITHDRAWAL]
    assert [one.kind for one in told(RESIDENT, log, after=2)] == [LineKind.WITHDRAWAL]
