"""Summaries become lines of the publication log, or wait for an operator, or are archived.

Twice is harmless throughout: what is published already is not published again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from digest.errors import ConflictError
from digest.model import (
    Approval,
    Council,
    LineKind,
    LineReaders,
    Meeting,
    MeetingStatus,
    Summary,
    SummaryState,
    Support,
    name_key,
)
from digest.store import audit, councils, editions, meetings, profiles, publications, runs, summaries
from digest.store.database import LOCK_LOG, Database
from digest.store.publications import NewLine, Said
from digest.summaries.condense import condense

IMPORTED = "summary imported"


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of one summary: its id, whether its content is new, and what was published of it."""

    id: int
    is_new: bool
    line: LineKind | None = None
    is_archived: bool = False


def take_in(
    database: Database,
    summary: Summary,
    *,
    url_key: str | None,
    now: datetime,
    archive_after: timedelta,
    actor: str = "",
) -> TakenIn:
    """Store a summary under its meeting (made if unknown); publish it where approval is auto.

    With an ``actor`` a new version is noted in the audit as theirs. Raises: NotFoundError for an unknown
    council.
    """
    condensed = condense(summary)
    with database.write(lock=LOCK_LOG) as connection:
        council = councils.council_by_slug(connection, summary.council)
        meeting = _meeting_of(connection, summary, council, url_key=url_key, now=now)
        id_, is_new = summaries.add_version(connection, meeting.id, summary, condensed, now=now)
        if is_new and actor:
            audit.note(connection, IMPORTED, subject=f"summary:{id_}", actor=actor, now=now)
        if council.approval is not Approval.AUTO:
            return TakenIn(id_, is_new)
        stored = summaries.stored_summaries(connection, id_=id_)[0]
        if stored.state is not SummaryState.DRAFT:
            return TakenIn(id_, is_new)
        return replace(publish(connection, id_, now=now, archive_after=archive_after), is_new=is_new)


def _meeting_of(
    connection: Connection, summary: Summary, council: Council, *, url_key: str | None, now: datetime
) -> Meeting:
    found = meetings.find_meeting(
        connection,
        council.slug,
        url_key=url_key,
        committee=summary.committee,
        starts_at=summary.starts_at,
        on=summary.starts_on,
    )
    title = summary.title or (found.title if found else summary.committee)
    facts = meetings.MeetingFacts(
        key=found.key if found else _key_of(summary, url_key),
        council=council.slug,
        committee=found.committee if found else summary.committee,
        title=title,
        starts_at=summary.starts_at or (found.starts_at if found else None),
        starts_on=summary.starts_on,
        status=MeetingStatus.HELD,
        url=(found.url if found else None) or summary.url,
        url_key=url_key,
        venue=found.venue if found else None,
        video_url=summary.video_url or (found.video_url if found else None),
        documents=summary.documents or (found.documents if found else ()),
    )
    return meetings.save_meeting(connection, facts, now=now)


def _key_of(summary: Summary, url_key: str | None) -> str:
    if url_key is not None:
        return url_key
    start = summary.starts_at.isoformat() if summary.starts_at else summary.starts_on.isoformat()
    return f"{summary.council}:{name_key(summary.committee)}:{start}"


