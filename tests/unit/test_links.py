"""Signed links: genuine ones are honoured for as long as promised, all others are refused with their kind."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from digest.errors import LinkError, SettingsError, SubscriberError
from digest.links import (
    Purpose,
    Signer,
    address_fingerprint,
    address_key,
    delivery_id,
    delivery_ids,
    read_delivery_id,
)

KEY = "fixed key number one, 32 chars or more"
OLD_KEY = "an older key that was replaced in 2023"
TODAY = date(2025, 9, 21)
SIGNER = Signer(KEY, (OLD_KEY,))

# Links from letters that are out in the world. If one of these fails, the change is wrong: the format of a
# version never changes, a new one gets a new last character.
OUT_IN_THE_WORLD = [
    (Purpose.UNSUBSCRIBE, 123456, date(2024, 2, 29), "wAMLRoEAAAAAAAHiQBAew2D51lxRl5E2zclK1"),
    (Purpose.VIEW, 7, date(2024, 2, 29), "wAQLRoEAAAAAAAAAB-uzLericmGdnwP124Ym1"),
    (Purpose.CALENDAR, 123456, date(2024, 2, 29), "wAULRoEAAAAAAAHiQAibBJErzBuE8MPlAdmM1"),
    (Purpose.UNSUBSCRIBE, 123456, date(2021, 12, 31), "PwMLQ2sAAAAAAAHiQPq088PDAVJZsFr523Io1"),
    (Purpose.VIEW, 7, date(2021, 12, 31), "PwQLQ2sAAAAAAAAAB20kbN-_0hVPm_pETP221"),
    (Purpose.CALENDAR, 123456, date(2021, 12, 31), "PwULQ2sAAAAAAAHiQPgFd56wJLrJQXKamGPL1"),
]

ids = st.integers(0, 2**63 - 1)
days = st.dates(date(1990, 1, 1), date(2150, 1, 1))
purposes = st.sampled_from(Purpose)


@pytest.mark.parametrize(("purpose", "subject_id", "issued_on", "token"), OUT_IN_THE_WORLD)
def test_links_in_old_letters_work_for_ever(
    purpose: Purpose, subject_id: int, issued_on: date, token: str
) -> None:
    link = SIGNER.read(token, purpose, today=date(2060, 1, 1))
    assert (link.subject_id, link.issued_on) == (subject_id, issued_on)


@given(purposes, ids, days)
def test_a_token_says_what_was_signed_in_characters_that_survive_any_mail_program(
    purpose: Purpose, subject_id: int, on: date
) -> None:
    token = SIGNER.token(purpose, subject_id, on=on)
    link = SIGNER.read(token, purpose, today=on)
    assert (link.purpose, link.subject_id, link.issued_on) == (purpose, subject_id, on)
    assert re.fullmatch(r"[A-Za-z0-9_-]{36}[A-Za-z0-9]", token)


def test_a_batch_of_tokens_is_the_single_ones_in_order() -> None:
    batch = SIGNER.tokens(Purpose.UNSUBSCRIBE, [5, 3, 5], on=TODAY)
    assert batch == [SIGNER.token(Purpose.UNSUBSCRIBE, n, on=TODAY) for n in (5, 3, 5)]
    assert SIGNER.tokens(Purpose.UNSUBSCRIBE, [], on=TODAY) == []


@given(ids, st.integers(0, 36), st.characters(codec="ascii"))
def test_one_changed_character_makes_a_token_worthless(subject_id: int, at: int, other: str) -> None:
    token = SIGNER.token(Purpose.PREFERENCES, subject_id, on=TODAY)
    assume(token[at] != other)
    with pytest.raises(LinkError):
        SIGNER.read(token[:at] + other + token[at + 1 :], Purpose.PREFERENCES, today=TODAY)


@given(purposes, purposes)
def test_a_token_opens_nothing_but_its_own_purpose(made_for: Purpose, used_for: Purpose) -> None:
    assume(made_for is not used_for)
    token = SIGNER.token(made_for, 1, on=TODAY)
    with pytest.raises(LinkError) as refused:
        SIGNER.read(token, used_for, today=TODAY)
    assert refused.value.kind == "forged"


def test_another_service_s_token_is_forged() -> None:
    token = Signer("another service has another secret key").token(Purpose.VIEW, 1, on=TODAY)
    with pytest.raises(LinkError) as refused:
        SIGNER.read(token, Purpose.VIEW, today=TODAY)
    assert refused.value.kind == "forged"


def test_after_a_change_of_keys_old_links_work_and_new_ones_use_the_new_key() -> None:
    before = Signer(OLD_KEY).token(Purpose.VIEW, 1, on=TODAY)
    assert SIGNER.read(before, Purpose.VIEW, today=TODAY).subject_id == 1
    assert SIGNER.token(Purpose.VIEW, 1, on=TODAY) == Signer(KEY).token(Purpose.VIEW, 1, on=TODAY)
    with pytest.raises(LinkError):
        Signer(KEY).read(before, Purpose.VIEW, today=TODAY)


@pytest.mark.parametrize(("purpose", "good_for"), [(Purpose.CONFIRM, 7), (Purpose.PREFERENCES, 180)])
def test_a_link_ends_after_its_last_day(purpose: Purpose, good_for: int) -> None:
    token = SIGNER.token(purpose, 1, on=TODAY)
    last = TODAY + timedelta(days=good_for)
    assert SIGNER.read(token, purpose, today=last).subject_id == 1
    with pytest.raises(LinkError, match="ask for a new one") as refused:
        SIGNER.read(token, purpose, today=last + timedelta(days=1))
    assert refused.value.kind == "old"


@pytest.mark.parametrize(
    "text", ["", "x", "a" * 36, "a" * 38, "a" * 36 + "2", "é" * 36 + "1", "a" * 36 + "1\n", "=" * 36 + "1"]
)
def test_damaged_text_is_malformed(text: str) -> None:
    with pytest.raises(LinkError) as refused:
        SIGNER.read(text, Purpose.VIEW, today=TODAY)
    assert refused.value.kind == "malformed"


def test_a_key_never_shows() -> None:
    assert KEY not in repr(SIGNER)
    with pytest.raises(SettingsError) as refused:
        Signer("too short to be a secret key")
    assert "too short to be" not in str(refused.value)


# --- delivery ids --------------------------------------------------------------------------------------


def test_a_delivery_id_never_changes_its_form() -> None:
    assert delivery_id(42, 1000001) == "f6f027ff5affaf93840b225bad3209"


@given(st.integers(0, 2**40 - 1), st.integers(0, 2**48 - 1))
def test_a_delivery_id_can_be_read_back(run_id: int, subscriber_id: int) -> None:
    text = delivery_id(run_id, subscriber_id)
    assert read_delivery_id(text) == (run_id, subscriber_id)
    assert re.fullmatch("[0-9a-f]{30}", text)
    assert delivery_ids(run_id, [subscriber_id, 7]) == [text, delivery_id(run_id, 7)]


@given(st.integers(0, 29), st.sampled_from("0123456789abcdef"))
def test_a_damaged_delivery_id_is_noticed(at: int, other: str) -> None:
    text = delivery_id(3, 99)
    assume(text[at] != other)
    with pytest.raises(LinkError):
        read_delivery_id(text[:at] + other + text[at + 1 :])


@pytest.mark.parametrize("text", ["", "f6f0", "F6F027FF75307090938F0110973227", "g" * 30, "f" * 31])
def test_what_is_no_delivery_id_is_refused(text: str) -> None:
    with pytest.raises(LinkError):
        read_delivery_id(text)


@pytest.mark.parametrize(("run_id", "subscriber_id"), [(-1, 1), (1, -1), (2**40, 1), (1, 2**48)])
def test_ids_that_do_not_fit_are_a_bug_not_another_reader(run_id: int, subscriber_id: int) -> None:
    with pytest.raises(ValueError, match="is no id"):
        delivery_id(run_id, subscriber_id)


# --- addresses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling",
    [
        "Siân@Bücher.example", "SIÂN@BÜCHER.EXAMPLE", " siân@xn--bcher-kva.example ",
        "sia\u0302n@bu\u0308cher.example", "siân@bücher.example.",
    ],
)  # fmt: skip
def test_spellings_of_one_mailbox_share_a_key(spelling: str) -> None:
    assert address_key(spelling) == "siân@xn--bcher-kva.example"


def test_case_does_not_matter_in_plain_addresses() -> None:
    assert address_key("Ann.Other@Example.ORG") == "ann.other@example.org"


def test_plus_addresses_are_mailboxes_of_their_own() -> None:
    assert address_key("ann+council@example.org") != address_key("ann@example.org")


@pytest.mark.parametrize("text", ["", "ann", "@example.org", "ann@", "ann@b\u00fc cher.example"])
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(SubscriberError):
        address_key(text)


def test_a_fingerprint_is_of_the_mailbox_and_the_key() -> None:
    known = "09c21285b9b6d4d2b89d5c3ac35cd09191fe65e9a08876777a57a55507fc0b21"
    key = "suppression key of the tests"
    assert address_fingerprint("Ann@Example.org", key) == known
    assert address_fingerprint(" ann@example.ORG ", key) == known
    assert address_fingerprint("ann@example.org", "another suppression key") != known
