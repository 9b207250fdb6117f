"""The Event Webhook: a raw body, believed only when its signature is right, becomes frozen events.

Enters: the body exactly as received (its last CR LF counts), two headers, the public key, the time. Leaves:
`Event` values. Pure. Applying them once, whatever their order, is the corridor's work; ``id`` and ``same_as``
are what it needs for that. Source: the provider's Event Webhook reference (contracts: sendgrid, 4).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
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
    ("bounce", "spam", "unsubscribed", "invalid"), or None; ``word`` and ``reason`` are the provider's own;
    ``letter`` what ``delivery`` says: (run id, subscriber id).
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
    letter: tuple[int, int] | None = None

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
    entries = _loaded(body)
    if not isinstance(entries, list):
        raise WebhookError("malformed", "the post is no JSON array of events")
    return tuple(_event_of(entry if isinstance(entry, dict) else {}) for entry in entries)


def _loaded(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # What a mail server said may be no Unicode. A whole post must not be lost for that.
        try:
            found = json.loads(body.decode("utf-8", "replace"), strict=False, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            raise WebhookError("malformed", f"the post is no JSON: {error}") from error
        return orjson.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))


def events_of_line(text: bytes) -> tuple[Event, ...]:
    """The events of a line of a file: of an array in its order, or the one that stands alone.

    Stricter than `events_of`, since no signature vouches for a file: it may be the wrong one.

    Raises: WebhookError ``malformed`` when anything in it is no event; unknown types are events.
    """
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        why = f"is no JSON ({error.msg} at column {error.colno}): {_EXPECTED}"
        raise WebhookError("malformed", why) from error
    if isinstance(found, dict):
        found = [found]
    elif not isinstance(found, list):
        raise WebhookError("malformed", f"is no event: {_EXPECTED}")
    for number, entry in enumerate(found, start=1):
        if not (isinstance(entry, dict) and _if_text(entry.get("event"))):
            raise WebhookError("malformed", f"entry {number} is no event: {_EXPECTED}")
        if "timestamp" in entry and not isinstance(entry["timestamp"], int):
            why = f"entry {number} has a timestamp of {entry['timestamp']!r}: write seconds since 1970"
            raise WebhookError("malformed", why)
    return tuple(_event_of(entry) for entry in found)


_EXPECTED = 'expected are objects with a text in "event", as {"event": "bounce", …}'


_KINDS = {
    "bounce": EventKind.BOUNCED,
    "processed": EventKind.PROCESSED,
    "deferred": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "dropped": EventKind.DROPPED,
    "spamreport": EventKind.SPAM,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "group_unsubscribe": EventKind.UNSUBSCRIBED,
    "account_status_change": EventKind.ACCOUNT,
}
# Looking a member up costs as much as all else that is done with it.
_ACCOUNT, _BLOCKED, _BOUNCED, _DROPPED, _OTHER = (
    EventKind.ACCOUNT,
    EventKind.BLOCKED,
    EventKind.BOUNCED,
    EventKind.DROPPED,
    EventKind.OTHER,
)
_SUPPRESSED_BY_WORD = {
    "bounce": "bounce",
    "spamreport": "spam",
    "unsubscribe": "unsubscribed",
    "group_unsubscribe": "unsubscribed",
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
    # Written for speed: a post carries thousands, and this is most of what each costs before it is stored.
    get = entry.get
    word, address, id_ = get("event"), get("email"), get("sg_event_id")
    message_id, reason, text = get("sg_message_id"), get("reason") or get("response"), get("dg_delivery_id")
    word = word if isinstance(word, str) else ""
    reason = reason[:500] if isinstance(reason, str) else ""
    kind = _KINDS.get(word, _OTHER)
    suppression = _SUPPRESSED_BY_WORD.get(word)
    if kind is _BOUNCED and get("type") == "blocked":
        kind, suppression = _BLOCKED, None
    elif kind is _DROPPED:
        suppression = _SUPPRESSED_BY_DROP.get(reason.lower())
    elif kind is _ACCOUNT:
        reason = _if_text(get("type"))
    letter = _letter_of(text)
    return Event(
        id_ if id_ and isinstance(id_, str) else fingerprint_of(orjson.dumps(entry).decode()),
        kind,
        _at(get("timestamp")),
        address if isinstance(address, str) else "",
        word,
        None if letter is None else text,
        message_id.partition(".")[0] or None if isinstance(message_id, str) else None,
        reason,
        suppression,
        letter,
    )


def _letter_of(text: object) -> tuple[int, int] | None:
    """What our id says where it came back whole: anything else in its place is somebody else's."""
    if not isinstance(text, str):
        return None
    try:
        return read_delivery_id(text)
    except LinkError:
        return None


def _at(value: object) -> datetime:
    """The instant of a unix timestamp; what is none becomes 1970, never an error that loses the event."""
    return _instant(value if isinstance(value, int) else str(value))


@lru_cache(maxsize=4096)  # a post speaks of few seconds
def _instant(value: int | str) -> datetime:
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (ValueError, OverflowError, OSError):
        return _EPOCH


def _if_text(value: object) -> str:
    return value if isinstance(value, str) else ""
