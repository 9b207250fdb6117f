"""Somebody types an address into the form: whoever it is, they are asked by letter, or not at all.

The form's page answers before any of this happens, and always alike; so neither what it says nor how long it
takes tells whether an address is known, has left, or must not be written to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from digest.compose.profile import entitled, profile_of
from digest.model import Profile, RunKind, SubscriberState
from digest.pipeline import asking, notices
from digest.pipeline.plan import start_mark
from digest.pipeline.roster_rows import checked_address
from digest.pipeline.run import Works
from digest.pipeline.taking import Roster
from digest.store import subscribers
from digest.store.roster import LOCK_ROSTER
from digest.store.subscribers import Consent

SOURCE = "sign-up page"
CONFIRMED = "confirmation link"
_HERE = (SubscriberState.ACTIVE, SubscriberState.PAUSED)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody filled in: a checked address, what they want to read, and the text they agreed to."""

    address: str
    profile: Profile
    wording: str
    at: datetime


def wish_of(
    roster: Roster, address: str, councils: list[str], *, language: str, wording: str, at: datetime
) -> Wish:
    """The form's fields as a wish. Raises: SubscriberError for what is no address, or too many councils."""
    wished = profile_of(councils=councils, language=language, detail=roster.defaults.detail)
    return Wish(checked_address(address), entitled(wished, roster.defaults.limits), wording, at)


def ask_to_join(works: Works, roster: Roster, wish: Wish) -> None:
    """Ask the address to confirm; who reads already gets the link to their choices instead, nothing else.

    Nothing of a confirmed reader is changed by a form that anybody can fill in. Twice is harmless.
    Raises: NotFoundError for an unknown council.
    """
    with works.database.write(lock=LOCK_ROSTER) as connection:
        found = subscribers.find_subscriber(connection, wish.address)
        if found is not None and found.state in _HERE:
            notices.queue_in(connection, works, RunKind.LINK, found.id)
            return
        key = roster.suppression_key
        if asking.is_barred(connection, wish.address, key=key, kind=RunKind.CONFIRM):
            return
        id_ = _add(connection, roster, wish) if found is None else _again(connection, found.id, wish)
        notices.queue_in(connection, works, RunKind.CONFIRM, id_)


def _add(connection: Connection, roster: Roster, wish: Wish) -> int:
    schedule = roster.defaults.schedule
    mark = start_mark(connection, now=wish.at, timezone=schedule.timezone, back_days=roster.start_back_days)
    return subscribers.add_subscriber(
        connection,
        wish.address,
        name="",
        profile=wish.profile,
        schedule=schedule,
        state=SubscriberState.PENDING,
        start_mark=mark,
        consent=_consent(wish),
        source=SOURCE,
        now=wish.at,
    )


def _again(connection: Connection, id_: int, wish: Wish) -> int:
    """Somebody who left, or has not confirmed yet: the newest wish counts."""
    subscribers.set_wishes(connection, id_, wish.profile, source=SOURCE, now=wish.at)
    subscribers.record_consent(connection, id_, _consent(wish), now=wish.at)
    subscribers.await_confirmation(connection, id_)
    return id_


def _consent(wish: Wish) -> Consent:
    return Consent(SOURCE, wish.at, wish.wording)


def confirmation_of(connection: Connection, id_: int, *, now: datetime) -> Consent:
    """The consent that a pressed confirmation gives: to the text that was shown at sign-up."""
    given = subscribers.consents(connection, id_)
    return Consent(CONFIRMED, now, given[-1].wording if given else None)
