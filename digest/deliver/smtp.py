"""The SMTP sender: any mail server, one letter a reader, an honest result for each.

SMTP tells the fate of each letter by itself, while an outcome speaks for a whole batch: so a batch is one
letter unless told otherwise, and every outcome is exact. In larger batches, what goes wrong after the first
accepted letter puts the batch in doubt. Sources: RFC 5321, 3207 (STARTTLS), 4954 (AUTH), 6531 (SMTPUTF8).
"""

from __future__ import annotations

import re
import smtplib
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from digest.deliver.message import address_fault, envelope_address, letter_bytes
from digest.errors import DeliveryError, RenderError
from digest.model import HandedOver, InDoubt, Outcome, Outgoing, Recipient, Refused

Security = Literal["starttls", "tls", "none"]
_FRESH_AFTER_S = 20.0  # servers close idle sessions; RFC 5321 4.5.3.2.7 asks for 5 min, not all keep to it
_FINAL_FROM = 500  # below: come back later (RFC 5321 4.2.1)
_CLOSING = 421
# Answers to RCPT that speak of this mailbox alone, unless their words say otherwise; 554 ("no", without a
# reason) speaks of us.
_MAILBOX = frozenset({501, 510, 511, 513, 550, 551, 552, 553, 556})
_ENHANCED = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")  # RFC 3463
_OF_US = re.compile(r"relay|sender|polic|denied|spam|blocked|limit|authenticat|rcpthosts", re.IGNORECASE)
# Subject and detail that speak of the mailbox beside 1 (but 7 and 8: the sender's address) and 2: nobody
# can reach it.
_UNREACHABLE = frozenset({(4, 1), (4, 4)})
_SENDER = frozenset({7, 8})
_SYSTEM = 3
_GO_ON = 354
_LINE_DOT = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Server:
    """Where to hand letters over. ``password`` never shows."""

    host: str
    port: int = 587
    security: Security = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    timeout_s: float = 60.0


class NoSessionError(DeliveryError):
    """No session with the mail server: nothing was sent. ``pauses_run``: only an operator can mend it."""

    def __init__(self, why: str, *, pauses_run: bool) -> None:
        super().__init__(why)
        self.pauses_run = pauses_run


class Smtp:
    """Sender over SMTP with sessions kept open. Threads may share one; each uses its own session."""

    name = "smtp"
    is_repeatable = False

    def __init__(self, server: Server, *, batch_size: int = 1, tls: ssl.SSLContext | None = None) -> None:
        self.batch_size = batch_size
        self._server = server
        self._tls = tls or ssl.create_default_context()
        self._idle: list[tuple[smtplib.SMTP, float]] = []
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Smtp({self._server.host}:{self._server.port})"

    def send(self, outgoing: Outgoing) -> Outcome:
        """Hand the letters over one after another; ``bad`` are those the server refuses for good."""
        try:
            session = self._session()
        except NoSessionError as error:
            return Refused(str(error), is_final=False, pauses_run=error.pauses_run, slows_all=True)
        progress = _Progress()
        try:
            return self._send_all(session, outgoing, progress)
        except RenderError as error:
            return progress.stopped(_Stop(str(error), pauses_run=True))
        except (smtplib.SMTPException, OSError) as error:
            session.close()
            return progress.stopped(_Stop(f"{self._server.host}: {_said(error)}"))
        finally:
            self._give_back(session)

    def close(self) -> None:
        """Say goodbye on idle sessions."""
        with self._lock:
            idle, self._idle = self._idle, []
        for session, _ in idle:
            _quit(session)

    # --- letters ---

    def _send_all(self, session: smtplib.SMTP, outgoing: Outgoing, progress: _Progress) -> Outcome:
        for recipient in outgoing.recipients:
            fault: str | _Stop | None = address_fault(recipient.address)
            if fault is None:
                fault = self._send_one(session, outgoing, recipient, progress)
            if isinstance(fault, _Stop):
                return progress.stopped(fault)
            if fault is None:
                progress.accepted += 1
            else:
                progress.bad[recipient.subscriber_id] = fault
        return HandedOver(bad=progress.bad)

    def _send_one(
        self, session: smtplib.SMTP, outgoing: Outgoing, recipient: Recipient, progress: _Progress
    ) -> str | _Stop | None:
        """None: taken. Text: this reader cannot be mailed, and why. Raises: SMTPException, OSError."""
        letter = letter_bytes(outgoing, recipient)
        sender, address = (
            envelope_address(outgoing.publication.from_address),
            envelope_address(recipient.address),
        )
        options: tuple[str, ...] = ()
        if not (address + sender).isascii():
            if not _takes_utf8(session):
                why = "the mail server does not take addresses that are not ASCII (SMTPUTF8)"
                if sender.isascii():
                    return why
                return _Stop(f"{why}: change publication.from", pauses_run=True)
            options = ("SMTPUTF8", "BODY=8BITMIME")
        said = session.mail(sender, options)
        if not _is_yes(said):
            _reset(session)
            why = f"the sender is refused: {_words(said)}"
            return _Stop(why, pauses_run=said[0] >= _FINAL_FROM, slows_all=True)
        said = session.rcpt(address)
        if not _is_yes(said):
            _reset(session)
            return _words(said) if _is_of_mailbox(said) else _stop_of(_words(said), said)
        return _hand_over(session, letter, progress)

    # --- sessions ---

    def _session(self) -> smtplib.SMTP:
        """An idle session that still answers, else a new one. Raises: NoSessionError."""
        while True:
            with self._lock:
                found = self._idle.pop() if self._idle else None
            if found is None:
                return self._open()
            session, since = found
            if time.monotonic() - since < _FRESH_AFTER_S and _answers(session):
                return session
            session.close()

    def _open(self) -> smtplib.SMTP:
        server = self._server
        session: smtplib.SMTP | None = None
        try:
            if server.security == "tls":
                session = smtplib.SMTP_SSL(
                    server.host, server.port, timeout=server.timeout_s, context=self._tls
                )
            else:
                session = smtplib.SMTP(server.host, server.port, timeout=server.timeout_s)
            session.ehlo_or_helo_if_needed()
            if server.security == "starttls":
                session.starttls(context=self._tls)
                session.ehlo()
            if server.username:
                session.login(server.username, server.password)
        except (smtplib.SMTPException, OSError) as error:
            if session is not None:
                session.close()
            raise _no_session(server, error) from None  # the cause's words may hold what was sent
        return session

    def _give_back(self, session: smtplib.SMTP) -> None:
        if session.sock is not None:
            with self._lock:
                self._idle.append((session, time.monotonic()))


