"""What must hold in every world, whatever happened: the ledger and each letter against the plain model."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta

from sqlalchemy import text

from digest import slots
from digest.deliver.evidence import Finding, Found
from digest.model import Outgoing, RunState
from digest.pipeline import dispatch, plan, settle
from digest.pipeline.run import Works, run_due
from digest.pipeline.settle import Settler
from digest.store import doubts, events, invariants, publications, runs
from digest.store.events import NewEvent
from digest.store.runs import Run
from digest.testing import KilledError, letters_of, plain_page, said_in
from tests.integration.promise_model import Delivery, Reader, broken_chain, is_older, owed
from tests.integration.promise_world import LIMITS, LOOK_BACK, MORNING, RULES, SCHEDULES, WISHES_OF, World


class TrueRecords:
    """A provider's logs that tell the truth about every batch."""

    def __init__(self, found: Found) -> None:
        self._found = found

    def was_taken(self, deliveries: object, *, since: object, until: object, sample: int = 10) -> Finding:
        """The truth."""
        return Finding(self._found, "as it was")


class CheckedWorld(World):
    """A world in which every step of a run is checked."""

    def plan_and_check(self, run: Run, *, is_killed: bool = False) -> None:
        def die(n: int) -> None:
            if is_killed:
                raise KilledError

        is_open = run.planned_at is None and run.state is not RunState.CANCELLED
        before = {d.reader for d in self.deliveries() if d.run == run.id}
        due = self.due_in(run) - before if is_open else set()
        try:
            is_whole = plan.plan(self.database, run, rules=RULES, now=self.now, range_size=1, each=die)
        except KilledError:
            is_whole = False
        after = {d.reader for d in self.deliveries() if d.run == run.id}
        assert after - before <= due, "somebody got a letter who was not due"
        assert not is_whole or after - before == due, "somebody due was passed over"

    def due_in(self, run: Run) -> set[int]:
        with self.database.read() as connection:
            marks = {reader.id: self.mark_of(connection, reader) for reader in self.readers.values()}
        return {
            reader.id
            for reader in self.readers.values()
            if reader.state == "active"
            and self.schedule_ids()[reader.schedule] == run.schedule_id
            and reader.due_from is not None
            and reader.due_from <= run.slot_at
            and self.could_give_back(reader, marks[reader.id], run) <= run.upto_seq
        }

    def could_give_back(self, reader: Reader, mark: int, run: Run) -> int:
        """The mark once an older letter that was only planned is given back."""
        for one in self.deliveries():
            if (
                one.reader == reader.id
                and one.run != run.id
                and one.standing == "open"
                and one.upto_seq == mark
            ):
                return one.from_seq
        return mark

    def check_ledger(self) -> None:
        """Every invariant that the ledger must keep between any two steps."""
        self.ranges_are_disjoint_and_without_gap()
        self.what_was_handed_over_arrived_and_what_arrived_is_not_given_back()
        self.nobody_waits_for_words_that_are_there()

    def ranges_are_disjoint_and_without_gap(self) -> None:
        with self.database.read() as connection:
            marks = {reader.id: self.mark_of(connection, reader) for reader in self.readers.values()}
        everyone = self.deliveries()
        for reader in self.readers.values():
            own = [one for one in everyone if one.reader == reader.id]
            wrong = broken_chain(reader, own, marks[reader.id])
            assert wrong is None, f"reader {reader.id}: {wrong}\n{own}"

    def what_was_handed_over_arrived_and_what_arrived_is_not_given_back(self) -> None:
        for one in self.deliveries():
            letters = self.arrived[one.run, one.reader]
            if one.standing == "handed_over":
                assert letters, f"{one} was never sent"
            if not self.is_repeatable:
                assert letters <= 1, f"{one} was sent {letters} times"
                assert not letters or one.keeps_range, f"{one} arrived and is given back"

    def nobody_waits_for_words_that_are_there(self) -> None:
        query = text(
            "SELECT b.id FROM batch b JOIN edition e ON e.id = b.edition_id "
            "WHERE b.state = 'waiting' AND e.composed_at IS NOT NULL"
        )
        with self.database.read() as connection:
            assert not connection.execute(query).all(), "a batch waits for an edition that is composed"
            assert not invariants.broken(connection)

    def read_the_letters(self, begun: int) -> None:
        fresh = letters_of(self.sender.arrived[self.checked :])
        self.checked = len(self.sender.arrived)
        for run_id, reader_id, request in fresh:
            self.arrived[run_id, reader_id] += 1
            self.check_letter(run_id, self.readers[reader_id], request, begun)

    def check_letter(self, run_id: int, reader: Reader, request: Outgoing, begun: int) -> None:
        since = self.claimed.get(request.batch_id, begun)
        said = said_in(request.page)
        one = next(d for d in self.deliveries() if (d.run, d.reader) == (run_id, reader.id))
        assert said.wishes in reader.wishes_since(since), f"{one} speaks of wishes that were changed"
        held = [state for at, state in self.states[reader.id] if at < since][-1:]
        held += [state for at, state in self.states[reader.id] if at >= since]
        assert "active" in held, f"{one} went to somebody who had {held}"
        may = owed(WISHES_OF[said.wishes], self.log, one.from_seq, one.upto_seq)
        may = {item: line for item, line in may.items() if not self.is_unmailed(line)}
        must = {item for item in may if not self.was_withdrawn_after(item, one.upto_seq)}
        as_of = self.run_of(run_id).as_of
        recent = {i for i in must if not is_older(may[i], as_of=as_of, look_back=LOOK_BACK)}
        assert max(Counter(said.items).values(), default=0) <= 1, f"{one} says an item twice"
        assert recent <= set(said.items) <= set(may), f"{one} says {said}, owes {must}"
        assert len(must) <= len(said.items) + said.earlier <= len(may), f"{one} says {said}, owes {must}"
        assert not set(said.listed) & set(said.items), f"{one} lists what it also says"
        for item, words in said.named.items():
            if words and item.startswith("summary:"):
                self.check_words(one, item, words, since)

    def check_words(self, one: Delivery, item: str, words: str, since: int) -> None:
        assert self.withdrawn.get(item, since) >= since, f"{one} says {item}, withdrawn before its claim"
        told = self.texts[item]
        allowed = {said for at, said in told if at >= since} | {
            said for at, said in [pair for pair in told if pair[0] < since][-1:]
        }
        assert words in allowed, f"{one} says {words!r} of {item}, corrected before its claim: {told}"

    def settle_doubts(self, how: str) -> None:
        """Doubtful batches become what they truly are, told by somebody: event, logs or an operator.

        What arrived is proven by each of the three; what did not, by the logs hours later or an operator.
        """
        self.step += 1
        with self.database.read() as connection:
            found = [
                (run, batch)
                for run in runs.unfinished_runs(connection)
                for batch in doubts.doubtful(connection, run.id)
            ]
        for run, batch in found:
            readers = self.readers_in(batch.id)
            has_arrived = any(self.arrived[run.id, reader] for reader in readers)
            if how == "event" and has_arrived:
                self.tell_event(run.id, readers)
            elif how == "logs":
                records = TrueRecords(Found.TAKEN if has_arrived else Found.NOT_FOUND)
                late = max(self.now, batch.until) + settle.LAG
                others = {one.id for _, one in found} - {batch.id}
                Settler(records, settle.LAG, asked=others).settle(self.database, run.id, now=late)
            elif how == "operator":
                settle.settle_by_hand(
                    self.database, run.id, is_sent=has_arrived, batch_id=batch.id, now=self.now
                )
            # A further attempt says what the first one said: it counts from that one's claim.
            if batch.id in self.claimed:
                self.claimed[batch.id + 1] = self.claimed[batch.id]
            dispatch.complete(self.database, run, now=self.now)

    def readers_in(self, batch_id: int) -> list[int]:
        query = text("SELECT subscriber_id FROM delivery WHERE batch_id = :batch ORDER BY 1")
        with self.database.read() as connection:
            return list(connection.execute(query, {"batch": batch_id}).scalars())

    def tell_event(self, run_id: int, readers: list[int]) -> None:
        """The provider tells of one letter that arrived, twice."""
        reader = next(one for one in readers if self.arrived[run_id, one])
        told = NewEvent(f"{run_id}.{reader}", "processed", run_id, reader, self.now, True, b"{}")
        with self.database.write() as connection:
            events.store(connection, [told, told], now=self.now)
        settle.settle_by_events(self.database, run_id, now=self.now)

    def settle_everything(self) -> None:
        """Nine quiet days with a provider that takes everything: nothing may be left over."""
        if not self.readers:
            return
        self.dead |= {f"holder-{n}" for n in range(self.holders + 1)}
        for number in range(9 * 2):
            schedule = SCHEDULES["daily"] if number % 2 else MORNING
            self.now = slots.next_slot(schedule, self.now) + timedelta(minutes=10)
            with self.database.write() as connection:
                for run in runs.unfinished_runs(connection):
                    runs.resume_run(connection, run.id)
            self.run_all()
            self.settle_doubts("operator")
            self.check_ledger()
        with self.database.read() as connection:
            last = publications.last_seq(connection)
            for reader in self.readers.values():
                if reader.state == "active":
                    assert self.mark_of(connection, reader) == last, f"{reader} is owed a letter"
            left = runs.unfinished_runs(connection)
        assert not [d for d in self.deliveries() if d.standing == "uncertain"], "doubts were settled and stay"
        assert not left, f"runs never ended: {left}"
        self.check_the_silent()

    def check_the_silent(self) -> None:
        """An empty letter owed nothing to any wishes that it can have been planned with."""
        with self.database.read() as connection:
            query = text(
                "SELECT d.run_id, d.subscriber_id, p.fingerprint FROM delivery d JOIN edition e "
                "ON e.id = d.edition_id JOIN profile p ON p.id = e.profile_id"
            )
            planned = {(run, reader): wishes for run, reader, wishes in connection.execute(query)}
        for one in self.deliveries():
            if one.standing != "empty":
                continue
            wishes = WISHES_OF[planned[one.run, one.reader]]
            due = owed(wishes, self.log, one.from_seq, one.upto_seq)
            silent = [
                item
                for item, line in due.items()
                if not self.is_unmailed(line) and not self.was_withdrawn_after(item, one.upto_seq)
            ]
            assert not silent, f"{one} was empty and owed {silent}"
            assert not wishes.quiet_note, f"{one} was empty though a quiet note is wished"

    def hand_over(self, run: Run, *, claim_size: int = 4) -> None:
        self.step += 1
        self.holders += 1
        holder = f"holder-{self.holders}"
        begun = self.step
        with suppress(KilledError):
            dispatch.dispatch(self.database, run, self.desk(holder, claim_size))
        self.note_claims(begun)
        self.read_the_letters(begun)
        dispatch.complete(self.database, run, now=self.now)

    def run_all(self) -> None:
        self.step += 1
        self.holders += 1
        begun = self.step
        works = Works(
            self.database,
            plain_page,
            RULES,
            LIMITS,
            self.desk(f"holder-{self.holders}", 4),
            pause=lambda seconds: None,
        )
        run_due(works, patience=timedelta(0))
        self.note_claims(begun)
        self.read_the_letters(begun)
