"""What an operator sees and does at the desk, told as stories; every act is in the audit log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from html import unescape
from urllib.parse import unquote

import httpx
import pytest
from sqlalchemy import text

from digest.pipeline import notices
from digest.pipeline.run import report
from digest.store import runs, suppressions
from digest.store.types import to_stored
from digest.wiring import Hall
from tests.integration.desk.conftest import NOW, Operator

SignIn = Callable[[str], Operator]
PAGES = (
    "", "/runs", "/runs/next", "/runs/next?all=1",
    "/runs?kind=notice", "/runs/1", "/letters", "/summaries", "/summaries?state=published",
    "/summaries/1", "/councils", "/councils/stockport", "/feeds", "/feeds/1", "/subscribers",
    "/subscribers/1", "/suppressions", "/audit", "/operators", "/studio", "/notices",
)  # fmt: skip


@pytest.fixture
def ed(signed_in: SignIn) -> Operator:
    return signed_in("ed")


def said(answer: httpx.Response) -> str:
    return unquote(answer.headers["Location"].split("said=")[1])


@pytest.mark.parametrize("path", PAGES)
def test_every_page_of_the_desk_can_be_seen_by_an_admin(signed_in: SignIn, path: str) -> None:
    answer = signed_in("ada").get(path)
    assert answer.status_code == 200
    assert "<h1" in answer.text


def test_the_first_page_says_what_wants_somebody(ed: Operator) -> None:
    assert "Summaries wait for approval" in ed.get("").text


def test_a_draft_is_approved_and_gone_from_the_queue(ed: Operator) -> None:
    queue = ed.get("/summaries").text
    assert "people would get this" in queue
    id_ = queue.split("/operator/summaries/")[1].split('"')[0].split("/")[0]
    ed.post(f"/summaries/{id_}/approve", on="/summaries")
    assert "published" in ed.get(f"/summaries/{id_}").text
    assert "Summaries wait for approval" not in ed.get("").text
    assert "summary approved" in ed.get(f"/audit?subject=summary:{id_}").text


def test_a_withdrawal_says_how_many_had_it_and_wants_a_reason(ed: Operator, hall: Hall) -> None:
    page = ed.get("/summaries/1").text
    assert "letters have said it" in page
    assert "Say why" in said(ed.post("/summaries/1/withdraw", on="/summaries/1", why=" "))
    ed.post("/summaries/1/withdraw", on="/summaries/1", why="It was of another meeting.")
    assert "withdrawn" in ed.get("/summaries/1").text
    assert "It was of another meeting." in ed.get("/audit").text


def test_a_letter_is_found_by_address_and_by_id_with_its_story(ed: Operator) -> None:
    found = ed.get("/letters?q=ANN.mellor@example.org").text
    opaque = found.split("/operator/letters/")[1].split('"')[0]
    by_id = ed.get(f"/letters?q={opaque}")
    assert by_id.headers["Location"].endswith(opaque)
    story = unescape(ed.get(f"/letters/{opaque}").text)
    assert "handed over" in story
    assert "attempt 1" in story
    assert "Can Stockport stop" in story


def test_a_letter_of_nobody_is_missing(ed: Operator) -> None:
    assert ed.get("/letters/" + "0" * 30).status_code == 404
    assert "Nobody is subscribed" in ed.get("/letters?q=nobody@example.org").text


def test_a_run_is_paused_and_resumed_by_name(ed: Operator, hall: Hall) -> None:
    with hall.database.write() as connection:
        runs.set_run(connection, 1, completed_at=None, state="sending")
    ed.post("/runs/1/pause", on="/runs/1")
    assert "paused by ed" in ed.get("/runs").text
    assert "A run is paused" in ed.get("").text
    ed.post("/runs/1/resume", on="/runs/1")
    assert report(hall.database, 1).run.state == "sending"
    log = ed.get("/audit?subject=run:1").text
    assert "run paused" in log
    assert "run resumed" in log


def test_a_run_says_what_its_letters_wait_for_and_why_some_were_refused(ed: Operator, hall: Hall) -> None:
    batch = "UPDATE batch SET state = :state, why = :why, retry_at = :at WHERE run_id = 1"
    later = {"state": "ready", "why": "SendGrid asks to slow down", "at": to_stored(NOW + timedelta(hours=1))}
    with hall.database.write() as connection:
        runs.set_run(connection, 1, completed_at=None, state="sending")
        connection.execute(text(batch), later)
    assert "7 September 2025, 7pm</time>: SendGrid asks to slow down" in ed.get("/runs/1").text
    with hall.database.write() as connection:
        connection.execute(text(batch), {"state": "refused", "why": "too large", "at": None})
    assert "refused: too large" in ed.get("/runs/1").text


def test_a_run_that_is_over_cannot_be_cancelled(ed: Operator, hall: Hall) -> None:
    assert "over already" in said(ed.post("/runs/1/cancel", on="/councils/stockport"))
    assert report(hall.database, 1).run.state == "completed"
    assert "run cancelled" not in ed.get("/audit?subject=run:1").text


def test_a_council_changes_with_before_and_after_in_the_log(ed: Operator) -> None:
    ed.post("/councils/stockport", on="/councils/stockport", support="paused", approval="approval")
    page = unescape(ed.get("/councils/stockport").text)
    assert "paused" in page
    assert "before: {'support': 'full'" in page
    again = ed.post("/councils/stockport", on="/councils/stockport", support="paused", approval="approval")
    assert said(again) == "Nothing was changed."


def test_a_limited_council_is_enabled_for_one_professional_and_taken_back(ed: Operator) -> None:
    council, press = "/councils/stockport", "policy@childrens-voice.example"
    ed.post(council, on=council, support="limited", approval="approval")
    summaries = ed.get("/summaries?state=published&council=stockport").text
    summary = "/summaries/" + summaries.split("/operator/summaries/")[1].split('"')[0]
    assert "At most 0 people" in ed.get(summary).text
    first = ed.post(f"{council}/enable-one", on=council, address=press, back="60")
    assert first.status_code == 200
    assert press in first.text
    assert press not in ed.get(council).text  # looking at it has changed nothing
    done = ed.post(f"{council}/enable-one", on=council, address=press, back="60", is_sure="true")
    assert said(done).startswith("They get ")
    assert press in ed.get(council).text
    assert "At most 1 people" in ed.get(summary).text
    again = ed.post(f"{council}/enable-one", on=council, address=press)
    assert said(again) == "It was enabled for them already."
    resident = ed.post(f"{council}/enable-one", on=council, address="ann.mellor@example.org")
    assert "is no professional" in said(resident)
    wrong = ed.post(f"{council}/enable-one", on=council, address="nobody")
    assert "is no e-mail address" in said(wrong)
    ed.post(f"{council}/disable-one", on=council, address=press)
    page = ed.get(council).text
    assert press not in page
    assert "council enabled for one" in page
    assert "council disabled for one" in page


def test_somebody_is_paused_resumed_and_erased(signed_in: SignIn, hall: Hall) -> None:
    ada = signed_in("ada")
    ada.post("/subscribers/1/pause", on="/subscribers/1")
    assert "paused" in ada.get("/subscribers/1").text
    ada.post("/subscribers/1/resume", on="/subscribers/1")
    assert "Type the word" in said(ada.post("/subscribers/1/erase", on="/subscribers/1", sure="no"))
    ada.post("/subscribers/1/erase", on="/subscribers/1", sure="erase")
    assert "Somebody who was erased" in ada.get("/subscribers/1").text
    assert "ann.mellor" not in ada.get("/audit").text


def test_subscribers_are_found_by_how_their_address_begins(ed: Operator) -> None:
    page = ed.get("/subscribers?q=ann.m").text
    assert "ann.mellor@example.org" in page
    assert "bertie.holm" not in page
    assert "ann.mellor" in ed.get("/subscribers?council=stockport").text


def test_whether_an_address_is_suppressed_can_be_asked(ed: Operator) -> None:
    assert "is not suppressed" in ed.get("/suppressions?address=somebody@example.org").text


def test_an_admin_adds_an_operator_but_does_not_change_themselves(signed_in: SignIn) -> None:
    ada = signed_in("ada")
    fields = {"name": "olu", "password": "a long password", "role": "editor"}
    assert "may sign in" in said(ada.post("/operators", on="/operators", **fields))
    assert "there is an operator olu" in said(ada.post("/operators", on="/operators", **fields))
    assert "ask another admin" in said(ada.post("/operators/ada", on="/operators", role="viewer"))
    ada.post("/operators/olu", on="/operators", role="viewer", disabled="true")
    assert "operator changed" in ada.get("/audit").text


def test_no_address_is_in_the_audit_log(ed: Operator) -> None:
    ed.post("/subscribers/2/pause", on="/subscribers/2")
    assert "@" not in ed.get("/audit").text.split("<main")[1].split("</main")[0]


def test_a_notice_is_written_seen_approved_and_goes_once(ed: Operator, hall: Hall) -> None:
    words = {"title": "Our new address", "markdown": "We have *moved*.", "council": "stockport"}
    answer = ed.post("/notices", on="/notices", **words)
    path = answer.headers["Location"].split("?")[0].removeprefix("/operator")
    page = ed.get(path).text
    assert "would get it" in page
    assert "We have" in ed.get(f"{path}/letter").text
    ed.post(f"{path}/approve", on=path)
    assert "decided before" in said(ed.post(f"{path}/approve", on=path))
    first, again = notices.send_pending(hall.works), notices.send_pending(hall.works)
    assert first["handed_over"] > 0
    assert again["handed_over"] == 0
    assert "took it" in ed.get(path).text


def test_a_notice_without_words_is_not_kept(ed: Operator) -> None:
    assert "subject and words" in said(ed.post("/notices", on="/notices", title="Only a title"))


def wished(hall: Hall, kind: str, reader: int) -> int:
    """Letters of that kind that were wished for a reader, whether or not they have left by now."""
    with hall.database.read() as connection:
        query = text("SELECT count(*) FROM notice WHERE kind = :kind AND subscriber_id = :reader")
        return int(connection.execute(query, {"kind": kind, "reader": reader}).scalar_one())


def test_a_link_to_their_choices_is_wished_from_the_desk(ed: Operator, hall: Hall) -> None:
    answer = ed.post("/subscribers/1/link", on="/subscribers/1")
    assert "waits" in said(answer)
    assert wished(hall, "link", 1) == 1
    assert "link wished" in ed.get("/audit?subject=subscriber:1").text


def test_who_is_pending_is_asked_to_confirm_from_the_desk(ed: Operator, hall: Hall) -> None:
    with hall.database.write() as connection:
        connection.execute(text("UPDATE subscriber SET state = 'pending' WHERE id = 2"))
    assert "Ask to confirm" in ed.get("/subscribers/2").text
    assert "waits" in said(ed.post("/subscribers/2/ask", on="/subscribers/2"))
    assert wished(hall, "confirm", 2) == 1


def test_a_suppression_is_lifted_by_an_admin_with_a_reason(signed_in: SignIn, hall: Hall) -> None:
    with hall.database.write() as connection:
        suppressions.suppress(
            connection,
            "ann@x.example",
            key=hall.suppression_key,
            reason="bounce",
            evidence=None,
            now=hall.clock(),
        )
    ada = signed_in("ada")
    page = "/suppressions?address=ann@x.example"
    assert "Let ann@x.example subscribe again" in ada.get(page).text
    assert "Say why" in said(ada.post("/suppressions/lift", on=page, address="ann@x.example", why=" "))
    ada.post("/suppressions/lift", on=page, address="ann@x.example", why="asked by telephone")
    assert "is not suppressed" in ada.get(page).text
    log = ada.get("/audit").text
    assert "suppression lifted" in log
    assert "asked by telephone" in log
    assert "ann@x.example" not in log
