"""What is wrong with a finished letter: each finding with its place and its mend.

Sources: WCAG 2.2 AA; what large clients drop: https://www.caniemail.com/ (contracts: sendgrid, 8);
Gmail's clipping near 102 kB; RFC 8058 and RFC 2369 want a way out in the letter too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from digest.model import Page
from digest.render import tags
from digest.render.budget import MAX_BYTES
from digest.render.markup import Element, elements_of, style_of
from digest.render.subject import MAX_PREHEADER, MAX_SUBJECT, MIN_PREHEADER
from digest.render.theme import contrast

MAX_STYLE_BYTES = 8_192  # Gmail has dropped larger blocks whole
TEXT_CONTRAST = 4.5
LARGE_CONTRAST = 3.0
# Properties that Outlook's Word engine, Gmail or Yahoo drop (caniemail): a layout must not rest on them.
_DROPPED = re.compile(
    r"^(position|float|flex.*|grid.*|gap|background-image|box-shadow|transform|filter|clip-path|object-fit|inset"
    r"|animation.*|transition.*|--.*)$"
)
_WAY_OUT = "link {{ tags.unsubscribe }} near the top and at the end"
_EMPTY_WORDS = frozenset({"click here", "here", "read more", "more", "link", "this", "this link"})
_UNRESOLVED = re.compile(r"\{\{|\{%|%7B%7B|\[\[|zqtag|&lt;%|\[\^|\bNone\b", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_BARE = re.compile(r"[\W_]+")
_ADDRESS = re.compile(r"https?://[^\s<>\"]+|-dg\w+-")


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: ``rule`` names it, ``place`` says where, ``mend`` what to do.

    ``is_error`` False: look at it; True: do not send it so.
    """

    rule: str
    place: str
    what: str
    mend: str
    is_error: bool = True


def lint(
    page: Page,
    *,
    value_bytes: int = tags.MAX_VALUE_BYTES,
    max_bytes: int = MAX_BYTES,
    needs_unsubscribe: bool = True,
) -> tuple[Finding, ...]:
    """Everything wrong with the page, errors first; empty for a letter that may go.

    ``value_bytes`` is what a tag's value takes in the size (0 for a page whose tags are filled),
    ``max_bytes`` the most that a part may take;
    ``needs_unsubscribe`` is False for notices to people who have not confirmed.
    """
    findings = [
        *_lines(page),
        *_size(page, value_bytes, max_bytes),
        *_text(page, needs_unsubscribe=needs_unsubscribe),
    ]
    if page.html is not None:
        elements = elements_of(page.html)
        findings += [
            *_markup(page.html, elements),
            *(_way_out(elements) if needs_unsubscribe else ()),
            *_parity(page, elements),
        ]
    return tuple(sorted(findings, key=lambda finding: not finding.is_error))


def lint_html(html: str, *, max_bytes: int = MAX_BYTES) -> tuple[Finding, ...]:
    """Everything wrong with the HTML of a letter whose tags are filled, as the preview writes it."""
    elements = elements_of(html)
    page = Page(subject="", preheader="", html=html, text="")
    findings = [*_size(page, 0, max_bytes), *_markup(html, elements), *_way_out(elements)]
    return tuple(sorted(findings, key=lambda finding: not finding.is_error))


def _markup(html: str, elements: list[Element]) -> Iterator[Finding]:
    yield from _structure(elements)
    yield from _headings(elements)
    yield from _links(elements)
    yield from _images(elements)
    yield from _contrast(elements)
    yield from _dropped(elements)
    yield from _styles(html)
    yield from _left_over("HTML", _visible(elements))


def _lines(page: Page) -> Iterator[Finding]:
    if not 1 <= len(page.subject) <= MAX_SUBJECT:
        what = f"{len(page.subject)} characters"
        yield Finding("subject-length", "subject", what, f"say it in 1 to {MAX_SUBJECT} characters")
    if not MIN_PREHEADER <= len(page.preheader) <= MAX_PREHEADER:
        what = f"{len(page.preheader)} characters"
        mend = f"say what is inside in {MIN_PREHEADER} to {MAX_PREHEADER} characters"
        yield Finding("preheader-length", "preheader", what, mend, is_error=False)
    for place, line in (("subject", page.subject), ("preheader", page.preheader)):
        if _UNSAFE.search(line):
            mend = "take line ends, controls and direction marks out"
            yield Finding("unsafe-line", place, "a control or direction mark", mend)
        yield from _left_over(place, line)


