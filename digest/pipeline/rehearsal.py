"""Who gets what if a run began now: planned, composed and printed as a run does it, and nothing written.

Enters: what is due at a moment. Leaves: the readers, the editions with how many each has, the empty ones
and why, the councils without news, and what lint finds. A moment ahead is rehearsed with the log as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digest import slots
from digest.compose.explain import explain
from digest.compose.profile import within
from digest.errors import RenderError
from digest.model import Edition, Profile, RunKind, RunState
from digest.pipeline import plan
from digest.pipeline.compose import Composing
from digest.pipeline.plan import Due
from digest.pipeline.run import Works
from digest.render.lint import Finding, lint
from digest.store import councils, deliveries, profiles, publications, runs, subscribers
from digest.store.deliveries import PlanOf
from digest.store.editions import ToCompose
from digest.store.runs import Run

_CHUNK = 500
_EXPLAINED = 20
"""Of so many empty editions, those with most readers, it is said why; the others' reasons are alike."""


@dataclass(frozen=True, slots=True)
class Part:
    """One edition of the run: whose wishes, from where, for how many readers.

    ``subject`` and ``findings`` only where it was printed; ``fault``: why it could not be. ``why`` it is
    empty, where that was looked at.
    """

    profile_id: int
    from_seq: int
    readers: int
    profile: Profile
    is_empty: bool
    subject: str = ""
    findings: tuple[Finding, ...] = ()
    is_linted: bool = False
    fault: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A run that was not begun. ``editions`` have words, ``empty`` readers would get no letter.

    ``unknown`` editions were left out by the bound: then the numbers are of the others. ``largest`` and
    ``empties`` by readers, most first. ``quiet_councils``: followed by somebody due, nothing new for them.
    ``pauses``: why the run would wait for approval.
    """

    due: Due
    at: datetime
    upto_seq: int
    readers: int
    editions: int
    empty: int
    unknown: int
    linted: int
    faults: int
    largest: tuple[Part, ...]
    empties: tuple[Part, ...]
    quiet_councils: tuple[str, ...]
    pauses: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a run is looked at: editions composed (None: all), and of those printed and linted."""

    most_composed: int | None = None
    most_linted: int = 200


def next_due(works: Works) -> tuple[datetime | None, list[Due]]:
    """When something is due next in the hours of sending, now or later, and what; None: nobody waits."""
    now, window = works.desk.clock(), works.rules.send_between
    if due := plan.due_now(works.database, now=now, rules=works.rules):
        return now, due
    with works.database.read() as connection:
        known = profiles.schedules_by_id(connection)
        active = subscribers.active_schedules(connection)
    moments = []
    for id_, earliest in active.items():
        slot = slots.next_slot(known[id_], max(now, earliest - timedelta(microseconds=1)))
        moments.append(slots.next_allowed(slot, window, known[id_].timezone))
    at = min(moments, default=None)
    return at, [] if at is None else plan.due_now(works.database, now=at, rules=works.rules)


def rehearse(
    works: Works, due: Iterable[Due], *, at: datetime, bounds: Bounds, max_bytes: int
) -> list[Rehearsal]:
    """Each run that would be opened at that moment (of ``plan.due_now``), in that order; writes nothing."""
    with works.database.read() as connection:
        return [_Stage(connection, works, one, at=at).rehearsal(bounds, max_bytes=max_bytes) for one in due]


