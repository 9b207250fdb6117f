"""One reader's letter without sending it, and why it says what it says: the same path as a run's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import Connection

from digest import slots
from digest.compose.edition import edition_of
from digest.compose.explain import explain
from digest.compose.lines import LineIndex
from digest.compose.profile import profile_from_json, within
from digest.deliver.message import filled, letter_bytes
from digest.model import Outgoing, Page, Profile, RunKind, Schedule, SubscriberState
from digest.pipeline import compose, plan
from digest.pipeline.actions import recipients_of
from digest.pipeline.run import Works
from digest.store import deliveries, pages, publications, subscribers
from digest.store.subscribers import Subscriber


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as its reader would get it, links and greeting filled in; ``page`` has its tags still."""

    subject: str
    html: bytes | None
    text: bytes
    eml: bytes
    page: Page


@dataclass(frozen=True, slots=True)
class Explained:
    """One line of the log for one subscriber: in or out, why, and in which letter."""

    seq: int
    item: str
    kind: str
    council: str
    is_in: bool
    why: str
    letter: str


def letter_for(works: Works, *, address: str | None, wishes: str | None) -> Letter | None:
    """The digest that a subscriber, or anybody with these wishes, would get now; None: nothing to say.

    Between a slot and the next one it is what the slot's run said to them, if it did.
    Raises: NotFoundError for an unknown address, SubscriberError for impossible wishes.
    """
    with works.database.read() as connection:
        reader = subscribers.subscriber_by_address(connection, address) if address is not None else None
        page = _said_to(connection, works, reader) if reader else None
        if page is None:
            profile = reader.profile if reader else profile_from_json(wishes or "{}")
            start = reader.covered_seq if reader else _fresh_mark(connection, works)
            page = _Now(connection, works).page(profile, reader.schedule if reader else None, from_seq=start)
    return None if page is None else letter_of(works, page, reader)


def pages_of_all(works: Works) -> Iterator[tuple[str, Page]]:
    """Every page that an active reader would get now, each once, with the address of its first reader."""
    wishes: set[tuple[str, int, timedelta]] = set()
    seen: set[str] = set()
    with works.database.read() as connection:
        now = _Now(connection, works)
        for reader in subscribers.all_subscribers(connection):
            if reader.state is not SubscriberState.ACTIVE:
                continue
            page = _said_to(connection, works, reader)
            look_back = works.limits.reaching(reader.schedule).look_back
            key = (reader.profile.fingerprint, reader.covered_seq, look_back)
            if page is None and key not in wishes:
                wishes.add(key)
                page = now.page(reader.profile, reader.schedule, from_seq=reader.covered_seq)
            if page is not None and page.fingerprint not in seen:
                seen.add(page.fingerprint)
                yield reader.address, page


class _Now:
    """Letters as they would leave at this moment: the log is read once, however many profiles there are."""

    def __init__(self, connection: Connection, works: Works) -> None:
        self._connection = connection
        self._works = works
        self._upto = publications.last_seq(connection)
        self._facts = compose.facts_of(
            connection, upto_seq=self._upto, as_of=works.desk.clock(), limits=works.limits
        )
        self._index: tuple[int, LineIndex] | None = None

    def page(self, profile: Profile, schedule: Schedule | None, *, from_seq: int) -> Page | None:
        limits = self._works.limits.reaching(schedule)
        facts = replace(self._facts, from_seq=from_seq, look_back=limits.look_back)
        edition = edition_of(within(profile, limits.tiers), self._lines(from_seq), facts)
        return None if edition.is_empty else self._works.printer(edition)

    def _lines(self, from_seq: int) -> LineIndex:
        if self._index is None or from_seq < self._index[0]:
            lines = publications.lines_between(self._connection, from_seq=from_seq, upto_seq=self._upto)
            self._index = from_seq, LineIndex(lines)
        return self._index[1]


