"""What happened, told at a terminal: one letter's story, and who did what."""

from __future__ import annotations

import pytest

from tests.acceptance.conftest import Operator

SUNDAY = "2025-09-07T18:00:00+01:00"
SUMMARY = """---
council: aber
committee: Cabinet
starts_at: 2025-09-03T18:00
questions: ["What will the harbour cost?"]
origin: human
---
The cabinet agreed to mend the harbour wall for £2 million.
"""


@pytest.fixture
def told(operator: Operator) -> Operator:
    """Ada has had one letter, about the harbour."""
    operator.digest("subscriber", "add", "ada@example.org", "--council", "aber", "--confirmed",
                    "--consent-source", "form")  # fmt: skip
    assert operator.digest("summary", "import", str(operator.write("harbour.md", SUMMARY))).code == 0
    assert operator.digest("run", "--at", SUNDAY, "--yes").code == 0
    return operator


def audit(operator: Operator, *words: str) -> list[tuple[str, str]]:
    lines = operator.digest("audit", "--json", *words).document["audit"]
    assert {one["actor"] for one in lines} <= {"command line"}
    return [(one["action"], one["subject"]) for one in lines]


def test_a_letter_is_found_by_address_and_tells_its_whole_story_by_id(told: Operator) -> None:
    (letter,) = [
        one
        for one in told.digest("letter", "list", "ada@example.org", "--json").document["letters"]
        if one["kind"] == "digest"
    ]
    assert letter["standing"] == "handed_over"
    story = told.digest("letter", "show", letter["id"], "--json").document
    assert "harbour" in story["subject"]
    assert [one["told"] for one in story["items"]] == ["named"]
    assert [(one["attempt"], one["state"]) for one in story["attempts"]] == [(1, "handed_over")]
    printed = told.digest("letter", "show", letter["id"])
    assert letter["id"] in printed.out
    assert "ada@example.org" in printed.out


def test_an_unknown_letter_or_address_is_named(told: Operator) -> None:
    nobody = told.digest("letter", "list", "nobody@example.org")
    assert (nobody.code, "nobody@example.org" in nobody.said) == (1, True)
    assert told.digest("letter", "show", "0" * 30).code != 0
    assert told.digest("letter", "show", "what").code != 0


def test_what_is_done_at_a_terminal_is_in_the_audit_by_id_and_never_by_address(told: Operator) -> None:
    told.digest("council", "set", "aber", "--approval", "approval")
    told.digest("subscriber", "pause", "ada@example.org", "--until", "2025-10-01")
    told.digest("subscriber", "resume", "ada@example.org")
    told.digest("summary", "withdraw", "1", "--why", "It was about another harbour.")
    told.digest("subscriber", "leave", "ada@example.org")
    told.digest("subscriber", "erase", "ada@example.org")
    told.digest("subscriber", "erase", "ada@example.org")
    assert audit(told)[:6] == [
        ("subscriber erased", "subscriber:1"),
        ("subscriber left", "subscriber:1"),
        ("summary withdrawn", "summary:1"),
        ("subscriber resumed", "subscriber:1"),
        ("subscriber paused", "subscriber:1"),
        ("council changed", "council:aber"),
    ]
    assert "ada@" not in told.digest("audit", "--most", "100").out
    changed, _ = told.digest("audit", "--subject", "council:aber", "--json").document["audit"]
    assert changed["facts"] == {"before": {"approval": "auto"}, "after": {"approval": "approval"}}


def test_who_and_what_came_in_is_noted_once(operator: Operator) -> None:
    readers = operator.write("readers.csv", "email,councils,consent_source\nbo@example.org,aber,paper\n")
    summary = operator.write("harbour.md", SUMMARY)
    for _ in range(2):
        operator.digest("subscriber", "add", "ada@example.org", "--council", "aber")
        assert operator.digest("subscriber", "import", str(readers)).code == 0
        assert operator.digest("summary", "import", str(summary)).code == 0
    assert audit(operator)[:3] == [
        ("summary imported", "summary:1"),
        ("subscribers imported", "subscribers"),
        ("subscriber added", "subscriber:1"),
    ]
    (came,) = operator.digest("audit", "--subject", "subscribers", "--json").document["audit"]
    assert came["facts"] == {"file": "readers.csv", "imported": 1, "updated": 0}


def test_a_council_that_is_set_as_it_was_leaves_no_trace(told: Operator) -> None:
    told.digest("council", "set", "aber", "--approval", "auto")
    assert audit(told, "--subject", "council:aber") == [("council added", "council:aber")]


def test_feeds_are_noted_with_their_council_once(told: Operator) -> None:
    feed = "https://democracy.aber.example/mgRss.aspx"
    for _ in range(2):
        assert told.digest("feed", "add", "aber", feed).code == 0
    told.digest("feed", "set", feed, "--committees", "101")
    assert audit(told, "--subject", "council:aber") == [
        ("feed changed", "council:aber"),
        ("feed added", "council:aber"),
        ("council added", "council:aber"),
    ]


def test_what_came_too_late_is_not_noted_as_done(told: Operator) -> None:
    (run,) = [r["id"] for r in told.digest("run", "list", "--json").document["runs"] if r["kind"] == "digest"]
    assert "over" in told.digest("run", "pause", str(run)).said
    told.digest("run", "settle", str(run), "--as", "sent")
    assert audit(told, "--subject", f"run:{run}") == []


def test_what_would_be_told_or_forgotten_can_be_asked_before(told: Operator) -> None:
    (run,) = [r["id"] for r in told.digest("run", "list", "--json").document["runs"] if r["kind"] == "digest"]
    notice = told.write("words.md", "# Moved\n\nWe have a new address.\n")
    assert told.digest("notice", "service", str(notice)).code == 0
    for words, said in (
        (("summary", "approve", "1"), "summary 1 is published: there is nothing to approve"),
        (("summary", "withdraw", "1"), "1 letter has said it"),
        (("subscriber", "erase", "ada@example.org"), "ada@example.org (active) would be forgotten"),
        (("run", "cancel", str(run)), "at most 0 letters would be cancelled"),
        (("notice", "approve", "1"), "1 reader would get notice 1"),
        (("subscriber", "link", "ada@example.org"), "ada@example.org would get a letter"),
        (("run", "settle", str(run), "--as", "not-sent"), "0 letters in doubt would go again"),
    ):
        done = told.digest(*words, "--dry-run")
        assert (done.code, said in done.said, "nothing was changed" in done.said) == (0, True, True), done
    assert told.digest("subscriber", "show", "ada@example.org", "--json").document["status"] == "active"
    assert told.digest("summary", "list", "--json").document["summaries"][0]["state"] == "published"
    assert told.digest("notice", "show", "1", "--json").document["state"] == "waiting"
