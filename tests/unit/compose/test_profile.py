"""Wishes in any order and spelling are one profile; impossible ones are refused by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.compose.profile import (
    Limits,
    entitled,
    profile_from_json,
    profile_of,
    profile_to_json,
    within,
    without_council,
)
from digest.errors import SubscriberError
from digest.model import CommitteeWish, Detail, Format, Profile, Tier, WishKind, name_key

words = st.text(min_size=1, max_size=20).filter(name_key)
plain = words.filter(lambda word: not word.strip().startswith("-"))
slugs = st.sampled_from(("stockport", "tameside", "gwynedd", "city-of-york"))


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, Any]:
    councils = draw(st.lists(slugs, min_size=1))
    names = draw(st.dictionaries(plain.map(name_key), st.booleans(), max_size=4))
    keywords = draw(st.dictionaries(plain.map(name_key), st.booleans(), max_size=4))
    return {
        "councils": councils,
        "committees": [("" if w else "-") + f"{councils[0]}/{name}" for name, w in names.items()],
        "topics": draw(st.lists(words, max_size=4)),
        "keywords": [("" if wanted else "-") + word for word, wanted in keywords.items()],
        "wards": draw(st.lists(words, max_size=3)),
        "kinds": draw(st.none() | st.lists(st.sampled_from(WishKind), min_size=1)),
        "detail": draw(st.sampled_from(Detail)),
        "language": draw(st.sampled_from(("en", "cy"))),
        "format": draw(st.sampled_from(Format)),
        "tier": draw(st.sampled_from(Tier)),
        "quiet_note": draw(st.booleans()),
    }


def test_a_row_of_the_subscriber_file_becomes_one_profile() -> None:
    profile = profile_of(
        councils=["tameside", "Stockport"],
        committees=["stockport/Children & Families", "-tameside/Licensing Panel"],
        topics=["Housing"],
        keywords=['"special needs"', "-parking", "SEND"],
        wards=["Heatons South"],
        kinds=["papers", "decisions"],
        detail="full",
        language="Welsh",
    )
    assert profile == Profile(
        councils=("stockport", "tameside"),
        committees=(
            CommitteeWish("stockport", "children and families"),
            CommitteeWish("tameside", "licensing panel", False),
        ),
        topics=("housing",),
        keywords=("send", "special needs"),
        excluded=("parking",),
        wards=("heatons south",),
        kinds=(WishKind.DECISIONS, WishKind.PAPERS),
        detail=Detail.FULL,
        language="cy",
    )


@given(wishes(), st.randoms(use_true_random=False))
def test_order_spelling_and_repetition_do_not_change_the_fingerprint(wish: dict[str, Any], rng: Any) -> None:
    def stirred(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        doubled = value + [f"  {v} " if isinstance(v, str) else v for v in value]
        rng.shuffle(doubled)
        return doubled

    stirred_wish = {name: stirred(value) for name, value in wish.items()}
    assert profile_of(**stirred_wish).fingerprint == profile_of(**wish).fingerprint


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("councils", ["STOCKPORT "], ["stockport"]),
        ("committees", ["stockport/Children &  Families"], ["stockport/children and families"]),
        ("topics", ["Adult Social-Care"], ["adult social care"]),
        ("keywords", ['"Special  Needs"'], ["special needs"]),
        ("keywords", ['-"Blue Badge"'], ["-blue badge"]),
        ("kinds", ["coming up"], ["coming_up"]),
        ("language", "en-GB", "English"),
        ("detail", "FULL", "full"),
    ],
)
def test_two_spellings_of_one_wish_are_one_profile(field: str, one: Any, other: Any) -> None:
    base = {"councils": ["stockport"]}
    assert profile_of(**{**base, field: one}) == profile_of(**{**base, field: other})


@given(wishes())
def test_json_gives_the_very_same_profile_back(wish: dict[str, Any]) -> None:
    profile = profile_of(**wish)
    assert profile_from_json(profile_to_json(profile)) == profile


@given(wishes(), wishes())
def test_different_profiles_have_different_json(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = profile_of(**one), profile_of(**other)
    assert (first == second) == (profile_to_json(first) == profile_to_json(second))


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({"councils": []}, "councils: none"),
        ({"councils": ["Stock port"]}, "'Stock port' is not a slug"),
        ({"committees": ["Planning"]}, "'Planning' is not slug/Committee name"),
        ({"committees": ["stockport/"]}, "is not slug/Committee name"),
        ({"committees": ["tameside/Planning"]}, "council that is not followed"),
        ({"committees": ["stockport/Planning", "-stockport/planning"]}, "both wanted and excluded"),
        ({"keywords": ["parking", "-Parking"]}, "'parking' is both wanted and excluded"),
        ({"keywords": ["-"]}, "has no letter or digit"),
        ({"topics": ["!!!"]}, "topics: '!!!'"),
        ({"wards": ["x" * 300]}, "longer than 200"),
        ({"kinds": []}, "kinds: none"),
        ({"kinds": ["decision"]}, "did you mean 'decisions'"),
        ({"detail": "huge"}, "use one of headline, brief, full"),
        ({"language": "tlh"}, "language: 'tlh' is unknown; use one of en, cy"),
        ({"format": "htm"}, "did you mean 'html'"),
        ({"tier": "gold"}, "use one of resident, professional"),
        ({"topics": [f"t{n}" for n in range(501)]}, "at most 500"),
    ],
)
def test_an_impossible_wish_is_refused_by_name(wish: dict[str, Any], named: str) -> None:
    with pytest.raises(SubscriberError, match=named.replace("(", r"\(").replace("|", r"\|")):
        profile_of(**{"councils": ["stockport"], **wish})


@pytest.mark.parametrize("text", ["", "[]", '{"councils":["a"],"colour":"red"}', '{"councils":[1]}', "{}"])
def test_a_damaged_stored_profile_is_refused(text: str) -> None:
    with pytest.raises(SubscriberError):
        profile_from_json(text)


def test_a_tier_lowers_detail_and_kinds_and_twice_is_once() -> None:
    limits = {Tier.RESIDENT: Limits(max_detail=Detail.BRIEF, kinds=frozenset({WishKind.DECISIONS}))}
    profile = profile_of(councils=["stockport"], detail="full")
    lowered = entitled(profile, limits)
    assert (lowered.detail, lowered.kinds) == (Detail.BRIEF, (WishKind.DECISIONS,))
    assert entitled(lowered, limits) == lowered


def test_a_tier_without_limits_changes_nothing() -> None:
    limits = {Tier.RESIDENT: Limits(max_detail=Detail.HEADLINE)}
    profile = profile_of(councils=["stockport"], detail="full", tier="professional")
    assert entitled(profile, limits) == profile


@pytest.mark.parametrize(
    ("limit", "named"),
    [
        (Limits(max_councils=1), "councils: 2 are wished, tier 'resident' may have 1"),
        (Limits(max_words=2), "3 are wished, tier 'resident' may have 2"),
        (Limits(kinds=frozenset({WishKind.PAPERS})), "may have papers"),
    ],
)
def test_lists_beyond_a_tier_are_refused_not_cut(limit: Limits, named: str) -> None:
    profile = profile_of(
        councils=["stockport", "tameside"], keywords=["a", "-b"], wards=["c"], kinds=["decisions"]
    )
    with pytest.raises(SubscriberError, match=named):
        entitled(profile, {Tier.RESIDENT: limit})


def test_leaving_one_council_takes_its_committees_along() -> None:
    both = profile_of(
        councils=["stockport", "tameside"], committees=["stockport/Planning", "-tameside/Audit"]
    )
    left = without_council(both, "stockport")
    assert left == replace(
        both, councils=("tameside",), committees=(CommitteeWish("tameside", "audit", False),)
    )
    assert left is not None
    assert without_council(left, "tameside") is None


def test_a_limit_that_drops_lowers_detail_and_kinds_of_stored_wishes_but_keeps_their_lists() -> None:
    stored = profile_of(councils=["stockport", "bury"], topics=["roads", "schools"], detail="full")
    limit = Limits(Detail.BRIEF, max_councils=1, max_words=1, kinds=frozenset({WishKind.DECISIONS}))
    followed = within(stored, {Tier.RESIDENT: limit})
    assert followed == replace(stored, detail=Detail.BRIEF, kinds=(WishKind.DECISIONS,))


def test_wishes_within_their_tier_are_followed_as_they_are() -> None:
    stored = profile_of(councils=["stockport"], detail="headline", kinds=["papers"])
    assert within(stored, {Tier.RESIDENT: Limits(Detail.BRIEF)}) is stored
    assert within(stored, {}) is stored
