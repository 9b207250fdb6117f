"""A resident's whole story in a real browser: from the first page to the last click, and back by mistake.

With scripts and without, on a phone and on a desk. Letters are read from the outbox as a mailbox would get
them; what they link to is opened as their readers would open it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from digest.cli.summaries import import_files
from digest.links import Purpose
from digest.model import Detail, SubscriberState
from digest.pipeline import notices
from digest.pipeline.run import run_due
from digest.resources import resource_dir
from digest.settings import load_settings
from digest.store import subscribers
from digest.web.app import create_app
from digest.wiring import Hall
from tests.integration.web.conftest import Clock, serving
from tests.integration.web.people import (
    add_reader,
    dump,
    letter_to,
    letters,
    link,
    link_to,
    links_in,
    with_councils,
)

PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 800}


@dataclass
class Town:
    """An installation that serves: its hall, and where."""

    hall: Hall
    address: str

    def path(self, purpose: Purpose, id_: int) -> str:
        word = purpose.word if purpose not in (Purpose.EXPORT, Purpose.ERASE) else f"agree/{purpose.word}"
        return f"/{word}/{link(self.hall, purpose, id_).rpartition('/')[2]}"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """Three councils, of which one published a summary this week."""
    folder = tmp_path
    settings = load_settings(
        None,
        {
            "DIGEST_DATABASE_URL": f"sqlite:///{folder}/digest.db",
            "DIGEST_BASE_URL": "http://testserver",
            "DIGEST_SECRET_KEY": "k" * 64,
            "DIGEST_SUPPRESSION_KEY": "s" * 64,
            "DIGEST_OUTBOX__DIRECTORY": f"{folder}/outbox",
        },
    )
    hall = Hall(settings, Clock())
    hall.database.upgrade()
    with_councils(hall)
    samples = resource_dir("samples") / "summaries"
    taken = import_files(hall, [Path(samples / "stockport-2025-09-03-children-families.md")])
    assert taken["imported"] == 1, taken
    with serving(create_app(hall)) as address:
        yield Town(hall, address)
    hall.close()


@contextmanager
def browsing(chromium: Browser, town: Town, *, size: dict[str, int], scripts: bool) -> Iterator[Page]:
    context = chromium.new_context(
        base_url=town.address,
        viewport={"width": size["width"], "height": size["height"]},
        java_script_enabled=scripts,
        locale="en-GB",
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    # A form that lacks something is answered with 422, a letter's frame runs no scripts: both are said.
    assert [one for one in wrong if "sandboxed" not in one and "status of 422" not in one] == []


def state_of(town: Town, address: str) -> subscribers.Subscriber:
    with town.hall.database.read() as connection:
        return subscribers.subscriber_by_address(connection, address)


def scan(town: Town) -> None:
    """What the gateways of large mail services do: fetch every link of every letter."""
    before = dump(town.hall)
    paths = dict.fromkeys(path for letter in letters(town.hall) for path in links_in(letter))
    with httpx.Client(base_url=town.address) as scanner:
        for path in paths:
            for method in ("GET", "HEAD"):
                assert scanner.request(method, path).status_code < 500
    assert len(paths) >= 6
    assert dump(town.hall) == before


def sign_up(page: Page, address: str) -> None:
    page.goto("/")
    page.locator("[name=council][value=stockport]").check()
    page.get_by_label("Your e-mail address").fill(address)
    page.get_by_label("Please send me").check()
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mailbox")


@pytest.mark.parametrize(
    ("size", "scripts"), [(PHONE, True), (DESK, False)], ids=["phone with scripts", "desk without"]
)
def test_from_the_first_page_to_the_last_click(
    chromium: Browser, town: Town, size: dict[str, int], scripts: bool
) -> None:
    who = f"reader{size['width']}@example.org"
    with browsing(chromium, town, size=size, scripts=scripts) as page:
        sign_up(page, who)
        page.goto(link_to(letter_to(town.hall, who), "/confirm/"))
        page.get_by_role("button", name="Yes, send me the digest").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You are subscribed")
        letter_to(town.hall, who, nth=2)

        run_due(town.hall.works, patience=timedelta(minutes=1))
        digest = letter_to(town.hall, who, nth=3)
        assert "special needs" in str(digest["Subject"])
        scan(town)

        page.goto(next(path for path in links_in(digest) if "?less=committee:" in path))
        page.get_by_role("button", name="Yes, leave it out").click()
        muted = state_of(town, who).profile.committees
        assert [one.is_wanted for one in muted] == [False]
        page.get_by_role("button", name="Undo").click()
        assert state_of(town, who).profile.committees == ()

        page.goto(link_to(digest, "/preferences/"))
        page.get_by_label("Headlines").check()
        page.get_by_role("button", name="Try them on my next letter").click()
        frame = page.frame_locator("iframe[name=preview]")
        expect(frame.get_by_text("Can Stockport stop").first).to_be_attached()
        assert state_of(town, who).profile.detail is Detail.BRIEF
        page.get_by_role("button", name="Keep these choices").click()
        expect(page.get_by_role("status")).to_contain_text("Your choices are kept.")
        assert state_of(town, who).profile.detail is Detail.HEADLINE
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("status")).to_contain_text("as it was before")
        assert state_of(town, who).profile.detail is Detail.BRIEF

        page.goto(link_to(digest, "/unsubscribe/"))
        page.get_by_role("button", name="Unsubscribe from everything").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You are unsubscribed")
        assert state_of(town, who).state is SubscriberState.LEFT
        page.get_by_role("button", name=re.compile("by mistake")).click()
        assert state_of(town, who).state is SubscriberState.ACTIVE

    header = re.fullmatch(r"<http://testserver(/unsubscribe/\w[\w-]*)>", str(digest["List-Unsubscribe"]))
    assert header
    name, _, value = str(digest["List-Unsubscribe-Post"]).partition("=")
    answer = httpx.post(town.address + header[1], data={name: value})
    assert answer.status_code == 200
    assert state_of(town, who).state is SubscriberState.LEFT


def test_who_has_only_a_keyboard_subscribes_and_leaves(chromium: Browser, town: Town) -> None:
    with browsing(chromium, town, size=DESK, scripts=True) as page:
        page.goto("/")
        reach(page, "council", "stockport")
        page.keyboard.press("Space")
        reach(page, "email")
        page.keyboard.type("keys@example.org")
        reach(page, "consent")
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mailbox")
        letter_to(town.hall, "keys@example.org")

        id_ = add_reader(town.hall, "keyboard@example.org", "stockport")
        page.goto(town.path(Purpose.UNSUBSCRIBE, id_))
        reach(page, "what", "all")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("You are unsubscribed")


def reach(page: Page, name: str, value: str | None = None) -> None:
    """Press Tab until that field has the focus, which must be visible."""
    for _ in range(40):
        page.keyboard.press("Tab")
        found = page.evaluate("[document.activeElement.name, document.activeElement.value]")
        if found[0] == name and value in (None, found[1]):
            style = "getComputedStyle(document.activeElement).outlineStyle"
            assert page.evaluate(style) != "none"
            return
    raise AssertionError(f"the keyboard does not reach {name}")


def pages_of(town: Town) -> dict[str, str]:
    """Every page of a resident's own, by what it shows."""
    hall, tag = town.hall, len(letters(town.hall))
    here = add_reader(hall, f"here{tag}@example.org", "stockport", "little-wittering")
    paused = add_reader(hall, f"paused{tag}@example.org", "stockport", state=SubscriberState.PAUSED)
    pending = add_reader(hall, f"pending{tag}@example.org", state=SubscriberState.PENDING)
    assert notices.ask_address_change(hall.works, here, f"new{tag}@example.org")
    notices.send_pending(hall.works)
    move = link_to(letter_to(hall, f"here{tag}@example.org"), "/agree/move/")
    return {
        "home": "/",
        "nothing found": "/?q=atlantis",
        "sample": "/councils/stockport/sample",
        "link": "/link",
        "confirm": town.path(Purpose.CONFIRM, pending),
        "confirmed": town.path(Purpose.CONFIRM, here),
        "choices": town.path(Purpose.PREFERENCES, here) + "?less=committee:stockport/Cabinet",
        "leave": town.path(Purpose.UNSUBSCRIBE, here),
        "leave while paused": town.path(Purpose.UNSUBSCRIBE, paused),
        "ended": town.path(Purpose.UNSUBSCRIBE, 999_999),
        "export": town.path(Purpose.EXPORT, here),
        "erase": town.path(Purpose.ERASE, here),
        "move": move,
    }


@pytest.mark.parametrize(
    ("size", "scheme"), [(PHONE, "light"), (DESK, "dark")], ids=["phone", "desk at night"]
)
def test_no_page_shuts_anybody_out(
    chromium: Browser, town: Town, axe: str, size: dict[str, int], scheme: str
) -> None:
    """axe-core finds nothing, with all that is folded open, and nothing is wider than the screen."""
    with browsing(chromium, town, size=size, scripts=True) as page:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for name, path in pages_of(town).items():
            page.goto(path)
            assert not troubles(page, axe), name
        sign_up(page, f"seen{size['width']}@example.org")
        assert not troubles(page, axe), "asked"
        page.goto("/")
        page.evaluate("document.querySelector('form[method=post]').noValidate = true")
        page.get_by_role("button", name="Subscribe").click()
        expect(page.get_by_role("alert")).to_be_visible()
        assert not troubles(page, axe), "missing"


def troubles(page: Page, axe: str) -> list[str]:
    page.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations'], iframes: false})")
    said = [f"{one['id']}: {one['nodes'][0]['target']}" for one in found["violations"]]
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return said + ([f"{wide} pixels too wide"] if wide > 0 else [])
