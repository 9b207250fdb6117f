"""Feeds: what is polled, when next, and how it has been."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, case, func, insert, select, update

from digest.errors import ConflictError, NotFoundError
from digest.model import NotMeeting, fingerprint_of
from digest.store.councils import council_by_slug, council_ids, unknown_council
from digest.store.tables import CouncilRow, FeedRow, LeftoverRow, table_of
from digest.store.types import Instant
from digest.store.upsert import insert_or_update

_T = table_of(FeedRow)
_C = table_of(CouncilRow)
_L = table_of(LeftoverRow)


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as stored. ``history`` is intake's own memory of it (JSON), opaque here."""

    id: int
    council: str
    url: str
    dialect: str | None
    found_dialect: str | None
    state: str
    etag: str | None
    last_modified: str | None
    next_poll_at: datetime | None
    last_checked_at: datetime | None
    last_good_at: datetime | None
    last_change_at: datetime | None
    failing_since: datetime | None
    failures: int
    last_error: str | None
    history: Mapping[str, Any]
    timezone: str
    country: str
    created_at: datetime
    committees: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leftover:
    """An item that a feed told and that is no meeting, or was not understood, and why."""

    guid: str | None
    title: str
    why: str
    first_seen_at: datetime
    last_seen_at: datetime


def add_feed(
    connection: Connection,
    council: str,
    url: str,
    *,
    dialect: str | None,
    now: datetime,
    committees: Mapping[str, str] | None = None,
) -> bool:
    """Poll that address for a council from now on; False when it is there already with this dialect.

    ``committees``: whose its committees are, where councils share it (committee -> slug).
    Raises: NotFoundError for an unknown council, ConflictError when it is there with another dialect.
    """
    council_by_slug(connection, council)
    council_id = council_ids(connection)[council]
    row = connection.execute(
        select(_T.c.dialect).where(_T.c.council_id == council_id, _T.c.url == url)
    ).one_or_none()
    if row is not None:
        if row.dialect == dialect:
            return False
        raise ConflictError(
            f"{url} is a feed of {council} already, read as {row.dialect or 'found by itself'}"
        )
    known = council_ids(connection)
    for slug in (committees or {}).values():
        if slug not in known:
            raise NotFoundError(unknown_council(slug, known))
    table = orjson.dumps(dict(committees or {}), option=orjson.OPT_SORT_KEYS).decode()
    connection.execute(
        insert(_T).values(
            council_id=council_id,
            url=url,
            dialect=dialect,
            next_poll_at=now,
            created_at=now,
            committees=table,
        )
    )
    return True


def set_committees(connection: Connection, feed_id: int, committees: Mapping[str, str]) -> None:
    """Say anew whose a feed's committees are; its next poll reads it as if for the first time."""
    known = council_ids(connection)
    for slug in committees.values():
        if slug not in known:
            raise NotFoundError(unknown_council(slug, known))
    table = orjson.dumps(dict(committees), option=orjson.OPT_SORT_KEYS).decode()
    values = {"committees": table, "etag": None, "last_modified": None}
    connection.execute(update(_T).where(_T.c.id == feed_id).values(**values))


def feeds_named(connection: Connection, name: str) -> tuple[Feed, ...]:
    """The feeds of that address, or the one of that number. Raises: NotFoundError."""
    is_named = _T.c.id == int(name) if name.isascii() and name.isdigit() else _T.c.url == name
    found = tuple(_feed(row) for row in connection.execute(_query().where(is_named).order_by(_T.c.id)))
    if not found:
        raise NotFoundError(f"no feed is {name!r}: give its address or number as `digest feed list` shows it")
    return found


def is_polled(connection: Connection, feed: Feed, url: str) -> bool:
    """Whether the feed's council has another feed at that address."""
    query = (
        select(_T.c.id)
        .join(_C, _C.c.id == _T.c.council_id)
        .where(_C.c.slug == feed.council, _T.c.url == url, _T.c.id != feed.id)
    )
    return connection.execute(query).first() is not None


def feed_places(connection: Connection) -> tuple[tuple[str, str, frozenset[str]], ...]:
    """(council, address, councils of its committees) of every feed: what is known without its memory."""
    query = select(_C.c.slug, _T.c.url, _T.c.committees).join(_C, _C.c.id == _T.c.council_id)
    return tuple(
        (slug, url, frozenset(orjson.loads(table).values()) if table != "{}" else frozenset())
        for slug, url, table in connection.execute(query)
    )


def all_feeds(connection: Connection, *, council: str | None = None) -> tuple[Feed, ...]:
    """All feeds, or a council's, in order of council and address."""
    query = _query().order_by(_C.c.slug, _T.c.url)
    if council is not None:
        council_by_slug(connection, council)
        query = query.where(_C.c.slug == council)
    return tuple(_feed(row) for row in connection.execute(query))


