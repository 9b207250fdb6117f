"""What the operators' desk shows: pages by keyset, counts by index, never everything at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, func, select, text

from digest.model import Ended, RunKind, SubscriberState, SummaryState, Support
from digest.store import councils, profiles
from digest.store.runs import Run, run_by_id
from digest.store.tables import AuditRow, ConsentRow, RunRow, SubscriberRow, SubscriptionRow, table_of
from digest.store.types import ENDED_CODES, ENDED_OF_CODE, from_stored, to_stored
from digest.summaries.wire import condensed_from_json

PAGE = 50
_R = table_of(RunRow)
_S = table_of(SubscriberRow)
_A = table_of(AuditRow)


@dataclass(frozen=True, slots=True)
class LetterRow:
    """One delivery: to whom (address "" once erased), in which run and edition, and how it stands."""

    run_id: int
    subscriber_id: int
    address: str
    edition_id: int
    batch_id: int | None
    standing: str
    slot_at: datetime
    kind: str


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One hand-over of a batch: when it was claimed and answered, and what came of it."""

    batch_id: int
    attempt: int
    state: str
    provider_id: str | None
    why: str | None
    claimed_at: datetime | None
    recorded_at: datetime | None


@dataclass(frozen=True, slots=True)
class EventLine:
    """What the provider told of a letter."""

    kind: str
    happened_at: datetime
    received_at: datetime
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Who did what to whom, when; ``facts`` are before and after."""

    id: int
    happened_at: datetime
    actor: str
    action: str
    subject: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A subscriber as a list shows them."""

    id: int
    address: str
    name: str
    state: SubscriberState
    created_at: datetime
    paused_until: Any
    ended_reason: str | None


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """A summary as the approval queue shows it."""

    id: int
    meeting_id: int
    language: str
    version: int
    council: str
    committee: str
    title: str
    starts_on: date
    headline: str
    created_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class Follow:
    """A council that a subscriber follows or followed."""

    council: str
    source: str
    started_at: datetime
    ended_at: datetime | None
    ended_reason: str | None


@dataclass(frozen=True, slots=True)
class Demand:
    """Who wants a council: subscribers now, and how many joined within the last thirty days."""

    slug: str
    subscribers: int
    recent: int


def runs_page(
    connection: Connection, *, digests: bool, before: int | None = None, most: int = PAGE
) -> list[Run]:
    """The newest digest (or notice) runs below an id."""
    of_digests = _R.c.kind == RunKind.DIGEST.value
    query = select(_R.c.id).where(of_digests if digests else ~of_digests)
    if before is not None:
        query = query.where(_R.c.id < before)
    ids = connection.execute(query.order_by(_R.c.id.desc()).limit(most)).scalars().all()
    return [run_by_id(connection, id_) for id_ in ids]


_LETTERS = """
SELECT d.run_id, d.subscriber_id, s.address, d.edition_id, d.batch_id, d.ended, b.state,
  e.composed_at IS NOT NULL AND e.page_id IS NULL AS is_empty, r.slot_at, r.kind
FROM delivery d
JOIN run r ON r.id = d.run_id
LEFT JOIN subscriber s ON s.id = d.subscriber_id
LEFT JOIN batch b ON b.id = d.batch_id
LEFT JOIN edition e ON e.id = d.edition_id
"""


def letters_of_run(
    connection: Connection, run_id: int, *, after: int = 0, standing: str = "", most: int = PAGE
) -> list[LetterRow]:
    """A run's letters by subscriber id, all or those that stand so."""
    found: list[LetterRow] = []
    query = text(f"{_LETTERS} WHERE d.run_id = :run AND d.subscriber_id > :after ORDER BY 2 LIMIT :most")
    # A rare standing among a million letters is looked for in bounded steps.
    for _ in range(40 if standing else 1):
        size = most if not standing else 5_000
        rows = connection.execute(query, {"run": run_id, "after": after, "most": size}).all()
        letters = [_letter(row) for row in rows]
        found += [one for one in letters if not standing or one.standing == standing]
        if len(rows) < size or len(found) >= most:
            break
        after = letters[-1].subscriber_id
    return found[:most]


def letters_of_subscriber(connection: Connection, subscriber_id: int, *, most: int = PAGE) -> list[LetterRow]:
    """The newest letters of one subscriber."""
    query = text(f"{_LETTERS} WHERE d.subscriber_id = :who ORDER BY d.run_id DESC LIMIT :most")
    return [_letter(row) for row in connection.execute(query, {"who": subscriber_id, "most": most})]


def letter(connection: Connection, run_id: int, subscriber_id: int) -> LetterRow | None:
    """One letter."""
    query = text(f"{_LETTERS} WHERE d.run_id = :run AND d.subscriber_id = :who")
    row = connection.execute(query, {"run": run_id, "who": subscriber_id}).one_or_none()
    return None if row is None else _letter(row)


def page_of_edition(connection: Connection, edition_id: int) -> int | None:
    """The page that an edition says; None when it says nothing, or is not composed."""
    query = text("SELECT page_id FROM edition WHERE id = :id")
    found = connection.execute(query, {"id": edition_id}).scalar()
    return None if found is None else int(found)


