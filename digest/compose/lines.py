"""The lines of the log as a run's profiles ask of them: by council, grouped by item, searchable.

Enters: LogLines (any order). Leaves: one ``History`` per item of a range, made once and shared by all
profiles of a run. Answers do not depend on who asked before: caches hold only what is recomputable.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as day_time
from zoneinfo import ZoneInfo

from digest.compose.rank import Importance, importance_of
from digest.compose.words import WordIndex, Wording
from digest.model import LineKind, LineReaders, LogLine, Meeting, MeetingStatus, Place, WishKind

_SUMMARY_KINDS = frozenset({LineKind.SUMMARY, LineKind.CORRECTION, LineKind.WITHDRAWAL})
_NOT_COMING_UP = frozenset({MeetingStatus.CANCELLED, MeetingStatus.POSTPONED, MeetingStatus.HELD})

WITHDRAWN_UNSAID = "published and withdrawn within this letter's range, so there is nothing to tell"


@dataclass(frozen=True, slots=True)
class Telling:
    """One way to say an item: the wish it serves, as what, where, and the meeting it replaces."""

    wish: WishKind
    kind: LineKind
    place: Place
    is_new: bool
    before: Meeting | None = None


class History:
    """All lines of one item within a range, as one item in its latest version.

    ``tellings`` are the ways to say it, best first; a reader gets the first whose wish they have.
    Empty means it is said to nobody. ``since`` is when its first line was published, None when that lies
    within the range. ``ordinal`` is its place in the index's words. ``cache`` is for the
    selection, which knows what may be kept.
    """

    __slots__ = ("cache", "importance", "latest", "ordinal", "seqs", "since", "tellings", "wording")

    def __init__(
        self, lines: Sequence[LogLine], *, since: datetime | None, ordinal: int, wording: Wording
    ) -> None:
        is_first_inside = since is None
        self.latest = lines[-1]
        self.seqs = tuple(line.seq for line in lines)
        self.since = since
        self.ordinal = ordinal
        self.wording = wording
        self.importance: Importance = importance_of(self.latest.summaries)
        self.tellings = _tellings(lines, is_first_inside=is_first_inside)
        self.cache: dict[object, object] = {}

    @property
    def is_summary(self) -> bool:
        """True for what a council with limited support does not get mailed."""
        return self.latest.kind in _SUMMARY_KINDS


def _tellings(lines: Sequence[LogLine], *, is_first_inside: bool) -> tuple[Telling, ...]:
    latest = lines[-1]
    if latest.kind in _SUMMARY_KINDS:
        return _summary_tellings(latest, is_first_inside=is_first_inside)
    before = _before(lines)
    if latest.kind is LineKind.PAPERS:
        return (Telling(WishKind.PAPERS, LineKind.PAPERS, Place.PAPERS, is_first_inside, before),)
    if latest.kind is LineKind.MEETING_CANCELLED:
        return (Telling(WishKind.CHANGES, LineKind.MEETING_CANCELLED, Place.CHANGED, False, before),)
    as_new = Telling(WishKind.COMING_UP, LineKind.MEETING_NEW, Place.COMING_UP, True)
    as_changed = Telling(WishKind.CHANGES, LineKind.MEETING_CHANGED, Place.CHANGED, False, before)
    if not is_first_inside:
        return (as_changed,)
    # Who wishes only changes is told of a move even when the meeting itself is new in this range.
    has_changed = any(line.kind is not LineKind.MEETING_NEW for line in lines)
    return (as_new, as_changed) if has_changed else (as_new,)


def _summary_tellings(latest: LogLine, *, is_first_inside: bool) -> tuple[Telling, ...]:
    wish = WishKind.DECISIONS
    if latest.kind is LineKind.WITHDRAWAL:
        return () if is_first_inside else (Telling(wish, LineKind.WITHDRAWAL, Place.CORRECTED, False),)
    if is_first_inside:
        return (Telling(wish, LineKind.SUMMARY, Place.DECIDED, True),)
    return (Telling(wish, LineKind.CORRECTION, Place.CORRECTED, False),)


def _before(lines: Sequence[LogLine]) -> Meeting | None:
    """The meeting as the reader last heard of it: before the first change of the range.

    A meeting moved away and back again keeps the last change's own "before", so that the entry still
    says what happened.
    """
    told = [line.before for line in lines if line.before is not None]
    if not told:
        return None
    return told[0] if _announced(told[0]) != _announced(lines[-1].meeting) else told[-1]


def _announced(meeting: Meeting) -> tuple[object, ...]:
    """What a resident would notice a change of."""
    return (meeting.starts_at, meeting.starts_on, meeting.status, meeting.venue, meeting.title)


class LineIndex:
    """The lines of one run, indexed once for all its profiles.

    Give it the lines of the followed councils from the lowest ``from_seq`` on. Lines without words any
    more may be missing (the withdrawn text's own): what is new in a range is told by ``first_seq``.
    """

    def __init__(self, lines: Iterable[LogLine]) -> None:
        self._lines: dict[str, list[LogLine]] = defaultdict(list)
        for line in sorted(lines, key=_seq):
            self._lines[line.council].append(line)
        self._seqs = {slug: [line.seq for line in found] for slug, found in self._lines.items()}
        self._marks = {slug: sorted(_marks(found)) for slug, found in self._lines.items()}
        # Councils of which one line concerns other readers than another.
        self._divided = {
            slug
            for slug, found in self._lines.items()
            if any(line.readers is not LineReaders.ALL or line.others_first for line in found)
        }
        self.words = WordIndex(
            {
                slug: [Wording(line.meeting, line.summaries) for line in found]
                for slug, found in self._lines.items()
            }
        )
        self._histories: dict[tuple[str, int, int, bool], tuple[History, ...]] = {}
        self._upcoming = Upcoming(())

    def every(self) -> tuple[LogLine, ...]:
        """All lines in seq order."""
        return tuple(sorted((line for found in self._lines.values() for line in found), key=_seq))

    def histories(
        self, council: str, *, from_seq: int, upto_seq: int, is_enabled: bool = False
    ) -> tuple[History, ...]:
        """The council's items that have a line in the range, by their latest line.

        ``is_enabled``: as the log reads for who has the council enabled.
        """
        low, high = self._span(council, from_seq, upto_seq)
        if high <= low:
            return ()
        # Two marks with no line of the council between them, first lines included, begin the same range.
        is_enabled = is_enabled and council in self._divided
        key = (council, bisect_right(self._marks[council], from_seq), high, is_enabled)
        if key not in self._histories:
            self._histories[key] = self._grouped(council, low, high, from_seq=from_seq, is_enabled=is_enabled)
        return self._histories[key]

    def upcoming(self, meetings: Sequence[Meeting]) -> Upcoming:
        """The same meetings by council; the last is kept: a run gives one sequence to all its editions."""
        if self._upcoming.meetings is not meetings:
            self._upcoming = Upcoming(meetings)
        return self._upcoming

    def _span(self, council: str, from_seq: int, upto_seq: int) -> tuple[int, int]:
        seqs = self._seqs.get(council)
        if seqs is None:
            return (0, 0)
        return bisect_right(seqs, from_seq), bisect_right(seqs, upto_seq)

    def _grouped(
        self, council: str, low: int, high: int, *, from_seq: int, is_enabled: bool
    ) -> tuple[History, ...]:
        lines = self._lines[council][low:high]
        items: dict[str, list[LogLine]] = defaultdict(list)
        for line in lines:
            if line.concerns(is_enabled=is_enabled):
                items[line.item].append(line)
        first = self.words.span(council)[0] + low
        ordinals = {line.seq: first + number for number, line in enumerate(lines)}
        histories = (
            History(
                group,
                since=_since(group[-1], from_seq=from_seq, is_enabled=is_enabled),
                ordinal=ordinals[group[-1].seq],
                wording=self.words.wordings[ordinals[group[-1].seq]],
            )
            for group in items.values()
        )
        return tuple(sorted(histories, key=lambda history: history.latest.seq))


def _seq(line: LogLine) -> int:
    return line.seq


def _since(line: LogLine, *, from_seq: int, is_enabled: bool) -> datetime | None:
    seq, at = line.first_for(is_enabled=is_enabled)
    return None if seq > from_seq else at


def _marks(lines: Sequence[LogLine]) -> set[int]:
    firsts = {line.first_for(is_enabled=told)[0] for line in lines for told in (True, False)}
    return firsts | {line.seq for line in lines}


def index_of(lines: LineIndex | Sequence[LogLine]) -> LineIndex:
    """The index itself, or a new one over plain lines."""
    return lines if isinstance(lines, LineIndex) else LineIndex(lines)


# --- meetings in time ------------------------------------------------------------------------------------


def moment_of(meeting: Meeting) -> datetime | None:
    """When it starts, UTC; the day's first instant at the council where only the day is known; else None."""
    if meeting.starts_at is not None:
        return meeting.starts_at
    if meeting.starts_on is None:
        return None
    midnight = datetime.combine(meeting.starts_on, day_time.min, ZoneInfo(meeting.timezone))
    return midnight.astimezone(UTC)


def is_past(meeting: Meeting, *, as_of: datetime) -> bool:
    """True once it began; a meeting of which only the day is known lasts that whole local day."""
    moment = moment_of(meeting)
    if moment is None:
        return False
    if meeting.starts_at is None:
        return moment + timedelta(days=1) <= as_of
    return moment < as_of


class Known:
    """A coming meeting known from state; ``ordinal`` and ``cache`` as in ``History``."""

    __slots__ = ("cache", "meeting", "ordinal", "wording")

    def __init__(self, meeting: Meeting, *, ordinal: int, wording: Wording) -> None:
        self.meeting = meeting
        self.ordinal = ordinal
        self.wording = wording
        self.cache: dict[object, object] = {}


class Upcoming:
    """Meetings known at ``as_of``, by council, within any horizon asked for."""

    def __init__(self, meetings: Sequence[Meeting]) -> None:
        self.meetings = meetings
        councils: dict[str, list[Meeting]] = defaultdict(list)
        for meeting in meetings:
            councils[meeting.council].append(meeting)
        self.words = WordIndex({slug: [Wording(m) for m in found] for slug, found in councils.items()})
        self._known = {slug: self._numbered(slug, found) for slug, found in councils.items()}
        self._within: dict[tuple[str, datetime, timedelta], tuple[Known, ...]] = {}

    def within(self, council: str, *, as_of: datetime, horizon: timedelta) -> tuple[Known, ...]:
        """The council's meetings from ``as_of`` to the horizon; cancelled and undated ones are not."""
        key = (council, as_of, horizon)
        if key not in self._within:
            self._within[key] = tuple(
                known
                for known in self._known.get(council, ())
                if _is_within(known.meeting, as_of=as_of, horizon=horizon)
            )
        return self._within[key]

    def _numbered(self, council: str, meetings: Sequence[Meeting]) -> list[Known]:
        first = self.words.span(council)[0]
        return [
            Known(meeting, ordinal=number, wording=self.words.wordings[number])
            for number, meeting in enumerate(meetings, start=first)
        ]


def _is_within(meeting: Meeting, *, as_of: datetime, horizon: timedelta) -> bool:
    moment = moment_of(meeting)
    if moment is None or meeting.status in _NOT_COMING_UP:
        return False
    return not is_past(meeting, as_of=as_of) and moment <= as_of + horizon
