"""The SMTP sender against a real mail server on this machine."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from digest.deliver.message import letter_bytes
from digest.deliver.smtp import Server, Smtp
from digest.model import HandedOver, InDoubt, Refused
from tests.unit.deliver.certificates import certificate_file
from tests.unit.deliver.letters import outgoing, reader, with_publication

SECRET = "pass word of the tests"


class Mailboxes:
    """What the server took, and how it answers some addresses."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.sessions: set[int] = set()
        self.answers: dict[str, str] = {}

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "MAIL" in self.answers:
            return self.answers["MAIL"]
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.sessions.add(id(session))
        if (answer := self.answers.get("DATA", "250 OK")) == "HANG UP":
            self.taken.append(envelope)
            assert server.transport is not None
            server.transport.abort()
            return "250 OK"
        if answer.startswith("250"):
            self.taken.append(envelope)
        return answer


def controller(mailboxes: Mailboxes, **options: Any) -> Controller:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Controller(mailboxes, hostname="127.0.0.1", port=port, enable_SMTPUTF8=True, **options)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS context, and a client's that trusts it alone."""
    file = certificate_file(tmp_path_factory.mktemp("tls"))
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(file)
    return theirs, ssl.create_default_context(cafile=str(file))


@pytest.fixture
def mailboxes() -> Mailboxes:
    return Mailboxes()


@pytest.fixture
def server(mailboxes: Mailboxes) -> Iterator[Controller]:
    running = controller(mailboxes)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def sender(server: Controller) -> Iterator[Smtp]:
    sending = Smtp(Server("127.0.0.1", server.port, security="none", timeout_s=10))
    yield sending
    sending.close()


def test_the_letter_arrives_as_the_outbox_would_write_it(mailboxes: Mailboxes, sender: Smtp) -> None:
    batch = outgoing(reader(1))
    assert sender.send(batch) == HandedOver()
    (envelope,) = mailboxes.taken
    assert envelope.rcpt_tos == ["reader1@example.org"]
    assert envelope.mail_from == "news@digest.example.org"
    assert envelope.content == letter_bytes(batch, reader(1))


def test_each_reader_is_alone_in_the_envelope(mailboxes: Mailboxes, sender: Smtp) -> None:
    assert sender.send(outgoing(*(reader(n) for n in range(5)))) == HandedOver()
    assert [e.rcpt_tos for e in mailboxes.taken] == [[f"reader{n}@example.org"] for n in range(5)]


def test_letters_share_a_session(mailboxes: Mailboxes, sender: Smtp) -> None:
    for number in range(4):
        sender.send(outgoing(reader(number)))
    assert len(mailboxes.sessions) == 1


def test_a_session_that_the_server_closed_is_replaced(
    mailboxes: Mailboxes, sender: Smtp, server: Controller
) -> None:
    sender.send(outgoing(reader(1)))
    ((session, _),) = sender._idle
    assert session.sock is not None
    session.sock.shutdown(socket.SHUT_RDWR)
    assert sender.send(outgoing(reader(2))) == HandedOver()
    assert len(mailboxes.taken) == 2


