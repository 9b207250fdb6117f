"""The Event Webhook: a raw body, believed only when its signature is right, becomes frozen events.

Enters: the body exactly as received (its last CR LF counts), two headers, the public key, the time. Leaves:
`Event` values. Pure. Applying them once, whatever their order, is the corridor's work; ``id`` and ``same_as``
are what it needs for that. Source: the provider's Event Webhook reference (contracts: sendgrid, 4).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from digest.errors import LinkError, SettingsError, WebhookError
from digest.links import read_delivery_id
from digest.model import fingerprint_of

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"
OLDEST = timedelta(hours=26)
"""Posts are repeated for 24 h, and whether a repeated one is signed anew is not documented."""
_EARLIEST = timedelta(minutes=10)  # how far our clock may be behind the provider's


class EventKind(StrEnum):
    """What an event says of a letter, in the words of this product."""

    PROCESSED = "processed"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    BLOCKED = "blocked"
    DROPPED = "dropped"
    SPAM = "spam"
    UNSUBSCRIBED = "unsubscribed"
    ACCOUNT = "account"
    OTHER = "other"


class Event(
    NamedTuple
):  # a tuple, since a post carries thousands and frozen dataclasses cost four times that
    """One event. ``delivery`` is None where the provider lost our id (late bounces): find it by ``address``.

    ``provider_id`` is the request's X-Message-Id; ``suppression`` why the address must not be mailed again
    ("bounce", "spam", "unsubscribed", "invalid"), or None; ``word`` and ``reason`` are the provider's own.
    """

    id: str
    kind: EventKind
    at: datetime
    address: str
    word: str
    delivery: str | None = None
    provider_id: str | None = None
    reason: str = ""
    suppression: str | None = None

    @property
    def same_as(self) -> str:
        """Equal for repeats of one happening, even when the provider gave the repeat a new id."""
        return f"{self.delivery or self.address.lower()}|{self.word}|{int(self.at.timestamp())}"

    @property
    def is_proof(self) -> bool:
        """True when it proves that the provider accepted the letter, whatever became of it."""
        return self.delivery is not None and self.kind not in (EventKind.ACCOUNT, EventKind.OTHER)

    @property
    def is_soft_failure(self) -> bool:
        """True for what may pass: the reader stays, the provider goes on trying or forgets it."""
        return self.kind in (EventKind.BLOCKED, EventKind.DEFERRED)

    @property
    def stops_sending(self) -> bool:
        """True when the provider has closed the account: an alarm, and no more letters."""
        return self.kind is EventKind.ACCOUNT and self.reason != "reactivate"


class Verifier:
    """Believes only posts signed with the account's key (ECDSA P-256, SHA-256, over timestamp and raw body).

    Raises: SettingsError when the key is not base64 of a DER public key, as the provider shows it.
    """

    def __init__(self, public_key: str) -> None:
        try:
            key = load_der_public_key(base64.b64decode("".join(public_key.split()), validate=True))
        except (ValueError, UnsupportedAlgorithm, binascii.Error) as error:
            raise SettingsError(
                "sendgrid.webhook_public_key is no public key: copy the verification key of the Event Webhook"
            ) from error
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise SettingsError(
                "sendgrid.webhook_public_key is no elliptic-curve key: copy it from SendGrid again"
            )
        self._key = key

    def check(self, body: bytes, *, signature: str | None, timestamp: str | None, now: datetime) -> None:
        """Returns when the post is genuine and not too old.

        Raises: WebhookError of kind ``unsigned``, ``forged`` or ``old``.
        """
        if not signature or not timestamp:
            raise WebhookError(
                "unsigned", "the post carries no signature: switch on the signed Event Webhook"
            )
        try:
            signed = timestamp.encode("ascii") + body
            self._key.verify(base64.b64decode(signature, validate=True), signed, ec.ECDSA(SHA256()))
            age = now - datetime.fromtimestamp(int(timestamp), UTC)
        except (InvalidSignature, ValueError, OverflowError, OSError) as error:
            raise WebhookError("forged", "the signature of the post is wrong") from error
        if not -_EARLIEST <= age <= OLDEST:
            raise WebhookError("old", f"the post was signed {age} ago")


def events_of(body: bytes) -> tuple[Event, ...]:
    """The events of a body in its order; what is of an unknown type, or no event at all, becomes ``other``.

    Raises: WebhookError ``malformed`` when the body is no JSON array.
    """
    try:
        entries = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise WebhookError("malformed", f"the post is no JSON: {error}") from error
    if not isinstance(entries, list):
        raise WebhookError("malformed", "the post is no JSON array of events")
    return tuple(_event_of(entry if isinstance(entry, dict) else {}) for entry in entries)


_KINDS = {
    "processed": EventKind.PROCESSED,
    "deferred": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "dropped": EventKind.DROPPED,
    "spamreport": EventKind.SPAM,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "group_unsubscribe": EventKind.UNSUBSCRIBED,
    "account_status_change": EventKind.ACCOUNT,
}
_SUPPRESSED_BY_KIND = {
    EventKind.BOUNCED: "bounce",
    EventKind.SPAM: "spam",
    EventKind.UNSUBSCRIBED: "unsubscribed",
}
# Reasons for which the provider itself will never mail the address again.
_SUPPRESSED_BY_DROP = {
    "bounced address": "bounce",
    "spam reporting address": "spam",
    "unsubscribed address": "unsubscribed",
    "invalid": "invalid",
}
_EPOCH = datetime.fromtimestamp(0, UTC)


def _event_of(entry: Mapping[str, Any]) -> Event:
    word = _text(entry, "event")
    kind = _kind_of(word, entry)
    reason = _text(entry, "type") if kind is EventKind.ACCOUNT else _reason_of(entry)
    return Event(
        id=_text(entry, "sg_event_id") or fingerprint_of(orjson.dumps(entry).decode()),
        kind=kind,
        at=_at(entry.get("timestamp")),
        address=_text(entry, "email"),
        word=word,
        delivery=_delivery_of(entry),
        provider_id=_text(entry, "sg_message_id").partition(".")[0] or None,
        reason=reason,
        suppression=_suppression_of(kind, reason),
    )


def _kind_of(word: str, entry: Mapping[str, Any]) -> EventKind:
    if word == "bounce":
        return EventKind.BLOCKED if entry.get("type") == "blocked" else EventKind.BOUNCED
    return _KINDS.get(word, EventKind.OTHER)


def _suppression_of(kind: EventKind, reason: str) -> str | None:
    if kind is EventKind.DROPPED:
        return _SUPPRESSED_BY_DROP.get(reason.lower())
    return _SUPPRESSED_BY_KIND.get(kind)


def _delivery_of(entry: Mapping[str, Any]) -> str | None:
    """Our id where it came back whole: anything else in its place is somebody else's."""
    text = entry.get("dg_delivery_id")
    if not isinstance(text, str):
        return None
    try:
        read_delivery_id(text)
    except LinkError:
        return None
    return text


def _reason_of(entry: Mapping[str, Any]) -> str:
    return (_text(entry, "reason") or _text(entry, "response"))[:500]


def _at(value: object) -> datetime:
    """The instant of a unix timestamp; what is none becomes 1970, never an error that loses the event."""
    try:
        return datetime.fromtimestamp(value if isinstance(value, int) else int(str(value)), UTC)
    except (ValueError, OverflowError, OSError):
        return _EPOCH


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""