@dataclass(frozen=True, slots=True)
class _Stop:
    """Why the rest of a batch cannot be sent now."""

    why: str
    is_final: bool = False
    pauses_run: bool = False
    slows_all: bool = False


@dataclass(slots=True)
class _Progress:
    """How far a batch has come; ``is_letter_out``: one letter's text has left and has no answer yet."""

    accepted: int = 0
    is_letter_out: bool = False
    bad: dict[int, str] = field(default_factory=dict)

    def stopped(self, by: _Stop) -> Outcome:
        """The outcome of a batch that ends here."""
        if self.accepted or self.is_letter_out:
            return InDoubt(f"{self.accepted} letters were taken, then: {by.why}", bad=self.bad)
        return Refused(by.why, is_final=by.is_final, pauses_run=by.pauses_run, slows_all=by.slows_all)


def _hand_over(session: smtplib.SMTP, letter: bytes, progress: _Progress) -> _Stop | None:
    """The letter's text, and the server's last word on it. Raises: SMTPException, OSError."""
    said = session.docmd("DATA")
    if said[0] == _GO_ON:
        # Where this fails, the line that ends the letter did not leave whole: nobody can have taken it.
        session.send(_LINE_DOT.sub(b"..", letter) + (b".\r\n" if letter.endswith(b"\r\n") else b"\r\n.\r\n"))
        progress.is_letter_out = True
        said = session.getreply()
        progress.is_letter_out = False
    if _is_yes(said):
        return None
    _reset(session)
    return _stop_of(f"the letter is refused: {_words(said)}", said)


def _stop_of(why: str, said: tuple[int, bytes]) -> _Stop:
    """What an answer that is no means for the letters to come."""
    enhanced = _enhanced(said)
    is_everybodys = said[0] == _CLOSING or (enhanced is not None and enhanced[0] == _SYSTEM)
    is_final = said[0] >= _FINAL_FROM
    return _Stop(why, is_final=is_final, slows_all=is_everybodys and not is_final)


def _is_of_mailbox(said: tuple[int, bytes]) -> bool:
    """Whether an answer to RCPT speaks of this mailbox alone; else it is about us, or everybody."""
    if said[0] < _FINAL_FROM:
        return False
    if (enhanced := _enhanced(said)) is not None:
        subject, detail = enhanced
        return (subject == 1 and detail not in _SENDER) or subject == 2 or enhanced in _UNREACHABLE
    return said[0] in _MAILBOX and not _OF_US.search(_words(said))


def _enhanced(said: tuple[int, bytes]) -> tuple[int, int] | None:
    """Subject and detail of an enhanced status code, wherever a server writes it; None without one."""
    found = _ENHANCED.search(said[1].decode("ascii", "replace"))
    return None if found is None else (int(found[2]), int(found[3]))


def _takes_utf8(session: smtplib.SMTP) -> bool:
    return "smtputf8" in session.esmtp_features


def _is_yes(said: tuple[int, bytes]) -> bool:
    return 200 <= said[0] < 300


def _words(said: tuple[int, bytes]) -> str:
    return f"{said[0]} {said[1].decode('utf-8', 'replace')}"[:300]


def _no_session(server: Server, error: Exception) -> NoSessionError:
    place = f"{server.host}:{server.port}"
    if isinstance(error, smtplib.SMTPAuthenticationError) and error.smtp_code >= _FINAL_FROM:
        return NoSessionError(
            f"{place} refuses the log-in: check smtp.username and smtp.password", pauses_run=True
        )
    if isinstance(error, smtplib.SMTPNotSupportedError | ssl.SSLError):
        why = f"{place}: {_said(error)}: check smtp.security and smtp.port"
        return NoSessionError(why, pauses_run=True)
    return NoSessionError(f"no session with {place}: {_said(error)}", pauses_run=False)


def _answers(session: smtplib.SMTP) -> bool:
    try:
        return session.noop()[0] == 250
    except (smtplib.SMTPException, OSError):
        return False


def _reset(session: smtplib.SMTP) -> None:
    """Forget the letter begun; a session that cannot is of no more use."""
    _quietly(session.rset, session)


def _quit(session: smtplib.SMTP) -> None:
    _quietly(session.quit, session)


def _quietly(command: Callable[[], object], session: smtplib.SMTP) -> None:
    try:
        command()
    except (smtplib.SMTPException, OSError):
        session.close()


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _words((error.smtp_code, error.smtp_error if isinstance(error.smtp_error, bytes) else b""))
    return str(error) or type(error).__name__
