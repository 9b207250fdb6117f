"""One walk over the tags of an XML feed: caps, complete items only, and the mends a strict parser needs.

Linear: every character is looked at a fixed number of times, whatever the document. The known traps are
in the tests: unclosed CDATA, a root that stands in a comment, a hundred thousand attributes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.entities import html5
from itertools import islice

from digest.errors import FeedError
from digest.intake.dates import published

MAX_TAGS = 150_000
MAX_REFERENCES = 200_000
MAX_DEPTH = 100
MAX_ATTRIBUTES = 64  # of one tag; feedparser's cost grows with their square
MAX_TAG_CHARS = 65_536
MAX_ITEMS = 2_500  # a whole archive of 2,306 entries is known to be served as one feed


@dataclass(frozen=True, slots=True)
class Walked:
    """``text``: one well-closed document with a UTF-8 declaration; ``is_cut``: not all of it was there."""

    text: str
    is_cut: bool


_TAG = re.compile(r"<(/?)([A-Za-z_][^\s<>/]{0,200})([^<>]*)(>?)")
_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'


class _Walk:
    """Where the walk stands: open elements, and the end of the last complete item."""

    __slots__ = ("first_start", "items", "last_end", "parents", "stack", "tags")

    def __init__(self) -> None:
        self.stack: list[str] = []
        self.tags = 0
        self.items = 0
        self.first_start = 0
        self.last_end = 0
        self.parents: tuple[str, ...] = ()


def walk(text: str, at: int, root: str) -> Walked:
    """The document that starts at ``at`` with the element ``root``.

    Raises: FeedError ``too_large``, ``too_deep``, or ``truncated`` when not one item is complete.
    """
    state, is_cut = _Walk(), False
    end = _walk_tags(text, at, root, state)
    if end is None and state.items >= MAX_ITEMS and (tail := _newest_last(text, state.first_start)):
        text, at, state, is_cut = text[at : state.first_start] + text[tail:], 0, _Walk(), True
        end = _walk_tags(text, at, root, state)
    if end is not None:
        return Walked(_DECLARATION + _mended(_slimmed(text[at:end])), is_cut)
    if not state.last_end:
        raise FeedError("truncated", "the feed ends before its first item does")
    closing = "".join(f"</{name}>" for name in reversed(state.parents))
    return Walked(_DECLARATION + _mended(_slimmed(text[at : state.last_end])) + closing, is_cut=True)


def _walk_tags(text: str, at: int, root: str, state: _Walk) -> int | None:
    """The end of the document, or None where it is cut. Fills ``state``."""
    find, match_tag = text.find, _TAG.match
    while (at := find("<", at)) >= 0:
        match = match_tag(text, at)
        if match is None:
            following = _after_special(text, at)
            if following is None:
                return None
            at = following
            continue
        is_end, name, inside, closed = match.groups()
        at = match.end()
        if not closed:
            if text.startswith("<", at):
                at = _after_odd_tag(text, match.start())
                inside = ""
            else:
                return None
        state.tags += 1
        if state.tags > MAX_TAGS:
            raise FeedError("too_large", f"the feed has more than {MAX_TAGS} tags")
        if is_end:
            if _close(name, at, state) and name == root and not state.stack:
                return at
        elif not _open(name, inside, state, match.start()):
            return None
        elif not state.stack:
            return at  # the root is an empty element
    return None


def _after_special(text: str, at: int) -> int | None:
    """The end of a comment, CDATA section or instruction; None where it never ends; a stray ``<`` is text."""
    for opening, closing in (("<![CDATA[", "]]>"), ("<!--", "-->"), ("<?", "?>")):
        if text.startswith(opening, at):
            found = text.find(closing, at + len(opening))
            return found + len(closing) if found >= 0 else None
    if text[at : at + 9].upper() in ("<!DOCTYPE", "<!ENTITY "):
        raise FeedError("entities", "the document declares a type inside itself, which no feed needs")
    return at + 1


def _after_odd_tag(text: str, at: int) -> int:
    """A tag with ``<`` inside an attribute is legal nowhere; what follows is walked as text."""
    return at + 1


def _open(name: str, inside: str, state: _Walk, at: int) -> bool:
    """False where the item cap is reached."""
    if len(inside) > 200:
        _check_attributes(name, inside, is_root=not state.stack)
    local = name.rpartition(":")[2] if ":" in name else name
    if local in ("item", "entry"):
        if state.items >= MAX_ITEMS:
            return False
        state.items += 1
        if not state.parents:
            state.parents = tuple(state.stack)
            state.first_start = at
    if inside.endswith("/"):
        return True
    state.stack.append(name)
    if len(state.stack) > MAX_DEPTH:
        raise FeedError("too_deep", f"the feed nests its elements more than {MAX_DEPTH} deep")
    return True


def _check_attributes(name: str, inside: str, *, is_root: bool) -> None:
    """Namespaces of the root may be many (they are slimmed); attributes of any other tag may not."""
    count = inside.count('="') + inside.count("='")
    if is_root:
        count -= inside.count("xmlns")
    elif len(inside) > MAX_TAG_CHARS:
        raise FeedError("too_large", f"a tag <{name[:40]}> is longer than {MAX_TAG_CHARS} characters")
    if count > MAX_ATTRIBUTES:
        raise FeedError(
            "too_large", f"a tag <{name[:40]}> has {count} attributes, {MAX_ATTRIBUTES} are allowed"
        )


def _close(name: str, at: int, state: _Walk) -> bool:
    """False where nothing of that name is open: a stray end tag."""
    stack = state.stack
    if stack and stack[-1] == name:
        stack.pop()
    elif name in stack:
        while stack.pop() != name:
            pass
    else:
        return False
    if len(stack) == len(state.parents) and name.rpartition(":")[2] in ("item", "entry"):
        state.last_end = at
    return True


_DATED = re.compile(r"<(?:pubDate|published|updated|dc:date)>([^<]{6,60})<")
_LOOKED_AT = 20_000  # characters at either end of a long feed that are searched for a date


def _newest_last(text: str, first: int) -> int | None:
    """Where the last ``MAX_ITEMS`` items begin, of a feed that lists its oldest first; else None."""
    early = _DATED.search(text, first, first + _LOOKED_AT)
    late = list(_DATED.finditer(text, max(first, len(text) - _LOOKED_AT)))
    if early is None or not late:
        return None
    dates = [published(m[1], timezone="UTC", country="gb") for m in (early, late[-1])]
    if dates[0] is None or dates[1] is None or dates[0] >= dates[1]:
        return None
    opening = "<entry" if text.startswith("<entry", first) else "<item"
    at = len(text)
    for _ in range(MAX_ITEMS):
        at = text.rfind(opening, first, at)
        if at < 0:
            return None
    return at


_XMLNS = re.compile(r"""\sxmlns:([\w.-]{1,100})\s{0,3}=\s{0,3}(?:"[^"<]{0,2000}"|'[^'<]{0,2000}')""")


