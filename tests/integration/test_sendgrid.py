"""The SendGrid sender against a real HTTP server that behaves, and misbehaves, like the provider."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
import yaml

from digest.deliver.fake_sendgrid import Account, FakeSendGrid, Fault, serve
from digest.deliver.message import filled
from digest.deliver.sendgrid import SendGrid
from digest.errors import SettingsError
from digest.model import HandedOver, InDoubt, Outgoing, Refused
from tests.unit.deliver.letters import outgoing, reader, with_publication

BATCH = outgoing(*(reader(n) for n in range(1, 9)))
KEY = "SG.fake"


@pytest.fixture
def fake() -> Iterator[FakeSendGrid]:
    with serve() as running:
        yield running


@pytest.fixture
def sender(fake: FakeSendGrid) -> Iterator[SendGrid]:
    sending = SendGrid(KEY, base_url=fake.url, connect_timeout_s=10, read_timeout_s=10)
    yield sending
    sending.close()


def delivered_once(fake: FakeSendGrid, batch: Outgoing, *, but: set[int] = frozenset()) -> None:  # type: ignore[assignment]
    expected = {r.delivery: 1 for r in batch.recipients if r.subscriber_id not in but}
    assert dict(fake.account.counts()) == expected


def received(fake: FakeSendGrid, number: int) -> EmailMessage:
    (message,) = fake.account.sent_to(f"reader{number}@example.org")
    return message.mime()


# --- a good day -------------------------------------------------------------------------------------------


def test_each_reader_gets_one_letter_of_their_own(fake: FakeSendGrid, sender: SendGrid) -> None:
    outcome = sender.send(BATCH)
    assert isinstance(outcome, HandedOver)
    assert outcome.bad == {}
    assert outcome.provider_id == fake.account.messages[0].request_id
    delivered_once(fake, BATCH)
    for recipient in BATCH.recipients:
        message = received(fake, recipient.subscriber_id)
        assert [a.addr_spec for a in message["To"].addresses] == [recipient.address]
        page = filled(BATCH, recipient)
        text, html = message.get_body(("plain",)), message.get_body(("html",))
        assert text is not None
        assert html is not None
        assert text.get_content().rstrip() == page.text.rstrip()
        assert html.get_content().rstrip() == (page.html or "").rstrip()
        assert message["Subject"] == page.subject


def test_the_letter_carries_finished_one_click_headers_and_list_headers(
    fake: FakeSendGrid, sender: SendGrid
) -> None:
    sender.send(BATCH)
    message = received(fake, 3)
    assert message["List-Unsubscribe"] == f"<{reader(3).unsubscribe_url}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Id"] == "<digest.digest.example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Reply-To"] == "desk@digest.example.org"


def test_the_provider_stores_nothing_about_a_reader_but_the_opaque_id(
    fake: FakeSendGrid, sender: SendGrid
) -> None:
    sender.send(BATCH)
    message = fake.account.messages[0]
    assert message.custom_args == {"dg_delivery_id": reader(1).delivery}
    assert message.categories == ("digest",)


def test_requests_are_what_the_published_contract_allows(
    fake: FakeSendGrid, sender: SendGrid, shared: Path
) -> None:
    contract = yaml.safe_load((shared / "contracts" / "tsg_mail_v3.yaml").read_text(encoding="utf-8"))
    components = contract["components"]
    request = components["requestBodies"]["PostMailSend"]["content"]["application/json"]
    schema = {**request["schema"], "components": components}
    fake.account.bodies = []
    sender.send(BATCH)
    sender.send(outgoing(reader(9), page=replace(BATCH.page, html=None)))
    validator = jsonschema_rs.validator_for(schema)
    for body in fake.account.bodies:
        mail = orjson.loads(body)
        assert [e.message for e in validator.iter_errors(mail)] == []
        assert all(len(p["to"]) == 1 for p in mail["personalizations"])
        assert not any(setting["enable"] for setting in mail["tracking_settings"].values())
    assert len(fake.account.bodies) == 2
    assert list(validator.iter_errors({"from": {"email": "a@b.example"}})), "the schema itself must refuse"


def test_many_batches_go_over_one_connection(fake: FakeSendGrid, sender: SendGrid) -> None:
    for number in range(5):
        assert isinstance(sender.send(outgoing(reader(number))), HandedOver)
    assert fake.connections == 1


def test_a_connection_that_was_closed_meanwhile_is_not_written_to(
    fake: FakeSendGrid, sender: SendGrid
) -> None:
    fake.account.faults.queue = [Fault("close_idle")]
    assert isinstance(sender.send(outgoing(reader(1))), HandedOver)
    for _ in range(100):
        if _peer_closed(sender):
            break
    assert isinstance(sender.send(outgoing(reader(2))), HandedOver)
    assert fake.connections == 2


def _peer_closed(sender: SendGrid) -> bool:
    import select

    (idle,) = sender._transport._idle
    readable, _, _ = select.select([idle.connection.socket], [], [], 0.05)
    return bool(readable)


# --- bad addresses ----------------------------------------------------------------------------------------


def test_an_address_that_no_letter_can_carry_is_never_sent(fake: FakeSendGrid, sender: SendGrid) -> None:
    batch = outgoing(reader(1), reader(2, "two people@example.org"))
    outcome = sender.send(batch)
    assert isinstance(outcome, HandedOver)
    assert list(outcome.bad) == [2]
    delivered_once(fake, batch, but={2})


def test_an_address_that_the_provider_names_costs_one_letter_not_a_thousand(
    fake: FakeSendGrid, sender: SendGrid
) -> None:
    batch = outgoing(*(reader(n) for n in range(1, 9)), reader(9, "siân@example.org"), reader(10, "x@nodot"))
    outcome = sender.send(batch)
    assert isinstance(outcome, HandedOver)
    assert sorted(outcome.bad) == [9, 10]
    assert "valid address" in outcome.bad[9]
    delivered_once(fake, batch, but={9, 10})
    assert fake.account.requests == 2


def test_a_complaint_that_names_nobody_is_searched_without_mailing_anyone(
    fake: FakeSendGrid, sender: SendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    culprits = {"reader3@example.org", "reader7@example.org"}
    vague_about(fake, culprits, monkeypatch)
    outcome = sender.send(BATCH)
    assert isinstance(outcome, HandedOver)
    assert sorted(outcome.bad) == [3, 7]
    delivered_once(fake, BATCH, but={3, 7})


def vague_about(fake: FakeSendGrid, addresses: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the provider refuse those addresses with its cryptic "Bad Request"."""
    from digest.deliver.fake_sendgrid.checks import BAD_REQUEST, RefusedError

    real = fake.account.check

    def check(body: bytes) -> dict[str, Any]:
        mail = real(body)
        if any(p["to"][0]["email"] in addresses for p in mail["personalizations"]):
            raise RefusedError(400, BAD_REQUEST)
        return mail

    monkeypatch.setattr(fake.account, "check", check)


