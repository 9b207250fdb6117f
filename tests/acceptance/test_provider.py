"""An operator and a provider: posts heard, doubts settled, runs stopped and let go. Told through commands."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from digest.deliver.fake_sendgrid import FakeSendGrid, Fault, account_status_change, post_events
from digest.deliver.fake_sendgrid.mail import Message
from tests.acceptance.conftest import Operator
from tests.acceptance.test_live import (  # noqa: F401
    NEXT_SUNDAY,
    SUNDAY,
    fake,
    live,
    mailed,
    run_of,
    with_news,
    with_readers,
)

ROOT = Path(__file__).resolve().parents[2]
LATER = "2025-09-07T18:30:00+01:00"


@pytest.fixture
def sunday(live: FakeSendGrid) -> FakeSendGrid:  # noqa: F811
    """The provider, live, on the clock of the story."""
    live.account.set_now(datetime.fromisoformat(SUNDAY).timestamp())
    return live


@contextmanager
def process(operator: Operator, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs on."""
    running = subprocess.Popen(
        [sys.executable, "-m", "digest", *words],
        cwd=operator.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.terminate()
        running.communicate(timeout=60)


@contextmanager
def served(operator: Operator) -> Iterator[str]:
    """`digest serve`; the address of its webhook."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with process(operator, "--now", LATER, "serve", "--port", str(port)):
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/webhooks/sendgrid"


def written(operator: Operator, fake: FakeSendGrid, name: str = "events.jsonl") -> None:  # noqa: F811
    """The provider's waiting events as a file."""
    lines = [json.dumps(json.loads(post.body)) for post in fake.account.posts()]
    operator.write(name, "\n".join(lines))


def state_of(operator: Operator, address: str) -> str:
    found = operator.digest("subscriber", "show", address, "--json", now=LATER)
    return str(found.document["status"])


# --- what the provider tells ------------------------------------------------------------------------------


def test_posts_to_the_server_end_mailboxes_and_the_next_run_leaves_them_out(
    operator: Operator,
    sunday: FakeSendGrid,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIGEST_SENDGRID__WEBHOOK_PUBLIC_KEY", sunday.account.key.public)
    with_readers(operator, "ann", "bounce", "spam", "block")
    with_news(operator)
    assert operator.digest("run", "--yes", now=SUNDAY).code == 0
    with served(operator) as url:
        statuses = post_events(sunday.account, url)
    assert set(statuses) == {200}
    assert (
        state_of(operator, "bounce@test.example") == state_of(operator, "spam@test.example") == "suppressed"
    )
    assert state_of(operator, "block@test.example") == "active"
    with_news(operator, "Second", "2025-09-10")
    assert operator.digest("run", now=NEXT_SUNDAY).code == 0
    assert mailed(sunday).count("bounce@test.example") == 1
    assert mailed(sunday).count("block@test.example") == 2


def test_events_from_a_file_count_once_however_often(operator: Operator, sunday: FakeSendGrid) -> None:
    with_readers(operator, "ann", "bounce")
    with_news(operator)
    operator.digest("run", "--yes", now=SUNDAY)
    written(operator, sunday)
    first = operator.digest("events", "replay", "events.jsonl", "--json", now=LATER).document
    assert (first["new"], first["suppressed"]) == (first["events"], 1)
    again = operator.digest("events", "replay", "events.jsonl", "--json", now=LATER).document
    assert (again["events"], again["new"], again["suppressed"]) == (first["events"], 0, 0)


def test_of_a_file_only_events_are_taken_and_what_is_none_is_named(operator: Operator) -> None:
    bounce = '{"event": "bounce", "email": "ann@test.example", "timestamp": 1757264400}'
    operator.write("events.jsonl", f'{bounce}\n[1, 2]\n\n{{"a": 1}}\n[{bounce}, 7]\nsorry\n')
    done = operator.digest("events", "replay", "events.jsonl", "--json", now=LATER)
    assert (done.code, done.document["events"], done.document["new"]) == (1, 1, 1)
    assert [one["line"] for one in done.document["refused"]] == [2, 4, 5, 6]
    assert [line.split(": ")[0] for line in done.said.splitlines()] == [
        f"events.jsonl:{line}" for line in (2, 4, 5, 6)
    ]
    assert done.said.count('a text in "event"') == 4


def test_a_file_that_is_one_thing_and_no_event_stores_nothing(operator: Operator) -> None:
    operator.write("wrong.json", '{"a": 1}')
    done = operator.digest("events", "replay", "wrong.json", now=LATER)
    assert done.code == 1
    assert "wrong.json:1: " in done.said
    operator.write("right.json", '{"event": "open",\n "email": "ann@test.example"}')
    taken = operator.digest("events", "replay", "right.json", "--json", now=LATER)
    assert (taken.code, taken.document["new"]) == (0, 1)


def test_a_file_from_windows_is_read_and_a_time_that_is_none_is_refused(operator: Operator) -> None:
    operator.write("bom.json", '\ufeff[{"event": "open", "email": "ann@test.example", "timestamp": 5}]')
    assert operator.digest("events", "replay", "bom.json", "--json", now=LATER).document["new"] == 1
    operator.write("time.json", '[{"event": "bounce", "email": "ann@test.example", "timestamp": "x"}]')
    done = operator.digest("events", "replay", "time.json", now=LATER)
    assert done.code == 1
    assert "time.json:1: entry 1 has a timestamp of 'x'" in done.said


@pytest.mark.parametrize("content", ["", " \n\n", "[]"])
def test_a_file_without_events_is_said(operator: Operator, content: str) -> None:
    operator.write("empty.jsonl", content)
    done = operator.digest("events", "replay", "empty.jsonl", "--json", now=LATER)
    assert (done.code, done.document["events"]) == (1, 0)
    assert "empty.jsonl holds no events" in done.said


def test_a_closed_account_stops_runs_until_the_operator_says_it_is_open(
    operator: Operator, sunday: FakeSendGrid
) -> None:
    with_readers(operator, "ann")
    with_news(operator)
    account_status_change(sunday.account)
    written(operator, sunday)
    operator.digest("events", "replay", "events.jsonl", now=SUNDAY)
    done = operator.digest("run", "--yes", "--json", now=LATER)
    assert (done.code, run_of(done)["state"], mailed(sunday)) == (1, "paused", [])
    assert "digest events reopen" in done.said
    assert operator.digest("status", "--json", now=LATER).document["account_closed"] == "compliance_suspend"
    assert operator.digest("events", "reopen", "--why", "support said so", now=LATER).code == 0
    assert operator.digest("run", "resume", str(run_of(done)["id"]), now=LATER).code == 0
    assert operator.digest("run", now=LATER).code == 0
    assert mailed(sunday) == ["ann@test.example"]
    assert operator.digest("status", "--json", now=LATER).document["account_closed"] is None


def test_what_the_provider_dropped_is_seen_by_the_operator(operator: Operator, sunday: FakeSendGrid) -> None:
    with_readers(operator, "ann", "bob")
    with_news(operator)
    run = run_of(operator.digest("run", "--yes", "--json", now=SUNDAY))["id"]
    letters = sunday.account.messages
    operator.write(
        "dropped.json",
        json.dumps(
            [
                {"event": "delivered", "timestamp": 1757264460} | _about(letters[0]),
                {"event": "dropped", "timestamp": 1757264460, "reason": "Spam Content"} | _about(letters[1]),
            ]
        ),
    )
    assert operator.digest("events", "replay", "dropped.json", now=LATER).code == 0
    shown = operator.digest("run", "show", str(run), "--json", now=LATER).document
    assert shown["told_by_provider"] == {"delivered": 1, "dropped": 1}
    assert "delivered 1; dropped 1" in operator.digest("run", "show", str(run), now=LATER).out
    status = operator.digest("status", "--json", now=LATER).document
    assert status["letters_dropped"] == {str(run): "Spam Content"}
    (found,) = [
        one
        for one in operator.digest("doctor", "--json", now=LATER).document["findings"]
        if one["what"] == "dropped letters"
    ]
    assert (found["state"], "Spam Content" in found["says"]) == ("bad", True)


def _about(letter: Message) -> dict[str, object]:
    return {"email": letter.address, "sg_event_id": letter.sg_message_id, **letter.custom_args}


def test_explain_promises_no_letter_to_who_gets_none(operator: Operator, sunday: FakeSendGrid) -> None:
    with_readers(operator, "ann")
    with_news(operator)
    assert "the next one" in operator.digest("explain", "ann@test.example", now=SUNDAY).out
    assert operator.digest("subscriber", "leave", "ann@test.example", now=SUNDAY).code == 0
    done = operator.digest("explain", "ann@test.example", now=SUNDAY)
    assert "ann@test.example is left (" in done.said
    told = operator.digest("explain", "ann@test.example", "--json", now=SUNDAY).document
    assert told["status"] == "left"
    assert {line["letter"].partition(" (")[0] for line in told["lines"] if line["in"]} == {"none: left"}


# --- doubts ---------------------------------------------------------------------------------------


def in_doubt(operator: Operator, fake: FakeSendGrid, fault: Fault) -> str:  # noqa: F811
    """A run whose one request left and was not answered; its number."""
    with_readers(operator, "ann", "bob")
    with_news(operator)
    fake.account.faults.queue = [fault]
    done = operator.digest("run", "--yes", "--json", now=SUNDAY)
    assert (done.code, run_of(done)["uncertain"]) == (1, 2)
    return str(run_of(done)["id"])


def test_an_event_settles_what_was_in_doubt(operator: Operator, sunday: FakeSendGrid) -> None:
    run = in_doubt(operator, sunday, Fault("reset_after_accept"))
    written(operator, sunday)
    heard = operator.digest("events", "replay", "events.jsonl", "--json", now=LATER).document
    assert heard["settled"] == 1
    assert operator.digest("run", now=LATER).code == 0
    shown = operator.digest("run", "show", run, "--json", now=LATER).document
    assert (shown["state"], shown["handed_over"], shown["in_doubt"]) == ("completed", 2, [])


def test_the_operator_decides_with_the_evidence_beside(operator: Operator, sunday: FakeSendGrid) -> None:
    run = in_doubt(operator, sunday, Fault("status", 503))
    sunday.account.advance(1800)
    (doubt,) = operator.digest("run", "show", run, "--json", now=LATER).document["in_doubt"]
    assert (doubt["letters"], doubt["evidence"]) == (2, "not_found")
    assert doubt["readers"] == ["ann@test.example", "bob@test.example"]
    told = operator.digest("run", "show", run, now=LATER).out
    assert f"digest run settle {run} --batch {doubt['batch']} --as sent (or not-sent)" in told
    assert operator.digest("run", "settle", run, "--as", "maybe", now=LATER).code == 2
    for dry in ([], ["--dry-run"]):
        assert (
            operator.digest("run", "settle", run, "--batch", "7", "--as", "sent", *dry, now=LATER).code == 1
        )
        assert operator.digest("run", "settle", "99", "--as", "sent", *dry, now=LATER).code == 1
    assert operator.digest("run", "settle", run, "--as", "not-sent", now=LATER).code == 0
    assert operator.digest("run", now=LATER).code == 0
    assert mailed(sunday) == ["ann@test.example", "bob@test.example"]


def test_not_sent_is_what_the_logs_do_not_hold_some_minutes_later(
    operator: Operator, sunday: FakeSendGrid
) -> None:
    run = in_doubt(operator, sunday, Fault("status", 503))
    assert operator.digest("status", "--json", now=LATER).document["letters_in_doubt"] == {run: 2}
    assert f"2 of run {run}: `digest run show {run}`" in operator.digest("status", now=LATER).out
    soon = "2025-09-07T18:05:00+01:00"
    early = operator.digest("run", "settle", run, "--as", "not-sent", now=soon)
    assert early.code == 1
    assert "2 letters still in doubt" in early.said
    assert "--certain" in early.said
    assert operator.digest("run", now=soon).code == 1
    assert mailed(sunday) == []
    sure = operator.digest("run", "settle", run, "--as", "not-sent", "--certain", now=soon)
    assert (sure.code, "1 batch of 2 letters settled as not-sent" in sure.said) == (0, True)


def test_letters_that_the_logs_hold_are_not_sent_again_whatever_the_operator_says(
    operator: Operator, sunday: FakeSendGrid
) -> None:
    run = in_doubt(operator, sunday, Fault("reset_after_accept"))
    sunday.account.advance(1800)
    done = operator.digest("run", "settle", run, "--as", "not-sent", now=LATER)
    assert done.code == 0
    assert "2 letters found in Email Logs: they count as sent" in done.said
    assert operator.digest("run", now=LATER).code == 0
    assert mailed(sunday) == ["ann@test.example", "bob@test.example"]
    assert operator.digest("run", "show", run, "--json", now=LATER).document["handed_over"] == 2


def test_in_a_cancelled_run_not_sent_is_said_to_be_cancelled(
    operator: Operator, sunday: FakeSendGrid
) -> None:
    run = in_doubt(operator, sunday, Fault("status", 503))
    assert operator.digest("run", "cancel", run, now=LATER).code == 0
    would = operator.digest("run", "settle", run, "--as", "not-sent", "--dry-run", now=LATER)
    assert "2 letters in doubt would be cancelled" in would.said
    done = operator.digest("run", "settle", run, "--as", "not-sent", now=LATER)
    assert "their news goes into the next digest" in done.said
    assert "nothing is due" in operator.digest("run", now=LATER).said


# --- stop and go ----------------------------------------------------------------------------------


def test_a_run_can_be_looked_at_paused_resumed_and_cancelled(
    operator: Operator, sunday: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SENDGRID__CONNECTIONS", "1")
    monkeypatch.setenv("DIGEST_SENDGRID__BATCH_SIZE", "1")
    with_readers(operator, "ann", "bob", "cid")
    with_news(operator)
    sunday.account.faults.queue = [None, Fault("status", 401)]
    held = operator.digest("run", "--yes", "--json", now=SUNDAY)
    run = str(run_of(held)["id"])
    assert (run_of(held)["state"], run_of(held)["open"]) == ("paused", 2)
    assert operator.digest("run", "list", "--json", now=LATER).document["runs"][0]["state"] == "paused"
    assert operator.digest("run", "resume", run, now=LATER).code == 0
    # What was put off for the refused key waits for nothing any more, and says so.
    waits = operator.digest("run", "show", run, "--json", now=LATER).document["waits_for"]
    assert waits == []
    assert operator.digest("run", "pause", run, "--why", "wait", now=LATER).code == 0
    assert operator.digest("run", now=LATER).code == 1
    assert len(mailed(sunday)) == 1
    would = operator.digest("run", "--dry-run", now=LATER).said
    assert f"not continued before `digest run resume {run}`: wait" in would
    assert operator.digest("run", "cancel", run, now=LATER).code == 0
    assert "cancelled already" in operator.digest("run", "cancel", run, now=LATER).said
    assert operator.digest("run", now=LATER).code == 0
    last = operator.digest("run", "show", run, "--json", now=LATER).document
    assert (last["handed_over"], last["cancelled"], last["open"]) == (1, 2, 0)
    # What was cancelled is said in the next letter, to those who have not had it.
    with_news(operator, "Second", "2025-09-10")
    assert operator.digest("run", now=NEXT_SUNDAY).code == 0
    assert [mailed(sunday).count(f"{name}@test.example") for name in ("ann", "bob", "cid")].count(1) == 2


def test_letters_wait_for_the_morning_and_the_run_says_so(operator: Operator, sunday: FakeSendGrid) -> None:
    with_readers(operator, "ann", "bob")
    with_news(operator)
    sunday.account.faults.queue = [Fault("status", 401)]
    run = str(run_of(operator.digest("run", "--yes", "--json", now=SUNDAY))["id"])
    assert operator.digest("run", "resume", run, now=LATER).code == 0
    night = operator.digest("run", now="2025-09-08T03:00+01:00")
    assert night.code == 1
    assert "2 letters wait until 2025-09-08T05:00:00Z: digests leave between 06:00-22:00" in night.said
    shown = operator.digest("run", "show", run, "--json", now="2025-09-08T03:00+01:00").document
    assert [(one["letters"], one["until"]) for one in shown["waits_for"]] == [(2, "2025-09-08T05:00:00Z")]
    assert mailed(sunday) == []
    assert operator.digest("run", now="2025-09-08T06:00+01:00").code == 0
    assert mailed(sunday) == ["ann@test.example", "bob@test.example"]


def test_a_run_says_what_its_letters_wait_for_and_who_was_refused(
    operator: Operator, sunday: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SENDGRID__CONNECTIONS", "1")
    monkeypatch.setenv("DIGEST_SENDGRID__BATCH_SIZE", "1")
    with_readers(operator, "ann", "bob")
    with_news(operator)
    sunday.account.faults.queue = [Fault("status", 413), Fault("status", 429, retry_after_s=3600)]
    done = operator.digest("run", "--yes", "--patience", "1s", now=SUNDAY)
    assert done.code == 1
    assert "1 letter was refused: SendGrid refuses the letter (413" in done.said
    assert "1 letter waits until 2025-09-07T18:00:0" in done.said
    assert "waiting for up to" not in done.said
    shown = operator.digest("run", "show", "1", "--json", now=LATER).document
    assert [one["letters"] for one in shown["refusals"]] == [1]
    assert "asks to slow down" in shown["waits_for"][-1]["why"]
    told = operator.digest("run", "show", "1", now=LATER).out
    assert "1 letter until 2025-09-07T18:00:0" in told
    assert "1 letter: SendGrid refuses the letter (413" in told
    assert len(shown["refused_readers"]) == 1


def test_a_paused_run_is_no_success_even_when_all_its_letters_are_empty(
    operator: Operator, sunday: FakeSendGrid
) -> None:
    with_readers(operator, "ann")
    with_news(operator)
    assert operator.digest("run", "--yes", now=SUNDAY).code == 0
    at = int(sunday.account.now())
    change = {"event": "account_status_change", "type": "compliance_suspend", "timestamp": at}
    operator.write("closed.jsonl", json.dumps([change]))
    assert operator.digest("events", "replay", "closed.jsonl", now=LATER).code == 0
    done = operator.digest("run", now=NEXT_SUNDAY)
    assert (done.code, "is paused: SendGrid has closed the account" in done.said) == (1, True)


# --- addresses never to be mailed -----------------------------------------------------------------------


def test_the_providers_lists_are_read_before_letters_leave(operator: Operator, sunday: FakeSendGrid) -> None:
    with_readers(operator, "ann", "bob")
    with_news(operator)
    created = int(sunday.account.now()) - 86_400
    entry = {"created": created, "email": "bob@test.example", "reason": "550 gone", "status": "5.1.1"}
    sunday.account.suppressions["bounces"]["bob@test.example"] = entry
    assert operator.digest("run", "--yes", now=SUNDAY).code == 0
    assert mailed(sunday) == ["ann@test.example"]
    found = operator.digest("suppression", "list", "bob@test.example", "--json", now=LATER).document
    assert [one["reason"] for one in found["suppressions"]] == ["bounce"]
    done = operator.digest("suppression", "sync", "--json", now=LATER).document
    assert (done["new"], done["until"]) == (0, "2025-09-07T17:30:00Z")


def test_a_key_that_may_not_read_the_lists_is_named_with_its_mend(
    operator: Operator, sunday: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.wrong")
    done = operator.digest("suppression", "sync", now=LATER)
    assert done.code == 1
    assert "answers 401" in done.said
    assert "put it into sendgrid.api_key" in done.said


def test_an_operator_adds_and_removes_suppressions(operator: Operator) -> None:
    with_readers(operator, "ann")
    assert operator.digest("suppression", "add", "Ann@test.example", "--why", "asked by letter").code == 0
    assert state_of(operator, "ann@test.example") == "suppressed"
    assert "1 operator" in operator.digest("suppression", "list").said
    assert operator.digest("suppression", "remove", "ann@test.example", "--why", "asked again").code == 0
    assert operator.digest("suppression", "list", "--json").document["counts"] == {}
    assert "nothing stands" in operator.digest("suppression", "remove", "x@test.example", "--why", "-").said
    assert operator.digest("suppression", "sync").code == 2


# --- the fake as a command --------------------------------------------------------------------------------


def test_the_fake_provider_says_how_to_be_used_and_takes_letters(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with process(operator, "fake-sendgrid", "--port", "0") as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        for name, value in {
            "DIGEST_SENDER": "sendgrid",
            "DIGEST_SENDGRID__BASE_URL": url,
            "SENDGRID_API_KEY": "SG.fake",
            "DIGEST_PUBLICATION__FROM": "digest@aber.example",
            "DIGEST_SAFETY__LIVE": "true",
        }.items():
            monkeypatch.setenv(name, value)
        with_readers(operator, "ann")
        with_news(operator)
        run = run_of(operator.digest("run", "--yes", "--json", now=SUNDAY))
    assert run["handed_over"] == 1
