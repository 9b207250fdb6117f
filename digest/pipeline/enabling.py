"""Full support for a council that had little: what readers get of the time before, and who is told.

While support was limited, summaries were public but not mailed: the log has no line of them. Enabling
appends lines for those of the last days, so they come with the next letters, once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digest.model import LineKind, Support
from digest.pipeline import notices
from digest.pipeline.run import Works
from digest.store import audit, councils, desk, meetings, publications, summaries
from digest.store.database import LOCK_LOG
from digest.store.desk import SummaryLine
from digest.store.publications import NewLine


@dataclass(frozen=True, slots=True)
class Enabling:
    """What enabling a council does: ``readers`` get ``summaries`` next, ``waiting`` are told by a notice.

    ``drafts`` wait for approval all the same. ``is_done``: it had full support before.
    """

    council: str
    since: datetime
    summaries: tuple[SummaryLine, ...]
    readers: int
    waiting: int
    drafts: int
    is_done: bool


def rehearse(works: Works, slug: str, *, back: timedelta) -> Enabling:
    """Who would get what; nothing is changed. Raises: NotFoundError."""
    with works.database.read() as connection:
        found = _look(connection, slug, since=works.desk.clock() - back)
    return _with_waiting(works, found)


def enable(works: Works, slug: str, *, back: timedelta, actor: str) -> Enabling:
    """Give full support, say what was published within ``back``, and queue the notice to who waited.

    Twice is harmless: what has a line is not said again. Raises: NotFoundError.
    """
    now = works.desk.clock()
    with works.database.write(lock=LOCK_LOG) as connection:
        found = _look(connection, slug, since=now - back)
        if found.is_done:
            return found
        before = councils.council_by_slug(connection, slug)
        councils.set_council(connection, slug, {"support": Support.FULL})
        _append(connection, found, now=now)
        audit.note(
            connection,
            "council enabled",
            subject=f"council:{slug}",
            actor=actor,
            now=now,
            facts={
                "before": before.support.value,
                "after": Support.FULL.value,
                "back_days": back.days,
                "summaries": len(found.summaries),
            },
        )
    found = _with_waiting(works, found)
    notices.supported(works, slug)
    return found


def _look(connection: Connection, slug: str, *, since: datetime) -> Enabling:
    council = councils.council_by_slug(connection, slug)
    return Enabling(
        council=slug,
        since=since,
        summaries=tuple(_unsaid(connection, slug, since=since)),
        readers=desk.readers_of_council(connection, slug),
        waiting=0,
        drafts=len(desk.summaries_page(connection, state="draft", council=slug)),
        is_done=council.support is Support.FULL,
    )


def _unsaid(connection: Connection, slug: str, *, since: datetime) -> list[SummaryLine]:
    """One public summary of each meeting since then that the log does not know, the oldest first."""
    found: dict[int, SummaryLine] = {}
    page = 1
    while lines := desk.summaries_page(connection, state="published", council=slug, page=page):
        recent = [one for one in lines if one.starts_on >= since.date()]
        for one in recent:
            known = found.get(one.meeting_id)
            if known is None or (known.language != "en" and one.language == "en"):
                found[one.meeting_id] = one
        if len(recent) < len(lines):
            break
        page += 1
    unsaid = [
        one
        for one in found.values()
        if not publications.has_line(connection, summaries.item_of(one.meeting_id))
    ]
    return sorted(unsaid, key=lambda one: (one.starts_on, one.id))


def _append(connection: Connection, found: Enabling, *, now: datetime) -> None:
    council_id = councils.council_ids(connection)[found.council]
    for one in found.summaries:
        meeting = meetings.meeting_by_id(connection, one.meeting_id)
        if meeting is None:
            continue
        item = summaries.item_of(one.meeting_id)
        line = NewLine(LineKind.SUMMARY, item, one.version, council_id, meeting)
        seq = publications.append_line(connection, line, now=now)
        summaries.publish_version(connection, one.id, effective_seq=seq)


def _with_waiting(works: Works, found: Enabling) -> Enabling:
    return replace(found, waiting=notices.waiting_for(works, found.council))
