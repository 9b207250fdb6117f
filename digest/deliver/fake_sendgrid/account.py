"""The fake's account: what it knows, whom it has mailed, and on which clock."""

from __future__ import annotations

import base64
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from digest.deliver.fake_sendgrid.checks import RefusedError, checked, problem
from digest.deliver.fake_sendgrid.events import Event, Journal, SignedPost, SigningKey, story_of
from digest.deliver.fake_sendgrid.faults import FaultPlan
from digest.deliver.fake_sendgrid.mail import Batch, Message

LISTS = ("bounces", "blocks", "spam_reports", "invalid_emails", "unsubscribes")
BATCH_LIVES_S = 10 * 86_400
MOST_STOPPED = 10
_DROPPED_FOR = {
    "bounces": "Bounced Address",
    "spam_reports": "Spam Reporting Address",
    "invalid_emails": "Invalid",
    "unsubscribes": "Unsubscribed Address",
}


@dataclass(slots=True)
class Options:
    """How the account behaves. ``None`` for domains: every sender is verified; for credits: endless.

    ``api_keys`` that are False may do nothing; those in ``mail_only`` may send and read nothing.
    """

    api_keys: dict[str, bool] = field(default_factory=lambda: {"SG.fake": True, "SG.mail-only": True})
    mail_only: frozenset[str] = frozenset({"SG.mail-only"})
    verified_domains: frozenset[str] | None = None
    credits: int | None = None
    late_cancel_ok: bool = False
    expired_batches_are_lost: bool = True
    strict_duplicates: bool = False
    requests_per_s: float | None = None
    questions_per_minute: int = 600
    log_lag_s: float = 60.0
    late_accept_s: float = 60.0


