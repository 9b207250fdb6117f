"""The fake's Email Logs and suppression lists, as far as callers of this product use them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from digest.deliver.fake_sendgrid.account import LISTS, Account
from digest.deliver.fake_sendgrid.checks import BAD_REQUEST, RefusedError, problem
from digest.deliver.fake_sendgrid.mail import Message

_STATUS = {"dropped": "dropped", "deferred": "deferred", "delivered": "delivered", "processed": "processed"}
_CONDITION = re.compile(
    r"""(?P<field>\w+)\s*(?P<op>=|IN|>=|<=|>|<)\s*(?P<value>TIMESTAMP\s+["'][^"']*["']|\([^)]*\)|"[^"]*"|'[^']*')"""
)
_ONE_ADDRESS = re.compile(r"""\bto_email\s*=\s*["']([^"']*)["']""")
_WORDS = re.compile(r"""["']([^"']*)["']""")
_OPERATORS = {
    "sg_message_id": "=",
    "to_email": "=",
    "subject": "=",
    "reason": "=",
    "status": "IN",
    "categories": "IN",
}


def search_logs(account: Account, request: object) -> dict[str, Any]:
    """Answer of POST /v3/logs. Raises: RefusedError for a query that is not of the documented form."""
    if not isinstance(request, dict):
        raise RefusedError(400, BAD_REQUEST)
    limit = request.get("limit", 10)
    if not isinstance(limit, int) or not 1 <= limit <= 1000:
        raise RefusedError(400, problem("limit must be between 1 and 1000", "limit"))
    query = request.get("query", "")
    tests = _tests_of(query, account)
    found = [m for m in _indexed(account, _ONE_ADDRESS.search(query)) if all(test(m) for test in tests)]
    return {"messages": [_summary(account, m) for m in reversed(found)][:limit]}


def one_log(account: Account, sg_message_id: str) -> dict[str, Any]:
    """Answer of GET /v3/logs/{id}. Raises: RefusedError 404 for what is unknown or not yet indexed."""
    message = account.of_id.get(sg_message_id)
    if message is not None and message.accepted_at <= _newest(account):
        events = [dict(event) for event in account.journal.of(sg_message_id)]
        if message.state == "cancelled":
            events.append({"event": "cancel_drop", "timestamp": int(message.send_at)})
        own = set(message.custom_args)
        return _summary(account, message) | {
            "custom_args": dict(message.custom_args),
            "category": list(message.categories),
            "api_key_id": "fake",
            "client_ip": "127.0.0.1",
            "events": [{k: v for k, v in e.items() if k not in own} for e in events][-100:],
        }
    raise RefusedError(404, problem("message not found"))


def suppression_page(account: Account, name: str, query: dict[str, str]) -> list[dict[str, Any]]:
    """Answer of GET /v3/suppression/{name}: by creation, inclusive times. Raises: RefusedError."""
    if name not in LISTS:
        raise RefusedError(404, problem("not found"))
    limit, offset = int(query.get("limit", 500)), int(query.get("offset", 0))
    if limit > 500:
        raise RefusedError(400, problem("limit must be at most 500", "limit"))
    start, end = int(query.get("start_time", 0)), int(query.get("end_time", 2**40))
    account.settle()
    with account.lock:
        entries = [e for e in account.suppressions[name].values() if start <= e["created"] <= end]
    return sorted(entries, key=lambda e: (e["created"], e["email"]))[offset : offset + limit]


def remove_suppressions(account: Account, name: str, request: object) -> None:
    """DELETE of addresses or of all."""
    if not isinstance(request, dict) or name not in LISTS:
        raise RefusedError(400, BAD_REQUEST)
    with account.lock:
        if request.get("delete_all"):
            account.suppressions[name].clear()
        for address in request.get("emails", []):
            account.suppressions[name].pop(str(address).lower(), None)


def add_global(account: Account, addresses: list[str]) -> None:
    """Put addresses on the global unsubscribe list."""
    with account.lock:
        for address in addresses:
            entry = {"created": int(account.now()), "email": address}
            account.suppressions["unsubscribes"][address.lower()] = entry


def _newest(account: Account) -> float:
    """What was accepted later is not indexed yet."""
    with account.lock:
        account.settle()
        return account.now() - account.options.log_lag_s


def _indexed(account: Account, address: re.Match[str] | None) -> list[Message]:
    newest = _newest(account)
    with account.lock:
        some = account.messages if address is None else account.of_address.get(address[1].lower(), [])
        return [m for m in some if m.accepted_at <= newest]


def _tests_of(query: str, account: Account) -> list[Callable[[Message], bool]]:
    tests = []
    for part in re.split(r"\s+AND\s+", query.strip()) if query.strip() else []:
        match = _CONDITION.fullmatch(part.strip())
        if match is None:
            raise RefusedError(400, problem(f"cannot read {part}", "query"))
        tests.append(_test_of(match["field"], match["op"], _WORDS.findall(match["value"]), account))
    return tests


def _test_of(name: str, operator: str, words: list[str], account: Account) -> Callable[[Message], bool]:
    if name == "sg_message_id_created_at" and operator in (">", "<", ">=", "<="):
        at = datetime.fromisoformat(words[0].replace("Z", "+00:00")).timestamp()
        compare: dict[str, Callable[[float], bool]] = {
            ">": lambda x: x > at,
            "<": lambda x: x < at,
            ">=": lambda x: x >= at,
            "<=": lambda x: x <= at,
        }
        return lambda m: compare[operator](m.accepted_at)
    if _OPERATORS.get(name) != operator:
        raise RefusedError(400, problem(f"{name} {operator} is not allowed", "query"))
    if name == "categories":
        return lambda m: bool(set(m.categories) & set(words))
    if name == "to_email":
        # The harder of two readings of the documents, which do not say whether case matters.
        return lambda m: m.address.lower() == words[0]
    return lambda m: _summary(account, m).get(name) in words


def _summary(account: Account, message: Message) -> dict[str, Any]:
    return {
        "from_email": message.mail["from"]["email"],
        "sg_message_id": message.sg_message_id,
        "subject": message.subject,
        "to_email": message.address.lower(),
        "status": _status_of(account, message),
        "sg_message_id_created_at": datetime.fromtimestamp(message.accepted_at, UTC).isoformat(),
    }


def _status_of(account: Account, message: Message) -> str:
    if message.state == "cancelled":
        return "dropped"
    last = account.journal.of(message.sg_message_id)[-1]
    if last["event"] == "bounce":
        return "blocked" if last.get("type") == "blocked" else "bounced"
    return _STATUS.get(last["event"], "delivered")
