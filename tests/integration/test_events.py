"""The webhook over HTTP, with posts signed by the fake provider: believed, stored, applied once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import DataError

from digest.deliver.fake_sendgrid import SignedPost, SigningKey
from digest.links import delivery_id
from digest.model import BatchState, InDoubt, RunState, SubscriberState
from digest.pipeline import dispatch
from digest.pipeline.events import often_failing, reopen
from digest.settings import load_settings
from digest.store import audit, batches, events, runs, subscribers, suppressions
from digest.store.database import Database
from digest.store.runs import Run
from digest.testing import take_all
from digest.web.app import create_app
from digest.wiring import Hall
from tests.integration.ledger_town import SUNDAY, WEEK, Town

KEY = "x" * 40


class Web:
    """The application, asked as over HTTP."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app)

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self._ask("GET", path, None, {}))

    def post(self, path: str, *, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, content, headers))

    async def _ask(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]
    ) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._transport, base_url="http://test") as client:
            return await client.request(method, path, content=content, headers=dict(headers))


class Office:
    """A town, and its web entrance to which a provider posts."""

    def __init__(self, database: Database, url: str) -> None:
        self.town = Town(database)
        self.key = SigningKey()
        settings = load_settings(
            None,
            {
                "DIGEST_DATABASE_URL": url,
                "DIGEST_SUPPRESSION_KEY": KEY,
                "DIGEST_SENDGRID__WEBHOOK_PUBLIC_KEY": self.key.public,
            },
        )
        self.hall = Hall(settings, lambda: self.town.now)
        self.web = Web(create_app(self.hall))

    def signed(self, *found: dict[str, object]) -> SignedPost:
        return self.key.post(list(found), self.town.now.timestamp())

    def post(self, *found: dict[str, object]) -> dict[str, int]:
        post = self.signed(*found)
        answer = self.web.post("/webhooks/sendgrid", content=post.body, headers=post.headers)
        assert answer.status_code == 200
        return dict(answer.json())

    def event(self, word: str, run: Run, reader: int, **more: object) -> dict[str, object]:
        at = int(self.town.now.timestamp())
        found: dict[str, object] = {"event": word, "email": self.address(reader), "timestamp": at}
        found |= {"dg_delivery_id": delivery_id(run.id, reader), "sg_event_id": f"{word}{reader}{at}"}
        return found | {"sg_message_id": "abc.recvd"} | more

    def address(self, reader: int) -> str:
        return str(self.town.rows("SELECT address FROM subscriber WHERE id = :id", id=reader)[0][0])

    def state(self, reader: int) -> SubscriberState:
        with self.town.database.read() as connection:
            found = subscribers.subscriber_by_id(connection, reader)
        assert found is not None
        return found.state

    def sent(self, readers: int = 2) -> tuple[Run, list[int]]:
        ids = self.town.subscribe(readers)
        self.town.publish(1)
        run = self.town.planned()
        self.town.dispatch(run)
        return run, ids

    def in_doubt(self) -> tuple[Run, list[int]]:
        ids = self.town.subscribe(2)
        self.town.publish(1)
        run = self.town.planned()
        self.town.sender.answer = lambda outgoing: InDoubt("no answer")
        self.town.dispatch(run)
        self.town.sender.answer = take_all
        return run, ids


@pytest.fixture
def office(database: Database, database_url: str) -> Iterator[Office]:
    found = Office(database, database_url)
    yield found
    found.hall.close()


# --- whom to believe ---------------------------------------------------------------------------------------


