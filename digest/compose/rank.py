"""Which item comes first, and why: pure, stable, explained.

Order: what matches a topic, keyword or ward first; then decisions before announcements; then importance;
then time; then the item's ref, so that equal items never change places between two runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from digest.model import Condensed, Place

RankKey = tuple[int, int, int, float, str]

# What was decided (or told wrongly) before what will be; papers last, they are the most numerous.
_ORDER = {
    Place.DECIDED: 0,
    Place.CORRECTED: 1,
    Place.CHANGED: 2,
    Place.COMING_UP: 3,
    Place.PAPERS: 4,
}
_UNKNOWN_MOMENT = datetime(9999, 1, 1, tzinfo=UTC)
_MONEY = re.compile(
    r"[£€$]\s?(\d[\d,]{0,20}(?:\.\d{1,6})?)\s?(thousand|million|billion|bn|[kmb])?\b", re.IGNORECASE
)
_SCALE = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "b": 1e9, "bn": 1e9, "billion": 1e9}

# The weights are a choice that this line explains: one decision weighs as much as a tenfold of money
# above 10,000, and 400 words of account as much as one decision; each has a ceiling, so none drowns the rest.
_MOST_MONEY_POINTS = 6
_MOST_DECISION_POINTS = 5
_MOST_LENGTH_POINTS = 3
_WORDS_PER_POINT = 400


@dataclass(frozen=True, slots=True)
class Importance:
    """What makes a summary weigh: the largest sum it names, its decisions, its length in words."""

    money: float = 0.0
    decisions: int = 0
    words: int = 0

    @property
    def score(self) -> int:
        """The points that rank by; higher comes first."""
        return self._money_points + min(self.decisions, _MOST_DECISION_POINTS) + self._length_points

    @property
    def why(self) -> str:
        """The points in words, for ``digest explain`` and the studio."""
        parts = [
            f"largest sum {self.money:,.0f} (+{self._money_points})" if self._money_points else "",
            f"{self.decisions} decisions (+{min(self.decisions, _MOST_DECISION_POINTS)})"
            if self.decisions
            else "",
            f"{self.words} words (+{self._length_points})" if self._length_points else "",
        ]
        return ", ".join(part for part in parts if part) or "nothing that adds weight"

    @property
    def _money_points(self) -> int:
        digits = len(str(int(self.money)))
        return max(0, min(digits - 4, _MOST_MONEY_POINTS))

    @property
    def _length_points(self) -> int:
        return min(self.words // _WORDS_PER_POINT, _MOST_LENGTH_POINTS)


NO_WEIGHT = Importance()


def importance_of(summaries: Sequence[Condensed]) -> Importance:
    """The weight of an item by its first language; without a summary there is none."""
    if not summaries:
        return NO_WEIGHT
    summary = summaries[0]
    sums = (_amount(*found) for found in _MONEY.findall(summary.full_text))
    return Importance(
        money=max(sums, default=0.0),
        decisions=len(summary.decisions),
        words=summary.full_text.count(" ") + 1,
    )


def rank_key(
    item: str, *, place: Place, matched: int, importance: Importance, moment: datetime | None
) -> RankKey:
    """The key to sort by, first comes first. Announcements go soonest first, accounts latest first."""
    time = (moment or _UNKNOWN_MOMENT).timestamp()
    is_account = place in (Place.DECIDED, Place.CORRECTED)
    return (-matched, _ORDER[place], -importance.score, -time if is_account else time, item)


def _amount(number: str, unit: str) -> float:
    digits = number.replace(",", "").rstrip(".")
    return float(digits) * _SCALE.get(unit.casefold(), 1.0)
