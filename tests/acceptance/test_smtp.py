"""An operator with nothing but a mail server: letters go by SMTP. Told through commands, at the real hour."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from tests.acceptance.conftest import Operator
from tests.acceptance.test_live import SUMMARY, run_of
from tests.integration.test_smtp import Mailboxes, controller, tls  # noqa: F401
from tests.unit.deliver.certificates import certificate_file

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("ann", "bob", "cid")


@pytest.fixture
def mailboxes() -> Mailboxes:
    return Mailboxes()


@pytest.fixture
def server(mailboxes: Mailboxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Controller]:
    """A mail server that wants STARTTLS, which this operator's machine trusts."""
    import ssl

    file = certificate_file(tmp_path)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(file)
    running = controller(mailboxes, tls_context=theirs, require_starttls=True)
    running.start()
    settings = {
        "SSL_CERT_FILE": str(file),
        "DIGEST_SENDER": "smtp",
        "DIGEST_SMTP__HOST": "127.0.0.1",
        "DIGEST_SMTP__PORT": str(running.port),
        "DIGEST_PUBLICATION__FROM": "digest@aber.example",
        "DIGEST_SCHEDULE__SEND_BETWEEN": "00:00-24:00",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    yield running
    running.stop()


@pytest.fixture
def ready(operator: Operator, server: Controller, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Three readers whose slot was a little while ago, and news for them; live from now on."""
    now = datetime.now(UTC)
    slot = now - timedelta(minutes=now.minute % 15)
    rows = [
        f"{name}@test.example,aber,daily,{slot:%H:%M},UTC,form,{(now - timedelta(days=3)).isoformat()}"
        for name in NAMES
    ]
    head = "email,councils,cadence,time,timezone,consent_source,consent_at"
    operator.write("readers.csv", "\n".join([head, *rows]))
    before = (slot - timedelta(hours=10)).isoformat()
    assert operator.digest("subscriber", "import", "readers.csv", now=before).code == 0
    operator.write("news.md", SUMMARY.format(title="First", day=f"{now - timedelta(days=2):%Y-%m-%d}"))
    assert operator.digest("summary", "import", "news.md", now=before).code == 0
    monkeypatch.setenv("DIGEST_SAFETY__LIVE", "true")
    return operator


def typed(operator: Operator, words: str) -> tuple[int, str]:
    """`digest run` at a terminal at which somebody types; its exit code and what the terminal showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "digest", "run"],
        cwd=operator.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the terminal's end
        while part := os.read(ours, 4096):
            shown += part
            if b"to go on" in shown and words:
                os.write(ours, words.encode() + b"\n")
                words = ""
    os.close(ours)
    return process.wait(), shown.decode()


def taken(mailboxes: Mailboxes) -> list[str]:
    return sorted(address for envelope in mailboxes.taken for address in envelope.rcpt_tos)


def test_the_first_live_run_goes_when_its_number_is_typed_and_only_then(
    ready: Operator, mailboxes: Mailboxes
) -> None:
    code, shown = typed(ready, "30")
    assert (code, taken(mailboxes)) == (2, [])
    assert "live run through smtp at 127.0.0.1" in shown
    assert "writes to 3 readers" in shown
    code, _ = typed(ready, "3")
    assert (code, taken(mailboxes)) == (0, [f"{name}@test.example" for name in NAMES])
    assert all(b"agreed what it had to agree" in (e.content or b"") for e in mailboxes.taken)


def test_a_mailbox_that_the_server_does_not_know_costs_one_letter(
    ready: Operator, mailboxes: Mailboxes
) -> None:
    mailboxes.answers["bob@test.example"] = "550 5.1.1 no such user"
    run = run_of(ready.digest("run", "--yes", "--json", now=None))
    assert (run["handed_over"], run["bad_address"]) == (2, 1)
    assert taken(mailboxes) == ["ann@test.example", "cid@test.example"]


@pytest.mark.parametrize("word", ["sent", "not-sent"])
def test_a_line_that_breaks_in_the_letter_is_in_doubt_until_an_operator_says_so(
    ready: Operator, mailboxes: Mailboxes, word: str
) -> None:
    mailboxes.answers["DATA"] = "HANG UP"
    done = ready.digest("run", "--yes", "--json", now=None)
    run = run_of(done)
    assert (done.code, run["uncertain"], run["state"]) == (1, 3, "paused")
    assert "in doubt" in done.said
    shown = ready.digest("run", "show", str(run["id"]), "--json", now=None).document
    assert [doubt["letters"] for doubt in shown["in_doubt"]] == [1, 1, 1]
    first, had = shown["in_doubt"][0]["batch"], len(mailboxes.taken)
    mailboxes.answers.clear()
    again = ready.digest("run", "settle", str(run["id"]), "--batch", str(first), "--as", word, now=None)
    assert again.code == 0
    assert ready.digest("run", "settle", str(run["id"]), "--as", "sent", now=None).code == 0
    ready.digest("run", "resume", str(run["id"]), now=None)
    last = ready.digest("run", now=None)
    assert last.code == 0
    assert len(mailboxes.taken) - had == (1 if word == "not-sent" else 0)
    counts = ready.digest("run", "list", "--json", now=None).document["runs"][0]
    assert (counts["handed_over"], counts["uncertain"], counts["state"]) == (3, 0, "completed")


def test_a_server_without_starttls_gets_nothing_and_the_run_says_what_to_mend(
    ready: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Mailboxes()
    running = controller(plain)
    running.start()
    monkeypatch.setenv("DIGEST_SMTP__PORT", str(running.port))
    done = ready.digest("run", "--yes", "--json", now=None)
    running.stop()
    assert (done.code, plain.taken) == (1, [])
    assert run_of(done)["state"] == "paused"
    assert "smtp.security" in done.said


def test_what_the_server_said_of_an_address_is_told(ready: Operator, mailboxes: Mailboxes) -> None:
    mailboxes.answers[f"{NAMES[0]}@test.example"] = f"550 5.1.1 <{NAMES[0]}@test.example>: no such user"
    assert ready.digest("run", "--yes", now=None).code == 0
    run = str(ready.digest("run", "list", "--json", now=None).document["runs"][0]["id"])
    shown = ready.digest("run", "show", run, "--json", now=None).document
    assert shown["bad_addresses"] == [f"{NAMES[0]}@test.example"]
    assert shown["why_bad"] == {f"{NAMES[0]}@test.example": "550 5.1.1 <[address]>: no such user"}
    assert f"{NAMES[0]}@test.example: 550 5.1.1" in ready.digest("run", "show", run, now=None).out
