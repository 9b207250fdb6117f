"""Fitting a letter into its size: detail shrinks first, then items fold into "and 4 more"; nothing is cut.

Gmail hides what comes after about 102 kB of HTML, the unsubscribe link with it (contracts: sendgrid, 7).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from digest.model import Detail, Entry, Place
from digest.render.fragment import Fragment

MAX_BYTES = 80_000
FOLD_LINE_BYTES = 3_000  # what one "and 4 more" line costs at most
_RANK = {Detail.HEADLINE: 0, Detail.BRIEF: 1, Detail.FULL: 2}
_SHRINKS = (Place.DECIDED, Place.CORRECTED, Place.PAPERS)


@dataclass(frozen=True, slots=True)
class Fitted:
    """The entries that are shown, each with its fragment at the detail that fits, and those that are only "
    "counted."""

    shown: tuple[tuple[Entry, Fragment], ...]
    folded: tuple[Entry, ...]


def fit(
    entries: Sequence[Entry],
    *,
    room_bytes: int,
    reason_bytes: int,
    render: Callable[[Entry, Detail], Fragment],
) -> Fitted:
    """Fit the entries into ``room_bytes``, each with ``reason_bytes`` for its reason.

    The last entries shrink first; then the longest place folds from its end.
    """
    fragments = [render(entry, entry.detail) for entry in entries]
    total = sum(fragment.size_bytes + reason_bytes for fragment in fragments)
    if total <= room_bytes:
        return Fitted(tuple(zip(entries, fragments, strict=True)), ())
    total = _shrink(entries, fragments, total=total, room_bytes=room_bytes, render=render)
    sizes = [fragment.size_bytes + reason_bytes for fragment in fragments]
    folded = _fold(entries, sizes, total=total, room_bytes=room_bytes)
    shown = tuple(pair for n, pair in enumerate(zip(entries, fragments, strict=True)) if n not in folded)
    return Fitted(shown, tuple(entry for n, entry in enumerate(entries) if n in folded))


def _shrink(
    entries: Sequence[Entry],
    fragments: list[Fragment],
    *,
    total: int,
    room_bytes: int,
    render: Callable[[Entry, Detail], Fragment],
) -> int:
    """Less detail, in place, until the entries fit or have no more to give; returns their size then."""
    for target in (Detail.BRIEF, Detail.HEADLINE):
        for n, entry in reversed(list(enumerate(entries))):
            if total <= room_bytes:
                return total
            if entry.place in _SHRINKS and _RANK[entry.detail] > _RANK[target]:
                smaller = render(entry, target)
                total += smaller.size_bytes - fragments[n].size_bytes
                fragments[n] = smaller
    return total


def _fold(entries: Sequence[Entry], sizes: list[int], *, total: int, room_bytes: int) -> set[int]:
    """Which entries are only counted. Corrections fold last: they stand on their own."""
    standing: dict[Place, list[int]] = {}
    for n, entry in enumerate(entries):
        standing.setdefault(entry.place, []).append(n)
    folded: set[int] = set()
    lines: set[Place] = set()
    while total > room_bytes and standing:
        place = max(standing, key=lambda p: len(standing[p]) * (0.2 if p is Place.CORRECTED else 1.0))
        n = standing[place].pop()
        folded.add(n)
        total -= sizes[n]
        if place not in lines:
            lines.add(place)
            total += FOLD_LINE_BYTES
        if not standing[place]:
            del standing[place]
    return folded
