"""Fitting a letter into its size: detail shrinks first, then items fold into "and 4 more"; nothing is cut.

Meetings to come beyond the next dozen fold before what was decided loses its text.

Gmail hides what comes after about 102 kB of HTML, the unsubscribe link with it (contracts: sendgrid, 7).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from digest.model import Detail, Entry, Place
from digest.render.fragment import Fragment

MAX_BYTES = 80_000
NEXT_MEETINGS = 12  # meetings to come, soonest first, that are worth more than brief texts of late items
FIRST_FEW = 3  # entries that are worth more as text than the last meetings are as lines
# A brief fragment at its largest: lead, four points, decisions, six papers with long addresses.
BRIEF_BYTES = 12_000
FOLD_LINE_BYTES = 3_000  # what one "and 4 more" line costs at most
_RANK = {Detail.HEADLINE: 0, Detail.BRIEF: 1, Detail.FULL: 2}
_SHRINKS = (Place.DECIDED, Place.CORRECTED, Place.PAPERS)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is shown, each entry with its fragment at the detail that fits, and what is only counted.

    ``is_whole``: nothing had to be given up.
    """

    shown: tuple[tuple[Entry, Fragment], ...]
    folded: tuple[Entry, ...]
    is_whole: bool = False


def fit(
    entries: Sequence[Entry],
    *,
    room_bytes: int,
    reason: Callable[[Entry], int],
    render: Callable[[Entry, Detail], Fragment],
    size: Callable[[Fragment], int] = attrgetter("size_bytes"),
) -> Fitted:
    """Fit the entries into ``room_bytes``; ``reason`` is what an entry's reason takes of it, ``size`` what a
    fragment takes: the larger of its parts, unless only one is sent.

    Details shrink from the last entry on, but the first few stay brief; then the longest place folds from its
    end.
    """
    fragments = [render(entry, entry.detail) for entry in entries]
    reasons = [reason(entry) for entry in entries]
    excess = sum(map(size, fragments)) + sum(reasons) - room_bytes
    if excess <= 0:
        return Fitted(tuple(zip(entries, fragments, strict=True)), (), is_whole=True)
    shrink = partial(_shrink, entries, fragments, render=render, size=size)
    excess = shrink(Detail.BRIEF, excess=excess, spared=frozenset())
    folding = _Folding(entries, reasons, size)
    excess -= folding.fold_later_meetings(fragments, excess)
    first = _first_few(entries, render, size)
    excess = shrink(Detail.HEADLINE, excess=excess, spared=first)
    folding.fold(fragments, excess)
    pairs = enumerate(zip(entries, fragments, strict=True))
    shown = tuple(pair for n, pair in pairs if n not in folding.folded)
    return Fitted(shown, tuple(entry for n, entry in enumerate(entries) if n in folding.folded))


def _first_few(
    entries: Sequence[Entry],
    render: Callable[[Entry, Detail], Fragment],
    size: Callable[[Fragment], int],
) -> set[int]:
    """The entries that keep their text the longest: the first few, unless brief is not what they are."""
    first = [n for n, entry in enumerate(entries) if entry.place in _SHRINKS][:FIRST_FEW]
    return {n for n in first if size(render(entries[n], Detail.BRIEF)) <= BRIEF_BYTES}


def _shrink(
    entries: Sequence[Entry],
    fragments: list[Fragment],
    target: Detail,
    *,
    excess: int,
    spared: Set[int],
    render: Callable[[Entry, Detail], Fragment],
    size: Callable[[Fragment], int],
) -> int:
    """Less detail, in place, from the last entry on, until ``excess`` bytes are saved; what remains of it."""
    for n, entry in reversed(list(enumerate(entries))):
        if excess <= 0:
            break
        if n not in spared and entry.place in _SHRINKS and _RANK[entry.detail] > _RANK[target]:
            smaller = render(entry, target)
            excess -= size(fragments[n]) - size(smaller)
            fragments[n] = smaller
    return excess


class _Folding:
    """Which entries are only counted, by number."""

    def __init__(
        self, entries: Sequence[Entry], reasons: Sequence[int], size: Callable[[Fragment], int]
    ) -> None:
        self.folded: set[int] = set()
        self._size = size
        self._reasons = reasons
        self._standing: dict[Place, list[int]] = {}
        self._lines: set[Place] = set()
        for n, entry in enumerate(entries):
            self._standing.setdefault(entry.place, []).append(n)

    def fold_later_meetings(self, fragments: Sequence[Fragment], excess: int) -> int:
        """Bytes saved by folding meetings to come, the last first, the next dozen never."""
        saved = 0
        meetings = self._standing.get(Place.COMING_UP, [])
        while saved < excess and len(meetings) > NEXT_MEETINGS:
            saved += self._fold_last(Place.COMING_UP, fragments)
        return saved

    def fold(self, fragments: Sequence[Fragment], excess: int) -> None:
        """From the end of the longest place on. Corrections fold last: they stand on their own."""
        while excess > 0 and self._standing:
            place = max(
                self._standing,
                key=lambda p: len(self._standing[p]) * (0.2 if p is Place.CORRECTED else 1.0),
            )
            excess -= self._fold_last(place, fragments)

    def _fold_last(self, place: Place, fragments: Sequence[Fragment]) -> int:
        n = self._standing[place].pop()
        self.folded.add(n)
        if not self._standing[place]:
            del self._standing[place]
        saved = self._size(fragments[n]) + self._reasons[n]
        if place in self._lines:
            return saved
        self._lines.add(place)
        return saved - FOLD_LINE_BYTES
