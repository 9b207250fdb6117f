"""A summary file either becomes a Summary with every field, or is refused with line, field and mend."""

from __future__ import annotations

import json
import textwrap
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import NotFoundError, SummaryError
from digest.model import Attendee, Decision, Document, DocumentKind, Origin, Summary
from digest.summaries.read import MAX_BYTES, read_summary

ZONES = {"stockport": "Europe/London", "dublin": "Europe/Dublin", "nicosia": "Asia/Nicosia"}
BROKEN = sorted((Path(__file__).parent / "broken").glob("*"))

WHOLE = """\
---
council: stockport
committee: Children & Families Scrutiny Committee
title: An evening on special needs
starts_at: 2025-09-03T18:00
url: https://democracy.stockport.gov.uk/ieListDocuments.aspx?CId=1009&MId=31000
video_url: https://stockport.public-i.tv/core/portal/webcast/1
source_id: cfsc-1
language: en
questions:
  - Will the deficit grow?
topics: [Schools, "Children: care"]
origin: ai
model: some-model
attendees:
  - {name: Colin Foster, role: Chair, party: Labour, ward: Heatons South}
  - name: A. Guest
documents:
  - kind: reports_pack
    title: SEND_Update.pdf
    url: https://democracy.stockport.gov.uk/documents/s1/SEND%20Update.pdf
decisions:
  - {text: The plan was endorsed, outcome: agreed, item: "4"}
---
The lead has **two** lines
of one paragraph.

Before the first heading.

## Money

- One bullet.
"""


def read(text: str | bytes, name: str = "summary.md") -> Summary:
    data = text if isinstance(text, bytes) else text.encode()
    return read_summary(data, name=name, timezone_of=ZONES.__getitem__)


def changed(old: str, new: str) -> str:
    assert old in WHOLE
    return WHOLE.replace(old, new)


def refused(text: str | bytes, name: str = "summary.md") -> SummaryError:
    with pytest.raises(SummaryError) as caught:
        read(text, name)
    return caught.value


# --- what is read --------------------------------------------------------------------------------------


def test_every_field_of_the_front_matter_is_read() -> None:
    s = read(WHOLE)
    assert (s.council, s.committee) == ("stockport", "Children & Families Scrutiny Committee")
    assert s.title == "An evening on special needs"
    assert s.url == "https://democracy.stockport.gov.uk/ieListDocuments.aspx?CId=1009&MId=31000"
    assert s.video_url == "https://stockport.public-i.tv/core/portal/webcast/1"
    assert (s.source_id, s.language, s.origin, s.model) == ("cfsc-1", "en", Origin.AI, "some-model")
    assert (s.questions, s.topics) == (("Will the deficit grow?",), ("Schools", "Children: care"))
    assert s.attendees == (Attendee("Colin Foster", "Chair", "Labour", "Heatons South"), Attendee("A. Guest"))
    assert s.decisions == (Decision("The plan was endorsed", "agreed", "4"),)


def test_a_file_name_as_title_becomes_a_human_one() -> None:
    (document,) = read(WHOLE).documents
    assert document == Document(
        DocumentKind.REPORTS_PACK,
        "SEND Update",
        "https://democracy.stockport.gov.uk/documents/s1/SEND%20Update.pdf",
    )


def test_the_body_is_lead_text_without_heading_and_sections() -> None:
    s = read(WHOLE)
    assert s.lead == "The lead has **two** lines\nof one paragraph."
    assert [(x.heading, x.markdown) for x in s.sections] == [
        ("", "Before the first heading."),
        ("Money", "- One bullet."),
    ]


def test_json_says_the_same_as_markdown() -> None:
    front = {
        "council": "stockport",
        "committee": "Cabinet",
        "starts_at": "2025-09-09T18:00",
        "origin": "human",
        "attendees": [{"name": "Ann \u00e9"}],
        "body": "Lead.\n\n## One\n\nText.",
    }
    markdown = (
        "---\ncouncil: stockport\ncommittee: Cabinet\nstarts_at: 2025-09-09T18:00\norigin: human\n"
        "attendees:\n  - name: Ann é\n---\nLead.\n\n## One\n\nText.\n"
    )
    assert read(json.dumps(front), "a.json") == read(markdown)
    assert read(json.dumps(front, indent=2), "sent-by-the-api") == read(markdown)


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    assert read(b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode()) == read(WHOLE)


def test_yaml_words_stay_text() -> None:
    s = read(changed('[Schools, "Children: care"]', "[no, 2025-01-01, 0x10, 1_000]"))
    assert s.topics == ("no", "2025-01-01", "0x10", "1_000")


def test_harmful_characters_are_dropped_from_fields_and_body() -> None:
    s = read(
        changed("An evening on", "An\u202e eve\u200bning\x07 on").replace(
            "One bullet", "One\x00 bul\u2066let"
        )
    )
    assert s.title == "An evening on special needs"
    assert s.sections[1].markdown == "- One bullet."


