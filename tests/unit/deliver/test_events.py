"""The Event Webhook: only genuine posts count, and every one of their events says one plain thing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.deliver.events import EventKind, Verifier, events_of, events_of_line
from digest.deliver.fake_sendgrid import SigningKey, body_of
from digest.deliver.fake_sendgrid.events import SIGNATURE_HEADER, TIMESTAMP_HEADER
from digest.errors import SettingsError, WebhookError
from digest.links import delivery_id

# A real capture, published with the provider's own client.
PUBLIC_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8"
    "eNEc6wEA3F+g=="
)
SIGNATURE = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
TIMESTAMP = "1600112502"
BODY = (
    b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":'
    b'"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA","sg_message_id":'
    b'"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0","smtp-id":'
    b'"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n'
)
THEN = datetime.fromtimestamp(int(TIMESTAMP), UTC)
VERIFIER = Verifier(PUBLIC_KEY)


def refused(body: bytes, *, signature: str | None, timestamp: str | None, now: datetime = THEN) -> str:
    with pytest.raises(WebhookError) as error:
        VERIFIER.check(body, signature=signature, timestamp=timestamp, now=now)
    return error.value.kind


def test_the_published_post_is_genuine() -> None:
    VERIFIER.check(BODY, signature=SIGNATURE, timestamp=TIMESTAMP, now=THEN)


def test_without_its_last_line_end_it_is_forged() -> None:
    assert refused(BODY.rstrip(b"\r\n"), signature=SIGNATURE, timestamp=TIMESTAMP) == "forged"


def test_written_anew_it_is_forged() -> None:
    assert refused(orjson.dumps(orjson.loads(BODY)), signature=SIGNATURE, timestamp=TIMESTAMP) == "forged"


def test_with_another_timestamp_it_is_forged() -> None:
    assert refused(BODY, signature=SIGNATURE, timestamp="1600112503") == "forged"


@pytest.mark.parametrize("signature", ["no base64!", "MEUC", "", None])
def test_a_broken_or_missing_signature_is_refused(signature: str | None) -> None:
    assert refused(BODY, signature=signature, timestamp=TIMESTAMP) == ("forged" if signature else "unsigned")


def test_without_a_timestamp_it_is_unsigned() -> None:
    assert refused(BODY, signature=SIGNATURE, timestamp=None) == "unsigned"


@pytest.mark.parametrize("body", [BODY, b"", b"[]"])
@pytest.mark.parametrize("timestamp", ["soon", "１６００", "9" * 40])
def test_a_strange_timestamp_is_forged_not_a_crash(body: bytes, timestamp: str) -> None:
    assert refused(body, signature=SIGNATURE, timestamp=timestamp) == "forged"


def test_a_post_repeated_for_a_day_is_still_genuine_and_an_older_one_is_not() -> None:
    VERIFIER.check(BODY, signature=SIGNATURE, timestamp=TIMESTAMP, now=THEN + timedelta(hours=25))
    late = THEN + timedelta(hours=27)
    assert refused(BODY, signature=SIGNATURE, timestamp=TIMESTAMP, now=late) == "old"
    early = THEN - timedelta(hours=1)
    assert refused(BODY, signature=SIGNATURE, timestamp=TIMESTAMP, now=early) == "old"


@pytest.mark.parametrize("key", ["", "no key", PUBLIC_KEY[:-8], "TUZrd0V3WUhLb1pJemow"])
def test_a_key_that_is_none_is_a_mistake_in_the_settings(key: str) -> None:
    with pytest.raises(SettingsError, match="webhook_public_key"):
        Verifier(key)


def test_posts_of_the_local_fake_are_signed_by_the_same_recipe() -> None:
    key = SigningKey()
    post = key.post([{"event": "processed", "email": "siân@example.org"}], THEN.timestamp())
    headers = {"signature": post.headers[SIGNATURE_HEADER], "timestamp": post.headers[TIMESTAMP_HEADER]}
    Verifier(key.public).check(post.body, now=THEN, **headers)
    with pytest.raises(WebhookError):
        VERIFIER.check(post.body, now=THEN, **headers)


# --- what events say --------------------------------------------------------------------------------------


def event(**fields: object) -> bytes:
    return body_of([{"email": "ann@example.org", "timestamp": 1600112492, "sg_event_id": "e1", **fields}])


def test_the_published_event_is_read_whole() -> None:
    (found,) = events_of(BODY)
    assert found.kind is EventKind.DROPPED
    assert found.address == "hello@world.com"
    assert found.at == datetime(2020, 9, 14, 19, 41, 32, tzinfo=UTC)
    assert found.id == "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA"
    assert found.provider_id == "LRzXl_NHStOGhQ4kofSm_A"
    assert found.suppression == "bounce"
    assert found.delivery is None


@pytest.mark.parametrize(
    ("fields", "kind", "suppression"),
    [
        ({"event": "processed"}, EventKind.PROCESSED, None),
        ({"event": "delivered"}, EventKind.DELIVERED, None),
        ({"event": "deferred"}, EventKind.DEFERRED, None),
        ({"event": "bounce", "type": "bounce"}, EventKind.BOUNCED, "bounce"),
        ({"event": "bounce"}, EventKind.BOUNCED, "bounce"),
        ({"event": "bounce", "type": "blocked"}, EventKind.BLOCKED, None),
        ({"event": "dropped", "reason": "Spam Content"}, EventKind.DROPPED, None),
        ({"event": "dropped", "reason": "Invalid"}, EventKind.DROPPED, "invalid"),
        ({"event": "dropped", "reason": "Unsubscribed Address"}, EventKind.DROPPED, "unsubscribed"),
        ({"event": "dropped", "reason": "Recipient List over Package Quota"}, EventKind.DROPPED, None),
        ({"event": "spamreport"}, EventKind.SPAM, "spam"),
        ({"event": "unsubscribe"}, EventKind.UNSUBSCRIBED, "unsubscribed"),
        ({"event": "group_unsubscribe"}, EventKind.UNSUBSCRIBED, "unsubscribed"),
        ({"event": "group_resubscribe"}, EventKind.OTHER, None),
        ({"event": "open"}, EventKind.OTHER, None),
        ({"event": "invented_tomorrow"}, EventKind.OTHER, None),
    ],
)
def test_who_may_still_be_mailed(fields: dict[str, str], kind: EventKind, suppression: str | None) -> None:
    (found,) = events_of(event(**fields))
    assert (found.kind, found.suppression) == (kind, suppression)


def test_blocks_and_deferrals_are_soft_and_a_hard_bounce_is_not() -> None:
    blocked, deferred, bounced = (
        events_of(event(event=word, type=kind))[0].is_soft_failure
        for word, kind in (("bounce", "blocked"), ("deferred", ""), ("bounce", "bounce"))
    )
    assert (blocked, deferred, bounced) == (True, True, False)


def test_our_own_id_comes_back_and_proves_acceptance() -> None:
    (found,) = events_of(event(event="deferred", dg_delivery_id=delivery_id(7, 12)))
    assert found.delivery == delivery_id(7, 12)
    assert found.is_proof


@pytest.mark.parametrize("text", ["x", delivery_id(7, 12)[:-1] + "0", 12, None, ["a"]])
def test_an_id_that_is_not_ours_proves_nothing(text: object) -> None:
    (found,) = events_of(event(event="delivered", dg_delivery_id=text))
    assert found.delivery is None
    assert not found.is_proof


def test_a_closed_account_stops_sending_and_a_reopened_one_does_not() -> None:
    closed, reopened = (
        events_of(body_of([{"event": "account_status_change", "type": word, "timestamp": 1}]))[0]
        for word in ("compliance_suspend", "reactivate")
    )
    assert closed.kind is EventKind.ACCOUNT
    assert closed.stops_sending
    assert not reopened.stops_sending


def test_a_repeat_under_a_new_id_is_the_same_happening() -> None:
    first, again = (
        events_of(event(event="delivered", dg_delivery_id=delivery_id(7, 12), sg_event_id=new))[0]
        for new in ("e1", "e2")
    )
    assert first.id != again.id
    assert first.same_as == again.same_as


def test_a_late_bounce_without_id_still_has_an_id_to_be_applied_once_by() -> None:
    bare = body_of([{"event": "bounce", "type": "bounce", "email": "ann@example.org", "timestamp": 5}])
    assert events_of(bare)[0].id == events_of(bare)[0].id != ""


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[1", b"\xff"])
def test_a_body_that_is_no_list_is_malformed(body: bytes) -> None:
    with pytest.raises(WebhookError) as error:
        events_of(body)
    assert error.value.kind == "malformed"


@pytest.mark.parametrize("said", [b"\\ud800 x", b"Gr\xfc\xdfe", b"a\tb", b"\xed\xa0\x80"])
def test_what_a_mail_server_said_loses_no_post_though_it_is_no_unicode(said: bytes) -> None:
    first, second = events_of(
        b'[{"event":"bounce","type":"bounce","email":"ann@example.org","timestamp":5,"reason":"' + said
        + b'"},{"event":"spamreport","email":"bob@example.org","timestamp":NaN}]'
    )  # fmt: skip
    assert (first.address, first.suppression) == ("ann@example.org", "bounce")
    assert first.reason.isprintable() or "\t" in first.reason
    assert (second.address, second.suppression) == ("bob@example.org", "spam")


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":1}', b'{"event":7}', b'{"event":""}', b"[1,2]", b'[{"event":"bounce"},{}]', b"7", b"null",
        b"", b"{", b"\xff",
    ],
)  # fmt: skip
def test_a_line_of_a_file_with_anything_that_is_no_event_is_refused_as_a_whole(line: bytes) -> None:
    with pytest.raises(WebhookError, match='expected are objects with a text in "event"') as error:
        events_of_line(line)
    assert error.value.kind == "malformed"


def test_a_line_of_a_file_says_the_same_as_a_post() -> None:
    alone = {"event": "bounce", "email": "ann@example.org", "timestamp": 5}
    strange = {"event": "invented_tomorrow", "odd": [None]}
    post = orjson.dumps([alone, strange])
    assert events_of_line(post) == events_of(post)
    assert events_of_line(orjson.dumps(alone)) == events_of(post)[:1]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["event", "email", "timestamp", "sg_event_id", "sg_message_id", "type", "reason", "dg_delivery_id"]
)


@given(st.lists(st.dictionaries(FIELDS, json_values) | json_values, max_size=4))
def test_no_genuine_post_can_crash_the_reader(entries: list[object]) -> None:
    assert len(events_of(orjson.dumps(entries))) == len(entries)
