"""Plain text: safe single lines, cuts at words, paragraphs of 72 columns."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

COLUMNS = 72
MAX_REMEMBERED = 400  # characters of a paragraph whose wrapping is remembered
# Controls, and the marks that turn the reading direction (Unicode TR 9): none may leave its line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BIDI = re.compile(r"[\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_SPACES = re.compile(r"\s+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_BIDI_IN_TEXT = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_STRANGE_IN_TEXT = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def one_line(text: str) -> str:
    """The text as one safe line: no CR, LF or other control, no bidirectional mark, single spaces."""
    # Almost every line is: no control, mark or surrogate is printable (Unicode: Cc, Cf, Cs, Zl, Zp).
    if text.isprintable() and "  " not in text:
        return unicodedata.normalize("NFC", text).strip()
    text = _CONTROL.sub(" ", _SURROGATE.sub("\ufffd", text))
    return _SPACES.sub(" ", unicodedata.normalize("NFC", _BIDI.sub("", text))).strip()


def many_lines(text: str) -> str:
    """The text with its line ends (as LF) but no other control and no bidirectional mark."""
    if not _STRANGE_IN_TEXT.search(text):
        return text
    text = _SURROGATE.sub("\ufffd", text).replace("\r\n", "\n").replace("\r", "\n")
    return _BIDI_IN_TEXT.sub("", _CONTROL_IN_TEXT.sub("", text))


def shortened(text: str, limit: int) -> str:
    """At most ``limit`` characters, ended with an ellipsis after a whole word where it was longer."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    if not text[limit - 1].isspace():
        cut = head.rstrip().rfind(" ")
        # A single word longer than the line has no other end than the line's.
        head = head[:cut] if cut > 0 else head
    return head.rstrip(" ,;:–—-(“‘'\"") + "…"


def wrapped(text: object, indent: str = "", first: str | None = None) -> str:
    """The text in lines of 72 columns; paragraphs and list lines keep their breaks, addresses stay whole."""
    opening = indent if first is None else first
    whole = str(text)
    return (_wrapped if len(whole) > MAX_REMEMBERED else _remembered)(whole, indent, opening)


def _wrapped(text: str, indent: str, opening: str) -> str:
    lines: list[str] = []
    for line in text.replace("\t", " ").split("\n"):
        words = [word for word in line.split(" ") if word]
        if not words:
            lines.append("")
            continue
        lead = line[: len(line) - len(line.lstrip(" "))]
        hang = "  " if words[0] in ("-", "*", "•") else ""
        lines += _in_columns(words, opening + lead, indent + lead + hang)
        opening = indent
    return "\n".join(lines)


def _in_columns(words: list[str], first: str, rest: str) -> list[str]:
    """The words in lines as full as they can be; a word longer than a line has its own."""
    lines: list[str] = []
    line = first + words[0]
    for word in words[1:]:
        if len(line) + 1 + len(word) <= COLUMNS:
            line += " " + word
        else:
            lines.append(line)
            line = rest + word
    lines.append(line)
    return lines


# Fixed sentences and reasons are wrapped in every letter anew: the same few again and again.
_remembered = lru_cache(maxsize=2048)(_wrapped)


def underlined(text: object, mark: str = "-") -> str:
    """A heading of a text part: the line, and a rule of its length below."""
    lines = wrapped(text)
    return lines + "\n" + mark * max(len(line) for line in lines.split("\n"))


def tidy(text: str) -> str:
    """A whole text part: no trailing spaces, no more than one empty line in a row, one at the end."""
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"
