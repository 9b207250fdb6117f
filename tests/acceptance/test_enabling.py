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


# --- for one professional ----------------------------------------------------------------------------------


NEXT, THIRD = "2025-09-14T18:00:00+01:00", "2025-09-21T18:00:00+01:00"


def with_press(operator: Operator) -> Operator:
    """Beside ann, a professional who follows the same limited council."""
    waiting(operator)
    operator.write("press.csv", "email,councils,status,tier\npress@example.org,aber,active,professional\n")
    assert operator.digest("subscriber", "import", "press.csv").code == 0
    return operator


def press_has_it(operator: Operator) -> Operator:
    """The council is enabled for the professional."""
    with_press(operator)
    done = operator.digest("council", "enable", "aber", "--for", "press@example.org", "--yes", "--json")
    assert (done.code, done.document["summaries"]) == (0, ["Is the library open?"])
    return operator


def told(operator: Operator, question: str, *, now: str) -> dict[str, int]:
    """In how many of that day's letters each of the two finds the question."""
    outbox = Path(operator.folder, "outbox")
    before = set(outbox.rglob("*.eml"))
    assert operator.digest("run", now=now).code == 0
    sent = [path.read_text(encoding="utf-8") for path in set(outbox.rglob("*.eml")) - before]
    return {
        name: sum(f"To: {name}@example.org" in one and question in one for one in sent)
        for name in ("press", "ann")
    }


def test_for_one_professional_only_they_get_the_news_and_the_council_stays_limited(
    operator: Operator,
) -> None:
    press_has_it(operator)
    assert operator.digest("council", "show", "aber", "--json").document["support"] == "limited"
    assert told(operator, "library open", now=SUNDAY) == {"press": 1, "ann": 0}
    everything = letters(operator)
    assert everything.count("Subject: Now with summaries") == 1  # the notice, to the professional alone
    operator.write("bins.md", SUMMARY.format(day="2025-09-10", question="Who takes the bins?"))
    assert operator.digest("summary", "import", "bins.md").code == 0
    assert told(operator, "takes the bins", now=NEXT) == {"press": 1, "ann": 0}


def test_why_is_told_to_each_in_their_own_words(operator: Operator) -> None:
    press_has_it(operator)
    assert operator.digest("subscriber", "show", "press@example.org", "--json").document["enabled"] == [
        "aber"
    ]

    def why(reader: str) -> list[str]:
        done = operator.digest("explain", f"{reader}@example.org", "--json", now=SUNDAY)
        assert done.code == 0, done.said
        return [one["why"] for one in done.document["lines"]]

    assert why("press")[0].startswith("named, rank 1")
    assert why("ann") == ["aber had limited support: only who has it enabled was told"]
    assert told(operator, "library open", now=SUNDAY) == {"press": 1, "ann": 0}
    assert operator.digest("council", "enable", "aber", "--yes").code == 0
    assert why("press") == ["for the others: who has aber enabled was told it by an earlier line"]
    assert why("ann")[0].startswith("named, rank 1")


def test_full_support_later_tells_the_others_and_the_professional_not_twice(operator: Operator) -> None:
    press_has_it(operator)
    assert told(operator, "library open", now=SUNDAY) == {"press": 1, "ann": 0}
    done = operator.digest("council", "enable", "aber", "--yes", "--json")
    assert done.document["summaries"] == ["Is the library open?"]
    assert done.document["waiting"] == 1  # ann; the professional was told before
    assert told(operator, "library open", now=NEXT) == {"press": 0, "ann": 1}
    # What is corrected from here on is a correction to both.
    corrected = SUMMARY.format(day="2025-09-03", question="Is the library open?") + "It opens on 1 October.\n"
    operator.write("new.md", corrected)
    assert operator.digest("summary", "import", "new.md").code == 0
    assert told(operator, "Corrected", now=THIRD) == {"press": 1, "ann": 1}


def test_a_correction_before_full_support_is_new_to_the_others(operator: Operator) -> None:
    press_has_it(operator)
    assert told(operator, "library open", now=SUNDAY) == {"press": 1, "ann": 0}
    assert operator.digest("council", "enable", "aber", "--yes", "--back", "0").code == 0
    corrected = SUMMARY.format(day="2025-09-03", question="Is the library open?") + "It opens on 1 October.\n"
    operator.write("new.md", corrected)
    assert operator.digest("summary", "import", "new.md").code == 0
    assert told(operator, "1 October", now=NEXT) == {"press": 1, "ann": 1}
    sent = [one for one in letters(operator).split("\nFrom: ") if "1 October" in one]
    assert ["Corrected" in one for one in sent].count(True) == 1


def test_a_withdrawal_is_told_to_who_had_it(operator: Operator) -> None:
    press_has_it(operator)
    assert told(operator, "library open", now=SUNDAY) == {"press": 1, "ann": 0}
    (id_,) = [
        one["id"]
        for one in operator.digest("summary", "list", "--json").document["summaries"]
        if one["headline"] == "Is the library open?"
    ]
    assert operator.digest("summary", "withdraw", str(id_), "--why", "Another library.").code == 0
    assert told(operator, "Another library", now=NEXT) == {"press": 1, "ann": 0}


def test_it_stays_through_other_wishes_and_ends_when_taken_back(operator: Operator) -> None:
    press_has_it(operator)
    operator.write(
        "press.csv",
        "email,councils,status,tier,keywords\npress@example.org,aber,active,professional,bins\n",
    )
    changed = operator.digest("subscriber", "import", "press.csv", "--update", "--json").document
    assert (changed["updated"], changed["refused"]) == (1, [])
    again = operator.digest("subscriber", "import", "press.csv", "--json").document
    assert again["unchanged"] == 1
    assert told(operator, "library open", now=SUNDAY) == {"press": 1, "ann": 0}
    off = ("council", "enable", "aber", "--for", "press@example.org", "--off")
    assert "would not be mailed" in operator.digest(*off, "--dry-run").said
    for said in ("no more", "was not enabled"):
        assert said in operator.digest(*off).said
    operator.write("bins.md", SUMMARY.format(day="2025-09-10", question="Who takes the bins?"))
    assert operator.digest("summary", "import", "bins.md").code == 0
    assert told(operator, "takes the bins", now=NEXT) == {"press": 0, "ann": 0}


def test_who_cannot_have_it_is_told_why(operator: Operator) -> None:
    with_press(operator)
    enable = ("council", "enable", "aber", "--yes", "--for")
    assert "no professional" in operator.digest(*enable, "ann@example.org").said
    assert "nobody is subscribed" in operator.digest(*enable, "nobody@example.org").said
    rehearsed = operator.digest(*enable, "press@example.org", "--dry-run", "--json").document
    assert (rehearsed["enabled"], rehearsed["waiting"]) == (False, 1)
    operator.digest("council", "set", "aber", "--support", "paused")
    assert "only a limited one" in operator.digest(*enable, "press@example.org").said
