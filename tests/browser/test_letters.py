"""Letters in a real Chromium: phone and desktop, light and dark, without styles, without the network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Literal

import pytest
from playwright.sync_api import Browser, Request
from playwright.sync_api import Page as Tab

from digest.model import Detail, Page, Profile, RunKind
from digest.render.notice import render_notice
from digest.render.page import render_page
from digest.render.skeleton import compile_skeleton
from digest.render.tags import fill, values_for
from tests.unit.render.builders import (
    PUBLICATION,
    condensed,
    decided,
    edition,
    meeting,
    skeleton,
    sources,
    whole_edition,
)
from tests.unit.render.test_notices import FACTS

pytestmark = pytest.mark.xdist_group("browser")
URL = "https://digest.council.example"
LONG = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"


def filled(page: Page) -> str:
    values = values_for(
        unsubscribe_url=f"{URL}/unsubscribe/u",
        preferences_url=f"{URL}/p/p",
        view_url=f"{URL}/view/v",
        name="Anna",
    )
    return fill(page, values).html or ""


@cache
def letters() -> dict[str, str]:
    """The letters that are looked at."""
    welsh = Profile(councils=("stockport",), language="cy")
    long = decided(
        meeting=meeting(committee=f"{LONG} {LONG}", title=LONG, venue=LONG),
        summary=condensed(headline=f"{LONG}?", brief_html=f"<p>{LONG} https://x.example/{LONG}{LONG}</p>"),
    )
    pages = {
        "whole": render_page(whole_edition(), skeleton()),
        "welsh": render_page(whole_edition(profile=welsh), skeleton()),
        "long words": render_page(edition(long, replace(long, detail=Detail.HEADLINE)), skeleton()),
        "quiet": render_page(edition(is_quiet=True), skeleton()),
        "confirm": render_notice(RunKind.CONFIRM, FACTS, skeleton()),
        "cancelled": render_notice(RunKind.CANCELLED_MEETING, FACTS, skeleton()),
    }
    return {name: filled(page) for name, page in pages.items()}


NAMES = ("whole", "welsh", "long words", "quiet", "confirm", "cancelled")


@pytest.fixture(scope="module")
def tab(chromium: Browser) -> Iterator[Tab]:
    """One tab without a network; each test shows its own letter in it."""
    context = chromium.new_context(offline=True)
    yield context.new_page()
    context.close()


def show(tab: Tab, html: str, *, width: int = 360, scheme: Literal["light", "dark"] = "light") -> None:
    tab.set_viewport_size({"width": width, "height": 800})
    tab.emulate_media(color_scheme=scheme)
    tab.set_content(html)


def without_styles(html: str) -> str:
    """As Gmail shows it for accounts of other providers: inline styles only."""
    return re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)


@pytest.mark.parametrize("width", [320, 360, 700])
@pytest.mark.parametrize("styles", ["all styles", "inline only"])
def test_nothing_runs_off_the_side(tab: Tab, width: int, styles: str) -> None:
    for name, html in letters().items():
        show(tab, html if styles == "all styles" else without_styles(html), width=width)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_nothing(tab: Tab, axe: str, name: str, scheme: Literal["light", "dark"]) -> None:
    show(tab, letters()[name], scheme=scheme)
    tab.evaluate(axe)
    # A letter is shown inside a client's own page, which has the landmarks; a second <main> there would
    # confuse.
    off = {rule: {"enabled": False} for rule in ("landmark-one-main", "region")}
    found = tab.evaluate("off => axe.run(document, {resultTypes: ['violations'], rules: off})", off)
    assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in found["violations"]] == []
    assert len(found["passes"]) > 10


@pytest.mark.parametrize("styles", ["all styles", "inline only"])
def test_links_that_act_are_44_px_tall(tab: Tab, styles: str) -> None:
    for name, html in letters().items():
        show(tab, html if styles == "all styles" else without_styles(html))
        small = tab.evaluate(
            """() => [...document.querySelectorAll("a")]
                .filter(a => a.matches(".act, .tile-act, .act-first, .file-link, .top-link, .foot-link"
                    + ", .less, .button a"))
                .filter(a => a.getBoundingClientRect().height < 44).map(a => a.outerHTML)"""
        )
        assert small == [], name


def test_opening_a_letter_asks_the_network_for_nothing(tab: Tab) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    tab.on("request", note)
    for html in letters().values():
        show(tab, html)
    tab.remove_listener("request", note)
    assert asked == []


def test_the_dark_scheme_is_dark(tab: Tab) -> None:
    light = brightness(tab, "light")
    dark = brightness(tab, "dark")
    assert light[0] > 600 > 200 > light[1]
    assert dark[1] > 600 > 150 > dark[0]


def brightness(tab: Tab, scheme: Literal["light", "dark"]) -> list[int]:
    """Of the ground and of a heading, each 0 to 765."""
    show(tab, letters()["whole"], scheme=scheme)
    found: list[int] = tab.evaluate(
        """() => [getComputedStyle(document.body).backgroundColor,
                  getComputedStyle(document.querySelector("h3")).color]
            .map(c => c.match(/\\d+/g).map(Number).reduce((a, b) => a + b))"""
    )
    return found


def test_the_preheader_is_not_seen(tab: Tab) -> None:
    show(tab, letters()["whole"])
    preheader = tab.locator("body > div > div").first
    assert "Inside:" in (preheader.text_content() or "")
    assert not preheader.is_visible()


def test_without_images_the_letter_still_names_its_publisher(tab: Tab) -> None:
    own = compile_skeleton(sources(), replace(PUBLICATION, logo_url="https://x.example/logo.png"))
    show(tab, filled(render_page(edition(decided()), own)))
    assert tab.locator("h1").inner_text() == "Council Digest"
    assert tab.locator("img").get_attribute("alt") == ""


def test_a_link_is_told_by_more_than_its_colour(tab: Tab) -> None:
    show(tab, letters()["whole"])
    bare = tab.evaluate(
        """() => [...document.querySelectorAll("a")]
            .filter(a => !a.closest("h2, h3") && !a.matches(".button a, .act-first"))
            .filter(a => !getComputedStyle(a).textDecorationLine.includes("underline"))
            .map(a => a.outerHTML)"""
    )
    assert bare == []