class _Stage:
    """One run that is due, in one read transaction."""

    def __init__(self, connection: Connection, works: Works, due: Due, *, at: datetime) -> None:
        self._connection, self._works, self._due, self._at = connection, works, due, at
        upto = publications.last_seq(connection)
        self._run = Run(
            id=0,
            kind=RunKind.DIGEST,
            key="",
            schedule_id=due.schedule_id,
            slot_at=due.slot_at,
            upto_seq=upto,
            as_of=at,
            state=RunState.PLANNING,
            why=None,
            created_at=at,
            planned_at=None,
            composed_at=None,
            completed_at=None,
        )
        self._composing = Composing(self._run, works.limits)
        self._composing.content_seq = upto

    def rehearsal(self, bounds: Bounds, *, max_bytes: int) -> Rehearsal:
        plan_of = PlanOf(0, self._due.schedule_id, self._due.slot_at, self._run.upto_seq, 1)
        groups = deliveries.groups_due(self._connection, plan_of)
        sizes = self._sizes(groups)
        chosen = sorted(sizes, key=lambda pair: (-sizes[pair], pair))[: bounds.most_composed]
        full, empty = self._parts(chosen, sizes, most_linted=bounds.most_linted, max_bytes=max_bytes)
        return Rehearsal(
            due=self._due,
            at=self._at,
            upto_seq=self._run.upto_seq,
            readers=sum(sizes.values()),
            editions=len(full),
            empty=sum(one.readers for one in empty),
            unknown=len(sizes) - len(chosen),
            linted=sum(one.is_linted for one in full),
            faults=sum(bool(one.fault) for one in full),
            largest=tuple(full[: bounds.most_linted]),
            empties=tuple(self._explained(one) for one in empty[:_EXPLAINED]),
            quiet_councils=self._quiet(groups),
            pauses=self._pauses(sum(sizes.values())),
        )

    def _sizes(self, groups: list[tuple[int, int, int]]) -> Counter[tuple[int, int]]:
        """Readers of each edition, (profile, from_seq), as planning would make them."""
        sizes: Counter[tuple[int, int]] = Counter()
        if groups:
            raised = plan.Raised(self._run.upto_seq).using(self._connection)
            begins = raised([(profile, mark) for profile, mark, _ in groups])
            for profile, mark, n in groups:
                sizes[profile, begins[profile, mark]] += n
        return sizes

    def _parts(
        self,
        chosen: list[tuple[int, int]],
        sizes: Counter[tuple[int, int]],
        *,
        most_linted: int,
        max_bytes: int,
    ) -> tuple[list[Part], list[Part]]:
        full: list[Part] = []
        empty: list[Part] = []
        if chosen:  # the earliest beginning first: it reads the log once for all
            profile, from_seq = min(chosen, key=lambda pair: pair[1])
            self._edition(profile, from_seq, profiles.profiles_by_id(self._connection, [profile])[profile])
        for start in range(0, len(chosen), _CHUNK):
            chunk = chosen[start : start + _CHUNK]
            wishes = profiles.profiles_by_id(self._connection, {profile for profile, _ in chunk})
            for profile, from_seq in chunk:
                edition = self._edition(profile, from_seq, wishes[profile])
                readers = sizes[profile, from_seq]
                part = Part(profile, from_seq, readers, wishes[profile], edition.is_empty)
                if edition.is_empty:
                    empty.append(part)
                else:
                    is_printed = len(full) < most_linted
                    full.append(self._printed(part, edition, max_bytes=max_bytes) if is_printed else part)
        return full, empty

    def _edition(self, profile: int, from_seq: int, wishes: Profile) -> Edition:
        return self._composing.edition(self._connection, ToCompose(0, 0, profile, from_seq), wishes)

    def _printed(self, part: Part, edition: Edition, *, max_bytes: int) -> Part:
        try:
            page = self._works.printer(edition)
        except RenderError as error:
            return replace(part, fault=str(error), is_linted=True)
        findings = lint(page, max_bytes=max_bytes)
        return replace(part, subject=page.subject, findings=findings, is_linted=True)

    def _explained(self, part: Part) -> Part:
        """Why an edition says nothing: nothing is new, or what spoke against what is."""
        if part.from_seq >= self._run.upto_seq:
            return replace(part, why="nothing new from its councils")
        lines = self._composing.lines(
            self._connection, ToCompose(0, 0, part.profile_id, part.from_seq)
        ).every()
        followed = set(part.profile.councils)
        own = [line for line in lines if line.council in followed and line.seq > part.from_seq]
        facts = replace(self._composing.facts(self._connection), from_seq=part.from_seq)
        verdicts = explain(within(part.profile, self._works.limits.tiers), own, facts)
        ((why, n),) = Counter(one.why for one in verdicts).most_common(1) or [("withdrawn meanwhile", 0)]
        return replace(part, why=f"{n} of {len(own)} lines: {why}")

    def _quiet(self, groups: list[tuple[int, int, int]]) -> tuple[str, ...]:
        """Councils that somebody due follows, without a line newer than anybody's mark."""
        of_profile = profiles.councils_of_profiles(self._connection, {profile for profile, _, _ in groups})
        lowest: dict[int, int] = {}
        for profile, mark, _ in groups:
            for council in of_profile.get(profile, ()):
                lowest[council] = min(mark, lowest.get(council, mark))
        seqs = publications.seqs_by_council(
            self._connection, from_seq=min(lowest.values(), default=0), upto_seq=self._run.upto_seq
        )
        names = councils.councils_by_id(self._connection)
        quiet = [names[id_].slug for id_, mark in lowest.items() if not _is_after(seqs.get(id_), mark)]
        return tuple(sorted(quiet))

    def _pauses(self, readers: int) -> str:
        growth, last = self._works.growth, runs.last_due(self._connection, self._run)
        if growth is None or last is None or not growth.is_exceeded(readers, last=last):
            return ""
        return f"{readers} readers are due and were {last} last time"


def _is_after(seqs: list[int] | None, mark: int) -> bool:
    return bool(seqs) and seqs is not None and seqs[-1] > mark
