"""Fitting a letter into its size: detail shrinks first, then items fold into "and 4 more"; nothing is cut.

Gmail hides what comes after about 102 kB of HTML, the unsubscribe link with it (contracts: sendgrid, 7).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from digest.model import Detail, Entry, Place
from digest.render.fragment import Fragment

MAX_BYTES = 80_000
FIRST_FEW = 3  # entries that are worth more as text than the last meetings are as lines
# A brief fragment at its largest: lead, four points, decisions, six papers with long addresses.
BRIEF_BYTES = 12_000
FOLD_LINE_BYTES = 3_000  # what one "and 4 more" line costs at most
_RANK = {Detail.HEADLINE: 0, Detail.BRIEF: 1, Detail.FULL: 2}
_SHRINKS = (Place.DECIDED, Place.CORRECTED, Place.PAPERS)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is shown, each entry with its fragment at the detail that fits, and what is only counted."""

    shown: tuple[tuple[Entry, Fragment], ...]
    folded: tuple[Entry, ...]


def fit(
    entries: Sequence[Entry],
    *,
    room_bytes: int,
    reason: Callable[[Entry], int],
    render: Callable[[Entry, Detail], Fragment],
) -> Fitted:
    """Fit the entries into ``room_bytes``; ``reason`` is what an entry's reason takes of it.

    Details shrink from the last entry on, but the first few stay brief; then the longest place folds from its
    end.
    """
    fragments = [render(entry, entry.detail) for entry in entries]
    reasons = [reason(entry) for entry in entries]
    excess = sum(fragment.size_bytes for fragment in fragments) + sum(reasons) - room_bytes
    if excess <= 0:
        return Fitted(tuple(zip(entries, fragments, strict=True)), ())
    excess = _shrink(entries, fragments, Detail.BRIEF, excess=excess, spared=frozenset(), render=render)
    first = _first_few(entries, render)
    excess = _shrink(entries, fragments, Detail.HEADLINE, excess=excess, spared=first, render=render)
    sizes = [fragment.size_bytes + reasons[n] for n, fragment in enumerate(fragments)]
    folded = _fold(entries, sizes, excess=excess)
    shown = tuple(pair for n, pair in enumerate(zip(entries, fragments, strict=True)) if n not in folded)
    return Fitted(shown, tuple(entry for n, entry in enumerate(entries) if n in folded))


def _first_few(entries: Sequence[Entry], render: Callable[[Entry, Detail], Fragment]) -> set[int]:
    """The entries that keep their text the longest: the first few, unless brief is not what they are."""
    first = [n for n, entry in enumerate(entries) if entry.place in _SHRINKS][:FIRST_FEW]
    return {n for n in first if render(entries[n], Detail.BRIEF).size_bytes <= BRIEF_BYTES}


def _shrink(
    entries: Sequence[Entry],
    fragments: list[Fragment],
    target: Detail,
    *,
    excess: int,
    spared: Set[int],
    render: Callable[[Entry, Detail], Fragment],
) -> int:
    """Less detail, in place, from the last entry on, until ``excess`` bytes are saved; what remains of it."""
    for n, entry in reversed(list(enumerate(entries))):
        if excess <= 0:
            break
        if n not in spared and entry.place in _SHRINKS and _RANK[entry.detail] > _RANK[target]:
            smaller = render(entry, target)
            excess -= fragments[n].size_bytes - smaller.size_bytes
            fragments[n] = smaller
    return excess


def _fold(entries: Sequence[Entry], sizes: list[int], *, excess: int) -> set[int]:
    """Which entries are only counted. Corrections fold last: they stand on their own."""
    standing: dict[Place, list[int]] = {}
    for n, entry in enumerate(entries):
        standing.setdefault(entry.place, []).append(n)
    folded: set[int] = set()
    lines: set[Place] = set()
    while excess > 0 and standing:
        place = max(standing, key=lambda p: len(standing[p]) * (0.2 if p is Place.CORRECTED else 1.0))
        n = standing[place].pop()
        folded.add(n)
        excess -= sizes[n]
        if place not in lines:
            lines.add(place)
            excess += FOLD_LINE_BYTES
        if not standing[place]:
            del standing[place]
    return folded
