"""One letter as RFC 5322 bytes, exactly as a provider would send it after substitution.

Enters: an `Outgoing` and one of its recipients. Leaves: header values and bytes. Pure: the same letter is the
same bytes, whoever makes it and how often. Sources: RFC 5322, 2369, 8058 (one-click), 2919, 3834 section 5.
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from email.header import Header
from email.utils import format_datetime, formataddr
from functools import lru_cache
from itertools import groupby

import idna

from digest.links import BARE_ADDRESS
from digest.model import Outgoing, Page, Publication, Readers, Recipient, RunKind
from digest.render.tags import ALL_TAGS, fill, values_for

ONE_CLICK = "List-Unsubscribe=One-Click"
MAX_ADDRESS_BYTES = 254  # RFC 5321 4.5.3.1.3, without the angle brackets
_MAX_LOCAL_BYTES = 64  # RFC 5321 4.5.3.1.1
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_PERSONAL = frozenset({RunKind.CONFIRM, RunKind.WELCOME, RunKind.LINK, RunKind.ADDRESS})


def values_of(outgoing: Outgoing, recipient: Recipient) -> dict[str, str]:
    """Tag -> value for one reader of this letter.

    Raises: RenderError for a link that must not stand in HTML.
    """
    return values_for(
        unsubscribe_url=recipient.unsubscribe_url,
        preferences_url=recipient.preferences_url,
        view_url=outgoing.view_url,
        name=recipient.name,
        action_url=recipient.action_url,
    )


def filled(outgoing: Outgoing, recipient: Recipient) -> Page:
    """The page as this reader gets it."""
    return fill(outgoing.page, values_of(outgoing, recipient))


def shared_headers(outgoing: Outgoing) -> dict[str, str]:
    """Headers that all letters of the batch carry, finished. Answers to one person carry no list headers."""
    headers = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "OOF, AutoReply"}
    if outgoing.page.language:
        headers["Content-Language"] = outgoing.page.language
    if outgoing.kind not in _PERSONAL:
        headers["List-Id"] = f"<digest.{_domain_of(outgoing.publication)}>"
        headers["Precedence"] = "bulk"
    return headers


def own_headers(recipient: Recipient) -> dict[str, str]:
    """Headers of one reader, finished: both one-click headers always go together (RFC 8058)."""
    return {"List-Unsubscribe": f"<{recipient.unsubscribe_url}>", "List-Unsubscribe-Post": ONE_CLICK}


def address_fault(address: str) -> str | None:
    """Why no letter can go to the address as it is written, or None."""
    if not BARE_ADDRESS.fullmatch(address):
        return "the address is not of the form name@domain"
    local, _, domain = address.rpartition("@")
    try:
        if len(address.encode()) > MAX_ADDRESS_BYTES or len(local.encode()) > _MAX_LOCAL_BYTES:
            return "the address is longer than mail allows"
        ascii_domain(domain)
    except (idna.IDNAError, UnicodeEncodeError):
        return "the address has characters that cannot stand in mail"
    return None


def unusable(recipients: Sequence[Recipient]) -> dict[int, str]:
    """Subscriber id -> why no letter can go to their address, for those who have such a one.

    Nearly all addresses are of letters, digits and a few signs: where all are, they are checked in one go.
    """
    readers = Readers.of(recipients)
    lines = "\n" + "\n".join(readers.addresses) + "\n"
    signs = lines.encode("utf-8", "replace").translate(None, _PLAIN)
    is_whole = "\n@" not in lines and "@\n" not in lines  # something stands before and after each @
    is_plain = is_whole and signs == b"\n" + b"@\n" * len(readers)
    if is_plain and max(map(len, readers.addresses), default=0) <= _MAX_LOCAL_BYTES:
        return {}
    pairs = zip(readers.ids, readers.addresses, strict=True)
    return {id_: why for id_, address in pairs if (why := address_fault(address))}


def ascii_domain(domain: str) -> str:
    """The domain as it stands in mail (IDNA). Raises: idna.IDNAError."""
    return domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")


def envelope_address(address: str) -> str:
    """The address with an ASCII domain; a local part that is not ASCII stays and needs SMTPUTF8."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{ascii_domain(domain)}"


def one_line(text: str) -> str:
    """The text without anything that could end a header."""
    return _CONTROL.sub(" ", text).strip()


