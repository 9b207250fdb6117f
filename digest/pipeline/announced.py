"""At once, if wished: a meeting that a letter announced is cancelled or moved, and its readers hear of it.

Derived from the log, never from the poll that found it: killed anywhere, the next look finds what is missing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from digest import slots
from digest.model import LineKind, LogLine, Meeting, MeetingStatus, RunKind
from digest.pipeline import audiences, plan
from digest.slots import SendWindow
from digest.store import audiences as stored
from digest.store import notices, publications, runs
from digest.store.database import LOCK_PLAN, Database

FRESH_FOR = timedelta(hours=48)
"""News older than this (the window was closed, nothing ran) waits for the ordinary letter."""
_OFF = (MeetingStatus.CANCELLED, MeetingStatus.POSTPONED)


def open_due(database: Database, *, window: SendWindow, now: datetime) -> list[int]:
    """Wish for a notice of each change that is news to somebody and may be told now; returns notice ids.

    Once per meeting and change; twice is harmless. Night falls by the council's clock.
    """
    with database.read() as connection:
        if not stored.is_anybody_told_at_once(connection):
            return []
        found = [line for line in _changes(connection, now=now) if _may_be_told(line, window=window, now=now)]
    opened = []
    for line in found:
        with database.write(lock=LOCK_PLAN) as connection:
            id_ = _wish(connection, line, now=now)
        if id_ is not None:
            opened.append(id_)
    return opened


def withdraw_late(database: Database, *, now: datetime) -> int:
    """Cancel what is left of notices whose news is old by now; how many letters. Twice is harmless."""
    with database.read() as connection:
        late = [
            run.id
            for run in runs.unfinished_runs(connection)
            if run.kind is RunKind.CANCELLED_MEETING and now - run.created_at > FRESH_FOR
        ]
    return sum(plan.cancel(database, id_, why="the news is old by now", now=now) for id_ in late)


def _changes(connection: Connection, *, now: datetime) -> list[LogLine]:
    """The newest word on each meeting that was cancelled, put off, moved or reinstated in the last days."""
    after = publications.last_seq_before(connection, now - FRESH_FOR)
    upto = publications.last_seq(connection)
    newest: dict[str, LogLine] = {}
    if after < upto:
        for line in publications.lines_between(connection, from_seq=after, upto_seq=upto):
            if line.kind in (LineKind.MEETING_CHANGED, LineKind.MEETING_CANCELLED):
                newest[line.item] = line
    return [line for line in newest.values() if _is_news(line)]


def _is_news(line: LogLine) -> bool:
    if line.kind is LineKind.MEETING_CANCELLED or line.meeting.status in _OFF:
        return line.before is None or line.before.status is not line.meeting.status
    return line.before is not None and (line.before.status in _OFF or has_moved(line.before, line.meeting))


def has_moved(before: Meeting, after: Meeting) -> bool:
    """Whether the day or the hour is another; an hour that became known is none."""
    if before.starts_at is not None and after.starts_at is not None:
        return before.starts_at != after.starts_at
    return before.starts_on != after.starts_on


def _may_be_told(line: LogLine, *, window: SendWindow, now: datetime) -> bool:
    zone = line.meeting.timezone
    both = [meeting for meeting in (line.meeting, line.before) if meeting is not None]
    starts = [meeting.starts_at for meeting in both if meeting.starts_at is not None]
    days = [meeting.starts_on for meeting in both if meeting.starts_on is not None]
    is_over = max(starts) < now if starts else bool(days) and max(days) < now.date()
    return not is_over and slots.next_allowed(now, window, zone) <= now


def _wish(connection: Connection, line: LogLine, *, now: datetime) -> int | None:
    """The notice of one change, unless it is there or nobody would get it."""
    key = f"{line.item}@{line.seq}"
    meeting = line.item.partition(":")[2]
    is_moved = line.kind is LineKind.MEETING_CHANGED and line.meeting.status not in _OFF
    facts: dict[str, Any] = {
        "seq": line.seq,
        "items": [line.item, f"papers:{meeting}"],
        "is_moved": is_moved,
        # Each council of a joint meeting says it: a reader of both is told once.
        "keys": sorted(line.meeting.joint | {line.meeting.key}),
        "now": f"{line.meeting.status} {line.meeting.starts_at or line.meeting.starts_on}",
        "meeting": line.meeting.id,
        "council": line.council,
    }
    if notices.has_key(connection, RunKind.CANCELLED_MEETING, key):
        return None
    id_ = notices.add(connection, RunKind.CANCELLED_MEETING, key=key, facts=facts, now=now)
    if id_ is None or audiences.count(connection, notices.notice_by_id(connection, id_), as_of=now) > 0:
        return id_
    notices.forget(connection, id_)
    return None