def test_a_letter_that_is_wrong_for_all_is_refused_as_a_whole_and_mails_nobody(
    fake: FakeSendGrid, sender: SendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = sender.send(with_publication(BATCH, from_address="digest@localhost"))
    assert isinstance(outcome, Refused)
    assert "from.email" in outcome.why
    vague_about(fake, {r.address for r in BATCH.recipients}, monkeypatch)
    outcome = sender.send(BATCH)
    assert isinstance(outcome, Refused)
    assert outcome.is_final
    assert fake.account.messages == []


# --- refusals -----------------------------------------------------------------------------------------------


def test_used_up_credits_pause_the_run_and_are_not_called_a_bad_key(
    fake: FakeSendGrid, sender: SendGrid
) -> None:
    fake.account.options.credits = 3
    outcome = sender.send(BATCH)
    assert isinstance(outcome, Refused)
    assert outcome.pauses_run
    assert not outcome.is_final
    assert "credits" in outcome.why
    assert "key" not in outcome.why


def test_a_bad_key_pauses_the_run_and_shows_nowhere(
    fake: FakeSendGrid, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "SG.very-secret-key"
    sender = SendGrid(secret, base_url=fake.url)
    outcome = sender.send(BATCH)
    sender.close()
    assert isinstance(outcome, Refused)
    assert outcome.pauses_run
    assert "sendgrid.api_key" in outcome.why
    fake.close()
    shown = repr(sender) + repr(sender._transport) + repr(sender.send(BATCH)) + caplog.text + outcome.why
    assert secret not in shown


@pytest.mark.parametrize("key", ["", "SG.with space", "SG.with\r\nnewline", "SG.schlüssel"])
def test_a_key_that_cannot_stand_in_a_header_is_refused_unseen(key: str) -> None:
    with pytest.raises(SettingsError) as refused:
        SendGrid(key)
    assert not key or key not in "".join(traceback.format_exception(refused.value))


def test_a_key_without_the_right_or_an_unverified_sender_pauses_the_run(
    fake: FakeSendGrid, sender: SendGrid
) -> None:
    fake.account.options.verified_domains = frozenset({"other.example"})
    unverified = sender.send(BATCH)
    fake.account.options.api_keys[KEY] = False
    no_right = sender.send(BATCH)
    for outcome in (unverified, no_right):
        assert isinstance(outcome, Refused)
        assert outcome.pauses_run
        assert "verify the sender identity" in outcome.why


def test_slow_down_says_until_when(fake: FakeSendGrid, sender: SendGrid) -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    fake.account.set_now(noon.timestamp())
    fake.account.faults.queue = [
        Fault("status", 429, retry_after_s=90),
        Fault("status", 429, reset_at=int(noon.timestamp()) + 60),
        Fault("status", 429, tells_when=False),
    ]
    by_header, by_reset, silent = sender.send(BATCH), sender.send(BATCH), sender.send(BATCH)
    assert isinstance(silent, Refused)
    assert (silent.retry_at, silent.slows_all, silent.is_final) == (None, True, False)
    assert isinstance(by_header, Refused)
    assert by_header.retry_at == BATCH.sent_at + timedelta(seconds=90)
    assert isinstance(by_reset, Refused)
    assert by_reset.retry_at is not None
    assert 55 <= (by_reset.retry_at - BATCH.sent_at).total_seconds() <= 60
    assert not by_reset.is_final
    assert fake.account.messages == []


@pytest.mark.parametrize("status", [404, 405, 413, 415, 422])
def test_other_refusals_mail_nobody_and_are_no_doubt(
    fake: FakeSendGrid, sender: SendGrid, status: int
) -> None:
    fake.account.faults.queue = [Fault("status", status)]
    assert isinstance(sender.send(BATCH), Refused)
    assert fake.account.messages == []


def test_a_complaint_about_what_all_letters_say_stops_the_run_and_burns_none(
    fake: FakeSendGrid, sender: SendGrid
) -> None:
    outcome = sender.send(replace(BATCH, publication=replace(BATCH.publication, from_address="nowhere")))
    assert isinstance(outcome, Refused)
    assert (outcome.is_final, outcome.pauses_run) == (False, True)
    assert "publication.from" in outcome.why
    assert fake.account.messages == []


# --- doubt: the request had left ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        *(Fault("status", status, accept=True) for status in (500, 502, 503, 504)),
        Fault("reset_after_accept"), Fault("truncate_response"), Fault("late_accept"),
    ],
    ids=lambda f: f"{f.kind}-{f.status}",
)  # fmt: skip
def test_what_may_have_been_accepted_is_in_doubt_and_goes_out_once(
    fake: FakeSendGrid, sender: SendGrid, fault: Fault
) -> None:
    fake.account.faults.queue = [fault]
    outcome = sender.send(BATCH)
    assert isinstance(outcome, InDoubt)
    assert fake.account.requests == 1
    fake.account.advance(120)
    delivered_once(fake, BATCH)


