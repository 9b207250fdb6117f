"""The scheduler on real databases: woken whenever, it does what is due, once, and goes on after anything."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from digest import slots
from digest.compose.profile import profile_of
from digest.deliver.evidence import Finding, Found
from digest.errors import ConflictError
from digest.model import BatchState, Council, Origin, Schedule, SubscriberState, Summary
from digest.pipeline import plan, publish
from digest.pipeline.identity import url_key
from digest.settings import load_settings
from digest.store import batches, councils, feeds, invariants, runs, subscribers, tasks
from digest.wiring import Hall
from scheduler.health import FIRST_WAIT, NEVER_LONG_WAIT, PARKED_WAIT, wait_after
from scheduler.jobs import do
from scheduler.lanes import Lane
from scheduler.steps import FEEDS, HOUSE, LETTERS, LOOKS, NOTICES, Bench, Step

THURSDAY = datetime(2025, 9, 4, 9, 0, tzinfo=UTC)
SUNDAY = datetime(2025, 9, 7, 17, 0, tzinfo=UTC)  # 18:00 in London
WEEK = timedelta(days=7)
WEEKLY = slots.schedule_of("weekly", "sunday", "18:00", "Europe/London")
KEY = "k" * 40


@dataclass
class House:
    """One installation with the council aber, its letters in an outbox, and a clock in the hand."""

    url: str
    folder: Path
    now: datetime = THURSDAY
    halls: list[Hall] = field(default_factory=list)

    def hall(self, **options: Any) -> Hall:
        """One more process's hall."""
        settings = load_settings(None, {}, toml_text=_toml(self, options))
        made = Hall(settings, lambda: self.now)
        made.skeleton = _skeleton()
        self.halls.append(made)
        return made

    def lane(self, name: str, *, should_stop: Callable[[], bool] = lambda: False, **options: Any) -> Lane:
        """One lane of one more process."""
        return Lane(name, Bench(self.hall(**options), should_stop=should_stop))

    def turn(self, at: datetime) -> None:
        """A scheduler looks once into every lane at that instant."""
        self.now = at
        for name in (HOUSE, FEEDS, NOTICES, LETTERS):
            self.lane(name).turn()

    def letters(self) -> Counter[str]:
        """Letters by reader."""
        found: Counter[str] = Counter()
        for path in (self.folder / "outbox").rglob("*.eml"):
            (to,) = (line for line in path.read_bytes().splitlines() if line.startswith(b"To:"))
            found[to.decode().split()[-1].strip("<>")] += 1
        return found

    def rows(self, query: str) -> list[Any]:
        """The answer to a query."""
        with self.halls[0].database.read() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def tasks(self) -> dict[str, tasks.Task]:
        """How tasks went."""
        with self.halls[0].database.read() as connection:
            return tasks.all_tasks(connection)

    def subscribe(self, n: int, *, schedule: Schedule = WEEKLY) -> list[int]:
        """So many new readers of aber."""
        with self.halls[0].database.write() as connection:
            total = sum(subscribers.state_counts(connection).values())
            return [
                subscribers.add_subscriber(
                    connection,
                    f"reader{total + i}@test.example",
                    name="",
                    profile=profile_of(councils=["aber"]),
                    schedule=schedule,
                    state=SubscriberState.ACTIVE,
                    start_mark=0,
                    consent=None,
                    source="test",
                    now=self.now,
                )
                for i in range(n)
            ]

    def publish(self, number: int, *, words: str = "The committee met.") -> None:
        """News in aber, or other words for them."""
        url = f"https://aber.example/{number}"
        summary = Summary(
            council="aber",
            committee="Planning",
            starts_at=datetime(2025, 9, 3, 10, number, tzinfo=UTC),
            starts_on=date(2025, 9, 3),
            origin=Origin.HUMAN,
            lead=words,
            url=url,
        )
        database = self.halls[0].database
        publish.take_in(
            database, summary, url_key=url_key(url), now=self.now, archive_after=timedelta(days=5000)
        )


@cache
def _skeleton() -> Any:
    """Compiled once: it takes a second, and a hall is made for every lane."""
    return Hall(load_settings(None, {}, toml_text=f'secret_key = "{KEY}"'), lambda: THURSDAY).skeleton


