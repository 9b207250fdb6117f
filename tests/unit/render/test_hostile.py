"""Third-party text stays text: in HTML, in the text part, in the subject."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

from digest.model import Attendee, Council, Decision, Document, DocumentKind, Edition, Page, Profile, Reason
from digest.render.page import render_page
from digest.render.tags import fill, values_for
from tests.unit.render.builders import PUBLICATION, condensed, decided, edition, meeting, skeleton

HOSTILE = [
    "{{ 7 * 7 }}",
    "{% raw %}{{ tags.unsubscribe }}",
    "{# gone #}",
    "[[ ink ]]",
    "-dgUnsub-",
    "-dgNameH--dgView-",
    "<script>alert(1)</script>",
    "</h3></td></table><img src=x onerror=alert(1)>",
    "&lt;b&gt; &amp;amp; &nbsp;",
    "SENCO[^2] and [^2]: A note",
    "zqtag0zq zqreasonzq zqbodyzq",
    "line\r\nBcc: everybody@example.com",
    "Pay \u202egnp.exe\u202c now\u2066",
    "a\x00b\x02c\x1b[31m",
    "%(council)s %s %n",
    "\ud800 half a pair",
    "x" * 5_000,
    "<!--[if mso]>",
    "]]> <![endif]-->",
]


def hostile_edition(text: str) -> Edition:
    council = Council("stockport", text)
    entry = decided(
        council=council,
        meeting=meeting(
            committee=text,
            title=text,
            venue=text,
            documents=(Document(DocumentKind.AGENDA, text, "https://x.example/a"),),
        ),
        reasons=(Reason("keyword", text), Reason("council", text)),
        summary=condensed(
            headline=text,
            brief_text=text,
            decisions=(Decision(text, text, text),),
            attendees=(Attendee(text, text, text, text),),
            documents=(Document(DocumentKind.MINUTES, text, "https://x.example/m"),),
        ),
        why=text,
    )
    return edition(entry, councils=(council,), profile=Profile(councils=("stockport",), keywords=(text,)))


def filled(page: Page) -> Page:
    url = "https://d.example"
    return fill(page, values_for(unsubscribe_url=url + "/u", preferences_url=url + "/p", view_url=url + "/v"))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_leaves_the_letter_whole(text: str) -> None:
    hostile = render_page(hostile_edition(text), skeleton())
    plain = render_page(hostile_edition("Planning"), skeleton())
    tags = lambda html: [t for t in re.findall(r"</?[a-z0-9]+", html) if t not in ("<strong", "</strong")]  # noqa: E731
    assert tags(hostile.html or "") == tags(plain.html or "")
    for page in (hostile, filled(hostile)):
        assert page.subject == " ".join(page.subject.split())
        for part in (page.subject, page.preheader, page.text, page.html or ""):
            assert not re.search(r"[\x00-\x08\x0b\x0e-\x1f\u202a-\u202e\u2066-\u2069]", part)
            part.encode("utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "{{ 7 * 7 }}",
        "{# gone #}",
        "[[ ink ]]",
        "<script>alert(1)</script>",
        "&lt;b&gt; &amp;amp;",
        "%(council)s",
    ],
)
def test_hostile_text_is_read_as_written(text: str) -> None:
    page = filled(render_page(hostile_edition(text), skeleton()))
    heading = re.search(r"<h3[^>]*><a[^>]*>(.*?)</a></h3>", page.html or "")
    assert heading
    assert unescape(heading[1]) == text
    assert f"\n{text}\n" in page.text
    assert text in page.subject


def test_a_tag_in_content_is_never_replaced() -> None:
    hostile = filled(render_page(hostile_edition("-dgUnsub-"), skeleton()))
    plain = filled(render_page(hostile_edition("Planning"), skeleton()))
    for part in ("html", "text"):
        assert getattr(hostile, part).count("https://d.example/u") == getattr(plain, part).count(
            "https://d.example/u"
        )


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "//evil.example", "file:///etc", "https://x y", "mailto:a@b"],
)
def test_only_web_addresses_become_links(url: str) -> None:
    entry = decided(
        meeting=meeting(url=url, video_url=url, documents=()),
        summary=condensed(documents=(Document(DocumentKind.AGENDA, "Agenda", url),)),
    )
    page = render_page(edition(entry), skeleton())
    assert f'href="{url}' not in (page.html or "")
    assert url not in page.text


def test_a_quote_in_an_address_stays_inside_its_attribute() -> None:
    entry = decided(meeting=meeting(video_url='https://x.example/"onmouseover="alert(1)'))
    html = render_page(edition(entry), skeleton()).html or ""
    assert "&#34;onmouseover=&#34;" in html
    assert '"onmouseover="' not in html


def test_an_operators_words_hold_no_tag_either() -> None:
    from digest.render.skeleton import compile_skeleton
    from tests.unit.render.builders import sources

    own = replace(PUBLICATION, name="The -dgView- Times", postal_address="{{ 7 * 7 }} <b>")
    page = render_page(edition(decided()), compile_skeleton(sources(), own))
    assert "The -dgView- Times" not in (page.html or "") + page.text
    assert "{{ 7 * 7 }} &lt;b&gt;" in (page.html or "")
