"""Editions get their words: the log of a range, the wishes, the state at ``as_of`` -> a stored page.

An edition once composed stays, also on resume. Two processes composing one run share the work by
compare-and-set on each edition; what both made is equal, because composing is a pure function.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from digest import slots
from digest.compose.edition import Facts, edition_of
from digest.compose.editions import Editions
from digest.compose.lines import LineIndex
from digest.compose.profile import Limits as TierLimits
from digest.compose.profile import within
from digest.errors import RenderError
from digest.model import Edition, Page, Profile, Schedule, Support, Tier
from digest.store import councils, editions, feeds, profiles, publications, runs
from digest.store.database import LOCK_LOG, Database
from digest.store.editions import Composed, Item, ToCompose
from digest.store.runs import Run

# Editions of one transaction; their pages are rendered outside it. With a hundred, statements took as long as
# the rest where each reader has an edition of their own (PostgreSQL); a page has up to 80 kB in each part.
CHUNK = 300


@dataclass(frozen=True, slots=True)
class Limits:
    """What settings say of an edition's size and reach, and of what readers of a tier may have."""

    horizon: timedelta
    look_back: timedelta
    full_items: int
    max_items: int
    silent_after: timedelta
    tiers: Mapping[Tier, TierLimits] = field(default_factory=dict)

    def reaching(self, schedule: Schedule | None) -> Limits:
        """The same with a ``look_back`` of one and a half cadences at least.

        A monthly reader's ordinary letter reaches back further than ``look_back`` after a pause.
        """
        if schedule is None:
            return self
        return replace(self, look_back=max(self.look_back, 3 * slots.late_limit(schedule)))


class Printer(Protocol):
    """Turns an edition into a page (``render.page.render_page`` with a compiled skeleton)."""

    def __call__(self, edition: Edition) -> Page:
        """Raises: RenderError."""


def compose(
    database: Database,
    run: Run,
    *,
    printer: Printer,
    limits: Limits,
    now: datetime,
    each: Callable[[int], None] = lambda n: None,
    part: int = 0,
    parts: int = 1,
) -> bool:
    """Compose every edition of a run that waits for its words; True once none is left.

    An edition that cannot be rendered pauses the run with the reason; the others are still composed.
    ``part`` of ``parts``: every so-manieth edition only, the others are other processes'.
    """
    desk = Composing(run, limits)
    failed: list[str] = []
    while True:
        with database.read() as connection:
            desk.content_seq = publications.last_seq(connection)
            todo = editions.editions_to_compose(
                connection, run.id, limit=CHUNK, after=desk.last_id, part=part, parts=parts
            )
            wishes = profiles.profiles_by_id(connection, {one.profile_id for one in todo})
            made = [(one, desk.edition(connection, one, wishes[one.profile_id])) for one in todo]
        if not todo:
            break
        if _keep(database, made, desk.content_seq, printer=printer, failed=failed, now=now):
            desk.last_id = todo[-1].id
            each(len(todo))
    return _finish(database, run, failed, now=now)


def _keep(
    database: Database,
    made: list[tuple[ToCompose, Edition]],
    content_seq: int,
    *,
    printer: Printer,
    failed: list[str],
    now: datetime,
) -> bool:
    """Store what was composed; False when a correction came meanwhile, which it would not hold."""
    composed: list[Composed] = []
    items: dict[object, tuple[Item, ...]] = {}  # by news: one tuple for all editions that are told the same
    for one, edition in made:
        try:
            page = None if edition.is_empty else printer(edition)
        except RenderError as error:
            failed.append(f"edition {one.id}: {error}")
            continue
        news = edition.news or id(edition)
        if news not in items:
            items[news] = tuple(_items(edition))
        composed.append(Composed(one.id, page, items[news]))
    with database.write(lock=LOCK_LOG) as connection:
        if publications.last_correction(connection) > content_seq:
            return False
        editions.keep_editions(connection, composed, content_seq=content_seq, now=now)
    return True


def _items(edition: Edition) -> list[Item]:
    named = {
        item: Item(item, entry.version)
        for entry in edition.entries
        if entry.seqs
        for item in (entry.item, *entry.also)
    }
    counted = {
        item: Item(item, 0, is_folded=True)
        for fold in edition.folded
        for item in (*fold.items, *fold.also)
        if item not in named
    }
    return [*named.values(), *counted.values()]


