"""The fake's account: what it sends, holds, throws away and tells, on a clock that the test sets."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from digest.deliver.fake_sendgrid import Account
from digest.deliver.fake_sendgrid.checks import RefusedError

NOON = 1_900_000_000.0
HOUR = 3600.0


@pytest.fixture
def account() -> Account:
    made = Account(clock=lambda: NOON)
    made.set_now(NOON)
    return made


def send(account: Account, *addresses: str, **fields: Any) -> str | None:
    mail = {
        "from": {"email": "news@example.org"},
        "subject": "Hello -n-",
        "content": [{"type": "text/plain", "value": "-n- -nn- <b>-n-</b>"}],
        "tracking_settings": {
            "click_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
        },
        "personalizations": [{"to": [{"email": a}], "custom_args": {"dg_delivery_id": a}} for a in addresses],
        **fields,
    }
    return account.accept(account.check(orjson.dumps(mail)))


def states(account: Account) -> list[str]:
    account.settle()
    return [m.state for m in account.messages]


def words(account: Account) -> list[str]:
    return [event["event"] for event in account.events()]


# --- mail ----------------------------------------------------------------------------------------------


def test_one_message_a_person_with_one_id_a_request(account: Account) -> None:
    request_id = send(account, "a@example.org", "b@example.org")
    assert request_id is not None
    assert len(request_id) == 22
    first, second = account.messages
    assert first.sg_message_id.startswith(f"{request_id}.recvd-")
    assert first.sg_message_id != second.sg_message_id
    assert first.mime()["Message-ID"] == second.mime()["Message-ID"]


def test_the_same_request_again_is_more_messages(account: Account) -> None:
    send(account, "a@example.org")
    send(account, "a@example.org")
    assert account.counts() == {"a@example.org": 2}


def test_sandbox_mails_nobody(account: Account) -> None:
    assert send(account, "a@example.org", mail_settings={"sandbox_mode": {"enable": True}}) is None
    assert account.messages == []
    assert words(account) == []


def test_tags_are_replaced_once_longest_first_and_raw(account: Account) -> None:
    person = {"to": [{"email": "a@example.org"}], "substitutions": {"-n-": "-nn-", "-nn-": "<i>&"}}
    send(account, personalizations=[person])
    (message,) = account.messages
    assert message.content("text/plain") == "-nn- <i>& <b>-nn-</b>"
    assert message.subject == "Hello -nn-"


def test_headers_merge_and_the_person_wins(account: Account) -> None:
    person = {"to": [{"email": "a@example.org"}], "headers": {"X-A": "person", "X-T": "-n-"}}
    send(
        account,
        personalizations=[person | {"substitutions": {"-n-": "x"}}],
        headers={"X-A": "all", "X-B": "b"},
    )
    assert account.messages[0].headers == {"X-A": "person", "X-B": "b", "X-T": "-n-"}


def test_who_forgets_to_switch_tracking_off_sees_it(account: Account) -> None:
    html = [{"type": "text/html", "value": '<a href="https://x.example/u">leave</a>'}]
    send(account, "a@example.org", content=html, tracking_settings={})
    content = account.messages[0].content("text/html")
    assert content is not None
    assert "track.sendgrid.example/ls/click" in content
    assert "track.sendgrid.example/wf/unsubscribe" in content
    assert "track.sendgrid.example" in account.messages[0].mime()["List-Unsubscribe"]


def test_credits_are_used_up_letter_by_letter(account: Account) -> None:
    account.options.credits = 3
    send(account, "a@example.org", "b@example.org")
    with pytest.raises(RefusedError) as refused:
        send(account, "c@example.org", "d@example.org")
    assert refused.value.status == 401


# --- scheduled mail and batches ---------------------------------------------------------------------------


def test_scheduled_mail_leaves_at_its_time_and_past_mail_at_once(account: Account) -> None:
    send(account, "a@example.org", send_at=int(NOON + HOUR))
    send(account, "b@example.org", send_at=int(NOON - HOUR))
    assert states(account) == ["queued", "sent"]
    account.advance(HOUR)
    assert states(account) == ["sent", "sent"]


def test_a_cancelled_batch_is_thrown_away(account: Account) -> None:
    batch_id = account.new_batch()
    send(account, "a@example.org", send_at=int(NOON + HOUR), batch_id=batch_id)
    account.stop(batch_id, "cancel")
    account.advance(2 * HOUR)
    assert states(account) == ["cancelled"]
    assert words(account) == ["processed"]


def test_a_cancel_taken_back_in_time_sends_after_all(account: Account) -> None:
    batch_id = account.new_batch()
    send(account, "a@example.org", send_at=int(NOON + HOUR), batch_id=batch_id)
    account.stop(batch_id, "cancel")
    account.free(batch_id)
    account.advance(2 * HOUR)
    assert states(account) == ["sent"]


def test_a_paused_batch_waits_and_leaves_at_once_when_freed(account: Account) -> None:
    batch_id = account.new_batch()
    account.stop(batch_id, "pause")
    send(account, "a@example.org", send_at=int(NOON + HOUR), batch_id=batch_id)
    account.advance(5 * HOUR)
    assert states(account) == ["queued"]
    account.free(batch_id)
    assert states(account) == ["sent"]


def test_a_batch_paused_for_three_days_expires(account: Account) -> None:
    batch_id = account.new_batch()
    account.stop(batch_id, "pause")
    send(account, "a@example.org", send_at=int(NOON + HOUR), batch_id=batch_id)
    account.advance(74 * HOUR)
    assert states(account) == ["expired"]


@pytest.mark.parametrize(("late_ok", "state"), [(False, "sent"), (True, "cancelled")])
def test_a_cancel_in_the_last_ten_minutes_is_not_promised(
    account: Account, late_ok: bool, state: str
) -> None:
    account.options.late_cancel_ok = late_ok
    batch_id = account.new_batch()
    send(account, "a@example.org", send_at=int(NOON + 300), batch_id=batch_id)
    account.stop(batch_id, "cancel")
    account.advance(HOUR)
    assert states(account) == [state]


def test_an_expired_batch_id_is_taken_and_its_mail_is_never_delivered(account: Account) -> None:
    batch_id = account.new_batch()
    account.advance(11 * 24 * HOUR)
    assert send(account, "a@example.org", batch_id=batch_id)
    assert states(account) == ["lost"]


def test_only_ten_batches_may_be_stopped_and_each_once(account: Account) -> None:
    batches = [account.new_batch() for _ in range(11)]
    for batch_id in batches[:10]:
        account.stop(batch_id, "pause")
    with pytest.raises(RefusedError, match="400"):
        account.stop(batches[10], "pause")
    account.free(batches[0])
    account.stop(batches[10], "pause")
    with pytest.raises(RefusedError, match="400"):
        account.stop(batches[10], "pause")
    account.stop(batches[10], "cancel", change=True)
    with pytest.raises(RefusedError, match="404"):
        account.free(batches[0])


# --- what it tells --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("local", "story"),
    [
        ("ann", ["delivered"]),
        ("bounce7", ["bounce"]),
        ("block", ["bounce"]),
        ("drop", ["dropped"]),
        ("defer3", ["deferred", "deferred", "deferred", "delivered"]),
        ("spam", ["delivered", "spamreport"]),
        ("unsubscribe", ["delivered", "unsubscribe"]),
        ("async", ["delivered", "bounce"]),
    ],
)
def test_the_address_says_what_becomes_of_the_letter(account: Account, local: str, story: list[str]) -> None:
    send(account, f"{local}@example.org")
    assert words(account) == ["processed", *story]


def test_who_bounced_is_dropped_the_next_time_and_who_was_blocked_is_not(account: Account) -> None:
    for address in ("bounce@example.org", "block@example.org"):
        send(account, address)
        send(account, address)
    told = [(e["email"], e["event"], e.get("reason")) for e in account.events() if e["event"] != "processed"]
    assert told[1] == ("bounce@example.org", "dropped", "Bounced Address")
    assert [word for _, word, _ in told[2:]] == ["bounce", "bounce"]


def test_our_arguments_stand_at_the_top_and_reserved_keys_win(account: Account) -> None:
    person = {"to": [{"email": "a@example.org"}], "custom_args": {"dg_delivery_id": "d1", "event": "mine"}}
    send(account, personalizations=[person])
    assert {(e["event"], e["dg_delivery_id"]) for e in account.events()} == {
        ("processed", "d1"), ("delivered", "d1"),
    }  # fmt: skip


def test_a_request_taken_late_is_mailed_a_minute_after_its_error(account: Account) -> None:
    mail = orjson.dumps({
        "from": {"email": "n@example.org"}, "subject": "s", "content": [{"type": "text/plain", "value": "x"}],
        "personalizations": [{"to": [{"email": "a@example.org"}]}],
    })  # fmt: skip
    account.accept_later(account.check(mail))
    assert states(account) == []
    account.advance(61)
    assert states(account) == ["sent"]
