"""One letter as bytes: any mail program reads it; no name, subject or address can bend it."""

from __future__ import annotations

import email
import re
from dataclasses import replace
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.deliver.message import address_fault, filled, letter_bytes, unusable
from digest.links import delivery_id
from digest.model import RunKind
from digest.render.tags import ALL_TAGS
from tests.unit.deliver.letters import BASE, PAGE, outgoing, reader, with_publication

ANN = reader(1, "ann@example.org")
BATCH = outgoing(ANN, reader(2))


def parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def test_a_letter_is_from_the_publication_to_one_person() -> None:
    message = parsed(letter_bytes(BATCH, ANN))
    assert message["From"].addresses[0].display_name == "Ynys Môn Digest"
    assert message["From"].addresses[0].addr_spec == "news@digest.example.org"
    assert [a.addr_spec for a in message["To"].addresses] == ["ann@example.org"]
    assert message["Reply-To"].addresses[0].addr_spec == "desk@digest.example.org"
    assert message["Cc"] is None
    assert message["Bcc"] is None
    assert b"reader2@example.org" not in letter_bytes(BATCH, ANN)


def test_every_tag_is_filled_text_raw_and_html_escaped() -> None:
    message = parsed(letter_bytes(BATCH, ANN))
    text, html = text_of(message, "plain"), text_of(message, "html")
    assert "Hello Ann <b>,\n" in text
    assert "Hello Ann &lt;b&gt;, " in html
    for url in (ANN.unsubscribe_url, ANN.preferences_url, ANN.action_url, f"{BASE}/view/page1"):
        assert url in text
        assert f'href="{url}"' in html
    assert "-dg" not in text + html
    assert "£63m" in text
    assert "£63m" in html


def test_text_stands_before_html() -> None:
    message = parsed(letter_bytes(BATCH, ANN))
    assert message.get_content_type() == "multipart/alternative"
    assert [p.get_content_type() for p in message.iter_parts()] == ["text/plain", "text/html"]


def test_a_reader_of_plain_text_gets_one_part() -> None:
    message = parsed(letter_bytes(replace(BATCH, page=replace(PAGE, html=None)), ANN))
    assert message.get_content_type() == "text/plain"
    assert "Hello Ann" in message.get_content()


def test_leaving_takes_one_click_and_both_headers_are_whole() -> None:
    raw = letter_bytes(BATCH, ANN)
    message = parsed(raw)
    assert message["List-Unsubscribe"] == f"<{ANN.unsubscribe_url}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"\r\nList-Unsubscribe: <{ANN.unsubscribe_url}>\r\n".encode() in raw


def test_a_digest_says_that_it_is_a_list_and_automatic() -> None:
    message = parsed(letter_bytes(BATCH, ANN))
    assert message["List-Id"] == "<digest.digest.example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert message["Precedence"] == "bulk"
    assert message["Content-Language"] == "en"


def test_an_answer_to_one_person_is_no_list_mail() -> None:
    message = parsed(letter_bytes(outgoing(ANN, kind=RunKind.CONFIRM), ANN))
    assert message["List-Id"] is None
    assert message["Precedence"] is None
    assert message["Auto-Submitted"] == "auto-generated"


def test_date_and_message_id_are_those_of_the_delivery() -> None:
    message = parsed(letter_bytes(BATCH, ANN))
    assert message["Date"].datetime == BATCH.sent_at
    assert message["Message-ID"] == f"<{delivery_id(7, 1)}@digest.example.org>"


def test_the_same_letter_is_the_same_bytes() -> None:
    assert letter_bytes(BATCH, ANN) == letter_bytes(BATCH, ANN)


def test_lines_end_with_cr_lf_and_none_is_too_long_for_mail() -> None:
    raw = letter_bytes(BATCH, ANN)
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.isascii()


@given(st.text(max_size=120), st.text(max_size=40))
def test_no_subject_or_name_can_add_a_header_or_be_lost(subject: str, name: str) -> None:
    batch = with_publication(outgoing(ANN, page=replace(PAGE, subject=subject)), name=name)
    raw = letter_bytes(batch, ANN)
    plain = parsed(letter_bytes(BATCH, ANN))
    assert list(parsed(raw).keys()) == list(plain.keys())
    assert [a.addr_spec for a in parsed(raw)["To"].addresses] == ["ann@example.org"]
    assert parsed(raw)["From"].addresses[0].addr_spec == "news@digest.example.org"
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_a_subject_in_two_languages_arrives_as_written() -> None:
    subject = "Penderfyniadau: Pwyllgor Ysgolion Bro Môn – “yr wythnos hon” ac wythnos nesaf, £63m 🏛" * 2
    message = parsed(letter_bytes(outgoing(ANN, page=replace(PAGE, subject=subject)), ANN))
    assert message["Subject"] == subject


