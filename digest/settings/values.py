"""Kinds of value that options have: how each is written, and what is refused with which mend.

Durations are written "48h", "14d", "10m", "30s" or "2w".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

import idna
from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from digest.errors import SubscriberError
from digest.links import BARE_ADDRESS, address_key
from digest.model import WishKind

_T = TypeVar("_T")

_PLAIN_BASE = re.compile(r"https?://[A-Za-z0-9:/._~%=+@,;!$()*\[\]-]+")
_LONGEST_BASE = 110

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([smhdw])[a-z]*\s*")


def duration_of(value: object) -> object:
    """A duration written "48h" as a timedelta; anything that is no text goes on as it is."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(str(value))
    if match is None:
        raise ValueError('a duration has a number and a unit: write "48h", "14d", "10m" or "30s"')
    return timedelta(seconds=float(match[1]) * UNITS[match[2]])


def _list_of(value: object) -> object:
    """The parts of a text between commas, semicolons or spaces; or a list as JSON and TOML write it."""
    if not isinstance(value, str):
        return value
    if value.strip().startswith("["):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError('a list is written "one, two" or ["one", "two"]') from error
    return [part for part in re.split(r"[\s,;]+", value) if part]


def mailbox(value: str) -> str:
    """One bare address. Raises: ValueError."""
    if not BARE_ADDRESS.fullmatch(value):
        raise ValueError(f'{value!r} is no address: write one bare address, as "digest@example.org"')
    as_value_error(lambda: address_key(value))
    return value


def web_address(value: str) -> str:
    """A web address that a path can follow. Raises: ValueError."""
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ValueError(f"{value!r} is no web address: {error}") from error
    if not is_good or re.search(r"\s", value):
        raise ValueError('write it with its scheme, as "https://digest.example.org"')
    return value.rstrip("/")


def _base_url(value: str) -> str:
    """A web address that links of letters begin with: it stands in HTML as it is, and is not too long."""
    value = web_address(value)
    host = urlsplit(value).hostname or ""
    if not host.isascii():
        try:
            ascii_host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise ValueError(f"{host} is no name that a host can have: {error}") from error
        value = re.sub(re.escape(host), ascii_host, value, count=1, flags=re.IGNORECASE)
    if not _PLAIN_BASE.fullmatch(value):
        raise ValueError("links begin with it: no & ' \" < > ? # in it, and letters beyond a-z as %C3%A9")
    if len(value) > _LONGEST_BASE:
        raise ValueError(f"it has {len(value)} characters, and links leave room for {_LONGEST_BASE}")
    return value


def _words_of(value: object) -> object:
    return re.findall(r"\w+", value) if isinstance(value, str) else value


def as_value_error(make: Callable[[], _T]) -> _T:
    """What ``make`` makes; a SubscriberError becomes the ValueError that pydantic tells of."""
    try:
        return make()
    except SubscriberError as error:
        raise ValueError(str(error)) from error


Mailbox = Annotated[str, AfterValidator(mailbox)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
WebAddress = Annotated[str, AfterValidator(web_address)]
Duration = Annotated[timedelta, BeforeValidator(duration_of)]
WordList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_list_of)]
SecretList = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_list_of)]
KindList = Annotated[tuple[WishKind, ...], NoDecode, BeforeValidator(_words_of)]
