"""Wishes as people write them -> one canonical Profile, and back.

Enters: councils, committees, topics, keywords ... in any order and spelling. Leaves: a ``Profile`` whose
fingerprint is the same for the same wishes, or a SubscriberError that names the wish and the mend.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

from digest.errors import SubscriberError
from digest.model import CommitteeWish, Detail, Format, Profile, Tier, WishKind, name_key

# The languages that letters are written in (Babel catalogues), and how people write their names.
LANGUAGES = ("en", "cy")
_LANGUAGE_NAMES = {"english": "en", "saesneg": "en", "welsh": "cy", "cymraeg": "cy"}

# More words than this in one field is a mistake (a pasted document), not a wish.
MOST_WORDS = 500
LONGEST_WORD = 200

_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]*")
_DETAILS = tuple(Detail)

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one tier may have; None means no limit. ``digest.toml`` sets them per tier."""

    max_detail: Detail = Detail.FULL
    max_councils: int | None = None
    max_words: int | None = None
    kinds: frozenset[WishKind] = field(default_factory=lambda: frozenset(WishKind))


def profile_of(
    *,
    councils: Iterable[str],
    committees: Iterable[str | CommitteeWish] = (),
    topics: Iterable[str] = (),
    keywords: Iterable[str] = (),
    wards: Iterable[str] = (),
    kinds: Iterable[WishKind | str] | None = None,
    detail: Detail | str = Detail.BRIEF,
    language: str = "en",
    format: Format | str = Format.HTML,
    tier: Tier | str = Tier.RESIDENT,
    quiet_note: bool = False,
    enabled: Iterable[str] = (),
) -> Profile:
    """The canonical profile of these wishes; equal wishes give equal profiles.

    ``committees`` are ``slug/Name`` or ``-slug/Name`` (all but); ``keywords`` are words or phrases,
    with or without quotes, and ``-word`` excludes; ``kinds`` None means all; of ``enabled`` only councils
    that are followed stay.

    Raises: SubscriberError when a wish cannot be read or contradicts another.
    """
    slugs = _slugs(councils)
    wanted, excluded = _keywords(keywords)
    return Profile(
        councils=slugs,
        committees=_committees(committees, followed=slugs),
        topics=_name_keys(topics, what="topic"),
        keywords=wanted,
        excluded=excluded,
        wards=_name_keys(wards, what="ward"),
        kinds=_kinds(kinds),
        detail=_word(detail, Detail, what="detail"),
        language=_language(language),
        format=_word(format, Format, what="format"),
        tier=_word(tier, Tier, what="tier"),
        quiet_note=bool(quiet_note),
        enabled=tuple(sorted(set(enabled) & set(slugs))),
    )


def entitled(profile: Profile, limits: Mapping[Tier, Limits]) -> Profile:
    """The profile within what its tier may have: ``within``, but lists that are too long are refused.

    A tier that ``limits`` does not name has no limits. Twice is the same as once.

    Raises: SubscriberError when more councils or words are wished than the tier may have, or when
    none of the wished kinds is left.
    """
    limit = limits.get(profile.tier)
    if limit is None:
        return profile
    _refuse_too_many(len(profile.councils), limit.max_councils, what="councils", tier=profile.tier)
    words = len(profile.topics) + len(profile.keywords) + len(profile.excluded) + len(profile.wards)
    _refuse_too_many(words, limit.max_words, what="topics, keywords and wards", tier=profile.tier)
    lowered = within(profile, limits)
    if not lowered.kinds:
        raise SubscriberError(
            f"kinds: tier {profile.tier.value!r} may have {', '.join(sorted(limit.kinds))}; wish one of them"
        )
    return lowered


def within(profile: Profile, limits: Mapping[Tier, Limits]) -> Profile:
    """The wishes as letters follow them: detail and kinds within what the tier may have now, lists whole.

    So a limit that drops holds for those who wished before, and no council or word of theirs is dropped
    behind their backs: a list is for its owner to shorten, at the next change. The same profile where nothing
    is lowered.
    """
    limit = limits.get(profile.tier)
    if limit is None or (limit.kinds.issuperset(profile.kinds) and not _exceeds(profile.detail, limit)):
        return profile
    kinds = tuple(kind for kind in profile.kinds if kind in limit.kinds)
    return replace(profile, kinds=kinds, detail=min(profile.detail, limit.max_detail, key=_DETAILS.index))


def _exceeds(detail: Detail, limit: Limits) -> bool:
    return _DETAILS.index(detail) > _DETAILS.index(limit.max_detail)


def without_council(profile: Profile, council: str) -> Profile | None:
    """The same wishes without one council and its committees; None when it was the last one."""
    councils = tuple(slug for slug in profile.councils if slug != council)
    if not councils:
        return None
    committees = tuple(wish for wish in profile.committees if wish.council != council)
    enabled = tuple(slug for slug in profile.enabled if slug != council)
    return replace(profile, councils=councils, committees=committees, enabled=enabled)


def with_enabled(profile: Profile, enabled: Iterable[str]) -> Profile:
    """The same wishes with exactly those of these councils enabled that they follow."""
    kept = tuple(sorted(set(enabled) & set(profile.councils)))
    return profile if kept == profile.enabled else replace(profile, enabled=kept)