@pytest.mark.parametrize("at", range(40, 76))
def test_no_space_of_a_subject_is_lost_where_its_words_are_encoded(at: int) -> None:
    subject = (
        "Can the deficit of the schools stop growing in the coming year, and who pays for it"[:at]
    ).rstrip()
    subject += " £43 million… £63 million"
    message = parsed(letter_bytes(outgoing(ANN, page=replace(PAGE, subject=subject)), ANN))
    assert message["Subject"] == subject


def test_a_subject_that_looks_encoded_is_shown_as_it_was_written() -> None:
    subject = "Agenda =?utf-8?q?=53ecret?= item"
    message = parsed(letter_bytes(outgoing(ANN, page=replace(PAGE, subject=subject)), ANN))
    assert message["Subject"] == subject


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=300))
def test_any_text_arrives_as_it_was(text: str) -> None:
    page = replace(PAGE, html=None, text=f"x{text}x".replace("-dg", "dg"))
    message = parsed(letter_bytes(outgoing(ANN, page=page), ANN))
    body = message.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.decode() == page.text + "\r\n"


@given(
    st.lists(st.sampled_from([*ALL_TAGS, "£", "=", "\n", "\r\n", " ", "\t", "x" * 90, ".", "🏛"]), max_size=25)
)
def test_tags_are_filled_wherever_they_stand(pieces: list[str]) -> None:
    batch = outgoing(ANN, page=replace(PAGE, html=None, text=f"x{''.join(pieces)}x"))
    body = parsed(letter_bytes(batch, ANN)).get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.decode().replace("\r\n", "\n") == filled(batch, ANN).text.replace("\r\n", "\n") + "\n"


def test_an_international_address_is_written_as_mail_knows_it() -> None:
    domain = reader(3, "ann@bücher.example")
    assert b"To: ann@xn--bcher-kva.example\r\n" in letter_bytes(outgoing(domain), domain)
    local = reader(4, "siân@bücher.example")
    assert "To: siân@xn--bcher-kva.example\r\n".encode() in letter_bytes(outgoing(local), local)


@pytest.mark.parametrize(
    "address",
    [
        "", "ann", "ann@", "@example.org", "a@b@example.org", "ann@example.org\r\nBcc: eve@example.org",
        "a b@c.d", "ann@example.org,eve@example.org", "<ann@example.org>", "x" * 65 + "@example.org",
        "ann@" + "x." * 130 + "org", "ann@b\u2000d.example", "ann@-\u00fc-.example", "\ud800@example.org",
    ],
)  # fmt: skip
def test_an_address_that_would_break_a_letter_is_named(address: str) -> None:
    assert address_fault(address)


@pytest.mark.parametrize("address", ["ann@example.org", "a.b+c'd@sub.example.org", "siân@bücher.example"])
def test_an_address_that_mail_can_carry_has_no_fault(address: str) -> None:
    assert address_fault(address) is None


# Pieces that look like plain addresses when they stand one below the other.
pieces = st.sampled_from(["a", "@", "\n", "example.org", "é", "a" * 60, "a@example.org"])


@given(st.lists(st.lists(pieces, max_size=4).map("".join), max_size=4))
def test_many_addresses_looked_at_together_fail_where_each_alone_would(addresses: list[str]) -> None:
    readers = [reader(n)._replace(address=address) for n, address in enumerate(addresses)]
    assert set(unusable(readers)) == {n for n, address in enumerate(addresses) if address_fault(address)}


@pytest.mark.parametrize(
    "name", ["Ünïcödé " * 9, "Newyddion Cyngor Sir Gâr, Llanelli a'r Cylch " * 3, "=?odd?="]
)
def test_a_long_name_of_the_sender_takes_encoded_words_of_a_lawful_length(name: str) -> None:
    batch = with_publication(outgoing(reader(1)), name=name.strip())
    letter = letter_bytes(replace(batch, page=replace(PAGE, subject=name * 3)), reader(1))
    head = letter.split(b"\r\n\r\n")[0].decode("ascii")
    assert all(len(line) <= 78 for line in head.split("\r\n") if line.startswith(("From:", " =?", " <")))
    assert all(len(word) <= 75 for word in re.findall(r"=\?\S+\?=", head))
    # Not by the parser of addresses: CPython 3.11 sets a space between two encoded words of a name.
    read = email.message_from_bytes(letter)
    said = str(make_header(decode_header(read["From"])))
    assert " ".join(said.split()) == " ".join(f"{name} <news@digest.example.org>".split())
    assert str(make_header(decode_header(read["Subject"]))) == (name * 3).strip()
