"""Subscribers, their subscriptions and consent. State is changed only here, so that claims can trust it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, literal_column, select, update

from digest.compose.profile import with_enabled
from digest.errors import ConflictError, NotFoundError
from digest.links import address_key
from digest.model import Profile, Schedule, SubscriberState
from digest.store.address_changes import close_changes
from digest.store.councils import council_ids
from digest.store.profiles import profile_id, profiles_by_id, schedule_id, schedules_by_id
from digest.store.tables import ConsentRow, ScheduleRow, SubscriberRow, SubscriptionRow, table_of

_T = table_of(SubscriberRow)
_S = table_of(SubscriptionRow)
_C = table_of(ConsentRow)
_SCHEDULE = table_of(ScheduleRow)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A subscriber as stored, with profile and schedule resolved."""

    id: int
    address: str
    name: str
    state: SubscriberState
    profile: Profile
    schedule: Schedule
    covered_seq: int
    due_from_at: datetime | None
    paused_until: date | None
    created_at: datetime
    ended_at: datetime | None
    ended_reason: str | None
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Consent:
    """Who agreed where and when; ``wording`` is the version of the text that was shown."""

    source: str
    at: datetime
    wording: str | None = None


def add_subscriber(
    connection: Connection,
    address: str,
    *,
    name: str,
    profile: Profile,
    schedule: Schedule,
    state: SubscriberState,
    start_mark: int,
    consent: Consent | None,
    source: str,
    now: datetime,
) -> int:
    """Store a new subscriber with one open subscription a council; ``active`` ones are due from now on.

    Raises: ConflictError when the address is there already, NotFoundError for an unknown council.
    """
    if find_subscriber(connection, address) is not None:
        raise ConflictError(f"{address} is subscribed already: change it with an import and --update")
    due_from = now if state is SubscriberState.ACTIVE else None
    id_ = connection.execute(
        insert(_T)
        .values(
            address=address,
            address_key=address_key(address),
            name=name,
            state=state.value,
            profile_id=profile_id(connection, profile),
            schedule_id=schedule_id(connection, schedule),
            covered_seq=start_mark,
            due_from_at=due_from,
            created_at=now,
        )
        .returning(_T.c.id)
    ).scalar_one()
    _follow(connection, id_, profile.councils, source=source, now=now)
    if consent is not None:
        record_consent(connection, id_, consent, now=now)
    return int(id_)


def record_consent(connection: Connection, id_: int, consent: Consent, *, now: datetime) -> None:
    """Append one consent to the subscriber's record."""
    connection.execute(
        insert(_C).values(
            subscriber_id=id_,
            source=consent.source,
            wording=consent.wording,
            consented_at=consent.at,
            recorded_at=now,
        )
    )


def _follow(connection: Connection, id_: int, councils: Iterable[str], *, source: str, now: datetime) -> None:
    """Open subscriptions for exactly these councils, ending the others (append-only, twice is harmless)."""
    ids = council_ids(connection)
    wanted = {ids[slug] for slug in councils}
    query = select(_S.c.council_id).where(_S.c.subscriber_id == id_, _S.c.ended_at.is_(None))
    open_ones = set(connection.scalars(query))
    if gone := open_ones - wanted:
        connection.execute(
            update(_S)
            .where(_S.c.subscriber_id == id_, _S.c.council_id.in_(gone), _S.c.ended_at.is_(None))
            .values(ended_at=now, ended_reason=source)
        )
    rows = [
        {"subscriber_id": id_, "council_id": c, "source": source, "started_at": now}
        for c in sorted(wanted - open_ones)
    ]
    if rows:
        connection.execute(insert(_S), rows)


def set_wishes(connection: Connection, id_: int, profile: Profile, *, source: str, now: datetime) -> None:
    """Change the profile (and so the councils). Letters already planned are planned again at their claim.

    What an operator enabled for them stays while they follow the council, whatever else they wish.
    """
    found = connection.scalar(select(_T.c.profile_id).where(_T.c.id == id_))
    had = () if found is None else profiles_by_id(connection, [found])[found].enabled
    _set_profile(connection, id_, with_enabled(profile, {*had, *profile.enabled}))
    _follow(connection, id_, profile.councils, source=source, now=now)


def set_enabled(connection: Connection, id_: int, profile: Profile, *, enabled: Iterable[str]) -> None:
    """Give somebody with this profile exactly these councils as enabled, of those that they follow."""
    _set_profile(connection, id_, with_enabled(profile, enabled))


def _set_profile(connection: Connection, id_: int, profile: Profile) -> None:
    connection.execute(update(_T).where(_T.c.id == id_).values(profile_id=profile_id(connection, profile)))


