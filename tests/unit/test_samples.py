"""The samples hold what they promise: every file can be used, and not a sentence is borrowed."""

from __future__ import annotations

import csv
import io
import re
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from digest.intake.parse import parse
from digest.model import (
    Approval,
    Cadence,
    Detail,
    DocumentKind,
    Format,
    MeetingStatus,
    Origin,
    RawFeed,
    Sighting,
    SubscriberState,
    Summary,
    Support,
    Tier,
    name_key,
)
from digest.resources import resource_dir
from digest.summaries.condense import condense
from digest.summaries.read import read_summary

SAMPLES = resource_dir("samples")
COUNCILS: dict[str, Any] = {
    one["slug"]: one for one in tomllib.loads((SAMPLES / "councils.toml").read_text("utf-8"))["council"]
}
NOW = datetime(2025, 9, 7, 18, tzinfo=ZoneInfo("Europe/London"))
COLUMNS = (
    "email,name,councils,committees,topics,keywords,wards,cadence,day,time,timezone,detail,format,language,"
    "tier,status,consent_source,consent_at"
)
WEEKDAYS = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}


def summaries() -> dict[str, Summary]:
    return {
        path.name: read_summary(
            path.read_bytes(), name=path.name, timezone_of=lambda slug: str(COUNCILS[slug]["timezone"])
        )
        for path in sorted((SAMPLES / "summaries").iterdir())
    }


def readers() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((SAMPLES / "subscribers.csv").read_text("utf-8"))))


def of(slug: str) -> list[Summary]:
    return [s for s in summaries().values() if s.council == slug]


# --- councils and feeds --------------------------------------------------------------------------------


def test_there_are_four_councils_one_of_them_with_limited_support() -> None:
    assert {slug: Support(c["support"]) for slug, c in COUNCILS.items()} == {
        "stockport": Support.FULL,
        "little-wittering": Support.LIMITED,
        "llanfair-y-bryn": Support.FULL,
        "great-harrow-on-sea": Support.FULL,
    }
    assert all(Approval(c["approval"]) and ZoneInfo(c["timezone"]) for c in COUNCILS.values())


def test_the_samples_clock_is_their_sunday() -> None:
    assert tomllib.loads((SAMPLES / "councils.toml").read_text("utf-8"))["now"] == NOW
    assert NOW.strftime("%A") == "Sunday"


def test_every_feed_file_belongs_to_one_council_and_is_well_formed() -> None:
    named = [feed["file"] for council in COUNCILS.values() for feed in council["feed"]]
    there = [path.name for path in (SAMPLES / "feeds").iterdir() if path.suffix in (".xml", ".atom")]
    assert sorted(named) == sorted(there)
    assert len(named) == 12
    for path in (SAMPLES / "feeds").rglob("*.*"):
        if path.suffix in (".xml", ".atom"):
            ET.parse(path)


def test_a_later_feed_is_a_second_version_of_one_of_the_feeds() -> None:
    later = {path.name for path in (SAMPLES / "feeds" / "later").iterdir()}
    assert later
    for name in later:
        before = (SAMPLES / "feeds" / name).read_bytes()
        assert (SAMPLES / "feeds" / "later" / name).read_bytes() != before


def test_the_busy_council_has_twenty_meetings_in_the_coming_week() -> None:
    text = (SAMPLES / "feeds" / "great-harrow-whats-new.xml").read_text("utf-8")
    days = re.findall(r"Agenda published: Meeting of \w+, (\d+)\w\w September, 2025", text)
    assert sum(8 <= int(day) <= 14 for day in days) == 20


def sightings(path: Path, council: dict[str, Any], dialect: str | None = None) -> list[Sighting]:
    address = f"https://feeds.example/{path.name}"
    raw = RawFeed(address, address, 200, {"content-type": "text/xml"}, path.read_bytes(), NOW.astimezone(UTC))
    timezone, as_of = council["timezone"], NOW.astimezone(UTC)
    parsed = parse(raw, timezone=timezone, country="gb", as_of=as_of, dialect=dialect)
    assert all(not sighting.doubts for sighting in parsed.sightings)
    return list(parsed.sightings)


def all_sightings() -> dict[str, list[Sighting]]:
    return {
        feed["file"]: sightings(SAMPLES / "feeds" / feed["file"], council, feed.get("dialect"))
        for council in COUNCILS.values()
        for feed in council["feed"]
    }


def test_every_feed_but_the_silent_one_names_meetings_without_a_doubt() -> None:
    silent = [name for name, found in all_sightings().items() if not found]
    assert silent == ["great-harrow-licensing.xml"]


def test_one_meeting_of_the_coming_week_is_cancelled() -> None:
    cancelled = [
        s for found in all_sightings().values() for s in found if s.status is MeetingStatus.CANCELLED
    ]
    assert [s.committee for s in cancelled] == ["Adult Social Care & Health Scrutiny Committee"]


