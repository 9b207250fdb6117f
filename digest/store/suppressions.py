"""Addresses never to be mailed again, known by keyed fingerprint only: the list tells nobody who is on it.

An erased reader leaves a mark here too (reason ``erased``). It bars imports of older lists, and nothing
else: who was erased may subscribe again themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from digest.links import address_fingerprint
from digest.model import SubscriberState
from digest.store import subscribers
from digest.store.tables import AuditRow, SuppressionRow, table_of

ERASED = "erased"

_T = table_of(SuppressionRow)
_A = table_of(AuditRow)


@dataclass(frozen=True, slots=True)
class Bar:
    """What stands against an address, and since when: only a later consent lifts it."""

    reason: str
    since: datetime

    @property
    def is_suppression(self) -> bool:
        """False for the mark of an erasure."""
        return self.reason != ERASED


def suppress(
    connection: Connection, address: str, *, key: str, reason: str, evidence: str | None, now: datetime
) -> None:
    """Never mail this address again, whether a subscriber has it or not. Twice is harmless.

    The first reason and its evidence stay; the moment moves forward, so that an older consent lifts nothing.
    ``key``: the ``suppression_key``. Raises: SubscriberError when it is no address.
    """
    _bar(connection, address, key=key, reason=reason, evidence=evidence, since=now)
    found = subscribers.find_subscriber(connection, address)
    if found is not None:
        subscribers.end(connection, found.id, state=SubscriberState.SUPPRESSED, reason=reason, now=now)


def mark_erased(connection: Connection, address: str, *, key: str, since: datetime) -> None:
    """Remember, without the address, that it was erased: an older consent cannot bring it back."""
    _bar(connection, address, key=key, reason=ERASED, evidence=None, since=since)


def is_suppressed(connection: Connection, address: str, *, key: str) -> str | None:
    """Why this address must not be mailed; None when it may be."""
    bar = bars(connection, [address], key=key).get(address)
    return bar.reason if bar is not None and bar.is_suppression else None


def bars(connection: Connection, addresses: Iterable[str], *, key: str) -> dict[str, Bar]:
    """What stands against any of up to a thousand addresses, by address as given."""
    wanted = {address: address_fingerprint(address, key) for address in addresses}
    query = select(_T).where(_T.c.fingerprint.in_(set(wanted.values())))
    rows = {row.fingerprint: Bar(row.reason, row.created_at) for row in connection.execute(query)}
    return {address: rows[fingerprint] for address, fingerprint in wanted.items() if fingerprint in rows}


def lift(connection: Connection, address: str, *, key: str, evidence: str, now: datetime) -> None:
    """Let an address be mailed again after a later consent; what stood against it goes to the audit.

    An address that nothing stands against changes nothing.
    """
    fingerprint = address_fingerprint(address, key)
    row = connection.execute(select(_T).where(_T.c.fingerprint == fingerprint)).one_or_none()
    if row is None:
        return
    facts = {"reason": row.reason, "evidence": row.evidence, "since": row.created_at.isoformat()}
    connection.execute(
        insert(_A).values(
            happened_at=now,
            actor="import",
            action="suppression lifted",
            subject=f"fingerprint:{fingerprint}",
            facts=json.dumps(facts | {"consent": evidence}),
        )
    )
    connection.execute(delete(_T).where(_T.c.fingerprint == fingerprint))


def _bar(
    connection: Connection, address: str, *, key: str, reason: str, evidence: str | None, since: datetime
) -> None:
    fingerprint = address_fingerprint(address, key)
    here = _T.c.fingerprint == fingerprint
    row = connection.execute(select(_T).where(here)).one_or_none()
    if row is None:
        values = {"fingerprint": fingerprint, "reason": reason, "evidence": evidence, "created_at": since}
        connection.execute(insert(_T).values(values))
        return
    connection.execute(update(_T).where(here).values(created_at=max(row.created_at, since)))
    if row.reason == ERASED and reason != ERASED:
        connection.execute(update(_T).where(here).values(reason=reason, evidence=evidence))
