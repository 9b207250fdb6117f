"""The publication log: appended by one writer at a time, so the order of ``seq`` is the order of commits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Connection, bindparam, func, insert, select

from digest.model import LineKind, LineReaders, LogLine, Meeting
from digest.store.councils import councils_by_id, councils_named
from digest.store.summaries import languages_as_of
from digest.store.tables import CouncilRow, MeetingRow, PublicationRow, table_of
from digest.store.wire import meeting_from_dict, meeting_to_dict

_T = table_of(PublicationRow)
# How far back a meeting may since have been moved and still be looked up as it was then.
_MOVED_AT_MOST = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line to be appended: what may be mailed from now on."""

    kind: LineKind
    item: str
    version: int
    council_id: int
    meeting: Meeting
    before: Meeting | None = None
    why: str | None = None
    readers: LineReaders = LineReaders.ALL


def append_line(connection: Connection, line: NewLine, *, now: datetime) -> int:
    """Append one line and return its seq. The caller's transaction must hold ``LOCK_LOG``.

    Not for calling twice with one line: the callers decide, in the same transaction, whether it is due.
    """
    append_lines(connection, (line,), now=now)
    return last_seq(connection)


def append_lines(connection: Connection, lines: Sequence[NewLine], *, now: datetime) -> None:
    """Append lines in this order; otherwise as ``append_line``."""
    if not lines:
        return
    before = last_seq(connection)
    connection.execute(insert(_T), [_row(connection, line, now) for line in lines])
    # The first line of an item points to itself, under the number that it has just been given.
    earlier = _T.alias()
    first = select(func.min(earlier.c.seq)).where(earlier.c.item == _T.c.item).scalar_subquery()
    connection.execute(_T.update().where(_T.c.seq > before).values(first_seq=first))


def _row(connection: Connection, line: NewLine, now: datetime) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "meeting": meeting_to_dict(line.meeting),
        "before": meeting_to_dict(line.before) if line.before else None,
        "why": line.why,
    }
    if line.readers is not LineReaders.ALL:
        payload["readers"] = line.readers.value
    if line.readers is not LineReaders.ENABLED and line.item.startswith("summary:"):
        said = said_to(connection, line.item)
        if said.enabled:
            # 0: this line itself, whose number is not drawn yet.
            payload["others_first"] = said.others or 0
    return {
        "kind": line.kind.value,
        "item": line.item,
        "version": line.version,
        "council_id": line.council_id,
        "meeting_id": line.meeting.id,
        "published_at": now,
        "first_seq": 0,
        "payload": orjson.dumps(payload),
    }


@dataclass(frozen=True, slots=True)
class Said:
    """The first line of an item for each sort of reader: its seq, None when nothing was said to them.

    ``enabled`` only where the first line of all was for those who have the council enabled.
    """

    enabled: int | None
    others: int | None

    @property
    def is_said(self) -> bool:
        """Whether anything was ever said of it to anybody."""
        return self.enabled is not None or self.others is not None

    @property
    def only_enabled(self) -> bool:
        """Whether only who has the council enabled was told of it."""
        return self.enabled is not None and self.others is None


def said_to(connection: Connection, item: str) -> Said:
    """What was ever said of an item, to whom."""
    rows = connection.execute(select(_T.c.seq, _T.c.payload).where(_T.c.item == item).order_by(_T.c.seq))
    found = [(seq, _readers(orjson.loads(payload))) for seq, payload in rows]
    others = next((seq for seq, readers in found if readers is not LineReaders.ENABLED), None)
    is_first_theirs = bool(found) and found[0][1] is LineReaders.ENABLED
    return Said(found[0][0] if is_first_theirs else None, others)


def _readers(payload: dict[str, Any]) -> LineReaders:
    return LineReaders(payload.get("readers", LineReaders.ALL))


