"""Addresses never to be mailed again, known by keyed fingerprint only: the list tells nobody who is on it.

An erased reader leaves a mark here too (reason ``erased``). It bars imports of older lists, and nothing
else: who was erased may subscribe again themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from digest.errors import SubscriberError
from digest.links import address_fingerprint, address_key
from digest.model import SubscriberState
from digest.store import subscribers
from digest.store.tables import AuditRow, SuppressionRow, table_of

ERASED = "erased"
LIFTED = "suppression lifted"

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


class Entry(NamedTuple):
    """An address of a list that is not to be mailed, since when, and what speaks for it."""

    address: str
    reason: str
    since: datetime
    evidence: str


def suppress_all(connection: Connection, entries: Sequence[Entry], *, key: str) -> int:
    """Suppress up to a thousand addresses of somebody's list; returns how many were not suppressed before.

    An entry older than the day on which its suppression was lifted says nothing any more. What is no address
    is passed over. Twice is harmless.
    """
    in_order = sorted((e for e in entries if _is_address(e.address)), key=lambda e: e.since)
    known = {address_fingerprint(e.address, key): e for e in in_order}
    standing = _standing(connection, known)
    lifted = _lifted(connection, set(known) - set(standing))
    new = 0
    for fingerprint, entry in known.items():
        bar = standing.get(fingerprint)
        if bar is not None and bar.is_suppression and bar.since >= entry.since:
            continue
        if bar is None and fingerprint in lifted and lifted[fingerprint] >= entry.since:
            continue
        suppress(
            connection,
            entry.address,
            key=key,
            reason=entry.reason,
            evidence=entry.evidence,
            now=entry.since,
        )
        new += bar is None or not bar.is_suppression
    return new


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
    rows = _standing(connection, wanted.values())
    return {address: rows[fingerprint] for address, fingerprint in wanted.items() if fingerprint in rows}


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of the list, as an operator may see it: the fingerprint in place of the address."""

    fingerprint: str
    reason: str
    since: datetime
    evidence: str | None


def newest(
    connection: Connection, *, reason: str | None = None, most: int = 100, fingerprint: str | None = None
) -> list[Listed]:
    """The newest suppressions (of that reason, of that fingerprint)."""
    query = select(_T).order_by(_T.c.created_at.desc(), _T.c.fingerprint).limit(most)
    if reason is not None:
        query = query.where(_T.c.reason == reason)
    if fingerprint is not None:
        query = query.where(_T.c.fingerprint == fingerprint)
    return [Listed(r.fingerprint, r.reason, r.created_at, r.evidence) for r in connection.execute(query)]


def count_by_reason(connection: Connection) -> dict[str, int]:
    """How many addresses are suppressed, by reason."""
    query = select(_T.c.reason, func.count()).group_by(_T.c.reason).order_by(_T.c.reason)
    return {reason: n for reason, n in connection.execute(query)}


def lift(
    connection: Connection, address: str, *, key: str, evidence: str, now: datetime, actor: str = "import"
) -> bool:
    """Let an address be mailed again after a later consent; what stood against it goes to the audit.

    An address that nothing stands against changes nothing: False.
    """
    fingerprint = address_fingerprint(address, key)
    row = connection.execute(select(_T).where(_T.c.fingerprint == fingerprint)).one_or_none()
    if row is None:
        return False
    facts = {"reason": row.reason, "evidence": row.evidence, "since": row.created_at.isoformat()}
    connection.execute(
        insert(_A).values(
            happened_at=now,
            actor=actor,
            action=LIFTED,
            subject=f"fingerprint:{fingerprint}",
            facts=json.dumps(facts | {"consent": evidence}),
        )
    )
    connection.execute(delete(_T).where(_T.c.fingerprint == fingerprint))
    return True


def _standing(connection: Connection, fingerprints: Iterable[str]) -> dict[str, Bar]:
    query = select(_T).where(_T.c.fingerprint.in_(set(fingerprints)))
    return {row.fingerprint: Bar(row.reason, row.created_at) for row in connection.execute(query)}


def _lifted(connection: Connection, fingerprints: Iterable[str]) -> dict[str, datetime]:
    """When suppressions of these were last lifted."""
    subjects = [f"fingerprint:{one}" for one in fingerprints]
    query = select(_A.c.subject, func.max(_A.c.happened_at)).group_by(_A.c.subject)
    query = query.where(_A.c.action == LIFTED, _A.c.subject.in_(subjects))
    return {subject.partition(":")[2]: at for subject, at in connection.execute(query)}


def _is_address(text: str) -> bool:
    try:
        address_key(text)
    except SubscriberError:
        return False
    return True


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
