"""Claim, recheck, send, record: the only way a letter leaves.

A claim is a short durable transaction; requests go out outside any transaction; the answer is
recorded by compare-and-set on the holder. Killed anywhere, the ledger says who is whose: what was
not claimed is untouched, a claim that ran out is uncertain (or done again, if the sender is repeatable).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digest.deliver.message import address_fault
from digest.model import (
    BatchState,
    Ended,
    HandedOver,
    InDoubt,
    Outcome,
    Outgoing,
    Refused,
    RunState,
)
from digest.pipeline import actions, addresses, pacing
from digest.pipeline.hands import Hands
from digest.pipeline.holder import Desk
from digest.pipeline.pages import Links, Pages
from digest.pipeline.plan import raise_one
from digest.store import batches, deliveries, notices, pace, publications, recheck, runs, troubles
from digest.store.address_changes import AddressChange
from digest.store.batches import ClaimedBatch, HeldBatch, Moved
from digest.store.database import LOCK_PLAN, Database
from digest.store.runs import Run

_FLUSH_EVERY = timedelta(milliseconds=250)
# A claim is given up this long before it runs out, so that its last request can still be answered.
_MARGIN = timedelta(seconds=1)
# When one letter is to be tried later and nobody says when.
_RETRY_AFTER = timedelta(minutes=1)


@dataclass(slots=True)
class Handed:
    """What one call of ``dispatch`` did, in letters; ``why`` is set when it stopped early."""

    letters: int = 0
    refused: int = 0
    uncertain: int = 0
    why: str | None = None


def dispatch(
    database: Database,
    run: Run,
    desk: Desk,
    *,
    each: Callable[[int], None] = lambda n: None,
    most_claims: int | None = None,
) -> Handed:
    """Hand over what is ready in a run until nothing is claimable; any number of processes may join.

    ``most_claims``: and no more claims than this.

    Stops early, with the run paused and the reason kept, after three answers in doubt in a row or too
    many refusals. ``each`` is called with the number of letters of every request.
    """
    hand, claims = _Hand(database, run, desk), 0
    with Hands(desk.sender.send, most=desk.at_once) as hands:
        while hand.done.why is None and not desk.should_stop() and claims != most_claims:
            claims += 1
            free_dead_claims(database, run.id, desk)
            taken = hand.claim()
            if not taken:
                break
            try:
                hand.send_all(taken, hands, each)
            finally:
                hand.flush()
    if (why := hand.done.why) is not None:
        with database.write() as connection:
            runs.pause_run(connection, run.id, why=why)
    return hand.done


class _Hand:
    """One holder at work on one run.

    Answers that all went well are recorded together, at most ``_FLUSH_EVERY`` apart: a crash in between
    leaves those few in doubt. Anything else is recorded at once.
    """

    def __init__(self, database: Database, run: Run, desk: Desk) -> None:
        self._database = database
        self._run = run
        self._desk = desk
        self._pages = Pages(database)
        self._links = Links(run.id, desk.signer, desk.publication.base_url)
        self._held_until = desk.clock()
        self._wait_until: datetime | None = None
        self._stride, self._under_way = pacing.Stride(), 1
        more_than = desk.sender.batch_size
        with database.read() as connection:
            self._begins_at = pacing.first_request_at(
                connection, run, spread=desk.spread, more_than=more_than
            )
        self._changes: dict[int, AddressChange] = {}
        self._good: list[tuple[ClaimedBatch, HandedOver]] = []
        self._flushed_at = desk.clock()
        self._bad = self._heard = 0
        self.done = Handed()

    def claim(self) -> list[ClaimedBatch]:
        """Ready batches, now this holder's; empty when there are none or the run may not go on."""
        held = self._hold()
        try:
            return self._rechecked(held) if held else []
        except BaseException:
            self._put_back(held)
            raise

    def _hold(self) -> list[HeldBatch]:
        run, desk = self._run, self._desk
        now = desk.clock()
        if self._wait_until or (self._begins_at is not None and now < self._begins_at):
            return []
        self._held_until = now + desk.hold
        with self._database.write(durable=True) as connection:
            if not runs.may_send(connection, run.id) or troubles.is_held(connection, now=now):
                return []
            if pacing.leaves_from(connection, run, desk.send_between, now=now) > now:
                return []
            per_hour = desk.letters_per_hour
            if per_hour is not None and pace.free_from(connection, now=now) > now:
                return []
            held = batches.claim(
                connection,
                run.id,
                holder=desk.holder,
                now=now,
                held_until=self._held_until,
                claim_size=desk.most_at_once,
                most_batches=self._most_batches(connection, now=now),
            )
            if per_hour is not None:
                # As many as were planned: who has left since is hardly worth a second look at the bucket.
                pace.draw(connection, sum(batch.size for batch in held), per_hour=per_hour, now=now)
        return held

    def _most_batches(self, connection: Connection, *, now: datetime) -> int:
        most, sharing = self._stride.requests, self._desk.sharing
        if sharing == 1:
            return most
        ready, _ = batches.ready(connection, self._run.id, now=now)
        return min(most, max(ready // (2 * sharing), 1))

    def _rechecked(self, held: list[HeldBatch]) -> list[ClaimedBatch]:
        """Who gets the letters of the claim, as everybody is a moment after it."""
        run, notice_to = self._run, notices.STATES.get(self._run.kind)
        with self._database.read() as connection:
            taken, changed = recheck.recheck(connection, held, notice_to=notice_to)
        if changed or run.kind in actions.OF_CHANGES:
            with self._database.write(durable=True) as connection:
                others, moved = recheck.recheck_each(connection, run.id, changed, notice_to=notice_to)
                taken, self._changes = actions.with_changes(connection, run, [*taken, *others])
                if moved:
                    self._replan(connection, moved)
            place = {batch.id: at for at, batch in enumerate(held)}
            taken.sort(key=lambda batch: place[batch.id])
        return taken

    def _replan(self, connection: Connection, moved: list[Moved]) -> None:
        run = self._run
        raised = [
            (one, raise_one(connection, one.profile_id, one.from_seq, upto_seq=run.upto_seq)) for one in moved
        ]
        seq = publications.last_seq(connection)
        batches.replan(connection, run.id, raised, content_seq=seq, batch_size=self._desk.sender.batch_size)
        runs.reopen_composing(connection, run.id)

    def send_all(self, taken: list[ClaimedBatch], hands: Hands, each: Callable[[int], None]) -> None:
        """Send every batch of a claim, or put back what is not to be sent after all."""
        self._pages.expect(taken)
        self._links.expect(taken)
        began_at, at = self._desk.clock(), 0
        while at < len(taken):
            if self._must_stop() or self._is_over():
                self._put_back(taken[at:])
                return
            some, is_good = taken[at : at + self._under_way], True
            at += len(some)
            for batch, outcome in hands.answers(some, self._outgoing):
                is_good = is_good and isinstance(outcome, HandedOver | None)
                if outcome is None:
                    self._record(batch, BatchState.CLOSED)
                else:
                    self._take(batch, outcome)
                    each(len(batch.recipients))
            # Begun with one, and again after trouble: where something is wrong, few letters find it out.
            self._under_way = min(2 * self._under_way, self._desk.at_once) if is_good else 1
        self._stride.took(len(taken), self._desk.clock() - began_at)

    def _must_stop(self) -> bool:
        return bool(self.done.why or self._wait_until or self._desk.should_stop())

    def _is_over(self) -> bool:
        """The machine slept or a request took too long: the rest may be another's by now."""
        return self._desk.clock() + _MARGIN >= self._held_until

    def _put_back(self, unsent: Sequence[ClaimedBatch | HeldBatch]) -> None:
        """Batches that this holder claimed and knows it has not sent are ready again."""
        for batch in unsent:
            self._record(batch, BatchState.READY)

    def _take(self, batch: ClaimedBatch, outcome: Outcome) -> None:
        if isinstance(outcome, HandedOver):
            self._good.append((batch, outcome))
            self._look_at_bad(batch, outcome)
            self.done.letters += len(batch.recipients) - len(outcome.bad) - len(outcome.held_back)
            if self._desk.clock() - self._flushed_at >= _FLUSH_EVERY:
                self.flush()
        elif isinstance(outcome, InDoubt):
            self._take_doubt(batch, outcome)
        else:
            self._take_refusal(batch, outcome)

    def _look_at_bad(self, batch: ClaimedBatch, outcome: HandedOver) -> None:
        """Many mailboxes that nobody else found fault with: then what was refused is rather us."""
        self._heard += len(batch.recipients)
        if not outcome.bad:
            return
        unsuspected = {id_ for id_, address, _ in batch.recipients if not address_fault(address)}
        said = [why for id_, why in outcome.bad.items() if id_ in unsuspected]
        self._bad += len(said)
        is_much = self._bad > self._desk.most_refused_share * self._heard
        if said and self._bad >= self._desk.most_refusals and is_much:
            self.done.why = f"{self._bad} of {self._heard} addresses were refused, the last: {said[-1]}"

    def flush(self) -> None:
        """Record the good answers so far. Twice is harmless."""
        self._flushed_at = self._desk.clock()
        if not self._good:
            return
        good, self._good = self._good, []
        with self._database.write() as connection:
            troubles.went_well(connection, self._run.id)
            answers = [(batch.id, outcome.provider_id) for batch, outcome in good]
            holder, now = self._desk.holder, self._flushed_at
            batches.record_handed_over(connection, answers, holder=holder, now=now)
            for _, outcome in good:
                self._end_apart(connection, outcome)

    def _end_apart(self, connection: Connection, outcome: Outcome) -> None:
        """End the letters for which the answer does not speak: unusable addresses, and who is held back."""
        for subscriber_id, why in () if isinstance(outcome, Refused) else outcome.bad.items():
            if deliveries.end_delivery(connection, self._run.id, subscriber_id, ended=Ended.BAD_ADDRESS):
                now = self._desk.clock()
                addresses.note_bad(connection, self._run.id, subscriber_id, why=why, now=now)
        for subscriber_id in outcome.held_back:
            deliveries.end_delivery(connection, self._run.id, subscriber_id, ended=Ended.HELD_BACK)

    def _take_doubt(self, batch: ClaimedBatch, doubt: InDoubt) -> None:
        self.flush()
        with self._database.write() as connection:
            in_a_row = troubles.doubted(connection, self._run.id)
        if in_a_row >= self._desk.most_doubts:
            self.done.why = f"{in_a_row} answers in a row in doubt, the last: {doubt.why}"
        if self._desk.sender.is_repeatable:
            later = self._desk.clock() + _RETRY_AFTER
            self._record(batch, BatchState.READY, why=doubt.why, retry_at=later, is_again=True)
            return
        self.done.uncertain += len(batch.recipients) - len(doubt.bad) - len(doubt.held_back)
        self._record(batch, BatchState.UNCERTAIN, why=doubt.why, provider_id=doubt.provider_id, outcome=doubt)

    def _take_refusal(self, batch: ClaimedBatch, refused: Refused) -> None:
        if refused.is_final and batch.is_again and batch.attempt == 1:
            # The first try may have arrived: a range that may have been said is not given back.
            self.done.uncertain += len(batch.recipients)
            self._record(batch, BatchState.UNCERTAIN, why=f"refused when done again: {refused.why}")
        elif refused.is_final:
            holder, now, state = self._desk.holder, self._desk.clock(), BatchState.REFUSED
            with self._database.write() as connection:
                if batches.record(connection, batch.id, holder=holder, state=state, now=now, why=refused.why):
                    self._end_apart(connection, refused)
                    self.done.refused += batches.refuse(connection, batch.id)
        else:
            self._record(batch, BatchState.READY, why=refused.why, retry_at=self._later(refused))
        if refused.pauses_run or (refused.is_final and self._has_too_many_refusals()):
            self.done.why = refused.why

    def _later(self, refused: Refused) -> datetime:
        """When to come back; where no letter is wanted now, nobody comes back before that."""
        desk = self._desk
        if not refused.slows_all:
            return refused.retry_at or desk.clock() + _RETRY_AFTER * (1 + desk.dice())
        self.flush()
        with self._database.write() as connection:
            # Several requests under way that are all put off were put off once.
            until = self._wait_until
            if until is None:
                in_a_row = troubles.put_off(connection, self._run.id)
                until = pacing.come_back_at(refused.retry_at, in_a_row, now=desk.clock(), dice=desk.dice())
            self._wait_until = until = max(until, refused.retry_at or until)
            troubles.hold(connection, until=until, now=desk.clock())
        return until

    def _has_too_many_refusals(self) -> bool:
        self.flush()
        with self._database.read() as connection:
            refused, taken = troubles.refused_and_taken(connection, self._run.id)
        is_much = refused > self._desk.most_refused_share * (refused + taken)
        return refused >= self._desk.most_refusals and is_much

    def _record(
        self,
        batch: ClaimedBatch | HeldBatch,
        state: BatchState,
        *,
        why: str | None = None,
        provider_id: str | None = None,
        retry_at: datetime | None = None,
        outcome: Outcome | None = None,
        is_again: bool = False,
    ) -> None:
        with self._database.write() as connection:
            if outcome is not None:
                self._end_apart(connection, outcome)
            batches.record(
                connection,
                batch.id,
                holder=self._desk.holder,
                state=state,
                now=self._desk.clock(),
                why=why,
                provider_id=provider_id,
                retry_at=retry_at,
                # What may have arrived before this claim may still have after it.
                is_again=is_again or batch.is_again,
            )

    def _outgoing(self, batch: ClaimedBatch) -> Outgoing:
        desk, sent_at = self._desk, self._desk.clock()
        readers, view_url = self._links.of(batch, on=sent_at.date())
        return Outgoing(
            run_id=self._run.id,
            batch_id=batch.id,
            kind=self._run.kind,
            page=self._pages.of(batch),
            view_url=view_url,
            publication=desk.publication,
            recipients=actions.addressed(
                readers,
                self._run.kind,
                changes=self._changes,
                signer=desk.signer,
                base_url=desk.publication.base_url,
                on=sent_at.date(),
            ),
            sent_at=sent_at,
        )


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
        if current.state is RunState.CANCELLED and {"waiting", "ready"} & set(standing):
            # Somebody put back what they had claimed when the run was cancelled.
            deliveries.give_back_run(connection, run.id, ended=Ended.CANCELLED)
            standing = batches.standing(connection, run.id)
        is_over = not {"waiting", "ready", "claimed"} & set(standing) and current.planned_at is not None
        if current.state is not RunState.CANCELLED:
            is_over = is_over and current.composed_at is not None and current.state is not RunState.PAUSED
        if current.completed_at is None and is_over and "uncertain" not in standing:
            runs.mark_completed(connection, run.id, now=now)
            runs.keep_counts(connection, run.id)
        return runs.run_counts(connection, run.id)
