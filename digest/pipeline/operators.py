"""Accounts of the desk: made, changed, signed in and out; every step is in the audit log.

Passwords are kept as argon2id (RFC 9106, argon2-cffi's low-memory profile); sessions as the SHA-256 of
256 random bits, so the tables let nobody in.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from digest.errors import SubscriberError
from digest.model import Role, fingerprint_of
from digest.store import audit, operators
from digest.store.database import Database
from digest.store.operators import Operator

SHORTEST_PASSWORD = 12  # NIST SP 800-63B-4: 15 alone, 8 with a second factor; we limit guesses, too
SESSION = timedelta(hours=12)
"""A working day after signing in, whatever they do."""
IDLE = timedelta(hours=2)
_SEEN_EVERY = timedelta(minutes=1)  # seen_at is written no more often than this


class PasswordError(SubscriberError):
    """A password cannot be used: choose a longer one."""


def add(database: Database, name: str, *, role: Role, password: str, actor: str, now: datetime) -> None:
    """A new account. Raises: ConflictError, PasswordError."""
    hashed = _hashed(password)
    with database.write() as connection:
        operators.add_operator(connection, name, role, hashed, now=now)
        facts = {"role": role.value}
        audit.note(
            connection, "operator added", subject=f"operator:{name}", actor=actor, now=now, facts=facts
        )


def change(
    database: Database,
    name: str,
    *,
    role: Role | None = None,
    password: str | None = None,
    is_disabled: bool | None = None,
    actor: str,
    now: datetime,
) -> None:
    """Change what is given; their sessions end. Raises: NotFoundError, PasswordError."""
    changes: dict[str, object] = {}
    if role is not None:
        changes["role"] = role.value
    if password is not None:
        changes["password_hash"] = _hashed(password)
    if is_disabled is not None:
        changes["disabled_at"] = now if is_disabled else None
    with database.write() as connection:
        found = operators.operator_named(connection, name)
        operators.set_operator(connection, found.id, **changes)
        facts = {
            "before": {"role": found.role.value, "disabled": found.disabled_at is not None},
            "after": {"role": (role or found.role).value, "disabled": bool(changes.get("disabled_at"))},
            "password": "changed" if password is not None else "as it was",
        }
        audit.note(
            connection, "operator changed", subject=f"operator:{name}", actor=actor, now=now, facts=facts
        )


def sign_in(database: Database, name: str, password: str, *, now: datetime) -> tuple[Operator, str] | None:
    """The operator and a session's secret; None when name and password do not fit, equally slow for both."""
    with database.read() as connection:
        found = operators.find_operator(connection, name)
    is_right = _fits(found.password_hash if found else _nobodys(), password)
    if found is None or not is_right or found.disabled_at is not None:
        return None
    secret = secrets.token_urlsafe(32)
    with database.write() as connection:
        operators.forget_sessions(connection, seen_before=now - SESSION)
        operators.open_session(connection, found.id, fingerprint_of(secret), now=now)
        audit.note(connection, "signed in", subject=f"operator:{name}", actor=name, now=now)
    return found, secret


def signed_in(database: Database, secret: str, *, now: datetime) -> Operator | None:
    """Who a session's secret stands for, if it still does."""
    fingerprint = fingerprint_of(secret)
    with database.read() as connection:
        found = operators.operator_of_session(
            connection, fingerprint, begun_after=now - SESSION, seen_after=now - IDLE
        )
    if found is None:
        return None
    operator, seen_at = found
    if now - seen_at > _SEEN_EVERY:
        with database.write() as connection:
            operators.touch_session(connection, fingerprint, now=now)
    return operator


def sign_out(database: Database, secret: str, *, now: datetime) -> None:
    """End a session. Twice is harmless."""
    with database.write() as connection:
        operators.close_session(connection, fingerprint_of(secret))


def _hashed(password: str) -> str:
    if len(password) < SHORTEST_PASSWORD:
        raise PasswordError(f"a password has at least {SHORTEST_PASSWORD} characters: a few words will do")
    return _hasher().hash(password)


def _fits(hashed: str, password: str) -> bool:
    try:
        return _hasher().verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


@cache
def _nobodys() -> str:
    """A hash that no password fits, so that unknown names take as long as known ones."""
    return _hasher().hash(secrets.token_urlsafe(32))
