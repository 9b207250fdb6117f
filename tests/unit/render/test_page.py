"""A letter says what the edition says, in both its parts, within its size."""

from __future__ import annotations

import itertools
import re
from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.model import Detail, Edition, Entry, Folded, Format, Page, Place, Profile, Reason
from digest.render.budget import MAX_BYTES
from digest.render.page import SAID_FIELDS, render_page
from digest.render.skeleton import compile_skeleton
from digest.render.tags import size_after
from tests.unit.render.builders import (
    PUBLICATION,
    STOCKPORT,
    TREFYBONT,
    cancelled,
    coming_up,
    condensed,
    corrected,
    decided,
    edition,
    meeting,
    moved,
    papers,
    skeleton,
    sources,
    whole_edition,
    withdrawn,
)


def letter(*entries: Entry, **changes: object) -> Page:
    return render_page(edition(*entries, **changes), skeleton())


def words(html: str) -> str:
    """What a reader of the HTML sees."""
    body = html[html.index("<body") :]
    text = re.sub(r"<!--.*?-->", " ", body, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)).replace("&#39;", "'").replace("&amp;", "&")


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (decided(), "Will Stockport's £63 million SEND deficit worsen?"),
        (decided(), "AI summary"),
        (decided(), "expected to reach £63 million by March 2026"),
        (decided(), "Item 4: The Improvement and Impact Plan is endorsed."),
        (decided(), "Wednesday 3 September, 6pm"),
        (decided(detail=Detail.FULL), "Councillor Holly McCormack (Vice-Chair, Independent, Reddish North)"),
        (decided(detail=Detail.FULL), "Jane Roe (Co-opted member)"),
        (decided(), "Public reports pack"),
        (decided(), "Watch the meeting"),
        (decided(), "Here because you follow Children & Families Scrutiny Committee and it mentions “SEND”."),
        (corrected(), "Corrected since 31 August. The deficit was given as £36 million; it is £63 million."),
        (withdrawn(), "Withdrawn: the summary we sent on 31 August. It mixed up two meetings."),
        (moved(), "It was Tuesday 9 September, 6pm; it is now Tuesday 16 September, 6pm."),
        (cancelled(), "Cancelled. It was to be on Wednesday 3 September, 6pm. Too few members."),
        (papers(), "For the meeting on Thursday 11 September, 6:30pm"),
        (coming_up(), "Thursday 11 September, 6:30pm"),
        (coming_up(), "Council Chamber, Town Hall"),
        (coming_up(), "Every meeting in your own calendar"),
        (coming_up(), "Agenda"),
    ],
)
def test_both_parts_say(entry: Entry, says: str) -> None:
    page = letter(entry)
    assert says in words(page.html or "").replace(" .", ".").replace("Item 4: ", "Item 4: ")
    assert says in re.sub(r"\s+", " ", page.text)


@pytest.mark.parametrize(
    "link", ["/meetings/1", "https://video.stockport.example/1", "https://democracy.stockport.gov.uk/p.pdf"]
)
def test_both_parts_link_to(link: str) -> None:
    page = letter(decided())
    assert link in (page.html or "")
    assert link in page.text


def test_both_parts_carry_all_personal_links() -> None:
    page = letter(decided())
    for tag in ("-dgUnsub-", "-dgPrefs-", "-dgView-"):
        assert tag in (page.html or "")
        assert tag in page.text


def test_both_parts_say_what_is_known_of_the_councils() -> None:
    page = render_page(whole_edition(), skeleton())
    for part in (words(page.html or ""), re.sub(r"\s+", " ", page.text)):
        assert "Marlow Vale: 128 people wait for it, you among them." in part
        assert "in order of demand" in part
        assert "hello@council.example" in part
        assert "We have not been able to read Tref-y-bont's pages since 20 August." in part
        assert "and 4 more summaries from Stockport" in part
        assert "12 earlier items" in part
        assert "1 Market Place" in part
        assert "Ring 0161 496 0000" in part


def test_empty_lists_leave_no_empty_headings() -> None:
    bare = decided(
        meeting=meeting(video_url=None, documents=(), url=None, venue=None),
        summary=condensed(decisions=(), attendees=(), documents=(), topics=()),
        reasons=(),
    )
    page = letter(bare)
    for heading in (
        "Who was there",
        "Agenda",
        "Reports pack",
        "Watch the meeting",
        "own page",
        "Here because",
    ):
        assert heading not in page.text
        assert heading not in words(page.html or "")
    assert "The decisions:" not in page.text
    assert "Papers" not in page.text


def test_a_quiet_letter_is_one_warm_line() -> None:
    page = letter(is_quiet=True)
    assert "A quiet time at Stockport: nothing new to tell you." in words(page.html or "")
    assert "you have missed nothing" in page.text


