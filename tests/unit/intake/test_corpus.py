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


@pytest.mark.parametrize(
    "path",
    [p for p in REALISTIC if "moderngov_" in p.name and "ical" not in p.name and "22" not in p.name],
    ids=lambda p: p.name.partition(".")[0],
)
def test_the_meetings_of_a_realistic_feed_are_found(path: Path) -> None:
    expected = json.loads(path.read_text(encoding="utf-8"))
    found = checked(expected, path.parent)
    assert found["error"] is None
    assert len(found["meetings"]) == len(expected["meetings"])
    for seen, wanted in zip(found["meetings"], expected["meetings"], strict=True):
        assert instant(seen["starts_at"]) == instant(wanted["starts_at"])
        for key in ("committee", "title", "status", "url", "guid", "documents", "events", "external_id"):
            if key in wanted:
                assert seen[key] == wanted[key], key
        assert seen.get("starts_on") == wanted.get("starts_on")
    assert [n["guid"] for n in found["not_meetings"]] == [n["guid"] for n in expected["not_meetings"]]
