"""What the provider remembers, read through its own client over our transport, from the local fake."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from python_http_client.exceptions import NotFoundError, UnauthorizedError

from digest.deliver.events import Event, EventKind, Verifier, events_of
from digest.deliver.evidence import PAGE_SIZE, EvidenceUnavailableError, Found, SendGridRecords, Suppressed
from digest.deliver.fake_sendgrid import EVERY_MISCHIEF, FakeSendGrid, Fault, post_events, serve
from digest.deliver.fake_sendgrid.events import SIGNATURE_HEADER, TIMESTAMP_HEADER
from digest.deliver.sendgrid import SendGrid, transport_of
from digest.deliver.sendgrid_api import SendGridApi
from digest.deliver.transport import Transport
from digest.errors import WebhookError
from digest.model import InDoubt
from tests.unit.deliver.certificates import certificate_file
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
        transport = transport_of("SG.fake", base_url=fake.url, connect_timeout_s=10, read_timeout_s=10)
        sender = SendGrid("SG.fake", base_url=fake.url, connect_timeout_s=10, read_timeout_s=10)
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


def test_a_key_without_the_right_to_read_is_named_with_its_mend(provider: Provider) -> None:
    provider.fake.account.options.api_keys["SG.fake"] = False
    with pytest.raises(EvidenceUnavailableError, match=r"403.*make a key that.*sendgrid\.api_key"):
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


class Receiver:
    """A web address that believes only genuine posts and keeps one of each happening; fails now and then."""

    def __init__(self, public_key: str, *, certificate: Path | None = None) -> None:
        self.verifier = Verifier(public_key)
        self.happenings: dict[str, Event] = {}
        self.refused: list[str] = []
        self.posts = 0
        self.got_first = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(outer.take(body, self.headers))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        scheme = "http" if certificate is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}/webhooks/sendgrid"

    def take(self, body: bytes, headers: Mapping[str, str]) -> int:
        self.posts += 1
        try:
            self.verifier.check(
                body, signature=headers[SIGNATURE_HEADER], timestamp=headers[TIMESTAMP_HEADER], now=START
            )
        except WebhookError as error:
            self.refused.append(error.kind)
            return 403
        if self.posts % 5 == 0:
            return 503
        self.happenings |= {event.same_as: event for event in events_of(body)}
        self.got_first.set()
        return 204

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def test_repeated_renamed_shuffled_and_forged_posts_tell_each_happening_once(provider: Provider) -> None:
    people = [reader(n, f"{'bounce' if n % 7 == 0 else 'r'}{n}@example.org") for n in range(300)]
    provider.sender.send(outgoing(*people))
    receiver = Receiver(provider.fake.account.key.public)
    mischief = replace(EVERY_MISCHIEF, forged=0.5, stale=0.5)
    post_events(provider.fake.account, receiver.url, mischief)
    receiver.close()
    told = [e for e in receiver.happenings.values() if e.kind is not EventKind.OTHER]
    assert {(e.delivery, e.kind) for e in told} == {
        (r.delivery, kind)
        for n, r in enumerate(people)
        for kind in (EventKind.PROCESSED, EventKind.BOUNCED if n % 7 == 0 else EventKind.DELIVERED)
    }
    assert len(told) == 600
    assert {"forged", "old"} <= set(receiver.refused)
    assert receiver.posts > 12
    assert provider.fake.account.journal.waiting == []


def test_events_that_nobody_takes_wait_for_the_next_time(provider: Provider) -> None:
    provider.sender.send(outgoing(reader(1)))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        statuses = post_events(provider.fake.account, f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert set(statuses) == {0}
    assert len(provider.fake.account.journal.waiting) == 2


def test_a_webhook_behind_https_gets_its_events_too(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certificate_file(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    provider.sender.send(outgoing(reader(1)))
    receiver = Receiver(provider.fake.account.key.public, certificate=certificate)
    statuses = post_events(provider.fake.account, receiver.url)
    receiver.close()
    assert statuses == [204]


def test_left_alone_it_posts_its_events_by_itself(provider: Provider) -> None:
    provider.sender.send(BATCH)
    receiver = Receiver(provider.fake.account.key.public)
    posting = FakeSendGrid(provider.fake.account, webhook_url=receiver.url, flush_every_s=0.01)
    assert receiver.got_first.wait(5)
    posting.close()
    receiver.close()
    assert {event.delivery for event in receiver.happenings.values()} == set(DELIVERIES.values())
