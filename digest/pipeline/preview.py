"""One reader's letter without sending it, and why it says what it says: the same path as a run's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from digest import slots
from digest.compose.explain import explain
from digest.compose.profile import profile_from_json
from digest.deliver.message import filled, letter_bytes
from digest.model import Outgoing, Page, Profile, RunKind, SubscriberState
from digest.pipeline import compose, plan
from digest.pipeline.dispatch import recipients_of
from digest.pipeline.run import Works
from digest.store import deliveries, editions, publications, subscribers
from digest.store.batches import ClaimedBatch
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
            page = _page_now(connection, works, profile, from_seq=start)
    return None if page is None else letter_of(works, page, reader)


def pages_of_all(works: Works) -> Iterator[tuple[str, Page]]:
    """Every page that an active reader would get now, each once, with the address of its first reader."""
    wishes: set[tuple[str, int]] = set()
    seen: set[str] = set()
    with works.database.read() as connection:
        for reader in subscribers.all_subscribers(connection):
            if reader.state is not SubscriberState.ACTIVE:
                continue
            page = _said_to(connection, works, reader)
            key = (reader.profile.fingerprint, reader.covered_seq)
            if page is None and key not in wishes:
                wishes.add(key)
                page = _page_now(connection, works, reader.profile, from_seq=reader.covered_seq)
            if page is not None and page.fingerprint not in seen:
                seen.add(page.fingerprint)
                yield reader.address, page


def _page_now(connection: Connection, works: Works, profile: Profile, *, from_seq: int) -> Page | None:
    edition = compose.compose_one(
        connection,
        profile,
        from_seq=from_seq,
        upto_seq=publications.last_seq(connection),
        as_of=works.desk.clock(),
        limits=works.limits,
    )
    return None if edition.is_empty else works.printer(edition)


def _said_to(connection: Connection, works: Works, reader: Subscriber) -> Page | None:
    """The page that the run of the current slot made for them, if there is one."""
    slot_at = slots.latest_slot(reader.schedule, works.desk.clock())
    page_id = deliveries.page_of(connection, reader.id, slot_at=slot_at)
    return None if page_id is None else editions.page_by_id(connection, page_id)


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
    batch = ClaimedBatch(0, 0, 0, 1, [(0, address, name)])
    recipient = recipients_of(0, batch, works.desk, on=now)[0]
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
            found += _explained(connection, works, reader.profile, one)
    return found


def _explained(
    connection: Connection, works: Works, profile: Profile, one: deliveries.RangeOf
) -> list[Explained]:
    if one.from_seq >= one.upto_seq:
        return []
    facts = compose.facts_of(connection, upto_seq=one.upto_seq, as_of=works.desk.clock(), limits=works.limits)
    lines = publications.lines_between(connection, from_seq=one.from_seq, upto_seq=one.upto_seq)
    verdicts = explain(profile, lines, replace(facts, from_seq=one.from_seq))
    letter = "the next one" if one.run_id is None else f"run {one.run_id} ({one.ended or 'under way'})"
    return [
        Explained(v.seq, v.item, v.kind.value, v.council, v.is_in, v.why, letter if v.is_in else "")
        for v in verdicts
    ]
