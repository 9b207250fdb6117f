"""Small pure things every room may need."""

from __future__ import annotations

import hashlib
import re
import unicodedata


def fingerprint_of(text: str) -> str:
    """sha256 of the text in UTF-8, hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


_NOT_WORD = re.compile(r"[^\w\s]+")
_SPACES = re.compile(r"\s+")


def name_key(name: str) -> str:
    """The key under which spellings of one name meet: case, accents' form, ``&``, punctuation and spaces.

    >>> name_key("Children &  Families Sub-Committee") == name_key("children and families sub committee")
    True
    """
    text = unicodedata.normalize("NFKC", name).casefold().replace("&", " and ")
    return _SPACES.sub(" ", _NOT_WORD.sub(" ", text)).strip()
