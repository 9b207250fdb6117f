"""A reader's own changes, each from a link in a letter: leave, pause, change, take it back.

Every verb works by subscriber id, changes only what was asked, and answers with how the reader stood before,
so that an entrance can offer to undo it. Nobody who is suppressed or erased is touched. Twice is harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from digest.compose.profile import with_enabled, without_council
from digest.model import Profile, Schedule, SubscriberState
from digest.pipeline.taking import GONE
from digest.store import subscribers, wishes
from digest.store.database import Database
from digest.store.subscribers import Consent, Subscriber
from digest.store.wishes import Standing

__all__ = ["Change", "Standing", "change", "leave", "leave_all", "pause", "resume", "undo"]

HERE = (SubscriberState.ACTIVE, SubscriberState.PAUSED)


@dataclass(frozen=True, slots=True)
class Change:
    """What a reader wishes from now on."""

    profile: Profile
    schedule: Schedule
    at_once: bool
    paused_until: date | None = None
    is_paused: bool = False


def leave_all(database: Database, id_: int, *, reason: str, now: datetime) -> None:
    """No letter to this reader any more, in as few statements as can be: one click must never wait."""
    with database.write(durable=True) as connection:
        wishes.leave_at_once(connection, id_, reason=reason, now=now)


def leave(
    database: Database, id_: int, *, council: str | None, reason: str, now: datetime
) -> Standing | None:
    """Leave one council, or all (None, or when it was the last). None: nothing was left to leave."""
    with database.write(durable=True) as connection:
        found, before = _found(connection, id_)
        if found is None or found.state in GONE:
            return None
        if council is not None and council not in found.profile.councils:
            return None
        rest = without_council(found.profile, council) if council is not None else None
        if rest is not None:
            subscribers.set_wishes(connection, id_, rest, source=reason, now=now)
        else:
            subscribers.end(connection, id_, state=SubscriberState.LEFT, reason=reason, now=now)
    return before


def pause(database: Database, id_: int, *, until: date | None, now: datetime) -> Standing | None:
    """No letters until that day (None: until they resume). None: nobody who could be paused."""
    with database.write() as connection:
        found, before = _found(connection, id_)
        if found is None or found.state not in HERE:
            return None
        subscribers.pause(connection, id_, until=until)
    return before


def resume(database: Database, id_: int, *, now: datetime) -> Standing | None:
    """End a pause; the next letter covers what was missed. None: there was no pause."""
    with database.write() as connection:
        found, before = _found(connection, id_)
        if found is None or found.state is not SubscriberState.PAUSED:
            return None
        subscribers.resume(connection, id_, now=now)
    return before


def change(database: Database, id_: int, wished: Change, *, source: str, now: datetime) -> Standing | None:
    """Take over all wishes at once; only what differs is written. None: nothing differs, or nobody is there.

    Raises: NotFoundError for an unknown council.
    """
    with database.write() as connection:
        found, before = _found(connection, id_)
        if found is None or found.state not in HERE:
            return None
        profile = with_enabled(wished.profile, found.profile.enabled)
        if profile != found.profile:
            subscribers.set_wishes(connection, id_, profile, source=source, now=now)
        if wished.schedule != found.schedule:
            subscribers.set_schedule(connection, id_, wished.schedule, now=now)
        if before is not None and wished.at_once != before.at_once:
            subscribers.set_at_once(connection, id_, is_wished=wished.at_once)
        _pause_or_resume(connection, found, wished, now=now)
        return before if wishes.standing_of(connection, id_) != before else None


def _pause_or_resume(connection: Connection, found: Subscriber, wished: Change, *, now: datetime) -> None:
    is_paused = found.state is SubscriberState.PAUSED
    if wished.is_paused and (not is_paused or wished.paused_until != found.paused_until):
        subscribers.pause(connection, found.id, until=wished.paused_until)
    elif is_paused and not wished.is_paused:
        subscribers.resume(connection, found.id, now=now)


def undo(database: Database, before: Standing, *, now: datetime) -> bool:
    """Back to how it was; False when that cannot be. Who had left has agreed again: it is recorded."""
    with database.write() as connection:
        now_is = wishes.standing_of(connection, before.subscriber_id)
        if not wishes.restore(connection, before, source="undo", now=now):
            return False
        if now_is is not None and now_is.state is SubscriberState.LEFT and before.state in HERE:
            consent = Consent("undo of leaving, web", now)
            subscribers.record_consent(connection, before.subscriber_id, consent, now=now)
    return True


def _found(connection: Connection, id_: int) -> tuple[Subscriber | None, Standing | None]:
    return subscribers.subscriber_by_id(connection, id_), wishes.standing_of(connection, id_)
