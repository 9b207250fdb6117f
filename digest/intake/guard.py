"""Bytes are refused or repaired before any parser sees them.

feedparser 6.0.14 can be made to take minutes and gigabytes by 60 kB (entities, attributes, blank lines
in the prolog), so everything here is one pass over the text, without a regular expression that can
backtrack. What leaves is UTF-8 text of one document: no doctype, no declaration, no control character,
complete items only.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from digest.errors import FeedError
from digest.intake.charset import decode
from digest.intake.tags import walk

MAX_BYTES = 10_000_000  # decoded; the largest real council feed seen is 2.5 MB
MAX_OTHER_CHARS = 3_000_000  # of JSON and calendars, whose values take forty times their text in memory
PROLOG_GARBAGE = 8_192  # how far a stray notice may push the document down

XML_ROOTS = frozenset({"rss", "feed", "rdf"})
SERVICE_ROOTS = frozenset({"getmeetings"})


@dataclass(frozen=True, slots=True)
class GuardedBody:
    """A document that may be parsed. ``kind``: ``xml | json | ical | html``.

    ``root`` is the lower-case local name of an XML document's root, else "". ``is_partial``: the body was
    cut (truncated, or more items than allowed), so that absence from it means nothing.
    """

    kind: str
    text: str
    root: str = ""
    is_partial: bool = False


def guard(
    body: bytes,
    *,
    content_type: str | None = None,
    is_unpacked: bool = False,
    max_bytes: int = MAX_BYTES,
) -> GuardedBody:
    """The document in ``body``, safe for a parser. ``is_unpacked``: a content-encoding was taken off already.

    Raises: FeedError ``not_a_feed | too_large | too_deep | entities | encoding | truncated``.
    """
    if len(body) > max_bytes:
        raise FeedError("too_large", f"the body has {len(body)} bytes, {max_bytes} are allowed")
    body, is_cut = (body, False) if is_unpacked else _unzipped(body, max_bytes)
    _refuse_binary(body)
    text = _clean(decode(body, content_type=content_type))
    start = len(text) - len(text.lstrip())
    if start == len(text):
        raise FeedError("not_a_feed", "empty body: the address answered, but with nothing in it")
    head = text[start : start + 16].upper()
    if head.startswith(("{", "[", "BEGIN:")) and len(text) > MAX_OTHER_CHARS:
        raise FeedError("too_large", f"the body has more than {MAX_OTHER_CHARS} characters")
    if head.startswith(("{", "[")):
        return GuardedBody("json", text[start:], is_partial=is_cut)
    if head.startswith("BEGIN:VCALENDAR"):
        return _calendar(text[start:], is_cut)
    return _markup(text, start, is_cut)


def _unzipped(body: bytes, max_bytes: int) -> tuple[bytes, bool]:
    """A gzip body that was served without saying so; unpacked once, never twice."""
    if body[:2] != b"\x1f\x8b":
        return body, False
    unzip = zlib.decompressobj(31)
    try:
        out = unzip.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise FeedError("truncated", f"the gzip body is damaged ({error})") from error
    if len(out) > max_bytes:
        raise FeedError("too_large", f"the body unpacks to more than {max_bytes} bytes")
    return out, not unzip.eof


_MAGIC = {
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"GIF8": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"PK\x03\x04": "a zip or Office file",
    b"\x1f\x8b": "a gzip file inside a gzip file",
    b"\xd0\xcf\x11\xe0": "an Office file",
}


def _refuse_binary(body: bytes) -> None:
    for magic, what in _MAGIC.items():
        if body.startswith(magic):
            raise FeedError("not_a_feed", f"not a feed: the address gives {what}")


# Not legal in XML 1.0, and PostgreSQL text refuses NUL; surrogates break every encoder. Soft bidi
# controls inside a title are cleaned where titles are read.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff\ufeff]")


def _clean(text: str) -> str:
    return _CONTROL.sub("", text)


MAX_EVENTS = 2_500
_MAX_CALENDAR_DEPTH = 4  # VCALENDAR > VTIMEZONE > DAYLIGHT; VEVENT > VALARM (RFC 5545)
_BEGIN_END = re.compile(r"^(BEGIN|END):", re.MULTILINE | re.IGNORECASE)


def _calendar(text: str, is_cut: bool) -> GuardedBody:
    depth = events = 0
    for match in _BEGIN_END.finditer(text):
        depth += 1 if match[1].upper() == "BEGIN" else -1
        events += text.startswith("VEVENT", match.end()) and match[1].upper() == "BEGIN"
        if events > MAX_EVENTS:
            return GuardedBody("ical", f"{text[: match.start()]}END:VCALENDAR\r\n", is_partial=True)
        if depth > _MAX_CALENDAR_DEPTH:
            raise FeedError("too_deep", "the calendar nests its parts deeper than a calendar can")
    is_whole = "END:VCALENDAR" in text.rstrip()[-20:].upper()
    return GuardedBody("ical", text, is_partial=is_cut or not is_whole)


def _markup(text: str, start: int, is_cut: bool) -> GuardedBody:
    at, name = _root(text, start)
    local = name.rpartition(":")[2].lower()
    if local == "html":
        return GuardedBody("html", text[at:], root="html", is_partial=is_cut)
    if local not in XML_ROOTS and local not in SERVICE_ROOTS:
        raise FeedError("not_a_feed", f"not a feed: the document is <{name[:60]}>, not rss, feed or RDF")
    walked = walk(text, at, name)
    if local in SERVICE_ROOTS and walked.is_cut:
        raise FeedError("truncated", "the answer of the web service ends before its end")
    return GuardedBody("xml", walked.text, root=local, is_partial=walked.is_cut or is_cut)


_NAME = re.compile(r"[A-Za-z_][\w.:-]{0,100}")


def _root(text: str, at: int) -> tuple[int, str]:
    """Where the root element starts, and its name. Walks the prolog: each character is seen once."""
    while True:
        at = _skip_space(text, at)
        if text.startswith("<?", at):
            at = _after(text, "?>", at)
        elif text.startswith("<!--", at):
            at = _after(text, "-->", at + 4)
        elif text[at : at + 9].upper() == "<!DOCTYPE":
            if text[at + 9 : at + 20].strip().lower().startswith("html"):
                return at, "html"
            at = _after_doctype(text, at + 9)
        elif (match := _NAME.match(text, at + 1)) and text.startswith("<", at):
            return at, match[0]
        else:
            at = _after_garbage(text, at)


_SPACE = re.compile(r"\s*")


def _skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _after(text: str, end: str, at: int) -> int:
    found = text.find(end, at)
    if found < 0:
        raise FeedError("not_a_feed", f"not a feed: what comes before the document never ends ({end})")
    return found + len(end)


def _after_doctype(text: str, at: int) -> int:
    """Old feeds carry a harmless external doctype, which is dropped; an internal subset is refused."""
    end = text.find(">", at)
    subset = text.find("[", at, end if end >= 0 else len(text))
    if subset >= 0:
        raise FeedError("entities", "the document declares entities of its own, which no feed needs")
    return _after(text, ">", at)


def _after_garbage(text: str, at: int) -> int:
    """Some servers print a notice before the document: go on at its declaration, if that is near."""
    found = text.find("<?xml", at, at + PROLOG_GARBAGE)
    if found <= at:
        shown = " ".join(text[at : at + 40].split())
        raise FeedError("not_a_feed", f"not a feed: the body starts with “{shown}”")
    return found
