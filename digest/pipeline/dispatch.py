"""Claim, recheck, send, record: the only way a letter leaves.

A claim is a short durable transaction; requests go out outside any transaction; the answer is
recorded by compare-and-set on the holder. Killed anywhere, the ledger says who is whose: what was
not claimed is untouched, a claim that ran out is uncertain (or done again, if the sender is repeatable).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from digest import links
from digest.links import Purpose, Signer
from digest.model import (
    BatchState,
    Ended,
    HandedOver,
    InDoubt,
    Outcome,
    Outgoing,
    Page,
    Publication,
    Recipient,
    Refused,
    RunKind,
    RunState,
)
from digest.pipeline.plan import raise_one
from digest.store import batches, deliveries, editions, publications, runs
from digest.store.batches import ClaimedBatch
from digest.store.database import LOCK_PLAN, Database
from digest.store.runs import Run


class Sender(Protocol):
    """What dispatch needs of a way to hand letters over."""

    name: str
    is_repeatable: bool
    batch_size: int

    def send(self, outgoing: Outgoing) -> Outcome:
        """Hand over one request's worth. Expected failures are outcomes, never exceptions."""

    def close(self) -> None:
        """Let go of connections. Twice is harmless."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a holder needs besides the ledger: sender, identity, links, clock and limits.

    ``is_alive`` tells whether another holder's process still runs (True when it cannot be known).
    """

    sender: Sender
    publication: Publication
    signer: Signer
    holder: str
    clock: Callable[[], datetime]
    is_alive: Callable[[str], bool]
    claim_size: int
    hold: timedelta
    most_doubts: int = 3
    most_refusals: int = 20


@dataclass(slots=True)
class Handed:
    """What one call of ``dispatch`` did, in letters; ``why`` is set when it stopped early."""

    letters: int = 0
    refused: int = 0
    uncertain: int = 0
    doubts_in_a_row: int = 0
    why: str | None = None
    pages: dict[int, Page] = field(default_factory=dict)


def dispatch(
    database: Database, run: Run, desk: Desk, *, each: Callable[[int], None] = lambda n: None
) -> Handed:
    """Hand over what is ready in a run until nothing is claimable; any number of processes may join.

    Stops early, with the run paused and the reason kept, after three answers in doubt in a row or too
    many refusals. ``each`` is called with the number of letters of every request.
    """
    handed = Handed()
    while handed.why is None:
        free_dead_claims(database, run.id, desk)
        taken = _claim(database, run, desk)
        if not taken:
            break
        for at, batch in enumerate(taken):
            if handed.why is not None:
                _put_back(database, taken[at:], desk)
                break
            _send_one(database, run, batch, desk, handed)
            each(len(batch.recipients))
    return handed


def _claim(database: Database, run: Run, desk: Desk) -> list[ClaimedBatch]:
    now = desk.clock()
    with database.write(durable=True) as connection:
        current = runs.run_by_id(connection, run.id)
        if current.state in (RunState.PAUSED, RunState.CANCELLED, RunState.COMPLETED):
            return []
        taken, moved = batches.claim(
            connection,
            run.id,
            holder=desk.holder,
            now=now,
            held_until=now + desk.hold,
            claim_size=desk.claim_size,
            is_notice=run.kind is not RunKind.DIGEST,
        )
        if moved:
            raised = [
                (one, raise_one(connection, one.profile_id, one.from_seq, upto_seq=run.upto_seq))
                for one in moved
            ]
            batches.replan(
                connection,
                run.id,
                raised,
                content_seq=publications.last_seq(connection),
                batch_size=desk.sender.batch_size,
            )
            runs.reopen_composing(connection, run.id)
    return taken


def _send_one(database: Database, run: Run, batch: ClaimedBatch, desk: Desk, handed: Handed) -> None:
    if not batch.recipients:
        _record(database, batch, desk, BatchState.CLOSED)
        return
    outgoing = _outgoing(database, run, batch, desk, handed.pages)
    with_hold = desk.clock() + timedelta(seconds=1)
    if with_hold >= outgoing.sent_at + desk.hold:
        # The machine slept or the disk hung: the claim may be somebody else's by now. Nothing was sent.
        _put_back(database, [batch], desk)
        return
    _take_answer(database, run, batch, desk, handed, desk.sender.send(outgoing))


def _take_answer(
    database: Database, run: Run, batch: ClaimedBatch, desk: Desk, handed: Handed, outcome: Outcome
) -> None:
    if isinstance(outcome, HandedOver):
        _record_handed_over(database, run, batch, desk, outcome)
        handed.letters += len(batch.recipients) - len(outcome.bad)
        handed.doubts_in_a_row = 0
    elif isinstance(outcome, InDoubt):
        _record(database, batch, desk, BatchState.UNCERTAIN, why=outcome.why, provider=outcome.provider_id)
        handed.uncertain += len(batch.recipients)
        handed.doubts_in_a_row += 1
        if handed.doubts_in_a_row >= desk.most_doubts:
            handed.why = f"{desk.most_doubts} answers in a row in doubt, the last one: {outcome.why}"
    else:
        _take_refusal(database, batch, desk, handed, outcome)
    if handed.why is not None:
        with database.write() as connection:
            runs.pause_run(connection, run.id, why=handed.why)