def set_schedule(connection: Connection, id_: int, schedule: Schedule, *, now: datetime) -> None:
    """Change when the digest comes; due from now on, so an earlier slot of the new schedule is not owed.

    The schedule somebody has already changes nothing.
    """
    new = schedule_id(connection, schedule)
    connection.execute(
        update(_T).where(_T.c.id == id_, _T.c.schedule_id != new).values(schedule_id=new, due_from_at=now)
    )


def set_address(connection: Connection, id_: int, address: str) -> None:
    """Send letters to another address from now on. The caller has looked that nobody else has it."""
    values = {"address": address, "address_key": address_key(address)}
    connection.execute(update(_T).where(_T.c.id == id_).values(**values))


def set_at_once(connection: Connection, id_: int, *, is_wished: bool) -> None:
    """Whether to hear at once when a meeting that a letter announced is cancelled or moved."""
    connection.execute(update(_T).where(_T.c.id == id_).values(at_once=int(is_wished)))


def set_name(connection: Connection, id_: int, name: str) -> None:
    """Change how the letter greets."""
    connection.execute(update(_T).where(_T.c.id == id_).values(name=name))


def activate(connection: Connection, id_: int, *, start_mark: int, now: datetime) -> None:
    """Confirm, resume or take back: active and due from now; the mark only moves forward.

    An active subscriber is left as they are (twice is harmless).
    """
    mark = start_mark
    connection.execute(
        update(_T)
        .where(_T.c.id == id_, _T.c.state != SubscriberState.ACTIVE.value)
        .values(
            state=SubscriberState.ACTIVE.value,
            due_from_at=now,
            paused_until=None,
            ended_at=None,
            ended_reason=None,
            covered_seq=_larger(mark),
        )
    )


def await_confirmation(connection: Connection, id_: int) -> None:
    """Somebody who left asks to come back: pending until they confirm. Who has not left stays as they are.

    When and why they left stays until then: anybody can type an address into a form.
    """
    gone = [SubscriberState.LEFT.value, SubscriberState.SUPPRESSED.value]
    connection.execute(
        update(_T)
        .where(_T.c.id == id_, _T.c.state.in_(gone))
        .values(state=SubscriberState.PENDING.value, due_from_at=None)
    )


def resume(connection: Connection, id_: int, *, now: datetime) -> None:
    """End a pause: due from now, the mark stays, so that the first letter covers what was missed."""
    connection.execute(
        update(_T)
        .where(_T.c.id == id_, _T.c.state == SubscriberState.PAUSED.value)
        .values(state=SubscriberState.ACTIVE.value, due_from_at=now, paused_until=None)
    )


def _larger(mark: int) -> Any:
    from sqlalchemy import case

    return case((_T.c.covered_seq > mark, _T.c.covered_seq), else_=mark)


def pause(connection: Connection, id_: int, *, until: date | None) -> None:
    """Pause an active subscriber until a day (None: until they resume). Twice is harmless."""
    connection.execute(
        update(_T)
        .where(_T.c.id == id_, _T.c.state.in_([SubscriberState.ACTIVE.value, SubscriberState.PAUSED.value]))
        .values(state=SubscriberState.PAUSED.value, paused_until=until)
    )


def paused_until(connection: Connection, *, upto: date) -> list[date]:
    """The days up to which somebody is paused, not later than ``upto``, in order."""
    query = select(_T.c.paused_until).where(_T.c.paused_until <= upto).distinct()
    return sorted(connection.execute(query).scalars())


def unpause(connection: Connection, until: date, *, among: Iterable[int], due_from: datetime) -> int:
    """Resume who was paused until that day and has one of these schedules; returns how many."""
    query = (
        update(_T)
        .where(_T.c.state == SubscriberState.PAUSED.value, _T.c.paused_until == until)
        .where(_T.c.schedule_id.in_(list(among)))
    )
    values = {"state": SubscriberState.ACTIVE.value, "due_from_at": due_from, "paused_until": None}
    return connection.execute(query.values(**values)).rowcount


def end(connection: Connection, id_: int, *, state: SubscriberState, reason: str, now: datetime) -> None:
    """Leave (``left``) or never be mailed again (``suppressed``); subscriptions end with the reason.

    Who has left already stays as they are, but a suppression overrides leaving.
    """
    ended = [SubscriberState.ERASED.value, SubscriberState.SUPPRESSED.value]
    if state is SubscriberState.LEFT:
        ended.append(SubscriberState.LEFT.value)
    connection.execute(
        update(_T)
        .where(_T.c.id == id_, _T.c.state.not_in(ended))
        .values(state=state.value, ended_at=now, ended_reason=reason, due_from_at=None, paused_until=None)
    )
    _end_subscriptions(connection, id_, reason=reason, now=now)


