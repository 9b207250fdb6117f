"""The body of a request: valid JSON whatever names and addresses hold, filled as in the outbox."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.deliver.message import address_fault, envelope_address, filled
from digest.deliver.sendgrid_body import request_body
from digest.errors import RenderError
from digest.model import Form, Page
from digest.render.tags import PREFERENCES, UNSUBSCRIBE, VIEW
from tests.unit.deliver.letters import BASE, PAGE, outgoing, reader

names = st.text(max_size=80)
addresses = st.one_of(st.just("ann@example.org"), st.emails(), st.text(max_size=30)).filter(
    lambda a: address_fault(a) is None
)


@given(st.lists(st.tuples(names, addresses), min_size=1, max_size=3))
@settings(max_examples=40)
def test_what_the_provider_fills_in_is_the_letter_that_the_outbox_writes(
    people: list[tuple[str, str]],
) -> None:
    batch = outgoing(*(reader(n, address, name=name) for n, (name, address) in enumerate(people)))
    mail = orjson.loads(request_body(batch, batch.recipients))
    text, html = (part["value"] for part in mail["content"])
    for recipient, person in zip(batch.recipients, mail["personalizations"], strict=True):
        page = filled(batch, recipient)
        assert substituted(text, person["substitutions"]) == page.text
        assert substituted(html, person["substitutions"]) == page.html
        assert person["custom_args"] == {"dg_delivery_id": recipient.delivery}
        assert person["to"] == [{"email": envelope_address(recipient.address)}]
        assert person["headers"]["List-Unsubscribe"] == f"<{recipient.unsubscribe_url}>"


own_words = st.text().filter(lambda words: "-dg" not in words)  # as render.tags.neutralise leaves them


@given(own_words, own_words)
def test_a_page_laid_out_from_a_form_is_sent_as_the_same_page_without_one(html: str, text: str) -> None:
    form = Form((f"<p>{VIEW} £“", f"”{UNSUBSCRIBE}</p>"), (f"A {PREFERENCES}\n", f"\n{VIEW}"))
    page = Page.laid_out(form, (html, text), subject="S", preheader="P", language="cy")

    def mail(page: Page) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(request_body(outgoing(page=page), (reader(1),)))
        return found

    first = mail(page)
    assert first == mail(page) == mail(replace(page))
    assert first["content"][1]["value"] == html.join(form.html or ()).replace(VIEW, f"{BASE}/view/page1")
    assert set(first["personalizations"][0]["substitutions"]) == {UNSUBSCRIBE, PREFERENCES}


def test_a_letter_in_plain_text_alone_has_one_part() -> None:
    page = Page.laid_out(Form(None, ("Hello ", "!")), ("", "you"), subject="S", preheader="", language="en")
    mail = orjson.loads(request_body(outgoing(reader(1), page=page), (reader(1),)))
    assert mail["content"] == [{"type": "text/plain", "value": "Hello you!"}]


def substituted(text: str, values: dict[str, str]) -> str:
    for tag, value in values.items():
        text = text.replace(tag, value)
    return text


def test_only_tags_that_the_page_holds_are_sent() -> None:
    page = replace(PAGE, html=None, text="leave -dgUnsub- view -dgView-")
    mail = orjson.loads(request_body(outgoing(reader(1), page=page), [reader(1)]))
    assert list(mail["personalizations"][0]["substitutions"]) == ["-dgUnsub-"]
    assert "-dgView-" not in mail["content"][0]["value"]
    assert [part["type"] for part in mail["content"]] == ["text/plain"]


def test_a_page_without_tags_still_says_how_to_leave() -> None:
    page = replace(PAGE, html=None, text="plain")
    mail = orjson.loads(request_body(outgoing(reader(1), page=page), [reader(1)]))
    assert mail["personalizations"][0]["headers"]["List-Unsubscribe"] == f"<{reader(1).unsubscribe_url}>"


def test_a_trial_says_so_and_nothing_else_changes() -> None:
    batch = outgoing(reader(1), reader(2))
    real = orjson.loads(request_body(batch, batch.recipients))
    trial = orjson.loads(request_body(batch, batch.recipients, is_trial=True))
    assert trial.pop("mail_settings") == {"sandbox_mode": {"enable": True}}
    assert trial == real


@pytest.mark.parametrize(
    "url",
    [
        'https://x.example/"',
        "javascript:alert(1)",
        "https://x.example/\\",
        "https://x.example/" + "a" * 500,
        "https://x.example/\nhttps://x.example/",
    ],
)
def test_a_link_that_must_not_stand_in_a_letter_is_refused(url: str) -> None:
    batch = outgoing(reader(1), reader(2)._replace(preferences_url=url))
    with pytest.raises(RenderError):
        request_body(batch, batch.recipients)


@pytest.mark.parametrize("delivery", ["", "ä1", 'a"b', "a b"])
def test_a_delivery_id_is_letters_and_digits(delivery: str) -> None:
    batch = outgoing(reader(1), reader(2)._replace(delivery=delivery))
    with pytest.raises(ValueError, match="delivery id"):
        request_body(batch, batch.recipients)
