"""Who may come to the desk, and what each role may do."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from digest.model import Role
from digest.web.desk.access import SignedIn
from digest.web.desk.routes import desk_of
from digest.web.site import Site
from digest.wiring import Hall
from tests.integration.desk.conftest import WORDS, Operator

SignIn = Callable[[str], Operator]
# Something real for each place in a path.
PLACES = {"run_id": "1", "id_": "1", "slug": "stockport", "opaque": "0" * 30, "name": "vera"}


def path_of(template: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: PLACES[found[1]], template)


def routes(hall: Hall) -> dict[tuple[str, str], Role]:
    site = Site(hall)
    return desk_of(site, SignedIn(site)).needs


def test_who_is_not_signed_in_is_led_to_the_sign_in_from_every_route(hall: Hall, signed_in: SignIn) -> None:
    nobody = signed_in("")
    for method, template in routes(hall):
        answer = nobody.http.request(method, path_of(template))
        assert answer.status_code == 303, template
        assert answer.headers["Location"].startswith("/operator/sign-in"), template


@pytest.mark.parametrize(("name", "role"), [("vera", Role.VIEWER), ("ed", Role.EDITOR), ("ada", Role.ADMIN)])
def test_each_route_is_open_to_its_role_and_those_above_it(
    hall: Hall, signed_in: SignIn, name: str, role: Role
) -> None:
    operator = signed_in(name)
    for (method, template), needed in routes(hall).items():
        if template.endswith("/changes"):
            continue  # a stream that goes on; its guard is the same
        answer = operator.http.request(method, path_of(template))
        is_refused = answer.status_code == 403
        # An editor's post without its seal is no page of ours (404), so not refused for the role.
        assert is_refused is not role.covers(needed), (method, template, answer.status_code)
        assert answer.status_code < 500, template


def test_every_post_wants_the_seal_of_its_page(hall: Hall, signed_in: SignIn) -> None:
    ada = signed_in("ada")
    for method, template in routes(hall):
        if method == "POST":
            assert ada.http.post(path_of(template), data={"seal": "forged"}).status_code == 404, template


def test_a_seal_of_another_operator_opens_nothing(signed_in: SignIn) -> None:
    found = re.search(r'name="seal" value="([^"]+)"', signed_in("ada").get("/councils/stockport").text)
    assert found
    fields = {"seal": found[1], "support": "paused", "approval": "off"}
    assert signed_in("ed").http.post("/operator/councils/stockport", data=fields).status_code == 404


def test_a_wrong_password_says_so_and_nothing_more(signed_in: SignIn) -> None:
    nobody = signed_in("")
    for name in ("vera", "nobody at all"):
        answer = nobody.http.post("/operator/sign-in", data={"name": name, "password": "wrong"})
        assert answer.status_code == 401
        assert "do not fit" in answer.text
        assert "set-cookie" not in answer.headers


def test_guessing_is_stopped(signed_in: SignIn) -> None:
    nobody = signed_in("")
    codes = [
        nobody.http.post("/operator/sign-in", data={"name": "vera", "password": str(n)}).status_code
        for n in range(12)
    ]
    assert codes[-1] == 429
    right = nobody.http.post("/operator/sign-in", data={"name": "vera", "password": WORDS})
    assert right.status_code == 429


def test_after_signing_in_one_is_where_one_wanted_to_be_and_never_elsewhere(signed_in: SignIn) -> None:
    nobody = signed_in("")
    for wanted, reached in (
        ("/operator/runs?kind=notice", "/operator/runs?kind=notice"),
        ("https://evil.example/operator", "/operator"),
        ("//evil.example/operator", "/operator"),
        ("/elsewhere", "/operator"),
    ):
        fields = {"name": "vera", "password": WORDS, "next": wanted}
        assert nobody.http.post("/operator/sign-in", data=fields).headers["Location"] == reached


def test_the_cookie_is_for_the_desk_alone(signed_in: SignIn) -> None:
    answer = signed_in("").http.post("/operator/sign-in", data={"name": "vera", "password": WORDS})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/operator" in cookie


def test_signing_out_ends_the_session(signed_in: SignIn) -> None:
    vera = signed_in("vera")
    secret = vera.http.cookies["operator"]
    vera.http.post("/operator/sign-out")
    vera.http.cookies.set("operator", secret, path="/operator")
    assert vera.get("").status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
        {"Via": "1.1 proxy"},
    ],
)
def test_the_studio_of_this_machine_answers_no_other_name_and_no_proxy(
    studio: Operator, headers: dict[str, str]
) -> None:
    assert studio.get("/studio").status_code == 200
    assert studio.http.get("/operator/studio", headers=headers).status_code == 403


def test_the_residents_pages_and_hooks_are_not_in_the_studio(studio: Operator) -> None:
    assert studio.http.post("/webhooks/sendgrid").status_code == 404
    assert httpx.get(f"{studio.http.base_url}/operator/sign-in").status_code == 404
