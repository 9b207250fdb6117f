"""Which items of a range say something to a profile, as what, and why.

Enters: a profile, the lines of a range, the councils. Leaves: one ``Chosen`` per item (a joint meeting
is one item), never of a council that is not followed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from digest.compose.lines import (
    WITHDRAWN_UNSAID,
    History,
    Known,
    LineIndex,
    Telling,
    index_of,
    moment_of,
)
from digest.compose.rank import NO_WEIGHT, Importance, RankKey, rank_key
from digest.compose.words import WordIndex, Wording
from digest.errors import NotFoundError
from digest.model import (
    Condensed,
    Council,
    Entry,
    LineKind,
    LogLine,
    Meeting,
    Place,
    Profile,
    Reason,
    Support,
    WishKind,
)

# A cache that outgrew this is dropped: some MB at most, however many different readers there are.
_MOST_CACHED = 256


@dataclass(frozen=True, slots=True)
class Chosen:
    """One item that a profile is told, in its latest version.

    ``reasons`` hold the matches first (``matched`` of them), then what is followed. ``seqs`` is empty
    for a meeting known from state alone. ``at`` is when its latest line was published.
    """

    item: str
    version: int
    seqs: tuple[int, ...]
    kind: LineKind
    place: Place
    council: Council
    meeting: Meeting
    reasons: tuple[Reason, ...]
    matched: int
    importance: Importance
    rank: RankKey
    is_new: bool = False
    at: datetime | None = None
    since: datetime | None = None
    before: Meeting | None = None
    why: str | None = None
    summaries: tuple[Condensed, ...] = ()
    also: tuple[str, ...] = ()
    # The edition's entries of this very value, by detail and language; never carried over by ``replace``.
    entries: dict[object, Entry] = field(init=False, default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Rules:
    """The wishes of one profile about one council: only these committees, or all but those."""

    council: Council
    only: frozenset[str] = frozenset()
    but: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """Where a profile's words occur among one council's items: by ordinal, the excluded word or matches."""

    excluded: Mapping[int, str]
    matches: Mapping[int, tuple[Reason, ...]]

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for equal finds."""
        return (*self.excluded.items(), *self.matches.items())


_NOTHING = Found({}, {})


def select(
    profile: Profile,
    lines: LineIndex | Sequence[LogLine],
    *,
    from_seq: int,
    upto_seq: int,
    councils: Mapping[str, Council],
    found: Mapping[str, Found] | None = None,
) -> tuple[Chosen, ...]:
    """What the lines with ``from_seq < seq <= upto_seq`` say to this profile, first in rank first.

    ``found``: where its words occur, by council; they are looked for where nobody has yet.

    Raises: NotFoundError when a followed council is not among ``councils``.
    """
    index = index_of(lines)
    chosen: list[Chosen] = []
    for rules in rules_of(profile, councils):
        slug = rules.council.slug
        finds = found_in(profile, index.words, slug) if found is None else found[slug]
        is_enabled = slug in profile.enabled
        for history in index.histories(slug, from_seq=from_seq, upto_seq=upto_seq, is_enabled=is_enabled):
            verdict = judge(profile, history, rules, finds, from_seq=from_seq)
            if not isinstance(verdict, str):
                chosen.append(verdict)
    return tuple(sorted(joined(chosen), key=rank_of))


def found_in(profile: Profile, words: WordIndex, council: str) -> Found:
    """Where the profile's words occur among the council's items; reasons in order, none twice."""
    matches: dict[int, tuple[Reason, ...]] = {}
    kinds = (("topic", profile.topics), ("keyword", profile.keywords), ("ward", profile.wards))
    for kind, keys in kinds:
        for key in keys:
            hits = words.with_topic(key, council) if kind == "topic" else words.with_words(key, council)
            for ordinal in hits:
                wording = words.wordings[ordinal]
                if kind == "keyword" and key in profile.topics and key in wording.topics:
                    continue
                matches[ordinal] = (*matches.get(ordinal, ()), wording.reason(kind, key))
    excluded = {ordinal: word for word in profile.excluded for ordinal in words.with_words(word, council)}
    return Found(excluded, matches) if excluded or matches else _NOTHING


