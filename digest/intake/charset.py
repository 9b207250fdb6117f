"""Which text the bytes of a feed are: the mark, then valid UTF-8, then what they say, piece by piece.

Servers send ``text/xml`` without a charset, declare UTF-8 over Windows-1252 and the other way round, so
"valid UTF-8 wins" (as miniflux does) and a declared name only picks from a short list: a name must never
select a Python transform codec (punycode, idna, utf-7, zlib).
"""

from __future__ import annotations

import codecs
import re

from digest.errors import FeedError

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# No mark, but the first characters are "<" and a letter with NULs between them.
_BARE = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"), (b"{\0", "utf-16-le"), (b"B\0", "utf-16-le"))

# As browsers read them (WHATWG): latin-1 and ascii mean Windows-1252.
_SINGLE_BYTE = {
    "iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252",
    "windows-1252": "cp1252", "cp1252": "cp1252", "iso-8859-15": "iso8859_15", "iso-8859-2": "iso8859_2",
    "iso-8859-7": "iso8859_7", "iso-8859-9": "cp1254", "iso-8859-14": "iso8859_14", "windows-1250": "cp1250",
    "windows-1253": "cp1253", "windows-1254": "cp1254", "macintosh": "mac_roman",
}  # fmt: skip

_DECLARED = re.compile(rb"""encoding\s{0,5}=\s{0,5}["']([A-Za-z0-9_.:-]{1,40})["']""")
_CHARSET = re.compile(r"""charset\s{0,5}=\s{0,5}["']?([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Only the bad bytes are read as Windows-1252; the good text around them stays as it is."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    piece = error.object[error.start : error.end]
    return piece.decode("cp1252", "replace"), error.end


codecs.register_error("digest-windows-1252", _as_windows_1252)


def decode(body: bytes, *, content_type: str | None = None) -> str:
    """The text of ``body``, without marks. Raises: FeedError ``encoding`` when it is no text at all."""
    for mark, name in _MARKS:
        if body.startswith(mark):
            return _unmarked(body[len(mark) :], name)
    for start, name in _BARE:
        if body.startswith(start):
            return _wide(body, name)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return _single_byte(body, content_type)


def _unmarked(body: bytes, name: str) -> str:
    if name != "utf-8":
        return _wide(body, name)
    return body.decode("utf-8", "digest-windows-1252").lstrip("\ufeff")


def _wide(body: bytes, name: str) -> str:
    """UTF-16 or UTF-32; an odd byte at the end is dropped, a broken pair becomes the replacement mark."""
    width = 4 if "32" in name else 2
    text = body[: len(body) - len(body) % width].decode(name, "replace")
    if text.count("\ufffd") > 16 + len(text) // 10:
        raise FeedError("encoding", f"the body says it is {name}, and is not")
    return text.lstrip("\ufeff")


def _single_byte(body: bytes, content_type: str | None) -> str:
    declared = _declared(body, content_type)
    codec = _SINGLE_BYTE.get(declared)
    if codec:
        return body.decode(codec, "replace")
    return body.decode("utf-8", "digest-windows-1252")


def _declared(body: bytes, content_type: str | None) -> str:
    match = _DECLARED.search(body[:1_024])
    if match:
        return match[1].decode("ascii").lower()
    header = _CHARSET.search(content_type[:300]) if content_type else None
    return header[1].lower() if header else ""
