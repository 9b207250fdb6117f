"""The passage of a text in which the words that somebody searches for stand, with the words marked.

Pure; the text may be anybody's: whatever it holds comes out escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from digest.render.plain import one_line

LENGTH = 260
"""Characters of a passage: about three lines on a phone."""
_BEFORE = 70  # of them before the first word found
_MOST_FOUND = 400  # places that are weighed against each other
_SHORTEST_BEGINNING = 3  # a shorter word is only found whole, as the index does


def marked(text: str, words: Iterable[str], phrases: Iterable[str] = ()) -> Markup:
    """The whole text on one line, escaped, with each place where a word or phrase stands in ``<mark>``."""
    text = one_line(text)
    return _marked(text, _places(text, words, phrases))


def passage(text: str, words: Sequence[str], phrases: Sequence[str] = ()) -> Markup:
    """About ``LENGTH`` characters in which most of the places stand, escaped and marked; cut at words."""
    text = one_line(text)
    places = _places(text, words, phrases)
    start, end = _window(text, places)
    inside = [(a - start, b - start) for a, b in places if start <= a and b <= end]
    before, after = "…" if start else "", "…" if end < len(text) else ""
    return escape(before) + _marked(text[start:end], inside) + escape(after)


def _places(text: str, words: Iterable[str], phrases: Iterable[str]) -> list[tuple[int, int]]:
    """Where words and phrases stand, in order, none inside another."""
    patterns = [re.escape(w) + (r"\w*" if len(w) >= _SHORTEST_BEGINNING else "") for w in words]
    patterns += [r"[\W_]+".join(re.escape(word) for word in phrase.split()) for phrase in phrases]
    if not patterns:
        return []
    longest_first = sorted(patterns, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(longest_first)})(?!\w)", re.IGNORECASE)
    return [found.span() for found in pattern.finditer(text)]


def _window(text: str, places: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The stretch of ``LENGTH`` with the most different words, the earliest of equals."""
    if len(text) <= LENGTH:
        return 0, len(text)
    best, most = 0, 0
    for n, (at, _) in enumerate(places[:_MOST_FOUND]):
        end = at - _BEFORE + LENGTH
        kinds = {text[a:b].lower() for a, b in places[n : n + 20] if b <= end}
        if len(kinds) > most:
            best, most = max(at - _BEFORE, 0), len(kinds)
    if best:
        best = text.find(" ", best) + 1 or best
    end = best + LENGTH
    return best, len(text) if end >= len(text) else max(text.rfind(" ", best, end), best + LENGTH // 2)


def _marked(text: str, places: Iterable[tuple[int, int]]) -> Markup:
    parts: list[Markup] = []
    at = 0
    for start, end in places:
        parts += [escape(text[at:start]), Markup("<mark>{}</mark>").format(text[start:end])]
        at = end
    return Markup("").join([*parts, escape(text[at:])])
