"""Whom a notice goes to, and its run's editions, batches and deliveries, written set by set.

As for digests, but no mark moves, and an edition is a distinct page, whoever gets it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, text

from digest.model import Ended, Page, RunKind
from digest.store.filling import extend_batches
from digest.store.notices import STATES
from digest.store.pages import page_ids_of
from digest.store.spans import Range
from digest.store.tables import ATTEMPTS, BATCHES_PER_EDITION, EditionRow, table_of
from digest.store.types import ENDED_CODES, to_stored

_E = table_of(EditionRow)


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a notice goes to, as SQL: ``source`` names the subscriber ``s``, ``condition`` narrows it.

    ``:run``, ``:first`` and ``:last`` (subscriber ids) are bound for it; ``lists`` are bound as IN lists.
    """

    source: str
    condition: str
    values: Mapping[str, object] = field(default_factory=dict)
    lists: Mapping[str, Sequence[object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Readers of one profile and one schedule: all that a notice's words can depend on."""

    profile_id: int
    schedule_id: int
    size: int


def of_run(kind: RunKind) -> Audience:
    """The people whose own notices a run took."""
    return Audience(
        "FROM notice n JOIN subscriber s ON s.id = n.subscriber_id",
        "n.run_id = :run AND s.id BETWEEN :first AND :last AND s.state IN :states",
        lists={"states": [state.value for state in STATES[kind]]},
    )


def everybody(kind: RunKind, *, council_ids: Sequence[int] = (), until: datetime | None = None) -> Audience:
    """All readers who may get that kind; of these councils, if there are any, and since before ``until``."""
    condition = "s.id BETWEEN :first AND :last AND s.state IN :states"
    values: dict[str, object] = {}
    lists: dict[str, Sequence[object]] = {"states": [state.value for state in STATES[kind]]}
    if council_ids:
        condition += (
            " AND s.id IN (SELECT f.subscriber_id FROM subscription f WHERE f.council_id IN :councils "
            "AND f.ended_at IS NULL AND f.subscriber_id BETWEEN :first AND :last"
            + (" AND f.started_at <= :until)" if until else ")")
        )
        lists["councils"] = list(council_ids)
        values |= {"until": to_stored(until)} if until else {}
    return Audience("FROM subscriber s", condition, values, lists)


# A letter of theirs named the item, and none that reached beyond the line has been handed over since.
_TOLD = """
s.id BETWEEN :first AND :last AND s.at_once = 1 AND s.state IN :states AND s.id IN (
  SELECT d.subscriber_id FROM news_item i
  JOIN edition e ON e.news_id = i.news_id
  JOIN batch b ON b.edition_id = e.id
  JOIN delivery d ON d.batch_id = b.id
  JOIN run r ON r.id = d.run_id
  WHERE i.item IN :items AND i.is_folded = 0 AND r.kind = 'digest' AND d.upto_seq < :seq
    AND (d.ended = :handed_over OR (d.ended IS NULL AND b.state = 'handed_over'))
) AND NOT EXISTS (
  SELECT 1 FROM run r JOIN delivery d ON d.run_id = r.id AND d.subscriber_id = s.id
  LEFT JOIN batch b ON b.id = d.batch_id
  WHERE r.kind = 'digest' AND r.upto_seq >= :seq AND d.upto_seq >= :seq
    AND (d.ended = :handed_over OR (d.ended IS NULL AND b.state = 'handed_over')))
"""


def is_anybody_told_at_once(connection: Connection) -> bool:
    """Whether any reader wishes to hear at once."""
    query = text("SELECT 1 FROM subscriber WHERE at_once = 1 AND state = 'active' LIMIT 1")
    return connection.execute(query).one_or_none() is not None


_NOT_TWICE = """ AND NOT EXISTS (
  SELECT 1 FROM delivery d WHERE d.run_id IN :others AND d.subscriber_id = s.id)"""


def told_of(items: Sequence[str], *, before_seq: int, others: Sequence[int] = ()) -> Audience:
    """Who wishes to hear at once, was told of one of the items, and not yet of what that line says.

    ``others`` are runs that tell the same: who has a letter of theirs is left out.
    """
    values = {"seq": before_seq, "handed_over": ENDED_CODES[Ended.HANDED_OVER]}
    states = [state.value for state in STATES[RunKind.CANCELLED_MEETING]]
    lists: dict[str, Sequence[object]] = {"states": states, "items": list(items)}
    if not others:
        return Audience("FROM subscriber s", _TOLD, values, lists)
    return Audience("FROM subscriber s", _TOLD + _NOT_TWICE, values, lists | {"others": list(others)})


_ONCE = "NOT EXISTS (SELECT 1 FROM delivery d WHERE d.run_id = :run AND d.subscriber_id = s.id)"
_INSERT = """
INSERT INTO delivery (run_id, subscriber_id, edition_id, batch_id, from_seq, upto_seq, ended)
SELECT :run, x.id, x.edition_id,
  (x.edition_id * {batches} + (x.already + x.place - 1) / :batch_size) * {attempts} + 1,
  x.covered_seq, x.covered_seq, NULL
FROM (SELECT s.id, s.covered_seq, m.edition_id, m.already,
             row_number() OVER (PARTITION BY m.edition_id ORDER BY s.id) AS place
      {source} JOIN notice_map m ON m.profile_id = s.profile_id AND m.schedule_id = s.schedule_id
      WHERE {condition} AND {once}) x
ORDER BY x.id
"""


def groups(connection: Connection, audience: Audience, span: Range, *, run_id: int) -> list[Group]:
    """Who of the audience has no delivery in the run yet, by wishes and schedule."""
    query = text(
        f"SELECT s.profile_id, s.schedule_id, count(*) {audience.source} "
        f"WHERE {audience.condition} AND {_ONCE} GROUP BY s.profile_id, s.schedule_id"
    )
    values = _values(audience, span) | {"run": run_id}
    return [Group(*row) for row in connection.execute(_bound(query, audience), values)]


def plan_groups(
    connection: Connection,
    audience: Audience,
    span: Range,
    pages: Mapping[Group, Page],
    *,
    run_id: int,
    batch_size: int,
    now: datetime,
) -> int:
    """Write a delivery for everybody of these groups (of others nobody); returns how many.

    Twice changes nothing. The transaction must hold ``LOCK_PLAN``.
    """
    if not pages:
        return 0
    editions = _editions(connection, pages, run_id=run_id, now=now)
    sizes: dict[int, int] = {}
    for group, edition in editions.items():
        sizes[edition] = sizes.get(edition, 0) + group.size
    already = extend_batches(connection, run_id, sizes, batch_size=batch_size)
    _write_map(connection, editions, already)
    sql = _INSERT.format(
        batches=BATCHES_PER_EDITION,
        attempts=ATTEMPTS,
        source=audience.source,
        condition=audience.condition,
        once=_ONCE,
    )
    values = _values(audience, span) | {"run": run_id, "batch_size": batch_size}
    return int(connection.execute(_bound(text(sql), audience), values).rowcount)


def _editions(
    connection: Connection, pages: Mapping[Group, Page], *, run_id: int, now: datetime
) -> dict[Group, int]:
    """Edition ids by group: one for each distinct page, under the profile of its first group."""
    distinct = list(dict.fromkeys(pages.values()))
    page_ids = dict(zip(distinct, page_ids_of(connection, distinct, now=now), strict=True))
    by_page = {group: page_ids[page] for group, page in pages.items()}
    query = select(_E.c.page_id, _E.c.id).where(_E.c.run_id == run_id)
    found: dict[int, int] = {page_id: id_ for page_id, id_ in connection.execute(query)}
    for group, page_id in by_page.items():
        if page_id in found:
            continue
        row = {
            "run_id": run_id,
            "profile_id": group.profile_id,
            # A notice has no range: the page's id makes its edition unique in the run.
            "from_seq": page_id,
            "revision": 1,
            "content_seq": 0,
            "page_id": page_id,
            "composed_at": now,
            "is_stale": 0,
        }
        found[page_id] = int(connection.execute(insert(_E).values(row).returning(_E.c.id)).scalar_one())
    return {group: found[page_id] for group, page_id in by_page.items()}


def _write_map(connection: Connection, editions: Mapping[Group, int], already: Mapping[int, int]) -> None:
    connection.exec_driver_sql("DROP TABLE IF EXISTS notice_map")
    connection.exec_driver_sql(
        "CREATE TEMP TABLE notice_map (profile_id BIGINT, schedule_id BIGINT, edition_id BIGINT, "
        "already BIGINT, PRIMARY KEY (profile_id, schedule_id))"
    )
    rows = [
        {"profile": group.profile_id, "schedule": group.schedule_id, "edition": e, "already": already[e]}
        for group, e in editions.items()
    ]
    connection.execute(text("INSERT INTO notice_map VALUES (:profile, :schedule, :edition, :already)"), rows)


def _bound(query: Any, audience: Audience) -> Any:
    return query.bindparams(*(bindparam(name, expanding=True) for name in audience.lists))


def _values(audience: Audience, span: Range) -> dict[str, object]:
    lists = {name: list(values) for name, values in audience.lists.items()}
    return {**audience.values, **lists, "first": span.first, "last": span.last}