def rules_of(profile: Profile, councils: Mapping[str, Council]) -> Iterator[Rules]:
    """One set of rules per followed council, in the profile's order."""
    only: dict[str, set[str]] = defaultdict(set)
    but: dict[str, set[str]] = defaultdict(set)
    for wish in profile.committees:
        (only if wish.is_wanted else but)[wish.council].add(wish.committee)
    for slug in profile.councils:
        council = councils.get(slug)
        if council is None:
            raise NotFoundError(f"edition: followed council {slug!r} is not known; see `digest council list`")
        yield Rules(council, frozenset(only.get(slug, ())), frozenset(but.get(slug, ())))


def judge(profile: Profile, history: History, rules: Rules, found: Found, *, from_seq: int) -> Chosen | str:
    """The item as this profile is told it in a letter from ``from_seq`` on, or why it is not."""
    telling = _telling(profile, history, rules.council)
    if isinstance(telling, str):
        return telling
    if twin := _told_by(profile, history.latest.meeting, from_seq=from_seq):
        return f"an earlier letter told it as {twin}'s: it is one joint meeting"
    refusal = _refusal(history.ordinal, history.wording, rules, found)
    if refusal is not None:
        return refusal
    matches = found.matches.get(history.ordinal, ())
    is_committee = not rules.only.isdisjoint(history.wording.committee_keys)
    # The same item with the same reasons is the same value for every profile of the run.
    key = (telling.kind, matches, is_committee)
    if kept := _kept(history.cache, key, rules.council):
        return kept
    follows = _follows(history.latest.meeting, rules.council, is_committee=is_committee)
    chosen = _chosen(history, telling, rules.council, matches=matches, follows=follows)
    return _keep(history.cache, key, chosen)


def _told_by(profile: Profile, meeting: Meeting, *, from_seq: int) -> str:
    """The followed council that had this news of a joint meeting in an earlier letter; "" without one.

    Where committees are chosen it may have been kept out then: better told twice than never.
    """
    chosen = {wish.council for wish in profile.committees}
    return next(
        (
            slug
            for slug, seq in meeting.told
            if seq <= from_seq and slug in profile.councils and slug not in chosen
        ),
        "",
    )


def _kept(cache: dict[object, object], key: object, council: Council) -> Chosen | None:
    kept = cache.get(key)
    return kept if isinstance(kept, Chosen) and kept.council is council else None


def _keep(cache: dict[object, object], key: object, chosen: Chosen) -> Chosen:
    if len(cache) >= _MOST_CACHED:
        cache.clear()
    cache[key] = chosen
    return chosen


def _telling(profile: Profile, history: History, council: Council) -> Telling | str:
    if not history.tellings:
        return WITHDRAWN_UNSAID
    for telling in history.tellings:
        if telling.wish in profile.kinds:
            return _mailed(profile, telling, history, council)
    return f"kind {history.tellings[0].wish.value!r} is not wished"


def _mailed(profile: Profile, telling: Telling, history: History, council: Council) -> Telling | str:
    # A withdrawal carries no account, and who was told something false is owed it whatever the support.
    is_owed = telling.kind is LineKind.WITHDRAWAL or not history.is_summary
    if is_limited_for(profile, council) and not is_owed:
        return f"{council.slug} has limited support: its summaries are not mailed"
    return telling


def is_limited_for(profile: Profile, council: Council) -> bool:
    """Whether this reader gets no summaries of that council: support is limited and not enabled for them."""
    return council.support is Support.LIMITED and council.slug not in profile.enabled


def _refusal(ordinal: int, wording: Wording, rules: Rules, found: Found) -> str | None:
    """Why committee wishes or excluded keywords keep an item out; None when they do not."""
    if rules.only and rules.only.isdisjoint(wording.committee_keys):
        return "its committee is not among the chosen ones"
    if rules.but and not rules.but.isdisjoint(wording.committee_keys):
        return "its committee is excluded"
    if ordinal in found.excluded:
        return f"it contains the excluded keyword {found.excluded[ordinal]!r}"
    return None


def _follows(meeting: Meeting, council: Council, *, is_committee: bool) -> Reason:
    """What is followed: the committee where it was chosen, else the council."""
    return Reason("committee", meeting.committee) if is_committee else Reason("council", council.name)


