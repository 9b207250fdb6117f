"""An operator goes live, carefully: nothing leaves before it is meant to. Told through commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from digest.deliver.fake_sendgrid import FakeSendGrid, Fault, serve
from tests.acceptance.conftest import Done, Operator

SUNDAY = "2025-09-07T18:00:00+01:00"
NEXT_SUNDAY = "2025-09-14T18:00:00+01:00"
SUMMARY = """---
council: aber
committee: Planning
title: {title}
starts_at: {day}T10:00
url: https://aber.example/{title}
origin: human
---
The committee agreed what it had to agree.
"""


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSendGrid]:
    with serve() as running:
        monkeypatch.setenv("DIGEST_SENDER", "sendgrid")
        monkeypatch.setenv("DIGEST_SENDGRID__BASE_URL", running.url)
        monkeypatch.setenv("SENDGRID_API_KEY", "SG.fake")
        monkeypatch.setenv("DIGEST_PUBLICATION__FROM", "digest@aber.example")
        yield running


@pytest.fixture
def live(fake: FakeSendGrid, monkeypatch: pytest.MonkeyPatch) -> FakeSendGrid:
    monkeypatch.setenv("DIGEST_SAFETY__LIVE", "true")
    return fake


def with_readers(operator: Operator, *names: str, domain: str = "test.example") -> None:
    rows = [f"{name}@{domain},aber,form,2025-09-01T10:00:00Z" for name in names]
    operator.write("readers.csv", "\n".join(["email,councils,consent_source,consent_at", *rows]))
    assert operator.digest("subscriber", "import", "readers.csv").code == 0


def with_news(operator: Operator, title: str = "First", day: str = "2025-09-03") -> None:
    operator.write("news.md", SUMMARY.format(title=title, day=day))
    assert operator.digest("summary", "import", "news.md", now=f"{day}T20:00:00Z").code == 0


def mailed(fake: FakeSendGrid) -> list[str]:
    return sorted(message.address for message in fake.account.messages)


def files(folder: Path) -> int:
    return len(list(folder.glob("outbox/*/*.eml")))


def run_of(done: Done) -> dict[str, Any]:
    (run,) = done.document["runs"]
    return dict(run)


def test_not_live_only_the_allow_list_is_mailed_and_the_rest_is_held_back(
    operator: Operator, fake: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SAFETY__ALLOW_LIST", "Ann@test.example, @office.example")
    with_readers(operator, "ann", "bob", "cid")
    with_readers(operator, "dee", domain="office.example")
    with_news(operator)
    done = operator.digest("run", "--json", now=SUNDAY)
    assert done.code == 0
    assert (run_of(done)["handed_over"], run_of(done)["held_back"]) == (2, 2)
    assert mailed(fake) == ["ann@test.example", "dee@office.example"]
    assert files(operator.folder) == 2


def test_what_was_held_back_is_said_in_the_first_live_letter(
    operator: Operator, fake: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_readers(operator, "bob")
    with_news(operator)
    assert run_of(operator.digest("run", "--json", now=SUNDAY))["held_back"] == 1
    monkeypatch.setenv("DIGEST_SAFETY__LIVE", "true")
    assert operator.digest("run", "--yes", now=NEXT_SUNDAY).code == 0
    (letter,) = fake.account.messages
    assert "agreed what it had to agree" in letter.mime().as_string()


def test_the_first_live_run_without_a_typed_number_sends_nothing(
    operator: Operator, live: FakeSendGrid
) -> None:
    with_readers(operator, "ann", "bob")
    with_news(operator)
    done = operator.digest("run", now=SUNDAY)
    assert done.code == 2
    assert "2 readers" in done.said
    assert "--yes" in done.said
    assert mailed(live) == []


def test_a_rehearsal_with_one_provider_confirms_no_other(
    operator: Operator, live: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_readers(operator, "ann")
    with_news(operator)
    dry = operator.digest("run", "--dry-run", "--json", now=SUNDAY).document
    assert (dry["live"], dry["first_live_run_asks_for"]) == (True, 1)
    assert operator.digest("run", "--yes", now=SUNDAY).code == 0
    with_news(operator, "Second", "2025-09-10")
    with serve() as other:
        monkeypatch.setenv("DIGEST_SENDGRID__BASE_URL", other.url)
        dry = operator.digest("run", "--dry-run", now=NEXT_SUNDAY)
        assert "asks for its number of letters, 1, or --yes" in dry.said
        assert operator.digest("run", now=NEXT_SUNDAY).code == 2
        assert mailed(other) == []
        assert operator.digest("scheduler", "--once", now=NEXT_SUNDAY).code == 1
        assert mailed(other) == []


def test_a_dry_run_says_that_nobody_gets_mail(operator: Operator, fake: FakeSendGrid) -> None:
    with_readers(operator, "bob")
    with_news(operator)
    assert "safety.live is false" in operator.digest("run", "--dry-run", now=SUNDAY).said


def test_once_confirmed_later_live_runs_ask_no_more(operator: Operator, live: FakeSendGrid) -> None:
    with_readers(operator, "ann")
    with_news(operator)
    assert operator.digest("run", "--yes", now=SUNDAY).code == 0
    with_news(operator, "Second", "2025-09-10")
    assert operator.digest("run", now=NEXT_SUNDAY).code == 0
    assert mailed(live) == ["ann@test.example"] * 2


def test_a_run_far_larger_than_the_last_waits_until_it_is_resumed(
    operator: Operator, live: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SAFETY__GROWTH_FROM", "3")
    with_readers(operator, "ann")
    with_news(operator)
    assert operator.digest("run", "--yes", now=SUNDAY).code == 0
    with_readers(operator, "bob", "cid")
    with_news(operator, "Second", "2025-09-10")
    held = operator.digest("run", "--json", now=NEXT_SUNDAY)
    assert held.code == 1
    assert "3 readers are due and were 1 last time" in held.said
    assert mailed(live) == ["ann@test.example"]
    run = str(run_of(held)["id"])
    assert operator.digest("run", "resume", run, now=NEXT_SUNDAY).code == 0
    assert operator.digest("run", now=NEXT_SUNDAY).code == 0
    assert len(mailed(live)) == 4


def test_the_clock_cannot_be_set_while_letters_reach_people(
    operator: Operator, live: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SENDGRID__BASE_URL", "https://api.sendgrid.com")
    done = operator.digest("run", "list", now=SUNDAY)
    assert done.code == 2
    assert "--now" in done.said


def test_too_many_refusals_pause_the_run_and_say_why(
    operator: Operator, live: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SENDGRID__CONNECTIONS", "1")
    monkeypatch.setenv("DIGEST_SENDGRID__BATCH_SIZE", "1")
    monkeypatch.setenv("DIGEST_SAFETY__REFUSED_FROM", "2")
    with_readers(operator, "ann", "bob", "cid", "dee")
    with_news(operator)
    live.account.faults.queue = [Fault("status", 413), Fault("status", 413)]
    done = operator.digest("run", "--yes", "--json", now=SUNDAY)
    run = run_of(done)
    assert (done.code, run["state"], run["refused"], run["open"]) == (1, "paused", 2, 2)
    assert "413" in done.said
