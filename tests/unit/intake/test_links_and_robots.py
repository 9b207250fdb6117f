"""Links that may stand in a letter, robots.txt, and the directory of councils."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import NotFoundError
from digest.intake.directory import known_council, known_councils
from digest.intake.links import clean_link, is_allowed, site_of
from digest.intake.robots import Rules, rules_of

BASE = "https://democracy.anytown.gov.uk/mgRss.aspx"
HOSTS = frozenset({"democracy.anytown.gov.uk"})


def clean(link: str) -> str | None:
    return clean_link(link, base=BASE, hosts=HOSTS)


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        " java\tscript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "ftp://democracy.anytown.gov.uk/x",
        "//evil.example/x",
        "https://democracy.anytown.gov.uk@evil.example/x",
        "https://user:pass@democracy.anytown.gov.uk/x",
        "https://democracy.anytown.gov.uk.evil.example/x",
        "https://evil.example\\@democracy.anytown.gov.uk/",
        "https://democracy.anytown.gov.uk:22/x",
        "https://d\u0435mocracy.anytown.gov.uk/x",
        "https://democracy.anytown.gov.uk/\r\nLocation: https://evil.example/",
        "https://democracy.anytown.gov.uk/\u202egpj.exe",
        "https://[::1",
        "x" * 3_000,
    ],
)
def test_a_link_that_is_not_the_councils_is_dropped(link: str) -> None:
    assert clean(link) is None


@pytest.mark.parametrize(
    ("link", "wanted"),
    [
        ("x.pdf", "https://democracy.anytown.gov.uk/x.pdf"),
        ("http://democracy.anytown.gov.uk/x", "https://democracy.anytown.gov.uk/x"),
        ("https://www.anytown.gov.uk/x", "https://www.anytown.gov.uk/x"),
        ("HTTPS://DEMOCRACY.ANYTOWN.GOV.UK:443/A b.pdf", "https://democracy.anytown.gov.uk/A%20b.pdf"),
        ("https://democracy.anytown.gov.uk./x", "https://democracy.anytown.gov.uk/x"),
    ],
)
def test_a_link_of_the_council_is_brought_to_one_spelling(link: str, wanted: str) -> None:
    assert clean(link) == wanted


def test_another_council_of_the_same_vendor_is_another_site() -> None:
    assert not is_allowed("b.moderngov.co.uk", frozenset({"a.moderngov.co.uk"}))
    assert site_of("democracy.stockport.gov.uk") == "stockport.gov.uk"


@given(st.text(max_size=200))
def test_whatever_a_feed_links_to_stays_on_the_councils_site(link: str) -> None:
    found = clean(link)
    assert found is None or found.startswith(("https://democracy.anytown.gov.uk/", "https://anytown.gov.uk/"))


TEXT = """
# comment
User-agent: *
Disallow: /

User-Agent: council-digest
User-agent: otherbot
Disallow: /search
Disallow: /*.pdf$
Allow: /search/feed
Allow: /
"""


@pytest.mark.parametrize(
    ("path", "is_allowed"),
    [
        ("/mgRss.aspx", True),
        ("/search?q=1", False),
        ("/search/feed", True),
        ("/a/b.pdf", False),
        ("/a/b.pdf?x=1", True),
        ("/%73earch", False),
    ],
)
def test_the_longest_rule_of_our_own_group_counts(path: str, is_allowed: bool) -> None:
    assert rules_of(TEXT, agent="council-digest").allow(f"https://x.example{path}") is is_allowed


def test_without_a_group_of_our_own_the_common_one_counts() -> None:
    assert not rules_of(TEXT, agent="another").allow("https://x.example/mgRss.aspx")


@pytest.mark.parametrize(
    "text", ["", "User-agent: *\nDisallow:\n", "<html>Not found</html>", "Disallow: /\n"]
)
def test_a_file_that_forbids_nothing_allows(text: str) -> None:
    assert rules_of(text, agent="council-digest").allow("https://x.example/mgRss.aspx")


def test_many_wildcards_cost_little() -> None:
    rules = Rules(((False, "*a" * 2_000 + "$"),))
    assert rules.allow("https://x.example/" + "a" * 1_000)


@given(st.text(max_size=300), st.text(max_size=60))
def test_no_robots_txt_breaks_the_reading(text: str, path: str) -> None:
    rules = rules_of(f"User-agent: *\n{text}", agent="council-digest")
    assert rules.allow(f"https://x.example/{path}") in (True, False)


def test_stockport_is_known_with_its_feed() -> None:
    council = known_council("stockport")
    assert (council.name, council.platform) == ("Stockport", "moderngov")
    assert council.feed == "https://democracy.stockport.gov.uk/mgRss.aspx"


def test_a_council_is_known_by_its_name_too() -> None:
    assert known_council("Kensington and Chelsea").feed == "https://www.rbkc.gov.uk/committees/mgRss.aspx"


def test_welsh_councils_publish_in_two_languages() -> None:
    assert known_council("gwynedd").languages == ("en", "cy")
    assert known_council("stockport").languages == ("en",)


def test_an_unknown_council_is_answered_with_the_nearest() -> None:
    with pytest.raises(NotFoundError, match="stockport"):
        known_council("stokport")


def test_the_directory_holds_the_country_and_every_feed_is_https() -> None:
    councils = known_councils()
    assert len(councils) > 370
    assert all(c.feed is None or c.feed.startswith("https://") for c in councils.values())
    assert all(slug == c.slug and slug.replace("-", "").isalnum() for slug, c in councils.items())