def test_an_answer_that_does_not_come_in_time_is_in_doubt(fake: FakeSendGrid) -> None:
    fake.account.faults.queue = [Fault("hang_after_accept", delay_s=0.2)]
    hasty = SendGrid(KEY, base_url=fake.url, connect_timeout_s=10, read_timeout_s=0.05)
    outcome = hasty.send(BATCH)
    assert isinstance(outcome, InDoubt)
    assert "timed out" in outcome.why
    assert fake.account.requests <= 1, "it was sent again"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_error_after_the_body_is_in_doubt_even_when_nothing_was_accepted(
    fake: FakeSendGrid, sender: SendGrid, status: int
) -> None:
    fake.account.faults.queue = [Fault("status", status)]
    assert isinstance(sender.send(BATCH), InDoubt)


def test_the_answer_without_a_message_id_is_a_hand_over(fake: FakeSendGrid, sender: SendGrid) -> None:
    fake.account.faults.queue = [Fault("no_x_message_id")]
    assert sender.send(BATCH) == HandedOver()
    delivered_once(fake, BATCH)


# --- no doubt: the request had not left ---------------------------------------------------------------------


def test_no_connection_is_no_doubt(fake: FakeSendGrid, sender: SendGrid) -> None:
    fake.close()
    outcome = sender.send(BATCH)
    assert isinstance(outcome, Refused)
    assert not outcome.is_final
    assert not outcome.pauses_run


