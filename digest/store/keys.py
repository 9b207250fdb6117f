"""Keys of the API: rows in, ``Key`` values out; the secrets themselves are nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update

from digest.errors import ConflictError, NotFoundError
from digest.store.tables import ApiKeyRow, table_of

_T = table_of(ApiKeyRow)


class Scope(StrEnum):
    """What a key opens."""

    READ = "read"
    SUMMARIES = "summaries"
    SUBSCRIBERS = "subscribers"


@dataclass(frozen=True, slots=True)
class Key:
    """A key as stored; ``last_used_on`` is a day, since no more need be known."""

    id: int
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    last_used_on: date | None
    revoked_at: datetime | None


def add_key(
    connection: Connection, name: str, fingerprint: str, scopes: Iterable[Scope], *, now: datetime
) -> int:
    """Store a new key; returns its id. Raises: ConflictError when the name is taken."""
    if connection.execute(select(_T.c.id).where(_T.c.name == name)).first() is not None:
        raise ConflictError(f"there is a key {name!r} already: give the new one another name")
    values = {
        "name": name,
        "fingerprint": fingerprint,
        "scopes": ",".join(sorted(scopes)),
        "created_at": now,
    }
    return int(connection.execute(insert(_T).values(**values).returning(_T.c.id)).scalar_one())


def all_keys(connection: Connection) -> tuple[Key, ...]:
    """All keys, revoked ones too, by name."""
    return tuple(_key(row) for row in connection.execute(select(_T).order_by(_T.c.name)))


def key_by_fingerprint(connection: Connection, fingerprint: str) -> Key | None:
    """The key that is in force under that fingerprint."""
    query = select(_T).where(_T.c.fingerprint == fingerprint, _T.c.revoked_at.is_(None))
    row = connection.execute(query).one_or_none()
    return None if row is None else _key(row)


def mark_used(connection: Connection, id_: int, *, on: date) -> None:
    """Remember the day."""
    connection.execute(update(_T).where(_T.c.id == id_).values(last_used_on=on))


def revoke_key(connection: Connection, name: str, *, now: datetime) -> int | None:
    """End a key; its id, or None when it was ended before. Raises: NotFoundError."""
    row = connection.execute(select(_T).where(_T.c.name == name)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no key {name!r}: see `digest api-key list`")
    if row.revoked_at is not None:
        return None
    connection.execute(update(_T).where(_T.c.id == row.id).values(revoked_at=now))
    return int(row.id)


def _key(row: Any) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        scopes=frozenset(Scope(scope) for scope in row.scopes.split(",")),
        created_at=row.created_at,
        last_used_on=row.last_used_on,
        revoked_at=row.revoked_at,
    )
