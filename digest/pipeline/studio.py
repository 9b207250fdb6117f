"""Any letter of any week, with all that the studio shows beside it: the same path as a real run.

A past letter is the page that its run stored, if it stored one; else it is composed of that run's own range
(``from_seq``, ``upto_seq``) as of its own moment. A made-up reader starts where a new subscriber would.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from digest import slots
from digest.compose.explain import Verdict, explain
from digest.compose.profile import profile_from_json
from digest.errors import NotFoundError
from digest.model import Ended, HandedOver, Outcome, Outgoing, Page, Profile, RunKind, Schedule
from digest.pipeline import compose, plan, preview
from digest.pipeline.actions import recipients_of
from digest.pipeline.preview import Letter
from digest.pipeline.run import Works
from digest.pipeline.safety import AllowList
from digest.render.lint import Finding, lint
from digest.store import councils, deliveries, pages, profiles, publications, runs, subscribers
from digest.store.deliveries import RangeOf
from digest.store.subscribers import Subscriber


@dataclass(frozen=True, slots=True)
class Week:
    """A letter that a subscriber was due: its run, when, and how it ended (None: under way)."""

    run_id: int
    slot_at: datetime
    ended: Ended | None


@dataclass(frozen=True, slots=True)
class Shown:
    """One letter and why it is so. ``letter`` None: nothing was to be said. ``is_stored``: a run made it."""

    profile: Profile
    letter: Letter | None
    findings: tuple[Finding, ...]
    verdicts: tuple[Verdict, ...]
    as_of: datetime
    from_seq: int
    upto_seq: int
    is_stored: bool


@dataclass(frozen=True, slots=True)
class _Span:
    """What is to be said: a range of the log, as of a moment, and the page where a run stored it."""

    as_of: datetime
    from_seq: int
    upto_seq: int
    page: Page | None = None


def weeks_of(works: Works, address: str, *, most: int = 60) -> list[Week]:
    """The digests that a subscriber was due, newest first. Raises: NotFoundError."""
    with works.database.read() as connection:
        reader = subscribers.subscriber_by_address(connection, address)
        ranges = deliveries.ranges_of(connection, reader.id)[-most:]
        return [
            Week(one.run_id, runs.run_by_id(connection, one.run_id).slot_at, one.ended)
            for one in reversed(ranges)
            if one.run_id is not None
        ]


def letter_of_subscriber(
    works: Works,
    address: str,
    *,
    run_id: int | None = None,
    at: datetime | None = None,
    is_anew: bool = False,
    max_bytes: int,
) -> Shown:
    """What a subscriber got in a run, or would get now or at another moment.

    ``is_anew``: composed again from the same range with today's templates, though a run stored its page.

    Raises: NotFoundError for an unknown subscriber, run, or one whose run did not hold them.
    """
    with works.database.read() as connection:
        reader = subscribers.subscriber_by_address(connection, address)
        if run_id is not None:
            span = _of_run(connection, reader, run_id)
        else:
            span = _of_moment(connection, works, reader, at or works.desk.clock())
        if is_anew:
            span = replace(span, page=None)
        return _shown(connection, works, reader.profile, span, reader, max_bytes=max_bytes)


def letter_of_wishes(works: Works, wishes: str, *, at: datetime | None = None, max_bytes: int) -> Shown:
    """What a new reader with these wishes (JSON, see ``profile_to_json``) would get.

    Raises: SubscriberError for impossible wishes, NotFoundError for an unknown council.
    """
    profile = profile_from_json(wishes)
    moment = at or works.desk.clock()
    with works.database.read() as connection:
        for slug in profile.councils:
            councils.council_by_slug(connection, slug)
        start = plan.start_mark(
            connection, now=moment, timezone="Europe/London", back_days=works.rules.start_back_days
        )
        span = _Span(moment, start, _upto(connection, works, moment))
        return _shown(connection, works, profile, span, None, max_bytes=max_bytes)


def letter_of_edition(
    works: Works,
    profile_id: int,
    *,
    from_seq: int,
    schedule_id: int | None = None,
    at: datetime | None = None,
    max_bytes: int,
) -> Shown:
    """What a run at that moment would say to these stored wishes from that line on: one of its editions.

    Raises: NotFoundError for unknown wishes or an unknown schedule.
    """
    moment = at or works.desk.clock()
    with works.database.read() as connection:
        profile = profiles.profiles_by_id(connection, [profile_id]).get(profile_id)
        if profile is None:
            raise NotFoundError(f"there are no wishes {profile_id}: look at the next run again")
        schedule = profiles.schedules_by_id(connection).get(schedule_id or 0)
        span = _Span(moment, from_seq, _upto(connection, works, moment))
        return _shown(connection, works, profile, span, None, max_bytes=max_bytes, schedule=schedule)


@dataclass(frozen=True, slots=True)
class TriedLetter:
    """What became of a test letter, and the same as a sentence."""

    is_sent: bool
    said: str


def may_be_tried(to: str, allow_list: Iterable[str]) -> str:
    """Why no test letter may go to that address; "" where it may."""
    if to and to in AllowList(allow_list):
        return ""
    return f"Not sent: {to or 'the address'} is not on safety.allow_list in digest.toml."


def send_test(works: Works, page: Page, *, to: str, allow_list: Iterable[str]) -> TriedLetter:
    """Hand one letter to one address of the allow-list, marked as a test; it moves no mark and is in no run.

    Its links are of nobody (subscriber 0).
    """
    if why := may_be_tried(to, allow_list):
        return TriedLetter(False, why)
    outcome = _sent(works, page, to)
    if isinstance(outcome, HandedOver) and not outcome.bad:
        where = "written to the outbox" if works.desk.sender.name == "outbox" else "handed over"
        return TriedLetter(True, f"A test letter to {to} was {where}.")
    why = getattr(outcome, "why", "") or ", ".join(getattr(outcome, "bad", {}).values())
    return TriedLetter(False, f"Not sent: {why}.")


def _sent(works: Works, page: Page, to: str) -> Outcome:
    now = works.desk.clock()
    recipient = recipients_of(
        0, [(0, to, "")], signer=works.desk.signer, base_url=works.desk.publication.base_url, on=now.date()
    )[0]
    return works.desk.sender.send(
        Outgoing(
            run_id=0,
            batch_id=0,
            kind=RunKind.DIGEST,
            page=replace(page, subject=f"[test] {page.subject}"),
            view_url=f"{works.desk.publication.base_url}/view/preview",
            publication=works.desk.publication,
            recipients=(recipient,),
            sent_at=now,
        )
    )


def _of_run(connection: Connection, reader: Subscriber, run_id: int) -> _Span:
    run = runs.run_by_id(connection, run_id)
    found = next((one for one in deliveries.ranges_of(connection, reader.id) if one.run_id == run_id), None)
    if found is None:
        # Given back, or never theirs: then it is what the run would have said to them.
        start = max(_marks_before(connection, reader, run.upto_seq), default=0)
        return _Span(run.as_of, start, run.upto_seq)
    page_id = deliveries.page_of(connection, reader.id, slot_at=run.slot_at)
    page = None if page_id is None else pages.page_by_id(connection, page_id)
    return _Span(run.as_of, found.from_seq, found.upto_seq, page)


def _of_moment(connection: Connection, works: Works, reader: Subscriber, moment: datetime) -> _Span:
    """Between a slot and the next one it is what the slot's run said; else all since the last letter."""
    ranges = deliveries.ranges_of(connection, reader.id)
    slot_at = slots.latest_slot(reader.schedule, moment)
    for one in ranges:
        if one.run_id is not None and runs.run_by_id(connection, one.run_id).slot_at == slot_at:
            return _of_run(connection, reader, one.run_id)
    upto = _upto(connection, works, moment)
    if reader.covered_seq <= upto:
        return _Span(moment, reader.covered_seq, upto)
    return _Span(moment, max(_marks_before(connection, reader, upto), default=0), upto)


