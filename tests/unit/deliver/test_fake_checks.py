"""The fake refuses what the provider refuses: by status and field, all complaints at once."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from digest.deliver.fake_sendgrid.checks import MAX_BODY_BYTES, RefusedError, checked
from digest.deliver.sendgrid_body import request_body
from tests.unit.deliver.letters import outgoing, reader

NOW = 1_900_000_000.0
GOOD: dict[str, Any] = {
    "from": {"email": "news@example.org"},
    "subject": "s",
    "content": [{"type": "text/plain", "value": "x"}],
    "personalizations": [{"to": [{"email": "ann@example.org"}]}],
}


def check(body: bytes) -> dict[str, Any]:
    return checked(body, now=NOW, known_batches={"known": NOW})


def complaints(mail: Any) -> tuple[int, list[str | None]]:
    body = mail if isinstance(mail, bytes) else orjson.dumps(mail)
    with pytest.raises(RefusedError) as refused:
        check(body)
    return refused.value.status, [p["field"] for p in refused.value.problems]


def person(**fields: Any) -> dict[str, Any]:
    return {**GOOD, "personalizations": [{"to": [{"email": "ann@example.org"}], **fields}]}


def test_the_smallest_letter_is_accepted() -> None:
    assert check(orjson.dumps(GOOD)) == GOOD


def test_what_our_sender_writes_is_accepted() -> None:
    batch = outgoing(*(reader(n) for n in range(1000)))
    assert len(check(request_body(batch, batch.recipients))["personalizations"]) == 1000


@pytest.mark.parametrize(
    ("mail", "status", "fields"),
    [
        (b"{", 400, [None]),
        (b"[]", 400, [None]),
        (b'{"subject":"\xff"}', 400, [None]),
        (b" " * (MAX_BODY_BYTES + 1), 413, [None]),
        ({**GOOD, "personalizations": []}, 400, ["personalizations"]),
        ({**GOOD, "personalizations": {}}, 400, [None]),
        (person(to=[]), 400, ["personalizations.0.to"]),
        (person(to=[{"email": "nobody"}]), 400, ["personalizations.0.to.0.email"]),
        (person(to=[{"email": "siân@example.org"}]), 400, ["personalizations.0.to.0.email"]),
        (person(cc=[{"email": "ANN@example.org"}]), 400, ["personalizations.0"]),
        (person(substitutions={"-a-": 1}), 400, [None]),
        (person(custom_args={"a": 1}), 400, [None]),
        (
            person(substitutions={f"-{n}-": "x" for n in range(101)}),
            400,
            ["personalizations.0.substitutions"],
        ),
        (person(substitutions={"-a-": "x" * 10_000}), 400, ["personalizations.0.substitutions"]),
        (person(custom_args={"a": "x" * 10_000}), 400, ["personalizations.0.custom_args"]),
        (person(headers={"Subject": "x"}), 400, ["personalizations.0.headers"]),
        (person(headers={"X A": "x"}), 400, ["personalizations.0.headers"]),
        (person(headers={"X-A": 1}), 400, ["personalizations.0.headers"]),
        (person(headers={"X-A": "a\r\nBcc: b"}), 400, ["personalizations.0.headers"]),
        ({**GOOD, "from": {}}, 400, ["from.email"]),
        ({**GOOD, "from": {"email": "digest@localhost"}}, 400, ["from.email"]),
        ({**GOOD, "subject": ""}, 400, ["subject"]),
        ({**GOOD, "content": []}, 400, ["content"]),
        ({**GOOD, "content": [{"type": "text/plain", "value": ""}]}, 400, ["content.0.value"]),
        ({**GOOD, "headers": {"dkim-signature": "x"}}, 400, ["headers"]),
        ({**GOOD, "send_at": NOW}, 400, ["send_at"]),
        ({**GOOD, "send_at": int(NOW) + 72 * 3600 + 1}, 400, ["send_at"]),
        ({**GOOD, "categories": ["a", "a"]}, 400, ["categories"]),
        ({**GOOD, "categories": ["é"]}, 400, ["categories"]),
        ({**GOOD, "reply_to": {"email": "a@b.example"}, "reply_to_list": []}, 400, ["reply_to"]),
        (
            {**GOOD, "mail_settings": {"sandbox_mode": {"enable": "true"}}},
            400,
            ["mail_settings.sandbox_mode"],
        ),
        ({**GOOD, "batch_id": "unknown"}, 400, ["batch_id"]),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, list) else "",
)
def test_what_is_refused_and_where_it_says_so(mail: Any, status: int, fields: list[str | None]) -> None:
    assert complaints(mail) == (status, fields)


def test_html_before_text_is_refused() -> None:
    content = [{"type": "text/html", "value": "x"}, {"type": "text/plain", "value": "x"}]
    assert complaints({**GOOD, "content": content}) == (400, ["content"])


def test_more_than_a_thousand_people_are_refused() -> None:
    many = [{"to": [{"email": f"a{n}@example.org"}]} for n in range(1001)]
    status, fields = complaints({**GOOD, "personalizations": many})
    assert (status, fields) == (400, ["personalizations", None])


def test_all_complaints_come_at_once() -> None:
    status, fields = complaints({"personalizations": [{"to": [{"email": "x"}]}, {"to": []}]})
    assert status == 400
    assert fields == [
        "personalizations.0.to.0.email", "personalizations.1.to", "from.email", "subject", "content",
    ]  # fmt: skip


def test_a_past_send_at_and_a_known_batch_are_accepted() -> None:
    assert check(orjson.dumps({**GOOD, "send_at": 1, "batch_id": "known"}))
