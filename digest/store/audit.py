"""Who did what, append-only: ids, never addresses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from digest.store.tables import AuditRow, table_of

_T = table_of(AuditRow)


def note(
    connection: Connection,
    action: str,
    *,
    subject: str,
    actor: str,
    now: datetime,
    facts: Mapping[str, object] | None = None,
) -> None:
    """Append a line. ``subject`` as "run:7"; ``facts`` are JSON values."""
    connection.execute(
        insert(_T).values(
            happened_at=now, actor=actor, action=action, subject=subject, facts=json.dumps(dict(facts or {}))
        )
    )


def is_noted(connection: Connection, action: str, *, subject: str, since: datetime | None = None) -> bool:
    """Whether that was ever done (since then) to that subject."""
    query = select(_T.c.id).where(_T.c.action == action, _T.c.subject == subject).limit(1)
    if since is not None:
        query = query.where(_T.c.happened_at >= since)
    return connection.execute(query).one_or_none() is not None


def facts_since(connection: Connection, action: str, *, since: datetime, most: int) -> dict[str, Any]:
    """Subject -> facts of what was done since then, the latest first."""
    query = select(_T.c.subject, _T.c.facts).where(_T.c.action == action, _T.c.happened_at >= since)
    found = connection.execute(query.order_by(_T.c.happened_at.desc(), _T.c.id.desc()).limit(most))
    return {subject: json.loads(facts) for subject, facts in found}


def facts_of(
    connection: Connection, action: str, subjects: Sequence[str]
) -> list[tuple[str, dict[str, Any]]]:
    """(subject, facts) of what was done to some hundred subjects, the oldest first."""
    query = select(_T.c.subject, _T.c.facts).where(_T.c.action == action, _T.c.subject.in_(list(subjects)))
    return [(subject, json.loads(facts)) for subject, facts in connection.execute(query.order_by(_T.c.id))]


def subjects(connection: Connection, action: str, *, since: datetime, most: int) -> list[str]:
    """To whom that was done since then, the latest first, each once."""
    query = select(_T.c.subject).where(_T.c.action == action, _T.c.happened_at >= since)
    found = connection.execute(query.order_by(_T.c.happened_at.desc(), _T.c.id.desc())).scalars()
    return list(dict.fromkeys(found))[:most]
