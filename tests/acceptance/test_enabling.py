"""A council with limited support gets full support: its recent news is mailed once, who waited is told."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.conftest import Operator

SUMMARY = """---
council: aber
committee: Cabinet
starts_at: {day}T18:00
url: https://aber.example/meetings/{day}
questions: ["{question}"]
origin: human
---
The cabinet decided.
"""
SUNDAY = "2025-09-07T18:00:00+01:00"


def letters(operator: Operator) -> str:
    return "\n".join(
        path.read_text(encoding="utf-8") for path in sorted(Path(operator.folder, "outbox").rglob("*.eml"))
    )


def waiting(operator: Operator) -> Operator:
    """Aber with limited support, two public summaries (one long ago), and a reader who waits."""
    operator.digest("council", "set", "aber", "--support", "limited")
    operator.write("old.md", SUMMARY.format(day="2025-08-01", question="Is the bridge shut?"))
    operator.write("new.md", SUMMARY.format(day="2025-09-03", question="Is the library open?"))
    assert operator.digest("summary", "import", "old.md", "new.md").code == 0
    operator.write("people.csv", "email,councils,status\nann@example.org,aber,active\n")
    assert operator.digest("subscriber", "import", "people.csv").code == 0
    return operator


def test_a_rehearsal_says_who_would_get_what_and_changes_nothing(operator: Operator) -> None:
    done = waiting(operator).digest("council", "enable", "aber", "--dry-run", "--json")
    assert done.document == {
        "council": "aber",
        "enabled": False,
        "readers": 1,
        "waiting": 1,
        "drafts": 0,
        "summaries": ["Is the library open?"],
    }
    assert operator.digest("council", "show", "aber", "--json").document["support"] == "limited"


def test_the_recent_news_is_mailed_once_and_who_waited_is_told_once(operator: Operator) -> None:
    waiting(operator)
    assert operator.digest("council", "enable", "aber", "--yes").code == 0
    again = operator.digest("council", "enable", "aber", "--yes")
    assert "has full support already" in again.said
    assert operator.digest("run", now=SUNDAY).code == 0
    assert operator.digest("run", now=SUNDAY).code == 0
    found = letters(operator)
    assert found.count("Subject: ") == 2  # the digest and the notice
    assert "library open" in found
    assert "bridge shut" not in found


def test_further_back_takes_older_news_along(operator: Operator) -> None:
    waiting(operator)
    done = operator.digest("council", "enable", "aber", "--yes", "--back", "60", "--json")
    assert done.document["summaries"] == ["Is the bridge shut?", "Is the library open?"]
