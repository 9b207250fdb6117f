"""An operator adds councils and their feeds, polls, and sees how each feed stands and what it left over."""

from __future__ import annotations

import email
import email.policy
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Operator
from tests.integration.towns import Web, agenda, feed_of

NOW = "2026-11-25T09:00:00Z"
LATER = "2026-12-02T09:00:00Z"
TUESDAY = "Tuesday, 8th December, 2026 6.00 pm"
LEFTOVER = {"title": "Issue Published: A bridge", "link": "/ieIssueDetails.aspx?IId=1", "guid": "b1"}


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A council's site on this machine, which the operator's settings allow to be asked."""
    monkeypatch.setenv("DIGEST_FEEDS__ALLOW_PRIVATE_ADDRESSES", "true")
    monkeypatch.setenv("DIGEST_FEEDS__HOST_PAUSE_S", "0")
    made = Web()
    yield made
    made.close()


def feeds_of(operator: Operator, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = operator.digest("feed", *words, "--json", now=NOW).document["feeds"]
    return found


def test_polling_prints_exactly_the_promised_counts(operator: Operator, web: Web) -> None:
    url = web.tell("/mgRss.aspx", feed_of(agenda(1, TUESDAY, "Cabinet"), LEFTOVER))
    assert operator.digest("feed", "add", "aber", url, now=NOW).code == 0
    done = operator.digest("poll", "--json", now=NOW)
    assert done.code == 0
    assert done.document == {"feeds": 1, "unchanged": 0, "failed": 0, "new": 1, "changed": 0, "cancelled": 0}
    assert operator.digest("poll", "--all", "--json", now=NOW).document["unchanged"] == 1


def test_a_failing_feed_is_named_and_the_others_are_done(operator: Operator, web: Web) -> None:
    good = web.tell("/mgRss.aspx", feed_of(agenda(1, TUESDAY, "Cabinet")))
    bad = web.url + "/missing"
    for url in (bad, good):
        operator.digest("feed", "add", "aber", url, now=NOW)
    done = operator.digest("poll", "--json", now=NOW)
    assert (done.code, done.document["failed"], done.document["new"]) == (1, 1, 1)
    assert done.said.count(bad) == 1


def test_the_list_shows_how_each_feed_stands(operator: Operator, web: Web) -> None:
    url = web.tell("/mgRss.aspx", feed_of(agenda(1, TUESDAY, "Cabinet"), LEFTOVER))
    operator.digest("feed", "add", "aber", url, now=NOW)
    (before,) = feeds_of(operator, "list")
    assert (before["state"], before["last_good_at"], before["next_poll_at"]) == ("new", None, NOW)
    operator.digest("poll", now=NOW)
    (after,) = feeds_of(operator, "list", "--council", "aber")
    assert (after["state"], after["last_good_at"], after["dialect"]) == ("fresh", NOW, "moderngov")
    assert after["next_poll_at"] > NOW
    assert after["not_meetings"] == 1


def test_what_was_no_meeting_is_shown_with_its_reason(operator: Operator, web: Web) -> None:
    url = web.tell("/mgRss.aspx", feed_of(LEFTOVER))
    operator.digest("feed", "add", "aber", url, now=NOW)
    operator.digest("poll", now=NOW)
    (one,) = feeds_of(operator, "show", url)
    ((left,), number) = (one["not_meetings"], str(one["id"]))
    assert (left["guid"], left["title"], left["first_seen_at"]) == ("b1", LEFTOVER["title"], NOW)
    assert left["why"]
    assert feeds_of(operator, "show", number) == [one]


def test_a_feed_that_is_not_there_is_said(operator: Operator) -> None:
    done = operator.digest("feed", "show", "https://aber.example/feed")
    assert (done.code, "digest feed list" in done.said) == (1, True)


def test_councils_that_share_a_site_are_told_apart_by_committee(operator: Operator, web: Web) -> None:
    operator.digest("council", "add", "bury", "--name", "Bury", now=NOW)
    items = (agenda(1, TUESDAY, "Cabinet", committee_id=101), agenda(2, TUESDAY, "Audit", committee_id=102))
    url = web.tell("/mgRss.aspx", feed_of(*items))
    assert operator.digest("feed", "add", "aber", url, "--committees", "101;102=bury", now=NOW).code == 0
    operator.digest("poll", now=NOW)
    for slug in ("aber", "bury"):
        assert operator.digest("council", "show", slug, "--json").document["meetings"] == 1


def test_a_committee_of_an_unknown_council_is_refused(operator: Operator) -> None:
    words = ("feed", "add", "aber", "https://aber.example/feed", "--committees", "101=bery")
    done = operator.digest(*words)
    assert (done.code, "bery" in done.said) == (1, True)
    assert feeds_of(operator, "list") == []


def test_a_known_council_needs_only_its_name(operator: Operator) -> None:
    done = operator.digest("council", "add", "--known", "stockport")
    assert done.code == 0
    found = operator.digest("council", "show", "stockport", "--json").document
    assert "Stockport" in found["name"]
    assert "stockport.gov.uk" in found["website"]
    (feed,) = feeds_of(operator, "list", "--council", "stockport")
    assert feed["url"].endswith("mgRss.aspx")
    assert operator.digest("council", "add", "--known", "stockport").code == 0


def test_an_unknown_council_is_answered_with_the_nearest(operator: Operator) -> None:
    done = operator.digest("council", "add", "--known", "stokport")
    assert (done.code, "stockport" in done.said) == (1, True)


def test_a_council_without_a_name_is_a_mistake_of_the_command(operator: Operator) -> None:
    assert operator.digest("council", "add", "crewe").code == 2


def test_discovery_prints_commands_that_work(operator: Operator, web: Web) -> None:
    feed = web.tell("/mgRss.aspx", feed_of(agenda(1, TUESDAY, "Cabinet")))
    page = '<html><head><link rel="alternate" type="application/rss+xml" href="/mgRss.aspx"></head></html>'
    web.tell("/", page, content_type="text/html")
    found = operator.digest("council", "discover", web.url + "/", now=NOW)
    assert found.code == 0
    lines = [shlex.split(line) for line in found.out.splitlines()]
    assert [line[:3] for line in lines] == [["digest", "council", "add"], ["digest", "feed", "add"]]
    for line in lines:
        assert operator.digest(*line[1:], now=NOW).code == 0
    assert feed in [one["url"] for one in feeds_of(operator, "list")]


def test_a_site_without_a_feed_is_said(operator: Operator, web: Web) -> None:
    web.tell("/", "<html><title>Welcome</title></html>", content_type="text/html")
    done = operator.digest("council", "discover", web.url + "/")
    assert (done.code, done.out) == (1, "")


def test_a_council_that_cannot_be_reached_is_flagged(operator: Operator, web: Web) -> None:
    url = web.tell("/mgRss.aspx", feed_of(agenda(1, TUESDAY, "Cabinet")))
    operator.digest("feed", "add", "aber", url, now=NOW)
    operator.digest("poll", now=NOW)
    web.pages["/mgRss.aspx"] = (403, {}, b"")
    operator.digest("poll", "--all", now=LATER)
    status = operator.digest("status", "--json", now=LATER).document
    assert status["silent_councils"] == ["aber"]
    assert status["silent_since"] == {"aber": "2026-11-25"}
    assert status["blocked_feeds"] == [url]


# --- feed check ---------------------------------------------------------------------------------------


def test_a_file_is_checked_as_if_it_had_been_fetched(operator: Operator, shared: Path) -> None:
    folder = shared / "feeds" / "realistic"
    expected = json.loads((folder / "01_moderngov_committee_events.expected.json").read_text())
    words = ("feed", "check", str(folder / expected["file"]), "--feed-url", expected["feed_url"])
    done = operator.digest(*words, "--as-of", expected["fetched_at"], "--json")
    assert (done.code, done.document["dialect"], done.document["error"]) == (0, "moderngov", None)
    assert [m["guid"] for m in done.document["meetings"]] == [m["guid"] for m in expected["meetings"]]


def test_a_hostile_file_is_refused_by_name(operator: Operator, shared: Path) -> None:
    path = shared / "feeds" / "hostile" / "h01_billion_laughs.xml"
    done = operator.digest("feed", "check", str(path), "--json")
    assert (done.code, done.document["error"]["kind"], done.document["meetings"]) == (1, "entities", [])


# --- what readers get of it ----------------------------------------------------------------------------


SUNDAY = "2026-11-29T18:00:00Z"


def letters_of(operator: Operator) -> list[str]:
    """The text parts of all letters in the outbox."""
    found = []
    for path in sorted(operator.folder.rglob("*.eml")):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        body = message.get_body(("plain",))
        assert body is not None
        found.append(str(body.get_content()))
    return found


def subscribe(operator: Operator, *words: str) -> None:
    consent = ("--confirmed", "--consent-source", "paper form")
    assert operator.digest("subscriber", "add", "ann@test.example", *words, *consent, now=NOW).code == 0


def test_a_renamed_committee_keeps_its_readers(operator: Operator, web: Web) -> None:
    url = web.tell("/mgRss.aspx", feed_of(agenda(1, TUESDAY, "Roads Panel")))
    operator.digest("feed", "add", "aber", url, now="2026-11-20T09:00:00Z")
    operator.digest("poll", now="2026-11-20T09:00:00Z")
    subscribe(operator, "--council", "aber", "--committee", "aber/Roads Panel")
    renamed = agenda(2, "Thursday, 10th December, 2026 6.00 pm", "Highways and Paths Panel")
    web.tell("/mgRss.aspx", feed_of(renamed))
    operator.digest("poll", "--all", now="2026-11-26T09:00:00Z")
    assert operator.digest("run", "--at", SUNDAY, "--yes").code == 0
    (letter,) = letters_of(operator)
    assert "Highways and Paths Panel" in letter


def test_a_joint_meeting_reaches_a_reader_of_both_councils_once(
    operator: Operator, web: Web, shared: Path
) -> None:
    operator.digest("council", "add", "bury", "--name", "Bury", now=NOW)
    subscribe(operator, "--council", "aber", "--council", "bury")
    for slug, name in (("aber", "16a_joint_meeting_bexley"), ("bury", "16b_joint_meeting_greenwich")):
        body = (shared / "feeds" / "realistic" / f"{name}.xml").read_bytes()
        operator.digest("feed", "add", slug, web.tell(f"/{slug}", body), now=NOW)
    assert operator.digest("poll", "--json", now=NOW).document["new"] == 2
    assert operator.digest("run", "--at", "2026-12-06T18:00:00Z", "--yes").code == 0
    (letter,) = letters_of(operator)
    assert letter.lower().count("eltham crematorium") == 1