class NothingKnown:
    """A provider's logs that hold nothing."""

    def was_taken(self, deliveries: object, **asked: object) -> Finding:
        """Nothing."""
        return Finding(Found.NOT_FOUND, "nothing is known")


def _toml(house: House, options: dict[str, Any]) -> str:
    inbox = options.get("inbox")
    lines = [
        f'database_url = "{house.url}"',
        f'secret_key = "{KEY}"',
        f'suppression_key = "{KEY}"',
        *(f"{name} = {value}" for name, value in options.items() if name != "inbox"),
        "[outbox]",
        f'directory = "{house.folder / "outbox"}"',
        "batch_size = 2",
        "[dispatch]",
        "claim_size = 6",
    ]
    return "\n".join([*lines, *(["[summaries]", f'inbox = "{inbox}"'] if inbox else [])])


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path)
    with made.hall().database.write() as connection:
        councils.add_council(connection, Council("aber", "Aber"), now=THURSDAY)
    yield made
    for hall in made.halls:
        hall.close()


# --- what is due ----------------------------------------------------------------------------------------


def test_a_slot_is_handed_over_once_however_often_somebody_looks(house: House) -> None:
    house.subscribe(5)
    house.publish(1)
    house.turn(SUNDAY - timedelta(seconds=1))
    assert house.letters() == {}
    for minutes in (0, 1, 2, 600):
        house.turn(SUNDAY + timedelta(minutes=minutes))
    assert sorted(house.letters().values()) == [1] * 5
    assert house.rows("SELECT state FROM run") == [("completed",)]


def test_slots_missed_while_nobody_looked_become_one_run(house: House) -> None:
    daily = slots.schedule_of("daily", "", "18:00", "Europe/London")
    house.subscribe(2, schedule=daily)
    house.publish(1)
    house.turn(SUNDAY + timedelta(minutes=1))
    assert sorted(house.letters().values()) == [1, 1]
    ((slot_at, merged),) = house.rows("SELECT slot_at, merged FROM run")
    assert slot_at == SUNDAY.timestamp() * 1_000_000
    assert merged.count("T17:00") == 3  # Thursday, Friday and Saturday


def test_a_slot_of_three_days_ago_is_late_and_goes_all_the_same(house: House) -> None:
    house.subscribe(2)
    house.publish(1)
    house.turn(SUNDAY + timedelta(days=3))
    assert sorted(house.letters().values()) == [1, 1]
    assert house.rows("SELECT state FROM run") == [("completed",)]


