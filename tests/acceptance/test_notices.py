"""Notices as an operator and a resident meet them: commands, and files in the outbox."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from tests.acceptance.conftest import Operator

CONSENT = ("--confirmed", "--consent-source", "form")
LATER = "2025-09-04T09:30:00Z"
SUNDAY = "2025-09-07T18:00:00+01:00"


def letters(operator: Operator) -> list[EmailMessage]:
    files = sorted((operator.folder / "outbox").rglob("*.eml"), key=lambda p: int(p.parent.name))
    found = [message_from_bytes(file.read_bytes(), policy=default) for file in files]
    return [letter for letter in found if isinstance(letter, EmailMessage)]


def add(operator: Operator, name: str, *words: str) -> None:
    done = operator.digest("subscriber", "add", f"{name}@example.org", "--council", "aber", *words)
    assert done.code == 0, done.said


def text_of(letter: EmailMessage) -> str:
    body = letter.get_body(("plain",))
    assert body is not None
    return re.sub(r"\s+", " ", str(body.get_content()))


def test_who_is_added_without_a_consent_is_asked_by_the_next_run_and_only_once(operator: Operator) -> None:
    add(operator, "ada")
    (run,) = operator.digest("run", "--json").document["runs"]
    assert (run["kind"], run["due"], run["handed_over"]) == ("confirm", 1, 1)
    assert operator.digest("run", "--json").document == {"runs": []}
    (letter,) = letters(operator)
    assert letter["To"] == "ada@example.org"
    assert re.search(r"http://localhost:8000/confirm/[\w-]{37}", text_of(letter))
    assert operator.digest("db", "check").code == 0


def test_an_unconfirmed_reader_gets_no_digest(operator: Operator) -> None:
    add(operator, "ada")
    operator.digest("run", now=LATER)
    for _ in range(2):
        assert operator.digest("run", now=SUNDAY).code == 0
    assert [letter["Subject"] for letter in letters(operator)] == ["Please confirm: your digest of Aber"]


def test_people_of_a_list_are_asked_when_an_operator_says_so(operator: Operator) -> None:
    operator.write("list.csv", "email,councils,status\nada@example.org,aber,pending\n")
    assert operator.digest("subscriber", "import", "list.csv").code == 0
    assert operator.digest("run", "--json").document == {"runs": []}
    assert operator.digest("subscriber", "ask", "ada@example.org").code == 0
    assert operator.digest("subscriber", "ask", "ada@example.org").code == 1
    operator.digest("run")
    assert len(letters(operator)) == 1


def test_a_link_is_sent_again_on_request(operator: Operator) -> None:
    add(operator, "ada", *CONSENT)
    assert operator.digest("subscriber", "link", "ada@example.org").code == 0
    assert operator.digest("notice", "send").code == 0
    (letter,) = letters(operator)
    assert "/preferences/" in text_of(letter)
    done = operator.digest("subscriber", "link", "nobody@example.org")
    assert (done.code, "nobody is subscribed" in done.said) == (1, True)


def test_an_operator_s_words_reach_readers_after_approval(operator: Operator) -> None:
    for name in ("ada", "ben"):
        add(operator, name, *CONSENT)
    add(operator, "pia")
    operator.write("move.md", "# We move house\n\nFrom October [we write](https://x.example/) from there.\n")
    dry = operator.digest("notice", "service", "move.md", "--dry-run", "--json").document
    assert dry == {"readers": 2}
    assert operator.digest("notice", "list", "--json").document == {"notices": []}
    made = operator.digest("notice", "service", "move.md", "--council", "aber", "--json").document
    assert (made["readers"], made["notice"]["state"]) == (2, "waiting")
    id_ = str(made["notice"]["id"])
    shown = operator.digest("notice", "show", id_).out
    assert "From October we write (https://x.example/) from there." in shown
    operator.digest("notice", "send")
    assert "We move house" not in [letter["Subject"] for letter in letters(operator)]
    assert "waits for approval" in operator.digest("notice", "send").said
    assert operator.digest("notice", "approve", id_).code == 0
    operator.digest("run")
    got = {str(one["To"]) for one in letters(operator) if one["Subject"] == "We move house"}
    assert got == {"ada@example.org", "ben@example.org"}
    letters_of_it = operator.digest("notice", "show", id_, "--json").document["letters"]
    assert letters_of_it["handed_over"] == 2


def test_a_dropped_notice_never_goes(operator: Operator) -> None:
    add(operator, "ada", *CONSENT)
    operator.write("move.md", "# We move\n\nSoon.\n")
    id_ = str(operator.digest("notice", "service", "move.md", "--json").document["notice"]["id"])
    assert operator.digest("notice", "drop", id_).code == 0
    operator.digest("notice", "approve", id_)
    operator.digest("run")
    assert letters(operator) == []


def test_who_waited_is_told_that_a_council_is_supported(operator: Operator) -> None:
    add(operator, "ada", *CONSENT)
    assert operator.digest("notice", "supported", "aber", "--dry-run").said.startswith("1 reader would")
    assert operator.digest("notice", "supported", "aber").code == 0
    assert operator.digest("notice", "supported", "aber").code == 0
    operator.digest("run")
    assert [letter["Subject"] for letter in letters(operator)] == ["Now with summaries: Aber"]


@pytest.mark.parametrize(
    ("content", "more", "code", "says"),
    [
        ("no heading", (), 2, "move.md:1: begin with the letter's subject"),
        ("# Title only\n", (), 1, "at least one paragraph"),
        ("# Title\n\nWords", ("--tier", "vip"), 2, "--tier 'vip' is unknown"),
        ("# Title\n\nWords", ("--council", "abre"), 1, "abre"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_nothing_is_stored(
    operator: Operator, content: str, more: tuple[str, ...], code: int, says: str
) -> None:
    operator.write("move.md", content)
    done = operator.digest("notice", "service", "move.md", *more)
    assert (done.code, says in done.said) == (code, True), done.said
    assert operator.digest("notice", "list", "--json").document == {"notices": []}


def test_runs_say_of_which_kind_they_are(operator: Operator) -> None:
    add(operator, "ada")
    operator.digest("run")
    assert [run["kind"] for run in operator.digest("run", "list", "--json").document["runs"]] == ["confirm"]
    assert "confirm" in operator.digest("run", "list").out
