"""The editions of a run: profiles that are told the same share what is made of it.

Enters: the lines of the log, what the run knows (``Facts``), profiles one by one. Leaves: for each the very
edition that ``edition_of`` would make.
"""

from __future__ import annotations

from dataclasses import replace

from digest.compose.edition import Facts, edition_from
from digest.compose.findings import findings_of
from digest.compose.lines import LineIndex
from digest.model import Edition, Profile

# What profiles are told, kept for others of the same wishes: some MB at most.
_MOST_MADE = 1024


class Editions:
    """The editions of one run, each as ``edition_of`` makes it.

    Most words that readers wish to hear of occur in nothing new; whoever wishes the same but for such words
    is told the same, and shares what was made for the first of them.
    """

    def __init__(self, lines: LineIndex, facts: Facts) -> None:
        """``facts.from_seq`` does not matter: every edition has its own."""
        self.lines = lines
        self._facts = facts
        self._made: dict[object, Edition] = {}

    def edition(self, profile: Profile, *, from_seq: int) -> Edition:
        """The edition of this profile from there on; its ``news`` is the same object where the news is.

        Raises: NotFoundError as ``edition_of``.
        """
        findings = findings_of(
            profile, self.lines, councils=self._facts.councils, upcoming=self._facts.upcoming
        )
        wordless = replace(profile, topics=(), keywords=(), excluded=(), wards=())
        key = (wordless, from_seq, findings.key)
        made = self._made.get(key)
        if made is None:
            made = edition_from(wordless, self.lines, replace(self._facts, from_seq=from_seq), findings)
            made = made.with_news(object())
            if len(self._made) >= _MOST_MADE:
                self._made.clear()
            self._made[key] = made
        return made.told_to(profile)
