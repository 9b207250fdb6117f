"""The known traps of MJML and premailer: what must survive them, and what must never get in (DESIGN 6)."""

from __future__ import annotations

import re

import pytest

from digest.errors import TemplateError
from digest.render.page import render_page
from digest.render.shield import to_html
from digest.render.skeleton import compile_skeleton
from tests.unit.render.builders import PUBLICATION, decided, edition, skeleton, sources, whole_edition


def html_of_a_letter() -> str:
    html = render_page(whole_edition(), skeleton()).html
    assert html is not None
    return html


def small(body: str, head: str = "") -> str:
    return to_html(
        f"<mjml><mj-head>{head}</mj-head><mj-body><mj-section><mj-column><mj-text>{body}</mj-text></mj-column>"
        "</mj-section></mj-body></mjml>"
    )


def test_jinja_in_an_href_comes_through_unencoded() -> None:
    assert '<a href="{{ item.url }}">' in small('<a href="{{ item.url }}">x</a>')


def test_jinja_with_quotes_and_angle_brackets_comes_through() -> None:
    tag = """{% if a < b and c == "d" %}"""
    assert tag in small(f"{tag}yes{{% endif %}}")


def test_kept_styles_keep_their_important() -> None:
    html = html_of_a_letter()
    dark = html[html.index("prefers-color-scheme") :]
    assert dark.count("!important") > 20


def test_dark_mode_and_phone_rules_survive() -> None:
    html = html_of_a_letter()
    assert "@media (prefers-color-scheme: dark)" in html
    assert "@media only screen and (max-width: 480px)" in html


def test_the_doctype_is_there_once_and_first() -> None:
    html = html_of_a_letter()
    assert html.lower().startswith("<!doctype html>")
    assert html.lower().count("<!doctype") == 1


def test_outlook_ghost_tables_survive_in_balance() -> None:
    html = html_of_a_letter()
    opened = html.count("<!--[if mso | IE]>")
    assert opened > 20
    assert opened + html.count("<!--[if mso]>") + html.count("<!--[if lte mso 11]>") <= html.count(
        "<![endif]-->"
    )


def test_each_outlook_ghost_table_that_opens_also_closes() -> None:
    ghosts = "".join(re.findall(r"<!--\[if mso \| IE\]>(.*?)<!\[endif\]-->", html_of_a_letter(), re.DOTALL))
    for tag in ("table", "tr", "td"):
        assert len(re.findall(f"<{tag}[ >]", ghosts)) == ghosts.count(f"</{tag}>"), tag


def test_our_own_rules_stand_inline_on_the_elements() -> None:
    html = html_of_a_letter()
    body = html[html.index("<body") :]
    assert re.search(r'<h3[^>]*style="[^"]*font-family[^"]*Georgia', body)


def test_a_letter_fetches_nothing_when_no_logo_is_set() -> None:
    html = html_of_a_letter()
    assert not re.search(r"<link|<script|<img|@import|url\(|fonts\.googleapis", html)


def test_styles_stay_below_what_gmail_reads() -> None:
    styles = "".join(re.findall(r"<style[^>]*>(.*?)</style>", html_of_a_letter(), re.DOTALL))
    assert len(styles.encode()) <= 8_192


def test_text_in_tables_keeps_its_order() -> None:
    """What css-inline got wrong: loose text between rows."""
    html = small(
        "<table><tr><td>{{ one }}</td></tr>{% for x in y %}<tr><td>{{ x }}</td></tr>{% endfor %}</table>"
    )
    order = ["{{ one }}", "{% for x in y %}", "{{ x }}", "{% endfor %}"]
    assert sorted(order, key=html.index) == order


def test_language_stands_on_html_and_on_the_wrapper() -> None:
    html = html_of_a_letter()
    assert '<html lang="en"' in html
    assert re.search(r'<div[^>]*lang="en"', html)


def test_no_working_mark_is_left_in_a_letter() -> None:
    page = render_page(whole_edition(), skeleton())
    assert "zq" not in (page.html or "") + page.text
    assert "\x02" not in (page.html or "") + page.text
    assert not re.search(r"\{\{|\{%|\[\[", (page.html or "") + page.text)


def test_the_unsubscribe_link_also_stands_near_the_top() -> None:
    html = html_of_a_letter()
    assert html.index("-dgUnsub-") < html.index("<h1")


@pytest.mark.parametrize(
    "bad", ["<link rel='stylesheet' href='x.css' />", "<style>@import url(x.css)</style>"]
)
def test_a_template_that_fetches_is_refused(bad: str) -> None:
    texts = {**sources(), "parts/quiet.mjml": sources()["parts/quiet.mjml"] + bad}
    with pytest.raises(TemplateError, match=r"parts/quiet\.mjml, line \d+: .* fetches from elsewhere"):
        compile_skeleton(texts, PUBLICATION)


def test_content_is_dressed_with_inline_styles() -> None:
    html = render_page(edition(decided()), skeleton()).html or ""
    bullets = html[html.index("The deficit of") - 300 : html.index("The deficit of")]
    assert '<li style="' in bullets
    assert '<ul style="' in bullets