def test_only_signed_fresh_whole_posts_are_believed(office: Office) -> None:
    run, (ann, _) = office.sent()
    post = office.signed(office.event("bounce", run, ann, type="bounce"))
    other = SigningKey().post([office.event("bounce", run, ann, type="bounce")], office.town.now.timestamp())
    old = office.key.post(
        [office.event("bounce", run, ann, type="bounce")], (office.town.now - timedelta(days=5)).timestamp()
    )
    bad = {
        "unsigned": (post.body, {}),
        "forged": (post.body, other.headers),
        "stripped of its last line end": (post.body.rstrip(), post.headers),
        "old": (old.body, old.headers),
    }
    for what, (body, headers) in bad.items():
        answer = office.web.post("/webhooks/sendgrid", content=body, headers=headers)
        assert answer.status_code == 401, what
    assert office.state(ann) is SubscriberState.ACTIVE
    assert office.town.rows("SELECT count(*) FROM event") == [(0,)]


def test_a_look_at_the_webhook_changes_nothing(office: Office) -> None:
    assert office.web.get("/webhooks/sendgrid").status_code == 405
    assert office.web.get("/healthz").status_code == 200
    assert office.web.get("/readyz").status_code == 200


# --- what becomes of readers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "more", "reason"),
    [
        ("bounce", {"type": "bounce", "reason": "550 no mailbox reader0@test.example"}, "bounce"),
        ("spamreport", {}, "spam"),
        ("unsubscribe", {}, "unsubscribed"),
        ("dropped", {"reason": "Invalid"}, "invalid"),
    ],
)
def test_what_ends_a_mailbox_suppresses_it_with_reason_and_evidence(
    office: Office, word: str, more: dict[str, object], reason: str
) -> None:
    run, (ann, bob) = office.sent()
    office.post(office.event(word, run, ann, **more))
    assert (office.state(ann), office.state(bob)) == (SubscriberState.SUPPRESSED, SubscriberState.ACTIVE)
    with office.town.database.read() as connection:
        assert suppressions.is_suppressed(connection, office.address(ann), key=KEY) == reason
    ((evidence,),) = office.town.rows("SELECT evidence FROM suppression")
    assert word in evidence
    assert "@" not in evidence


@pytest.mark.parametrize(
    "said", ["451 x},{", '451 "},{"', "451 \u0000 no such user", "451 ein\u00a0Gruß \u2028"]
)
def test_whatever_a_mail_server_says_no_event_of_the_post_is_lost(office: Office, said: str) -> None:
    run, (ann, bob) = office.sent()
    odd = office.event("bounce", run, ann, type="bounce", reason=said)
    counts = office.post(odd, office.event("spamreport", run, bob))
    assert counts["new"] == 2
    assert (office.state(ann), office.state(bob)) == (SubscriberState.SUPPRESSED, SubscriberState.SUPPRESSED)
    assert office.town.rows("SELECT count(*) FROM event WHERE applied_at IS NULL") == [(0,)]


def test_letters_that_are_dropped_over_quota_pause_their_run_and_are_an_alarm(office: Office) -> None:
    ids = office.town.subscribe(6)
    office.town.publish(1)
    run = office.town.planned()
    with office.town.database.write(durable=True) as connection:
        until = office.town.now + timedelta(minutes=5)
        (held, *_) = batches.claim(
            connection, run.id, holder="one", now=office.town.now, held_until=until, claim_size=1
        )
        batches.record(connection, held.id, holder="one", state=BatchState.HANDED_OVER, now=office.town.now)
    dropped = office.event("dropped", run, ids[0], reason="Recipient List over Package Quota")
    office.post(dropped)
    paused = office.town.again(run)
    assert paused.state is RunState.PAUSED
    assert paused.why is not None
    assert "Recipient List over Package Quota" in paused.why
    assert office.state(ids[0]) is SubscriberState.ACTIVE
    with office.town.database.read() as connection:
        assert events.counts_of(connection, run.id) == {"dropped": 1}
        assert audit.is_noted(connection, "letters dropped", subject=f"run:{run.id}")
    office.town.now += timedelta(minutes=1)
    with office.town.database.write() as connection:
        runs.resume_run(connection, run.id)
        audit.note(connection, "run resumed", subject=f"run:{run.id}", actor="test", now=office.town.now)
    # What was dropped before somebody settled it with the provider is known.
    office.post(dropped | {"dg_delivery_id": delivery_id(run.id, ids[1]), "sg_event_id": "late"})
    assert office.town.again(run).state is not RunState.PAUSED


