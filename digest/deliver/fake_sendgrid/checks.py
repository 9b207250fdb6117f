"""What the fake refuses: the provider's checks of one mail/send body, all complaints at once.

Texts follow the provider's where known; callers must lean on status and field alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

MAX_BODY_BYTES = 30_000_000
MAX_AHEAD_S = 72 * 3600
RESERVED = frozenset(
    {"x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding"}
    | {"to", "from", "subject", "reply-to", "cc", "bcc"}
)
_HELP = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html#"
_ADDRESS = re.compile(r"[!-?A-~]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_HEADER_NAME = re.compile(r"[!-9;-~]+")
_MAX_PEOPLE = 1000
_MAX_TAGS = 100
_MAX_TAG_BYTES = 10_000

Problem = dict[str, str | None]


class RefusedError(Exception):
    """The body is not accepted: a status and the problems to answer with."""

    def __init__(self, status: int, *problems: Problem) -> None:
        super().__init__(status)
        self.status = status
        self.problems = problems


def problem(message: str, field: str | None = None, help_at: str | None = None) -> Problem:
    """One entry of the ``errors`` of an answer."""
    return {"message": message, "field": field, "help": _HELP + help_at if help_at else None}


BAD_REQUEST = problem("Bad Request")


def checked(body: bytes, *, now: float, known_batches: Mapping[str, float]) -> dict[str, Any]:
    """The body as JSON. Raises: RefusedError with every complaint, as the provider answers."""
    if len(body) > MAX_BODY_BYTES:
        raise RefusedError(413, problem("content too large"))
    mail = _parsed(body)
    if problems := list(_problems(mail, now=now, known_batches=known_batches)):
        raise RefusedError(400, *problems)
    return mail


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise RefusedError(400, problem("Invalid UTF8 in request.")) from None
    try:
        mail = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RefusedError(400, BAD_REQUEST) from None
    if not isinstance(mail, dict) or not _has_right_types(mail):
        raise RefusedError(400, BAD_REQUEST)
    return mail


def _has_right_types(mail: dict[str, Any]) -> bool:
    people = mail.get("personalizations", [])
    if not isinstance(people, list) or not all(isinstance(p, dict) for p in people):
        return False
    wanted: list[tuple[object, type]] = [(mail.get("content", []), list), (mail.get("categories", []), list)]
    for part in (mail, *people):
        wanted += [(part.get(key, []), list) for key in ("to", "cc", "bcc")]
        wanted += [(part.get(key, {}), dict) for key in ("headers", "substitutions", "custom_args", "from")]
        wanted += [(part.get("subject", ""), str)]
        for key in ("substitutions", "custom_args"):
            wanted += [(value, str) for value in _mapping(part.get(key)).values()]
    wanted += [(entry, dict) for p in people for key in ("to", "cc", "bcc") for entry in _list(p.get(key))]
    wanted += [(entry, dict) for entry in _list(mail.get("content"))]
    return all(isinstance(value, kind) for value, kind in wanted)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _problems(mail: dict[str, Any], *, now: float, known_batches: Mapping[str, float]) -> Iterator[Problem]:
    people = mail.get("personalizations", [])
    yield from _count_problems(people)
    for number, person in enumerate(people):
        yield from _person_problems(mail, person, f"personalizations.{number}", now)
    yield from _from_problems(mail)
    if not mail.get("subject") and not all(p.get("subject") for p in people):
        yield problem(
            "The subject is required. You can get around this requirement if you use a template with a "
            "subject defined or if every personalization has a subject defined.",
            "subject",
            "message.subject",
        )
    yield from _content_problems(mail)
    yield from _header_problems(mail.get("headers", {}), "headers")
    yield from _send_at_problems(mail, "send_at", now)
    yield from _setting_problems(mail)
    if "batch_id" in mail and mail["batch_id"] not in known_batches:
        yield problem("invalid batch id", "batch_id")


def _count_problems(people: list[dict[str, Any]]) -> Iterator[Problem]:
    if not people:
        yield problem(
            "The personalizations field is required and must have at least one personalization.",
            "personalizations",
            "-Personalizations-Errors",
        )
    if len(people) > _MAX_PEOPLE:
        yield problem(
            f"The personalization block is limited to {_MAX_PEOPLE} personalizations per API request. You "
            f"have provided [{len(people)}] personalizations. Please consider splitting this into multiple "
            "requests and resending your request.",
            "personalizations",
        )
    if sum(len(p.get(key, [])) for p in people for key in ("to", "cc", "bcc")) > _MAX_PEOPLE:
        yield problem("There is a limit of 1000 total recipients (to + cc + bcc) per request.")


def _person_problems(
    mail: dict[str, Any], person: dict[str, Any], path: str, now: float
) -> Iterator[Problem]:
    if not person.get("to"):
        yield problem(
            "The to array is required for all personalization objects, and must have at least one email "
            "object with a valid email address.",
            f"{path}.to",
            "message.personalizations.to",
        )
    seen: set[str] = set()
    for key in ("to", "cc", "bcc"):
        for number, entry in enumerate(person.get(key, [])):
            address = entry.get("email")
            if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
                yield problem(
                    "Does not contain a valid address.",
                    f"{path}.{key}.{number}.email",
                    "message.personalizations.to",
                )
            elif address.lower() in seen:
                yield problem(
                    "Each email address in the personalization block should be unique between to, cc, and "
                    f"bcc. We found the first duplicate instance of [{address}] in the {path}.{key} field.",
                    path,
                    "message.recipient-errors",
                )
            else:
                seen.add(address.lower())
    yield from _header_problems(person.get("headers", {}), f"{path}.headers")
    yield from _size_problems(mail, person, path)
    yield from _send_at_problems(person, f"{path}.send_at", now)


def _size_problems(mail: dict[str, Any], person: dict[str, Any], path: str) -> Iterator[Problem]:
    tags = person.get("substitutions", {})
    if len(tags) > _MAX_TAGS or _size(tags) > _MAX_TAG_BYTES:
        yield problem(f"Substitutions are limited to {_MAX_TAGS} and 10000 bytes.", f"{path}.substitutions")
    if _size({**mail.get("custom_args", {}), **person.get("custom_args", {})}) > _MAX_TAG_BYTES:
        yield problem("Custom args are limited to 10000 bytes.", f"{path}.custom_args")


def _size(values: Mapping[str, str]) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in values.items())


def _from_problems(mail: dict[str, Any]) -> Iterator[Problem]:
    sender = mail.get("from", {}).get("email")
    if not sender:
        yield problem(
            "The from object must be provided for every email send. It is an object that requires the email "
            'parameter, but may also contain a name parameter.  e.g. {"email" : "example@example.com"}  or '
            '{"email" : "example@example.com", "name" : "Example Recipient"}.',
            "from.email",
            "message.from",
        )
    elif not isinstance(sender, str) or not _ADDRESS.fullmatch(sender):
        yield problem("The from email does not contain a valid address.", "from.email", "message.from")


def _content_problems(mail: dict[str, Any]) -> Iterator[Problem]:
    content = mail.get("content", [])
    if not content and not mail.get("template_id"):
        yield problem(
            "Unless a valid template_id is provided, the content parameter is required. There must be at "
            "least one defined content block. We typically suggest both text/plain and text/html blocks are "
            "included, but only one block is required.",
            "content",
            "message.content",
        )
    for number, part in enumerate(content):
        if not isinstance(part.get("value"), str) or not part["value"]:
            yield problem(
                "The content value must be a string at least one character in length.",
                f"content.{number}.value",
            )
    order = {"text/plain": 0, "text/html": 1}
    ranks = [order.get(str(part.get("type")), 2) for part in content]
    if ranks != sorted(ranks):
        yield problem(
            "Following RFC 1341, section 7.2, if either text/html or text/plain are to be sent in your "
            "email: text/plain needs to be first, followed by text/html, followed by any other content.",
            "content",
        )


def _header_problems(headers: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for name, value in headers.items():
        if name.lower() in RESERVED:
            yield problem(f"The header {name} is reserved.", path)
        elif not _HEADER_NAME.fullmatch(name):
            yield problem("Header names are ASCII without spaces.", path)
        elif not isinstance(value, str):
            yield problem("Header values are strings.", path)
        elif "\r" in value or "\n" in value:
            yield problem("Header values are single lines.", path)


def _send_at_problems(part: dict[str, Any], path: str, now: float) -> Iterator[Problem]:
    if "send_at" not in part:
        return
    send_at = part["send_at"]
    if not isinstance(send_at, int) or isinstance(send_at, bool):
        yield problem("The send_at parameter is expecting a UNIX timestamp as an integer.", path)
    elif send_at > now + MAX_AHEAD_S:
        yield problem("Scheduling more than 72 hours in advance is forbidden.", path)


def _setting_problems(mail: dict[str, Any]) -> Iterator[Problem]:
    categories = mail.get("categories", [])
    if len(categories) > 10 or len(set(map(str, categories))) < len(categories):
        yield problem("Categories are limited to 10 and unique.", "categories")
    if any(not isinstance(c, str) or len(c) > 255 or not c.isascii() for c in categories):
        yield problem("A category has at most 255 ASCII characters.", "categories")
    if "reply_to" in mail and "reply_to_list" in mail:
        yield problem("The reply_to and reply_to_list parameters are mutually exclusive.", "reply_to")
    sandbox = _mapping(_mapping(mail.get("mail_settings")).get("sandbox_mode"))
    if "enable" in sandbox and not isinstance(sandbox["enable"], bool):
        yield problem(
            "The sandbox mode enable param should be a boolean value.", "mail_settings.sandbox_mode"
        )
