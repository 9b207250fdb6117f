"""Keys of the API: made, shown once, known by their fingerprint, ended; every step is in the audit log.

A key is 256 random bits, so a plain fingerprint of it cannot be searched; no salt or slow hash is needed
(unlike a password). It begins with ``dgk_``, so that scanners of published code can know a leaked one.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from datetime import datetime

from digest.errors import UsageError
from digest.store import audit, keys
from digest.store.database import Database
from digest.store.keys import Key, Scope

PREFIX = "dgk_"
_KEY = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[^\W_][\w .@-]{0,79}")


def create(database: Database, name: str, scopes: Collection[Scope], *, actor: str, now: datetime) -> str:
    """A new key, which is shown here and never again. Raises: UsageError, ConflictError."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a key: use up to 80 letters, digits, spaces, . @ - _")
    if not scopes:
        raise UsageError(f"say what the key opens: {', '.join(Scope)}")
    secret = PREFIX + secrets.token_urlsafe(32)
    with database.write() as connection:
        id_ = keys.add_key(connection, name, _fingerprint(secret), scopes, now=now)
        facts = {"name": name, "scopes": sorted(scopes)}
        audit.note(connection, "key created", subject=f"key:{id_}", actor=actor, now=now, facts=facts)
    return secret


def revoke(database: Database, name: str, *, actor: str, now: datetime) -> bool:
    """End a key at once; False when it was ended before (twice is harmless). Raises: NotFoundError."""
    with database.write() as connection:
        id_ = keys.revoke_key(connection, name, now=now)
        if id_ is None:
            return False
        audit.note(connection, "key revoked", subject=f"key:{id_}", actor=actor, now=now)
    return True


def known(database: Database, secret: str, *, now: datetime) -> Key | None:
    """The key in force, None for anything else; the first use of a day is remembered."""
    if not _KEY.fullmatch(secret):
        return None
    with database.read() as connection:
        found = keys.key_by_fingerprint(connection, _fingerprint(secret))
    if found is not None and found.last_used_on != now.date():
        with database.write() as connection:
            keys.mark_used(connection, found.id, on=now.date())
    return found


def _fingerprint(secret: str) -> str:
    return hashlib.blake2b(secret.encode(), person=b"digest api key", digest_size=32).hexdigest()
