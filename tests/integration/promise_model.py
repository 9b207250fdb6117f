"""The promise of a digest as a plain model: lists, loops and no cleverness.

Written from the promise itself, not from the code: what a letter says is decided by the wishes at its
planning; for each reader the ranges are disjoint and, from the start mark on, without gap; an item of a
range that matches the wishes is named or counted exactly once; nobody is told another's items.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from digest.model import Ended


@dataclass(frozen=True)
class Line:
    """A line of the log: ``item`` is ``family:meeting``."""

    seq: int
    kind: str
    item: str
    council: str
    committee: str
    title: str
    published_at: datetime


@dataclass(frozen=True)
class Wishes:
    """The wishes that the machine plays with. ``but``: a committee of which nothing is wanted."""

    councils: frozenset[str]
    kinds: frozenset[str]
    only: str | None = None
    but: str | None = None
    never: str | None = None
    quiet_note: bool = False


@dataclass
class Reader:
    """Somebody who follows councils, with every wish they had at any step of the story."""

    id: int
    state: str
    schedule: str
    due_from: datetime | None
    floor: int
    wishes: list[tuple[int, str]] = field(default_factory=list)

    def wishes_since(self, step: int) -> set[str]:
        """The wishes held at that step or later."""
        before = [wish for at, wish in self.wishes if at < step]
        return {wish for at, wish in self.wishes if at >= step} | set(before[-1:])


@dataclass(frozen=True)
class Delivery:
    """A delivery as the ledger has it: ``standing`` is its named end, or open, uncertain."""

    run: int
    reader: int
    from_seq: int
    upto_seq: int
    standing: str

    @property
    def keeps_range(self) -> bool:
        """Open and doubtful letters hold their range until something is known."""
        if self.standing in ("open", "uncertain", "refused_batch"):
            return True
        return Ended(self.standing).keeps_range


KIND_OF = {
    "summary": "decisions",
    "correction": "decisions",
    "withdrawal": "decisions",
    "meeting_new": "coming_up",
    "meeting_changed": "changes",
    "meeting_cancelled": "changes",
    "papers": "papers",
}


def owed(wishes: Wishes, log: list[Line], from_seq: int, upto_seq: int) -> dict[str, Line]:
    """The items that a letter for (from_seq, upto_seq] owes to these wishes, with their latest line."""
    found: dict[str, list[Line]] = {}
    for line in log:
        if from_seq < line.seq <= upto_seq:
            found.setdefault(line.item, []).append(line)
    items = {}
    for item, lines in found.items():
        is_new = first_line(log, item).seq > from_seq
        if _concerns(wishes, lines[-1]) and _is_told(wishes, lines, is_new=is_new):
            items[item] = lines[-1]
    return items


def first_line(log: list[Line], item: str) -> Line:
    """The first line that was ever written about an item."""
    return next(line for line in log if line.item == item)


def _concerns(wishes: Wishes, line: Line) -> bool:
    if line.council not in wishes.councils:
        return False
    if wishes.only is not None and line.committee != wishes.only:
        return False
    if wishes.but is not None and line.committee == wishes.but:
        return False
    return wishes.never is None or wishes.never not in line.title.lower().split()


def _is_told(wishes: Wishes, lines: list[Line], *, is_new: bool) -> bool:
    latest = lines[-1].kind
    if latest == "withdrawal" and is_new:
        return False
    if latest in ("meeting_new", "meeting_changed"):
        has_changed = any(line.kind != "meeting_new" for line in lines)
        as_new = is_new and "coming_up" in wishes.kinds
        return as_new or ((has_changed or not is_new) and "changes" in wishes.kinds)
    return KIND_OF[latest] in wishes.kinds


def broken_chain(reader: Reader, deliveries: list[Delivery], mark: int) -> str | None:
    """What is wrong with a reader's ranges: they overlap, leave a gap, or do not end at the mark."""
    kept = sorted((d for d in deliveries if d.keeps_range), key=lambda d: (d.from_seq, d.upto_seq))
    at = None
    for one in kept:
        if one.upto_seq < one.from_seq:
            return f"run {one.run} covers ({one.from_seq}, {one.upto_seq}], which is backwards"
        if at is not None and one.from_seq < at:
            return f"run {one.run} says ({one.from_seq}, {one.upto_seq}] again: {at} was covered"
        at = one.upto_seq if at is None else max(at, one.upto_seq)
    # Leaving ends a chain: who comes back begins at the floor, and owes the past nothing.
    chain = [one for one in kept if one.from_seq >= reader.floor]
    expected = reader.floor
    for one in chain:
        if one.from_seq != expected:
            return f"nothing covers ({expected}, {one.from_seq}] before run {one.run}"
        expected = one.upto_seq
    if mark != expected and not (mark == reader.floor and not chain):
        return f"the mark is {mark}, the ranges end at {expected}"
    return None


def is_older(line: Line, *, as_of: datetime, look_back: timedelta) -> bool:
    """True for an item that a letter after a pause only counts."""
    return line.published_at < as_of - look_back
