"""An operator leaves the scheduler alone: letters go out when they are due, and it leaves when asked to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.conftest import Operator

ROOT = Path(__file__).resolve().parent.parent.parent
SUNDAY = "2025-09-07T18:00:00+01:00"
SUMMARY = """---
council: aber
committee: Planning
starts_at: 2025-09-03T10:00
url: https://aber.example/1
origin: human
---
The committee met and agreed what it had to agree.
"""
READERS = "email,councils,consent_source,consent_at\n" + "".join(
    f"reader{n}@test.example,aber,form,2025-09-01T09:00:00Z\n" for n in range(3)
)


@contextmanager
def scheduler(operator: Operator, now: str) -> Iterator[subprocess.Popen[str]]:
    """`digest scheduler` as a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "digest", "--now", now, "scheduler"],
        cwd=operator.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "DIGEST_QUEUE__WAKE_S": "0.2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def letters(operator: Operator) -> int:
    return len(list((operator.folder / "outbox").rglob("*.eml")))


def wait_for(operator: Operator, process: subprocess.Popen[str], n: int) -> None:
    """Until so many letters lie there and the inbox is taken in."""
    while letters(operator) < n or not (operator.folder / "inbox" / "one.md.done").exists():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)


@pytest.fixture
def town(operator: Operator) -> Operator:
    inbox = operator.folder / "inbox"
    inbox.mkdir()
    settings = operator.folder / "digest.toml"
    text = settings.read_text()
    assert "\n# inbox =\n" in text
    settings.write_text(text.replace("\n# inbox =\n", '\ninbox = "inbox"\n'))
    operator.write("readers.csv", READERS)
    assert operator.digest("subscriber", "import", "readers.csv").code == 0
    operator.write("news.md", SUMMARY)
    assert operator.digest("summary", "import", "news.md").code == 0
    path = operator.write("inbox/one.md", SUMMARY.replace("example/1", "example/2").replace("T10", "T12"))
    os.utime(path, (1, 1))
    return operator


def test_the_scheduler_takes_the_inbox_sends_what_is_due_and_leaves_when_asked(town: Operator) -> None:
    with scheduler(town, SUNDAY) as process:
        wait_for(town, process, 3)
        seen = town.digest("status", "--json", now=SUNDAY).document
        assert seen["scheduler_seen_at"] >= "2025-09-07T17:00:00Z"
        assert seen["failing_tasks"] == seen["parked_tasks"] == []
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    assert letters(town) == 3
    assert [path.name for path in (town.folder / "inbox").iterdir()] == ["one.md.done"]
    again = town.digest("run", now=SUNDAY)
    assert again.code == 0
    assert letters(town) == 3


def test_before_the_slot_nothing_leaves_and_once_ends_by_itself(town: Operator) -> None:
    assert town.digest("scheduler", "--once", now="2025-09-07T17:59:00+01:00").code == 0
    assert letters(town) == 0
    assert town.digest("scheduler", "--once", now=SUNDAY).code == 0
    assert town.digest("scheduler", "--once", now=SUNDAY).code == 0
    assert letters(town) == 3


def test_a_task_that_fails_is_said_by_status_and_the_rest_is_done(town: Operator) -> None:
    (town.folder / "inbox" / "one.md").unlink()
    (town.folder / "inbox").rmdir()
    done = town.digest("scheduler", "--once", now=SUNDAY)
    assert done.code == 1
    assert json.loads(done.said.splitlines()[0])["task"] == "inbox"
    status = town.digest("status", "--json", now=SUNDAY).document
    assert [one.partition(":")[0] for one in status["failing_tasks"]] == ["inbox"]
    assert "make it, or take the option out" in status["failing_tasks"][0]
    assert status["last_run"] is not None
    assert status["unfinished_runs"] == []


def test_procrastinate_on_sqlite_is_refused_with_the_mend(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_QUEUE__ENGINE", "procrastinate")
    done = operator.digest("scheduler", "--once")
    assert done.code == 2
    assert 'queue.engine = "procrastinate" needs PostgreSQL' in done.said
    assert "digest db copy --to" in done.said
