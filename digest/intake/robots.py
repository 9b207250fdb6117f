"""robots.txt (RFC 9309): what a host asks of programs, read once a day per host."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

KEPT_S = 86_400  # RFC 9309, 2.4: not longer than a day
RETRY_S = 3_600  # a server that failed is asked again sooner
MAX_CHARS = 512_000  # RFC 9309, 2.5: at least 500 kB are read
MAX_RULES = 2_000


@dataclass(frozen=True, slots=True)
class Rules:
    """What one host asks: (is allowed, path pattern) lines. ``is_unavailable``: it could not say."""

    lines: tuple[tuple[bool, str], ...] = ()
    is_unavailable: bool = False

    def allow(self, url: str) -> bool:
        """True where the longest fitting line allows, or none fits; of equals the allowing one counts."""
        if self.is_unavailable:
            return False
        parts = urlsplit(url)
        path = unquote(parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        best, is_allowed = -1, True
        for allows, pattern in self.lines:
            if (len(pattern), allows) > (best, is_allowed) and _fits(pattern, path):
                best, is_allowed = len(pattern), allows
        return is_allowed


def rules_of(text: str, *, agent: str) -> Rules:
    """The lines of the groups that name ``agent``, else of those for all (RFC 9309, 2.2.1)."""
    own: list[tuple[bool, str]] | None = None
    common: list[tuple[bool, str]] = []
    names: list[str] = []
    is_naming = False
    for key, value in _lines(text):
        if key == "user-agent":
            names = [*names, value.lower()] if is_naming else [value.lower()]
            is_naming = True
            if _is_ours(names, agent):
                own = own or []
        elif key in ("allow", "disallow"):
            is_naming = False
            rule = (key == "allow", unquote(value))
            if value and own is not None and _is_ours(names, agent):
                own.append(rule)
            if value and "*" in names:
                common.append(rule)
    return Rules(tuple((common if own is None else own)[:MAX_RULES]))


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text[:MAX_CHARS].lstrip("\ufeff").splitlines():
        key, _, value = line.partition("#")[0].partition(":")
        yield key.strip().lower(), value.strip()


def _is_ours(names: list[str], agent: str) -> bool:
    return any(name != "*" and name and name in agent.lower() for name in names)


def _fits(pattern: str, path: str) -> bool:
    """``*`` stands for anything, a final ``$`` for the end; piece by piece, without backtracking."""
    is_whole = pattern.endswith("$")
    pieces = (pattern[:-1] if is_whole else pattern).split("*")
    if not path.startswith(pieces[0]):
        return False
    at = len(pieces[0])
    for piece in pieces[1:-1]:
        found = path.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    if len(pieces) == 1:
        return not is_whole or at == len(path)
    last = pieces[-1]
    if is_whole:
        return path.endswith(last) and len(path) - len(last) >= at
    return path.find(last, at) >= 0


class RobotsCache:
    """The rules of each origin, for a day; safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Rules]] = {}

    def known(self, url: str) -> Rules | None:
        """The rules of the origin, or None where they are to be read (again)."""
        with self._lock:
            until, rules = self._known.get(_origin(url), (0.0, None))
        return rules if rules is not None and time.monotonic() < until else None

    def remember(self, url: str, rules: Rules) -> Rules:
        """Keep the rules for a day, or for an hour where the host could not say."""
        until = time.monotonic() + (RETRY_S if rules.is_unavailable else KEPT_S)
        with self._lock:
            self._known[_origin(url)] = (until, rules)
        return rules


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"
