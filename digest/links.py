"""Signed links, opaque delivery ids and keyed fingerprints of addresses.

Enters: keys (from settings), ids, addresses, days. Leaves: URL-safe text that proves itself, and its content.
Must never: read a clock or a setting, or let a key into a message.

A token holds all that is needed to honour it: 36 characters of base64url (key id, purpose, day of issue,
subject id, 112 bits of a keyed BLAKE2b) and a last character that names the version. Purposes share one
keyed hash by fours, each with 112 bits of its own: two links to each of a million readers are one million
hashes, and one link says nothing about another. So it needs no look-up, ends
in a letter or digit (mail programs cut trailing dashes off links), and has no ``=``, ``/`` or ``.``.
The format of version 1 never changes: unsubscribe links in old letters must work for ever.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

import idna

from digest.errors import LinkError, SettingsError, SubscriberError

VERSION = "1"
SHORTEST_KEY = 32
"""Characters a secret key must have at least (256 bits, when written as 64 hex digits by `digest init`)."""

_MAC_BYTES = 14  # 112 bits: NIST SP 800-107 takes 64 as enough for a MAC checked online
_HEAD_BYTES = 13  # key id 1, purpose 1, day 3, subject 8
_SHARING = 64 // _MAC_BYTES  # purposes whose codes fit into one BLAKE2b of 64 bytes
_TEXT = (_HEAD_BYTES + _MAC_BYTES) * 4 // 3
_TOKEN = re.compile(r"[A-Za-z0-9_-]{36}[0-9A-Za-z]")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_URL_UNSAFE = bytes.maketrans(b"-_", b"+/")


class Purpose(Enum):
    """What a link is for: its number in tokens (never reused), its word, and how many days it is good."""

    CONFIRM = (1, "confirm", 7)
    PREFERENCES = (2, "preferences", 180)
    UNSUBSCRIBE = (3, "unsubscribe", None)  # bulk-mail rules ask for years; leaving never expires
    VIEW = (4, "view", None)
    CALENDAR = (5, "calendar", None)  # calendar programs fetch it for years
    ADDRESS = (6, "address", 7)  # of this and of MOVE the subject is the change of address asked for
    MOVE = (7, "move", 7)
    EXPORT = (8, "export", 2)
    ERASE = (9, "erase", 7)

    def __init__(self, number: int, word: str, good_for_days: int | None) -> None:
        self.number = number
        self.word = word
        self.good_for = None if good_for_days is None else timedelta(days=good_for_days)


@dataclass(frozen=True, slots=True)
class SignedLink:
    """What a genuine token says. ``subject_id``: the subscriber (for ``view`` the page's or edition's id,
    for ``move`` and ``address`` the id of the change that was asked for)."""

    purpose: Purpose
    subject_id: int
    issued_on: date


class Signer:
    """Makes tokens with the current key and reads those of the current and the old keys.

    Safe to share between threads. Raises: SettingsError when a key is too short.
    """

    def __init__(self, current_key: str, old_keys: Sequence[str] = ()) -> None:
        self._keys = [_Key(key) for key in (current_key, *old_keys)]

    def __repr__(self) -> str:
        return f"Signer({len(self._keys)} keys)"

    def token(self, purpose: Purpose, subject_id: int, *, on: date) -> str:
        """The token of one subject, issued on that day."""
        return self.tokens(purpose, (subject_id,), on=on)[0]

    def tokens(self, purpose: Purpose, subject_ids: Iterable[int], *, on: date) -> list[str]:
        """The tokens of many subjects, in their order."""
        return self.links({purpose: ""}, subject_ids, on=on)[0]

    def links(
        self, before: Mapping[Purpose, str], subject_ids: Iterable[int], *, on: date
    ) -> list[list[str]]:
        """The links of many subjects, a list for each purpose: what stands ``before`` it and the token.

        Two purposes of a million in a second.
        """
        key, day = self._keys[0], on.toordinal().to_bytes(3, "big")
        subjects = [subject_id.to_bytes(8, "big") for subject_id in subject_ids]
        codes = {group: key.codes(group, day, subjects) for group in {p.number // _SHARING for p in before}}
        return [
            _written(key, purpose, day, subjects, codes[purpose.number // _SHARING], before=text)
            for purpose, text in before.items()
        ]

    def read(self, token: str, purpose: Purpose, *, today: date) -> SignedLink:
        """What a token for that purpose says.

        Raises: LinkError of kind ``malformed`` (damaged on the way), ``forged`` (not ours, or made for
        another purpose) or ``old``.
        """
        head, mac = _parts_of(token)
        if not any(key.number == head[0] and key.has_signed(head, mac) for key in self._keys):
            raise LinkError("this link was not made by this service", kind="forged")
        if head[1] != purpose.number:
            raise LinkError(f"this link is not for {purpose.word}", kind="forged")
        issued_on = date.fromordinal(int.from_bytes(head[2:5], "big"))
        if purpose.good_for is not None and today - issued_on > purpose.good_for:
            raise LinkError(
                f"this link is older than {purpose.good_for.days} days: ask for a new one", kind="old"
            )
        return SignedLink(purpose, int.from_bytes(head[5:], "big"), issued_on)


class _Key:
    """One key, derived once; ``number`` tells keys apart in tokens (equal numbers are both tried)."""

    __slots__ = ("number", "state")

    def __init__(self, key: str) -> None:
        if len(key) < SHORTEST_KEY:
            raise SettingsError(
                f"secret_key and old_secret_keys need at least {SHORTEST_KEY} characters each: "
                "`digest init` makes a good one"
            )
        derived = hashlib.blake2b(key.encode(), person=b"digest link key", digest_size=64).digest()
        self.number = derived[63]
        self.state = hashlib.blake2b(key=derived[:32], person=b"digest link v1", digest_size=64)

    def codes(self, group: int, day: bytes, subjects: Iterable[bytes]) -> list[bytes]:
        """For each subject the authentication codes of a group of purposes, one behind the other."""
        begun = self.state.copy()
        begun.update(bytes((self.number, group)) + day)
        found, fresh = [], begun.copy
        for subject in subjects:
            code = fresh()
            code.update(subject)
            found.append(code.digest())
        return found

    def has_signed(self, head: bytes, mac: bytes) -> bool:
        (code,) = self.codes(head[1] // _SHARING, head[2:5], (head[5:],))
        at = _place_of(head[1])
        return hmac.compare_digest(code[at : at + _MAC_BYTES], mac)


def _place_of(purpose: int) -> int:
    """Where a purpose's code begins in its group's."""
    return purpose % _SHARING * _MAC_BYTES


def _written(
    key: _Key, purpose: Purpose, day: bytes, subjects: Sequence[bytes], codes: Sequence[bytes], *, before: str
) -> list[str]:
    if not subjects:
        return []
    start = bytes((key.number, purpose.number)) + day
    at = _place_of(purpose.number)
    upto = at + _MAC_BYTES
    rest = [subject + code[at:upto] for subject, code in zip(subjects, codes, strict=True)]
    # 27 bytes are exactly 36 characters, so all can be encoded in one go.
    text = b2a_base64(start + start.join(rest), newline=False).translate(_URL_SAFE).decode("ascii")
    return [f"{before}{text[n : n + _TEXT]}{VERSION}" for n in range(0, len(text), _TEXT)]


def _parts_of(token: str) -> tuple[bytes, bytes]:
    if not _TOKEN.fullmatch(token) or token[-1] != VERSION:
        raise LinkError("this link is damaged: open it again from the letter", kind="malformed")
    raw = a2b_base64(token[:-1].encode("ascii").translate(_URL_UNSAFE))
    return raw[:_HEAD_BYTES], raw[_HEAD_BYTES:]


# --- delivery ids ---------------------------------------------------------------------------------------

# An odd factor and its inverse make a bijection of 120 bits: ids do not count upwards to the eye. That hides
# nothing from someone who reads this file and need not: a delivery id opens nothing. Only 88 of the 120 bits
# are used, so of the texts that are no id (one was damaged on its way) all but one in 2^32 are told.
_USED_BITS = 88
_MASK = (1 << 120) - 1
_FACTOR = 0x9E3779B97F4A7C15F39CC0605CEDC9
_INVERSE = pow(_FACTOR, -1, 1 << 120)
_DELIVERY = re.compile(r"[0-9a-f]{30}")


def delivery_id(run_id: int, subscriber_id: int) -> str:
    """The opaque id of one delivery: 30 hex digits, so safe in URLs, headers and any file system.

    Reversible by `read_delivery_id`. Holds run ids to 2^40 and subscriber ids to 2^48.
    """
    return delivery_ids(run_id, (subscriber_id,))[0]


def delivery_ids(run_id: int, subscriber_ids: Iterable[int]) -> list[str]:
    """The opaque ids of many deliveries of one run, in order."""
    ids = list(subscriber_ids)
    high = _fits(run_id, 40) << 48
    if ids:
        _fits(min(ids), 48)
        _fits(max(ids), 48)
    return [((high | id_) * _FACTOR & _MASK).to_bytes(15, "big").hex() for id_ in ids]


def read_delivery_id(text: str) -> tuple[int, int]:
    """(run id, subscriber id) of a delivery id.

    Raises: LinkError when the text is no delivery id, or was damaged.
    """
    plain = int(text, 16) * _INVERSE & _MASK if _DELIVERY.fullmatch(text) else _MASK
    if plain >> _USED_BITS:
        raise LinkError("this is no delivery id", kind="malformed")
    return plain >> 48, plain & ((1 << 48) - 1)


def _fits(number: int, bits: int) -> int:
    if not 0 <= number < 1 << bits:
        raise ValueError(f"{number} is no id of up to {bits} bits")
    return number


# --- addresses --------------------------------------------------------------------------------------------

# What would break a header, an envelope or a provider's JSON; stricter checks stand where addresses come in.
BARE_ADDRESS = re.compile(r"[^\s<>()\[\],;:\\\"@\x00-\x20\x7f]+@[^\s<>()\[\],;:\\\"@\x00-\x20\x7f]+")

_ANY_ADDRESS = re.compile(r"[^\s\[<\"'(]+@[^\s\]>\"')]+")


def address_key(address: str) -> str:
    """The form under which spellings of one mailbox meet: case and the domain's Unicode or IDNA spelling.

    Plus-addresses stay apart. The key is for comparing, not for mailing.

    Raises: SubscriberError when the address has no local part, or no domain that can exist (RFC 5891).
    """
    local, at, domain = address.strip().rpartition("@")
    # PostgreSQL keeps no NUL in a text, and no mailbox has one.
    if not (local and at and domain) or "\0" in address:
        raise SubscriberError(f'"{address}" is no e-mail address: it needs a name, an @ and a domain')
    if address.isascii():
        return f"{local}@{domain.rstrip('.')}".lower()
    try:
        ascii_domain = idna.encode(domain.rstrip("."), uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise SubscriberError(f'"{address}": {domain} is no domain that can exist ({error})') from error
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).casefold())
    return f"{folded}@{ascii_domain.lower()}"


def without_addresses(text: str) -> str:
    """Words of others as logs and the audit may hold them: "[address]" for whatever looks like one."""
    return _ANY_ADDRESS.sub("[address]", text)


def address_fingerprint(address: str, key: str) -> str:
    """Keyed fingerprint of a mailbox (HMAC-SHA256, hex): tells whether it is suppressed, not who it is.

    ``key`` is the ``suppression_key``, which is never rotated. Raises: SubscriberError as `address_key`.
    """
    return hmac.digest(key.encode(), address_key(address).encode(), "sha256").hex()