def _finish(database: Database, run: Run, failed: list[str], *, now: datetime) -> bool:
    with database.write() as connection:
        if failed:
            runs.pause_run(connection, run.id, why=failed[0])
            return False
        # Who adds an edition reopens the composing in the same transaction: before this look, or after it.
        current = runs.held_run(connection, run.id)
        if current.planned_at is None or editions.editions_to_compose(connection, run.id, limit=1):
            return False
        runs.mark_composed(connection, run.id, now=now)
        return True


class Composing:
    """What all editions of a run share: the log once, the facts once, profiles as they come.

    ``content_seq`` is to be set to the end of the log before the first edition.
    """

    def __init__(self, run: Run, limits: Limits) -> None:
        self._run = run
        self._limits = limits
        self._held: tuple[int, Editions] | None = None
        self._held_seq = -1
        self.content_seq = 0
        self._facts: Facts | None = None
        self.last_id = 0

    def edition(self, connection: Connection, one: ToCompose, profile: Profile) -> Edition:
        """What one edition says. An earlier beginning than any before it reads the log again."""
        wishes = within(profile, self._limits.tiers)
        return self._editions(connection, one).edition(wishes, from_seq=one.from_seq)

    def lines(self, connection: Connection, one: ToCompose) -> LineIndex:
        """The lines from this edition's beginning or an earlier one's; an older range loads again."""
        return self._editions(connection, one).lines

    def _editions(self, connection: Connection, one: ToCompose) -> Editions:
        held = self._held if self._held_seq == self.content_seq else None
        if held is None or one.from_seq < held[0]:
            lines = publications.lines_between(
                connection, from_seq=one.from_seq, upto_seq=self._run.upto_seq, content_seq=self.content_seq
            )
            held = (one.from_seq, Editions(LineIndex(lines), self.facts(connection)))
            self._held, self._held_seq = held, self.content_seq
        return held[1]

    def facts(self, connection: Connection) -> Facts:
        """What all editions have in common, but for ``from_seq``."""
        if self._facts is None:
            limits = self._limits
            if self._run.schedule_id is not None:
                limits = limits.reaching(profiles.schedules_by_id(connection)[self._run.schedule_id])
            self._facts = facts_of(
                connection, upto_seq=self._run.upto_seq, as_of=self._run.as_of, limits=limits
            )
        return self._facts


def facts_of(
    connection: Connection,
    *,
    upto_seq: int,
    as_of: datetime,
    limits: Limits,
    among: Collection[str] | None = None,
) -> Facts:
    """What editions of one run have in common; ``from_seq`` 0 is for the caller to replace.

    ``among``: only what concerns these councils, for a letter of one profile.
    """
    known = {council.slug: council for council in councils.all_councils(connection)}
    told = [council.slug for council in known.values() if council.support is Support.LIMITED]
    return Facts(
        from_seq=0,
        upto_seq=upto_seq,
        as_of=as_of,
        councils=known,
        upcoming=publications.meetings_as_of(connection, upto_seq=upto_seq, since=as_of, among=among),
        waiting=councils.waiting_counts(
            connection, among=told if among is None else [slug for slug in told if slug in among]
        ),
        silences=feeds.silences(connection, before=as_of - limits.silent_after),
        horizon=limits.horizon,
        look_back=limits.look_back,
        full_items=limits.full_items,
        max_items=limits.max_items,
    )


@dataclass(frozen=True, slots=True)
class Material:
    """What one profile's letter of a range is made of: its own wishes, as its tier may have them."""

    profile: Profile
    lines: LineIndex
    facts: Facts

    def edition(self) -> Edition:
        """The letter's content, by the same path as a run's."""
        return edition_of(self.profile, self.lines, self.facts)


def material_of(
    connection: Connection, profile: Profile, *, from_seq: int, upto_seq: int, as_of: datetime, limits: Limits
) -> Material:
    """Everything for one letter of any range, for previews; only what its councils have is read.

    ``limits`` as ``reaching`` the reader's schedule, where there is one.
    """
    among = profile.councils
    facts = facts_of(connection, upto_seq=upto_seq, as_of=as_of, limits=limits, among=among)
    lines = publications.lines_between(connection, from_seq=from_seq, upto_seq=upto_seq, among=among)
    return Material(within(profile, limits.tiers), LineIndex(lines), replace(facts, from_seq=from_seq))
