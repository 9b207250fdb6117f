"""The promise, held over any story: readers, wishes, news and runs in any order, killed anywhere.

The machine drives the real ledger and pipeline with a sender that only records. What a reader is told
is compared with ``promise_model``; whatever happened, the last days of a story must settle everything.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from digest import slots
from digest.model import HandedOver, InDoubt, MeetingStatus, Outcome, Outgoing, Refused, RunKind
from digest.pipeline import dispatch, plan
from digest.store import runs
from digest.store.runs import Run
from digest.testing import take_all
from tests.integration.promise_checks import CheckedWorld
from tests.integration.promise_model import Reader, Wishes
from tests.integration.promise_world import RULES, SCHEDULES, WISHES, nothing

HOW = ("good", "good", "refused", "later", "doubt", "dies before", "dies after", "slow", "bad address")
MEANWHILE = ("nothing", "nothing", "other", "wishes", "publish", "withdraw", "leave", "pause")
CHANGES = ("wishes", "wishes", "schedule", "pause", "resume", "leave", "return", "suppress")
# Of six meetings those of the council with limited support come up less often: it has less to mail.
NUMBERS = st.sampled_from((0, 0, 1, 3, 3, 4, 2, 5))


class Story(RuleBasedStateMachine, CheckedWorld):
    """One story with a sender that may repeat a doubtful claim, like the outbox."""

    sender_is_repeatable = True

    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        CheckedWorld.__init__(self, is_repeatable=self.sender_is_repeatable)
        self.is_sending = False

    def teardown(self) -> None:
        try:
            self.settle_everything()
        finally:
            self.close()

    @invariant()
    def the_ledger_is_whole(self) -> None:
        self.check_ledger()

    @initialize(
        wishes=st.lists(st.sampled_from(WISHES), min_size=1, max_size=3),
        schedules=st.lists(st.sampled_from(sorted(SCHEDULES)), min_size=3, max_size=3),
        news=st.lists(NUMBERS, max_size=4),
    )
    def it_begins(self, wishes: list[Wishes], schedules: list[str], news: list[int]) -> None:
        for wish, schedule in zip(wishes, schedules, strict=False):
            self.somebody_joins(wish, schedule)
        for number in news:
            self.publish(number, -2, f"First text of {number}.")

    @rule(hours=st.sampled_from((1, 13, 50, 800)))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(
        number=NUMBERS,
        days=st.integers(-80, 20),
        is_new_text=st.booleans(),
        is_withdrawn=st.booleans(),
    )
    def a_summary_is_published(self, number: int, days: int, is_new_text: bool, is_withdrawn: bool) -> None:
        self.publish(number, days, f"Text {self.step if is_new_text else 0} of meeting {number}.")
        if is_withdrawn:
            self.withdraw(number)

    @rule(
        number=NUMBERS,
        days=st.integers(-3, 40),
        status=st.sampled_from((MeetingStatus.SCHEDULED, MeetingStatus.SCHEDULED, MeetingStatus.CANCELLED)),
        papers=st.integers(0, 2),
    )
    def a_feed_tells_of_a_meeting(self, number: int, days: int, status: MeetingStatus, papers: int) -> None:
        self.sight(number, days, status, papers)

    @precondition(lambda self: len(self.readers) < 4)
    @rule(wishes=st.sampled_from(WISHES), schedule=st.sampled_from(sorted(SCHEDULES)))
    def somebody_subscribes(self, wishes: Wishes, schedule: str) -> None:
        self.somebody_joins(wishes, schedule)

    @precondition(lambda self: self.readers)
    @rule(data=st.data(), what=st.sampled_from(CHANGES))
    def somebody_changes_something(self, data: st.DataObject, what: str) -> None:
        reader = self.some_reader(data)
        if what == "wishes":
            self.change_wishes(reader, data.draw(st.sampled_from(WISHES)))
        elif what == "schedule":
            self.change_schedule(reader, data.draw(st.sampled_from(sorted(SCHEDULES))))
        else:
            self.move(reader, what)

    @rule(
        data=st.data(),
        what=st.sampled_from(("open", "plan", "compose", "cancel", "resume")),
        is_killed=st.booleans(),
    )
    def a_run_gets_on(self, data: st.DataObject, what: str, is_killed: bool) -> None:
        if what == "open":
            plan.open_due_runs(self.database, now=self.now, rules=RULES)
        run = self.some_run(data)
        if run is None:
            return
        if what == "plan":
            self.plan_and_check(run, is_killed=is_killed)
        elif what == "compose":
            self.compose_run(run, is_killed=is_killed)
        elif what == "cancel":
            plan.cancel(self.database, run.id, why="asked", now=self.now)
        elif what == "resume":
            with self.database.write() as connection:
                runs.resume_run(connection, run.id)

    @rule(
        data=st.data(),
        how=st.sampled_from(HOW),
        meanwhile=st.sampled_from(MEANWHILE),
        claim_size=st.sampled_from((1, 4)),
    )
    def letters_are_handed_over(self, data: st.DataObject, how: str, meanwhile: str, claim_size: int) -> None:
        run = self.some_run(data)
        if run is None:
            return
        self.is_sending = True
        self.sender.before, self.sender.answer = self.behaviour(data, run, how, meanwhile)
        self.hand_over(run, claim_size=claim_size)
        self.sender.before, self.sender.answer = nothing, take_all
        self.is_sending = False

    @precondition(lambda self: self.readers)
    @rule(
        data=st.data(),
        first=st.sampled_from(("nothing", *MEANWHILE)),
        then=st.sampled_from(("nothing", *MEANWHILE)),
        how=st.sampled_from(HOW),
        meanwhile=st.sampled_from(MEANWHILE),
        news=st.lists(NUMBERS, min_size=1, max_size=3),
    )
    def a_slot_is_served(
        self, data: st.DataObject, first: str, then: str, how: str, meanwhile: str, news: list[int]
    ) -> None:
        for number in news:
            self.publish(number, -1, f"Text {self.step} of meeting {number}.")
        schedule = SCHEDULES[self.some_reader(data).schedule]
        self.now = slots.next_slot(schedule, self.now) + timedelta(minutes=5)
        for run in plan.open_due_runs(self.database, now=self.now, rules=RULES):
            self.plan_and_check(run)
            self.happen_meanwhile(data, run, first)
            self.compose_run(self.run_of(run.id))
            self.happen_meanwhile(data, run, then)
        self.letters_are_handed_over(data, how, meanwhile, 4)

    def behaviour(
        self, data: st.DataObject, run: Run, how: str, meanwhile: str
    ) -> tuple[Callable[[Outgoing], Outcome | None], Callable[[Outgoing], Outcome]]:
        happened: list[str] = []

        def before(outgoing: Outgoing) -> Outcome | None:
            if not happened:
                happened.append(meanwhile)
                self.happen_meanwhile(data, run, meanwhile)
            if how == "dies before":
                self.die()
            if how == "slow":
                self.now += self.hold + timedelta(seconds=1)
            return {
                "refused": Refused("no"),
                "later": Refused("later", is_final=False, retry_at=self.now + timedelta(hours=1)),
            }.get(how)

        def answer(outgoing: Outgoing) -> Outcome:
            if how == "dies after":
                self.die()
            if how == "doubt":
                return InDoubt("no answer")
            if how == "bad address":
                return HandedOver(bad={outgoing.recipients[0].subscriber_id: "no such box"})
            return HandedOver()

        return before, answer

    def happen_meanwhile(self, data: st.DataObject, run: Run, what: str) -> None:
        if what == "other":
            # The letters of a process beside this one are read when this one's are.
            dispatch.dispatch(self.database, run, self.desk(f"other-{self.step}", 1))
            if not self.is_sending:
                self.read_the_letters(self.step)
        elif what == "publish":
            number = data.draw(NUMBERS, label="published meanwhile")
            self.publish(number, -1, f"Text {self.step} of meeting {number}.")
        elif what == "withdraw":
            self.withdraw(data.draw(NUMBERS, label="withdrawn meanwhile"))
        elif what == "wishes":
            self.change_wishes(self.some_reader(data), data.draw(st.sampled_from(WISHES)))
        elif what in ("leave", "pause"):
            self.move(self.some_reader(data), what)

    @rule(how=st.sampled_from(("event", "logs", "operator")))
    def doubts_are_settled(self, how: str) -> None:
        self.settle_doubts(how)

    @rule()
    def everything_due_is_run(self) -> None:
        self.run_all()

    def some_reader(self, data: st.DataObject) -> Reader:
        return self.readers[data.draw(st.sampled_from(sorted(self.readers)), label="reader")]

    def some_run(self, data: st.DataObject) -> Run | None:
        with self.database.read() as connection:
            found = [run for run in runs.unfinished_runs(connection) if run.kind is RunKind.DIGEST]
        return data.draw(st.sampled_from(found), label="run") if found else None


class DoubtfulStory(Story):
    """The same with a sender that must never repeat a doubtful claim, like a provider."""

    sender_is_repeatable = False


# Two dozen stories a sender, the same ones every time: `make test` must not find something else each day.
# Hunting is for the trial, which takes other seeds and many more.
SETTINGS = settings(
    max_examples=24,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
Story.TestCase.settings = SETTINGS
DoubtfulStory.TestCase.settings = SETTINGS
TestRepeatableSender = Story.TestCase
TestDoubtfulSender = DoubtfulStory.TestCase
