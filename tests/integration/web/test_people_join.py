"""Signing up: find a council, leave an address, press the button in a letter; strangers learn nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from digest.links import Purpose
from digest.model import SubscriberState
from digest.pipeline import wishes
from digest.store import postcodes, subscribers, suppressions
from digest.store.councils import council_ids
from digest.store.subscribers import Subscriber
from digest.web.consent import VERSION, WORDINGS
from digest.wiring import Hall
from tests.integration.web.conftest import Clock
from tests.integration.web.people import (
    add_reader,
    all_is_done,
    dump,
    letter_to,
    letters,
    link,
    link_to,
    reader,
    subscribe,
    with_councils,
)

NEW = "new.reader+council@example.org"


@pytest.fixture(autouse=True)
def _town(hall: Hall) -> None:
    with_councils(hall)


def found(hall: Hall, address: str = NEW) -> Subscriber | None:
    with hall.database.read() as connection:
        return subscribers.find_subscriber(connection, address)


def bar(hall: Hall, address: str, reason: str) -> None:
    with hall.database.write() as connection:
        suppressions.suppress(
            connection, address, key=hall.suppression_key, reason=reason, evidence=None, now=hall.clock()
        )


# --- from the form to the first letter --------------------------------------------------------------------


def test_who_signs_up_and_confirms_is_a_reader(client: httpx.Client, hall: Hall) -> None:
    assert subscribe(client, NEW, "stockport", "little-wittering").status_code == 200
    path = link_to(letter_to(hall, NEW), "/confirm/")
    assert "Shall the digest of" in client.get(path).text
    welcomed = client.post(path).text
    assert "You are subscribed" in welcomed
    assert re.search(r"comes to you\.\s+The next one leaves on", welcomed)
    now = found(hall)
    assert now is not None
    assert now.state is SubscriberState.ACTIVE
    assert now.profile.councils == ("little-wittering", "stockport")
    assert now.address == NEW


def test_a_welcome_follows_the_confirmation(client: httpx.Client, hall: Hall) -> None:
    subscribe(client, NEW)
    client.post(link_to(letter_to(hall, NEW), "/confirm/"))
    assert str(letter_to(hall, NEW, nth=2)["Subject"]).startswith("Welcome")


def test_the_record_says_who_agreed_to_which_words_when_and_where(
    client: httpx.Client, hall: Hall, clock: Clock
) -> None:
    subscribe(client, NEW)
    path = link_to(letter_to(hall, NEW), "/confirm/")
    clock.forward(timedelta(hours=2))
    client.post(path)
    one = found(hall)
    assert one is not None
    with hall.database.read() as connection:
        record = [(c.source, c.wording, c.at) for c in subscribers.consents(connection, one.id)]
    shown = f"sign-up text {VERSION} (en)"
    first = datetime(2025, 9, 7, 17, tzinfo=UTC)
    assert record == [
        ("sign-up page", shown, first),
        ("confirmation link", shown, first + timedelta(hours=2)),
    ]


def test_the_page_shows_the_very_words_that_the_record_names(client: httpx.Client) -> None:
    assert WORDINGS[VERSION] in client.get("/", headers={"Accept-Language": "en"}).text


def test_opening_the_link_confirms_nothing(client: httpx.Client, hall: Hall) -> None:
    subscribe(client, NEW)
    path = link_to(letter_to(hall, NEW), "/confirm/")
    before = dump(hall)
    client.get(path)
    client.head(path)
    assert dump(hall) == before


def test_confirming_twice_is_once(client: httpx.Client, hall: Hall) -> None:
    subscribe(client, NEW)
    path = link_to(letter_to(hall, NEW), "/confirm/")
    client.post(path)
    letter_to(hall, NEW, nth=2)
    before = dump(hall)
    assert "You are subscribed" in client.post(path).text
    assert dump(hall) == before


def test_a_link_older_than_a_week_says_so_and_leads_to_a_new_one(
    client: httpx.Client, hall: Hall, clock: Clock
) -> None:
    id_ = add_reader(hall, NEW, state=SubscriberState.PENDING)
    path = link(hall, Purpose.CONFIRM, id_)
    clock.forward(timedelta(days=8))
    for answer in (client.get(path), client.post(path)):
        assert answer.status_code == 410
        assert "older than a week" in answer.text
        assert 'href="/#subscribe"' in answer.text
    assert reader(hall, id_).state is SubscriberState.PENDING


def test_who_left_meanwhile_is_not_brought_back_by_an_old_confirmation(
    client: httpx.Client, hall: Hall
) -> None:
    id_ = add_reader(hall, NEW)
    wishes.leave_all(hall.database, id_, reason="one-click", now=hall.clock())
    assert client.post(link(hall, Purpose.CONFIRM, id_)).status_code == 410
    assert reader(hall, id_).state is SubscriberState.LEFT


# --- strangers learn nothing ------------------------------------------------------------------------------


def state_of_affairs(hall: Hall, which: str) -> str:
    """An address that stands as named."""
    address = f"{which}@example.org"
    if which in ("bounce", "spam report"):
        address = f"{which.replace(' ', '.')}@example.org"
        bar(hall, address, which.replace(" ", "_"))
    elif which == "left":
        id_ = add_reader(hall, address)
        wishes.leave_all(hall.database, id_, reason="one-click", now=hall.clock())
    elif which != "unknown":
        add_reader(hall, address, state=SubscriberState(which))
    return address


@pytest.mark.parametrize("which", ["active", "paused", "pending", "left", "bounce", "spam report"])
def test_the_answer_is_the_same_for_everybody(client: httpx.Client, hall: Hall, which: str) -> None:
    address = state_of_affairs(hall, which)
    nobody = subscribe(client, "unknown@example.org")
    somebody = subscribe(client, address)
    assert somebody.text.replace(address, "X") == nobody.text.replace("unknown@example.org", "X")
    assert somebody.status_code == nobody.status_code
    same = set(somebody.headers) - {"date", "content-length"}
    assert {k: somebody.headers[k] for k in same} == {k: nobody.headers[k] for k in same}


def test_the_answer_waits_for_nothing_that_depends_on_the_address(client: httpx.Client, hall: Hall) -> None:
    """A writer holds the database: whatever has to be stored, the page is there already."""
    with hall.database.write():
        assert subscribe(client, NEW).status_code == 200
        assert found(hall) is None
    letter_to(hall, NEW)


def test_a_reader_who_signs_up_again_gets_their_link_and_keeps_their_choices(
    client: httpx.Client, hall: Hall
) -> None:
    id_ = add_reader(hall, NEW, "great-harrow")
    before = reader(hall, id_)
    subscribe(client, NEW, "stockport")
    letter = letter_to(hall, NEW)
    assert any(one.startswith("/preferences/") for one in map(str, [link_to(letter, "/preferences/")]))
    assert reader(hall, id_) == before


def test_who_left_comes_back_by_confirming(client: httpx.Client, hall: Hall) -> None:
    id_ = add_reader(hall, NEW)
    wishes.leave_all(hall.database, id_, reason="one-click", now=hall.clock())
    subscribe(client, NEW, "great-harrow")
    client.post(link_to(letter_to(hall, NEW), "/confirm/"))
    assert reader(hall, id_).state is SubscriberState.ACTIVE
    assert reader(hall, id_).profile.councils == ("great-harrow",)


def test_after_a_spam_report_nothing_is_ever_sent(client: httpx.Client, hall: Hall) -> None:
    bar(hall, NEW, "spam_report")
    subscribe(client, NEW)
    all_is_done(client, hall)
    assert [one["To"] for one in letters(hall)] == ["last1@example.org"]
    assert found(hall) is None


def test_after_a_bounce_a_confirmation_may_be_asked_for(client: httpx.Client, hall: Hall) -> None:
    bar(hall, NEW, "bounce")
    subscribe(client, NEW)
    client.post(link_to(letter_to(hall, NEW), "/confirm/"))
    one = found(hall)
    assert one is not None
    assert one.state is SubscriberState.ACTIVE


# --- the form ---------------------------------------------------------------------------------------------


def test_a_program_that_fills_every_field_gets_a_page_and_nothing_else(
    client: httpx.Client, hall: Hall
) -> None:
    assert subscribe(client, NEW, website="http://spam.example").status_code == 200
    all_is_done(client, hall)
    assert found(hall) is None


@pytest.mark.parametrize("address", ["", "ann", "ann@", "a b@example.org", "ann@exa mple.org", "x" * 400])
def test_a_slip_in_the_address_is_said_beside_the_field(client: httpx.Client, address: str) -> None:
    answer = subscribe(client, address)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


def test_what_was_filled_in_stays_when_something_is_missing(client: httpx.Client) -> None:
    answer = client.post("/subscribe", data={"email": "ann@example.org", "council": "great-harrow"})
    assert answer.status_code == 422
    assert 'value="ann@example.org"' in answer.text
    assert re.search(r'value="great-harrow" checked', answer.text)
    assert "Without your agreement" in answer.text


def test_councils_that_do_not_exist_are_none(client: httpx.Client) -> None:
    assert "Tick at least one council" in subscribe(client, NEW, "atlantis").text


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("  ann@EXAMPLE.org ", "ann@example.org"),
        ("siân@llanfair.example", "siân@llanfair.example"),
        ("ann@stadt-köln.example", "ann@stadt-köln.example"),
        ("ann+harrow@example.org", "ann+harrow@example.org"),
    ],
)
def test_addresses_of_all_scripts_are_kept(client: httpx.Client, hall: Hall, typed: str, stored: str) -> None:
    subscribe(client, typed)
    all_is_done(client, hall)
    one = found(hall, stored)
    assert one is not None
    assert one.address == stored


def test_one_address_gets_few_letters_however_many_ask(
    client: httpx.Client, hall: Hall, clock: Clock
) -> None:
    for _ in range(8):
        assert subscribe(client, NEW).status_code == 200
        clock.forward(timedelta(minutes=15))
    all_is_done(client, hall)
    assert 1 <= sum(one["To"] == NEW for one in letters(hall)) <= 5


def test_one_network_that_asks_without_end_is_told_to_wait(client: httpx.Client) -> None:
    answers = [subscribe(client, f"r{n}@example.org").status_code for n in range(40)]
    assert answers[0] == 200
    assert answers[-1] == 429


# --- finding a council ------------------------------------------------------------------------------------


def listed(page: str) -> list[str]:
    return re.findall(r'type="checkbox" name="council" value="([^"]+)"', page)


def test_councils_are_found_by_a_part_of_their_name(client: httpx.Client) -> None:
    assert listed(client.get("/", params={"q": "harrow"}).text) == ["great-harrow"]


def test_councils_are_found_by_postcode(client: httpx.Client, hall: Hall) -> None:
    with hall.database.write() as connection:
        ids = council_ids(connection)
        rows = [("SK1", ids["stockport"]), ("SK1 3", ids["great-harrow"]), ("SK1", ids["little-wittering"])]
        postcodes.replace_all(connection, rows)
    assert listed(client.get("/", params={"q": "sk1 3xe"}).text) == ["great-harrow"]
    assert set(listed(client.get("/", params={"q": "SK1 1AA"}).text)) == {"stockport", "little-wittering"}
    assert "do not know this postcode" in client.get("/", params={"q": "LL1 1AA"}).text


def test_what_is_chosen_stays_while_one_looks_for_more(client: httpx.Client) -> None:
    page = client.get("/", params={"q": "harrow", "council": "stockport"}).text
    assert listed(page) == ["stockport", "great-harrow"]
    assert 'value="stockport" checked' in page


def test_limited_support_says_what_it_means_and_how_many_wait(client: httpx.Client, hall: Hall) -> None:
    add_reader(hall, "ann@example.org", "little-wittering")
    page = client.get("/").text
    assert "one person waits" in page
    assert "Councils are enabled in order of demand" in page


def test_a_quiet_council_has_no_sample_and_says_so(client: httpx.Client) -> None:
    assert "there is no letter to show" in client.get("/councils/stockport/sample").text
    assert client.get("/councils/stockport/sample/letter").status_code == 404
    assert client.get("/councils/atlantis/sample").status_code == 404


def test_the_first_page_is_light(client: httpx.Client, hall: Hall) -> None:
    from digest.model import Council
    from digest.store import councils

    with hall.database.write() as connection:
        for n in range(400):
            one = Council(f"council-{n}", f"The Borough Council of Number {n}")
            councils.add_council(connection, one, now=hall.clock())
    page = client.get("/").text
    parts = [page, *(client.get(path).text for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', page))]
    assert sum(len(part.encode()) for part in parts) <= 30_000