def attempts_of(connection: Connection, batch_id: int) -> list[AttemptRow]:
    """Every hand-over of the batch that a letter is in, first to last."""
    query = text(
        "SELECT o.id, o.attempt, o.state, o.provider_id, o.why, o.claimed_at, o.recorded_at FROM batch b "
        "JOIN batch o ON o.edition_id = b.edition_id AND o.number = b.number WHERE b.id = :id ORDER BY 2"
    )
    return [
        AttemptRow(id_, attempt, state, provider, why, _instant(claimed), _instant(recorded))
        for id_, attempt, state, provider, why, claimed, recorded in connection.execute(
            query, {"id": batch_id}
        )
    ]


def events_of(connection: Connection, run_id: int, subscriber_id: int) -> list[EventLine]:
    """What the provider told of one letter, in the order it happened."""
    query = text(
        "SELECT kind, happened_at, received_at, payload FROM event "
        "WHERE run_id = :run AND subscriber_id = :who ORDER BY happened_at, id"
    )
    return [
        EventLine(kind, from_stored(at), from_stored(heard), orjson.loads(payload) if payload else {})
        for kind, at, heard, payload in connection.execute(query, {"run": run_id, "who": subscriber_id})
    ]


def weekly_outcomes(connection: Connection, *, since: datetime) -> dict[str, dict[str, int]]:
    """Letters by outcome of each ISO week ("2025-W36") since then, of finished digest runs."""
    query = (
        select(_R.c.slot_at, _R.c.counts)
        .where(_R.c.kind == RunKind.DIGEST.value, _R.c.slot_at >= since, _R.c.completed_at.is_not(None))
        .order_by(_R.c.slot_at)
    )
    weeks: dict[str, dict[str, int]] = {}
    for slot_at, counts in connection.execute(query):
        year, week, _ = slot_at.isocalendar()
        into = weeks.setdefault(f"{year}-W{week:02}", {})
        for name, n in orjson.loads(counts or "{}").items():
            if name not in ("due", "editions") and n:
                into[name] = into.get(name, 0) + n
    return weeks


def demand(connection: Connection, *, since: datetime) -> list[Demand]:
    """Councils by how many follow them, most wanted first."""
    query = text(
        "SELECT c.slug, coalesce(s.total, 0), coalesce(s.recent, 0) FROM council c LEFT JOIN ("
        "SELECT council_id, count(*) AS total, "
        "sum(CASE WHEN started_at >= :since THEN 1 ELSE 0 END) AS recent "
        "FROM subscription WHERE ended_at IS NULL GROUP BY council_id"
        ") s ON s.council_id = c.id ORDER BY 2 DESC, 1"
    )
    rows = connection.execute(query, {"since": to_stored(since)})
    return [Demand(slug, total, recent) for slug, total, recent in rows]


def people(
    connection: Connection,
    *,
    search: str = "",
    state: str = "",
    council: str = "",
    before: int | None = None,
    most: int = PAGE,
) -> list[PersonRow]:
    """Subscribers, newest first: by the beginning of an address, a state, a council they follow."""
    query = select(_S).order_by(_S.c.id.desc()).limit(most)
    if search:
        low, high = search.lower(), search.lower() + "\U0010ffff"
        query = query.where(_S.c.address_key >= low, _S.c.address_key < high)
    if state:
        query = query.where(_S.c.state == state)
    if council:
        follows = table_of(SubscriptionRow)
        councils = text("SELECT id FROM council WHERE slug = :slug").bindparams(slug=council)
        ids = [row.id for row in connection.execute(councils)]
        query = query.where(
            select(follows.c.id)
            .where(follows.c.subscriber_id == _S.c.id, follows.c.council_id.in_(ids))
            .where(follows.c.ended_at.is_(None))
            .exists()
        )
    if before is not None:
        query = query.where(_S.c.id < before)
    return [
        PersonRow(
            row.id,
            row.address,
            row.name,
            SubscriberState(row.state),
            row.created_at,
            row.paused_until,
            row.ended_reason,
        )
        for row in connection.execute(query)
    ]


def subscriptions_of(connection: Connection, subscriber_id: int) -> list[Follow]:
    """When, how and why each council was begun and ended by one subscriber, oldest first."""
    query = text(
        "SELECT c.slug, f.source, f.started_at, f.ended_at, f.ended_reason FROM subscription f "
        "JOIN council c ON c.id = f.council_id WHERE f.subscriber_id = :who ORDER BY f.id"
    )
    rows = connection.execute(query, {"who": subscriber_id})
    return [
        Follow(slug, source, from_stored(at), _instant(ended), why) for slug, source, at, ended, why in rows
    ]


def readers_of_council(connection: Connection, slug: str) -> int:
    """How many active subscribers follow a council: at most so many would get an item of it."""
    query = text(
        "SELECT count(*) FROM subscription f JOIN council c ON c.id = f.council_id "
        "JOIN subscriber s ON s.id = f.subscriber_id "
        "WHERE c.slug = :slug AND f.ended_at IS NULL AND s.state = 'active'"
    )
    return int(connection.execute(query, {"slug": slug}).scalar_one())


