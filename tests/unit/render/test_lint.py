"""The lint finds what is wrong, where it is, and how to mend it; a good letter passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from digest.model import Detail, Page, Profile
from digest.render.lint import lint
from digest.render.page import render_page
from digest.render.skeleton import compile_skeleton
from digest.render.tags import fill, values_for
from digest.render.theme import COLOURS, PAIRS, contrast
from tests.unit.render.builders import PUBLICATION, decided, edition, skeleton, sources, whole_edition


def page() -> Page:
    return render_page(whole_edition(), skeleton())


def html_with(old: str, new: str) -> Callable[[], Page]:
    def broken() -> Page:
        good = page()
        assert old in (good.html or "")
        return replace(good, html=(good.html or "").replace(old, new, 1))

    return broken


def test_a_whole_letter_passes() -> None:
    assert lint(page()) == ()


@pytest.mark.parametrize("detail", list(Detail))
@pytest.mark.parametrize("language", ["en", "cy"])
def test_every_detail_in_every_language_passes(detail: Detail, language: str) -> None:
    profile = Profile(councils=("stockport",), language=language)
    assert lint(render_page(edition(decided(detail=detail), profile=profile), skeleton())) == ()


def test_a_quiet_letter_passes() -> None:
    assert lint(render_page(edition(is_quiet=True), skeleton())) == ()


def test_a_filled_letter_passes() -> None:
    url = "https://d.example"
    values = values_for(
        unsubscribe_url=url + "/unsubscribe/u", preferences_url=url + "/p", view_url=url + "/v"
    )
    assert lint(fill(page(), values), value_bytes=0) == ()


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("size", lambda: replace(page(), html=(page().html or "") + "x" * 80_000)),
        ("size", lambda: replace(page(), text=page().text + "x" * 80_000)),
        ("subject-length", lambda: replace(page(), subject="x" * 71)),
        ("subject-length", lambda: replace(page(), subject="")),
        ("preheader-length", lambda: replace(page(), preheader="short")),
        ("unsafe-line", lambda: replace(page(), subject="a\r\nBcc: x")),
        ("no-text", lambda: replace(page(), text="")),
        ("html-in-text", lambda: replace(page(), text=page().text + "<p>x</p>")),
        ("no-unsubscribe", lambda: replace(page(), text=page().text.replace("-dgUnsub-", ""))),
        (
            "no-unsubscribe",
            lambda: replace(page(), html=(page().html or "").replace("-dgUnsub-", "https://x.example")),
        ),
        ("left-over", lambda: replace(page(), text=page().text + "{{ name }}")),
        ("left-over", lambda: replace(page(), text=page().text + "SENCO[^2]")),
        ("no-lang", html_with('<html lang="en"', "<html")),
        ("table-role", html_with('<table role="presentation" width', "<table width")),
        ("forbidden", html_with("</body>", "<script>x</script></body>")),
        ("heading-one", html_with("</body>", "<h1>Again</h1></body>")),
        ("heading-order", html_with("</h1>", "</h1><h4>Deep</h4>")),
        ("heading-empty", html_with("</h1>", "</h1><h2> </h2>")),
        ("dead-fragment", html_with("</body>", '<a href="#nowhere">Go to the end of it</a></body>')),
        ("unresolved-link", html_with("</body>", '<a href="/councils">All the councils</a></body>')),
        ("unresolved-link", html_with("</body>", '<a href="{{ url }}">All the councils</a></body>')),
        ("link-purpose", html_with("</body>", '<a href="https://x.example">Click here</a></body>')),
        ("link-purpose", html_with("</body>", '<a href="https://x.example"></a></body>')),
        ("no-alt", html_with("</body>", '<img src="https://x.example/a.png"></body>')),
        ("image", html_with("</body>", '<img alt="" src="https://x.example/a.svg"></body>')),
        ("contrast", html_with("</body>", '<p style="color:#999999">Pale</p></body>')),
        (
            "contrast",
            html_with("</body>", '<p style="color:#222222;background-color:#333333">Dark</p></body>'),
        ),
        ("dropped-css", html_with("</body>", '<p style="display:flex">x</p></body>')),
        ("dropped-css", html_with("</body>", '<p style="position:absolute">x</p></body>')),
        ("style-size", html_with("</style>", "</style><style>" + "a{b:c}" * 1400 + "</style>")),
        ("style-url", html_with("</style>", "</style><style>a{background:url(x)}</style>")),
        ("style-place", html_with("</body>", "<style>a{}</style></body>")),
        (
            "parity",
            lambda: replace(
                page(), text=page().text.replace("Watch the meeting", "").replace("video.stockport", "x")
            ),
        ),
        ("parity", html_with("</body>", "<h2>Only in the HTML part</h2></body>")),
    ],
)
def test_a_fault_is_found(rule: str, broken: Callable[[], Page]) -> None:
    findings = lint(broken())
    assert rule in {finding.rule for finding in findings}
    assert all(finding.place and finding.what and finding.mend for finding in findings)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_of_an_operator_are_checked_in_both_schemes(scheme: str) -> None:
    token = "muted" if scheme == "light" else "dark_muted"
    ground = COLOURS["card" if scheme == "light" else "dark_card"]
    pale = compile_skeleton(sources(), replace(PUBLICATION, colours={token: ground}))
    findings = lint(render_page(whole_edition(), pale))
    assert any(f.rule == "contrast" and f"{scheme} scheme" in f.what for f in findings)


@pytest.mark.parametrize("prefix", ["", "dark_"])
@pytest.mark.parametrize("pair", PAIRS)
def test_our_own_colours_reach_the_contrast(prefix: str, pair: tuple[str, str]) -> None:
    assert contrast(COLOURS[prefix + pair[0]], COLOURS[prefix + pair[1]]) >= 4.5


def test_contrast_of_black_and_white_is_21() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21.0
