"""Full support for a council that had little, or its summaries for one professional.

While support is limited, summaries are public but not mailed: the log has no line of them. Enabling appends
lines for those of the last days, so they come with the next letters, once. For one professional the lines
concern only who has the council enabled; full support later tells them to the others (ADR 0013).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digest.errors import ConflictError
from digest.model import LineKind, LineReaders, SubscriberState, Support, Tier
from digest.pipeline import notices
from digest.pipeline.run import Works
from digest.store import audit, councils, desk, meetings, publications, subscribers, summaries
from digest.store.database import LOCK_LOG, Database
from digest.store.desk import SummaryLine
from digest.store.publications import NewLine, Said
from digest.store.subscribers import Subscriber

ENABLED_FOR_ONE, DISABLED_FOR_ONE = "council enabled for one", "council disabled for one"


@dataclass(frozen=True, slots=True)
class Enabling:
    """What enabling a council does: ``readers`` get ``summaries`` next, ``waiting`` are told by a notice.

    ``drafts`` wait for approval all the same. ``is_done``: it was so before. ``said``: so many summaries of
    that time were mailed already to others who have it enabled, and are not mailed again.
    """

    council: str
    since: datetime
    summaries: tuple[SummaryLine, ...]
    readers: int
    waiting: int
    drafts: int
    is_done: bool
    said: int = 0


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
        notices.add_supported(connection, slug, now=now)
    return _with_waiting(works, found)


def rehearse_one(works: Works, slug: str, address: str, *, back: timedelta) -> Enabling:
    """What this professional would get; nothing is changed. Raises: as ``enable_one``."""
    with works.database.read() as connection:
        return _look_one(connection, slug, address, since=works.desk.clock() - back)[1]


def enable_one(works: Works, slug: str, address: str, *, back: timedelta, actor: str) -> Enabling:
    """Mail a limited council's summaries to one professional, and tell them so. Twice is harmless.

    Raises: NotFoundError; ConflictError when they are no professional, do not follow the council, or it is
    not limited.
    """
    now = works.desk.clock()
    with works.database.write(lock=LOCK_LOG) as connection:
        reader, found = _look_one(connection, slug, address, since=now - back)
        if found.is_done:
            return found
        subscribers.set_enabled(
            connection, reader.id, reader.profile, enabled={*reader.profile.enabled, slug}
        )
        _append(connection, found, now=now, readers=LineReaders.ENABLED)
        facts = {"subscriber": reader.id, "back_days": back.days, "summaries": len(found.summaries)}
        audit.note(connection, ENABLED_FOR_ONE, subject=f"council:{slug}", actor=actor, now=now, facts=facts)
        notices.add_supported(connection, slug, reader=reader.id, now=now)
    return found


def disable_one(database: Database, slug: str, address: str, *, actor: str, now: datetime) -> bool:
    """Take that back: with limited support its summaries are not mailed to them any more. False if it was so.

    Raises: NotFoundError.
    """
    with database.write(lock=LOCK_LOG) as connection:
        councils.council_by_slug(connection, slug)
        reader = subscribers.subscriber_by_address(connection, address)
        if slug not in reader.profile.enabled:
            return False
        rest = set(reader.profile.enabled) - {slug}
        subscribers.set_enabled(connection, reader.id, reader.profile, enabled=rest)
        facts = {"subscriber": reader.id}
        audit.note(connection, DISABLED_FOR_ONE, subject=f"council:{slug}", actor=actor, now=now, facts=facts)
        return True


def _look_one(
    connection: Connection, slug: str, address: str, *, since: datetime
) -> tuple[Subscriber, Enabling]:
    council = councils.council_by_slug(connection, slug)
    reader = subscribers.subscriber_by_address(connection, address)
    if reader.profile.tier is not Tier.PROFESSIONAL:
        raise ConflictError(
            f"{address} is no professional: give them that tier first, or enable {slug} for all"
        )
    if slug not in reader.profile.councils:
        raise ConflictError(f"{address} does not follow {slug}: they choose their councils, then enable it")
    if council.support is not Support.LIMITED:
        raise ConflictError(
            f"{slug} has {council.support} support: only a limited one is enabled for one reader"
        )
    is_done = slug in reader.profile.enabled
    public = _public(connection, slug, since=since)
    unsaid = [one for one in public if not _said(connection, one).is_said]
    is_waiting = reader.state is SubscriberState.ACTIVE and not is_done
    return reader, Enabling(
        council=slug,
        since=since,
        summaries=() if is_done else tuple(unsaid),
        readers=int(reader.state is SubscriberState.ACTIVE),
        waiting=int(is_waiting),
        drafts=len(desk.summaries_page(connection, state="draft", council=slug)),
        is_done=is_done,
        said=len(public) - len(unsaid),
    )


def _look(connection: Connection, slug: str, *, since: datetime) -> Enabling:
    council = councils.council_by_slug(connection, slug)
    public = _public(connection, slug, since=since)
    return Enabling(
        council=slug,
        since=since,
        summaries=tuple(one for one in public if _said(connection, one).others is None),
        readers=desk.readers_of_council(connection, slug),
        waiting=0,
        drafts=len(desk.summaries_page(connection, state="draft", council=slug)),
        is_done=council.support is Support.FULL,
    )


def _public(connection: Connection, slug: str, *, since: datetime) -> list[SummaryLine]:
    """One public summary of each meeting since then, the oldest first."""
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
    return sorted(found.values(), key=lambda one: (one.starts_on, one.id))


def _said(connection: Connection, line: SummaryLine) -> Said:
    return publications.said_to(connection, summaries.item_of(line.meeting_id))


def _append(
    connection: Connection, found: Enabling, *, now: datetime, readers: LineReaders | None = None
) -> None:
    council_id = councils.council_ids(connection)[found.council]
    for one in found.summaries:
        meeting = meetings.meeting_by_id(connection, one.meeting_id)
        if meeting is None:
            continue
        item = summaries.item_of(one.meeting_id)
        is_said = publications.said_to(connection, item).is_said
        who = readers or (LineReaders.OTHERS if is_said else LineReaders.ALL)
        line = NewLine(LineKind.SUMMARY, item, one.version, council_id, meeting, readers=who)
        seq = publications.append_line(connection, line, now=now)
        summaries.publish_version(connection, one.id, effective_seq=seq)


def _with_waiting(works: Works, found: Enabling) -> Enabling:
    return replace(found, waiting=notices.waiting_for(works, found.council))