def letter_bytes(outgoing: Outgoing, recipient: Recipient) -> bytes:
    """The whole letter with CR LF line ends; text before HTML, both quoted-printable UTF-8.

    An address that is not ASCII makes headers UTF-8 (RFC 6532); all others are ASCII.

    Raises: RenderError as `values_of`; idna.IDNAError for addresses that `address_fault` names.
    """
    form = _form_of(outgoing.page)
    own = fill(form.personal, values_of(outgoing, recipient))
    head = _head(outgoing, recipient, own.subject, envelope_address(recipient.address))
    text = _part("text/plain", form.text, own.text)
    if form.html is None or own.html is None:
        return head + text
    boundary = f"=_{recipient.delivery}_="
    parts = (text, _part("text/html", form.html, own.html))
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), part) for part in parts)
    kind = f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
    return head + kind.encode() + body + f"--{boundary}--\r\n".encode()


@dataclass(frozen=True, slots=True)
class _Form:
    """A page made ready for many readers: ``text`` and ``html`` are encoded lines, None where a line with
    tags belongs; those lines stand in ``personal``, one below the other."""

    personal: Page
    text: tuple[bytes | None, ...]
    html: tuple[bytes | None, ...] | None


@lru_cache(maxsize=4)
def _form_of(page: Page) -> _Form:
    """Encoding is most of the work, and nearly all lines of a page are the same for all of its readers."""
    text, own_text = _split(page.text)
    html, own_html = (None, None) if page.html is None else _split(page.html)
    return _Form(replace(page, text=own_text, html=own_html), text, html)


def _split(text: str) -> tuple[tuple[bytes | None, ...], str]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
    pieces: list[bytes | None] = []
    own: list[str] = []
    for has_tags, group in groupby(lines, key=lambda line: any(tag in line for tag in ALL_TAGS)):
        block = list(group)
        if has_tags:
            own += block
            pieces += [None] * len(block)
        else:
            pieces.append(_encoded(block))
    return tuple(pieces), "\n".join(own)


def _encoded(lines: Iterable[str]) -> bytes:
    """Quoted-printable, line by line: no line's encoding depends on another's (RFC 2045, 6.7)."""
    return b2a_qp("".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace"), istext=True)


def _head(outgoing: Outgoing, recipient: Recipient, subject: str, address: str) -> bytes:
    """All headers but the type of the content."""
    publication = outgoing.publication
    sender = envelope_address(publication.from_address)
    reply_to = envelope_address(publication.reply_to) if publication.reply_to else ""
    is_ascii = (address + sender + reply_to).isascii()
    words = _words(sender, one_line(publication.name), one_line(subject), is_ascii=is_ascii)
    finished = {
        "To": address,
        **({"Reply-To": reply_to} if reply_to else {}),
        "Date": format_datetime(outgoing.sent_at),
        "Message-ID": f"<{recipient.delivery}@{_domain_of(publication)}>",
        **own_headers(recipient),
        **shared_headers(outgoing),
        "MIME-Version": "1.0",
    }
    # Not folded: the email package would turn a long link into an encoded word, which nothing follows.
    return words + "".join(f"{name}: {one_line(value)}\r\n" for name, value in finished.items()).encode()


@lru_cache(maxsize=64)
def _words(sender: str, name: str, subject: str, *, is_ascii: bool) -> bytes:
    """The two headers that hold words, encoded (RFC 2047) unless the letter may be UTF-8 (RFC 6532).

    Not by the email package's policies: CPython 3.11 loses the space between two encoded words.
    """
    if not is_ascii:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'From: "{quoted}" <{sender}>\r\nSubject: {subject}\r\n'.encode()
    # What looks like an encoded word must be encoded itself, or mail programs would show something else.
    is_plain = subject.isascii() and "=?" not in subject
    words = subject if is_plain else _encoded_words(subject, header="Subject")
    return f"From: {_mailbox(name, sender)}\r\nSubject: {words}\r\n".encode()


def _mailbox(name: str, address: str) -> str:
    """A name and an address; a long name that is not ASCII takes several encoded words (75 each at most)."""
    if name.isascii() and "=?" not in name:
        return formataddr((name, address))
    return f"{_encoded_words(name, header='From')}\r\n <{address}>"


def _encoded_words(text: str, *, header: str) -> str:
    """Words of at most 75 characters (RFC 2047, 2); the library counts them a little too short."""
    return Header(text, "utf-8", header_name=header, maxlinelen=73).encode(linesep="\r\n")


def _part(kind: str, pieces: tuple[bytes | None, ...], own: str) -> bytes:
    headers = f'Content-Type: {kind}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    lines = iter(own.split("\n"))
    return headers.encode() + b"".join(_encoded([next(lines)]) if p is None else p for p in pieces)


def _domain_of(publication: Publication) -> str:
    return ascii_domain(publication.from_address.rpartition("@")[2].strip())