def _marks_before(connection: Connection, reader: Subscriber, seq: int) -> list[int]:
    """Where the reader's letters up to a line of the log ended, and where the first began."""
    ranges: list[RangeOf] = deliveries.ranges_of(connection, reader.id)
    marks = [one.upto_seq for one in ranges if one.upto_seq <= seq]
    return marks or [one.from_seq for one in ranges[:1] if one.from_seq <= seq]


def _upto(connection: Connection, works: Works, moment: datetime) -> int:
    if moment >= works.desk.clock():
        return publications.last_seq(connection)
    return publications.last_seq_before(connection, moment)


def _shown(
    connection: Connection,
    works: Works,
    profile: Profile,
    span: _Span,
    reader: Subscriber | None,
    *,
    max_bytes: int,
    schedule: Schedule | None = None,
) -> Shown:
    limits = works.limits.reaching(reader.schedule if reader else schedule)
    material = compose.material_of(
        connection, profile, from_seq=span.from_seq, upto_seq=span.upto_seq, as_of=span.as_of, limits=limits
    )
    page = span.page
    if page is None:
        edition = material.edition()
        page = None if edition.is_empty else works.printer(edition)
    return Shown(
        profile=profile,
        letter=None if page is None else preview.letter_of(works, page, reader),
        findings=() if page is None else lint(page, max_bytes=max_bytes),
        verdicts=explain(material.profile, material.lines, material.facts),
        as_of=span.as_of,
        from_seq=span.from_seq,
        upto_seq=span.upto_seq,
        is_stored=span.page is not None,
    )