class Account:
    """All state of the fake, behind one lock. ``now`` is the system's clock shifted as the test likes."""

    def __init__(self, *, seed: int = 0, clock: Callable[[], float] = time.time) -> None:
        self.rng = random.Random(seed)  # noqa: S311  # faults must be repeatable, not secret
        self.options = Options()
        self.key = SigningKey()
        self.faults = FaultPlan(self.rng)
        self.journal = Journal(self.rng)
        self.messages: list[Message] = []
        self.of_address: dict[str, list[Message]] = {}
        self.of_id: dict[str, Message] = {}
        self.batches: dict[str, Batch] = {}
        self.suppressions: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in LISTS}
        self.lock = threading.RLock()
        self.bodies: list[bytes] | None = None
        self.requests = 0
        self._queued: list[Message] = []
        self._late: list[tuple[float, dict[str, Any]]] = []
        self._tokens, self._filled_at = 1.0, 0.0
        self._minute, self._questions = 0, 0
        self._clock = clock
        self._shift = 0.0

    # --- the clock ---

    def now(self) -> float:
        """Unix seconds on the fake's clock."""
        return self._clock() + self._shift

    def set_now(self, instant: float) -> None:
        """Let the clock show that instant, from which it runs on; what falls due happens."""
        with self.lock:
            self._shift = instant - self._clock()
            self.settle()

    def advance(self, seconds: float) -> None:
        """Let that much time pass."""
        self.set_now(self.now() + seconds)

    def has_room(self) -> bool:
        """False when the token bucket of mail/send (one second's worth) is empty."""
        rate = self.options.requests_per_s
        if rate is None:
            return True
        with self.lock:
            now = self.now()
            self._tokens = min(max(rate, 1.0), self._tokens + (now - self._filled_at) * rate)
            self._filled_at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

    def questions_left(self) -> int:
        """How many more questions (anything but mail) this minute allows, after the one asked now; or -1."""
        with self.lock:
            minute = int(self.now() // 60)
            if minute != self._minute:
                self._minute, self._questions = minute, 0
            self._questions += 1
            return max(self.options.questions_per_minute - self._questions, -1)

    # --- mail ---

    def authorise(self, authorization: str | None, *, to_read: bool = False) -> None:
        """Raises: RefusedError for an unknown key, or one without the right."""
        key = (authorization or "").removeprefix("Bearer ")
        if key not in self.options.api_keys:
            raise RefusedError(
                401, problem("The provided authorization grant is invalid, expired, or revoked")
            )
        if not self.options.api_keys[key] or (to_read and key in self.options.mail_only):
            raise RefusedError(403, problem("access forbidden"))

    def check(self, body: bytes) -> dict[str, Any]:
        """The body as it may be accepted. Raises: RefusedError."""
        with self.lock:
            if self.bodies is not None:
                self.bodies.append(body)
            mail = checked(
                body, now=self.now(), known_batches={k: b.created_at for k, b in self.batches.items()}
            )
            self._check_account(mail)
            return mail

    def accept(self, mail: dict[str, Any]) -> str | None:
        """Take the request; its X-Message-Id, or None in sandbox mode, which mails nobody."""
        if mail.get("mail_settings", {}).get("sandbox_mode", {}).get("enable"):
            return None
        with self.lock:
            request_id = self._token(16)
            now = self.now()
            for number, person in enumerate(mail["personalizations"]):
                message = self._message(mail, person, request_id, number, now)
                self.messages.append(message)
                self.of_address.setdefault(message.address.lower(), []).append(message)
                self.of_id[message.sg_message_id] = message
                self._queued.append(message)
                self.journal.tell("processed", message, now, send_at=int(message.send_at))
            if self.options.credits is not None:
                self.options.credits -= len(mail["personalizations"])
            self.settle()
            return request_id

    def accept_later(self, mail: dict[str, Any]) -> None:
        """Take the request some time after it was answered with an error."""
        with self.lock:
            self._late.append((self.now() + self.options.late_accept_s, mail))

    def settle(self) -> None:
        """Do all that is due by now: late requests, scheduled messages, held batches."""
        with self.lock:
            now = self.now()
            due = [mail for at, mail in self._late if at <= now]
            self._late = [(at, mail) for at, mail in self._late if at > now]
            for mail in due:
                self.accept(mail)
            ready = [m for m in self._queued if m.send_at <= now]
            for message in ready:
                self._release(message, now)
            if ready:
                self._queued = [m for m in self._queued if m.state == "queued"]

    def counts(self, argument: str = "dg_delivery_id") -> Counter[str]:
        """How many messages left for each value of a custom argument: the exactly-once assertion."""
        with self.lock:
            return Counter(m.custom_args[argument] for m in self.messages if m.state == "sent")

    def sent_to(self, address: str) -> list[Message]:
        """Messages that left for an address."""
        with self.lock:
            return [m for m in self.messages if m.state == "sent" and m.address.lower() == address.lower()]

    # --- the webhook ---

    def posts(self) -> Iterator[SignedPost]:
        """The waiting events as signed posts."""
        with self.lock:
            self.settle()
            taken = list(self.journal.take())
        return (self.key.post(events, self.now()) for events in taken)

    def events(self) -> list[Event]:
        """All events ever told."""
        with self.lock:
            self.settle()
            return list(self.journal.told)

    # --- batches ---

    def new_batch(self) -> str:
        """A fresh batch id."""
        with self.lock:
            batch_id = self._token(36)
            self.batches[batch_id] = Batch(self.now())
            return batch_id

    def stop(self, batch_id: str, status: str, *, change: bool = False) -> None:
        """Pause or cancel a batch. Raises: RefusedError as the provider does."""
        with self.lock:
            batch = self.batches.get(batch_id)
            if change and (batch is None or batch.status is None):
                raise RefusedError(404, problem("batch id not found"))
            if batch is None:
                raise RefusedError(400, problem("invalid batch id"))
            if not change and batch.status is not None:
                again = "a status for this batch id exists, try PATCH to update the status"
                raise RefusedError(400, problem(again))
            if not change and len(self.stopped()) >= MOST_STOPPED:
                raise RefusedError(400, problem("max limit reached"))
            batch.status, batch.status_at = status, self.now()

    def free(self, batch_id: str) -> None:
        """Take the status away: what is paused and overdue leaves at once. Raises: RefusedError."""
        with self.lock:
            self.settle()
            batch = self.batches.get(batch_id)
            if batch is None or batch.status is None:
                raise RefusedError(404, problem("batch id not found"))
            batch.status = None
            self.settle()

    def stopped(self) -> list[tuple[str, Batch]]:
        """Batches that are paused or cancelled; a cancelled one until its messages are gone."""
        with self.lock:
            self.settle()
            gone = {m.batch_id for m in self.messages if m.state == "cancelled"}
            return [
                (k, b)
                for k, b in self.batches.items()
                if b.status and not (b.status == "cancel" and k in gone)
            ]

    # --- inside ---

    def _check_account(self, mail: dict[str, Any]) -> None:
        people = mail["personalizations"]
        if self.options.credits is not None and self.options.credits < len(people):
            raise RefusedError(401, problem("Maximum credits exceeded"))
        domain = mail["from"]["email"].rpartition("@")[2].lower()
        if self.options.verified_domains is not None and domain not in self.options.verified_domains:
            why = (
                "The from address does not match a verified Sender Identity. Mail cannot be sent until this "
            )
            raise RefusedError(403, problem(f"{why}error is resolved.", "from"))
        addresses = [p["to"][0]["email"].lower() for p in people]
        if self.options.strict_duplicates and len(set(addresses)) < len(addresses):
            raise RefusedError(400, problem("Each email address should be unique.", "personalizations"))

    def _message(
        self, mail: dict[str, Any], person: dict[str, Any], request_id: str, number: int, now: float
    ) -> Message:
        part = f"recvd-{self.rng.randbytes(5).hex()}-{self.rng.randbytes(3).hex()[:5]}"
        place = f"1-{self.rng.randbytes(4).hex().upper()}-{self.rng.randbytes(1).hex().upper()}"
        batch_id = mail.get("batch_id")
        return Message(
            request_id=request_id,
            sg_message_id=f"{request_id}.{part}-{place}.{number}",
            address=person["to"][0]["email"],
            custom_args={**mail.get("custom_args", {}), **person.get("custom_args", {})},
            categories=tuple(mail.get("categories", ())),
            mail=mail,
            person=person,
            accepted_at=now,
            send_at=float(person.get("send_at", mail.get("send_at", 0))),
            batch_id=batch_id,
        )

    def _release(self, message: Message, now: float) -> None:
        batch = self.batches.get(message.batch_id or "")
        if batch is not None and batch.created_at + BATCH_LIVES_S < message.accepted_at:
            message.state = "lost" if self.options.expired_batches_are_lost else "sent"
            return
        state = "sent"
        if batch is not None:
            verdict = batch.verdict(message, now, late_cancel_ok=self.options.late_cancel_ok)
            if verdict is None:
                return
            state = verdict
        message.state = state
        if state == "sent":
            message.sent_at = now
            self._suppress(story_of(self.journal, message, now, drop_reason=self._drop_reason(message)))

    def _drop_reason(self, message: Message) -> str | None:
        address = message.address.lower()
        return next((why for name, why in _DROPPED_FOR.items() if address in self.suppressions[name]), None)

    def _suppress(self, story: list[Event]) -> None:
        for event in story:
            name = {"bounce": "bounces", "spamreport": "spam_reports", "unsubscribe": "unsubscribes"}.get(
                event["event"], ""
            )
            if event.get("type") == "blocked":
                name = "blocks"
            if event["event"] == "dropped" and event.get("reason") == "Invalid":
                name = "invalid_emails"
            if name:
                entry = {"created": event["timestamp"], "email": event["email"]}
                if name in ("bounces", "blocks", "invalid_emails"):
                    entry |= {"reason": event.get("reason", ""), "status": event.get("status", "")}
                self.suppressions[name][event["email"].lower()] = entry

    def _token(self, size: int) -> str:
        return base64.urlsafe_b64encode(self.rng.randbytes(size)).decode().rstrip("=")