def profile_to_json(profile: Profile) -> str:
    """The profile as one line of JSON with sorted keys; ``profile_from_json`` gives the same profile back."""
    wishes: dict[str, Any] = {
        "councils": profile.councils,
        "committees": [
            ("" if wish.is_wanted else "-") + f"{wish.council}/{wish.committee}"
            for wish in profile.committees
        ],
        "topics": profile.topics,
        "keywords": [*profile.keywords, *(f"-{word}" for word in profile.excluded)],
        "wards": profile.wards,
        "kinds": [kind.value for kind in profile.kinds],
        "detail": profile.detail.value,
        "language": profile.language,
        "format": profile.format.value,
        "tier": profile.tier.value,
        "quiet_note": profile.quiet_note,
    }
    if profile.enabled:
        wishes["enabled"] = profile.enabled
    return json.dumps(wishes, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def profile_from_json(text: str) -> Profile:
    """The profile that ``profile_to_json`` wrote.

    Raises: SubscriberError when the text is not JSON of wishes or names an unknown field.
    """
    try:
        wishes = json.loads(text)
    except ValueError as error:
        raise SubscriberError(f"stored profile is not JSON ({error}): import the subscriber again") from error
    if not isinstance(wishes, dict):
        raise SubscriberError("stored profile is not a JSON object: import the subscriber again")
    try:
        return profile_of(**wishes)
    except (TypeError, AttributeError) as error:
        raise SubscriberError(f"stored profile cannot be read ({error}): is the program too old?") from error


# --- one field each ------------------------------------------------------------------------------------


def _slugs(councils: Iterable[str]) -> tuple[str, ...]:
    slugs = tuple(sorted({_slug(council) for council in councils if council.strip()}))
    if not slugs:
        raise SubscriberError("councils: none is named; name at least one by its slug, for example stockport")
    return slugs


def _slug(council: str) -> str:
    slug = council.strip().casefold()
    if not _SLUG.fullmatch(slug):
        raise SubscriberError(
            f"councils: {council.strip()!r} is not a slug (letters, digits, - . _); see `digest council list`"
        )
    return slug


def _committees(
    committees: Iterable[str | CommitteeWish], *, followed: tuple[str, ...]
) -> tuple[CommitteeWish, ...]:
    wishes: dict[tuple[str, str], CommitteeWish] = {}
    for given in committees:
        if isinstance(given, str) and not given.strip():
            continue
        wish = _committee(given)
        if wish.council not in followed:
            raise SubscriberError(
                f"committees: {wish.council}/{wish.committee} names a council that is not followed; "
                f"add {wish.council} to the councils or leave the committee out"
            )
        known = wishes.setdefault((wish.council, wish.committee), wish)
        if known != wish:
            raise SubscriberError(
                f"committees: {wish.council}/{wish.committee} is both wanted and excluded; keep one"
            )
    return _sized(tuple(sorted(wishes.values())), what="committees")


def _committee(given: str | CommitteeWish) -> CommitteeWish:
    if isinstance(given, CommitteeWish):
        return CommitteeWish(_slug(given.council), name_key(given.committee), given.is_wanted)
    text = given.strip()
    is_wanted = not text.startswith("-")
    council, slash, name = text.removeprefix("-").partition("/")
    key = name_key(name)
    if not slash or not key:
        raise SubscriberError(
            f"committees: {given!r} is not slug/Committee name (or -slug/Committee name to exclude it)"
        )
    return CommitteeWish(_slug(council), key, is_wanted)


def _keywords(keywords: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    wanted: list[str] = []
    excluded: list[str] = []
    for given in keywords:
        text = given.strip()
        (excluded if text.startswith("-") else wanted).append(text.removeprefix("-") or text)
    wanted_keys = _name_keys(wanted, what="keyword")
    excluded_keys = _name_keys(excluded, what="keyword")
    if both := set(wanted_keys) & set(excluded_keys):
        raise SubscriberError(f"keywords: {min(both)!r} is both wanted and excluded; keep one of the two")
    return wanted_keys, excluded_keys


def _name_keys(names: Iterable[str], *, what: str) -> tuple[str, ...]:
    keys = set()
    for name in names:
        if not name.strip():
            continue
        key = name_key(name)
        if not key:
            raise SubscriberError(f"{what}s: {name!r} has no letter or digit; write a word or leave it out")
        if len(key) > LONGEST_WORD:
            raise SubscriberError(
                f"{what}s: {name[:40]!r}… is longer than {LONGEST_WORD} characters; shorten it"
            )
        keys.add(key)
    return _sized(tuple(sorted(keys)), what=f"{what}s")


_Item = TypeVar("_Item")


def _sized(items: tuple[_Item, ...], *, what: str) -> tuple[_Item, ...]:
    if len(items) > MOST_WORDS:
        raise SubscriberError(f"{what}: {len(items)} are named, at most {MOST_WORDS} can be; leave some out")
    return items


def _kinds(kinds: Iterable[WishKind | str] | None) -> tuple[WishKind, ...]:
    if kinds is None:
        return tuple(WishKind)
    wished = {_word(kind, WishKind, what="kinds") for kind in kinds}
    if not wished:
        raise SubscriberError(f"kinds: none is wished; name at least one of {', '.join(WishKind)}")
    return tuple(kind for kind in WishKind if kind in wished)


@lru_cache(maxsize=256)
def _word(given: str, words: type[_Word], *, what: str) -> _Word:
    text = given.strip().casefold().replace(" ", "_").replace("-", "_")
    try:
        return words(text)
    except ValueError:
        near = difflib.get_close_matches(text, [word.value for word in words], n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(words)}"
        raise SubscriberError(f"{what}: {given!r} is unknown; {hint}") from None


def _language(given: str) -> str:
    text = given.strip().casefold().replace("_", "-")
    code = _LANGUAGE_NAMES.get(text, text.partition("-")[0])
    if code not in LANGUAGES:
        raise SubscriberError(f"language: {given!r} is unknown; use one of {', '.join(LANGUAGES)}")
    return code


def _refuse_too_many(count: int, most: int | None, *, what: str, tier: Tier) -> None:
    if most is not None and count > most:
        raise SubscriberError(
            f"{what}: {count} are wished, tier {tier.value!r} may have {most}; choose {most} of them"
        )