def erase(connection: Connection, id_: int, *, now: datetime) -> None:
    """Forget address and name; what was delivered stays countable. Twice is harmless."""
    connection.execute(
        update(_T)
        .where(_T.c.id == id_)
        .values(
            address="",
            address_key=f"erased:{id_}",
            name="",
            state=SubscriberState.ERASED.value,
            ended_at=now,
            ended_reason="erased",
            due_from_at=None,
            paused_until=None,
        )
    )
    close_changes(connection, id_)
    _end_subscriptions(connection, id_, reason="erased", now=now)


def _end_subscriptions(connection: Connection, id_: int, *, reason: str, now: datetime) -> None:
    connection.execute(
        update(_S)
        .where(_S.c.subscriber_id == id_, _S.c.ended_at.is_(None))
        .values(ended_at=now, ended_reason=reason)
    )


def find_subscriber(connection: Connection, address: str) -> Subscriber | None:
    """The subscriber of that address, in whatever spelling; None when there is none."""
    return _one(connection, select(_T).where(_T.c.address_key == address_key(address)))


def subscriber_by_address(connection: Connection, address: str) -> Subscriber:
    """Raises: NotFoundError."""
    found = find_subscriber(connection, address)
    if found is None:
        raise NotFoundError(f"nobody is subscribed as {address}: see `digest subscriber export`")
    return found


def subscriber_by_id(connection: Connection, id_: int) -> Subscriber | None:
    """One subscriber by row id."""
    return _one(connection, select(_T).where(_T.c.id == id_))


def all_subscribers(connection: Connection, *, page: int = 500, after: int = 0) -> Iterator[Subscriber]:
    """Everybody in order of joining (after that id), a page in memory at a time."""
    schedules = schedules_by_id(connection)
    while rows := connection.execute(select(_T).where(_T.c.id > after).order_by(_T.c.id).limit(page)).all():
        profiles = profiles_by_id(connection, {row.profile_id for row in rows})
        for row in rows:
            yield _subscriber(row, profiles, schedules)
        after = rows[-1].id


def state_counts(connection: Connection) -> dict[str, int]:
    """How many subscribers are in each state."""
    query = select(_T.c.state, func.count()).group_by(_T.c.state)
    return {state: n for state, n in connection.execute(query)}


def schedules_in_use(connection: Connection) -> list[int]:
    """Ids of the schedules that an active subscriber has; one reader of each is enough to know."""
    has_reader = (
        select(_T.c.id)
        .where(
            _T.c.schedule_id == _SCHEDULE.c.id,
            _T.c.state == SubscriberState.ACTIVE.value,
            _T.c.due_from_at.is_not(None),
        )
        .exists()
    )
    return list(connection.scalars(select(_SCHEDULE.c.id).where(has_reader)))


def active_schedules(connection: Connection, *, among: Iterable[int] | None = None) -> dict[int, datetime]:
    """Schedule ids (of ``among``) that active subscribers have, with their earliest ``due_from_at``."""
    active: ColumnElement[str] = literal_column(f"'{SubscriberState.ACTIVE.value}'")
    # Asked for each schedule, it is the first entry of an index; grouped, a million readers would be read.
    earliest = (
        select(func.min(_T.c.due_from_at))
        .where(_T.c.schedule_id == _SCHEDULE.c.id, _T.c.state == active)
        .scalar_subquery()
    )
    query = select(_SCHEDULE.c.id, earliest)
    if among is not None:
        query = query.where(_SCHEDULE.c.id.in_(list(among)))
    return {schedule: due for schedule, due in connection.execute(query) if due is not None}


def consents(connection: Connection, id_: int) -> tuple[Consent, ...]:
    """The consent record, oldest first."""
    query = select(_C).where(_C.c.subscriber_id == id_).order_by(_C.c.id)
    return tuple(Consent(row.source, row.consented_at, row.wording) for row in connection.execute(query))


def _one(connection: Connection, query: Any) -> Subscriber | None:
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return _subscriber(row, profiles_by_id(connection, [row.profile_id]), schedules_by_id(connection))


def _subscriber(row: Row[Any], profiles: dict[int, Profile], schedules: dict[int, Schedule]) -> Subscriber:
    return Subscriber(
        id=row.id,
        address=row.address,
        name=row.name,
        state=SubscriberState(row.state),
        profile=profiles[row.profile_id],
        schedule=schedules[row.schedule_id],
        covered_seq=row.covered_seq,
        due_from_at=row.due_from_at,
        paused_until=row.paused_until,
        created_at=row.created_at,
        ended_at=row.ended_at,
        ended_reason=row.ended_reason,
        at_once=bool(row.at_once),
    )
