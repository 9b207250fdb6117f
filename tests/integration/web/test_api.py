"""The API as programs use it: keys that open one thing each, summaries in, meetings and readers out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import httpx
import pytest
from sqlalchemy import text

from digest.model import MeetingStatus, Support
from digest.pipeline import keys, publish
from digest.store.keys import Scope, all_keys
from digest.summaries.read import MAX_BYTES
from digest.wiring import Hall
from tests.integration.web.reading_town import NOW, Town

MARKDOWN = """---
council: aber
committee: Cabinet
starts_at: 2025-09-03T18:00
origin: human
questions: [Will the library close?]
---
The library stays open.

## Money
It costs £40,000.
"""
Ask = Callable[..., httpx.Response]


@pytest.fixture
def town(hall: Hall) -> Town:
    made = Town(hall.database)
    made.council("aber", "Aber Town Council")
    made.council("bury", "Bury Council", Support.LIMITED)
    return made


def key_for(hall: Hall, *scopes: Scope, name: str = "program") -> dict[str, str]:
    secret = keys.create(hall.database, name, scopes, actor="test", now=NOW)
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def ask(hall: Hall, town: Town, client: httpx.Client) -> Ask:
    """Asks with a key that opens everything."""
    client.headers.update(key_for(hall, *Scope))

    def asked(method: str, path: str, **more: object) -> httpx.Response:
        return client.request(method, f"/api/v1{path}", **more)  # type: ignore[arg-type]

    return asked


def audited(hall: Hall) -> list[tuple[str, str, str]]:
    with hall.database.read() as connection:
        rows = connection.execute(text("SELECT actor, action, subject FROM audit ORDER BY id"))
        return [tuple(row) for row in rows]


# --- keys --------------------------------------------------------------------------------------------


def test_without_a_key_nothing_is_opened_and_the_answer_says_what_is_needed(client: httpx.Client) -> None:
    answer = client.get("/api/v1/meetings")
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "Authorization: Bearer" in answer.json()["detail"]


@pytest.mark.parametrize("header", ["Bearer x", "Bearer dgk_" + "a" * 43, "Basic YTpi", "Bearer", "dgk_a"])
def test_a_wrong_key_opens_nothing(client: httpx.Client, header: str) -> None:
    assert client.get("/api/v1/councils", headers={"Authorization": header}).status_code == 401


def test_a_key_opens_only_what_it_is_for(hall: Hall, town: Town, client: httpx.Client) -> None:
    reader = key_for(hall, Scope.READ)
    assert client.get("/api/v1/councils", headers=reader).status_code == 200
    for method, path in (("PUT", "/summaries"), ("GET", "/subscribers"), ("DELETE", "/subscribers/1")):
        refused = client.request(method, f"/api/v1{path}", headers=reader)
        assert refused.status_code == 403
        assert "'program'" in refused.json()["detail"]


def test_a_revoked_key_opens_nothing_from_then_on(hall: Hall, client: httpx.Client) -> None:
    key = key_for(hall, Scope.READ)
    assert client.get("/api/v1/councils", headers=key).status_code == 200
    assert keys.revoke(hall.database, "program", actor="test", now=NOW)
    assert not keys.revoke(hall.database, "program", actor="test", now=NOW)
    assert client.get("/api/v1/councils", headers=key).status_code == 401


def test_the_secret_of_a_key_is_nowhere_and_its_day_of_use_is(hall: Hall, client: httpx.Client) -> None:
    key = key_for(hall, Scope.READ)
    secret = key["Authorization"].split()[1]
    client.get("/api/v1/councils", headers=key)
    with hall.database.read() as connection:
        stored = str(connection.execute(text("SELECT * FROM api_key")).all())
        assert all_keys(connection)[0].last_used_on == NOW.date()
    assert secret not in stored
    assert [line[1] for line in audited(hall)] == ["key created"]


def test_a_key_that_asks_too_often_is_told_to_wait(
    hall: Hall, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from limits import RateLimitItemPerMinute

    from digest.web.api import access

    monkeypatch.setattr(access, "PER_KEY", RateLimitItemPerMinute(2))
    key = key_for(hall, Scope.READ)
    answers = [client.get("/api/v1/councils", headers=key) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "60"


# --- councils and meetings out -----------------------------------------------------------------------


def test_councils_come_with_their_committees(ask: Ask, town: Town) -> None:
    town.meeting("aber", "Planning & Highways", at=date(2025, 9, 9))
    assert [one["slug"] for one in ask("GET", "/councils").json()["councils"]] == ["aber", "bury"]
    committees = ask("GET", "/councils/aber").json()["committees"]
    assert committees == [{"key": "planning-and-highways", "name": "Planning & Highways", "coming": 1}]
    assert "did you mean aber?" in ask("GET", "/councils/abar").json()["detail"]


def test_meetings_are_filtered_and_paged_without_loss(ask: Ask, town: Town) -> None:
    for n in range(7):
        town.meeting("aber", "Cabinet", at=NOW + timedelta(days=n // 2), key=str(n))
    town.meeting("bury", "Cabinet", at=NOW)
    path, seen = "/meetings?council=aber&limit=3", []
    after: str | None = ""
    while after is not None:
        page = ask("GET", f"{path}&after={after}").json()
        seen += [one["id"] for one in page["meetings"]]
        after = page["next"]
    assert len(seen) == len(set(seen)) == 7
    found = ask("GET", "/meetings?council=aber&from=2025-09-08&to=2025-09-08").json()["meetings"]
    assert {one["starts_on"] for one in found} == {"2025-09-08"}
    assert found[0]["starts_at"] == "2025-09-08T17:00:00Z"


def test_meetings_that_changed_since_can_be_asked_for(ask: Ask, town: Town) -> None:
    day = date(2025, 9, 9)
    town.meeting("aber", "Cabinet", at=day, key="a")
    town.meeting("aber", "Cabinet", at=day, key="b", now=NOW + timedelta(hours=2))
    found = ask("GET", "/meetings", params={"changed_since": "2025-09-07T18:00:00Z"}).json()["meetings"]
    assert len(found) == 1
    assert ask("GET", "/meetings?changed_since=2025-09-07T18:00:00").status_code == 422


def test_a_meeting_leads_to_its_summary_and_a_withdrawn_one_is_gone(ask: Ask, town: Town) -> None:
    id_ = town.summary()
    meeting = ask("GET", f"/meetings/{town.meeting_of(id_)}").json()
    assert meeting["status"] == MeetingStatus.HELD
    assert meeting["summaries"][0]["headline"] == "Will the library close?"
    summary = ask("GET", f"/summaries/{meeting['summaries'][0]['id']}").json()
    assert summary["decisions"] == [
        {"text": "Keep the library open.", "outcome": "carried", "item": "Item 5"}
    ]
    assert "<strong>£40,000</strong>" in summary["html"]
    publish.withdraw(town.database, id_, why="wrong", now=NOW)
    assert ask("GET", f"/summaries/{id_}").status_code == 404


# --- summaries in ------------------------------------------------------------------------------------


def test_a_summary_is_taken_in_once_as_markdown_or_json(ask: Ask, hall: Hall) -> None:
    markdown = {"content": MARKDOWN.encode(), "headers": {"Content-Type": "text/markdown"}}
    assert ask("PUT", "/summaries", **markdown).json() == {"imported": 1, "unchanged": 0, "refused": []}
    assert ask("PUT", "/summaries", **markdown).json() == {"imported": 0, "unchanged": 1, "refused": []}
    document = {
        "council": "aber",
        "committee": "Council",
        "starts_at": "2025-09-04",
        "origin": "ai",
        "body": "It met.",
    }
    assert ask("PUT", "/summaries", json=document).json()["imported"] == 1
    assert [line[1] for line in audited(hall)].count("summary imported") == 2


def test_a_refused_summary_is_named_with_its_line_as_the_command_does(ask: Ask) -> None:
    wrong = MARKDOWN.replace("council: aber", "council: abar")
    answer = ask("PUT", "/summaries?name=week.md", content=wrong.encode())
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    refused = answer.json()["refused"][0]
    assert (refused["path"], refused["line"]) == ("week.md", 2)
    assert "did you mean aber?" in refused["why"]
    assert answer.json()["detail"].startswith("week.md:2: ")


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"{", b"[]", b"---\n", b"{}", b"null", b"\0"])
def test_nonsense_is_refused(ask: Ask, body: bytes) -> None:
    for kind in ("application/json", "text/markdown"):
        assert ask("PUT", "/summaries", content=body, headers={"Content-Type": kind}).status_code == 422


def test_a_body_that_is_too_long_is_not_read_to_its_end(ask: Ask) -> None:
    assert ask("PUT", "/summaries", content=b"x" * (MAX_BYTES + 1)).status_code == 413
    long = {"email": "x" * (MAX_BYTES + 1), "councils": ["aber"]}
    assert ask("POST", "/subscribers", json=long).status_code == 413


# --- subscribers -------------------------------------------------------------------------------------


ADA = {
    "email": "ada@example.org",
    "councils": ["aber"],
    "keywords": ["special needs", "-parking"],
    "confirmed": True,
    "consent_source": "paper form",
    "consent_at": "2025-09-01",
}


def test_a_reader_is_added_once_shown_and_found_by_address(ask: Ask) -> None:
    first, again = ask("POST", "/subscribers", json=ADA), ask("POST", "/subscribers", json=ADA)
    assert (first.status_code, again.status_code) == (201, 200)
    shown = ask("GET", f"/subscribers/{first.json()['id']}").json()
    assert shown["status"] == "active"
    assert shown["keywords"] == ["special needs", "-parking"]
    assert shown["consents"][0]["source"] == "paper form"
    assert ask("POST", "/subscribers/find", json={"email": "ADA@example.org"}).json() == shown
    assert ask("GET", "/subscribers").json() == {"subscribers": [shown], "next": None}


def test_a_reader_is_paused_and_resumed(ask: Ask) -> None:
    path = f"/subscribers/{ask('POST', '/subscribers', json=ADA).json()['id']}"
    assert ask("POST", f"{path}/pause", json={"until": "2025-10-01"}).json()["paused_until"] == "2025-10-01"
    assert ask("POST", f"{path}/pause", json={"until": "2025-09-07"}).status_code == 422
    assert ask("POST", f"{path}/resume").json()["status"] == "active"


def test_a_reader_who_left_is_not_revived_and_an_erased_one_is_gone(ask: Ask, hall: Hall) -> None:
    path = f"/subscribers/{ask('POST', '/subscribers', json=ADA).json()['id']}"
    assert ask("POST", f"{path}/leave", json={}).json()["status"] == "left"
    assert ask("POST", "/subscribers", json=ADA).status_code == 409
    assert ask("POST", f"{path}/pause", json={}).status_code == 409
    assert ask("DELETE", path).status_code == 204
    assert ask("GET", path).json()["email"] == ""
    assert ask("DELETE", path).status_code == 409
    done = [line[1] for line in audited(hall) if line[2] == "subscriber:1"]
    assert done == ["subscriber added", "subscriber left", "subscriber erased"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"email": "nobody"}, "nobody"),
        ({"councils": []}, "body.councils"),
        ({"councils": ["abar"]}, "did you mean aber"),
        ({"time": "25:00"}, "time"),
        ({"emial": "x"}, "body.emial"),
        ({"cadence": "hourly"}, "body.cadence"),
    ],
)
def test_a_wrong_wish_is_named(ask: Ask, change: dict[str, object], place: str) -> None:
    answer = ask("POST", "/subscribers", json=ADA | change)
    assert answer.status_code in (404, 422)
    assert place in answer.json()["detail"]


def test_what_is_not_there_is_a_problem_too(ask: Ask) -> None:
    for path in ("/nowhere", "/meetings/4711", "/summaries/4711", "/subscribers/4711", "/councils/x/y"):
        answer = ask("GET", path)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert ask("DELETE", "/councils").status_code == 405
    assert ask("GET", f"/meetings/{2**70}").status_code == 422
