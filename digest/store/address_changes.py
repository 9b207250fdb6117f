"""New addresses that subscribers asked for, until both addresses have agreed or a week is over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from digest.store.tables import AddressChangeRow, table_of

_T = table_of(AddressChangeRow)


@dataclass(frozen=True, slots=True)
class AddressChange:
    """A change under way; ``agreed_at``: when the current address said yes, so that the new one is asked."""

    id: int
    subscriber_id: int
    address: str
    asked_at: datetime
    agreed_at: datetime | None


def open_change(connection: Connection, subscriber_id: int, address: str, *, now: datetime) -> int:
    """Begin a change; an earlier one of the same subscriber is forgotten, and its links with it."""
    close_changes(connection, subscriber_id)
    values = {"subscriber_id": subscriber_id, "address": address, "asked_at": now}
    return int(connection.execute(insert(_T).values(values).returning(_T.c.id)).scalar_one())


def change_by_id(connection: Connection, id_: int) -> AddressChange | None:
    """One change; None when it is done, forgotten or was replaced."""
    row = connection.execute(select(_T).where(_T.c.id == id_)).one_or_none()
    return None if row is None else _change(row)


def changes_of(connection: Connection, subscriber_ids: Iterable[int]) -> dict[int, AddressChange]:
    """The changes under way of some hundred subscribers."""
    query = select(_T).where(_T.c.subscriber_id.in_(list(subscriber_ids)))
    return {row.subscriber_id: _change(row) for row in connection.execute(query)}


def agree(connection: Connection, id_: int, *, now: datetime) -> bool:
    """The current address said yes; False when it had before, or there is no such change."""
    query = update(_T).where(_T.c.id == id_, _T.c.agreed_at.is_(None)).values(agreed_at=now)
    return connection.execute(query).rowcount == 1


def close_changes(connection: Connection, subscriber_id: int) -> None:
    """Forget what a subscriber asked for. Twice is harmless."""
    connection.execute(delete(_T).where(_T.c.subscriber_id == subscriber_id))


def forget_before(connection: Connection, instant: datetime) -> int:
    """Forget changes that were asked for before then; returns how many."""
    return connection.execute(delete(_T).where(_T.c.asked_at < instant)).rowcount


def _change(row: Any) -> AddressChange:
    return AddressChange(row.id, row.subscriber_id, row.address, row.asked_at, row.agreed_at)