def told_of(connection: Connection, kind: LineKind, items: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """(council, newest line) of each council that has told of one of these items in a line of that kind."""
    if not items:
        return ()
    councils = table_of(CouncilRow)
    query = (
        select(councils.c.slug, func.max(_T.c.seq))
        .join(councils, councils.c.id == _T.c.council_id)
        .where(_T.c.item.in_(items), _T.c.kind == kind.value)
        .group_by(councils.c.slug)
        .order_by(councils.c.slug)
    )
    return tuple((slug, seq) for slug, seq in connection.execute(query))


def last_seq(connection: Connection) -> int:
    """The newest line's seq; 0 for an empty log."""
    return connection.scalar(select(func.max(_T.c.seq))) or 0


def last_correction(connection: Connection) -> int:
    """The newest line that changes what may be said of something said before; 0 when there is none."""
    kinds = (LineKind.CORRECTION.value, LineKind.WITHDRAWAL.value)
    return connection.scalar(select(func.max(_T.c.seq)).where(_T.c.kind.in_(kinds))) or 0


def last_seq_before(connection: Connection, instant: datetime) -> int:
    """The last line published before an instant; 0 when there is none."""
    return connection.scalar(select(func.max(_T.c.seq)).where(_T.c.published_at < instant)) or 0


def seqs_by_council(connection: Connection, *, from_seq: int, upto_seq: int) -> dict[int, list[int]]:
    """The seqs of a range in order, by council id: enough to raise an edition's ``from_seq``."""
    found: dict[int, list[int]] = {}
    query = (
        select(_T.c.council_id, _T.c.seq).where(_T.c.seq > from_seq, _T.c.seq <= upto_seq).order_by(_T.c.seq)
    )
    for council_id, seq in connection.execute(query):
        found.setdefault(council_id, []).append(seq)
    return found


def lines_between(
    connection: Connection,
    *,
    from_seq: int,
    upto_seq: int,
    content_seq: int | None = None,
    among: Collection[str] | None = None,
) -> tuple[LogLine, ...]:
    """The lines of (from_seq, upto_seq] in order (of these councils), summaries as of ``content_seq``.

    ``content_seq`` (default ``upto_seq``) is when the edition is composed: what was corrected by then is
    said as corrected. A summary withdrawn by then says nothing, but its withdrawal does.
    """
    content_seq = upto_seq if content_seq is None else content_seq
    query = select(_T).where(_T.c.seq > from_seq, _T.c.seq <= upto_seq).order_by(_T.c.seq)
    if among is not None:
        query = query.where(_T.c.council_id.in_(_ids(connection, among)))
    rows = connection.execute(query).all()
    return _lines(connection, rows, content_seq=content_seq)


def _ids(connection: Connection, slugs: Collection[str]) -> list[int]:
    return [id_ for id_, _ in councils_named(connection, slugs).values()]


def _lines(connection: Connection, rows: Sequence[Any], *, content_seq: int) -> tuple[LogLine, ...]:
    councils = councils_by_id(connection)
    payloads = [orjson.loads(row.payload) for row in rows]
    theirs = [_others_first(row.seq, payload) for row, payload in zip(rows, payloads, strict=True)]
    firsts = _published_at(connection, {row.first_seq for row in rows} | {s for s in theirs if s is not None})
    about = {row.meeting_id for row in rows if row.item.startswith("summary:")}
    texts = languages_as_of(connection, about, content_seq=content_seq)
    lines = []
    for row, found, others in zip(rows, payloads, theirs, strict=True):
        is_summary = row.item.startswith("summary:")
        summaries = texts.get(row.meeting_id, ()) if is_summary else ()
        if is_summary and not summaries and row.kind != LineKind.WITHDRAWAL:
            continue
        lines.append(
            LogLine(
                seq=row.seq,
                kind=LineKind(row.kind),
                item=row.item,
                version=row.version,
                council=councils[row.council_id].slug,
                published_at=row.published_at,
                meeting=meeting_from_dict(found["meeting"]),
                first_seq=row.first_seq,
                first_at=firsts[row.first_seq],
                before=meeting_from_dict(found["before"]) if found["before"] else None,
                summaries=summaries,
                why=found["why"],
                readers=_readers(found),
                others_first=None if others is None else (others, firsts[others]),
            )
        )
    return tuple(lines)


def _others_first(seq: int, payload: dict[str, Any]) -> int | None:
    found: int | None = payload.get("others_first")
    return seq if found == 0 else found


def _published_at(connection: Connection, seqs: Iterable[int]) -> dict[int, datetime]:
    found: dict[int, datetime] = {}
    wanted = sorted(seqs)
    query = select(_T.c.seq, _T.c.published_at).where(_T.c.seq.in_(bindparam("seqs", expanding=True)))
    for start in range(0, len(wanted), 500):
        rows = connection.execute(query, {"seqs": wanted[start : start + 500]})
        found |= {seq: at for seq, at in rows}
    return found


def meetings_as_of(
    connection: Connection, *, upto_seq: int, since: datetime, among: Collection[str] | None = None
) -> tuple[Meeting, ...]:
    """Meetings as the log knew them at ``upto_seq``, from their newest line, starting at or after ``since``.

    ``among``: only of these councils.

    This is the state that coming-up sections are made from: the same answer on resume as at first.
    """
    m = table_of(MeetingRow)
    of_each = (
        select(_T.c.meeting_id, func.max(_T.c.seq).label("seq"))
        .join(m, m.c.id == _T.c.meeting_id)
        .where(_T.c.seq <= upto_seq, _T.c.item.not_like("summary:%"))
        .where(m.c.starts_on >= (since - _MOVED_AT_MOST).date())
        .group_by(_T.c.meeting_id)
    )
    if among is not None:
        of_each = of_each.where(m.c.council_id.in_(_ids(connection, among)))
    newest = of_each.subquery()
    query = select(_T.c.payload).join(newest, newest.c.seq == _T.c.seq).order_by(_T.c.seq)
    meetings = (
        meeting_from_dict(orjson.loads(payload)["meeting"]) for (payload,) in connection.execute(query)
    )
    return tuple(meeting for meeting in meetings if _is_from(meeting, since))


def _is_from(meeting: Meeting, since: datetime) -> bool:
    if meeting.starts_at is not None:
        return meeting.starts_at >= since
    return (
        meeting.starts_on is not None
        and meeting.starts_on >= since.astimezone(ZoneInfo(meeting.timezone)).date()
    )