def _said_to(connection: Connection, works: Works, reader: Subscriber) -> Page | None:
    """The page that the run of the current slot made for them, if there is one."""
    slot_at = slots.latest_slot(reader.schedule, works.desk.clock())
    page_id = deliveries.page_of(connection, reader.id, slot_at=slot_at)
    return None if page_id is None else pages.page_by_id(connection, page_id)


def _fresh_mark(connection: Connection, works: Works) -> int:
    return plan.start_mark(
        connection,
        now=works.desk.clock(),
        timezone="Europe/London",
        back_days=works.rules.start_back_days,
    )


def letter_of(works: Works, page: Page, reader: Subscriber | None) -> Letter:
    """Filled with the reader's own address, but with links of a subscriber that does not exist (0)."""
    now = works.desk.clock()
    address, name = (reader.address, reader.name) if reader else ("reader@example.org", "")
    recipient = recipients_of(
        0,
        [(0, address, name)],
        signer=works.desk.signer,
        base_url=works.desk.publication.base_url,
        on=now.date(),
    )[0]
    outgoing = Outgoing(
        run_id=0,
        batch_id=0,
        kind=RunKind.DIGEST,
        page=page,
        view_url=f"{works.desk.publication.base_url}/view/preview",
        publication=works.desk.publication,
        recipients=(recipient,),
        sent_at=now,
    )
    shown = filled(outgoing, recipient)
    return Letter(
        subject=shown.subject,
        html=None if shown.html is None else shown.html.encode(),
        text=shown.text.encode(),
        eml=letter_bytes(outgoing, recipient),
        page=page,
    )


def explained(works: Works, address: str) -> list[Explained]:
    """A verdict on every line of the log since the subscriber's first letter (or start mark), oldest first.

    Raises: NotFoundError.
    """
    with works.database.read() as connection:
        reader = subscribers.subscriber_by_address(connection, address)
        upto = publications.last_seq(connection)
        ranges = deliveries.ranges_of(connection, reader.id)
        ranges.append(deliveries.RangeOf(None, None, reader.covered_seq, upto))
        found: list[Explained] = []
        for one in ranges:
            found += _explained(connection, works, reader, one)
    return found


def _next_of(reader: Subscriber) -> str:
    """Which letter says what no letter has said yet; there is none for who gets none."""
    if reader.state is SubscriberState.ACTIVE:
        return "the next one"
    if reader.state is SubscriberState.PAUSED:
        until = f" of {reader.paused_until}" if reader.paused_until else ""
        return f"the next one after the pause{until}"
    return f"none: {standing_of(reader)}"


def standing_of(reader: Subscriber) -> str:
    """How a reader stands, why and since when, as "suppressed (bounce, 2026-11-29)"."""
    if reader.state is SubscriberState.PENDING:
        return "pending, until they confirm"
    why = [reader.ended_reason] if reader.ended_reason else []
    since = [reader.ended_at.date().isoformat()] if reader.ended_at else []
    said = ", ".join([*why, *since])
    return f"{reader.state}{f' ({said})' if said else ''}"


def _explained(
    connection: Connection, works: Works, reader: Subscriber, one: deliveries.RangeOf
) -> list[Explained]:
    if one.from_seq >= one.upto_seq:
        return []
    limits = works.limits.reaching(reader.schedule)
    facts = compose.facts_of(connection, upto_seq=one.upto_seq, as_of=works.desk.clock(), limits=limits)
    lines = publications.lines_between(connection, from_seq=one.from_seq, upto_seq=one.upto_seq)
    verdicts = explain(within(reader.profile, limits.tiers), lines, replace(facts, from_seq=one.from_seq))
    letter = _next_of(reader) if one.run_id is None else f"run {one.run_id} ({one.ended or 'under way'})"
    return [
        Explained(v.seq, v.item, v.kind.value, v.council, v.is_in, v.why, letter if v.is_in else "")
        for v in verdicts
    ]
