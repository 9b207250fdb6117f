"""Who gets a notice: runs take what is wished for, and each run is planned as digests are, set by set.

What a notice says is decided here too, from its kind, its facts and its reader's councils, language and
clock: equal words are one page, and one edition, however many get them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection

from digest import slots
from digest.errors import RenderError
from digest.model import Council, Page, Profile, RunKind, Schedule, Tier
from digest.pipeline import asking
from digest.render.notice import NoticeFacts
from digest.store import audiences as stored
from digest.store import councils, notices, profiles, publications, runs
from digest.store.audiences import Audience, Group
from digest.store.database import LOCK_PLAN, Database
from digest.store.notices import PERSONAL, Notice
from digest.store.runs import Run
from digest.store.spans import Range, span_of

NoticePrinter = Callable[[RunKind, NoticeFacts], Page]
"""A notice as a page. Raises: RenderError."""
Wording = Callable[[Profile, Schedule], NoticeFacts | None]
"""What a notice says to readers of a profile and schedule; None: nothing to them."""

# Notices to one person that one run takes: their pages are in memory together.
MOST_AT_ONCE = 1_000
# Subscribers of one planning transaction of a notice to many.
RANGE_SIZE = 50_000


@dataclass(frozen=True, slots=True)
class Notices:
    """What notices need of the installation besides what digests have."""

    printer: NoticePrinter
    suppression_key: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A notice ready to be counted or planned: whom it goes to, within which ids, in which words."""

    kind: RunKind
    audience: Audience
    spans: Sequence[Range]
    wording: Wording


# --- runs -------------------------------------------------------------------------------------------------


def open_waiting(database: Database, *, suppression_key: str, now: datetime) -> list[int]:
    """Make runs of the notices that may go, and of confirmations that a crash kept back; returns run ids.

    Twice, or by two processes at once, makes each once.
    """
    with database.read() as connection:
        if not notices.approved(connection, limit=1) and not notices.unasked(connection, limit=1):
            return []
    with database.write(lock=LOCK_PLAN) as connection:
        asking.ask_the_unasked(connection, suppression_key=suppression_key, now=now, most=MOST_AT_ONCE)
        found = notices.approved(connection, limit=MOST_AT_ONCE)
        personal = sorted((n for n in found if n.kind in PERSONAL), key=lambda n: (n.kind, n.id))
        opened = [
            _open(connection, _one_each(list(some)), now=now)
            for _, some in groupby(personal, lambda n: n.kind)
        ]
        return opened + [_open(connection, [n], now=now) for n in found if n.kind not in PERSONAL]


def _one_each(found: Sequence[Notice]) -> list[Notice]:
    """The first notice of each person: a run has one delivery a person, the next run takes the next."""
    return list({notice.subscriber_id: notice for notice in reversed(found)}.values())[::-1]


def _open(connection: Connection, taken: Sequence[Notice], *, now: datetime) -> int:
    first = taken[0]
    run = runs.open_run(
        connection,
        kind=first.kind,
        key=f"notices from {first.id}" if first.kind in PERSONAL else first.key,
        slot_at=now,
        upto_seq=publications.last_seq(connection),
        now=now,
    )
    notices.take(connection, [notice.id for notice in taken], run_id=run.id)
    return run.id


# --- planning ---------------------------------------------------------------------------------------------


def plan(
    database: Database,
    run: Run,
    *,
    printer: NoticePrinter,
    batch_size: int,
    now: datetime,
    each: Callable[[int], None] = lambda n: None,
) -> bool:
    """Write the deliveries of a notice's run; True once everybody has theirs. Twice changes nothing.

    A notice that cannot be rendered pauses its run with the reason. ``each`` is called with the number
    planned after every range.
    """
    if run.planned_at is not None:
        return True
    with database.read() as connection:
        notice = notices.notice_of_run(connection, run.id)
        planned = plan_of(connection, notice, run_id=run.id, as_of=run.as_of)
    pages: dict[NoticeFacts, Page] = {}
    try:
        for span in planned.spans:
            n = _plan_span(
                database, run.id, planned, span, pages, printer=printer, batch_size=batch_size, now=now
            )
            each(n)
    except RenderError as error:
        with database.write() as connection:
            runs.pause_run(connection, run.id, why=str(error))
        return False
    with database.write(lock=LOCK_PLAN) as connection:
        runs.mark_planned(connection, run.id, now=now)
        runs.mark_composed(connection, run.id, now=now)
    return True


def _plan_span(
    database: Database,
    run_id: int,
    planned: Plan,
    span: Range,
    pages: dict[NoticeFacts, Page],
    *,
    printer: NoticePrinter,
    batch_size: int,
    now: datetime,
) -> int:
    """Plan a range until nobody is left; words are rendered between two transactions."""
    n = 0
    while True:
        with database.write(lock=LOCK_PLAN) as connection:
            if not runs.may_plan(connection, run_id):
                return n
            found = stored.groups(connection, planned.audience, span, run_id=run_id)
            said = _said_to(connection, found, planned.wording)
            missing = {facts for facts in said.values() if facts not in pages}
            ready = {group: pages[facts] for group, facts in said.items() if facts in pages}
            written = stored.plan_groups(
                connection,
                planned.audience,
                span,
                ready,
                run_id=run_id,
                batch_size=batch_size,
                now=now,
            )
            n += written
        # Whose wishes changed between two statements is met in the next round.
        if not missing and not written:
            return n
        for facts in missing:
            pages[facts] = printer(planned.kind, facts)