@pytest.mark.parametrize("empty", ["attendees:", "attendees: []", "attendees: ~"])
def test_an_empty_list_is_no_error(empty: str) -> None:
    front = "---\ncouncil: stockport\ncommittee: C\nstarts_at: 2025-09-03\norigin: ai\n"
    assert read(f"{front}{empty}\n---\nLead.").attendees == ()


# --- times -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "starts_at", "starts_on"),
    [
        ("2025-09-03T18:00", datetime(2025, 9, 3, 17, tzinfo=UTC), date(2025, 9, 3)),
        ("2025-12-03 18:00", datetime(2025, 12, 3, 18, tzinfo=UTC), date(2025, 12, 3)),
        ("2025-09-03T23:30:00Z", datetime(2025, 9, 3, 23, 30, tzinfo=UTC), date(2025, 9, 4)),
        ("2025-09-03T18:00+02:00", datetime(2025, 9, 3, 16, tzinfo=UTC), date(2025, 9, 3)),
        ("2025-09-03", None, date(2025, 9, 3)),
        ("'2025-09-03'", None, date(2025, 9, 3)),
    ],
)
def test_a_naive_time_is_the_councils_and_a_day_alone_has_no_time(
    written: str, starts_at: datetime | None, starts_on: date
) -> None:
    s = read(changed("2025-09-03T18:00", written))
    assert (s.starts_at, s.starts_on) == (starts_at, starts_on)


def test_the_zone_is_that_of_the_council() -> None:
    assert read(changed("council: stockport", "council: nicosia")).starts_at == datetime(
        2025, 9, 3, 15, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "written",
    ["3/9/2025", "2025-09-31", "2025-9-3", "20250903", "2025-W36-3", "18:00", "2025-09-03T25:00", "tomorrow"],
)
def test_a_time_that_cannot_be_read_is_refused_with_the_form_to_write(written: str) -> None:
    error = refused(changed("2025-09-03T18:00", written))
    assert error.line == 5
    assert error.why.startswith("starts_at: ")
    assert "2025-09-03T18:00" in error.why


def test_an_hour_that_the_clocks_leave_out_is_refused() -> None:
    error = refused(changed("2025-09-03T18:00", "2025-03-30T01:30"))
    assert (error.line, "does not exist in Europe/London" in error.why) == (5, True)


# --- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", BROKEN, ids=lambda p: p.stem)
def test_a_broken_file_is_refused_with_its_line_and_reason(path: Path) -> None:
    """Each file's name starts with the line that is wrong; its ``why`` stands beside it in whys.json."""
    if path.name == "whys.json":
        return
    whys = json.loads((path.parent / "whys.json").read_text("utf-8"))
    error = refused(path.read_bytes(), path.name)
    assert error.line == int(path.name[:2])
    assert whys[path.name] in error.why


def test_every_broken_file_has_its_reason_beside_it() -> None:
    whys = json.loads((BROKEN[0].parent / "whys.json").read_text("utf-8"))
    assert sorted(whys) == [path.name for path in BROKEN if path.name != "whys.json"]
    assert len(whys) >= 20


def test_all_problems_of_a_file_are_told_at_once() -> None:
    text = changed("origin: ai", "origin: robot").replace("council: stockport", "council: Stock Port")
    error = refused(text.replace("Colin Foster", "''"))
    assert error.line == 2
    assert "line 13: origin" in error.why
    assert "line 16: attendees 1: name" in error.why


@pytest.mark.parametrize("nothing", ["''", "'  '", '"\\u200b"', "~"])
def test_a_name_of_invisible_characters_is_missing(nothing: str) -> None:
    error = refused(changed("name: Colin Foster", f"name: {nothing}"))
    assert (error.line, "attendees 1: name: is missing" in error.why) == (16, True)


def test_an_unknown_council_is_named_whatever_the_caller_raises() -> None:
    def nobody(slug: str) -> str:
        raise NotFoundError(f"no council {slug}; the nearest is stockport")

    with pytest.raises(SummaryError, match="the nearest is stockport") as caught:
        read_summary(WHOLE.encode(), name="a.md", timezone_of=nobody)
    assert caught.value.line == 2
    assert (
        "no council is called 'elsewhere'" in refused(changed("council: stockport", "council: elsewhere")).why
    )


def test_a_file_that_is_too_large_is_refused_unread() -> None:
    assert "at most 1000000" in refused(WHOLE.encode() + b" " * MAX_BYTES).why