def test_an_address_that_nobody_can_have_holds_up_no_other_event(office: Office) -> None:
    run, (ann, _) = office.sent()
    nobody = {"event": "bounce", "type": "bounce", "email": "no\u0000body@x.example", "timestamp": 1}
    office.post(nobody, office.event("spamreport", run, ann))
    assert office.state(ann) is SubscriberState.SUPPRESSED


def test_an_event_that_the_database_refuses_is_passed_over_and_noted(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    from digest.store import suppressions as kept

    run, (ann, bob) = office.sent()
    suppress = kept.suppress

    def refuse_ann(connection: Any, address: str, **rest: Any) -> None:
        if address == office.address(ann):
            raise DataError("INSERT", {}, ValueError("not a value of this database"))
        suppress(connection, address, **rest)

    monkeypatch.setattr(kept, "suppress", refuse_ann)
    office.post(office.event("spamreport", run, ann), office.event("spamreport", run, bob))
    assert (office.state(ann), office.state(bob)) == (SubscriberState.ACTIVE, SubscriberState.SUPPRESSED)
    assert office.town.rows("SELECT action FROM audit") == [("event passed over",)]


@pytest.mark.parametrize(
    ("word", "more"), [("bounce", {"type": "blocked"}), ("deferred", {}), ("delivered", {})]
)
def test_blocks_and_deferrals_suppress_nobody(office: Office, word: str, more: dict[str, object]) -> None:
    run, (ann, _) = office.sent()
    office.post(office.event(word, run, ann, **more))
    assert office.state(ann) is SubscriberState.ACTIVE


def test_a_late_bounce_without_our_id_is_found_by_its_address(office: Office) -> None:
    _, (ann, _) = office.sent()
    at = int(office.town.now.timestamp())
    office.post({"event": "bounce", "type": "bounce", "email": office.address(ann).upper(), "timestamp": at})
    assert office.state(ann) is SubscriberState.SUPPRESSED


@pytest.mark.parametrize(("word", "more"), [("bounce", {"type": "blocked"}), ("deferred", {})])
def test_three_soft_failures_of_the_last_five_letters_are_flagged(
    office: Office, word: str, more: dict[str, object]
) -> None:
    office.sent(1)
    reader = 1
    for week in range(1, 5):
        office.town.publish(1 + week)
        office.town.at(SUNDAY + week * WEEK).run()
    ids = office.town.rows("SELECT id FROM run ORDER BY id")
    assert len(ids) == 5
    for (run_id,) in ids[:3]:
        with office.town.database.read() as connection:
            assert not audit.is_noted(connection, "soft failures", subject=f"subscriber:{reader}")
        run = office.town.again(_run(office, run_id))
        office.post(office.event(word, run, reader, sg_event_id=f"b{run_id}", **more))
    with office.town.database.read() as connection:
        assert audit.is_noted(connection, "soft failures", subject=f"subscriber:{reader}")
        assert often_failing(connection, now=office.town.now) == [reader]
    office.post(office.event("delivered", _run(office, ids[0][0]), reader))
    with office.town.database.read() as connection:
        assert often_failing(connection, now=office.town.now) == []


def _run(office: Office, run_id: int) -> Run:
    with office.town.database.read() as connection:
        return runs.run_by_id(connection, run_id)


# --- once, whatever the order -----------------------------------------------------


def test_repeats_count_once_even_with_another_event_id(office: Office) -> None:
    run, (ann, _) = office.sent()
    bounce = office.event("bounce", run, ann, type="bounce")
    assert office.post(bounce) == {"events": 1, "new": 1}
    assert office.post(bounce, bounce) == {"events": 2, "new": 0}
    assert office.post(bounce | {"sg_event_id": "another"}) == {"events": 1, "new": 0}
    assert office.town.rows("SELECT count(*) FROM event") == [(1,)]


def test_unknown_kinds_of_events_and_things_that_are_none_are_kept_and_do_nothing(office: Office) -> None:
    run, (ann, _) = office.sent()
    odd = office.event("invented_tomorrow", run, ann)
    assert office.post(odd, {"odd": [None]}, office.event("delivered", run, ann))["new"] == 3
    assert office.state(ann) is SubscriberState.ACTIVE


def test_what_was_stored_and_not_applied_is_applied_with_the_next_post(office: Office) -> None:
    run, (ann, bob) = office.sent()
    office.post(office.event("bounce", run, ann, type="bounce"))
    with office.town.database.write() as connection:
        office.town.now += timedelta(seconds=1)
        stored = events.NewEvent(
            "killed", "spam", run.id, bob, office.town.now, False,
            b'{"word":"spamreport","reason":"","suppression":"spam","address":"reader1@test.example"}',
        )  # fmt: skip
        events.store(connection, [stored], now=office.town.now)
    assert office.state(bob) is SubscriberState.ACTIVE
    office.post(office.event("delivered", run, ann))
    assert office.state(bob) is SubscriberState.SUPPRESSED


# --- doubt and alarm -----------------------------------------------------


def test_an_event_about_one_letter_proves_its_whole_batch_handed_over(office: Office) -> None:
    run, (ann, _) = office.in_doubt()
    office.post(office.event("deferred", run, ann))
    assert office.town.counts(run)["handed_over"] == 2
    dispatch.complete(office.town.database, office.town.again(run), now=office.town.now)
    assert office.town.state(run) is RunState.COMPLETED


def test_an_event_that_came_before_the_doubt_settles_it_at_the_next_run(office: Office) -> None:
    ids = office.town.subscribe(2)
    office.town.publish(1)
    run = office.town.planned()
    office.post(office.event("processed", run, ids[0]))
    office.town.sender.answer = lambda outgoing: InDoubt("no answer")
    office.town.run()
    assert office.town.counts(run)["handed_over"] == 2
    assert office.town.state(run) is RunState.COMPLETED


def test_a_closed_account_pauses_every_run_and_an_operator_may_go_on(office: Office) -> None:
    office.town.subscribe(2)
    office.town.publish(1)
    run = office.town.planned()
    at = int(office.town.now.timestamp())
    office.post({"event": "account_status_change", "type": "compliance_suspend", "timestamp": at})
    paused = office.town.again(run)
    assert paused.state is RunState.PAUSED
    assert "compliance_suspend" in (paused.why or "")
    office.town.run()
    assert office.town.letters() == {}


def test_a_run_begun_while_the_account_is_closed_sends_nothing_until_it_is_open_again(office: Office) -> None:
    office.town.subscribe(2)
    office.town.publish(1)
    office.town.at(SUNDAY)
    at = int(office.town.now.timestamp())
    office.post({"event": "account_status_change", "type": "compliance_suspend", "timestamp": at - 60})
    (report,) = office.town.run()
    assert report.run.state is RunState.PAUSED
    office.post({"event": "account_status_change", "type": "reactivate", "timestamp": at})
    office.town.resume(report.run)
    office.town.run()
    assert len(office.town.letters()) == 2


def test_an_operator_who_knows_better_opens_the_account_for_all_runs_to_come(office: Office) -> None:
    office.town.subscribe(2)
    office.town.publish(1)
    office.town.at(SUNDAY)
    at = int(office.town.now.timestamp())
    office.post({"event": "account_status_change", "type": "compliance_suspend", "timestamp": at - 60})
    with office.town.database.write() as connection:
        reopen(connection, why="support says so", now=office.town.now)
    office.town.run()
    assert len(office.town.letters()) == 2
    office.town.now += WEEK
    office.post({"event": "account_status_change", "type": "compliance_ban", "timestamp": at + 3600})
    office.town.publish(2)
    (report,) = office.town.run()
    assert report.run.state is RunState.PAUSED
