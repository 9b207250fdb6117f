"""Leaving: one click for mail programs, one button for people, and nothing for those who only look."""

from __future__ import annotations

import html
import re
from datetime import date, timedelta

import httpx
import pytest
from pydantic import SecretStr

from digest.links import Purpose, Signer
from digest.model import SubscriberState
from digest.store import subscribers
from digest.wiring import Hall
from tests.integration.web.conftest import Clock
from tests.integration.web.people import ANN, add_reader, dump, link, reader, with_councils

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def ann(hall: Hall) -> int:
    with_councils(hall)
    return add_reader(hall)


def path_of(hall: Hall, id_: int) -> str:
    return link(hall, Purpose.UNSUBSCRIBE, id_)


def state(hall: Hall, id_: int) -> SubscriberState:
    return reader(hall, id_).state


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, f"no field {name}"
    return html.unescape(found[1])


def test_one_click_urlencoded_ends_the_letters(client: httpx.Client, hall: Hall, ann: int) -> None:
    answer = client.post(path_of(hall, ann), data=ONE_CLICK)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert state(hall, ann) is SubscriberState.LEFT
    assert reader(hall, ann).ended_reason == "one-click"


def test_one_click_multipart_ends_the_letters(client: httpx.Client, hall: Hall, ann: int) -> None:
    answer = client.post(path_of(hall, ann), files={"List-Unsubscribe": (None, "One-Click")})
    assert answer.status_code == 200
    assert state(hall, ann) is SubscriberState.LEFT


def test_one_click_twice_is_one(client: httpx.Client, hall: Hall, ann: int, clock: Clock) -> None:
    client.post(path_of(hall, ann), data=ONE_CLICK)
    left = dump(hall)
    clock.forward(timedelta(days=1))
    assert client.post(path_of(hall, ann), data=ONE_CLICK).status_code == 200
    assert dump(hall) == left


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT"])
def test_who_does_not_post_changes_nothing(client: httpx.Client, hall: Hall, ann: int, method: str) -> None:
    before = dump(hall)
    client.request(method, path_of(hall, ann))
    assert dump(hall) == before


def test_a_post_that_asks_for_nothing_changes_nothing(client: httpx.Client, hall: Hall, ann: int) -> None:
    before = dump(hall)
    for body in ({}, {"what": "everything"}, {"what": "council:"}, {"what": "council:nowhere"}):
        client.post(path_of(hall, ann), data=body)
    assert dump(hall) == before


def test_a_link_of_three_years_ago_with_a_retired_key_still_works(
    client: httpx.Client, hall: Hall, ann: int
) -> None:
    old = Signer("o" * 64).token(Purpose.UNSUBSCRIBE, ann, on=date(2022, 9, 4))
    assert client.post(f"/unsubscribe/{old}", data=ONE_CLICK).status_code == 404
    hall.settings.__dict__["old_secret_keys"] = (SecretStr("o" * 64),)
    del hall.__dict__["signer"]
    assert client.post(f"/unsubscribe/{old}", data=ONE_CLICK).status_code == 200
    assert state(hall, ann) is SubscriberState.LEFT


def test_a_link_for_another_page_leaves_nobody(client: httpx.Client, hall: Hall, ann: int) -> None:
    token = link(hall, Purpose.PREFERENCES, ann).rpartition("/")[2]
    assert client.post(f"/unsubscribe/{token}", data=ONE_CLICK).status_code == 404
    assert state(hall, ann) is SubscriberState.ACTIVE


def test_the_first_thing_on_the_page_is_the_button_that_leaves_all(
    client: httpx.Client, hall: Hall, ann: int
) -> None:
    main = client.get(path_of(hall, ann)).text.partition("<main")[2]
    first = re.search(r"<(?:button|a|input|select)\b[^>]*>", main)
    assert first
    assert 'name="what" value="all"' in first[0]


def test_the_page_shows_whose_it_is_and_not_to_strangers(client: httpx.Client, hall: Hall, ann: int) -> None:
    page = client.get(path_of(hall, ann)).text
    assert "a•••@e•••.org" in page
    assert "mellor" not in page
    assert ANN not in page


def test_one_council_is_left_and_the_other_stays(client: httpx.Client, hall: Hall, ann: int) -> None:
    page = client.post(path_of(hall, ann), data={"what": "council:stockport"}).text
    assert reader(hall, ann).profile.councils == ("great-harrow",)
    assert state(hall, ann) is SubscriberState.ACTIVE
    assert "You left Stockport" in page