def test_the_later_feeds_move_and_cancel_meetings_of_the_first() -> None:
    before = {s.external_id: s for found in all_sightings().values() for s in found if s.external_id}
    after = [
        s
        for path in sorted((SAMPLES / "feeds" / "later").iterdir())
        for s in sightings(path, COUNCILS["stockport"], "moderngov")
    ]
    moved = [s.committee for s in after if s.starts_at != before[s.external_id].starts_at]
    cancelled = [s.committee for s in after if s.status is MeetingStatus.CANCELLED]
    assert (moved, cancelled) == (["Audit & Governance Committee", "Cabinet"], ["Housing Scrutiny Committee"])


def test_the_harbour_board_meets_once_and_stands_in_two_councils_feeds() -> None:
    found = all_sightings()
    twice = [
        s
        for name in ("great-harrow-harbour-board.xml", "little-wittering-joint.xml")
        for s in found[name]
        if s.starts_at and s.starts_at > NOW
    ]
    assert len(twice) == 2
    assert len({(s.committee, s.starts_at) for s in twice}) == 1


def test_the_welsh_feed_names_meetings_that_the_english_one_has() -> None:
    found = all_sightings()
    english = {s.external_id: s.starts_at for s in found["llanfair-y-bryn-whats-new.xml"]}
    welsh = found["llanfair-y-bryn-newydd.xml"]
    assert len(welsh) == 3
    assert all(english[s.external_id] == s.starts_at for s in welsh)


# --- summaries --------------------------------------------------------------------------------------------


def test_there_are_about_a_dozen_summaries_and_one_is_json() -> None:
    names = list(summaries())
    assert 12 <= len(names) <= 15
    assert any(name.endswith(".json") for name in names)


def test_each_meeting_has_one_summary_in_each_language() -> None:
    keys = Counter(
        (s.council, name_key(s.committee), s.starts_at or s.starts_on, s.language)
        for s in summaries().values()
    )
    assert set(keys.values()) == {1}
    sources = [s.source_id for s in summaries().values() if s.source_id]
    assert len(set(sources)) == len(sources)


def test_a_meeting_with_a_summary_is_in_a_feed_under_the_same_address() -> None:
    feeds = "".join(path.read_text("utf-8") for path in (SAMPLES / "feeds").glob("*.*") if path.suffix != "")
    listed = [s for s in summaries().values() if s.url and "2025-08" not in str(s.starts_on)]
    assert len(listed) >= 7
    for s in listed:
        assert s.url is not None
        assert s.url.replace("&", "&amp;") in feeds, s.url


def test_a_recent_summary_without_an_address_is_found_by_committee_and_time() -> None:
    met = {(name_key(s.committee), s.starts_at) for found in all_sightings().values() for s in found}
    bare = [
        s for s in summaries().values() if not s.url and s.starts_on.year == 2025 and s.starts_on.month > 8
    ]
    assert len(bare) == 1
    assert all((name_key(s.committee), s.starts_at) in met for s in bare)


def test_the_stockport_summary_has_the_facts_of_its_meeting() -> None:
    s = summaries()["stockport-2025-09-03-children-families.md"]
    text = condense(s).full_text
    for fact in ("£43 million", "£63 million", "156 hours", "10 hours", "85%", "58%", "481", "£1,100"):
        assert fact in text
    assert str(s.starts_at) == "2025-09-03 17:00:00+00:00"
    assert "CId=1009" in str(s.url)
    assert [a.party for a in s.attendees].count("Independent") == 2
    assert {d.kind for d in s.documents} == set(DocumentKind) - {DocumentKind.DECISIONS}
    assert any("SENCO" in note for _, note in s.footnotes)
    assert s.video_url
    assert s.origin is Origin.AI


def test_the_senco_footnote_stands_in_the_middle_of_a_line_and_does_not_leak() -> None:
    source = (SAMPLES / "summaries" / "stockport-2025-09-03-children-families.md").read_text("utf-8")
    assert re.search(r"\S \[\^2\]: ", source)
    condensed = condense(summaries()["stockport-2025-09-03-children-families.md"])
    assert "SENCOs<sup>2</sup>" in condensed.full_html
    assert "[^" not in repr(condensed)


def test_the_plan_of_2024_carries_its_resolution_and_is_long_past() -> None:
    s = summaries()["stockport-2024-09-04-children-young-people-plan.md"]
    assert s.decisions[0].outcome == "endorsed"
    assert "Cabinet" in s.decisions[0].text
    assert NOW.date() - s.starts_on > timedelta(days=60)