def state_counts(connection: Connection) -> dict[str, int]:
    """How many feeds are in each state."""
    query = select(_T.c.state, func.count()).group_by(_T.c.state).order_by(_T.c.state)
    return {state: n for state, n in connection.execute(query)}


def feeds_due(
    connection: Connection, *, now: datetime, council: str | None = None, is_all: bool = False
) -> tuple[Feed, ...]:
    """Feeds to poll now, longest waiting first; ``is_all``: those not due too. Never paused councils'."""
    query = (
        _query().where(_C.c.support != "paused", _T.c.state != "retired").order_by(_T.c.next_poll_at, _T.c.id)
    )
    if council is not None:
        council_by_slug(connection, council)
        query = query.where(_C.c.slug == council)
    if not is_all:
        # Asked in the future: a clock ran ahead for a while, and so did what it put off.
        query = query.where((_T.c.next_poll_at <= now) | (_T.c.last_checked_at > now))
    return tuple(_feed(row) for row in connection.execute(query))


def record_polls(connection: Connection, polls: Iterable[tuple[int, dict[str, Any]]]) -> None:
    """Write what polls found out about the feeds themselves: (feed, column -> value).

    ``history``: a mapping or a dataclass of plain values and instants.
    """
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for feed_id, values in polls:
        row = values | {"history": orjson.dumps(values["history"]).decode()}
        alike.setdefault(tuple(sorted(row)), []).append(
            {f"new_{k}": v for k, v in row.items()} | {"feed": feed_id}
        )
    for names, rows in alike.items():
        changes: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
        connection.execute(update(_T).where(_T.c.id == bindparam("feed")).values(**changes), rows)


def keep_leftovers(connection: Connection, items: Iterable[tuple[int, NotMeeting]], *, now: datetime) -> None:
    """Keep what feeds told that is no meeting, or not understood: for the operator, never for a letter."""
    rows = {
        (feed_id, fingerprint): {
            "feed_id": feed_id,
            "fingerprint": fingerprint,
            "guid": item.guid,
            "title": item.title,
            "why": item.why,
            "first_seen_at": now,
            "last_seen_at": now,
        }
        for feed_id, item in items
        if (fingerprint := fingerprint_of(f"{item.guid}\0{item.title}"))
    }
    insert_or_update(
        connection, _L, list(rows.values()), keys=("feed_id", "fingerprint"), changes=("why", "last_seen_at")
    )


def leftovers(connection: Connection, feed_id: int, *, limit: int = 1_000) -> tuple[Leftover, ...]:
    """What a feed told that is no meeting, the newest first."""
    query = (
        select(_L.c.guid, _L.c.title, _L.c.why, _L.c.first_seen_at, _L.c.last_seen_at)
        .where(_L.c.feed_id == feed_id)
        .order_by(_L.c.last_seen_at.desc(), _L.c.first_seen_at.desc(), _L.c.title)
        .limit(limit)
    )
    return tuple(Leftover(*row) for row in connection.execute(query))


def leftover_counts(connection: Connection) -> dict[int, int]:
    """How many items each feed told that are no meetings, by the feed's number."""
    query = select(_L.c.feed_id, func.count()).group_by(_L.c.feed_id)
    return {id_: count for id_, count in connection.execute(query)}


def silences(connection: Connection, *, before: datetime) -> dict[str, datetime]:
    """Councils none of whose feeds can be read, and none was good since ``before``: slug -> since when.

    A feed that has not been asked says nothing about its council.
    """
    is_lost = _T.c.failing_since.is_not(None) | (_T.c.state == "retired")
    newest = func.max(func.coalesce(_T.c.last_good_at, _T.c.failing_since, _T.c.created_at), type_=Instant)
    query = (
        select(_C.c.slug, newest)
        .join(_C, _C.c.id == _T.c.council_id)
        .where(_C.c.support != "paused")
        .group_by(_C.c.slug)
        .having(func.count() == func.sum(case((is_lost, 1), else_=0)))
    )
    found = connection.execute(query).all()
    return {slug: since for slug, since in found if since is not None and since < before}


def _query() -> Any:
    return select(_T, _C.c.slug, _C.c.timezone, _C.c.country).join(_C, _C.c.id == _T.c.council_id)


def _feed(row: Any) -> Feed:
    return Feed(
        id=row.id,
        council=row.slug,
        url=row.url,
        dialect=row.dialect,
        found_dialect=row.found_dialect,
        state=row.state,
        etag=row.etag,
        last_modified=row.last_modified,
        next_poll_at=row.next_poll_at,
        last_checked_at=row.last_checked_at,
        last_good_at=row.last_good_at,
        last_change_at=row.last_change_at,
        failing_since=row.failing_since,
        failures=row.failures,
        last_error=row.last_error,
        history=orjson.loads(row.history),
        timezone=row.timezone,
        country=row.country,
        created_at=row.created_at,
        committees=orjson.loads(row.committees),
    )
