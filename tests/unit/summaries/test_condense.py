"""A condensed summary says what matters, and nothing in it can harm a letter."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from digest.model import Attendee, Condensed, Decision, Document, DocumentKind, Origin, Section, Summary
from digest.summaries.condense import condense
from digest.summaries.footnotes import take_apart
from digest.summaries.keypoints import sentences

TAGS = {"p", "ul", "ol", "li", "strong", "em", "a", "h4", "blockquote", "sup"}


def summary(lead: str = "The lead.", *sections: Section, **more: object) -> Summary:
    return Summary("stockport", "Cabinet", None, date(2025, 9, 9), Origin.AI, lead, sections, **more)  # type: ignore[arg-type]


def section(markdown: str, heading: str = "Money") -> Section:
    return Section(heading, markdown)


def all_strings(condensed: Condensed) -> list[str]:
    texts = [condensed.headline, condensed.lead, condensed.brief_html, condensed.brief_text]
    texts += [condensed.full_html, condensed.full_text, condensed.search_text]
    texts += [*condensed.questions, *condensed.topics]
    for one in (*condensed.decisions, *condensed.attendees, *condensed.documents):
        texts += [str(getattr(one, name)) for name in one.__slots__]
    return texts


def tree_of(html: str) -> etree._Element:
    """Parsed strictly: tags that are not balanced, or a bare & or <, raise."""
    return etree.fromstring(f"<div>{html}</div>")


# --- what is said ------------------------------------------------------------------------------------------


def test_the_headline_is_the_first_question_else_the_title_else_the_committee() -> None:
    assert condense(summary(questions=("Will it grow?", "Or not?"), title="T")).headline == "Will it grow?"
    assert condense(summary(title="A title")).headline == "A title"
    assert condense(summary()).headline == "Cabinet"


def test_brief_has_the_lead_and_the_most_telling_sentences_in_the_order_of_the_text() -> None:
    c = condense(
        summary(
            "The committee looked at **money**.",
            section(
                "Members had a long talk about many things that evening.\n\n"
                "- **Deficit:** It stood at £43 million and is expected to reach £63 million. More follows.\n"
                "- People said hello to one another before the meeting began.\n"
            ),
            section("The plan was endorsed and goes to the cabinet in October. They left.", "Plan"),
        )
    )
    assert c.brief_html == (
        "<p>The committee looked at <strong>money</strong>.</p><ul>"
        "<li><strong>Money – Deficit:</strong> It stood at £43 million and is expected to reach £63 million."
        "</li>"
        "<li><strong>Plan:</strong> The plan was endorsed and goes to the cabinet in October.</li></ul>"
    )
    assert c.brief_text == (
        "The committee looked at money.\n\n"
        "- Money – Deficit: It stood at £43 million and is expected to reach £63 million.\n"
        "- Plan: The plan was endorsed and goes to the cabinet in October."
    )


def test_key_points_are_at_most_four_and_two_of_one_section() -> None:
    topics = ["Roads", "Libraries", "Harbour walls", "School dinners", "Museums", "Allotments"]
    many = section(
        "\n".join(f"- {topic} alone: £{n} million spent {n}." for n, topic in enumerate(topics, 1))
    )
    others = [
        section(f"{word} get £{n}0,000 from the county fund.", word) for n, word in enumerate(topics, 3)
    ]
    assert condense(summary("Lead.", many)).brief_html.count("<li>") == 2
    assert condense(summary("Lead.", many, *others)).brief_html.count("<li>") == 4


def test_a_key_point_does_not_repeat_the_lead_or_a_decision() -> None:
    said = "The committee agreed to spend £5 million on library roofs."
    other = section(f"{said}\n\nCar parks will cost £2 more from April.")
    assert condense(summary(said, other)).brief_html.count("library roofs") == 1
    by_decision = condense(summary("Lead.", other, decisions=(Decision(said),)))
    assert "library roofs" not in by_decision.brief_html


def test_a_short_heading_goes_before_the_first_point_of_its_section() -> None:
    bus = section(
        "It was full.\n\nThe cabinet set aside £48,000 to keep it.\n\nRoute 9 costs £2.", "Saturday bus"
    )
    long = section("A wall costs £4 million.", "What the members of the committee said about it")
    assert condense(summary("Lead.", bus, long)).brief_text.split("\n")[2:] == [
        "- Saturday bus: The cabinet set aside £48,000 to keep it.",
        "- Route 9 costs £2.",
        "- A wall costs £4 million.",
    ]


def test_a_label_without_bold_type_is_a_label_too() -> None:
    text = (
        "- Waiting times: They fell. The average went from 156 hours to 10 hours.\n\nThe end of it all: no."
    )
    assert (
        "<strong>Money – Waiting times:</strong> The average went"
        in condense(summary("Lead.", section(text))).brief_html
    )


def test_a_date_is_no_figure_and_a_sentence_that_points_elsewhere_is_no_point() -> None:
    c = condense(
        summary(
            "Lead.",
            section("The committee met again on 3 September 2025 in the town hall at 6.00 pm, as ever.", "A"),
            section("The committee agreed to add these subjects to the programme for 2025/26.", "B"),
            section("Some 481 assessments were still open when the report was written.", "C"),
            section("The board approved a wall along the harbour for £2 million.", "D"),
        )
    )
    assert [line[:3] for line in c.brief_text.split("\n")[2:]] == ["- C", "- D"]


def test_a_number_at_the_start_of_a_line_is_never_lost() -> None:
    c = condense(
        summary(
            "Lead.",
            section("3. third\n4. fourth", "1. Finance"),
            questions=("2. What **now**?",),
            decisions=(Decision("5. The plan was *endorsed*", item="6."),),
        )
    )
    assert "<h4>1. Finance</h4>" in c.full_html
    assert '<ol start="3">' in c.full_html
    assert "3. third\n4. fourth" in c.full_text
    assert c.headline == "2. What now?"
    assert c.decisions == (Decision("5. The plan was endorsed", item="6."),)


def test_full_has_every_section_under_its_heading() -> None:
    c = condense(
        summary(
            "Lead.", section("One [link](https://a.example/x?a=1&b=2).\n\n1. first\n2. second\n   - deep")
        )
    )
    assert c.full_html.startswith(
        '<p>Lead.</p><h4>Money</h4><p>One <a href="https://a.example/x?a=1&amp;b=2">'
    )
    assert c.full_text == (
        "Lead.\n\nMoney\n-----\n\nOne link (https://a.example/x?a=1&b=2).\n\n1. first\n2. second\n  - deep"
    )


def test_notes_stand_at_the_end_with_raised_numbers() -> None:
    text, notes = take_apart("Posts for SENCOs[^2] are empty. [^2]: A teacher who plans.")
    c = condense(summary(text, footnotes=notes))
    assert (
        c.full_html
        == "<p>Posts for SENCOs<sup>1</sup> are empty.</p><p><sup>1</sup> A teacher who plans.</p>"
    )
    assert c.full_text == "Posts for SENCOs[1] are empty.\n\n[1] A teacher who plans."
    assert c.lead == "Posts for SENCOs are empty."


def test_brief_shows_only_the_notes_it_refers_to_numbered_from_one() -> None:
    text, notes = take_apart(
        "Dull[^a].\n\nThe roof[^b] costs £5 million a year.\n\n[^a]: First.\n[^b]: Second."
    )
    c = condense(summary("Lead.", section(text), footnotes=notes))
    assert "The roof<sup>1</sup> costs £5 million a year." in c.brief_html
    assert "<p><sup>1</sup> Second.</p>" in c.brief_html
    assert "First" not in c.brief_html
    assert "The roof[2] costs" in c.full_text


def test_tables_become_lists_and_subheadings_bold() -> None:
    html = condense(summary("Lead.", section("### Costs\n\n| a | b |\n|---|---|\n| 1 | 2 |"))).full_html
    assert "<p><strong>Costs</strong></p>" in html
    assert re.sub(r"\s", "", html).endswith("<ul><li>a,b</li><li>1,2</li></ul>")


def test_search_text_holds_every_word_a_reader_may_have_asked_for() -> None:
    c = condense(
        summary(
            "The **lead**.",
            section("Body[word](https://x.example)."),
            title="Title",
            topics=("Parking",),
            questions=("Why?",),
            decisions=(Decision("Decided", "agreed", "Item 4"),),
            attendees=(Attendee("Ann", "Chair", "Labour", "Manor"),),
            documents=(Document(DocumentKind.AGENDA, "Front sheet", "https://x.example"),),
        )
    )
    for word in (
        "Cabinet",
        "Title",
        "Parking",
        "Why?",
        "Decided",
        "Item 4",
        "Ann",
        "Manor",
        "Front sheet",
        "lead",
    ):
        assert word in c.search_text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One. Two.", ["One.", "Two."]),
        ("Cllr. Lee met St. Ann. At 6.00 p.m. he left.", ["Cllr. Lee met St. Ann.", "At 6.00 p.m. he left."]),
        ("It cost £1.5m. £2m is left.", ["It cost £1.5m. £2m is left."]),
        ("Really? Yes!", ["Really?", "Yes!"]),
        ("No end", ["No end"]),
        ("", []),
    ],
)  # fmt: skip
def test_sentences_end_where_a_reader_would_say(text: str, found: list[str]) -> None:
    assert sentences(text) == found


# --- what can never come out -------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1)) [b](data:text/html,x) [c](//evil.example) [d](/relative) [e](mailto:a@b.example)",  # noqa: E501
    "![pixel](https://track.example/p.gif)",
    "<https://ok.example/> <javascript:alert(1)>",
    "&lt;script&gt; &#60;img src=x&#62; &#123;&#123; x &#125;&#125;",
    "{{ 7*7 }} {% include 'x' %} {# c #} {{{x}}} -tag- %recipient%",
    "a\u202eb\u2066c\u0000d\u200be\ufefff",
    "&#8238;&#x202e;&#0;",
    "text[^1] and \\[^2] and &#91;^3] and [*^*4] [^",
    "> > > > > > > > > > > > > > > > > > > > deep",
    "- " * 30 + "deep",
    "<a href='https://a.example' onclick='x'>y</a>",
    "[x]: javascript:alert(1)\n\n[x]",
    "```html\n<script>\n```",
    '[a](https://a.example/"onmouseover="x)',
    "<!-- comment --> <![CDATA[x]]> <?php x ?>",
]


def check_harmless(c: Condensed) -> None:
    for html in (c.brief_html, c.full_html):
        for element in tree_of(html).iter():
            assert element.tag in TAGS | {"div"}
            assert set(element.attrib) <= {"a": {"href"}, "ol": {"start"}}.get(str(element.tag), set())
            if element.tag == "a":
                assert element.attrib["href"].startswith(("https://", "http://"))
    for text in all_strings(c):
        assert "[^" not in text
        assert not re.search(r"\{[{%#]|[}%#]\}", text)
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\u200b\ufeff\ue000-\uf8ff]", text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_comes_out_harmless(text: str) -> None:
    note = (("1", text),)
    c = condense(
        summary(
            text,
            Section(text, text),
            Section("x", f"- **{text}:** the council agreed £5 million for {text}"),
            title=text,
            questions=(text,),
            topics=(text,),
            footnotes=note,
            decisions=(Decision(text, text, text),),
            attendees=(Attendee(text, text, text, text),),
            documents=(Document(DocumentKind.AGENDA, text, "https://a.example/"),),
        )
    )
    check_harmless(c)


PIECES = [*"*_`[)<>&^{}%#a\\!]", "**", "](", "⁽¹⁾", "⁽⁹⁹⁾", "&#91;", "&#94;"]
PIECES += [" ", "\n", "\n\n", "- ", "1. ", "> ", "    ", "| a |\n|---|\n", "~~~\n", "£5 million agreed. "]
markdown = st.lists(
    st.sampled_from([*HOSTILE, *PIECES]) | st.text(st.characters(codec="utf-8"), max_size=5), max_size=14
).map("".join)


@given(markdown, markdown, markdown)
@example("[^", "&#91;^1]", "[[^^")
@example("*[^a*b]", "a&nbsp;b \\[^1] {&#123;", "{⁽¹⁾{ [⁽¹⁾^x]")
@example("\u0338a", "*\u0338*", "**b**&#x338;")
def test_any_markdown_comes_out_harmless_and_always_the_same(lead: str, text: str, note: str) -> None:
    s = summary(lead, Section(text[:40], text), footnotes=(("1", note),), questions=(note,))
    c = condense(s)
    check_harmless(c)
    assert condense(s) == c


def test_a_document_without_a_web_address_is_left_out() -> None:
    bad = Document(DocumentKind.AGENDA, "A", "javascript:alert(1)")
    assert condense(summary(documents=(bad,))).documents == ()


@pytest.mark.parametrize(
    "unit",
    ["[", "*a", "![", "a&", "`", "- ", "> ", "[a](", "⁽¹⁾", "a. ", " "],
)
def test_the_largest_text_of_one_thing_stays_bounded(unit: str) -> None:
    """5 MB on one line and on many: what comes out is smaller than what may be stored for one summary."""
    c = condense(summary(unit * (5_000_000 // len(unit)), section((unit * 50 + "\n") * 2_000)))
    assert max(map(len, all_strings(c))) < 1_000_000


def test_condensing_does_not_depend_on_anything_but_the_summary() -> None:
    one = summary("Lead.", section("£5 million agreed."))
    assert condense(one) == condense(replace(one))