def _size(page: Page, value_bytes: int, max_bytes: int) -> Iterator[Finding]:
    for place, part in (("HTML", page.html or ""), ("text", page.text)):
        size = tags.size_after(part, value_bytes=value_bytes)
        if size > max_bytes:
            mend = "show fewer items or less detail: Gmail hides what follows, the way out with it"
            yield Finding("size", place, f"{size} bytes, more than {max_bytes}", mend)


def _text(page: Page, *, needs_unsubscribe: bool) -> Iterator[Finding]:
    if needs_unsubscribe and not _leads_out(page.text):
        yield Finding("no-unsubscribe", "text", "no unsubscribe link", _WAY_OUT)
    yield from _left_over("text", page.text)
    if not page.text.strip():
        yield Finding("no-text", "text", "the text part is empty", "write the .txt twin")
    if re.search(r"</?(p|div|table|a|ul|li|strong)\b[^>]*>", page.text):
        yield Finding("html-in-text", "text", "an HTML tag", "give the plain text of the content")


def _left_over(place: str, text: str) -> Iterator[Finding]:
    if found := _UNRESOLVED.search(text):
        around = text[max(0, found.start() - 20) : found.end() + 20].replace("\n", " ")
        mend = "find the template or content that leaves it"
        # Content may speak of braces: a person looks, the letter is not stopped for it.
        yield Finding(
            "left-over", place, f"“{around}” looks like markup nobody resolved", mend, is_error=False
        )


def _structure(elements: list[Element]) -> Iterator[Finding]:
    html = next((e for e in elements if e.tag == "html"), None)
    if html is None or not html.attributes.get("lang"):
        yield Finding("no-lang", "<html>", "no language", 'write lang="{{ lang }}" on <mjml>')
    if not any(e.tag == "div" and e.attributes.get("lang") for e in elements):
        mend = 'write lang="{{ lang }}" on <mjml>: some clients drop <html>'
        yield Finding("no-lang", "wrapper", "no language on the outer wrapper", mend)
    for element in elements:
        if element.tag == "table" and element.attributes.get("role") != "presentation":
            mend = 'add role="presentation"'
            yield Finding("table-role", _place(element), "a layout table that reads as data", mend)
        if element.tag in ("form", "script", "iframe", "object", "video", "input"):
            mend = "take it out: clients drop it, filters distrust it"
            yield Finding("forbidden", _place(element), f"<{element.tag}>", mend)


def _headings(elements: list[Element]) -> Iterator[Finding]:
    headings = [e for e in elements if re.fullmatch(r"h[1-6]", e.tag)]
    if [h.tag for h in headings].count("h1") != 1:
        yield Finding("heading-one", "HTML", "not exactly one <h1>", "keep the masthead the only <h1>")
    for before, after in pairwise(headings):
        if int(after.tag[1]) > int(before.tag[1]) + 1:
            mend = "use the next level down"
            yield Finding("heading-order", _place(after), f"<{after.tag}> after <{before.tag}>", mend)
    for heading in headings:
        if not heading.whole_text:
            yield Finding("heading-empty", _place(heading), "an empty heading", "leave it out when empty")


def _links(elements: list[Element]) -> Iterator[Finding]:
    ids = {e.attributes["id"] for e in elements if "id" in e.attributes}
    for link in (e for e in elements if e.tag == "a"):
        href, place = link.attributes.get("href", ""), _place(link)
        spoken = link.attributes.get("aria-label") or link.whole_text
        if href.startswith("#"):
            if href[1:] not in ids:
                yield Finding("dead-fragment", place, f"{href} leads nowhere", "give its target that id")
        elif href.partition("?")[0] not in tags.ALL_TAGS and not re.match(
            r"(https?://|mailto:)[^\s{}]+$", href
        ):
            mend = "link to a whole http(s) address"
            yield Finding("unresolved-link", place, f"“{href[:60]}” is no address", mend)
        if not spoken or spoken.lower().strip(" .…›»→") in _EMPTY_WORDS:
            mend = "say where it leads (WCAG 2.2, 2.4.4)"
            yield Finding("link-purpose", place, f"“{spoken}” does not say where it leads", mend)


