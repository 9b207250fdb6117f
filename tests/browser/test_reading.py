"""The public pages in a real Chromium: phone and desktop, light and dark, with and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from digest.links import Purpose
from digest.model import MeetingStatus, Page, Support
from digest.pipeline import publish
from digest.settings import load_settings
from digest.store import pages
from digest.web.app import create_app
from digest.wiring import Hall
from tests.integration.web.conftest import serving
from tests.integration.web.reading_town import NOW, Town

pytestmark = pytest.mark.xdist_group("browser")
MOST_BYTES = 30_000
"""Of a first page with its stylesheet and script, as sent, without pictures."""
Scheme = Literal["light", "dark"]
PAGES = {
    "councils": "/councils",
    "council": "/councils/aber",
    "limited": "/councils/bury",
    "paused": "/councils/crewe",
    "committee": "/councils/aber?committee=planning-and-highways",
    "past": "/councils/aber/past",
    "decided": "/councils/aber/decided",
    "meeting": "/meetings/1",
    "withdrawn": "/meetings/2",
    "cancelled": "/meetings/3",
    "coming": "/meetings/4",
    "search": "/search?q=library",
    "nothing found": "/search?q=zzz",
    "welsh": "/councils/bury?lang=cy",
}


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    folder: Path = tmp_path_factory.mktemp("reading")
    settings = load_settings(
        None,
        {
            "DIGEST_DATABASE_URL": f"sqlite:///{folder}/digest.db",
            "DIGEST_BASE_URL": "http://testserver",
            "DIGEST_SECRET_KEY": "k" * 64,
            "DIGEST_SUPPRESSION_KEY": "s" * 64,
            "DIGEST_PUBLICATION__NAME": "Council Digest",
            "DIGEST_PUBLICATION__FROM": "digest@example.org",
            "DIGEST_PUBLICATION__CONTACT": "hello@example.org",
        },
    )
    made = Hall(settings, lambda: NOW)
    made.database.upgrade()
    _fill(Town(made.database))
    yield made
    made.close()


def _fill(town: Town) -> None:
    """Everything that has a face of its own; meetings 1 to 4 are those that PAGES names."""
    town.council("aber", "Aber Town Council")
    town.council("bury", "Bury Council", Support.LIMITED)
    town.council("crewe", "Crewe Council", Support.PAUSED)
    town.summary()
    withdrawn = town.summary(committee="Planning & Highways", question="Is this right?")
    publish.withdraw(town.database, withdrawn, why="Two reports were mixed up.", now=NOW)
    off = MeetingStatus.CANCELLED
    town.meeting("aber", "Planning & Highways", at=NOW + timedelta(days=2), status=off)
    town.meeting("aber", "Cabinet", at=date(2025, 9, 20))
    for n in range(12):
        town.meeting("aber", "Licensing", at=NOW + timedelta(days=n - 20), key=str(n))
    town.summary(language="cy", question="A fydd y llyfrgell yn cau?")


@pytest.fixture(scope="module")
def address(hall: Hall) -> Iterator[str]:
    with serving(create_app(hall)) as found:
        yield found


def opened(chromium: Browser, url: str, *, width: int, scheme: Scheme = "light", scripts: bool = True) -> Tab:
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=scripts
    )
    tab = context.new_page()
    tab.goto(url)
    return tab


LOOKS: list[tuple[int, Scheme]] = [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")]


@pytest.fixture(scope="module")
def tab(chromium: Browser) -> Iterator[Tab]:
    """One tab that is shown page after page in every look."""
    context = chromium.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_and_nothing_sticks_out(tab: Tab, address: str, axe: str, name: str) -> None:
    tab.goto(address + PAGES[name])
    tab.evaluate(axe)
    for width, scheme in LOOKS:
        tab.set_viewport_size({"width": width, "height": 800})
        tab.emulate_media(color_scheme=scheme)
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), (width, scheme)
        found = tab.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        wrong = [(v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]]
        assert not wrong, (width, scheme)


@pytest.mark.parametrize("name", ["councils", "council", "meeting", "search"])
def test_a_first_page_is_light(address: str, name: str) -> None:
    total = 0
    with httpx.Client(base_url=address) as client:
        page = client.get(PAGES[name])
        links = [part.split('"')[0] for part in page.text.split('"/static/')[1:]]
        for path in (PAGES[name], *(f"/static/{link}" for link in links if "svg" not in link)):
            with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
                total += sum(len(part) for part in answer.iter_raw())
    assert len(links) == 3
    assert total <= MOST_BYTES


def test_a_resident_reads_without_scripts(chromium: Browser, address: str) -> None:
    tab = opened(chromium, f"{address}/councils", width=360, scripts=False)
    tab.get_by_label("Find a council by name").fill("aber")
    tab.get_by_role("button", name="Find").click()
    tab.get_by_role("link", name="Aber Town Council").click()
    tab.get_by_role("link", name="Will the library close?").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Will the library close?")
    tab.get_by_role("link", name="Cymraeg").first.click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("A fydd y llyfrgell yn cau?")
    tab.context.close()


def test_the_list_narrows_while_one_types(chromium: Browser, address: str) -> None:
    tab = opened(chromium, f"{address}/councils", width=1280)
    tab.get_by_label("Find a council by name").press_sequentially("bur")
    expect(tab.get_by_role("link", name="Bury Council")).to_be_visible()
    expect(tab.get_by_role("link", name="Aber Town Council")).to_be_hidden()
    tab.context.close()


def test_the_keyboard_alone_is_enough(chromium: Browser, address: str) -> None:
    tab = opened(chromium, f"{address}/search", width=1280)
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Skip to the content")).to_be_focused()
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    expect(tab.get_by_label("What are you looking for?")).to_be_focused()
    tab.keyboard.type("library")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", name="In what was said and decided")).to_be_visible()
    tab.context.close()


def test_print_leaves_out_what_no_paper_needs(chromium: Browser, address: str) -> None:
    tab = opened(chromium, f"{address}/meetings/1", width=800)
    tab.emulate_media(media="print")
    expect(tab.get_by_role("navigation", name="Main")).to_be_hidden()
    expect(tab.get_by_role("link", name="Watch the meeting")).to_be_hidden()
    expect(tab.get_by_role("heading", level=1)).to_be_visible()
    tab.context.close()


def test_a_letter_in_the_browser_runs_and_loads_nothing(chromium: Browser, hall: Hall, address: str) -> None:
    html = (
        '<!doctype html><html lang="en"><head><title>t</title></head><body style="color:rgb(1, 2, 3)">'
        "<p>Hello</p><script>document.body.innerHTML = 'ran'</script></body></html>"
    )
    with hall.database.write() as connection:
        id_ = pages.page_ids_of(connection, [Page("t", "", html, "Hello")], now=NOW)[0]
    token = hall.signer.token(Purpose.VIEW, id_, on=NOW.date())
    tab = opened(chromium, f"{address}/view/{token}", width=360)
    expect(tab.get_by_text("Hello")).to_have_css("color", "rgb(1, 2, 3)")
    tab.context.close()
