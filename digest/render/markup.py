"""A letter's HTML as the lint reads it: elements in order, each with the colours it is shown in, light and
dark.

Only what letters are made of: inline styles, and the rules of the dark scheme with simple selectors.
Source of the cascade: CSS 2.2, 6 (colour is inherited; a background shows through until an element
paints its own).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from operator import itemgetter

_VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
_DARK = re.compile(r"@media\s*\(prefers-color-scheme:\s*dark\)\s*\{((?:[^{}]*\{[^{}]*\})*)\s*\}")
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_HEX = re.compile(r"#[0-9a-fA-F]{6}\b|#[0-9a-fA-F]{3}\b")
_STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)
LARGE_PX = 24.0
LARGE_BOLD_PX = 18.66


@dataclass(frozen=True, slots=True)
class Look:
    """How an element's text is shown: colours as ``#rrggbb``, size in CSS pixels."""

    colour: str = "#000000"
    ground: str = "#ffffff"
    size_px: float = 16.0
    is_bold: bool = False
    is_hidden: bool = False

    @property
    def is_large(self) -> bool:
        """True for text that needs only 3:1 (WCAG 2.2, 1.4.3: 18 pt, or 14 pt bold)."""
        return self.size_px >= LARGE_PX or (self.is_bold and self.size_px >= LARGE_BOLD_PX)


@dataclass(slots=True)
class Element:
    """One element with its place (line from 1), its own text and both of its looks."""

    tag: str
    attributes: Mapping[str, str]
    line: int
    light: Look
    dark: Look
    path: tuple[tuple[str, frozenset[str]], ...]
    text: list[str] = field(default_factory=list)
    inner: list[str] = field(default_factory=list)

    @property
    def own_text(self) -> str:
        """The text directly inside, without what is inside its children."""
        return " ".join("".join(self.text).split())

    @property
    def whole_text(self) -> str:
        """All text inside."""
        return " ".join("".join(self.inner).split())


# A compound: its tag ("" for any) and its classes; ``_CHILD`` stands between a parent and its child.
_Step = tuple[str, frozenset[str]]
_CHILD: _Step = (">", frozenset())


@dataclass(frozen=True, slots=True)
class _Rule:
    steps: tuple[_Step, ...]  # outermost first
    style: Mapping[str, str]


def elements_of(html: str) -> list[Element]:
    """Every element of the letter in the order of the source; conditional comments are not read."""
    reader = _Reader(_dark_rules("".join(_STYLE.findall(html))))
    reader.feed(html)
    reader.close()
    return reader.elements


def style_of(text: str) -> dict[str, str]:
    """An inline style as property -> value, both in lower case."""
    pairs = (part.split(":", 1) for part in text.split(";") if ":" in part)
    return {name.strip().lower(): value.strip().lower() for name, value in pairs}


class _Reader(HTMLParser):
    def __init__(self, dark_rules: list[_Rule]) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        # By what the innermost compound asks for: a letter has few elements that any one rule could fit.
        self._by_class: dict[str, list[tuple[int, _Rule]]] = {}
        for number, rule in enumerate(dark_rules):
            tag, classes = rule.steps[-1]
            self._by_class.setdefault(min(classes, default=f"<{tag}"), []).append((number, rule))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        parent = self._open[-1] if self._open else None
        own = (tag, frozenset(attributes.get("class", "").split()))
        path = (*(parent.path if parent else ()), own)
        style = style_of(attributes.get("style", ""))
        dark = dict(style)
        asked = (rules for name in (*own[1], f"<{tag}", "<") if (rules := self._by_class.get(name)))
        for _, rule in sorted((one for rules in asked for one in rules), key=itemgetter(0)):
            if _matches(rule.steps, path):
                dark |= rule.style
        element = Element(
            tag=tag,
            attributes=attributes,
            line=self.getpos()[0],
            light=_look(parent.light if parent else Look(), style, tag),
            dark=_look(parent.dark if parent else Look(), dark, tag),
            path=path,
        )
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        for n in range(len(self._open) - 1, -1, -1):
            if self._open[n].tag == tag:
                del self._open[n:]
                return

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1].text.append(data)
        for element in self._open:
            element.inner.append(data)


def _look(parent: Look, style: Mapping[str, str], tag: str) -> Look:
    colour = _hex(style.get("color", "")) or parent.colour
    ground = _hex(style.get("background-color", "")) or _hex(style.get("background", "")) or parent.ground
    size = re.fullmatch(r"([\d.]+)px", style.get("font-size", ""))
    weight = style.get("font-weight", "")
    heavy = tag in ("b", "strong", "th", "h1", "h2", "h3", "h4", "h5", "h6")
    bold = weight in ("bold", "600", "700", "800", "900") or (not weight and (heavy or parent.is_bold))
    hidden = parent.is_hidden or style.get("display") == "none"
    return Look(colour, ground, float(size[1]) if size else parent.size_px, bold, hidden)


def _hex(value: str) -> str:
    found = _HEX.search(value)
    if not found:
        return ""
    colour = found[0].lower()
    return colour if len(colour) == 7 else "#" + "".join(c * 2 for c in colour[1:])


def _dark_rules(css: str) -> list[_Rule]:
    rules: list[_Rule] = []
    for block in _DARK.findall(css):
        for selectors, body in _RULE.findall(block):
            style = {name: value.replace("!important", "").strip() for name, value in style_of(body).items()}
            compounds = (_steps(selector) for selector in selectors.split(","))
            rules.extend(_Rule(steps, style) for steps in compounds if steps)
    return rules


def _steps(selector: str) -> tuple[_Step, ...]:
    words = selector.replace(">", " > ").split()
    parts = (word.split(".") for word in words)
    return tuple(_CHILD if tag == ">" else (tag, frozenset(classes)) for tag, *classes in parts)


def _matches(steps: tuple[_Step, ...], path: tuple[_Step, ...]) -> bool:
    """Whether the selector's steps, read from the innermost, fit the path to an element."""
    if not steps:
        return True
    if not path or not _fits(steps[-1], path[-1]):
        return False
    rest = steps[:-1]
    if rest and rest[-1] is _CHILD:
        return _matches(rest[:-1], path[:-1])
    return not rest or any(_matches(rest, path[:n]) for n in range(len(path) - 1, 0, -1))


def _fits(compound: _Step, step: _Step) -> bool:
    tag, classes = compound
    return (not tag or tag == step[0]) and classes <= step[1]