def _chosen(
    history: History, telling: Telling, council: Council, *, matches: tuple[Reason, ...], follows: Reason
) -> Chosen:
    line = history.latest
    is_withdrawn = telling.kind is LineKind.WITHDRAWAL
    rank = rank_key(
        line.item,
        place=telling.place,
        matched=len(matches),
        importance=history.importance,
        moment=moment_of(line.meeting),
    )
    return Chosen(
        item=line.item,
        version=line.version,
        seqs=history.seqs,
        kind=telling.kind,
        place=telling.place,
        council=council,
        meeting=line.meeting,
        reasons=(*matches, follows),
        matched=len(matches),
        importance=history.importance,
        rank=rank,
        is_new=telling.is_new,
        at=line.published_at,
        since=history.since if telling.place is Place.CORRECTED else None,
        before=telling.before,
        why=line.why,
        # What was withdrawn must not be told once more by its own withdrawal.
        summaries=() if is_withdrawn else line.summaries,
    )


def known_meetings(profile: Profile, knowns: Iterable[Known], rules: Rules, found: Found) -> Iterator[Chosen]:
    """Coming meetings known from state alone that the same wishes let in."""
    if WishKind.COMING_UP not in profile.kinds:
        return
    for known in knowns:
        if _refusal(known.ordinal, known.wording, rules, found) is not None:
            continue
        matches = found.matches.get(known.ordinal, ())
        is_committee = not rules.only.isdisjoint(known.wording.committee_keys)
        key = (matches, is_committee)
        kept = _kept(known.cache, key, rules.council)
        if kept is None:
            follows = _follows(known.meeting, rules.council, is_committee=is_committee)
            made = _known(known.meeting, rules.council, matches=matches, follows=follows)
            kept = _keep(known.cache, key, made)
        yield kept


def _known(meeting: Meeting, council: Council, *, matches: tuple[Reason, ...], follows: Reason) -> Chosen:
    item = f"meeting:{meeting.id}"
    rank = rank_key(
        item,
        place=Place.COMING_UP,
        matched=len(matches),
        importance=NO_WEIGHT,
        moment=moment_of(meeting),
    )
    return Chosen(
        item=item,
        version=0,
        seqs=(),
        kind=LineKind.MEETING_NEW,
        place=Place.COMING_UP,
        council=council,
        meeting=meeting,
        reasons=(*matches, follows),
        matched=len(matches),
        importance=NO_WEIGHT,
        rank=rank,
    )


# --- joint meetings ----------------------------------------------------------------------------------------


def joined(chosen: Sequence[Chosen]) -> list[Chosen]:
    """The same items with each joint meeting said once: by its latest line, for the reasons of all."""
    if not any(item.meeting.joint for item in chosen):
        return list(chosen)
    groups: dict[tuple[str, str], list[Chosen]] = defaultdict(list)
    joint_of = _joint_keys(item.meeting for item in chosen)
    for item in chosen:
        groups[item.item.partition(":")[0], joint_of[item.meeting.key]].append(item)
    return [_one_of(group) for group in groups.values()]


def _joint_keys(meetings: Iterable[Meeting]) -> dict[str, str]:
    """Meeting key -> the smallest key of all that are linked with it, from either side."""
    smallest: dict[str, str] = {}

    def root(key: str) -> str:
        while smallest.setdefault(key, key) != key:
            key = smallest[key]
        return key

    for meeting in meetings:
        for other in (meeting.key, *meeting.joint):
            low, high = sorted((root(meeting.key), root(other)))
            smallest[high] = low
    return {key: root(key) for key in smallest}


def _one_of(group: list[Chosen]) -> Chosen:
    if len(group) == 1:
        return group[0]
    group.sort(key=lambda item: (item.seqs[-1:], item.item))
    said = group[-1]
    matches = tuple(dict.fromkeys(r for item in group for r in item.reasons[: item.matched]))
    follows = tuple(dict.fromkeys(r for item in group for r in item.reasons[item.matched :]))
    return replace(
        said,
        seqs=tuple(sorted(seq for item in group for seq in item.seqs)),
        reasons=matches + follows,
        matched=len(matches),
        rank=(-len(matches), *said.rank[1:]),
        also=tuple(sorted(ref for item in group for ref in (item.item, *item.also) if ref != said.item)),
    )


def rank_of(chosen: Chosen) -> RankKey:
    """The key to sort by: first in rank first."""
    return chosen.rank
