"""The operators' desk and the studio in a real Chromium: the main stories, and no fault that axe can find."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, expect
from playwright.sync_api import Page as Tab

from digest.cli.demo import run_demo
from digest.links import delivery_id
from digest.model import Role
from digest.pipeline import operators
from digest.resources import resource_dir
from digest.settings import load_settings
from digest.web.app import create_app, create_preview_app
from digest.wiring import Hall
from tests.integration.web.conftest import serving

pytestmark = pytest.mark.xdist_group("browser")
NOW = datetime(2025, 9, 7, 17, 0, tzinfo=UTC)
WORDS = "four words make one"
ANN = "ann.mellor@example.org"
PAGES = (
    "", "/runs", "/runs/next", "/runs/1", "/letters", "/letters/{letter}", "/summaries",
    "/summaries?state=published", "/summaries/1", "/councils", "/councils/stockport", "/feeds", "/feeds/1",
    "/subscribers", "/subscribers/1", "/suppressions?address=ann@example.org", "/notices", "/audit",
    "/operators", f"/studio?who={ANN}", f"/studio?who={ANN}&view=why",
)  # fmt: skip
# Every rule once in each width and each scheme; where only colours or widths are new, those of contrast.
EVERY: dict[str, object] = {"resultTypes": ["violations"], "iframes": False}
CONTRAST = EVERY | {"runOnly": ["color-contrast"]}
LOOKS: tuple[tuple[int, Literal["light", "dark"], dict[str, object]], ...] = (
    (1280, "light", EVERY),
    (1280, "dark", CONTRAST),
    (390, "dark", EVERY),
    (390, "light", CONTRAST),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One demo with an admin."""
    made = tmp_path_factory.mktemp("demo")
    run_demo(made, as_json=True)
    hall = Hall(load_settings(str(made / "digest.toml"), {}), lambda: NOW)
    operators.add(hall.database, "ada", role=Role.ADMIN, password=WORDS, actor="test", now=NOW)
    hall.close()
    return made


@pytest.fixture
def hall(folder: Path, tmp_path: Path) -> Iterator[Hall]:
    """A copy of it."""
    shutil.copytree(folder, tmp_path / "demo")
    made = Hall(load_settings(str(tmp_path / "demo" / "digest.toml"), {}), lambda: NOW)
    yield made
    made.close()


@pytest.fixture
def desk(hall: Hall) -> Iterator[str]:
    """Where the desk answers."""
    with serving(create_app(hall)) as address:
        yield f"{address}/operator"


@pytest.fixture
def studio(hall: Hall) -> Iterator[str]:
    """Where `digest preview` answers, with nobody signing in."""
    with serving(create_preview_app(hall)) as address:
        yield f"{address}/operator/studio"


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": 1280, "height": 900})
    yield made
    made.close()


@pytest.fixture
def tab(context: BrowserContext) -> Tab:
    return context.new_page()


def test_with_the_keyboard_alone_one_signs_in_approves_and_sees_the_queue_empty(desk: str, tab: Tab) -> None:
    tab.goto(f"{desk}/summaries")
    expect(tab.get_by_label("Name")).to_be_focused()
    tab.keyboard.type("ada")
    tab.keyboard.press("Tab")
    tab.keyboard.type(WORDS)
    tab.keyboard.press("Enter")
    approve = tab.get_by_role("button", name="Approve")
    expect(approve.first).to_be_visible()
    while waiting := approve.count():
        _tab_to(tab, "Approve")
        tab.keyboard.press("Enter")
        expect(approve).to_have_count(waiting - 1)
    tab.goto(f"{desk}/summaries?state=draft")
    expect(tab.get_by_text("None.")).to_be_visible()
    tab.goto(desk)
    expect(tab.get_by_text("Summaries wait for approval")).to_have_count(0)


def _tab_to(tab: Tab, text: str) -> None:
    for _ in range(60):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.textContent.trim()") == text:
            return
    raise AssertionError(f"the Tab key never comes to {text!r}")


def test_the_studio_shows_a_subscribers_letter_in_dark_as_text_and_beside_another(
    studio: str, tab: Tab
) -> None:
    tab.goto(studio)
    tab.get_by_label("A subscriber").fill(ANN)
    tab.keyboard.press("Enter")
    letter = tab.frame_locator("iframe[title='The letter']")
    heading = letter.get_by_role("heading").first
    expect(heading).to_be_visible()
    light = heading.evaluate("node => getComputedStyle(node).color")
    tab.get_by_label("Colours").select_option("dark")
    tab.wait_for_url("**scheme=dark**")
    expect(heading).not_to_have_css("color", light)
    tab.get_by_role("link", name="Text").click()
    expect(tab.locator("pre.source")).to_contain_text("Stockport")
    tab.get_by_label("Beside it").fill("at:2025-09-14T17:00")
    tab.keyboard.press("Enter")
    expect(tab.locator(".frames.two > div")).to_have_count(2)


def test_a_saved_template_shows_in_the_open_page_and_a_broken_one_names_its_place(
    studio: str, tab: Tab, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    letter = own / "letter.txt"
    was = (resource_dir("templates") / "email" / "letter.txt").read_text(encoding="utf-8")
    letter.write_text(was, encoding="utf-8")
    with tab.expect_response("**/studio/changes**"):
        tab.goto(f"{studio}?who={ANN}&view=text&templates={own}")
    expect(tab.locator("pre.source")).not_to_contain_text("A CHANGED LINE")
    letter.write_text("A CHANGED LINE\n" + was, encoding="utf-8")
    expect(tab.locator("pre.source")).to_contain_text("A CHANGED LINE", timeout=20_000)
    letter.write_text("{{ no_such_thing }}\n" + was, encoding="utf-8")
    warning = tab.get_by_role("alert")
    expect(warning).to_contain_text("letter.txt", timeout=20_000)
    expect(warning).to_contain_text("line 1")
    expect(tab.locator("pre.source")).to_contain_text("A CHANGED LINE")


def test_axe_finds_nothing_on_any_page_and_nothing_sticks_out(desk: str, tab: Tab, axe: str) -> None:
    tab.goto(desk)
    tab.get_by_label("Name").fill("ada")
    tab.get_by_label("Password").fill(WORDS)
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("link", name="Today")).to_be_visible()
    faults: list[tuple[object, ...]] = []
    for path in PAGES:
        tab.goto(desk + path.format(letter=delivery_id(1, 1)))
        tab.evaluate(axe)
        for width, scheme, rules in LOOKS:
            tab.set_viewport_size({"width": width, "height": 900})
            tab.emulate_media(color_scheme=scheme)
            try:  # a plot takes a moment to follow its page
                tab.wait_for_function("document.documentElement.scrollWidth <= innerWidth", timeout=3_000)
            except Error:
                faults.append((path, width, scheme, "sticks out"))
            found = tab.evaluate("rules => axe.run(document, rules)", rules)
            faults += [
                (path, width, scheme, v["id"], [n["html"][:200] for n in v["nodes"][:2]])
                for v in found["violations"]
            ]
    assert not faults
