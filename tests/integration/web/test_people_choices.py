"""Choices: everything can be changed, tried and taken back, and nothing changes that nobody asked for."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from html.parser import HTMLParser

import httpx
import pytest

from digest.compose.profile import profile_of
from digest.links import Purpose
from digest.model import Cadence, CommitteeWish, Detail, Format, SubscriberState, WishKind
from digest.slots import schedule_of
from digest.store import subscribers
from digest.store.committees import Committees
from digest.store.councils import council_ids
from digest.store.wishes import standing_of
from digest.wiring import Hall
from tests.integration.web.conftest import Clock
from tests.integration.web.people import (
    ANN,
    add_reader,
    dump,
    letter_to,
    letters,
    link,
    link_to,
    reader,
    with_councils,
)

COMMITTEES = ("Cabinet", "Children & Families", "Planning")
RICH = profile_of(
    councils=["stockport", "great-harrow"],
    committees=["stockport/Cabinet", "-great-harrow/Lost Committee"],
    topics=["schools"],
    keywords=["special needs", "-parking"],
    wards=["Heatons South"],
    kinds=["decisions", "changes"],
    detail="headline",
    format="text",
    quiet_note=True,
)


class _Form(HTMLParser):
    """What a browser would send of the form with that id, buttons left out."""

    def __init__(self, id_: str) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self._id = id_
        self._is_in = False
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_in = of.get("id") == self._id
        if not self._is_in:
            return
        if tag == "input" and (of.get("type") not in ("checkbox", "radio") or "checked" in of):
            self.fields.append((of["name"], of.get("value", "")))
        elif tag == "select":
            self._select = of["name"]
        elif tag == "option" and "selected" in of:
            self.fields.append((self._select, of["value"]))
        elif tag == "textarea":
            self._area = of["name"]
            self.fields.append((self._area, ""))

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[-1] = (self._area, self.fields[-1][1] + data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""
        elif tag == "form":
            self._is_in = False


def form_of(page: str) -> dict[str, list[str]]:
    found = _Form("choices")
    found.feed(page)
    fields: dict[str, list[str]] = {}
    for name, value in found.fields:
        fields.setdefault(name, []).append(value)
    return fields


@pytest.fixture
def ann(hall: Hall) -> int:
    with_councils(hall)
    with hall.database.write() as connection:
        of = Committees(connection, council_ids(connection)["stockport"])
        for name in COMMITTEES:
            of.take(name, external_id=None, feed=None, now=hall.clock())
    return add_reader(hall)


def path_of(hall: Hall, id_: int) -> str:
    return link(hall, Purpose.PREFERENCES, id_)


def keep(client: httpx.Client, path: str, **changes: str | list[str] | None) -> httpx.Response:
    """Open the page, change some fields, press the button."""
    form: dict[str, str | list[str]] = dict(form_of(client.get(path).text))
    for name, value in changes.items():
        field = name.replace("__", ":").replace("_of_", "-") if "__" in name else name
        if value is None:
            form.pop(field, None)
        else:
            form[field] = value
    return client.post(path, data=form | {"what": "keep"})


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, f"no field {name}"
    return html.unescape(found[1])


# --- nothing changes unasked ------------------------------------------------------------------------------


def test_keeping_the_form_as_it_is_changes_nothing(client: httpx.Client, hall: Hall, ann: int) -> None:
    monthly = schedule_of("monthly", "last friday", "07:15", "Europe/Paris")
    with hall.database.write() as connection:
        subscribers.set_wishes(connection, ann, RICH, source="test", now=hall.clock())
        subscribers.set_schedule(connection, ann, monthly, now=hall.clock())
        subscribers.set_at_once(connection, ann, is_wished=True)
    before = dump(hall)
    assert "Nothing is different" in keep(client, path_of(hall, ann)).text
    assert dump(hall) == before


@pytest.mark.parametrize(
    "query", ["", "?less=committee:stockport/Cabinet", "?less=topic:schools", "?lang=cy"]
)
def test_looking_changes_nothing(client: httpx.Client, hall: Hall, ann: int, query: str) -> None:
    before = dump(hall)
    for method in ("GET", "HEAD"):
        assert client.request(method, path_of(hall, ann) + query).status_code == 200
    client.get(f"{path_of(hall, ann)}/letter")
    assert dump(hall) == before


def test_a_form_of_another_site_changes_nothing(client: httpx.Client, hall: Hall, ann: int) -> None:
    before = dump(hall)
    bob = add_reader(hall, "bob@example.org")
    foreign = hidden(client.get(path_of(hall, bob)).text, "seal")
    with hall.database.write() as connection:
        subscribers.erase(connection, bob, now=hall.clock())
    before = dump(hall)
    for seal in ("", "x", foreign):
        answer = client.post(path_of(hall, ann), data={"seal": seal, "what": "keep", "council": "stockport"})
        assert answer.status_code == 404
    assert dump(hall) == before


# --- every wish -------------------------------------------------------------------------------------------


def test_every_wish_can_be_said(client: httpx.Client, hall: Hall, ann: int) -> None:
    answer = keep(
        client,
        path_of(hall, ann),
        council=["stockport", "little-wittering"],
        detail="full",
        topics="Schools\nHousing",
        keywords='"special needs", Bus lanes',
        excluded="parking",
        wards="Heatons South",
        kind=["decisions", "papers"],
        language="cy",
        format="text",
        quiet_note="yes",
        at_once="yes",
        cadence="monthly",
        weekday="tuesday",
        which="third",
        time="07:15",
        timezone="Europe/Dublin",
        mode__stockport="only",
        body__stockport=["children and families"],
    )
    assert answer.status_code == 200
    now = reader(hall, ann)
    assert now.profile == profile_of(
        councils=["stockport", "little-wittering"],
        committees=["stockport/Children & Families"],
        topics=["schools", "housing"],
        keywords=["special needs", "bus lanes", "-parking"],
        wards=["heatons south"],
        kinds=[WishKind.DECISIONS, WishKind.PAPERS],
        detail=Detail.FULL,
        language="cy",
        format=Format.TEXT,
        quiet_note=True,
    )
    assert now.schedule == schedule_of("monthly", "third tuesday", "07:15", "Europe/Dublin")
    with hall.database.read() as connection:
        standing = standing_of(connection, ann)
    assert standing is not None
    assert standing.at_once


def test_all_but_some_committees(client: httpx.Client, hall: Hall, ann: int) -> None:
    keep(client, path_of(hall, ann), mode__stockport="but", body__stockport=["planning"])
    assert reader(hall, ann).profile.committees == (CommitteeWish("stockport", "planning", is_wanted=False),)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"council": []}, "at least one council"),
        ({"kind": []}, "at least one kind"),
        ({"keywords": "parking", "excluded": "parking"}, "both wanted and left out"),
        ({"topics": "!!!"}, "A topic has no letter"),
        ({"time": "07:10"}, "quarter hours"),
        ({"timezone": "Mars/Base"}, "quarter hours"),
        ({"paused": "yes", "until": "soon"}, "This is no day"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_kept(
    client: httpx.Client, hall: Hall, ann: int, fields: dict[str, str | list[str]], says: str
) -> None:
    before = dump(hall)
    answer = keep(client, path_of(hall, ann), **fields)
    assert answer.status_code == 422
    assert says in answer.text
    assert dump(hall) == before


def test_a_pause_until_a_day_and_its_end(client: httpx.Client, hall: Hall, ann: int, clock: Clock) -> None:
    day = clock.at.date() + timedelta(days=40)
    keep(client, path_of(hall, ann), paused="yes", until=day.isoformat())
    assert reader(hall, ann).state is SubscriberState.PAUSED
    assert reader(hall, ann).paused_until == day
    keep(client, path_of(hall, ann), paused=None)
    assert reader(hall, ann).state is SubscriberState.ACTIVE


def test_any_change_is_undone_in_one_click(client: httpx.Client, hall: Hall, ann: int) -> None:
    before = reader(hall, ann)
    page = keep(
        client, path_of(hall, ann), detail="full", cadence="daily", topics="schools", paused="yes"
    ).text
    assert reader(hall, ann).schedule.cadence is Cadence.DAILY
    form = {"what": "undo", "undo": hidden(page, "undo"), "seal": hidden(page, "seal")}
    assert "as it was before" in client.post(path_of(hall, ann), data=form).text
    assert reader(hall, ann) == before


# --- less of this -----------------------------------------------------------------------------------------


def less(client: httpx.Client, path: str, what: str) -> httpx.Response:
    page = client.get(path, params={"less": what}).text
    found = re.search(r'name="what" value="(less:[^"]+)"', page)
    assert found, "the choice is not ready"
    return client.post(path, data={"what": html.unescape(found[1]), "seal": hidden(page, "seal")})


def test_a_committee_is_muted_with_one_post(client: httpx.Client, hall: Hall, ann: int) -> None:
    less(client, path_of(hall, ann), "committee:stockport/Children & Families")
    muted = CommitteeWish("stockport", "children and families", is_wanted=False)
    assert reader(hall, ann).profile.committees == (muted,)


def test_a_topic_is_muted_with_one_post(client: httpx.Client, hall: Hall, ann: int) -> None:
    keep(client, path_of(hall, ann), topics="schools\nhousing")
    less(client, path_of(hall, ann), "topic:Schools")
    assert reader(hall, ann).profile.topics == ("housing",)
    assert reader(hall, ann).profile.excluded == ("schools",)


def test_the_last_chosen_committee_is_not_muted_away(client: httpx.Client, hall: Hall, ann: int) -> None:
    keep(client, path_of(hall, ann), mode__stockport="only", body__stockport=["planning"])
    page = client.get(path_of(hall, ann), params={"less": "committee:stockport/Planning"}).text
    assert "less:" not in page


# --- the account ------------------------------------------------------------------------------------------


def ask(client: httpx.Client, hall: Hall, id_: int, what: str, **more: str) -> httpx.Response:
    path = path_of(hall, id_)
    seal = hidden(client.get(path).text, "seal")
    return client.post(f"{path}/account", data={"what": what, "seal": seal} | more)


def test_a_letter_with_a_new_link_comes_to_who_asks(client: httpx.Client, hall: Hall, ann: int) -> None:
    client.post("/link", data={"email": ANN.upper()})
    assert client.get(link_to(letter_to(hall, ANN), "/preferences/")).status_code == 200


def test_asking_for_a_link_answers_alike(client: httpx.Client, hall: Hall, ann: int) -> None:
    known = client.post("/link", data={"email": ANN})
    unknown = client.post("/link", data={"email": "nobody@example.org"})
    assert known.text.replace(ANN, "X") == unknown.text.replace("nobody@example.org", "X")


def test_an_address_moves_when_both_mailboxes_agree(client: httpx.Client, hall: Hall, ann: int) -> None:
    assert ask(client, hall, ann, "move", address="new@example.org").status_code == 200
    first = link_to(letter_to(hall, ANN), "/agree/move/")
    assert reader(hall, ann).address == ANN
    assert "new@example.org" not in client.get(first).text
    client.post(first)
    second = link_to(letter_to(hall, "new@example.org"), "/agree/address/")
    assert client.get(second).status_code == 200
    assert reader(hall, ann).address == ANN
    assert "Your letters have moved" in client.post(second).text
    assert reader(hall, ann).address == "new@example.org"
    assert client.post(second).status_code == 410


def test_an_address_that_somebody_reads_at_is_not_taken(client: httpx.Client, hall: Hall, ann: int) -> None:
    add_reader(hall, "bob@example.org")
    ask(client, hall, ann, "move", address="bob@example.org")
    client.post(link_to(letter_to(hall, ANN), "/agree/move/"))
    answer = client.post(link_to(letter_to(hall, "bob@example.org"), "/agree/address/"))
    assert answer.status_code == 409
    assert reader(hall, ann).address == ANN


def test_what_is_stored_is_given_as_a_file_after_a_letter(client: httpx.Client, hall: Hall, ann: int) -> None:
    ask(client, hall, ann, "export")
    path = link_to(letter_to(hall, ANN), "/agree/export/")
    assert ANN not in client.get(path).text
    answer = client.post(path)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    found = json.loads(answer.content)
    assert found["address"] == ANN
    assert found["wishes"]["councils"] == ["great-harrow", "stockport"]
    assert [one["source"] for one in found["consents"]] == ["test"]
    assert [one["kind"] for one in found["notices"]] == ["export"]


def test_to_be_forgotten_is_confirmed_by_letter(client: httpx.Client, hall: Hall, ann: int) -> None:
    ask(client, hall, ann, "erase")
    path = link_to(letter_to(hall, ANN), "/agree/erase/")
    client.get(path)
    assert reader(hall, ann).address == ANN
    assert "You are forgotten" in client.post(path).text
    assert reader(hall, ann).address == ""
    assert "mellor" not in repr(dump(hall))
    assert client.get(path_of(hall, ann)).status_code == 200


def test_nothing_is_asked_without_the_seal_of_the_page(client: httpx.Client, hall: Hall, ann: int) -> None:
    assert client.post(f"{path_of(hall, ann)}/account", data={"what": "erase"}).status_code == 404
    assert letters(hall) == []


# --- links ------------------------------------------------------------------------------------------------


def test_a_link_of_half_a_year_leads_to_a_new_one(
    client: httpx.Client, hall: Hall, ann: int, clock: Clock
) -> None:
    old = path_of(hall, ann)
    clock.forward(timedelta(days=181))
    answer = client.get(old)
    assert answer.status_code == 410
    assert 'href="/link"' in answer.text


def test_the_link_of_who_left_says_so_kindly(client: httpx.Client, hall: Hall, ann: int) -> None:
    with hall.database.write() as connection:
        subscribers.end(connection, ann, state=SubscriberState.LEFT, reason="x", now=hall.clock())
    page = client.get(path_of(hall, ann))
    assert page.status_code == 200
    assert "This subscription has ended" in page.text


def test_a_preview_of_impossible_choices_is_no_error(client: httpx.Client, hall: Hall, ann: int) -> None:
    answer = client.post(f"{path_of(hall, ann)}/preview", data={"council": "atlantis"})
    assert answer.status_code == 200
    assert "cannot be tried" in answer.text