def test_two_schedulers_at_once_send_every_letter_once(house: House) -> None:
    house.subscribe(40)
    house.publish(1)
    house.now = SUNDAY
    lanes = [house.lane(LETTERS) for _ in range(2)]
    threads = [threading.Thread(target=lane.turn) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    house.turn(SUNDAY + timedelta(minutes=10))
    assert sorted(house.letters().values()) == [1] * 40
    assert house.rows("SELECT count(*) FROM run") == [(1,)]
    with house.halls[0].database.read() as connection:
        assert invariants.broken(connection) == []


def test_a_clock_that_ran_a_year_ahead_for_a_moment_stops_nobodys_letters(house: House) -> None:
    house.subscribe(1)
    with house.halls[0].database.write() as connection:
        feeds.add_feed(connection, "aber", "http://127.0.0.1:9/feed", dialect=None, now=THURSDAY)
    house.publish(1)
    house.turn(SUNDAY + 52 * WEEK)
    assert sum(house.letters().values()) == 1
    house.now = SUNDAY + timedelta(days=2)
    house.publish(2)
    house.turn(SUNDAY + WEEK)
    assert sum(house.letters().values()) == 2
    assert house.rows("SELECT last_checked_at FROM feed") == [((SUNDAY + WEEK).timestamp() * 1_000_000,)]


def test_a_pause_that_ended_while_the_scheduler_was_off_owes_the_letter_of_that_day(house: House) -> None:
    (reader,) = house.subscribe(1)
    house.publish(1)
    with house.halls[0].database.write() as connection:
        subscribers.pause(connection, reader, until=date(2025, 9, 7))
    house.turn(SUNDAY - timedelta(hours=19))  # Saturday evening in London
    assert house.rows("SELECT state FROM subscriber") == [("paused",)]
    house.turn(SUNDAY + timedelta(hours=15))
    assert house.rows("SELECT state, paused_until FROM subscriber") == [("active", None)]
    assert sum(house.letters().values()) == 1


def test_a_pause_ends_at_the_readers_own_midnight(house: House) -> None:
    readers = [
        house.subscribe(1, schedule=slots.schedule_of("daily", "", "18:00", zone))[0]
        for zone in ("Pacific/Auckland", "Europe/London", "America/Los_Angeles")
    ]
    with house.halls[0].database.write() as connection:
        for reader in readers:
            subscribers.pause(connection, reader, until=date(2025, 9, 6))
    seen = []
    for hour in (13, 23, 32):  # of 5 September in UTC
        house.turn(datetime(2025, 9, 5, tzinfo=UTC) + timedelta(hours=hour))
        seen.append([state for (state,) in house.rows("SELECT state FROM subscriber ORDER BY id")])
    assert seen == [
        ["active", "paused", "paused"],
        ["active", "active", "paused"],
        ["active", "active", "active"],
    ]


@pytest.mark.parametrize(
    ("night", "clock", "fires_at"),
    [
        # 01:30 comes twice in London: at 00:30 and again at 01:30 UTC.
        ("2025-10-25", "01:30", "2025-10-26T00:30"),
        # 01:30 does not exist: the first instant after the gap is 01:00 UTC.
        ("2026-03-28", "01:30", "2026-03-29T01:00"),
        ("2028-02-28", "02:00", "2028-02-29T02:00"),
    ],
    ids=["autumn", "spring", "leap day"],
)
def test_a_slot_of_a_strange_night_fires_once_and_at_its_instant(
    house: House, night: str, clock: str, fires_at: str
) -> None:
    house.now = datetime.fromisoformat(f"{night}T12:00").replace(tzinfo=UTC)
    daily = slots.schedule_of("daily", "", clock, "Europe/London")
    house.subscribe(1, schedule=daily)
    house.publish(1)
    lane = house.lane(LETTERS, schedule='{send_between = "00:00-24:00"}')
    came_at = []
    for _ in range(70):
        letters = sum(house.letters().values())
        lane.turn()
        if sum(house.letters().values()) > letters:
            came_at.append(house.now)
        house.now += timedelta(minutes=15)
    assert came_at == [datetime.fromisoformat(fires_at).replace(tzinfo=UTC)]
    assert house.rows("SELECT count(*) FROM run") == [(1,)]


# --- stopping -------------------------------------------------------------------------------------------


def test_who_is_asked_to_leave_finishes_the_request_and_puts_the_rest_back(house: House) -> None:
    house.subscribe(20)
    house.publish(1)
    house.now = SUNDAY
    lane = house.lane(LETTERS, should_stop=lambda: sum(house.letters().values()) >= 4)
    lane.turn()
    assert sum(house.letters().values()) == 4
    assert house.rows("SELECT state, count(*) FROM batch GROUP BY state ORDER BY state") == [
        ("handed_over", 2),
        ("ready", 8),
    ]
    house.turn(SUNDAY)
    assert sorted(house.letters().values()) == [1] * 20


def test_what_is_left_in_the_evening_leaves_in_the_morning(house: House) -> None:
    house.subscribe(20)
    house.publish(1)
    house.now = SUNDAY + timedelta(hours=4) - timedelta(minutes=1)  # 21:59 in London
    house.lane(LETTERS, should_stop=lambda: sum(house.letters().values()) >= 4).turn()
    for hours in (4, 9, 11.9):
        house.turn(SUNDAY + timedelta(hours=hours))
        assert sum(house.letters().values()) == 4
    house.turn(SUNDAY + timedelta(hours=12))
    assert sorted(house.letters().values()) == [1] * 20


# --- failing --------------------------------------------------------------------------------------------


def test_a_failing_task_is_counted_backed_off_parked_and_stops_no_other(house: House) -> None:
    house.subscribe(1)
    house.publish(1)
    gone = house.folder / "gone"
    at = SUNDAY
    for failures in range(1, 7):
        house.now = at
        lane = house.lane(FEEDS, inbox=gone)
        lane.turn()
        lane.turn()  # too early: not tried again
        task = house.tasks()["inbox"]
        assert (task.failures, task.failed) == (failures, failures)
        assert task.next_try_at == at + wait_after(failures)
        at += wait_after(failures)
    assert wait_after(1) == FIRST_WAIT
    assert wait_after(6) == PARKED_WAIT
    assert "there is no folder" in str(house.tasks()["inbox"].why)
    house.lane(LETTERS).turn()
    assert sum(house.letters().values()) == 1
    gone.mkdir()
    house.now = at
    house.lane(FEEDS, inbox=gone).turn()
    assert "inbox" not in house.tasks()


def test_a_lane_that_cannot_look_is_never_put_off_for_long() -> None:
    assert wait_after(50, name="poll:1:16") == PARKED_WAIT
    for name in ("look:letters", "notices"):
        assert wait_after(50, name=name) == NEVER_LONG_WAIT


def test_what_a_task_says_of_its_failure_names_nobody(house: House) -> None:
    def fail(bench: Bench, step: Step) -> None:
        raise RuntimeError("no letter for ann@aber.example and <bob@aber.example>")

    Lane(HOUSE, Bench(house.hall()), act=fail).turn()
    assert house.tasks()["events"].why == "RuntimeError: no letter for [address] and <[address]>"


def test_an_edition_that_cannot_be_printed_does_not_stop_the_other_runs(house: House) -> None:
    house.subscribe(1)
    house.subscribe(1, schedule=slots.schedule_of("weekly", "sunday", "17:00", "Europe/London"))
    house.publish(1)
    house.now = SUNDAY

    def fail_first(bench: Bench, step: Step) -> None:
        from scheduler.jobs import do

        if step.key == "compose:1:0:1":
            raise RuntimeError("poison")
        do(bench, step)

    Lane(LETTERS, Bench(house.hall()), act=fail_first).turn()
    assert sum(house.letters().values()) == 1
    assert house.tasks()["compose:1:0:1"].failures == 1
    house.turn(SUNDAY + FIRST_WAIT)
    assert sum(house.letters().values()) == 2
    assert "compose:1:0:1" not in house.tasks()


def test_the_first_live_run_waits_for_somebody_to_say_so(house: House) -> None:
    house.subscribe(1)
    house.publish(1)
    house.now = SUNDAY
    options = {"sender": '"smtp"', "safety": "{live = true}", "smtp": '{host = "127.0.0.1", port = 9}'}
    house.lane(LETTERS, **options).turn()
    assert "first live run waits" in str(house.tasks()["look:letters"].why)
    assert house.rows("SELECT count(*) FROM run") == [(0,)]
    hall = house.hall(**options)
    house.now += FIRST_WAIT
    Lane(LETTERS, Bench(hall, is_confirmed=True)).turn()
    assert house.rows("SELECT count(*) FROM run") == [(1,)]


def test_letters_left_from_before_it_was_live_wait_for_somebody_too(house: House) -> None:
    house.subscribe(1)
    house.publish(1)
    house.now = SUNDAY
    look = LOOKS[LETTERS]
    assert [step.task for step in look(Bench(house.hall()))] == ["plan"]
    live = {"sender": '"smtp"', "safety": "{live = true}", "smtp": '{host = "127.0.0.1", port = 9}'}
    do(Bench(house.hall()), Step("plan", (1,)))
    do(Bench(house.hall()), Step("compose", (1,)))
    with pytest.raises(ConflictError, match="first live run waits"):
        look(Bench(house.hall(**live)))
    assert [step.task for step in look(Bench(house.hall(**live), is_confirmed=True))] == ["dispatch"]


@pytest.mark.parametrize("how", ["paused", "cancelled"])
def test_a_machine_that_died_in_a_run_that_was_stopped_keeps_nobody_from_the_next_ones(
    house: House, how: str
) -> None:
    readers = house.subscribe(8)
    house.publish(1)
    house.now = SUNDAY
    look = LOOKS[LETTERS]
    hall = house.hall()
    look(Bench(hall))
    for task in ("plan", "compose"):
        do(Bench(hall), Step(task, (1,)))
    with hall.database.write(durable=True) as connection:
        until = house.now + timedelta(minutes=5)
        batches.claim(
            connection, 1, holder="other/boot/ns/1/1", now=house.now, held_until=until, claim_size=2
        )
        runs.pause_run(connection, 1, why="doubts")
    if how == "cancelled":
        plan.cancel(hall.database, 1, why="asked", now=house.now)
    for minutes in (6, 60, 49 * 60):
        house.turn(SUNDAY + timedelta(minutes=minutes))
    house.publish(2)
    house.turn(SUNDAY + WEEK)
    assert sorted(house.letters().values()) == [1] * len(readers)
    with hall.database.read() as connection:
        assert invariants.broken(connection) == []


def test_a_pause_that_ended_is_seen_by_the_lane_of_letters_too(house: House) -> None:
    (reader,) = house.subscribe(1)
    house.publish(1)
    with house.halls[0].database.write() as connection:
        subscribers.pause(connection, reader, until=date(2025, 9, 7))
    house.now = SUNDAY + timedelta(hours=2)
    house.lane(LETTERS).turn()
    assert sum(house.letters().values()) == 1


def test_words_that_a_correction_asks_for_at_the_last_moment_are_composed(house: House) -> None:
    """The run's row says composed, its batches wait: the batches are right."""
    house.subscribe(1)
    house.publish(1)
    house.now = SUNDAY
    look = LOOKS[LETTERS]
    look(Bench(house.hall()))
    for task in ("plan", "compose"):
        do(Bench(house.hall()), Step(task, (1,)))
    house.publish(1, words="It met again.")
    with house.halls[0].database.write() as connection:
        runs.mark_composed(connection, 1, now=house.now)
    assert [step.task for step in look(Bench(house.hall()))] == ["compose"]
    house.turn(SUNDAY + timedelta(minutes=1))
    assert sorted(house.letters().values()) == [1]


def test_empty_logs_settle_nothing_where_that_is_left_to_an_operator(house: House) -> None:
    house.subscribe(1)
    house.publish(1)
    house.now = SUNDAY
    look = LOOKS[LETTERS]
    for never, then in (("never", "uncertain"), ("4h", "ready")):
        hall = house.hall(sendgrid=f'{{not_sent_after = "{never}"}}')
        hall.records = NothingKnown()
        look(Bench(hall))
        if never == "never":
            do(Bench(hall), Step("plan", (1,)))
            do(Bench(hall), Step("compose", (1,)))
            with hall.database.write(durable=True) as connection:
                until = house.now + timedelta(minutes=1)
                (held,) = batches.claim(
                    connection, 1, holder="gone", now=house.now, held_until=until, claim_size=1
                )
                batches.record(connection, held.id, holder="gone", state=BatchState.UNCERTAIN, now=house.now)
            house.now += timedelta(hours=6)
        do(Bench(hall), Step("settle", (1,)))
        assert then in {state for (state,) in house.rows("SELECT state FROM batch")}


# --- the inbox --------------------------------------------------------------------------------------------

GOOD = """---
council: aber
committee: Planning
starts_at: 2025-09-03T10:00
url: https://aber.example/9
origin: human
---
The committee met and agreed.
"""


def test_files_in_the_inbox_end_as_done_or_refused_with_the_reason(house: House) -> None:
    inbox = house.folder / "inbox"
    inbox.mkdir()
    for name, content in (("good.md", GOOD), ("bad.md", "no front matter"), ("notes.pdf", "x")):
        (inbox / name).write_text(content)
        os.utime(inbox / name, (1, 1))
    (inbox / "still-written.md").write_text(GOOD)
    house.lane(FEEDS, inbox=inbox).turn()
    assert sorted(path.name for path in inbox.iterdir()) == [
        "bad.md.refused",
        "bad.md.refused.txt",
        "good.md.done",
        "notes.pdf",
        "still-written.md",
    ]
    assert (inbox / "bad.md.refused.txt").read_text().startswith("line 1: the file must start with '---'")
    assert (inbox / "bad.md.refused").read_text() == "no front matter"
    assert house.rows("SELECT count(*) FROM publication") == [(1,)]
    noted = house.rows("SELECT actor, action, subject FROM audit WHERE action = 'summary imported'")
    assert noted == [("inbox", "summary imported", "summary:1")]