def test_threads_share_a_sender(mailboxes: Mailboxes, sender: Smtp) -> None:
    outcomes: list[object] = []
    threads = [
        threading.Thread(target=lambda n=n: outcomes.append(sender.send(outgoing(reader(n)))))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [HandedOver()] * 8
    assert len(mailboxes.taken) == 8


# --- readers that cannot be mailed ------------------------------------------------------------------------


def test_an_unknown_mailbox_costs_one_letter(mailboxes: Mailboxes, sender: Smtp) -> None:
    mailboxes.answers["reader2@example.org"] = "550 5.1.1 no such mailbox"
    outcome = sender.send(outgoing(reader(1), reader(2), reader(3)))
    assert isinstance(outcome, HandedOver)
    assert outcome.bad == {2: "550 5.1.1 no such mailbox"}
    assert len(mailboxes.taken) == 2


@pytest.mark.parametrize(
    ("answer", "is_of_mailbox"),
    [
        ("550 5.1.1 no such mailbox", True),
        ("550 no such user here", True),
        ("552 5.2.2 mailbox full", True),
        ("553 5.1.3 bad syntax", True),
        ("550 5.4.1 Recipient address rejected: Access denied", True),
        ("556 5.1.10 takes no mail", True),
        ("553 5.7.1 <a@b.example>: Sender address rejected: not owned by user", False),
        ("550 5.7.1 Unable to relay", False),
        ("550 5.4.5 Daily user sending limit exceeded", False),
        ("550 5.1.8 bad address of the sender's system", False),
        ("550 relay not permitted", False),
        ("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", False),
        ("554 no", False),
    ],
)
def test_a_refusal_is_charged_to_the_reader_only_where_it_speaks_of_their_mailbox(
    mailboxes: Mailboxes, sender: Smtp, answer: str, is_of_mailbox: bool
) -> None:
    mailboxes.answers["reader1@example.org"] = answer
    outcome = sender.send(outgoing(reader(1)))
    if is_of_mailbox:
        assert isinstance(outcome, HandedOver)
        assert outcome.bad == {1: answer}
    else:
        assert isinstance(outcome, Refused)
        assert outcome.is_final
        assert answer in outcome.why
    assert mailboxes.taken == []


@pytest.mark.parametrize(
    ("at", "answer"),
    [
        ("MAIL", "451 4.3.2 not now"),
        ("MAIL", "455 cannot take these parameters now"),
        ("reader1@example.org", "421 4.3.2 closing"),
        ("DATA", "421 4.3.0 closing"),
        ("DATA", "452 4.3.1 no room"),
    ],
)
def test_a_server_that_wants_nothing_now_is_left_alone_by_all(
    mailboxes: Mailboxes, sender: Smtp, at: str, answer: str
) -> None:
    mailboxes.answers[at] = answer
    outcome = sender.send(outgoing(reader(1)))
    assert isinstance(outcome, Refused)
    assert (outcome.is_final, outcome.pauses_run, outcome.slows_all) == (False, False, True)


def test_a_full_mailbox_or_a_greylist_asks_to_come_back(mailboxes: Mailboxes, sender: Smtp) -> None:
    mailboxes.answers["reader1@example.org"] = "451 4.7.1 greylisted"
    outcome = sender.send(outgoing(reader(1)))
    assert isinstance(outcome, Refused)
    assert not outcome.is_final
    assert not outcome.slows_all
    assert "greylisted" in outcome.why


def test_a_letter_that_the_server_will_not_have_is_no_fault_of_the_reader(
    mailboxes: Mailboxes, sender: Smtp
) -> None:
    mailboxes.answers["DATA"] = "550 5.7.1 looks like spam"
    outcome = sender.send(outgoing(reader(1)))
    assert isinstance(outcome, Refused)
    assert outcome.is_final


def test_a_refused_sender_pauses_the_run(mailboxes: Mailboxes, sender: Smtp) -> None:
    mailboxes.answers["MAIL"] = "550 5.7.1 not your address"
    outcome = sender.send(outgoing(reader(1)))
    assert isinstance(outcome, Refused)
    assert outcome.pauses_run
    mailboxes.answers.clear()
    assert sender.send(outgoing(reader(1))) == HandedOver()


def test_international_addresses_go_to_servers_that_take_them(mailboxes: Mailboxes, sender: Smtp) -> None:
    assert sender.send(outgoing(reader(1, "siân@bücher.example"))) == HandedOver()
    (envelope,) = mailboxes.taken
    assert envelope.rcpt_tos == ["siân@xn--bcher-kva.example"]
    assert "SMTPUTF8" in envelope.mail_options
    assert isinstance(envelope.content, bytes)
    assert "\r\nTo: siân@xn--bcher-kva.example\r\n".encode() in envelope.content


def test_and_are_named_where_the_server_does_not(mailboxes: Mailboxes) -> None:
    plain = controller(mailboxes)
    plain.SMTP_kwargs["enable_SMTPUTF8"] = False
    plain.start()
    try:
        sender = Smtp(Server("127.0.0.1", plain.port, security="none", timeout_s=10))
        outcome = sender.send(outgoing(reader(1, "siân@example.org"), reader(2)))
        sender.close()
    finally:
        plain.stop()
    assert isinstance(outcome, HandedOver)
    assert "SMTPUTF8" in outcome.bad[1]
    assert len(mailboxes.taken) == 1


def test_a_sender_that_the_server_cannot_write_pauses_the_run(mailboxes: Mailboxes) -> None:
    plain = controller(mailboxes)
    plain.SMTP_kwargs["enable_SMTPUTF8"] = False
    plain.start()
    try:
        sender = Smtp(Server("127.0.0.1", plain.port, security="none", timeout_s=10))
        outcome = sender.send(with_publication(outgoing(reader(1)), from_address="nötice@example.org"))
        sender.close()
    finally:
        plain.stop()
    assert isinstance(outcome, Refused)
    assert outcome.pauses_run
    assert "publication.from" in outcome.why


# --- doubt and no doubt -------------------------------------------------------------------------------------


def test_a_line_that_breaks_after_the_letter_leaves_it_in_doubt(mailboxes: Mailboxes, sender: Smtp) -> None:
    mailboxes.answers["DATA"] = "HANG UP"
    outcome = sender.send(outgoing(reader(1)))
    assert isinstance(outcome, InDoubt)
    mailboxes.answers.clear()
    assert sender.send(outgoing(reader(2))) == HandedOver()


def test_a_line_that_breaks_before_the_letter_leaves_no_doubt() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up_at_data() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"220 here\r\n")
                for line in lines:
                    if line.upper().startswith(b"DATA"):
                        return
                    connection.sendall(b"250 OK\r\n")

        thread = threading.Thread(target=hang_up_at_data)
        thread.start()
        server = Server("127.0.0.1", listener.getsockname()[1], security="none", timeout_s=10)
        outcome = Smtp(server).send(outgoing(reader(1)))
        thread.join()
    assert isinstance(outcome, Refused)
    assert not outcome.is_final


