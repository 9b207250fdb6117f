"""The queue on a real PostgreSQL: jobs are wake-ups, equal ones are one, and the tables say what is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from digest.errors import SchemaError
from digest.model import Council
from digest.store import councils, invariants
from digest.wiring import Hall
from scheduler import queue
from scheduler.clock import Clock
from scheduler.health import Health
from scheduler.steps import Bench, Step
from scheduler.worker import Worker
from tests.integration.test_scheduler import SUNDAY, THURSDAY, House

OPTIONS = {"queue": '{engine = "procrastinate", wake_s = 0.1, parts = 3}'}


@pytest.fixture
def house(postgres_url: str, tmp_path: Path) -> Iterator[House]:
    with psycopg.connect(queue.conninfo(postgres_url), autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {queue.SCHEMA} CASCADE")  # type: ignore[arg-type]
    queue.upgrade(postgres_url)
    made = House(postgres_url, tmp_path)
    with made.hall(**OPTIONS).database.write() as connection:
        councils.add_council(connection, Council("aber", "Aber"), now=THURSDAY)
    yield made
    for hall in made.halls:
        hall.close()


def jobs(house: House) -> list[tuple[Any, ...]]:
    """Task, ids and state of every job, oldest first."""
    with in_queue(house) as connection:
        query = "SELECT task_name, args, status::text FROM procrastinate_jobs ORDER BY id"
        return connection.execute(query).fetchall()


@contextmanager
def in_queue(house: House) -> Iterator[psycopg.Connection[Any]]:
    """A connection that sees the queue's tables."""
    options = f"-c search_path={queue.SCHEMA}"
    with psycopg.connect(queue.conninfo(house.url), options=options) as connection:
        yield connection


@contextmanager
def put(house: House) -> Iterator[queue.Queue]:
    made = queue.Queue(house.url)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def at_work(house: House, *, schedulers: int = 1, workers: int = 1) -> Iterator[None]:
    """So many of each, in threads; asked to leave at the end."""
    queues = [queue.Queue(house.url) for _ in range(schedulers)]

    def make() -> Hall:
        return house.hall(**OPTIONS)

    clocks = [Clock(make, wake_s=0.1, parts=3, groups=queue.GROUPS, act=one.act) for one in queues]
    hands = [Worker(make, parts=3, wake_s=0.1) for _ in range(workers)]
    threads = [threading.Thread(target=one.run) for one in (*clocks, *hands)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for one in (*clocks, *hands):
            one.stop.set()
        for thread in threads:
            thread.join()
        for jobs_ in queues:
            jobs_.close()


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(2_400):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("what was waited for has not come in two minutes")


# --- its tables ---------------------------------------------------------------------------------------------


def test_the_queues_tables_are_made_once_in_a_schema_of_their_own(house: House) -> None:
    assert queue.upgrade(house.url) is False
    queue.require_current(house.url)
    with psycopg.connect(queue.conninfo(house.url)) as connection:
        found = connection.execute(
            "SELECT DISTINCT schemaname FROM pg_tables WHERE tablename LIKE 'procrastinate%'"
        ).fetchall()
    assert found == [(queue.SCHEMA,)]


def test_a_queue_without_tables_is_said_with_the_command_that_makes_them(house: House) -> None:
    with psycopg.connect(queue.conninfo(house.url), autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {queue.SCHEMA} CASCADE")  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match="run `digest db upgrade`"):
        queue.require_current(house.url)


# --- jobs -------------------------------------------------------------------------------------------------


def test_equal_jobs_that_wait_are_one(house: House) -> None:
    with put(house) as first, put(house) as second:
        for one in (first, second, first):
            one.put([Step("plan", (7,)), Step("dispatch", (7, 0)), Step("dispatch", (7, 1))])
    assert [(name, args["ids"]) for name, args, _ in jobs(house)] == [
        ("plan", [7]),
        ("dispatch", [7, 0]),
        ("dispatch", [7, 1]),
    ]


def test_a_job_of_a_dead_worker_is_found_and_its_step_counted(house: House) -> None:
    with put(house) as one:
        one.put([Step("plan", (7,))])
        with in_queue(house) as connection:
            # As a worker leaves it that was killed in the middle.
            connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
        assert one.free_stalled() == ["plan:7"]
        assert jobs(house) == []
        hall = house.hall(**OPTIONS)
        Health(hall.database, clock=hall.clock).note_stalled("plan:7")
        assert house.tasks()["plan:7"].why == "its worker died or froze, 1 times in a row"
        one.put([Step("plan", (7,))])
        assert len(jobs(house)) == 1


def test_what_only_this_machine_can_do_never_enters_the_queue(house: House) -> None:
    inbox = house.folder / "inbox"
    inbox.mkdir()
    with put(house) as one:
        one.act(Bench(house.hall(inbox=inbox)), Step("inbox", is_here=True))
    assert jobs(house) == []


# --- all together -----------------------------------------------------------------------------------------


def test_two_schedulers_and_two_workers_send_every_letter_once(house: House) -> None:
    house.subscribe(60)
    house.publish(1)
    house.now = SUNDAY
    with at_work(house, schedulers=2, workers=2):
        wait_until(lambda: house.rows("SELECT state FROM run") == [("completed",)])
    assert sorted(house.letters().values()) == [1] * 60
    with house.halls[0].database.read() as connection:
        assert invariants.broken(connection) == []
    assert house.tasks().keys() >= {"events", "pauses"}
    assert [task for task in house.tasks().values() if task.failures] == []


def test_a_lost_job_is_made_again_by_the_next_look(house: House) -> None:
    house.subscribe(4)
    house.publish(1)
    house.now = SUNDAY
    with put(house) as one:
        clock = Clock(lambda: house.hall(**OPTIONS), wake_s=0.1, parts=3, groups=queue.GROUPS, act=one.act)
        clock.once()
        assert "plan" in [name for name, _, _ in jobs(house)]
        with in_queue(house) as connection:
            connection.execute("DELETE FROM procrastinate_jobs")
    assert house.letters() == {}
    with at_work(house):
        wait_until(lambda: house.rows("SELECT state FROM run") == [("completed",)])
    assert sorted(house.letters().values()) == [1] * 4


def test_a_run_that_takes_all_hands_does_not_keep_other_queues_waiting(house: House) -> None:
    worker = Worker(lambda: house.hall(**OPTIONS), parts=1, wake_s=0.1)
    go_on = threading.Event()
    began = threading.Event()

    def long(ids: list[int]) -> None:
        began.set()
        go_on.wait()

    worker._hands["letters"].task = lambda name: long  # type: ignore[method-assign]
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        with put(house) as one:
            one.put([Step("dispatch", (1, 0)), Step("dispatch", (1, 1))])
            assert began.wait(120)
            one.put([Step("notices"), Step("poll", (0, 16)), Step("events")])
            wait_until(lambda: {name for name, _, _ in jobs(house)} == {"dispatch"})
    finally:
        go_on.set()
        worker.stop.set()
        thread.join()
