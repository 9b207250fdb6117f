"""Pauses that have a last day end by the reader's own calendar, whenever somebody next looks.

Who comes back is due from the midnight on which the pause ended, not from the moment it was noticed: a
scheduler that was off over the weekend owes them Sunday's letter all the same.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta

from digest import slots
from digest.store import profiles, subscribers
from digest.store.database import Database


def end_due(database: Database, *, now: datetime) -> int:
    """Resume everyone whose pause is over where they live; returns how many. Twice is harmless."""
    with database.read() as connection:
        # Nowhere is it a later day than in UTC+14.
        days = subscribers.paused_until(connection, upto=(now + timedelta(hours=14)).date())
        if not days:
            return 0
        schedules = profiles.schedules_by_id(connection)
    by_zone: dict[str, list[int]] = defaultdict(list)
    for id_, schedule in schedules.items():
        by_zone[schedule.timezone].append(id_)
    ended = 0
    for zone, ids in by_zone.items():
        for day in days:
            due_from = _midnight(day, zone)
            if due_from <= now:
                with database.write() as connection:
                    ended += subscribers.unpause(connection, day, among=ids, due_from=due_from)
    return ended


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), tzinfo=slots.zone_of(zone)).astimezone(UTC)
