"""The corpus of realistic feeds, each with the meetings a correct reader finds in it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from digest.intake.check import check_document
from digest.model import RawFeed

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
REALISTIC = sorted(SHARED.glob("feeds/realistic/*.expected.json"))
COUNTRIES = {"America": "us"}


def country_of(expected: dict[str, Any]) -> str:
    return COUNTRIES.get(str(expected["timezone"]).partition("/")[0], "gb")


def checked(expected: dict[str, Any], folder: Path) -> dict[str, Any]:
    raw = RawFeed(
        url=expected["feed_url"],
        final_url=expected["feed_url"],
        status=expected["http"]["status"],
        headers={"content-type": expected["http"]["content_type"]},
        body=(folder / expected["file"]).read_bytes(),
        fetched_at=datetime.fromisoformat(expected["fetched_at"]),
    )
    return check_document(
        raw, timezone=expected["timezone"], country=country_of(expected), as_of=raw.fetched_at
    )


def instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


# The product knows five kinds of paper; these two of the corpus are filed under the nearest.
KINDS = {"packet": "reports_pack", "notice": "additional"}


def papers(meeting: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(KINDS.get(d["kind"], d["kind"]), d["title"], d["url"]) for d in meeting["documents"]]


@pytest.mark.parametrize("path", REALISTIC, ids=lambda p: p.name.partition(".")[0])
def test_the_meetings_of_a_realistic_feed_are_found(path: Path) -> None:
    expected = json.loads(path.read_text(encoding="utf-8"))
    found = checked(expected, path.parent)
    if "expect_error" in expected:
        assert f"feed_{found['error']['kind']}" == expected["expect_error"]
        assert found["meetings"] == []
        return
    assert found["error"] is None
    assert len(found["meetings"]) == len(expected["meetings"])
    for seen, wanted in zip(found["meetings"], expected["meetings"], strict=True):
        assert instant(seen["starts_at"]) == instant(wanted["starts_at"])
        assert seen.get("starts_on") == wanted.get("starts_on")
        assert papers(seen) == papers(wanted)
        for key in ("committee", "title", "status", "url", "guid", "events", "external_id", "location"):
            if key in wanted:
                assert seen[key] == wanted[key], key
        if "published_at" in wanted:
            assert instant(seen["published_at"]) == instant(wanted["published_at"])
    assert [n["guid"] for n in found["not_meetings"]] == [n["guid"] for n in expected["not_meetings"]]
    assert [w["url"] for w in found.get("webcasts", [])] == [m["url"] for m in expected.get("media", [])]


def test_the_corpus_is_there(shared: Path) -> None:
    assert len(REALISTIC) > 25


def test_an_instant_is_given_in_the_councils_own_zone(shared: Path) -> None:
    path = shared / "feeds/realistic/19_moderngov_dst.expected.json"
    found = checked(json.loads(path.read_text(encoding="utf-8")), path.parent)
    assert found["meetings"][0]["starts_at"] == "2026-10-23T18:00:00+01:00"


def test_a_webcast_is_tied_to_its_meeting_and_makes_none(shared: Path) -> None:
    path = shared / "feeds/realistic/33_youtube_channel.expected.json"
    expected = json.loads(path.read_text(encoding="utf-8"))
    (webcast,) = checked(expected, path.parent)["webcasts"]
    (wanted,) = expected["media"]
    assert webcast["meeting_url"] == wanted["meeting_url"]
    assert instant(webcast["starts_at"]) == instant(wanted["starts_at"])
