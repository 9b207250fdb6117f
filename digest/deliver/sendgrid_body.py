"""The body of one mail/send request as bytes: what all letters share is encoded once, the readers appended.

Pure. Source: contracts on POST /v3/mail/send. Finished values stand in headers, since tags do not work there;
the opaque delivery id is the only thing about a reader that the provider keeps for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import orjson

from digest.deliver.message import ONE_CLICK, envelope_address, one_line, shared_headers, values_of
from digest.model import Outgoing, Page, Readers, Recipient
from digest.render.tags import (
    ACTION,
    MAX_VALUE_BYTES,
    NAME_HTML,
    NAME_TEXT,
    PREFERENCES,
    UNSUBSCRIBE,
    VIEW,
    fill,
    tags_in,
    values_for,
)

DELIVERY_ARG = "dg_delivery_id"
CATEGORY = "digest"  # categories are few per account and kept for long: one for all letters

# What neither JSON nor HTML reads; render.tags holds links to the same characters.
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:/._~%?=+@,;!$()*[]#-"
_NO_TRACKING = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": {"enable": False},
    "subscription_tracking": {"enable": False},
    "ganalytics": {"enable": False},
}
_PERSONAL = (UNSUBSCRIBE, PREFERENCES, ACTION, NAME_HTML, NAME_TEXT)


def request_body(outgoing: Outgoing, recipients: Sequence[Recipient], *, is_trial: bool = False) -> bytes:
    """The JSON of one request that mails each recipient alone; ``is_trial``: validated, nobody mailed.

    Addresses have passed ``message.address_fault``.

    Raises: RenderError for a link that must not stand in HTML.
    """
    page = _viewable(outgoing, recipients[0])
    shared = orjson.dumps(_shared(outgoing, page, is_trial=is_trial))
    people = ",".join(_people(outgoing, Readers.of(recipients))).encode()
    return b'%b,"personalizations":[%b]}' % (shared[:-1], people)


def _shared(outgoing: Outgoing, page: Page, *, is_trial: bool) -> dict[str, object]:
    publication = outgoing.publication
    content = [{"type": "text/plain", "value": page.text}]
    if page.html is not None:
        content.append({"type": "text/html", "value": page.html})
    shared: dict[str, object] = {
        "from": {"email": envelope_address(publication.from_address), "name": one_line(publication.name)},
        "subject": one_line(page.subject),
        "content": content,
        "headers": shared_headers(outgoing),
        "categories": [CATEGORY],
        "tracking_settings": _NO_TRACKING,
    }
    if publication.reply_to:
        shared["reply_to"] = {"email": envelope_address(publication.reply_to)}
    if is_trial:
        shared["mail_settings"] = {"sandbox_mode": {"enable": True}}
    return shared


def _viewable(outgoing: Outgoing, anyone: Recipient) -> Page:
    """The page with the one link filled that is the same for all readers."""
    keep = {tag: tag for tag in _PERSONAL}
    return fill(outgoing.page, keep | {VIEW: values_of(outgoing, anyone)[VIEW]})


def _people(outgoing: Outgoing, readers: Readers) -> list[str]:
    """One personalization a reader, as JSON text: written by hand, since this is the work of a large run.

    Every value was checked to hold no character that JSON would read, but for names, which are encoded.
    """
    tags = [tag for tag in tags_in(outgoing.page) if tag in _PERSONAL]
    columns = {UNSUBSCRIBE: _links(outgoing, readers, readers.unsubscribe_urls)}
    if PREFERENCES in tags:
        columns[PREFERENCES] = _links(outgoing, readers, readers.preferences_urls)
    if ACTION in tags:
        actions = [a or p for a, p in zip(readers.action_urls, readers.preferences_urls, strict=True)]
        columns[ACTION] = _links(outgoing, readers, actions)
    if NAME_HTML in tags or NAME_TEXT in tags:
        names = [_name(name) for name in readers.names]
        columns[NAME_HTML], columns[NAME_TEXT] = [n[0] for n in names], [n[1] for n in names]
    substitutions = ",".join(f'"{tag}":"%s"' for tag in tags)
    form = (
        '{"to":[{"email":"%s"}],"headers":{"List-Unsubscribe":"<%s>",'
        f'"List-Unsubscribe-Post":"{ONE_CLICK}"}},"substitutions":{{{substitutions}}},'
        f'"custom_args":{{"{DELIVERY_ARG}":"%s"}}}}'
    )
    addresses = readers.addresses
    if not "".join(addresses).isascii():
        addresses = [envelope_address(address) for address in addresses]
    if not "".join(readers.deliveries).isalnum():
        raise ValueError("a delivery id is letters and digits")
    own = (columns[tag] for tag in tags)
    return [form % row for row in zip(addresses, columns[UNSUBSCRIBE], *own, readers.deliveries, strict=True)]


def _links(outgoing: Outgoing, readers: Readers, urls: Sequence[str]) -> Sequence[str]:
    """The links, all checked in one go; only where something is wrong is each looked at, to name it."""
    strange = "".join(urls).encode("utf-8", "replace").translate(None, _PLAIN)
    if strange or max(map(len, urls)) > MAX_VALUE_BYTES or not all(url.startswith("http") for url in urls):
        for reader in readers:
            values_of(outgoing, reader)
        raise ValueError("a link holds characters that are not allowed in one")
    return urls


@lru_cache(maxsize=4096)
def _name(name: str) -> tuple[str, str]:
    """The name as HTML and as text would greet with it, each inside JSON quotes."""
    no_link = "https://localhost/"
    values = values_for(unsubscribe_url=no_link, preferences_url=no_link, view_url=no_link, name=name)
    return orjson.dumps(values[NAME_HTML]).decode()[1:-1], orjson.dumps(values[NAME_TEXT]).decode()[1:-1]
