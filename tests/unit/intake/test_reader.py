"""The quick reader of well-formed feeds says what feedparser says; guard and charset hold their rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import FeedError
from digest.intake import loose
from digest.intake.documents import document_of
from digest.intake.guard import guard
from digest.intake.items import Document
from digest.intake.titles import plain
from tests.unit.intake.feeds import checked, rss

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
# feedparser mends line ends and slashes in links, and reads items inside items in another order.
OTHERWISE = ("h11_", "h12_", "h30_", "h31_")


def is_feed(path: Path) -> bool:
    """True for what the guard lets through to a reader of feeds."""
    try:
        body = guard(path.read_bytes(), content_type="text/xml")
    except FeedError:
        return False
    return body.kind == "xml" and body.root != "getmeetings" and not path.name.startswith(OTHERWISE)


FEEDS = [
    path
    for folder in ("realistic", "real", "hostile")
    for path in sorted((SHARED / "feeds" / folder).glob("*"))
    if path.suffix in (".xml", ".atom") and is_feed(path)
]


def essence(document: Document) -> list[tuple[object, ...]]:
    """What dialects read of an item."""
    return [
        (
            plain(i.title),
            i.link,
            i.guid,
            i.published,
            plain(i.summary) if "<" not in i.summary else "",
            [(x.href, x.rel) for x in i.links if x.rel == "enclosure"],
            i.field("eventdates"),
            i.field("startdate"),
        )
        for i in document.items
        if i.title or i.link
    ]


@pytest.mark.parametrize("path", FEEDS, ids=lambda p: p.stem)
def test_both_readers_see_the_same_items(path: Path) -> None:
    body = guard(path.read_bytes(), content_type="text/xml")
    quick, oracle = document_of(body), loose.document_of(body)
    assert essence(quick) == essence(oracle)
    assert (quick.title, quick.link) == (oracle.title, oracle.link)


def test_the_corpus_is_compared() -> None:
    assert len(FEEDS) > 50


def test_a_feed_that_is_not_well_formed_goes_to_feedparser() -> None:
    items = "<item><title>A <b>bold</title><link>https://x.example/</link></item>"
    body = f"<rss><channel><title>t</title>{items}</channel></rss>"
    assert [i.link for i in document_of(guard(body.encode())).items] == ["https://x.example/"]


def test_an_undeclared_prefix_stops_nothing() -> None:
    body = rss({"title": "t", "media:thing": "v", "link": "https://x.example/"})
    assert document_of(guard(body.encode())).items[0].field("thing") == "v"


def test_ttl_and_hours_to_skip_are_read() -> None:
    extra = "<ttl>720</ttl><skipHours><hour>0</hour><hour>24</hour><hour>3</hour></skipHours>"
    document = document_of(guard(rss(extra=extra).encode()))
    assert (document.ttl_s, document.skip_hours) == (43_200, frozenset({0, 3}))


def test_relative_links_follow_xml_base() -> None:
    entry = '<entry><title>t</title><link href="1"/><id>i</id></entry>'
    body = f'<feed xml:base="https://a.example/m/">{entry}</feed>'
    assert document_of(guard(body.encode())).items[0].link == "https://a.example/m/1"


def test_an_item_of_rss_1_has_its_address_as_guid() -> None:
    item = '<item rdf:about="https://a.example/1"><title>t</title></item>'
    body = f'<rdf:RDF xmlns="http://purl.org/rss/1.0/">{item}</rdf:RDF>'
    assert document_of(guard(body.encode())).items[0].guid == "https://a.example/1"


@pytest.mark.parametrize("root", ["<rss>", "<feed>", "<rdf:RDF>", "<atom:feed>"])
def test_a_feed_cut_before_its_first_item_ends_is_truncated(root: str) -> None:
    with pytest.raises(FeedError) as caught:
        guard(f"{root}<channel><item><title>Half".encode())
    assert caught.value.kind == "truncated"


@pytest.mark.parametrize("cut", range(150, 460, 7))
def test_wherever_a_feed_is_cut_only_complete_items_come_out(cut: int) -> None:
    body = rss(*({"title": f"Title {n}", "guid": f"g{n}"} for n in range(8))).encode()[: cut + 100]
    try:
        guarded = guard(body)
    except FeedError as error:
        assert error.kind == "truncated"  # noqa: PT017 (short cuts hold no item, longer ones do)
        return
    assert guarded.is_partial
    found = document_of(guarded).items
    assert [(i.title, i.guid) for i in found] == [(f"Title {n}", f"g{n}") for n in range(len(found))]


def test_more_items_than_allowed_are_cut_and_said() -> None:
    found = checked(
        rss(*({"title": "t", "link": f"https://example.moderngov.co.uk/{n}"} for n in range(2_600)))
    )
    assert len(found["not_meetings"]) == 2_500
    assert found["is_partial"] is True


@pytest.mark.parametrize("newest_first", [True, False])
def test_of_too_many_items_the_newest_stay(newest_first: bool) -> None:
    numbers = range(2_600, 0, -1) if newest_first else range(1, 2_601)
    day = datetime(2018, 1, 1, tzinfo=UTC)
    body = rss(*({"title": f"n{n}", "pubDate": format_datetime(day + timedelta(days=n))} for n in numbers))
    guarded = guard(body.encode())
    assert guarded.is_partial
    assert {i.title for i in document_of(guarded).items} == {f"n{n}" for n in range(101, 2_601)}


@given(st.binary(max_size=400))
def test_no_bytes_break_the_guard(body: bytes) -> None:
    for start in (
        b"",
        b"<rss><channel><item>",
        b'<?xml version="1.0" encoding="utf-16"?><rss>',
        b"\xef\xbb\xbf<feed>",
    ):
        try:
            document_of(guard(start + body))
        except FeedError as error:
            assert error.kind in KINDS  # noqa: PT017


KINDS = {"not_a_feed", "invalid_body", "too_large", "too_deep", "entities", "encoding", "truncated"}


@given(st.text(max_size=300))
def test_plain_text_is_one_clean_line(text: str) -> None:
    clean = plain(text)
    assert clean == clean.strip()
    assert not any(ord(c) < 32 or c in "\x7f\x85\u2028\u2029\u202e\u200f\ufeff" for c in clean)
    clean.encode("utf-8")
    assert len(clean) <= 300


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=60)
)
def test_a_title_comes_through_the_whole_way(title: str) -> None:
    wanted = plain(title)
    found = document_of(guard(rss({"title": title, "link": "https://x.example/"}).encode())).items
    assert plain(found[0].title) == wanted


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("claim", ["utf-8", "utf-16", "iso-8859-1", "windows-1252", "punycode", "x-unknown"])
def test_whatever_the_bytes_claim_the_text_is_right(encoding: str, claim: str) -> None:
    text = f'<?xml version="1.0" encoding="{claim}"?><rss><channel><title>Café – £5</title></channel></rss>'
    assert document_of(guard(text.encode(encoding), content_type="text/xml")).title == "Café – £5"