def _said_to(connection: Connection, found: Sequence[Group], wording: Wording) -> dict[Group, NoticeFacts]:
    wishes = profiles.profiles_by_id(connection, {group.profile_id for group in found})
    schedules = profiles.schedules_by_id(connection) if found else {}
    said = {g: wording(wishes[g.profile_id], schedules[g.schedule_id]) for g in found}
    return {group: facts for group, facts in said.items() if facts is not None}


def count(connection: Connection, notice: Notice, *, as_of: datetime) -> int:
    """How many people a notice would reach now (of one that a run took: how many have no letter yet)."""
    run_id = notice.run_id or 0
    planned = plan_of(connection, notice, run_id=run_id, as_of=as_of)
    n = 0
    for span in planned.spans:
        found = stored.groups(connection, planned.audience, span, run_id=run_id)
        n += sum(group.size for group in _said_to(connection, found, planned.wording))
    return n


# --- whom, and in which words -----------------------------------------------------------------------------


def plan_of(connection: Connection, notice: Notice, *, run_id: int, as_of: datetime) -> Plan:
    """Whom a notice goes to, and what it says. Raises: NotFoundError for a council that is gone."""
    known = {council.slug: council for council in councils.all_councils(connection)}
    words = wording_of(connection, notice, known=known, as_of=as_of)
    if notice.kind in PERSONAL:
        span = notices.span_of_run(connection, run_id)
        return Plan(notice.kind, stored.of_run(notice.kind), [span] if span else [], words)
    audience = audience_of(connection, notice)
    reader = notice.facts.get("reader")
    spans = _spans(connection) if reader is None else [Range(reader, reader)]
    return Plan(notice.kind, audience, spans, words)


def audience_of(connection: Connection, notice: Notice) -> Audience:
    """The people of a notice to many: readers of its councils, or all; or who asked to be told at once."""
    if notice.kind is RunKind.CANCELLED_MEETING:
        others = notices.others_alike(connection, notice)
        return stored.told_of(notice.facts["items"], before_seq=notice.facts["seq"], others=others)
    ids = councils.council_ids(connection)
    wanted = [ids[slug] for slug in notice.facts.get("councils", ())]
    until = notice.created_at if notice.kind is RunKind.SUPPORTED else None
    return stored.everybody(notice.kind, council_ids=wanted, until=until)


def _spans(connection: Connection) -> list[Range]:
    whole = span_of(connection, "subscriber")
    if whole is None:
        return []
    firsts = range(whole.first, whole.last + 1, RANGE_SIZE)
    return [Range(first, min(first + RANGE_SIZE - 1, whole.last)) for first in firsts]


def wording_of(
    connection: Connection, notice: Notice, *, known: Mapping[str, Council], as_of: datetime
) -> Wording:
    """What the notice says to each of its readers."""
    shared = _shared_facts(connection, notice, known=known, as_of=as_of)
    tier = notice.facts.get("tier")

    def words(profile: Profile, schedule: Schedule) -> NoticeFacts | None:
        if tier is not None and profile.tier is not Tier(tier):
            return None
        if notice.kind is RunKind.SUPPORTED and _is_told(notice, profile):
            return None
        own = replace(shared, language=profile.language, format=profile.format, timezone=schedule.timezone)
        if notice.kind in (RunKind.CONFIRM, RunKind.WELCOME):
            own = replace(own, councils=tuple(known[slug] for slug in profile.councils if slug in known))
        if notice.kind is RunKind.WELCOME:
            own = replace(own, first_at=slots.next_slot(schedule, as_of))
        return own

    return words


def _is_told(notice: Notice, profile: Profile) -> bool:
    """Who has the council enabled was told then, and has not waited for its full support."""
    named = set(notice.facts["councils"])
    return "reader" not in notice.facts and bool(named) and named <= set(profile.enabled)


def facts_for(connection: Connection, notice: Notice, *, language: str, as_of: datetime) -> NoticeFacts:
    """What a notice to many says in a language, for previews."""
    known = {council.slug: council for council in councils.all_councils(connection)}
    return replace(_shared_facts(connection, notice, known=known, as_of=as_of), language=language)


def _shared_facts(
    connection: Connection, notice: Notice, *, known: Mapping[str, Council], as_of: datetime
) -> NoticeFacts:
    """What is the same for all readers of a notice."""
    told = notice.facts
    if notice.kind is RunKind.CANCELLED_MEETING:
        seq = int(told["seq"])
        (line,) = publications.lines_between(connection, from_seq=seq - 1, upto_seq=seq)
        before = line.before if told["is_moved"] else None
        return NoticeFacts(
            as_of, councils=(known[line.council],), meeting=line.meeting, why=line.why, before=before
        )
    of_councils = tuple(known[slug] for slug in told.get("councils", ()) if slug in known)
    return NoticeFacts(
        as_of,
        councils=of_councils if notice.kind is RunKind.SUPPORTED else (),
        title=told.get("title", ""),
        markdown=told.get("markdown", ""),
    )
