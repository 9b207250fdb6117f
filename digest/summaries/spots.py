"""Front matter or JSON as a tree in which every value knows its line.

All scalars stay text (``no`` is a name, ``2025-09-03`` is not yet a date): the fields decide what they mean.
YAML that could do harm is refused: anchors and aliases (bombs), tags, deep nesting.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from digest.errors import SummaryError

MAX_DEPTH = 6  # the format itself needs three
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BLANK = re.compile(r"[ \t\n\r]*")
_SCALARS = json.JSONDecoder(parse_int=str, parse_float=str)


@dataclass(frozen=True, slots=True)
class Spot:
    """One value and the line it starts on (from 1). ``value``: None, text, a list or a mapping of spots."""

    value: str | list[Spot] | dict[str, Spot] | None
    line: int
    key_lines: dict[str, int] | None = None


# --- YAML ------------------------------------------------------------------------------------------


def yaml_spot(text: str, *, first_line: int) -> Spot:
    """The tree of a YAML text whose first line is ``first_line`` of the file.

    Raises: SummaryError with the line of what is wrong.
    """
    try:
        events = yaml.parse(text, Loader=_LOADER)
        for event in events:
            if isinstance(event, yaml.NodeEvent):
                return _yaml_node(event, events, first_line, depth=0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = first_line + (mark.line if mark else 0)
        said = error.problem or error.context or "unreadable"
        raise SummaryError(
            f"the front matter is no YAML here: {said}. Indent with spaces, and put texts that hold ': ' or "
            "start with a sign in quotes",
            line=line,
        ) from error
    except yaml.YAMLError as error:
        raise SummaryError(f"the front matter is no YAML: {error}", line=first_line) from error
    return Spot({}, first_line, {})


def _yaml_node(event: Any, events: Iterator[Any], first_line: int, *, depth: int) -> Spot:
    line = first_line + event.start_mark.line
    if isinstance(event, yaml.AliasEvent) or event.anchor:
        raise SummaryError("anchors (&) and aliases (*) are not allowed: write the value out", line=line)
    if event.tag is not None:
        raise SummaryError(f"the tag {event.tag!r} is not allowed: write plain text", line=line)
    if depth > MAX_DEPTH:
        raise SummaryError("the front matter is nested too deeply: see the sample summaries", line=line)
    if isinstance(event, yaml.ScalarEvent):
        is_null = not event.style and event.value in _NULLS
        return Spot(None if is_null else event.value, line)
    if isinstance(event, yaml.SequenceStartEvent):
        return Spot(list(_yaml_children(events, first_line, depth)), line)
    mapping: dict[str, Spot] = {}
    key_lines: dict[str, int] = {}
    children = _yaml_children(events, first_line, depth)
    for key in children:
        _take(mapping, key_lines, key=key, value=next(children))
    return Spot(mapping, line, key_lines)


def _yaml_children(events: Iterator[Any], first_line: int, depth: int) -> Iterator[Spot]:
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            return
        yield _yaml_node(event, events, first_line, depth=depth + 1)


def _take(mapping: dict[str, Spot], key_lines: dict[str, int], *, key: Spot, value: Spot) -> None:
    if not isinstance(key.value, str):
        raise SummaryError("a key must be a plain word", line=key.line)
    if key.value in mapping:
        raise SummaryError(
            f"{key.value!r} stands twice (first on line {key_lines[key.value]}): keep one", line=key.line
        )
    mapping[key.value] = value
    key_lines[key.value] = key.line


# --- JSON ------------------------------------------------------------------------------------------


def json_spot(text: str) -> Spot:
    """The tree of a JSON text. Raises: SummaryError with the line of what is wrong."""
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise SummaryError(f"this is no JSON: {error.msg}", line=error.lineno) from error
    except (RecursionError, ValueError) as error:
        raise SummaryError(f"this JSON cannot be used: {error}") from error
    ends = [m.start() for m in re.finditer("\n", text)]
    spot, _ = _json_node(text, 0, ends, depth=0)
    return spot


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no value of a summary")


def _json_node(text: str, at: int, ends: list[int], *, depth: int) -> tuple[Spot, int]:
    """The value at ``at`` of a text already known to be JSON, and the index behind it."""
    at = _skip(text, at)
    line = bisect_left(ends, at) + 1
    if depth > MAX_DEPTH:
        raise SummaryError("the JSON is nested too deeply: see the sample summaries", line=line)
    if text[at] == "[":
        return _json_list(text, at, ends, line, depth)
    if text[at] == "{":
        return _json_mapping(text, at, ends, line, depth)
    value, end = _SCALARS.raw_decode(text, at)
    if isinstance(value, bool):
        raise SummaryError("true and false are no values of a summary: write text", line=line)
    return Spot(value, line), end


def _json_list(text: str, at: int, ends: list[int], line: int, depth: int) -> tuple[Spot, int]:
    items: list[Spot] = []
    at = _skip(text, at + 1)
    while text[at] != "]":
        item, at = _json_node(text, at, ends, depth=depth + 1)
        items.append(item)
        at = _skip(text, at, comma=True)
    return Spot(items, line), at + 1


def _json_mapping(text: str, at: int, ends: list[int], line: int, depth: int) -> tuple[Spot, int]:
    mapping: dict[str, Spot] = {}
    key_lines: dict[str, int] = {}
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = _json_node(text, at, ends, depth=depth + 1)
        value, at = _json_node(text, _skip(text, at) + 1, ends, depth=depth + 1)  # behind the colon
        _take(mapping, key_lines, key=key, value=value)
        at = _skip(text, at, comma=True)
    return Spot(mapping, line, key_lines), at + 1


def _skip(text: str, at: int, *, comma: bool = False) -> int:
    found = _BLANK.match(text, at)
    at = found.end() if found else at
    return _skip(text, at + 1) if comma and text[at] == "," else at