def _take_refusal(
    database: Database, batch: ClaimedBatch, desk: Desk, handed: Handed, refused: Refused
) -> None:
    if refused.is_final and not refused.pauses_run:
        with database.write() as connection:
            if batches.record(
                connection,
                batch.id,
                holder=desk.holder,
                state=BatchState.REFUSED,
                now=desk.clock(),
                why=refused.why,
            ):
                handed.refused += batches.refuse(connection, batch.id)
    else:
        _record(database, batch, desk, BatchState.READY, why=refused.why, retry_at=refused.retry_at)
    if refused.pauses_run or handed.refused >= desk.most_refusals:
        handed.why = refused.why


def _record_handed_over(
    database: Database, run: Run, batch: ClaimedBatch, desk: Desk, outcome: HandedOver
) -> None:
    with database.write() as connection:
        batches.record(
            connection,
            batch.id,
            holder=desk.holder,
            state=BatchState.HANDED_OVER,
            now=desk.clock(),
            provider_id=outcome.provider_id,
        )
        for subscriber_id in outcome.bad:
            deliveries.end_delivery(connection, run.id, subscriber_id, ended=Ended.BAD_ADDRESS)


def _record(
    database: Database,
    batch: ClaimedBatch,
    desk: Desk,
    state: BatchState,
    *,
    why: str | None = None,
    provider: str | None = None,
    retry_at: datetime | None = None,
) -> None:
    with database.write() as connection:
        batches.record(
            connection,
            batch.id,
            holder=desk.holder,
            state=state,
            now=desk.clock(),
            why=why,
            provider_id=provider,
            retry_at=retry_at,
        )


def _put_back(database: Database, taken: list[ClaimedBatch], desk: Desk) -> None:
    """Batches that this holder claimed and knows it has not sent are ready again."""
    for batch in taken:
        _record(database, batch, desk, BatchState.READY)


def _outgoing(
    database: Database, run: Run, batch: ClaimedBatch, desk: Desk, pages: dict[int, Page]
) -> Outgoing:
    sent_at = desk.clock()
    if batch.page_id not in pages:
        with database.read() as connection:
            pages.clear()
            pages[batch.page_id] = editions.page_by_id(connection, batch.page_id)
    view = desk.signer.token(Purpose.VIEW, batch.page_id, on=sent_at.date())
    return Outgoing(
        run_id=run.id,
        batch_id=batch.id,
        kind=run.kind,
        page=pages[batch.page_id],
        view_url=f"{desk.publication.base_url}/view/{view}",
        publication=desk.publication,
        recipients=tuple(recipients_of(run.id, batch, desk, on=sent_at)),
        sent_at=sent_at,
    )


def recipients_of(run_id: int, batch: ClaimedBatch, desk: Desk, *, on: datetime) -> list[Recipient]:
    """The batch's readers with their own links, made in bulk."""
    ids = [id_ for id_, _, _ in batch.recipients]
    leave = desk.signer.tokens(Purpose.UNSUBSCRIBE, ids, on=on.date())
    change = desk.signer.tokens(Purpose.PREFERENCES, ids, on=on.date())
    opaque = links.delivery_ids(run_id, ids)
    base = desk.publication.base_url
    return [
        Recipient(id_, delivery, address, name, f"{base}/unsubscribe/{u}", f"{base}/preferences/{p}")
        for (id_, address, name), delivery, u, p in zip(batch.recipients, opaque, leave, change, strict=True)
    ]


def free_dead_claims(database: Database, run_id: int, desk: Desk) -> int:
    """Settle claims whose time is over, or whose process on this machine is gone.

    A repeatable sender's are ready again, others uncertain. Twice is harmless.
    """
    with database.read() as connection:
        holders = batches.holders(connection, run_id)
    dead = [holder for holder in holders if holder != desk.holder and not desk.is_alive(holder)]
    if not holders:
        return 0
    with database.write(durable=True) as connection:
        return batches.expire_claims(
            connection, run_id, now=desk.clock(), dead=dead, is_repeatable=desk.sender.is_repeatable
        )


def complete(database: Database, run: Run, *, now: datetime) -> Mapping[str, int]:
    """Close the run if nothing is left to do in it, and say how its deliveries stand. Twice is harmless."""
    with database.write(lock=LOCK_PLAN) as connection:
        current = runs.run_by_id(connection, run.id)
        standing = batches.standing(connection, run.id)
        open_states = {"waiting", "ready", "claimed"} & set(standing)
        is_composed = current.composed_at is not None or current.state is RunState.CANCELLED
        if current.completed_at is None and is_composed and current.planned_at and not open_states:
            deliveries.close_run(connection, run.id)
            if "uncertain" not in standing:
                runs.mark_completed(connection, run.id, now=now)
                runs.keep_counts(connection, run.id)
        return runs.run_counts(connection, run.id)