def test_a_line_of_a_dot_stays_a_line(mailboxes: Mailboxes, sender: Smtp) -> None:
    plain = outgoing(reader(1))
    letter = replace(plain, page=replace(plain.page, text=plain.page.text + "\n.\n..x\nlast"))
    assert sender.send(letter) == HandedOver()
    (envelope,) = mailboxes.taken
    assert envelope.content == letter_bytes(letter, reader(1))


def test_what_stops_a_larger_batch_half_way_is_in_doubt(mailboxes: Mailboxes, sender: Smtp) -> None:
    mailboxes.answers["reader2@example.org"] = "452 too many"
    outcome = sender.send(outgoing(reader(1), reader(2)))
    assert isinstance(outcome, InDoubt)
    assert "1 letters were taken" in outcome.why


def test_no_server_is_no_doubt() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = Server("127.0.0.1", unused.getsockname()[1], security="none", timeout_s=10)
        outcome = Smtp(nowhere).send(outgoing(reader(1)))
    assert isinstance(outcome, Refused)
    assert not outcome.is_final
    assert not outcome.pauses_run


def test_a_sender_whose_links_must_not_stand_in_html_mails_nobody(mailboxes: Mailboxes, sender: Smtp) -> None:
    outcome = sender.send(replace(outgoing(reader(1)), view_url='https://x.example/"'))
    assert isinstance(outcome, Refused)
    assert mailboxes.taken == []


# --- log-in and encryption ---------------------------------------------------------------------------


def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    assert isinstance(data, LoginPassword)
    is_right = data.login == b"ann" and data.password == SECRET.encode()
    return AuthResult(success=is_right, handled=is_right)


def test_log_in_over_starttls(mailboxes: Mailboxes, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    theirs, ours = tls
    running = controller(
        mailboxes,
        authenticator=check,
        auth_required=True,
        auth_exclude_mechanism=["LOGIN"],
        tls_context=theirs,
        require_starttls=True,
    )
    running.start()
    try:
        good = Smtp(Server("127.0.0.1", running.port, "starttls", "ann", SECRET, timeout_s=10), tls=ours)
        assert good.send(outgoing(reader(1))) == HandedOver()
        good.close()
        wrong = Smtp(Server("127.0.0.1", running.port, "starttls", "ann", "wrong", timeout_s=10), tls=ours)
        outcome = wrong.send(outgoing(reader(1)))
        wrong.close()
    finally:
        running.stop()
    assert isinstance(outcome, Refused)
    assert outcome.pauses_run
    assert "smtp.username and smtp.password" in outcome.why
    assert "wrong" not in outcome.why + repr(wrong) + repr(Server("h", password="wrong"))


def test_tls_from_the_first_byte(mailboxes: Mailboxes, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    theirs, ours = tls
    secure = controller(mailboxes, ssl_context=theirs)
    secure.start()
    try:
        sender = Smtp(Server("127.0.0.1", secure.port, "tls", timeout_s=10), tls=ours)
        assert sender.send(outgoing(reader(1))) == HandedOver()
        sender.close()
        stranger = Smtp(Server("127.0.0.1", secure.port, "tls", timeout_s=10))
        outcome = stranger.send(outgoing(reader(1)))
    finally:
        secure.stop()
    assert isinstance(outcome, Refused)
    assert outcome.pauses_run
    assert "smtp.security" in outcome.why


def test_a_server_without_starttls_is_not_talked_to_in_the_clear(
    mailboxes: Mailboxes, server: Controller
) -> None:
    sender = Smtp(Server("127.0.0.1", server.port, "starttls", timeout_s=10))
    outcome = sender.send(outgoing(reader(1)))
    assert isinstance(outcome, Refused)
    assert outcome.pauses_run
    assert mailboxes.taken == []


def test_a_sender_address_that_is_not_ascii_needs_no_guess(mailboxes: Mailboxes, sender: Smtp) -> None:
    batch = with_publication(outgoing(reader(1)), from_address="newyddion@môn.example")
    assert sender.send(batch) == HandedOver()
    assert mailboxes.taken[0].mail_from == "newyddion@xn--mn-8ja.example"
