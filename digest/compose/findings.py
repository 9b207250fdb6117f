"""Where a profile's words occur: all that a letter takes from them, and looked up before anything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from digest.compose.lines import LineIndex
from digest.compose.select import Found, found_in, rules_of
from digest.model import Council, Meeting, Profile


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a letter takes from a profile's words: where they occur, by council, among its lines and among
    its coming meetings."""

    lines: Mapping[str, Found]
    upcoming: Mapping[str, Found]

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for equal findings about the same councils."""
        return tuple(found.key for found in (*self.lines.values(), *self.upcoming.values()))


def findings_of(
    profile: Profile, index: LineIndex, *, councils: Mapping[str, Council], upcoming: Sequence[Meeting]
) -> Findings:
    """Where the profile's words occur.

    Raises: NotFoundError when a followed council is not among ``councils``.
    """
    followed = [rules.council.slug for rules in rules_of(profile, councils)]
    coming = index.upcoming(upcoming).words
    return Findings(
        {slug: found_in(profile, index.words, slug) for slug in followed},
        {slug: found_in(profile, coming, slug) for slug in followed},
    )
