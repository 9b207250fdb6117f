"""What Prometheus scrapes: facts of the tables, true in whichever process is asked."""

from __future__ import annotations

from datetime import timedelta

import httpx
from sqlalchemy import text

from digest.store import tasks
from digest.wiring import Hall
from tests.integration.web.conftest import NOW, Clock


def scraped(client: httpx.Client) -> dict[str, float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_the_schedulers_silence_and_parked_tasks_can_raise_an_alarm(
    hall: Hall, client: httpx.Client, clock: Clock
) -> None:
    with hall.database.write() as connection:
        tasks.beat(connection, "scheduler", now=NOW)
        for _ in range(5):
            tasks.note_failed(connection, "poll:3:16", why="full disk", now=NOW, next_try_at=NOW)
    clock.forward(timedelta(minutes=7))
    found = scraped(client)
    assert found['digest_seen_seconds{process="scheduler"}'] == 420
    assert found["digest_tasks_parked"] == 1
    assert found['digest_task_failures{task="poll:3:16"}'] == 5
    assert found["digest_runs_unfinished"] == found["digest_account_closed"] == 0


def test_readiness_says_when_the_scheduler_was_last_heard_of(hall: Hall, client: httpx.Client) -> None:
    assert client.get("/readyz").json() == {"status": "ok", "scheduler_seen_at": None}
    with hall.database.write() as connection:
        tasks.beat(connection, "scheduler", now=NOW)
    assert client.get("/readyz").json()["scheduler_seen_at"] == NOW.isoformat()


def test_a_database_that_cannot_be_used_is_no_metric(hall: Hall, client: httpx.Client) -> None:
    with hall.database.write() as connection:
        connection.execute(text("DROP TABLE task"))
        connection.execute(text("DELETE FROM alembic_version"))
    hall.database._checked = False
    assert client.get("/metrics").status_code == 503
