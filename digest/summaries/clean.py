"""Characters that may stand in a letter: everything else is dropped before any parser sees it.

Control characters break mail and PostgreSQL (NUL), direction controls make text lie (Trojan Source,
CVE-2021-42574), invisible and tag characters hide text, surrogates cannot be encoded.
"""

from __future__ import annotations

import re
import unicodedata

_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"  # controls, without tab and newline
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction
    "\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffc"  # invisible
    "\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff"  # surrogates, private use, noncharacters
    "\U000e0000-\U0010ffff]"  # tags, private planes
)
_ACCENT = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u20d0-\u20ff]"
_STACKED = re.compile(f"({_ACCENT}{{4}}){_ACCENT}+")  # no language stacks more
_LEADING_ACCENTS = re.compile(f"^(?:{_ACCENT})+")
_TEMPLATE = re.compile(r"(?<=\{)(?=[{%#])|(?<=[}%#])(?=\})")
_SPACES = re.compile(r"\s+")


def tidy(text: str) -> str:
    """The text in Unicode NFC with ``\\n`` line ends and without harmful characters; lines stay lines."""
    text = _UNWANTED.sub("", _LINE_ENDS.sub("\n", text))
    return unicodedata.normalize("NFC", _STACKED.sub(r"\1", text))


def free_standing(text: str) -> str:
    """The text without accents at its start: behind a tag they would melt into its ``>`` (U+226F)."""
    return _LEADING_ACCENTS.sub("", text)


def tidy_line(text: str) -> str:
    """The text on one line: tidied, every run of white space one space, without template brackets."""
    return free_standing(defused(_SPACES.sub(" ", tidy(text)).strip()))


def defused(text: str) -> str:
    """The text with ``{{``, ``{%``, ``{#`` and their ends split by a space: no template can take them up."""
    return _TEMPLATE.sub(" ", text)