def _way_out(elements: list[Element]) -> Iterator[Finding]:
    if not any(e.tag == "a" and _leads_out(e.attributes.get("href", "")) for e in elements):
        yield Finding("no-unsubscribe", "HTML", "no unsubscribe link", _WAY_OUT)


def _leads_out(text: str) -> bool:
    return tags.UNSUBSCRIBE in text or "/unsubscribe/" in text


def _images(elements: list[Element]) -> Iterator[Finding]:
    for image in (e for e in elements if e.tag == "img"):
        if "alt" not in image.attributes:
            yield Finding("no-alt", _place(image), "an image without alt", 'add alt (alt="" for decoration)')
        source = image.attributes.get("src", "")
        if not source.startswith("https://") or re.search(r"\.(svg|webp)(\?|$)", source):
            yield Finding("image", _place(image), f"“{source[:60]}”", "use a PNG or JPEG at an https address")


def _contrast(elements: list[Element]) -> Iterator[Finding]:
    """Text on ground in the light scheme and in the dark one."""
    for element in elements:
        if (
            not _BARE.sub("", element.own_text)
            or element.tag in ("style", "title")
            or element.light.is_hidden
        ):
            continue
        for scheme, look in (("light", element.light), ("dark", element.dark)):
            need = LARGE_CONTRAST if look.is_large else TEXT_CONTRAST
            ratio = contrast(look.colour, look.ground)
            if ratio < need:
                what = f"{look.colour} on {look.ground} is {ratio:.1f}:1 in the {scheme} scheme"
                yield Finding("contrast", _place(element), what, f"reach {need}:1 (WCAG 2.2, 1.4.3)")


def _dropped(elements: list[Element]) -> Iterator[Finding]:
    seen: set[str] = set()
    for element in elements:
        for name, value in style_of(element.attributes.get("style", "")).items():
            rule = "flex" if name == "display" and value in ("flex", "grid") else name
            if _DROPPED.match(rule) and rule not in seen:
                seen.add(rule)
                mend = "lay it out with tables and padding instead"
                yield Finding("dropped-css", _place(element), f"{name}: {value}", mend, is_error=False)


def _styles(html: str) -> Iterator[Finding]:
    css = "".join(re.findall(r"<style[^>]*>(.*?)</style>", html, re.DOTALL))
    if len(css.encode("utf-8")) > MAX_STYLE_BYTES:
        what = f"{len(css.encode('utf-8'))} bytes of <style>, more than {MAX_STYLE_BYTES}"
        yield Finding("style-size", "<style>", what, "inline it, or say less: Gmail drops the block")
    if "url(" in css or "@import" in css:
        yield Finding(
            "style-url", "<style>", "url() or @import", "take it out: Gmail drops the block with it"
        )
    if html.count("<style") and "<body" in html and "<style" in html[html.index("<body") :]:
        yield Finding("style-place", "<body>", "<style> outside the head", "move it into theme.mjml")


def _parity(page: Page, elements: list[Element]) -> Iterator[Finding]:
    """What the HTML says in headings and links must be in the text too."""
    text = _BARE.sub("", page.text).casefold()
    for heading in (e for e in elements if re.fullmatch(r"h[1-3]", e.tag)):
        if _BARE.sub("", heading.whole_text).casefold() not in text:
            mend = "say it in the .txt twin too"
            yield Finding("parity", _place(heading), f"“{heading.whole_text[:60]}” is not in the text", mend)
    addresses = set(_ADDRESS.findall(page.text))
    for link in (e for e in elements if e.tag == "a"):
        href = link.attributes.get("href", "")
        # Of what a summary links to, and of "less of this" under every item, the text would be too full.
        if link.attributes.get("class") in ("prose-link", "less") or not _ADDRESS.fullmatch(href):
            continue
        if href not in addresses:
            yield Finding(
                "parity", _place(link), f"{href[:80]} is not in the text", "link it in the .txt twin"
            )


def _visible(elements: list[Element]) -> str:
    return " ".join(e.own_text for e in elements if e.tag not in ("style", "title"))


def _place(element: Element) -> str:
    return f"HTML line {element.line}, <{element.tag}> “{element.whole_text[:40]}”"
