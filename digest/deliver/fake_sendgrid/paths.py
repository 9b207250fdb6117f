"""The fake's paths: the provider's, and ``/__fake/`` to look and meddle."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import unquote

import orjson

from digest.deliver.fake_sendgrid import logs
from digest.deliver.fake_sendgrid.account import Account
from digest.deliver.fake_sendgrid.checks import BAD_REQUEST, RefusedError, problem
from digest.deliver.fake_sendgrid.faults import Fault
from digest.deliver.fake_sendgrid.webhook import post_events

Reply = tuple[int, object]


def reply_to(
    account: Account, method: str, path: str, *, query: dict[str, str], body: bytes, authorization: str | None
) -> Reply:
    """Status and JSON (or bytes, or None) for one request to any path but mail/send.

    Raises: RefusedError.
    """
    for its_method, pattern, handle in _ROUTES:
        if its_method == method and (match := re.fullmatch(pattern, path)):
            if not path.startswith("/__fake/"):
                account.authorise(authorization, to_read=path != "/v3/scopes")
            return handle(account, [unquote(group) for group in match.groups()], query, _json(body))
    return 404, {"errors": [problem("not found")]}


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        raise RefusedError(400, BAD_REQUEST) from None


def _status_of(request: Any) -> str:
    status = request.get("status") if isinstance(request, dict) else None
    if status not in ("pause", "cancel"):
        raise RefusedError(400, problem("status must be pause or cancel", "status"))
    return str(status)


def _batch_known(account: Account, groups: list[str], *_: Any) -> Reply:
    if groups[0] not in account.batches:
        raise RefusedError(400, problem("invalid batch id"))
    return 200, {"batch_id": groups[0]}


def _stop(account: Account, _: list[str], __: dict[str, str], request: Any) -> Reply:
    account.stop(str(request.get("batch_id")), _status_of(request))
    return 201, {"batch_id": request["batch_id"], "status": request["status"]}


def _change(account: Account, groups: list[str], _: dict[str, str], request: Any) -> Reply:
    account.stop(groups[0], _status_of(request), change=True)
    return 204, None


def _free(account: Account, groups: list[str], *_: Any) -> Reply:
    account.free(groups[0])
    return 204, None


def _stopped(account: Account, groups: list[str], *_: Any) -> Reply:
    found = account.stopped()
    return 200, [{"batch_id": k, "status": b.status} for k, b in found if not groups or k == groups[0]]


def _remove(account: Account, groups: list[str], _: dict[str, str], request: Any) -> Reply:
    logs.remove_suppressions(account, groups[0], request)
    return 204, None


def _add_global(account: Account, _: list[str], __: dict[str, str], request: Any) -> Reply:
    logs.add_global(account, request.get("recipient_emails", []))
    return 201, {"recipient_emails": request.get("recipient_emails", [])}


def _one_global(account: Account, groups: list[str], *_: Any) -> Reply:
    found = account.suppressions["unsubscribes"].get(groups[0].lower())
    return 200, {"recipient_email": found["email"]} if found else {}


def _not_global(account: Account, groups: list[str], *_: Any) -> Reply:
    account.suppressions["unsubscribes"].pop(groups[0].lower(), None)
    return 204, None


def _clock(account: Account, _: list[str], __: dict[str, str], request: Any) -> Reply:
    if "advance" in request:
        account.advance(float(request["advance"]))
    elif "now" in request:
        account.set_now(float(request["now"]))
    return 200, {"now": account.now()}


def _set_faults(account: Account, _: list[str], __: dict[str, str], request: Any) -> Reply:
    try:
        account.faults.queue += [Fault(**fault) if fault else None for fault in request.get("queue", [])]
    except TypeError as error:
        raise RefusedError(400, problem(str(error))) from None
    account.faults.probability = float(request.get("probability", account.faults.probability))
    return 200, {"queue": len(account.faults.queue), "probability": account.faults.probability}


def _outbox(account: Account, *_: Any) -> Reply:
    account.settle()
    keys = ("request_id", "sg_message_id", "address", "custom_args", "state", "subject")
    return 200, [{key: getattr(m, key) for key in keys} for m in account.messages]


def _letter(account: Account, groups: list[str], *_: Any) -> Reply:
    if int(groups[0]) >= len(account.messages):
        raise RefusedError(404, problem("no such message"))
    return 200, account.messages[int(groups[0])].mime().as_bytes()


def _posts(account: Account, *_: Any) -> Reply:
    """The waiting posts, to be delivered by whoever asks: body as text, and its headers."""
    return 200, [{"body": post.body.decode(), "headers": post.headers} for post in account.posts()]


def _lists(account: Account, *_: Any) -> Reply:
    account.settle()
    return 200, {name: list(entries.values()) for name, entries in account.suppressions.items()}


def _post_to(account: Account, _: list[str], __: dict[str, str], request: Any) -> Reply:
    return 200, {"statuses": post_events(account, str(request.get("url")))}


def _state(account: Account, *_: Any) -> Reply:
    with account.lock:
        return 200, {
            "now": account.now(),
            "requests": account.requests,
            "messages": len(account.messages),
            "sent": sum(m.state == "sent" for m in account.messages),
            "faults": [asdict(fault) for fault in account.faults.happened],
        }


_SUPPRESSION = r"/v3/suppression/(\w+)"
_SCHEDULED = "/v3/user/scheduled_sends"
_SCOPES = ("mail.send", "mail.batch.create", "mail.batch.read", "suppression.read", "suppression.delete")
_ROUTES: list[tuple[str, str, Callable[[Account, list[str], dict[str, str], Any], Reply]]] = [
    ("GET", "/v3/scopes", lambda *_: (200, {"scopes": list(_SCOPES)})),
    ("POST", "/v3/mail/batch", lambda a, *_: (201, {"batch_id": a.new_batch()})),
    ("GET", "/v3/mail/batch/([^/]+)", _batch_known),
    ("POST", _SCHEDULED, _stop),
    ("GET", _SCHEDULED, _stopped),
    ("GET", f"{_SCHEDULED}/([^/]+)", _stopped),
    ("PATCH", f"{_SCHEDULED}/([^/]+)", _change),
    ("DELETE", f"{_SCHEDULED}/([^/]+)", _free),
    ("POST", "/v3/logs", lambda a, _, __, request: (200, logs.search_logs(a, request))),
    ("GET", "/v3/logs/([^/]+)", lambda a, g, *_: (200, logs.one_log(a, g[0]))),
    ("GET", _SUPPRESSION, lambda a, g, query, _: (200, logs.suppression_page(a, g[0], query))),
    ("DELETE", _SUPPRESSION, _remove),
    ("POST", "/v3/asm/suppressions/global", _add_global),
    ("GET", "/v3/asm/suppressions/global/([^/]+)", _one_global),
    ("DELETE", "/v3/asm/suppressions/global/([^/]+)", _not_global),
    (
        "GET",
        "/v3/user/webhooks/event/settings/signed",
        lambda a, *_: (200, {"id": "fake", "public_key": a.key.public}),
    ),
    ("POST", "/__fake/clock", _clock),
    ("POST", "/__fake/faults", _set_faults),
    ("GET", "/__fake/outbox", _outbox),
    ("GET", r"/__fake/outbox/(\d+)\.eml", _letter),
    ("POST", "/__fake/events", _posts),
    ("POST", "/__fake/post-events", _post_to),
    (
        "GET",
        "/__fake/suppressions",
        lambda a, *_: (200, {k: list(v.values()) for k, v in a.suppressions.items()}),
    ),
    ("GET", "/__fake/state", _state),
]
