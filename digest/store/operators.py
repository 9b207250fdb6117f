"""Accounts of the desk and their sessions. Passwords and secrets come here only as hashes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from digest.errors import ConflictError, NotFoundError
from digest.model import Role
from digest.store.tables import OperatorRow, OperatorSessionRow, table_of

_T = table_of(OperatorRow)
_S = table_of(OperatorSessionRow)


@dataclass(frozen=True, slots=True)
class Operator:
    """One account. ``password_hash`` is argon2's own text form."""

    id: int
    name: str
    role: Role
    password_hash: str
    created_at: datetime
    disabled_at: datetime | None = None


def add_operator(connection: Connection, name: str, role: Role, password_hash: str, *, now: datetime) -> int:
    """The new account's id. Raises: ConflictError when the name is taken."""
    if find_operator(connection, name) is not None:
        raise ConflictError(f"there is an operator {name}: `digest operator set {name}` changes them")
    values = {"name": name, "role": role.value, "password_hash": password_hash, "created_at": now}
    return int(connection.execute(insert(_T).values(values).returning(_T.c.id)).scalar_one())


def set_operator(connection: Connection, id_: int, **changes: Any) -> None:
    """Change ``role``, ``password_hash`` or ``disabled_at``; every session of theirs ends."""
    connection.execute(update(_T).where(_T.c.id == id_).values(changes))
    connection.execute(delete(_S).where(_S.c.operator_id == id_))


def find_operator(connection: Connection, name: str) -> Operator | None:
    """The account of that name, disabled or not."""
    row = connection.execute(select(_T).where(_T.c.name == name)).one_or_none()
    return None if row is None else _operator(row)


def operator_named(connection: Connection, name: str) -> Operator:
    """Raises: NotFoundError."""
    found = find_operator(connection, name)
    if found is None:
        raise NotFoundError(f"there is no operator {name}: see `digest operator list`")
    return found


def all_operators(connection: Connection) -> tuple[Operator, ...]:
    """Every account by name."""
    return tuple(_operator(row) for row in connection.execute(select(_T).order_by(_T.c.name)))


def open_session(connection: Connection, operator_id: int, fingerprint: str, *, now: datetime) -> None:
    """Remember that a browser is signed in."""
    values = {"fingerprint": fingerprint, "operator_id": operator_id, "created_at": now, "seen_at": now}
    connection.execute(insert(_S).values(values))


def operator_of_session(
    connection: Connection, fingerprint: str, *, begun_after: datetime, seen_after: datetime
) -> tuple[Operator, datetime] | None:
    """Who is signed in there and when they were last seen; None when that is too long ago, or ended."""
    query = (
        select(_T, _S.c.seen_at)
        .join(_S, _S.c.operator_id == _T.c.id)
        .where(_S.c.fingerprint == fingerprint, _T.c.disabled_at.is_(None))
        .where(_S.c.created_at > begun_after, _S.c.seen_at > seen_after)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else (_operator(row), row.seen_at)


def touch_session(connection: Connection, fingerprint: str, *, now: datetime) -> None:
    """They were seen just now."""
    connection.execute(update(_S).where(_S.c.fingerprint == fingerprint).values(seen_at=now))


def close_session(connection: Connection, fingerprint: str) -> None:
    """Signed out. Twice is harmless."""
    connection.execute(delete(_S).where(_S.c.fingerprint == fingerprint))


def forget_sessions(connection: Connection, *, seen_before: datetime) -> int:
    """Delete sessions that nobody used for so long."""
    return connection.execute(delete(_S).where(_S.c.seen_at < seen_before)).rowcount


def _operator(row: Any) -> Operator:
    return Operator(row.id, row.name, Role(row.role), row.password_hash, row.created_at, row.disabled_at)
