"""What a newcomer is offered: councils with what they held lately, what is announced, and who waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, func, select

from digest.model import Council, MeetingStatus, Support
from digest.store.councils import all_councils
from digest.store.tables import CouncilRow, MeetingRow, SubscriptionRow, table_of

_U = table_of(CouncilRow)
_M = table_of(MeetingRow)
_S = table_of(SubscriptionRow)
_OFF = (MeetingStatus.CANCELLED.value, MeetingStatus.POSTPONED.value)
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Offer:
    """A council as a newcomer sees it. ``waiting``: followers of a council with limited support, else 0."""

    council: Council
    held: int
    coming: int
    waiting: int


def offers(connection: Connection, councils: Iterable[Council], *, today: date) -> tuple[Offer, ...]:
    """These councils with their meetings of the last seven days and of the next, in the order given."""
    wanted = list(councils)
    slugs = [one.slug for one in wanted]
    held = _meetings(connection, slugs, first=today - _WEEK, last=today - timedelta(days=1))
    coming = _meetings(connection, slugs, first=today, last=today + _WEEK)
    waiting = _waiting(connection, [one.slug for one in wanted if one.support is Support.LIMITED])
    return tuple(
        Offer(one, held.get(one.slug, 0), coming.get(one.slug, 0), waiting.get(one.slug, 0)) for one in wanted
    )


def named(connection: Connection, words: str) -> tuple[Council, ...]:
    """The councils in whose name all these words stand, by name; all of them without words."""
    wanted = words.casefold().split()
    return tuple(one for one in all_councils(connection) if all(w in one.name.casefold() for w in wanted))


def _meetings(connection: Connection, slugs: list[str], *, first: date, last: date) -> dict[str, int]:
    query = (
        select(_U.c.slug, func.count())
        .join(_M, _M.c.council_id == _U.c.id)
        .where(_U.c.slug.in_(slugs), _M.c.starts_on.between(first, last), _M.c.status.not_in(_OFF))
        .group_by(_U.c.slug)
    )
    return {slug: n for slug, n in connection.execute(query)}


def _waiting(connection: Connection, slugs: list[str]) -> dict[str, int]:
    if not slugs:
        return {}
    query = (
        select(_U.c.slug, func.count())
        .join(_S, _S.c.council_id == _U.c.id)
        .where(_U.c.slug.in_(slugs), _S.c.ended_at.is_(None))
        .group_by(_U.c.slug)
    )
    return {slug: n for slug, n in connection.execute(query)}
