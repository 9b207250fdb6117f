"""The fields of one mapping, checked one by one; what is wrong is collected, so that one try names it all."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

from digest.errors import SummaryError
from digest.summaries.clean import tidy_line
from digest.summaries.spots import Spot

MAX_URL = 2000  # what browsers and mail clients take without harm
_BAD_IN_URL = re.compile(r"[\s<>\"`\\{}|^]")
Word = TypeVar("Word", bound=StrEnum)


@dataclass(slots=True)
class Findings:
    """What was found wrong in one file: (line, why), in the order found."""

    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, why: str) -> None:
        """Note one thing and go on."""
        self.found.append((line, why))

    def raise_first(self) -> None:
        """Raises: SummaryError for the first by line, with the others in its text."""
        if not self.found:
            return
        (line, why), *rest = sorted(self.found)
        more = "; ".join(f"line {n}: {w}" for n, w in rest[:5])
        if len(rest) > 5:
            more += f"; and {len(rest) - 5} more"
        raise SummaryError(f"{why} (also {more})" if more else why, line=line)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One mapping of the file: ``where`` is "" for the file itself, else "attendees 3: " and the like."""

    spots: dict[str, Spot]
    line: int
    findings: Findings
    where: str = ""
    key_lines: dict[str, int] = field(default_factory=dict)

    def known_only(self, known: tuple[str, ...]) -> None:
        """Note every key that is not in ``known``, with the nearest that is."""
        unknown = [key for key in self.spots if key not in known]
        for key in unknown[:20]:
            near = difflib.get_close_matches(key.lower().replace(" ", "_"), known, n=1, cutoff=0.5)
            mend = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            self.note(key, f"unknown field {_shown(key)}: {mend}", bare=True)

    def note(self, key: str, why: str, *, bare: bool = False) -> None:
        """Note what is wrong with a field, on its line (the mapping's own line when it is missing)."""
        spot = self.spots.get(key)
        line = self.key_lines.get(key) or (spot.line if spot else self.line)
        self.findings.add(line, f"{self.where}{why}" if bare else f"{self.where}{key}: {why}")

    def text(self, key: str, *, limit: int, is_required: bool = False) -> str | None:
        """The field on one line, or None; empty counts as missing."""
        spot = self.spots.get(key)
        text = self._one_line(spot, key, limit) if spot else None
        if text is None and is_required and (spot is None or not isinstance(spot.value, list | dict)):
            self.note(key, f"is missing: add '{key}: …'")
        return text

    def texts(self, key: str, *, limit: int, most: int) -> tuple[str, ...]:
        """The field as a list of texts, without empty ones and repetitions."""
        texts = [self._one_line(spot, f"{key} {n}", limit) for n, spot in enumerate(self._list(key, most), 1)]
        return tuple(dict.fromkeys(text for text in texts if text))

    def choice(self, key: str, words: type[Word], *, default: Word) -> Word:
        """The field as one of a closed list of words; the default stands in where it is noted as wrong."""
        text = self.text(key, limit=100, is_required=True)
        if text is None:
            return default
        try:
            return words(text.lower())
        except ValueError:
            near = difflib.get_close_matches(text.lower(), list(words), n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            self.note(key, f"{_shown(text)} is none of {', '.join(words)}{hint}")
            return default

    def url(self, key: str, *, is_required: bool = False) -> str | None:
        """The field as an http or https address."""
        text = self.text(key, limit=MAX_URL, is_required=is_required)
        if text is None or is_web_address(text):
            return text
        self.note(key, f"{_shown(text)} is no web address: write it whole, as https://…")
        return None

    def sheets(self, key: str, known: tuple[str, ...], *, most: int) -> list[Sheet]:
        """The field as a list of mappings with ``known`` keys."""
        sheets = []
        for n, spot in enumerate(self._list(key, most), 1):
            if not isinstance(spot.value, dict):
                self.findings.add(
                    spot.line, f"{key} {n}: must have fields ({', '.join(known)}), as '- {known[0]}: …'"
                )
                continue
            sheet = Sheet(spot.value, spot.line, self.findings, f"{key} {n}: ", spot.key_lines or {})
            sheet.known_only(known)
            sheets.append(sheet)
        return sheets

    def _list(self, key: str, most: int) -> list[Spot]:
        spot = self.spots.get(key)
        if spot is None or spot.value is None:
            return []
        if not isinstance(spot.value, list):
            self.note(key, f"must be a list, one entry a line: '{key}:' and below it '- …'")
            return []
        if len(spot.value) > most:
            self.note(key, f"has {len(spot.value)} entries, at most {most} are allowed: shorten it")
        return spot.value[:most]

    def _one_line(self, spot: Spot, key: str, limit: int) -> str | None:
        if spot.value is None:
            return None
        if not isinstance(spot.value, str):
            kind = "a list" if isinstance(spot.value, list) else "'key: value'"
            self.findings.add(
                spot.line, f"{self.where}{key}: must be text but reads as {kind}: put it in quotes"
            )
            return None
        text = tidy_line(spot.value)
        if len(text) > limit:
            self.findings.add(
                spot.line, f"{self.where}{key}: has {len(text)} characters, at most {limit} are allowed"
            )
        return text[:limit] or None


def is_web_address(text: str) -> bool:
    """True for an absolute http or https address with a host and nothing that could break out of a link."""
    if len(text) > MAX_URL or _BAD_IN_URL.search(text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}…")
