"""The tags that stand in a Page for everything personal, and their one-pass replacement.

A tag is URL-safe, no tag is part of another, and each begins with ``-dg``, which ``neutralise`` keeps out of
content. Values go raw into HTML and text alike (SendGrid substitutions do not escape; contracts: sendgrid,
2), so links are limited to characters that mean nothing in HTML, and the greeting has one tag for each part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from html import escape

from digest.errors import RenderError
from digest.model import Page

UNSUBSCRIBE = "-dgUnsub-"
PREFERENCES = "-dgPrefs-"
VIEW = "-dgView-"
ACTION = "-dgAction-"
NAME_HTML = "-dgNameH-"
NAME_TEXT = "-dgNameT-"
ALL_TAGS = (UNSUBSCRIBE, PREFERENCES, VIEW, ACTION, NAME_HTML, NAME_TEXT)

MAX_VALUE_BYTES = (
    160  # of one tag's value: room for a base_url of 110; the size budget of a page reckons with it
)
MAX_NAME = 60  # characters of a reader's name in a greeting
_LEAD = "-dg"
# Stands for the lead while a part is rendered: content has no controls, so only a template put it there.
_VEILED = "\x03"
_ADDRESS_WITH_LEAD = re.compile(r"https?://[^\s<>\"]*-dg[^\s<>\"]*")
_LESS = re.compile(r"\s*<a\b[^>]*" + re.escape(PREFERENCES) + r"\?less=[^>]*>[^<]*</a>")
_TAG = re.compile("(" + "|".join(re.escape(tag) for tag in ALL_TAGS) + ")")
# RFC 3986 unreserved and reserved, without those that HTML or a quoted attribute reads (& ' " < >).
_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9:/._~%?=+@,;!$()*\[\]#-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")


def veiled(tag: str) -> str:
    """The tag as the templates of parts write it, told apart from content that looks like one."""
    return tag.replace(_LEAD, _VEILED, 1)


def unveiled(text: str) -> str:
    """The rendered and neutralised part with its template's own tags."""
    return text.replace(_VEILED, _LEAD)


def neutralise_html(html: str) -> str:
    """The HTML reading and linking as before, in which no tag can occur: ``-dg`` becomes an entity."""
    return html.replace(_LEAD, "&#45;dg") if _LEAD in html else html


def neutralise(text: str) -> str:
    """The plain text in which no tag can occur: another hyphen, percent-encoded inside an address."""
    if _LEAD not in text:
        return text
    text = _ADDRESS_WITH_LEAD.sub(lambda found: found[0].replace(_LEAD, "%2Ddg"), text)
    return text.replace(_LEAD, "\u2011dg")


def values_for(
    *,
    unsubscribe_url: str,
    preferences_url: str,
    view_url: str,
    name: str = "",
    action_url: str = "",
) -> dict[str, str]:
    """Tag -> value for one reader, ready for ``fill`` or a provider's substitutions.

    Raises: RenderError when an address holds a character that HTML would read, or is too long.
    """
    spoken = neutralise(_CONTROL.sub(" ", name).strip()[:MAX_NAME].strip())
    # What takes more than this in HTML is no name to greet by.
    spoken = f" {spoken}" if spoken and len(escape(spoken).encode()) < MAX_VALUE_BYTES else ""
    return {
        UNSUBSCRIBE: checked_link(unsubscribe_url, "unsubscribe"),
        PREFERENCES: checked_link(preferences_url, "preferences"),
        VIEW: checked_link(view_url, "view"),
        ACTION: checked_link(action_url or preferences_url, "action"),
        NAME_HTML: escape(spoken),
        NAME_TEXT: spoken,
    }


def fill(page: Page, values: Mapping[str, str]) -> Page:
    """The page with every tag replaced once; a value is never searched for tags again.

    Raises: RenderError when the page holds a tag that has no value.
    """
    return replace(
        page,
        subject=_filled(page.subject, values),
        preheader=_filled(page.preheader, values),
        html=None if page.html is None else _filled(page.html, values),
        text=_filled(page.text, values),
    )


def neutral(page: Page, base_url: str) -> Page:
    """The page as anyone may see it: the personal links lead to the front page, nobody is named.

    What only its reader could do with one item ("less of this") is left out.
    """
    front = base_url.rstrip("/") + "/"
    shown = replace(page, html=None if page.html is None else _LESS.sub("", page.html))
    return fill(shown, values_for(unsubscribe_url=front, preferences_url=front, view_url=front))


def tags_in(page: Page) -> tuple[str, ...]:
    """The tags that occur in the page, in the order of ``ALL_TAGS``."""
    parts = (page.subject, page.preheader, page.html or "", page.text)
    found = {tag for part in parts for tag in _pieces(part)[1::2]}
    return tuple(tag for tag in ALL_TAGS if tag in found)


def size_after(text: str, *, value_bytes: int = MAX_VALUE_BYTES) -> int:
    """Bytes in UTF-8 once every tag is replaced by a value of ``value_bytes``."""
    return len(text.encode("utf-8")) + value_bytes * text.count(_LEAD)


def _filled(text: str, values: Mapping[str, str]) -> str:
    pieces = _pieces(text)
    if len(pieces) == 1:
        return text
    filled = list(pieces)
    try:
        filled[1::2] = [values[tag] for tag in pieces[1::2]]
    except KeyError as missing:
        raise RenderError(
            f"the tag {missing} has no value: take values from render.tags.values_for"
        ) from None
    return "".join(filled)


@lru_cache(maxsize=8)
def _pieces(text: str) -> tuple[str, ...]:
    """Text and tags by turns; kept for the pages being sent, since one page meets many readers.

    As ``_TAG.split`` would, but tags are few in a long text, and to find where one may begin is faster.
    """
    pieces, begins, at = [], 0, text.find(_LEAD)
    while at >= 0:
        if found := _TAG.match(text, at):
            pieces += [text[begins:at], found[0]]
            begins = found.end()
        at = text.find(_LEAD, max(begins, at + 1))
    return (*pieces, text[begins:])


def checked_link(url: str, what: str) -> str:
    """The link, fit to stand in HTML and text. Raises: RenderError where it is not."""
    if not _PLAIN_URL.fullmatch(url):
        raise RenderError(
            f"the {what} link is not a plain http(s) address, but {url[:80]!r}: "
            "it goes unescaped into HTML; encode the characters & ' \" < > and spaces"
        )
    if len(url) > MAX_VALUE_BYTES:
        raise RenderError(
            f"the {what} link has {len(url)} characters, more than {MAX_VALUE_BYTES}: shorten base_url"
        )
    return url
