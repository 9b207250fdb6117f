"""All that is stored about one person, as JSON values: what they may ask for (UK GDPR, art. 15 and 20)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from digest.compose.profile import profile_to_json
from digest.store import address_changes, desk, subscribers
from digest.store.tables import EventRow, NoticeRow, table_of
from digest.store.wishes import standing_of

_E = table_of(EventRow)
_N = table_of(NoticeRow)
MOST_LETTERS = 100_000
"""A letter a day for two hundred years."""


def own_data(connection: Connection, id_: int) -> dict[str, Any]:
    """Everything about that subscriber; {} when there is nobody of that id. Instants are RFC 3339 UTC."""
    found, standing = subscribers.subscriber_by_id(connection, id_), standing_of(connection, id_)
    if found is None or standing is None:
        return {}
    schedule = found.schedule
    return {
        "address": found.address,
        "name": found.name,
        "state": found.state.value,
        "joined_at": _zulu(found.created_at),
        "ended_at": _zulu(found.ended_at),
        "ended_reason": found.ended_reason,
        "paused_until": found.paused_until.isoformat() if found.paused_until else None,
        "wishes": json.loads(profile_to_json(found.profile)),
        "schedule": {
            "cadence": schedule.cadence.value,
            "day": schedule.day,
            "time": schedule.time,
            "timezone": schedule.timezone,
        },
        "tell_at_once": standing.at_once,
        "consents": [
            {"source": one.source, "wording": one.wording, "at": _zulu(one.at)}
            for one in subscribers.consents(connection, id_)
        ],
        "councils": [
            {
                "council": one.council,
                "source": one.source,
                "started_at": _zulu(one.started_at),
                "ended_at": _zulu(one.ended_at),
                "ended_reason": one.ended_reason,
            }
            for one in desk.subscriptions_of(connection, id_)
        ],
        "letters": [
            {"kind": one.kind, "of": _zulu(one.slot_at), "standing": one.standing}
            for one in desk.letters_of_subscriber(connection, id_, most=MOST_LETTERS)
        ],
        **_told(connection, id_),
    }


def _told(connection: Connection, id_: int) -> dict[str, Any]:
    """What others told of their letters, what they asked for, and what was done for them."""
    events = select(_E.c.kind, _E.c.happened_at).where(_E.c.subscriber_id == id_).order_by(_E.c.id)
    asked = select(_N.c.kind, _N.c.created_at).where(_N.c.subscriber_id == id_).order_by(_N.c.id)
    change = address_changes.changes_of(connection, [id_]).get(id_)
    return {
        "provider_events": [{"kind": kind, "at": _zulu(at)} for kind, at in connection.execute(events)],
        "notices": [{"kind": kind, "asked_at": _zulu(at)} for kind, at in connection.execute(asked)],
        "new_address_asked_for": (
            {"address": change.address, "asked_at": _zulu(change.asked_at)} if change else None
        ),
        "record": [
            {"action": line.action, "by": line.actor, "at": _zulu(line.happened_at)}
            for line in desk.audit_lines(connection, subject=f"subscriber:{id_}", most=MOST_LETTERS)
        ],
    }


def _zulu(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds").replace("+00:00", "Z")