def readers_of_summaries(connection: Connection, slug: str) -> int:
    """How many active subscribers would get a summary of that council as it is supported now, at most."""
    support = councils.council_by_slug(connection, slug).support
    if support is Support.FULL:
        return readers_of_council(connection, slug)
    if support is Support.PAUSED:
        return 0
    return sum(one.is_active for one in enabled_for(connection, slug))


@dataclass(frozen=True, slots=True)
class EnabledFor:
    """A reader who has a council enabled."""

    id: int
    address: str
    is_active: bool


def enabled_for(connection: Connection, slug: str) -> list[EnabledFor]:
    """The professionals who get a council's summaries though its support is limited."""
    having = profiles.with_enabled_council(connection, slug)
    if not having:
        return []
    # Profiles are indexed within schedules, which are few.
    query = text(
        "SELECT id, address, state FROM subscriber WHERE schedule_id IN (SELECT id FROM schedule) "
        "AND profile_id IN :ids AND state <> 'erased' ORDER BY id"
    )
    rows = connection.execute(query.bindparams(bindparam("ids", expanding=True)), {"ids": having})
    return [EnabledFor(id_, address, state == SubscriberState.ACTIVE) for id_, address, state in rows]


def told_of(connection: Connection, item: str) -> int:
    """How many letters that were handed over name an item."""
    query = text(
        "SELECT count(*) FROM news_item i JOIN edition e ON e.news_id = i.news_id "
        "JOIN batch b ON b.edition_id = e.id AND b.state = 'handed_over' "
        "JOIN delivery d ON d.batch_id = b.id AND (d.ended IS NULL OR d.ended = :sent) "
        "WHERE i.item = :item AND i.is_folded = 0"
    )
    sent = ENDED_CODES[Ended.HANDED_OVER]
    return int(connection.execute(query, {"item": item, "sent": sent}).scalar_one())


def summaries_page(
    connection: Connection, *, state: str, council: str = "", page: int = 1, most: int = PAGE
) -> list[SummaryLine]:
    """Summaries of one state, newest meeting first, perhaps of one council; ``page`` from 1."""
    query = text(
        "SELECT s.id, s.meeting_id, s.language, s.version, c.slug, k.name, m.title, m.starts_on, "
        "v.condensed, v.created_at, v.state FROM summary s "
        "JOIN summary_version v ON v.summary_id = s.id AND v.version = s.version "
        "JOIN meeting m ON m.id = s.meeting_id JOIN council c ON c.id = m.council_id "
        "JOIN committee k ON k.id = m.committee_id "
        "WHERE v.state = :state AND (:council = '' OR c.slug = :council) "
        "ORDER BY m.starts_on DESC, s.id LIMIT :most OFFSET :skip"
    )
    values = {"state": state, "council": council, "most": most, "skip": (max(page, 1) - 1) * most}
    return [
        SummaryLine(
            row.id, row.meeting_id, row.language, row.version, row.slug, row.name, row.title,
            date.fromisoformat(str(row.starts_on)), condensed_from_json(row.condensed).headline,
            from_stored(row.created_at), row.state,
        )
        for row in connection.execute(query, values)
    ]  # fmt: skip


def summary_counts(connection: Connection) -> dict[str, int]:
    """How many summaries are in each state."""
    query = text(
        "SELECT v.state, count(*) FROM summary s "
        "JOIN summary_version v ON v.summary_id = s.id AND v.version = s.version GROUP BY 1"
    )
    counts = dict.fromkeys((state.value for state in SummaryState), 0)
    return counts | {state: n for state, n in connection.execute(query)}


def audit_lines(
    connection: Connection, *, subject: str = "", before: int | None = None, most: int = PAGE
) -> list[AuditLine]:
    """The newest lines of the audit log, all or those of one subject."""
    query = select(_A).order_by(_A.c.id.desc()).limit(most)
    if subject:
        query = query.where(_A.c.subject == subject)
    if before is not None:
        query = query.where(_A.c.id < before)
    return [
        AuditLine(row.id, row.happened_at, row.actor, row.action, row.subject, json.loads(row.facts))
        for row in connection.execute(query)
    ]


def count_consents(connection: Connection, subscriber_id: int) -> int:
    """How many times somebody agreed."""
    consents = table_of(ConsentRow)
    query = select(func.count()).where(consents.c.subscriber_id == subscriber_id)
    return int(connection.execute(query).scalar_one())


def _letter(row: Any) -> LetterRow:
    run_id, who, address, edition, batch, code, state, is_empty, slot_at, kind = row
    if code is not None:
        standing = ENDED_OF_CODE[code].value
    elif is_empty:
        standing = "empty"
    else:
        standing = state if state in ("handed_over", "uncertain", "refused") else "open"
    return LetterRow(run_id, who, address or "", edition, batch, standing, from_stored(slot_at), kind)


def _instant(stored: int | None) -> datetime | None:
    return None if stored is None else from_stored(stored)