def test_the_last_council_left_is_all_left(client: httpx.Client, hall: Hall, ann: int) -> None:
    for slug in ("stockport", "great-harrow"):
        client.post(path_of(hall, ann), data={"what": f"council:{slug}"})
    assert state(hall, ann) is SubscriberState.LEFT


def test_a_pause_has_an_end(client: httpx.Client, hall: Hall, ann: int, clock: Clock) -> None:
    client.post(path_of(hall, ann), data={"what": "pause", "weeks": "8"})
    assert state(hall, ann) is SubscriberState.PAUSED
    assert reader(hall, ann).paused_until == clock.at.date() + timedelta(weeks=8)


def test_a_pause_ends_when_its_reader_says_so(client: httpx.Client, hall: Hall, ann: int) -> None:
    client.post(path_of(hall, ann), data={"what": "pause"})
    client.post(path_of(hall, ann), data={"what": "resume"})
    assert state(hall, ann) is SubscriberState.ACTIVE


@pytest.mark.parametrize("what", ["all", "council:stockport", "pause"])
def test_a_slip_is_undone_wholly(client: httpx.Client, hall: Hall, ann: int, what: str) -> None:
    before = reader(hall, ann)
    page = client.post(path_of(hall, ann), data={"what": what}).text
    assert reader(hall, ann) != before
    client.post(path_of(hall, ann), data={"what": "undo", "undo": hidden(page, "undo")})
    assert reader(hall, ann) == before


def test_undo_of_leaving_is_a_consent_on_record(client: httpx.Client, hall: Hall, ann: int) -> None:
    page = client.post(path_of(hall, ann), data={"what": "all"}).text
    client.post(path_of(hall, ann), data={"what": "undo", "undo": hidden(page, "undo")})
    with hall.database.read() as connection:
        sources = [one.source for one in subscribers.consents(connection, ann)]
    assert sources == ["test", "undo of leaving, web"]


def test_undo_of_one_reader_is_no_undo_of_another(client: httpx.Client, hall: Hall, ann: int) -> None:
    bob = add_reader(hall, "bob@example.org")
    page = client.post(path_of(hall, ann), data={"what": "all"}).text
    client.post(path_of(hall, bob), data={"what": "all"})
    answer = client.post(path_of(hall, bob), data={"what": "undo", "undo": hidden(page, "undo")})
    assert answer.status_code == 404
    assert state(hall, ann) is state(hall, bob) is SubscriberState.LEFT


def test_undo_is_over_after_some_days(client: httpx.Client, hall: Hall, ann: int, clock: Clock) -> None:
    page = client.post(path_of(hall, ann), data={"what": "all"}).text
    clock.forward(timedelta(days=3))
    answer = client.post(path_of(hall, ann), data={"what": "undo", "undo": hidden(page, "undo")})
    assert answer.status_code == 410
    assert state(hall, ann) is SubscriberState.LEFT


def test_undo_never_brings_back_who_reported_spam(client: httpx.Client, hall: Hall, ann: int) -> None:
    page = client.post(path_of(hall, ann), data={"what": "all"}).text
    with hall.database.write() as connection:
        subscribers.end(
            connection, ann, state=SubscriberState.SUPPRESSED, reason="spam report", now=hall.clock()
        )
    client.post(path_of(hall, ann), data={"what": "undo", "undo": hidden(page, "undo")})
    assert state(hall, ann) is SubscriberState.SUPPRESSED


def test_the_link_of_an_ended_subscription_says_so_and_leads_on(
    client: httpx.Client, hall: Hall, ann: int
) -> None:
    client.post(path_of(hall, ann), data=ONE_CLICK)
    page = client.get(path_of(hall, ann))
    assert page.status_code == 200
    assert "This subscription has ended" in page.text
    assert 'href="/councils/stockport"' in page.text
    assert "<button" not in page.text


def test_the_link_of_somebody_forgotten_says_the_same(client: httpx.Client, hall: Hall, ann: int) -> None:
    page = client.get(link(hall, Purpose.UNSUBSCRIBE, 987_654))
    assert page.status_code == 200
    assert "This subscription has ended" in page.text


def test_a_reader_of_welsh_letters_leaves_in_welsh(client: httpx.Client, hall: Hall, ann: int) -> None:
    nia = add_reader(hall, "nia@example.org", language="cy")
    assert '<html lang="cy">' in client.get(path_of(hall, nia)).text


def test_a_body_without_end_is_refused(client: httpx.Client, hall: Hall, ann: int) -> None:
    answer = client.post(path_of(hall, ann), content=b"a=" + b"x" * 400_000)
    assert answer.status_code == 413
    assert state(hall, ann) is SubscriberState.ACTIVE
