"""Subscribers by the hundred: what an import asks and adds in few statements. State changes of those who are
there already stay with ``subscribers``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from digest.model import SubscriberState
from digest.store.subscribers import Consent
from digest.store.tables import ConsentRow, SubscriberRow, SubscriptionRow, table_of

LOCK_ROSTER = 7_304
"""Taken by whoever adds subscribers, so that two imports of one address never meet half-way."""

_T = table_of(SubscriberRow)
_S = table_of(SubscriptionRow)
_C = table_of(ConsentRow)
_IN_ONE_QUERY = 500


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody whose address is stored, with the rows of their wishes."""

    id: int
    name: str
    state: SubscriberState
    profile_id: int
    schedule_id: int
    ended_at: datetime | None
    ended_reason: str | None


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody to be stored. ``council_ids``: one open subscription each."""

    address: str
    address_key: str
    name: str
    state: SubscriberState
    profile_id: int
    schedule_id: int
    covered_seq: int
    council_ids: tuple[int, ...]
    consent: Consent | None


def known_by_key(connection: Connection, keys: Iterable[str]) -> dict[str, Known]:
    """Who has one of up to a thousand address keys, by key."""
    query = select(_T).where(_T.c.address_key.in_(set(keys)))
    return {
        row.address_key: Known(
            row.id,
            row.name,
            SubscriberState(row.state),
            row.profile_id,
            row.schedule_id,
            row.ended_at,
            row.ended_reason,
        )
        for row in connection.execute(query)
    }


def add_many(connection: Connection, newcomers: Sequence[Newcomer], *, source: str, now: datetime) -> None:
    """Store people who are not there yet, with subscriptions and consents; active ones are due from now."""
    if not newcomers:
        return
    rows = [
        {
            "address": one.address,
            "address_key": one.address_key,
            "name": one.name,
            "state": one.state.value,
            "profile_id": one.profile_id,
            "schedule_id": one.schedule_id,
            "covered_seq": one.covered_seq,
            "due_from_at": now if one.state is SubscriberState.ACTIVE else None,
            "created_at": now,
        }
        for one in newcomers
    ]
    returned = connection.execute(insert(_T).returning(_T.c.address_key, _T.c.id), rows)
    ids: Mapping[str, int] = {key: id_ for key, id_ in returned}
    follows = [
        {"subscriber_id": ids[one.address_key], "council_id": id_, "source": source, "started_at": now}
        for one in newcomers
        for id_ in one.council_ids
    ]
    connection.execute(insert(_S), follows)
    agreed = [
        {
            "subscriber_id": ids[one.address_key],
            "source": one.consent.source,
            "wording": one.consent.wording,
            "consented_at": one.consent.at,
            "recorded_at": now,
        }
        for one in newcomers
        if one.consent is not None
    ]
    if agreed:
        connection.execute(insert(_C), agreed)


def consents_of(connection: Connection, ids: Iterable[int]) -> dict[int, list[Consent]]:
    """The consents on record by subscriber id, oldest first; nobody's without one."""
    wanted = sorted(set(ids))
    found: dict[int, list[Consent]] = {}
    for start in range(0, len(wanted), _IN_ONE_QUERY):
        part = wanted[start : start + _IN_ONE_QUERY]
        query = select(_C).where(_C.c.subscriber_id.in_(part)).order_by(_C.c.id)
        for row in connection.execute(query):
            consent = Consent(row.source, row.consented_at, row.wording)
            found.setdefault(row.subscriber_id, []).append(consent)
    return found
