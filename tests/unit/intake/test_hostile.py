"""Feeds made to break a reader: each is refused or repaired, at a bounded cost, and nothing leaks."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from digest.intake.check import check_document
from digest.model import RawFeed

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
HOSTILE = SHARED / "feeds" / "hostile"
AT = datetime(2026, 10, 2, 9, tzinfo=UTC)
URL = "https://democracy.anytown.example/mgRss.aspx"


def checked(body: bytes, *, url: str = URL, content_type: str = "text/xml") -> dict[str, Any]:
    raw = RawFeed(url, url, 200, {"content-type": content_type}, body, AT)
    return check_document(raw, timezone="Europe/London", country="gb", as_of=AT)


def hostile(name: str) -> dict[str, Any]:
    (path,) = HOSTILE.glob(f"{name}_*") if "_" not in name else HOSTILE.glob(f"{name}*")
    return checked(path.read_bytes())


def items(found: dict[str, Any]) -> int:
    return len(found["meetings"]) + len(found["not_meetings"])


REFUSED = {
    "h01": "entities", "h02_quad": "entities", "h03": "entities", "h04": "entities", "h21": "too_deep",
    "h50": "not_a_feed", "h51": "not_a_feed", "h52": "not_a_feed", "h53": "not_a_feed", "h54": "not_a_feed",
    "h55": "not_a_feed", "h56": "not_a_feed", "h57": "not_a_feed", "h58": "not_a_feed", "h59": "not_a_feed",
    "h60": "not_a_feed", "h61": "not_a_feed", "h62": "not_a_feed", "h70": "too_large", "h81": "too_deep",
    "h84": "too_deep",
}  # fmt: skip
READ = {
    "h02c": 1, "h06": 1, "h08": 1, "h09": 1, "h10": 5, "h11": 4, "h12": 17, "h13": 15, "h15": 2, "h16": 2,
    "h17_num": 2, "h17e": 1, "h18": 2, "h19": 2, "h20": 2, "h23": 1, "h24": 2, "h26": 1, "h27": 1, "h29": 1,
    "h33": 1, "h34": 1, "h35": 1, "h37": 1, "h38": 1, "h39": 1, "h40": 1, "h41": 1, "h42": 1, "h43": 1,
    "h74": 1, "h80": 1, "h83": 1, "h85": 1,
}  # fmt: skip


def test_every_hostile_file_has_its_test() -> None:
    named = {e["file"] for e in json.loads((HOSTILE / "index.json").read_text())} - {"SECRET.txt"}
    spoken = {*REFUSED, *READ, "h30", "h31", "h72"}
    assert {n for n in named if not any(n.startswith(s) for s in spoken)} == set()


@pytest.mark.parametrize(("name", "kind"), REFUSED.items())
def test_what_is_no_feed_or_a_bomb_is_refused(name: str, kind: str) -> None:
    found = hostile(name)
    assert found["error"]["kind"] == kind
    assert items(found) == 0


@pytest.mark.parametrize(("name", "count"), READ.items())
def test_what_can_be_read_is_read(name: str, count: int) -> None:
    found = hostile(name)
    assert found["error"] is None
    assert items(found) == count


@pytest.mark.parametrize("name", [*REFUSED, *READ, "h30", "h31", "h72"])
def test_nothing_leaks_into_the_answer(name: str) -> None:
    text = json.dumps(hostile(name), ensure_ascii=False)
    assert "CANARY" not in text
    assert "root:" not in text
    text.encode("utf-8")
    for sign in ("\\u0000", "\\u001b", "\\u0007", "\\r", "\\n", "\u2028", "\u2029", "\u202e", "\ufffe"):
        assert sign not in text


def links(found: dict[str, Any]) -> list[str]:
    return [m["url"] for m in found["meetings"] if m["url"]]


def test_no_dangerous_link_survives() -> None:
    assert links(hostile("h12")) == []


def test_links_into_private_networks_do_not_survive() -> None:
    assert links(hostile("h13")) == []


def test_a_line_end_in_a_link_drops_it() -> None:
    assert all("evil" not in link for link in links(hostile("h11")))
    assert all("Location" not in link for link in links(hostile("h11")))


def test_markup_in_titles_becomes_plain_text() -> None:
    text = json.dumps(hostile("h10"))
    assert "<script" not in text
    assert "onerror" not in text
    assert "<svg" not in text


def test_a_long_title_is_clipped() -> None:
    for name in ("h19", "h29"):
        found = hostile(name)
        titles = [m["title"] for m in found["meetings"]] + [n["title"] for n in found["not_meetings"]]
        assert max(map(len, titles)) <= 700


def test_a_truncated_feed_gives_complete_items_and_says_so() -> None:
    found = hostile("h24")
    assert items(found) == 2
    assert found["is_partial"] is True


@pytest.mark.parametrize("name", ["h33", "h34", "h35"])
def test_the_text_is_right_whatever_charset_is_claimed(name: str) -> None:
    text = json.dumps(hostile(name), ensure_ascii=False)
    assert "–" in text
    assert "Ã" not in text
    assert "â€" not in text


def test_nested_items_stay_two_at_most() -> None:
    assert items(hostile("h30")) <= 2


def test_empty_items_make_no_meeting() -> None:
    assert hostile("h31")["meetings"] == []


def test_a_truncated_gzip_is_partial_or_an_error() -> None:
    found = hostile("h72")
    assert found["error"] or found["is_partial"]


def test_an_attached_file_is_no_paper() -> None:
    (meeting,) = hostile("h83")["meetings"]
    assert meeting["documents"] == []
    assert meeting["url"] is None


def test_a_gzip_inside_a_gzip_is_not_unpacked_twice() -> None:
    inner = gzip.compress((HOSTILE / "h09_xml_stylesheet_pi.xml").read_bytes())
    assert checked(gzip.compress(inner))["error"]["kind"] == "not_a_feed"
    headers = {"content-type": "text/xml", "content-encoding": "gzip"}
    raw = RawFeed(URL, URL, 200, headers, inner, AT)
    found = check_document(raw, timezone="Europe/London", country="gb", as_of=AT)
    assert found["error"]["kind"] == "not_a_feed"


@pytest.mark.parametrize(
    "reference",
    ["&#xD800;", "&#x110000;", "&#" + "9" * 5_000 + ";", "&#0;", "&#xFFFF;", "&bogus;", "&", "&nbsp;"],
)
def test_a_reference_to_no_character_costs_only_itself(reference: str) -> None:
    title = f"Agenda published: Meeting of Monday, 12th October, 2026 6.30 pm, Cab{reference}inet"
    body = f"<rss><channel><item><title>{title}</title><link>{URL}</link></item></channel></rss>"
    (meeting,) = checked(body.encode())["meetings"]
    assert meeting["committee"].startswith("Cab")
    assert meeting["committee"].endswith("inet")


@pytest.mark.parametrize(
    "body",
    [
        b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML" "x"><html xmlns="x"><body/></html>',
        b"<!-- hello --><html><body>Sign in</body></html>",
        b"<head><title>Wait</title></head>",
        b"Service Unavailable",
        b"\x89PNG\r\n\x1a\n",
        b"PK\x03\x04",
        b"\x00\x01\x02\x03" * 100,
        b"<opml version='2.0'><body/></opml>",
        b"<?xml version='1.0'?>",
        b"<!-- never closed",
        b"true",
    ],
)
def test_what_else_servers_answer_is_no_feed(body: bytes) -> None:
    assert checked(body)["error"]["kind"] == "not_a_feed"
