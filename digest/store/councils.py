"""Councils: rows in, ``Council`` values out."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from digest.errors import ConflictError, NotFoundError
from digest.model import Approval, Council, Support
from digest.store.tables import CouncilRow, FeedRow, MeetingRow, SubscriptionRow, table_of

_T = table_of(CouncilRow)


def _council(row: Any) -> Council:
    return Council(
        slug=row.slug,
        name=row.name,
        support=Support(row.support),
        approval=Approval(row.approval),
        timezone=row.timezone,
        country=row.country,
        website=row.website,
        languages=tuple(row.languages.split(",")),
    )


def _values(council: Council) -> dict[str, Any]:
    return {
        "name": council.name,
        "support": council.support.value,
        "approval": council.approval.value,
        "timezone": council.timezone,
        "country": council.country,
        "website": council.website,
        "languages": ",".join(council.languages),
    }


def add_council(connection: Connection, council: Council, *, now: datetime) -> bool:
    """Store a new council; False when exactly this one is there already (twice is harmless).

    Raises: ConflictError when the slug is taken by a council with other facts.
    """
    row = connection.execute(select(_T).where(_T.c.slug == council.slug)).one_or_none()
    if row is not None:
        if _council(row) == council:
            return False
        raise ConflictError(
            f"the council {council.slug!r} exists with other facts: use `digest council set {council.slug}`"
        )
    supported = now if council.support is Support.FULL else None
    connection.execute(
        insert(_T).values(slug=council.slug, created_at=now, supported_at=supported, **_values(council))
    )
    return True


def set_council(connection: Connection, slug: str, changes: dict[str, Any]) -> Council:
    """Change the named fields; twice is harmless. Raises: NotFoundError."""
    council = replace(council_by_slug(connection, slug), **changes)
    connection.execute(update(_T).where(_T.c.slug == slug).values(**_values(council)))
    return council


def all_councils(connection: Connection) -> tuple[Council, ...]:
    """All councils by name."""
    return tuple(_council(row) for row in connection.execute(select(_T).order_by(_T.c.name)))


def council_by_slug(connection: Connection, slug: str) -> Council:
    """Raises: NotFoundError that names the nearest slugs."""
    row = connection.execute(select(_T).where(_T.c.slug == slug)).one_or_none()
    if row is None:
        raise NotFoundError(unknown_council(slug, council_ids(connection)))
    return _council(row)


def unknown_council(slug: str, known: Any) -> str:
    """The sentence that says a council is not there and which is meant, or how to add it."""
    near = difflib.get_close_matches(slug, list(known), n=2)
    mend = (
        f"did you mean {' or '.join(near)}?"
        if near
        else "add it with `digest council add`, see `digest council list`"
    )
    return f"there is no council {slug!r}: {mend}"


def council_ids(connection: Connection) -> dict[str, int]:
    """Slug to row id, for the other rooms of the store."""
    return {slug: id_ for slug, id_ in connection.execute(select(_T.c.slug, _T.c.id))}


def councils_by_id(connection: Connection) -> dict[int, Council]:
    """Row id to council."""
    return {row.id: _council(row) for row in connection.execute(select(_T))}


def councils_named(connection: Connection, slugs: Iterable[str]) -> dict[str, tuple[int, Council]]:
    """Row id and council by slug; those that do not exist are left out."""
    wanted = sorted(set(slugs))
    found: dict[str, tuple[int, Council]] = {}
    for start in range(0, len(wanted), 500):
        query = select(_T).where(_T.c.slug.in_(wanted[start : start + 500]))
        found |= {row.slug: (row.id, _council(row)) for row in connection.execute(query)}
    return found


def websites(connection: Connection) -> dict[str, str]:
    """Slug to website, of those that have one."""
    query = select(_T.c.slug, _T.c.website).where(_T.c.website.is_not(None))
    return {slug: website for slug, website in connection.execute(query)}


def waiting_counts(connection: Connection, *, among: Collection[str] | None = None) -> dict[str, int]:
    """How many people follow each council (of these), by slug; councils nobody follows are left out."""
    s = table_of(SubscriptionRow)
    query = (
        select(_T.c.slug, func.count())
        .join(s, s.c.council_id == _T.c.id)
        .where(s.c.ended_at.is_(None))
        .group_by(_T.c.slug)
    )
    if among is not None:
        query = query.where(_T.c.slug.in_(among))
    return {slug: n for slug, n in connection.execute(query)}


def council_counts(connection: Connection, slug: str) -> dict[str, int]:
    """Feeds, meetings and followers of one council."""
    id_ = council_ids(connection)[slug]
    f, m, s = table_of(FeedRow), table_of(MeetingRow), table_of(SubscriptionRow)
    count = func.count()
    return {
        "feeds": connection.scalar(select(count).where(f.c.council_id == id_)) or 0,
        "meetings": connection.scalar(select(count).where(m.c.council_id == id_)) or 0,
        "followers": connection.scalar(select(count).where(s.c.council_id == id_, s.c.ended_at.is_(None)))
        or 0,
    }
