"""The fake's Event Webhook: what becomes of a message is told by its address, in signed posts."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from digest.deliver.fake_sendgrid.mail import Message

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"
FLUSH_BYTES = 768_000

Event = dict[str, Any]
_RULE = re.compile(r"(bounce|block|drop|defer|spam|async|unsubscribe)(\d*)\b")


@dataclass(frozen=True, slots=True)
class SignedPost:
    """One POST of the webhook: its body and headers."""

    body: bytes
    headers: dict[str, str]


class SigningKey:
    """The account's webhook key; ``public`` is published as base64 of the DER."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        der = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.public = base64.b64encode(der).decode()

    def post(self, events: Sequence[Event], at: float) -> SignedPost:
        """The events as one signed post at that instant."""
        return self.sign(body_of(events), at)

    def sign(self, body: bytes, at: float) -> SignedPost:
        """Any body as a signed post at that instant."""
        timestamp = str(int(at))
        signature = self._key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        headers = {
            "User-Agent": "SendGrid Event API",
            "Content-Type": "application/json;charset=utf-8",
            "Accept-Encoding": "gzip",
            SIGNATURE_HEADER: base64.b64encode(signature).decode(),
            TIMESTAMP_HEADER: timestamp,
        }
        return SignedPost(body, headers)


def body_of(events: Sequence[Event]) -> bytes:
    """Events as the provider writes them: comma CR LF between, CR LF at the end, keys sorted."""
    parts = [orjson.dumps(event, option=orjson.OPT_SORT_KEYS) for event in events]
    return b"[" + b",\r\n".join(parts) + b"]\r\n"


@dataclass(slots=True)
class Journal:
    """All events so far, and those not yet posted."""

    rng: random.Random
    told: list[Event] = field(default_factory=list)
    waiting: list[Event] = field(default_factory=list)
    _of: dict[str, list[Event]] = field(default_factory=dict)

    def tell(self, kind: str, message: Message, at: float, **facts: object) -> Event:
        """Record one event of a message; our custom arguments stand at the top, reserved keys win."""
        event: Event = dict(message.custom_args)
        event |= {
            "email": message.address,
            "timestamp": int(at),
            "event": kind,
            "sg_event_id": self._event_id(kind, message),
            "sg_message_id": message.sg_message_id,
            "smtp-id": f"<{message.request_id}@geopod-ismtpd-0>",
            "category": list(message.categories),
        }
        return self.add(event | facts)

    def add(self, event: Event) -> Event:
        """Record an event as it is."""
        self.told.append(event)
        self.waiting.append(event)
        self._of.setdefault(event.get("sg_message_id", ""), []).append(event)
        return event

    def of(self, sg_message_id: str) -> list[Event]:
        """The events of one message, in order."""
        return self._of.get(sg_message_id, [])

    def take(self) -> Iterator[list[Event]]:
        """The waiting events in posts of at most `FLUSH_BYTES`; they wait no longer."""
        waiting, self.waiting = self.waiting, []
        post: list[Event] = []
        size = 0
        for event in waiting:
            size += len(orjson.dumps(event)) + 3
            if post and size > FLUSH_BYTES:
                yield post
                post, size = [], len(orjson.dumps(event))
            post.append(event)
        if post:
            yield post

    def _event_id(self, kind: str, message: Message) -> str:
        if kind in ("processed", "dropped", "delivered"):
            word = "drop" if kind == "dropped" else kind
            text = f"{word}-1-{message.request_id}-{message.sg_message_id.rpartition('.')[2]}".encode()
        else:
            text = self.rng.randbytes(16)
        return base64.urlsafe_b64encode(text).decode().rstrip("=")


def story_of(journal: Journal, message: Message, at: float, *, drop_reason: str | None) -> list[Event]:
    """Tell what becomes of a message that leaves now, by the rule that its local part names."""
    if drop_reason is not None:
        return [journal.tell("dropped", message, at, reason=drop_reason)]
    match = _RULE.match(message.address.lower())
    rule, number = (match[1], int(match[2] or 1)) if match else ("", 0)
    if rule == "drop":
        return [journal.tell("dropped", message, at, reason="Invalid")]
    if rule == "bounce":
        facts = {"reason": "550 5.1.1 unknown", "status": "5.1.1", "type": "bounce"}
        return [journal.tell("bounce", message, at, bounce_classification="Invalid Address", **facts)]
    if rule == "block":
        facts = {"reason": "421 busy", "status": "4.2.1", "type": "blocked"}
        return [journal.tell("bounce", message, at, bounce_classification="Technical", **facts)]
    deferrals = number if rule == "defer" else 0
    story = [
        journal.tell("deferred", message, at + n, response="450 later", attempt=str(n + 1))
        for n in range(deferrals)
    ]
    end = at + deferrals + 1
    story.append(journal.tell("delivered", message, end, response="250 OK", tls=1))
    if rule == "spam":
        story.append(journal.tell("spamreport", message, end + 1))
    if rule == "unsubscribe":
        story.append(journal.tell("unsubscribe", message, end + 1))
    if rule == "async":
        story.append(journal.add(_late_bounce(journal, message, end + 60)))
    return story


def _late_bounce(journal: Journal, message: Message, at: float) -> Event:
    """A bounce that came back as mail: without our arguments and without a message id."""
    return {
        "email": message.address,
        "timestamp": int(at),
        "event": "bounce",
        "type": "bounce",
        "reason": "550 5.1.1 unknown",
        "status": "5.1.1",
        "sg_event_id": base64.urlsafe_b64encode(journal.rng.randbytes(16)).decode().rstrip("="),
    }