def test_a_request_that_broke_off_half_way_is_no_doubt(fake: FakeSendGrid, sender: SendGrid) -> None:
    heavy = outgoing(*BATCH.recipients, page=replace(BATCH.page, text=BATCH.page.text + "x" * 20_000_000))
    fake.account.faults.queue = [Fault("reset_before_read")]
    outcome = sender.send(heavy)
    assert isinstance(outcome, Refused)
    assert not outcome.is_final
    assert fake.account.messages == []


def test_a_trial_that_fails_leaves_no_doubt(
    fake: FakeSendGrid, sender: SendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    vague_about(fake, {"reader3@example.org"}, monkeypatch)
    fake.account.faults.queue = [None, Fault("reset_after_accept")]
    outcome = sender.send(BATCH)
    assert isinstance(outcome, Refused)
    assert not outcome.is_final
    assert fake.account.messages == []


# --- everything at once -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_under_every_fault_at_random_each_outcome_tells_the_truth(seed: int) -> None:
    with serve(account=Account(seed=seed)) as fake:
        fake.account.faults.probability = 0.6
        sender = SendGrid(KEY, base_url=fake.url, connect_timeout_s=10, read_timeout_s=10)
        batches = [outgoing(*(reader(n * 4 + k) for k in range(4))) for n in range(120)]
        outcomes = [sender.send(batch) for batch in batches]
        sender.close()
        fake.account.advance(3600)
        counts = fake.account.counts()
    letters = {type(o): set[int]() for o in outcomes}
    for batch, outcome in zip(batches, outcomes, strict=True):
        letters[type(outcome)] |= {counts[r.delivery] for r in batch.recipients}
    assert letters == {HandedOver: {1}, Refused: {0}, InDoubt: {0, 1}}


def test_threads_share_a_sender_and_its_connections(fake: FakeSendGrid, sender: SendGrid) -> None:
    batches = [outgoing(*(reader(n * 4 + k) for k in range(4))) for n in range(40)]
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(sender.send, batches))
    assert all(isinstance(outcome, HandedOver) for outcome in outcomes)
    assert set(fake.account.counts().values()) == {1}
    assert len(fake.account.counts()) == 160
    assert fake.connections <= 4