def test_a_reader_of_plain_text_gets_no_html() -> None:
    page = letter(decided(), profile=Profile(councils=("stockport",), format=Format.TEXT))
    assert page.html is None
    assert "£63 million" in page.text


def test_text_lines_keep_to_72_columns_but_for_addresses() -> None:
    long = [line for line in render_page(whole_edition(), skeleton()).text.split("\n") if len(line) > 72]
    assert all("http" in line for line in long)


def test_headings_never_skip_a_level() -> None:
    html = render_page(whole_edition(), skeleton()).html or ""
    levels = [int(level) for level in re.findall(r"<h([1-6])\b", html)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_every_layout_table_is_presentational() -> None:
    html = render_page(whole_edition(), skeleton()).html or ""
    assert all('role="presentation"' in table for table in re.findall(r"<table\b[^>]*>", html))


def test_reasons_of_one_kind_are_said_together() -> None:
    reasons = (Reason("keyword", "bus"), Reason("keyword", "school"), Reason("council", "Stockport"))
    text = re.sub(r"\s+", " ", letter(decided(reasons=reasons)).text)
    assert "Here because it mentions “bus” and “school” and you follow Stockport." in text


def test_the_opening_names_the_councils_that_have_something_to_say() -> None:
    text = letter(decided(), councils=(STOCKPORT, TREFYBONT)).text
    assert "Inside: what one meeting decided, from Stockport." in text


def test_reasons_of_one_reader_never_reach_another() -> None:
    mine = letter(decided(reasons=(Reason("keyword", "my private word"),)))
    theirs = letter(decided(reasons=(Reason("council", "Stockport"),)))
    assert "my private word" in mine.text
    assert "my private word" not in theirs.text + (theirs.html or "")


def test_a_remembered_fragment_depends_on_all_that_it_says() -> None:
    """A new field of Entry must be decided on: said (then part of the key) or not."""
    assert {f.name for f in fields(Entry)} - set(SAID_FIELDS) == {"seqs", "also", "reasons", "detail", "made"}


def test_readers_with_other_reasons_share_the_fragment() -> None:
    own = compile_skeleton(sources(), PUBLICATION)
    render_page(edition(decided(reasons=(Reason("keyword", "one"),))), own)
    before = own.fragments.weight
    render_page(edition(decided(reasons=(Reason("keyword", "other"),), seqs=(7,))), own)
    assert own.fragments.weight - before < 200


def test_the_same_edition_gives_the_same_page() -> None:
    assert render_page(whole_edition(), skeleton()) == render_page(whole_edition(), skeleton())


def test_a_new_version_of_an_item_is_not_the_remembered_one() -> None:
    letter(decided())
    assert "£64 million" in letter(decided(summary=condensed(brief_text="Now £64 million."))).text


def test_passages_in_another_language_say_so() -> None:
    welsh = decided(council=TREFYBONT, summary=condensed(language="cy", headline="Beth am yr ysgol?"))
    html = letter(welsh).html or ""
    assert re.search(r'<h3[^>]*lang="cy"[^>]*>', html)


def test_a_missing_language_is_said() -> None:
    page = letter(decided(missing_language="cy"))
    assert "There is no summary in Welsh yet." in page.text


def big(n: int, *, place: Place = Place.DECIDED) -> Entry:
    blob = "Long words of a report. " * 830
    body = condensed(
        brief_html=f"<p>{blob}</p>",
        full_html=f"<p>{blob}</p>",
        brief_text=blob,
        full_text=blob,
        headline=f"Item {n}?",
    )
    entry = decided(n, summary=body, detail=Detail.FULL)
    return (
        entry
        if place is Place.DECIDED
        else replace(
            coming_up(n), place=place, meeting=meeting(n, committee=f"Item {n}?", title=f"Item {n}?")
        )
    )


def sizes(page: Page) -> tuple[int, int]:
    return size_after(page.html or ""), size_after(page.text)


def test_later_meetings_fold_before_decided_items_lose_their_text() -> None:
    text = "It heard a long report. " * 200
    items = [
        decided(n, summary=condensed(headline=f"Item {n}?", brief_html=f"<p>{text}</p>", brief_text=text))
        for n in range(4)
    ]
    soon = [replace(coming_up().meeting, id=n, committee=f"Committee {n}") for n in range(100, 130)]
    page = letter(*items, *(coming_up(m.id, meeting=m) for m in soon))
    assert page.text.count("It heard a long") == 4 * 200
    assert "Committee 111\n" in page.text
    assert "Committee 129\n" not in page.text
    assert "more meetings" in page.text
    assert max(sizes(page)) <= MAX_BYTES


def test_who_follows_one_council_is_not_told_its_name_under_every_meeting() -> None:
    many = edition(coming_up(), councils=(STOCKPORT, TREFYBONT))
    one = letter(coming_up())
    assert "Stockport · Council Chamber" in render_page(many, skeleton()).text
    assert "Stockport · Council Chamber" not in one.text
    assert "\nCouncil Chamber, Town Hall\n" in one.text
    assert "Stockport · Council Chamber" not in (one.html or "")


@pytest.mark.parametrize("max_bytes", [40_000, 60_000, 100_000])
def test_the_size_that_is_asked_for_is_kept_and_used(max_bytes: int) -> None:
    many = edition(*(decided(n, summary=condensed(headline=f"Item {n}?")) for n in range(40)))
    for one in (many, whole_edition()):
        assert max(sizes(render_page(one, skeleton(), max_bytes=max_bytes))) <= max_bytes
    assert max(sizes(render_page(many, skeleton(), max_bytes=max_bytes))) > 0.8 * max_bytes


@pytest.mark.parametrize("language", ["en", "cy"])
@pytest.mark.parametrize("format", list(Format))
def test_500_items_of_20_kb_stay_within_the_size(language: str, format: Format) -> None:
    profile = Profile(councils=("stockport",), language=language, format=format, detail=Detail.FULL)
    page = render_page(edition(*(big(n) for n in range(500)), profile=profile), skeleton())
    assert (page.html is None) == (format is Format.TEXT)
    assert 20_000 < max(sizes(page)) <= MAX_BYTES


def test_detail_shrinks_before_anything_folds() -> None:
    page = letter(*(big(n) for n in range(8)))
    assert max(sizes(page)) <= MAX_BYTES
    assert all(f"Item {n}?" in page.text for n in range(8))
    assert "more summar" not in page.text


def test_a_busy_council_does_not_cost_the_first_items_their_text() -> None:
    """Six summaries and sixty meetings: the last meetings are counted, the first summaries are told."""
    summaries = [decided(n, summary=condensed(headline=f"Item {n}?")) for n in range(6)]
    page = letter(*summaries, *(coming_up(n + 100) for n in range(60)))
    assert page.text.count("expected to reach £63 million") >= 3
    assert all(f"Item {n}?" in page.text for n in range(6))
    assert re.search(r"and \d+ more meetings from Stockport", page.text)


def test_an_ordinary_week_keeps_all_its_text() -> None:
    """What one council of the samples brings in a busy week fits as wished."""
    entries = [*(decided(n) for n in range(6)), *(coming_up(n + 100) for n in range(16))]
    page = letter(*entries)
    assert page.text.count("expected to reach £63 million") == 6
    assert "more meeting" not in page.text


def test_the_first_items_keep_their_text_the_longest() -> None:
    text = letter(*(big(n) for n in range(8))).text
    first, last = text[text.index("\nItem 0?") : text.index("\nItem 1?")], text[text.index("\nItem 7?") :]
    assert "Long words of a report." in first
    assert "Long words of a report." not in last


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    places=st.lists(
        st.sampled_from([Place.DECIDED, Place.COMING_UP, Place.PAPERS, Place.CHANGED]), max_size=140
    ),
    already=st.integers(0, 30),
)
def test_every_item_is_named_or_counted_once_and_the_letter_fits(places: list[Place], already: int) -> None:
    entries = tuple(big(n, place=place) for n, place in enumerate(places))
    folded = (Folded(Place.DECIDED, STOCKPORT, tuple(f"x:{n}" for n in range(already))),) if already else ()
    page = letter(*entries, folded=folded)
    assert max(sizes(page)) <= MAX_BYTES
    named = sum(
        len(re.findall(rf"(?:^|: )Item {n}\?$|^Item {n}\?$", page.text, re.MULTILINE)) > 0
        for n in range(len(entries))
    )
    counted = sum(
        1 if "one more" in line else int(re.search(r"\d+", line)[0])  # type: ignore[index]
        for line in page.text.split("\n")
        if re.match(r"and (papers for )?(one|\d+) more", line) and "from Stockport" in line
    )
    assert named + counted == len(entries) + already


def test_a_thousand_councils_stay_within_the_size() -> None:
    many = tuple(
        replace(STOCKPORT, slug=f"c{n}", name=f"A council with a long name {n}") for n in range(1000)
    )
    from digest.model import Silence, Waiting

    page = render_page(
        Edition(
            profile=Profile(councils=tuple(c.slug for c in many)),
            from_seq=0,
            upto_seq=9,
            as_of=edition().as_of,
            councils=many,
            entries=(decided(),),
            folded=tuple(Folded(Place.PAPERS, c, (f"papers:{c.slug}",)) for c in many),
            limited=tuple(Waiting(c, 5) for c in many),
            paused=many,
            silences=tuple(Silence(c, edition().as_of) for c in many),
        ),
        skeleton(),
    )
    assert max(sizes(page)) <= MAX_BYTES
    assert "and papers for 1000 more meetings" in page.text
