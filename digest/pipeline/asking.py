"""Wishing for a notice to one person: who may have one, and how often.

A form can be filled in by anybody for any address, so what it makes us send is bounded here, whoever asks.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from digest.model import RunKind
from digest.store import notices, subscribers, suppressions
from digest.store.notices import STATES, NoticeState

ASK_AGAIN_AFTER = timedelta(minutes=10)
"""Mail takes minutes; who asks again sooner gets the letter that is under way."""
MOST_A_DAY = 5
"""Of one kind to one person: a stranger who types an address again and again fills nobody's mailbox."""
# A confirmation may be asked for although these stand against the address: they say that letters did not
# arrive, or that none were wished any more. Never after a spam report, nor against an operator's word.
_MAY_ASK_AGAIN = ("bounce", "invalid", "unsubscribed")


def ask(
    connection: Connection,
    kind: RunKind,
    subscriber_id: int,
    *,
    suppression_key: str,
    now: datetime,
    is_other: bool = False,
) -> int | None:
    """Wish for a notice of a personal kind; its id, or None where there is none to be.

    None: the person is in no state for it, is suppressed, or was to get one a moment ago (twice is harmless).
    A page must not let its visitor know which. ``is_other``: it is about something else than the last one, so
    that only the day's number counts.
    """
    reader = subscribers.subscriber_by_id(connection, subscriber_id)
    if reader is None or reader.state not in STATES[kind]:
        return None
    if is_barred(connection, reader.address, key=suppression_key, kind=kind):
        return None
    if not _may_hear_again(connection, kind, subscriber_id, is_other=is_other, now=now):
        return None
    if kind is RunKind.WELCOME and reader.due_from_at is not None:
        # Whoever confirmed is due from that moment on: one welcome for each.
        key = f"{subscriber_id}@{reader.due_from_at.isoformat()}"
    else:
        # Two that ask at one moment count alike, and the key lets one through.
        key = f"{subscriber_id}#{notices.asked_ever(connection, kind, subscriber_id) + 1}"
    return notices.add(connection, kind, key=key, subscriber_id=subscriber_id, now=now)


def is_barred(connection: Connection, address: str, *, key: str, kind: RunKind) -> bool:
    """Whether a suppression of the address forbids this kind of notice."""
    reason = suppressions.is_suppressed(connection, address, key=key)
    if reason is None:
        return False
    return not (kind is RunKind.CONFIRM and reason in _MAY_ASK_AGAIN)


def _may_hear_again(
    connection: Connection, kind: RunKind, subscriber_id: int, *, is_other: bool, now: datetime
) -> bool:
    recent = (
        0 if is_other else notices.asked_since(connection, kind, subscriber_id, since=now - ASK_AGAIN_AFTER)
    )
    of_day = notices.asked_since(connection, kind, subscriber_id, since=now - timedelta(days=1))
    return recent == 0 and of_day < MOST_A_DAY


def ask_the_unasked(connection: Connection, *, suppression_key: str, now: datetime, most: int) -> int:
    """Ask who came by a form and was never asked, because a crash came between; returns how many.

    Who may not be asked is noted, so that nobody looks again.
    """
    ids = notices.unasked(connection, limit=most)
    for id_ in ids:
        if ask(connection, RunKind.CONFIRM, id_, suppression_key=suppression_key, now=now) is None:
            notices.add(
                connection,
                RunKind.CONFIRM,
                key=f"{id_}#0",
                subscriber_id=id_,
                state=NoticeState.DROPPED,
                now=now,
            )
    return len(ids)
