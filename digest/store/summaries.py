"""Summaries and their immutable versions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from digest.errors import NotFoundError
from digest.model import Condensed, Summary, SummaryState
from digest.store.tables import CommitteeRow, CouncilRow, MeetingRow, SummaryRow, SummaryVersionRow, table_of
from digest.summaries.wire import condensed_from_json, condensed_to_json, summary_from_json, summary_to_json

_S = table_of(SummaryRow)
_V = table_of(SummaryVersionRow)
_M = table_of(MeetingRow)


@dataclass(frozen=True, slots=True)
class StoredSummary:
    """Where a summary stands: ``version`` is its newest, ``state`` that version's."""

    id: int
    meeting_id: int
    language: str
    state: SummaryState
    version: int
    council: str
    committee: str
    title: str
    starts_on: Any
    headline: str
    created_at: datetime


def item_of(meeting_id: int) -> str:
    """The log's name for what is said of a meeting's summary, in whichever language."""
    return f"summary:{meeting_id}"


def add_version(
    connection: Connection, meeting_id: int, summary: Summary, condensed: Condensed, *, now: datetime
) -> tuple[int, bool]:
    """Store a summary of a meeting; returns its id and whether it is a new version.

    The same content as the newest version changes nothing (twice is harmless), unless that version
    was withdrawn: then it is a new version again.
    """
    row = connection.execute(
        select(_S).where(_S.c.meeting_id == meeting_id, _S.c.language == summary.language)
    ).one_or_none()
    fingerprint = summary.fingerprint
    if row is None:
        values = {"meeting_id": meeting_id, "language": summary.language, "state": "draft", "version": 1}
        new_id = connection.execute(
            insert(_S).values(source_id=summary.source_id, **values).returning(_S.c.id)
        ).scalar_one()
        id_, version = int(new_id), 1
    else:
        id_, version = row.id, row.version + 1
        newest = connection.execute(
            select(_V.c.fingerprint, _V.c.state).where(_V.c.summary_id == id_, _V.c.version == row.version)
        ).one()
        if newest.fingerprint == fingerprint and newest.state != SummaryState.WITHDRAWN:
            return id_, False
        connection.execute(update(_S).where(_S.c.id == id_).values(version=version, state="draft"))
    connection.execute(
        insert(_V).values(
            summary_id=id_,
            version=version,
            fingerprint=fingerprint,
            state="draft",
            content=summary_to_json(summary),
            condensed=condensed_to_json(condensed),
            created_at=now,
        )
    )
    return id_, True


def publish_version(connection: Connection, id_: int, *, effective_seq: int) -> None:
    """The newest version may be said from ``effective_seq`` on; the ones before it become ``corrected``."""
    version = connection.scalar(select(_S.c.version).where(_S.c.id == id_))
    connection.execute(
        update(_V)
        .where(_V.c.summary_id == id_, _V.c.version < version, _V.c.state == "published")
        .values(state="corrected")
    )
    connection.execute(
        update(_V)
        .where(_V.c.summary_id == id_, _V.c.version == version)
        .values(state="published", effective_seq=effective_seq)
    )
    connection.execute(update(_S).where(_S.c.id == id_).values(state="published"))


def withdraw_summary(connection: Connection, id_: int, *, withdrawn_seq: int) -> None:
    """No version of it may be said from ``withdrawn_seq`` on."""
    connection.execute(
        update(_V)
        .where(_V.c.summary_id == id_, _V.c.withdrawn_seq.is_(None))
        .values(state="withdrawn", withdrawn_seq=withdrawn_seq)
    )
    connection.execute(update(_S).where(_S.c.id == id_).values(state="withdrawn"))


def was_published(connection: Connection, id_: int) -> bool:
    """Whether a version of this summary has ever been effective."""
    query = select(func.count()).where(_V.c.summary_id == id_, _V.c.effective_seq.is_not(None))
    return bool(connection.scalar(query))


def other_languages(connection: Connection, meeting_id: int, id_: int) -> bool:
    """Whether the meeting's summary is public in another language than this one's."""
    query = select(func.count()).where(
        _S.c.meeting_id == meeting_id, _S.c.id != id_, _S.c.state == SummaryState.PUBLISHED.value
    )
    return bool(connection.scalar(query))


def languages_as_of(
    connection: Connection, meeting_ids: Iterable[int], *, content_seq: int
) -> dict[int, tuple[Condensed, ...]]:
    """What may be said of each meeting's summary at ``content_seq``: one text a language, English first."""
    found: dict[int, dict[str, Condensed]] = {}
    wanted = sorted(set(meeting_ids))
    for start in range(0, len(wanted), 500):
        query = (
            select(_S.c.meeting_id, _S.c.language, _V.c.condensed)
            .join(_V, _V.c.summary_id == _S.c.id)
            .where(_S.c.meeting_id.in_(wanted[start : start + 500]), _V.c.effective_seq <= content_seq)
            .where(_V.c.withdrawn_seq.is_(None) | (_V.c.withdrawn_seq > content_seq))
            .order_by(_V.c.version)
        )
        for meeting_id, language, condensed in connection.execute(query):
            found.setdefault(meeting_id, {})[language] = condensed_from_json(condensed)
    return {
        meeting_id: tuple(texts[language] for language in sorted(texts, key=lambda x: (x != "en", x)))
        for meeting_id, texts in found.items()
    }


def stored_summaries(connection: Connection, *, id_: int | None = None) -> tuple[StoredSummary, ...]:
    """All summaries, newest meeting first; or the one asked for. Raises: NotFoundError for an unknown id."""
    council, committee = table_of(CouncilRow), table_of(CommitteeRow)
    query = (
        select(
            _S, _V.c.condensed, _V.c.created_at, _M.c.title, _M.c.starts_on, council.c.slug, committee.c.name
        )
        .join(_V, (_V.c.summary_id == _S.c.id) & (_V.c.version == _S.c.version))
        .join(_M, _M.c.id == _S.c.meeting_id)
        .join(council, council.c.id == _M.c.council_id)
        .join(committee, committee.c.id == _M.c.committee_id)
        .order_by(_M.c.starts_on.desc(), _S.c.id)
    )
    if id_ is not None:
        query = query.where(_S.c.id == id_)
    found = tuple(_stored(row) for row in connection.execute(query))
    if id_ is not None and not found:
        raise NotFoundError(f"there is no summary {id_}: see `digest summary list`")
    return found


def _stored(row: Any) -> StoredSummary:
    return StoredSummary(
        id=row.id,
        meeting_id=row.meeting_id,
        language=row.language,
        state=SummaryState(row.state),
        version=row.version,
        council=row.slug,
        committee=row.name,
        title=row.title,
        starts_on=row.starts_on,
        headline=condensed_from_json(row.condensed).headline,
        created_at=row.created_at,
    )


def newest_texts(connection: Connection, id_: int) -> tuple[Summary, Condensed]:
    """The newest version's content, as read and as condensed."""
    row = connection.execute(
        select(_V.c.content, _V.c.condensed)
        .join(_S, (_S.c.id == _V.c.summary_id) & (_S.c.version == _V.c.version))
        .where(_S.c.id == id_)
    ).one()
    return summary_from_json(row.content), condensed_from_json(row.condensed)


def count_published(connection: Connection) -> int:
    """How many summaries are public now."""
    return connection.scalar(select(func.count()).where(_S.c.state == "published")) or 0