def test_a_yaml_bomb_is_refused_at_its_first_anchor() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
    )
    error = refused(f"---\n{bomb}---\nLead.")
    assert (error.line, "anchors" in error.why) == (2, True)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_in_yaml(opening: str) -> None:
    error = refused(f"---\ntopics: \n  {opening * 20_000}\n---\nLead.")
    assert "nested" in error.why or "no YAML" in error.why


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_refused_in_json(opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    assert "JSON" in refused(f'{{"topics": {opening * 90_000}1{closing * 90_000}}}').why
    assert "nested" in refused(f'{{"topics": {opening * 40}1{closing * 40}}}').why


def test_a_python_object_tag_is_refused() -> None:
    error = refused(changed("An evening", "!!python/object/apply:os.system [ls]"))
    assert (error.line, "tag" in error.why) == (4, True)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_in_words(data: bytes) -> None:
    for name in ("a.md", "a.json"):
        try:
            told = read(data, name).council
        except SummaryError as error:
            told = error.why if error.line >= 1 else ""
        assert told


@given(st.text(st.characters(codec="utf-8"), max_size=300), st.sampled_from(["title", "topics", "attendees"]))
def test_any_text_in_a_field_is_read_or_refused_in_words(text: str, field: str) -> None:
    front = "council: stockport\ncommittee: C\nstarts_at: 2025-09-03\norigin: ai\n"
    try:
        told = read(f"---\n{front}{field}: {text}\n---\nLead.").council
    except SummaryError as error:
        told = error.why if error.line >= 1 else ""
    assert told


def test_the_fingerprint_tells_other_content_from_the_same() -> None:
    assert read(WHOLE).fingerprint == read(WHOLE).fingerprint
    assert read(WHOLE).fingerprint != read(changed("One bullet", "Another bullet")).fingerprint


# --- footnotes ---------------------------------------------------------------------------------------------


def body(text: str) -> Summary:
    front = "---\ncouncil: stockport\ncommittee: C\nstarts_at: 2025-09-03\norigin: ai\n---\n"
    return read(front + textwrap.dedent(text))


def test_a_definition_in_the_middle_of_a_bullet_is_taken_out_whole() -> None:
    s = body("""\
        Lead.

        ## Schools

        - Posts such as SENCOs[^2], and others, stay empty. [^2]: A SENCO is a teacher. She plans.
        - Next bullet.
        """)
    (section,) = s.sections
    assert section.markdown == "- Posts such as SENCOs⁽¹⁾, and others, stay empty.\n- Next bullet."
    assert s.footnotes == (("1", "A SENCO is a teacher. She plans."),)


def test_this_is_the_form_in_which_the_seed_has_it(shared: Path) -> None:
    """The very line that a generated summary carried: reference and definition in one bullet."""
    seed = next((shared / "seeds").glob("000_*.txt")).read_text("utf-8")
    line = next(line for line in seed.split("\n") if "[^2]: " in line).replace("•", "-")
    s = body(f"Lead.\n\n{line.strip()}\n- Next.\n")
    assert "[^" not in repr(s)
    assert s.footnotes[0][1].startswith("A Special Educational Needs Co-ordinator (SENCO)")
    assert s.footnotes[0][1].endswith("(SEND).")
    assert "SENCOs⁽¹⁾, teaching" in s.sections[0].markdown


@pytest.mark.parametrize(
    ("text", "left", "notes"),
    [
        ("A[^1] b.\n\n[^1]: Note.", "A⁽¹⁾ b.", ["Note."]),
        ("A[^b] c[^a].\n\n[^a]: First.\n[^b]: Second.", "A⁽¹⁾ c⁽²⁾.", ["Second.", "First."]),
        ("A[^1]. [^1]: One. [^2]: Two.", "A⁽¹⁾.", ["One.", "Two."]),
        ("A[^1]. [^1]: One goes\non here.", "A⁽¹⁾.", ["One goes on here."]),
        ("A[^1]: colon.\n\n[^1]: Note.", "A⁽¹⁾: colon.", ["Note."]),
        ("A [^1]: colon.\n\n[^1]: Note.", "A⁽¹⁾: colon.", ["Note."]),
        ("A[^1] and [^9] b.\n\n[^1]: Note.", "A⁽¹⁾ and b.", ["Note."]),
        ("A.\n\n[^1]: Nobody asks.", "A.", ["Nobody asks."]),
        ("A^[in place] b.", "A⁽¹⁾ b.", ["in place"]),
        ("A[^1].\n\n[^1]: Long\n\n    second part.", "A⁽¹⁾.", ["Long second part."]),
        ("A[^1].\n\n[^1]: See [^2].\n[^2]: Other.", "A⁽¹⁾.", ["See.", "Other."]),
    ],
)
def test_footnotes_are_numbered_as_the_text_refers_to_them(text: str, left: str, notes: list[str]) -> None:
    s = body(text)
    assert s.lead == left
    assert [t for _, t in s.footnotes] == notes
    assert [n for n, _ in s.footnotes] == [str(n) for n in range(1, len(notes) + 1)]


def test_a_label_with_two_meanings_is_refused_at_the_second() -> None:
    with pytest.raises(SummaryError, match="defined twice") as caught:
        body("A[^1].\n\n[^1]: One.\n\nB.\n\n[^1]: Two.\n")
    assert caught.value.line == 13


@given(st.text("[]^:1a \n-*.⁽¹⁾", max_size=80))
def test_no_footnote_markup_survives_reading(text: str) -> None:
    try:
        s = body("Lead.\n\n" + text)
    except SummaryError:
        return
    assert "[^" not in repr((s.lead, s.sections, s.footnotes))
