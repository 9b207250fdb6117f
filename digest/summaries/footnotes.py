"""Footnotes taken out of a Markdown text, wherever their definitions stand.

Generated summaries put a definition in the middle of a line, right behind the sentence that uses it
(``…such as SENCOs[^2]. [^2]: A SENCO is …`` in one bullet). No Markdown parser takes that apart, so it
is done here, before parsing. What stays in the text is a *mark*: the note's number in raised brackets,
``⁽¹⁾``, which is harmless and readable wherever it might be shown as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from digest.errors import SummaryError

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_MARK = re.compile(r"(?<![ \t])[ \t]*⁽([⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3})⁾")

_LABEL = r"\[\^([^\[\]\n]{1,60})\]"
_REFERENCE = re.compile(rf"(?<![ \t])[ \t]*{_LABEL}")
_DEFINITION = re.compile(rf"(?:^|(?<=\s)){_LABEL}:(?=\s|$)")
_INLINE_NOTE = re.compile(r"(?<![ \t])[ \t]*\^\[([^\[\]\n]{1,2000})\]")
_BLOCK_START = re.compile(r"\s*(?:[-*+]\s|\d{1,9}[.)]\s|#{1,6}\s|>|```|~~~|\[\^)")
_ONLY_MARKER = re.compile(r"[\s>]*(?:[-*+]|\d{1,9}[.)])?\s*$")
_REMAINS = re.compile(r"\[\^+")


@dataclass(frozen=True, slots=True)
class _Definition:
    label: str
    text: str
    line: int
    opens_line: bool


def mark_of(number: int) -> str:
    """The mark that stands in a text for note ``number``."""
    return f"⁽{str(number).translate(_RAISED)}⁾"


def replace_marks(text: str, form: str) -> str:
    """The text with each mark in another form: ``form`` holds ``{}`` for the number, or is empty."""
    return _MARK.sub(lambda m: form.format(_number(m)), text)


def renumbered(text: str, numbers: dict[int, int]) -> str:
    """The text with each mark's number looked up in ``numbers``; a mark that is not there is dropped."""
    return _MARK.sub(lambda m: mark_of(numbers[n]) if (n := _number(m)) in numbers else "", text)


def numbers_in(text: str) -> list[int]:
    """The numbers of the marks in a text, in order, each once."""
    return list(dict.fromkeys(_number(m) for m in _MARK.finditer(text)))


def _number(mark: re.Match[str]) -> int:
    return int(mark[1].translate(_LOWERED))


def without_references(text: str) -> str:
    """Plain words without what a parser of footnotes would take for a reference."""
    return _REFERENCE.sub("", text)


def without_remains(text: str) -> str:
    """The text with nothing left that begins like a footnote; tags in it stay whole."""
    return _REMAINS.sub("[", text)


def take_apart(body: str, *, first_line: int = 1) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The body with marks for references, and its notes as (number, text), numbered as first referred to.

    Lines keep their numbers: what is taken out leaves an empty line. A reference without a definition is
    dropped; a definition that nobody refers to is the last of the notes.
    Raises: SummaryError when one label has two different definitions.
    """
    body, found = _definitions_out(body, first_line)
    texts: dict[str, str] = {}
    for note in found:
        if texts.setdefault(note.label, note.text) != note.text:
            raise SummaryError(
                f"the footnote [^{note.label}] is defined twice: give each footnote its own label",
                line=note.line,
            )
    body, inline = _inline_out(body, taken=texts)
    texts |= inline
    numbers = _numbers(body, texts)
    body = _REFERENCE.sub(lambda m: mark_of(numbers[m[1]]) if m[1] in numbers else "", body)
    by_number = sorted((number, label) for label, number in numbers.items())
    notes = ((str(n), _note_text(texts[label])) for n, label in by_number)
    return without_remains(body), tuple(notes)


def _note_text(text: str) -> str:
    return without_remains(replace_marks(without_references(text), ""))


def _numbers(body: str, texts: dict[str, str]) -> dict[str, int]:
    referred = [m[1] for m in _REFERENCE.finditer(body) if m[1] in texts]
    return {label: n for n, label in enumerate(dict.fromkeys([*referred, *texts]), 1)}


def _inline_out(body: str, *, taken: dict[str, str]) -> tuple[str, dict[str, str]]:
    notes: dict[str, str] = {}

    def named(found: re.Match[str]) -> str:
        label = f"inline {len(taken) + len(notes) + 1}"
        notes[label] = found[1].strip()
        return f"[^{label}]"

    return _INLINE_NOTE.sub(named, body), notes


def _definitions_out(body: str, first_line: int) -> tuple[str, list[_Definition]]:
    lines = body.split("\n")
    skip = _mere_references(lines)
    kept: list[str] = []
    found: list[_Definition] = []
    at = 0
    while at < len(lines):
        starts = [m for m in _DEFINITION.finditer(lines[at]) if (at, m.start()) not in skip]
        if not starts:
            kept.append(lines[at])
            at += 1
            continue
        head = lines[at][: starts[0].start()]
        opens_line = bool(_ONLY_MARKER.match(head))
        until = _end_of_note(lines, at, is_own_block=opens_line)
        tail = " ".join(line.strip() for line in lines[at + 1 : until] if line.strip())
        found += _split(f"{lines[at]} {tail}", starts, first_line + at, opens_line=opens_line)
        kept += ["" if opens_line else head.rstrip(), *[""] * (until - at - 1)]
        at = until
    return "\n".join(kept), found


def _split(text: str, starts: list[re.Match[str]], line: int, *, opens_line: bool) -> list[_Definition]:
    ends = [m.start() for m in starts[1:]] + [len(text)]
    parts = [(m[1], text[m.end() : end].strip()) for m, end in zip(starts, ends, strict=True)]
    return [_Definition(label, part, line, opens_line) for label, part in parts if part]


def _end_of_note(lines: list[str], at: int, *, is_own_block: bool) -> int:
    """The index behind the last line of a note: its paragraph, and indented ones of a note on its own."""
    at += 1
    while at < len(lines):
        line = lines[at]
        if line.strip():
            if _BLOCK_START.match(line):
                break
        elif not (is_own_block and at + 1 < len(lines) and lines[at + 1].startswith(("    ", "\t"))):
            break
        at += 1
    return at


def _mere_references(lines: list[str]) -> set[tuple[int, int]]:
    """Places that look like a definition but are a reference before a colon: a later or better one exists."""
    places: dict[str, list[tuple[int, int, bool]]] = {}
    for n, line in enumerate(lines):
        for m in _DEFINITION.finditer(line):
            opens = bool(_ONLY_MARKER.match(line[: m.start()]))
            places.setdefault(m[1], []).append((n, m.start(), opens))
    mere: set[tuple[int, int]] = set()
    for found in places.values():
        has_opening = any(opens for _, _, opens in found)
        others = [place for place in found if not place[2]] if has_opening else found[:-1]
        mere |= {(n, start) for n, start, _ in others}
    return mere