def test_one_meeting_has_its_summary_in_welsh_and_english() -> None:
    pair = [s for s in of("llanfair-y-bryn") if s.url and "MId=5101" in s.url]
    assert sorted(s.language for s in pair) == ["cy", "en"]
    assert len({(s.committee, s.starts_at) for s in pair}) == 1


def test_there_is_a_bare_one_a_human_one_and_an_attendee_without_a_party() -> None:
    everything = list(summaries().values())
    assert any(not (s.topics or s.documents or s.video_url or s.questions or s.attendees) for s in everything)
    assert any(s.origin is Origin.HUMAN for s in of("great-harrow-on-sea"))
    assert any(a.party is None for s in of("great-harrow-on-sea") for a in s.attendees)


@pytest.mark.parametrize("name", list(summaries()))
def test_every_summary_makes_a_brief_with_a_headline(name: str) -> None:
    condensed = condense(summaries()[name])
    assert condensed.headline
    assert condensed.brief_html.startswith("<p>")
    assert condensed.brief_html.count("<li>") <= 4


# --- readers ------------------------------------------------------------------------------------------------


def test_there_are_twenty_five_readers_in_the_agreed_columns() -> None:
    rows = readers()
    assert ",".join(rows[0]) == COLUMNS
    assert len({row["email"] for row in rows}) == len(rows) == 25


def test_no_sample_address_can_reach_a_mailbox() -> None:
    """RFC 2606: example.org and .example are kept for this."""
    for row in readers():
        assert row["email"].endswith(("@example.org", ".example"))


@pytest.mark.parametrize("row", readers(), ids=lambda row: row["email"])
def test_every_value_of_a_reader_is_a_known_one(row: dict[str, str]) -> None:
    assert row["councils"]
    assert set(row["councils"].split(";")) <= set(COUNCILS)
    for wish in filter(None, row["committees"].split(";")):
        council, slash, committee = wish.removeprefix("-").partition("/")
        assert council in row["councils"].split(";")
        assert slash
        assert committee
    cadence = Cadence(row["cadence"])
    day = row["day"]
    allowed = {"daily": {""}, "monthly": {str(n) for n in range(1, 29)}}.get(cadence, WEEKDAYS)
    assert day in allowed
    assert re.fullmatch(r"\d\d:(00|15|30|45)", row["time"])
    assert ZoneInfo(row["timezone"])
    assert Detail(row["detail"] or "brief")
    assert Format(row["format"] or "html")
    assert Tier(row["tier"] or "resident")
    assert SubscriberState(row["status"]) in {"active", "paused", "pending"}
    assert row["consent_source"]
    assert datetime.fromisoformat(row["consent_at"]) < datetime.fromisoformat("2025-09-01T00:00Z")


def test_the_readers_wishes_differ_in_every_way_there_is() -> None:
    rows = readers()
    assert {row["cadence"] for row in rows} == set(Cadence)
    assert {row["detail"] or "brief" for row in rows} == set(Detail)
    assert {row["format"] or "html" for row in rows} == set(Format)
    assert {row["tier"] or "resident" for row in rows} == set(Tier)
    assert {row["status"] for row in rows} == {"active", "paused", "pending"}
    assert {row["language"] or "en" for row in rows} == {"en", "cy"}
    assert len({row["timezone"] for row in rows}) > 2
    for column in ("committees", "topics", "keywords", "wards"):
        assert any(row[column] for row in rows), column
    assert any(wish.startswith("-") for row in rows for wish in row["committees"].split(";"))
    assert any('"' in row["keywords"] and ";-" in row["keywords"] for row in rows)


def test_a_committee_that_a_reader_chose_meets_in_a_feed() -> None:
    feeds = (path.read_text("utf-8") for path in (SAMPLES / "feeds").glob("*.xml"))
    text = name_key(" ".join(feeds).replace("&amp;", "&"))
    for row in readers():
        for wish in filter(None, row["committees"].split(";")):
            assert name_key(wish.partition("/")[2]) in text, wish


# --- our own words -----------------------------------------------------------------------------------------


def runs_of_eight(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[^\W_]+", text.casefold())
    return {tuple(words[n : n + 8]) for n in range(len(words) - 7)}


def test_eight_words_in_a_row_are_never_those_of_a_source(shared: Path) -> None:
    theirs: set[tuple[str, ...]] = set()
    for path in sorted((shared / "seeds").iterdir()):
        theirs |= runs_of_eight(path.read_text("utf-8"))
    assert len(theirs) > 10_000
    ours = [path for path in SAMPLES.rglob("*") if path.suffix in (".md", ".json", ".csv", ".toml")]
    assert len(ours) >= 15
    borrowed = {
        path.name: shared_words
        for path in ours
        if (shared_words := runs_of_eight(path.read_text("utf-8")) & theirs)
    }
    assert borrowed == {}
