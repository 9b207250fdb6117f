"""What the provider remembers, read through its own client over our transport, from the local fake."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from python_http_client.exceptions import NotFoundError, UnauthorizedError

from digest.deliver.events import EventKind, Verifier, events_of
from digest.deliver.evidence import PAGE_SIZE, EvidenceUnavailableError, Found, SendGridRecords, Suppressed
from digest.deliver.fake_sendgrid import FakeSendGrid, Fault, serve
from digest.deliver.fake_sendgrid.events import SIGNATURE_HEADER, TIMESTAMP_HEADER
from digest.deliver.sendgrid import SendGrid, transport_of
from digest.deliver.sendgrid_api import SendGridApi
from digest.deliver.transport import Transport
from digest.model import InDoubt
from tests.unit.deliver.letters import outgoing, reader

START = datetime(2030, 1, 1, 12, tzinfo=UTC)
BATCH = outgoing(*(reader(n) for n in range(1, 31)))
DELIVERIES = {r.address: r.delivery for r in BATCH.recipients}


@dataclass
class Provider:
    """The fake, a sender and its records, all at noon of the first day of 2030."""

    fake: FakeSendGrid
    sender: SendGrid
    transport: Transport
    records: SendGridRecords

    def was_taken(self, *, minutes: int = 0) -> Found:
        """What the records say of the batch that many minutes later."""
        self.fake.account.advance(minutes * 60)
        end = START + timedelta(minutes=1)
        return self.records.was_taken(DELIVERIES, since=START, until=end).found


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serve() as fake:
        fake.account.set_now(START.timestamp())
        transport = transport_of("SG.fake", base_url=fake.url, connect_timeout_s=2, read_timeout_s=2)
        sender = SendGrid("SG.fake", base_url=fake.url, connect_timeout_s=2, read_timeout_s=2)
        yield Provider(fake, sender, transport, SendGridRecords(transport))
        sender.close()
        transport.close()


# --- doubtful letters -----------------------------------------------------------------------------------


def test_logs_show_that_a_doubtful_request_was_taken_once_their_lag_has_passed(provider: Provider) -> None:
    provider.fake.account.faults.queue = [Fault("reset_after_accept")]
    assert isinstance(provider.sender.send(BATCH), InDoubt)
    assert provider.was_taken() is Found.NOT_FOUND
    assert provider.was_taken(minutes=2) is Found.TAKEN


def test_logs_show_nothing_of_a_request_that_was_not_taken(provider: Provider) -> None:
    provider.fake.account.faults.queue = [Fault("status", 503)]
    assert isinstance(provider.sender.send(BATCH), InDoubt)
    assert provider.was_taken(minutes=10) is Found.NOT_FOUND


def test_another_letter_to_the_same_people_proves_nothing(provider: Provider) -> None:
    last_week = outgoing(*(reader(n + 100, r.address) for n, r in enumerate(BATCH.recipients)))
    provider.sender.send(last_week)
    assert provider.was_taken(minutes=10) is Found.NOT_FOUND


def test_a_request_of_another_time_proves_nothing(provider: Provider) -> None:
    provider.fake.account.advance(-86_400)
    provider.sender.send(BATCH)
    provider.fake.account.advance(86_400)
    assert provider.was_taken(minutes=10) is Found.NOT_FOUND


def test_a_request_is_found_though_its_first_reader_was_left_out(provider: Provider) -> None:
    provider.sender.send(outgoing(*BATCH.recipients[1:]))
    assert provider.was_taken(minutes=10) is Found.TAKEN


def test_records_that_cannot_be_read_say_unknown_not_no(provider: Provider) -> None:
    provider.sender.send(BATCH)
    provider.fake.account.options.api_keys.clear()
    finding = provider.records.was_taken(DELIVERIES, since=START, until=START)
    assert finding.found is Found.UNKNOWN
    assert "401" in finding.why
    provider.fake.close()
    provider.transport.close()
    assert provider.records.was_taken(DELIVERIES, since=START, until=START).found is Found.UNKNOWN


# --- lists --------------------------------------------------------------------------------------------------


def suppressed(provider: Provider, *, since: datetime) -> list[Suppressed]:
    return list(provider.records.suppressed_since(since, START + timedelta(days=30)))


def test_who_bounced_complained_or_left_is_on_a_list_and_who_was_blocked_is_not(provider: Provider) -> None:
    words = ("bounce", "spam", "unsubscribe", "drop", "block", "defer2", "ann")
    readers = [reader(n, f"{word}@example.org") for n, word in enumerate(words)]
    provider.sender.send(outgoing(*readers))
    found = {(s.address, s.reason) for s in suppressed(provider, since=START)}
    assert found == {
        ("bounce@example.org", "bounce"),
        ("spam@example.org", "spam"),
        ("unsubscribe@example.org", "unsubscribed"),
        ("drop@example.org", "invalid"),
    }


def test_lists_longer_than_a_page_are_read_to_the_end(provider: Provider) -> None:
    entries = {
        f"r{n}@example.org": {"created": int(START.timestamp()) + n, "email": f"r{n}@example.org"}
        for n in range(PAGE_SIZE * 2 + 1)
    }
    provider.fake.account.suppressions["unsubscribes"].update(entries)
    addresses = [s.address for s in suppressed(provider, since=START)]
    assert sorted(addresses) == sorted(entries)


def test_windows_overlap_so_that_nothing_falls_between_two_readings(provider: Provider) -> None:
    provider.sender.send(outgoing(reader(1, "bounce@example.org")))
    assert len(suppressed(provider, since=START + timedelta(minutes=59))) == 1
    assert suppressed(provider, since=START + timedelta(hours=2)) == []


def test_a_list_that_cannot_be_read_is_an_error_not_an_empty_list(provider: Provider) -> None:
    provider.fake.account.options.api_keys.clear()
    with pytest.raises(EvidenceUnavailableError, match="401"):
        suppressed(provider, since=START)


# --- the provider's own client on our transport -------------------------------------------------------------


def test_its_fluent_surface_works_over_one_connection_and_logs_nothing(
    provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api = SendGridApi(provider.transport)
    before = provider.fake.connections
    batch_id = api.client.mail.batch.post().to_dict["batch_id"]
    paused = api.client.user.scheduled_sends.post(request_body={"batch_id": batch_id, "status": "pause"})
    assert paused.status_code == 201
    assert api.client.user.scheduled_sends._(batch_id).get().to_dict == [
        {"batch_id": batch_id, "status": "pause"}
    ]
    assert api.client.user.scheduled_sends._(batch_id).delete().status_code == 204
    assert provider.fake.connections == before + 1
    assert "SG.fake" not in caplog.text
    assert "pause" not in caplog.text


def test_its_refusals_are_its_own_errors(provider: Provider) -> None:
    api = SendGridApi(provider.transport)
    with pytest.raises(NotFoundError):
        api.client.logs._("nothing").get()
    provider.fake.account.options.api_keys.clear()
    with pytest.raises(UnauthorizedError) as refused:
        api.client.suppression.bounces.get()
    assert "SG.fake" not in str(refused.value.headers)


# --- the webhook ----------------------------------------------------------------------------------------


def test_events_of_a_batch_are_signed_and_prove_every_letter(provider: Provider) -> None:
    provider.sender.send(BATCH)
    verifier = Verifier(provider.fake.account.key.public)
    proven: dict[str, set[EventKind]] = {}
    for post in provider.fake.account.posts():
        signature, timestamp = post.headers[SIGNATURE_HEADER], post.headers[TIMESTAMP_HEADER]
        verifier.check(post.body, signature=signature, timestamp=timestamp, now=START)
        for event in events_of(post.body):
            assert event.is_proof
            assert event.delivery is not None
            proven.setdefault(event.delivery, set()).add(event.kind)
    assert proven == {d: {EventKind.PROCESSED, EventKind.DELIVERED} for d in DELIVERIES.values()}
    assert list(provider.fake.account.posts()) == []


def test_a_late_bounce_is_known_by_its_address_alone(provider: Provider) -> None:
    provider.sender.send(outgoing(reader(1, "async@example.org")))
    (post,) = provider.fake.account.posts()
    last = events_of(post.body)[-1]
    assert last.kind is EventKind.BOUNCED
    assert last.delivery is None
    assert last.address == "async@example.org"