def publish(
    connection: Connection, id_: int, *, now: datetime, archive_after: timedelta, is_told: bool = False
) -> TakenIn:
    """Make the newest version of a summary public; append its log line unless there is a reason not to.

    With limited support only who has the council enabled is told. No line: nobody has, the council is paused,
    the meeting is older than ``archive_after`` (unless ``is_told`` to mail it all the same: a bulk import
    must never flood anyone), or only another language of something already said has come. The transaction
    must hold ``LOCK_LOG``.
    """
    stored = summaries.stored_summaries(connection, id_=id_)[0]
    if stored.state is SummaryState.PUBLISHED:
        return TakenIn(id_, is_new=False)
    if stored.state is SummaryState.WITHDRAWN:
        raise ConflictError(f"summary {id_} was withdrawn: import it again to publish a new version")
    meeting = meetings.meeting_by_id(connection, stored.meeting_id)
    if meeting is None:
        raise ConflictError(f"summary {id_} belongs to meeting {stored.meeting_id}, which is gone")
    council = councils.council_by_slug(connection, stored.council)
    item = summaries.item_of(meeting.id)
    said = publications.said_to(connection, item)
    is_old = not is_told and _day_of(meeting) < now - archive_after
    is_archived = not said.is_said and is_old
    is_translation = said.is_said and not summaries.was_published(connection, id_)
    council_id = councils.council_ids(connection)[council.slug]
    told = () if is_archived or is_translation else _told(connection, council, said, is_old=is_old)
    lines = [NewLine(kind, item, stored.version, council_id, meeting, readers=who) for kind, who in told]
    publications.append_lines(connection, lines, now=now)
    seq = publications.last_seq(connection)
    summaries.publish_version(connection, id_, effective_seq=seq)
    if not lines:
        return TakenIn(id_, is_new=False, is_archived=is_archived)
    _recompose(connection, item, content_seq=seq)
    return TakenIn(id_, is_new=False, line=lines[0].kind)


def _told(
    connection: Connection, council: Council, said: Said, *, is_old: bool
) -> tuple[tuple[LineKind, LineReaders], ...]:
    """As what, and to whom, a new version is said."""
    kind = LineKind.CORRECTION if said.is_said else LineKind.SUMMARY
    if council.support is Support.FULL:
        if not said.only_enabled:
            return ((kind, LineReaders.ALL),)
        theirs = ((kind, LineReaders.ENABLED),)
        return theirs if is_old else (*theirs, (LineKind.SUMMARY, LineReaders.OTHERS))
    is_limited = council.support is Support.LIMITED
    is_enabled = is_limited and profiles.with_enabled_council(connection, council.slug)
    return ((kind, LineReaders.ENABLED),) if is_enabled else ()


def approve(database: Database, id_: int, *, now: datetime, archive_after: timedelta) -> TakenIn:
    """An operator lets a summary into letters. Twice is harmless. Raises: NotFoundError, ConflictError."""
    with database.write(lock=LOCK_LOG) as connection:
        return publish(connection, id_, now=now, archive_after=archive_after)


def withdraw(database: Database, id_: int, *, why: str, now: datetime) -> bool:
    """Take a summary back: never said again, and whoever had it is told so. False when it was before.

    Raises: NotFoundError.
    """
    with database.write(lock=LOCK_LOG) as connection:
        stored = summaries.stored_summaries(connection, id_=id_)[0]
        if stored.state is SummaryState.WITHDRAWN:
            return False
        meeting = meetings.meeting_by_id(connection, stored.meeting_id)
        item = summaries.item_of(stored.meeting_id)
        seq = publications.last_seq(connection)
        said = publications.said_to(connection, item)
        if meeting is not None and said.is_said:
            council_id = councils.council_ids(connection)[stored.council]
            # With the text still there in another language it is that text that readers are told of.
            others = summaries.other_languages(connection, stored.meeting_id, stored.id)
            kind = LineKind.CORRECTION if others else LineKind.WITHDRAWAL
            readers = LineReaders.ENABLED if said.only_enabled else LineReaders.ALL
            line = NewLine(kind, item, stored.version, council_id, meeting, why=why, readers=readers)
            seq = publications.append_line(connection, line, now=now)
        summaries.withdraw_summary(connection, id_, withdrawn_seq=seq)
        _recompose(connection, item, content_seq=seq)
        return True


def _recompose(connection: Connection, item: str, *, content_seq: int) -> None:
    """Letters that hold the item and have not been claimed get their words again."""
    for run_id in editions.mark_stale(connection, item, content_seq=content_seq):
        runs.reopen_composing(connection, run_id)


def _day_of(meeting: Meeting) -> datetime:
    if meeting.starts_at is not None:
        return meeting.starts_at
    if meeting.starts_on is None:
        raise ConflictError(f"meeting {meeting.id} has no day: a summary needs one")
    return datetime.combine(meeting.starts_on, time(12), tzinfo=ZoneInfo(meeting.timezone))