def _slimmed(text: str) -> str:
    """A root with thousands of namespaces keeps those that the document uses."""
    end = text.find(">")
    if end < 4_000:
        return text
    root, rest = text[:end], text[end:]
    used = {m[1] for m in re.finditer(r"</?([\w.-]{1,100}):", rest)}
    kept = _XMLNS.sub(lambda m: m[0] if m[1] in used else "", root)
    return kept + rest


# What a strict parser stops at: HTML's named characters, a bare "&", references to what is no character.
_BAD_REFERENCE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{2,4}|#x[0-9A-Fa-f]{2,3});)")
_REFERENCE = re.compile(
    r"&(?!(?:amp|lt|gt|quot|apos);)(?:#([0-9]{1,400000})|#[xX]([0-9A-Fa-f]{1,400000})|([A-Za-z][A-Za-z0-9]{1,31}));?"
)
_KEPT = frozenset({"amp", "lt", "gt", "quot", "apos"})


def _mended(text: str) -> str:
    """References a strict parser would stop at, made good outside CDATA sections."""
    if not _BAD_REFERENCE.search(text) and not _LOW_REFERENCE.search(text):
        return text
    pieces, at = [], 0
    while (start := text.find("<![CDATA[", at)) >= 0:
        end = text.find("]]>", start)
        end = len(text) if end < 0 else end + 3
        pieces += [_mended_piece(text[at:start]), text[start:end]]
        at = end
    return "".join([*pieces, _mended_piece(text[at:])])


_LOW_REFERENCE = re.compile(
    r"&#(?:0{0,7}(?:[0-9]|[12][0-9]|3[01]|12[7-9]|1[345][0-9])|x0{0,7}[01]?[0-9A-Fa-f]);"
)
_AMPERSAND = re.compile(r"&(?!#?[A-Za-z0-9]{1,8};)")


def _mended_piece(text: str) -> str:
    found = islice(_REFERENCE.finditer(text), MAX_REFERENCES + 1)
    if text.count("&") > MAX_REFERENCES and sum(1 for _ in found) > MAX_REFERENCES:
        raise FeedError("too_large", f"the feed has more than {MAX_REFERENCES} characters to be mended")
    text = _REFERENCE.sub(_mend_one, text)
    return _AMPERSAND.sub("&amp;", text)


def _mend_one(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name:
        return _mend_name(match[0], name)
    digits, base = (decimal, 10) if decimal else (hexadecimal, 16)
    digits = digits.lstrip("0")
    code = int(digits, base) if 0 < len(digits) <= 7 else 0
    return f"&#{code};" if _is_character(code) else ""


def _mend_name(whole: str, name: str) -> str:
    if name in _KEPT and whole.endswith(";"):
        return whole
    character = html5.get(name + ";") if whole.endswith(";") else None
    if character is None:
        return "&amp;" + whole[1:]
    return "".join(f"&#{ord(c)};" for c in character)


def _is_character(code: int) -> bool:
    """The characters of XML 1.0, 2.2."""
    return (
        code in (9, 10, 13)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or 0x10000 <= code <= 0x10FFFF
    )
