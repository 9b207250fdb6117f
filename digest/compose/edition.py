"""What a run says to one profile: entries in reading order, the rest counted, each item once.

Enters: a profile, the lines of a range, and what the run knows (``Facts``). Leaves: an ``Edition``;
the same input gives the same edition, and no other profile has any part in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from digest.compose.findings import Findings, findings_of
from digest.compose.lines import LineIndex, index_of, is_past, moment_of
from digest.compose.rank import RankKey
from digest.compose.select import (
    Chosen,
    is_limited_for,
    joined,
    known_meetings,
    rank_of,
    rules_of,
    select,
)
from digest.model import (
    Condensed,
    Council,
    Detail,
    Edition,
    Entry,
    Folded,
    LineKind,
    LogLine,
    Meeting,
    Place,
    Profile,
    Silence,
    Support,
    Waiting,
)

MORE = "more"
LATER = "later"
HELD = "held"

# A place with many items leaves this part of the letter's room to each of the others.
_SHARE = 8
# With full texts for the top few, this many times as many more are still told in brief.
_BRIEF_TIMES = 2

_TEXTS = (Place.DECIDED, Place.CORRECTED)
_PLACES = tuple(Place)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run knows, fixed at its planning; the range is ``(from_seq, upto_seq]``.

    ``councils`` has at least those of the profile, by slug. ``upcoming`` are meetings as they stand at
    ``as_of`` (of any council; pass one sequence to all editions of a run). ``waiting`` and
    ``silences`` are by slug. ``look_back`` must exceed the longest gap between two letters of the
    schedule: older items are only counted. At most ``max_items`` are named, ``full_items`` with text.
    """

    from_seq: int
    upto_seq: int
    as_of: datetime
    councils: Mapping[str, Council]
    upcoming: Sequence[Meeting] = ()
    waiting: Mapping[str, int] | None = None
    silences: Mapping[str, datetime] | None = None
    horizon: timedelta = timedelta(days=14)
    look_back: timedelta = timedelta(days=28)
    full_items: int = 5
    max_items: int = 40


@dataclass(frozen=True, slots=True)
class Arranged:
    """Where each chosen item went: named (``entries`` in reading order, ``named`` in rank), counted, or
    older than ``look_back``."""

    named: tuple[Chosen, ...] = ()
    entries: tuple[Entry, ...] = ()
    folded: tuple[Folded, ...] = ()
    earlier: tuple[Chosen, ...] = ()
    is_quiet: bool = False


def edition_of(profile: Profile, lines: LineIndex | Sequence[LogLine], facts: Facts) -> Edition:
    """The edition for this profile and range; with many profiles, ask ``compose.editions``.

    ``is_empty`` is true when no line says anything to the profile and no quiet note is wished.

    Raises: NotFoundError when a followed council is not among ``facts.councils``.
    """
    index = index_of(lines)
    return edition_from(
        profile, index, facts, findings_of(profile, index, councils=facts.councils, upcoming=facts.upcoming)
    )


def edition_from(profile: Profile, index: LineIndex, facts: Facts, findings: Findings) -> Edition:
    """``edition_of`` with what the words find; the profile's own words do not matter."""
    councils = tuple(rules.council for rules in rules_of(profile, facts.councils))
    arranged = arrange(profile, index, facts, findings)
    waiting, silences = facts.waiting or {}, facts.silences or {}
    return Edition(
        profile=profile,
        from_seq=facts.from_seq,
        upto_seq=facts.upto_seq,
        as_of=facts.as_of,
        councils=councils,
        entries=arranged.entries,
        folded=arranged.folded,
        limited=tuple(
            # The reader waits too, so there is always one.
            Waiting(council, max(1, waiting.get(council.slug, 1)))
            for council in councils
            if is_limited_for(profile, council)
        ),
        paused=tuple(council for council in councils if council.support is Support.PAUSED),
        silences=tuple(
            Silence(council, silences[council.slug])
            for council in councils
            if council.slug in silences and council.support is not Support.PAUSED
        ),
        earlier=len(arranged.earlier),
        is_quiet=arranged.is_quiet,
    )


def items_of(edition: Edition) -> tuple[str, ...]:
    """The refs of all items that the edition names or counts, each once, in the edition's order."""
    named = (ref for entry in edition.entries for ref in (entry.item, *entry.also))
    counted = (ref for fold in edition.folded for ref in (*fold.items, *fold.also))
    return tuple(dict.fromkeys((*named, *counted)))


def arrange(profile: Profile, index: LineIndex, facts: Facts, findings: Findings) -> Arranged:
    """Every chosen item in one place: named, counted with a fold, or earlier.

    Nothing here looks at the profile's words: the findings are all that they say.
    """
    chosen = select(
        profile,
        index,
        from_seq=facts.from_seq,
        upto_seq=facts.upto_seq,
        councils=facts.councils,
        found=findings.lines,
    )
    if not chosen and not profile.quiet_note:
        return Arranged()
    known = _known(profile, index, facts, findings)
    chosen = tuple(_as_known(item, known) for item in chosen)
    recent, earlier = _split_by_age(chosen, known, facts)
    named, waiting = _split_by_time(recent, facts)
    named, held = _told_with_their_summary(named, waiting[HELD])
    named += _untold(known.values(), chosen)
    named, more = _within_room(sorted(named, key=rank_of), facts.max_items)
    return Arranged(
        named=tuple(named),
        entries=_entries(named, profile, full_items=facts.full_items),
        folded=_folds({MORE: more, LATER: waiting[LATER], HELD: held}),
        earlier=tuple(earlier),
        is_quiet=not chosen,
    )


# --- what is coming up ----------------------------------------------------------------------------


def _known(profile: Profile, index: LineIndex, facts: Facts, findings: Findings) -> dict[str, Chosen]:
    """Coming meetings from state that the wishes let in, by item; a paused council's may be outdated."""
    upcoming = index.upcoming(facts.upcoming)
    known: dict[str, Chosen] = {}
    for rules in rules_of(profile, facts.councils):
        if rules.council.support is Support.PAUSED:
            continue
        slug = rules.council.slug
        meetings = upcoming.within(slug, as_of=facts.as_of, horizon=facts.horizon)
        for meeting in known_meetings(profile, meetings, rules, findings.upcoming[slug]):
            known[meeting.item] = meeting
    return known


def _as_known(item: Chosen, known: Mapping[str, Chosen]) -> Chosen:
    """A new meeting with the facts of ``as_of``: a wrong time would be worse than a repeated change."""
    if item.kind is not LineKind.MEETING_NEW:
        return item
    for ref in (item.item, *item.also):
        if (state := known.get(ref)) and state.meeting != item.meeting:
            return replace(item, meeting=state.meeting, rank=(*item.rank[:3], *state.rank[3:4], item.item))
    return item


def _untold(known: Iterable[Chosen], chosen: Sequence[Chosen]) -> list[Chosen]:
    """Coming meetings that no chosen item speaks of, from either side of a joint one; each once."""
    told = {ref for item in chosen for ref in (item.item, *item.also)}
    meetings = [item.meeting for item in chosen if item.item.startswith("meeting:")]
    keys = {meeting.key for meeting in meetings}
    linked = keys.union(*(meeting.joint for meeting in meetings))
    return joined(
        [
            found
            for found in known
            if found.item not in told
            and found.meeting.key not in linked
            and keys.isdisjoint(found.meeting.joint)
        ]
    )


def _split_by_age(
    chosen: Iterable[Chosen], known: Mapping[str, Chosen], facts: Facts
) -> tuple[list[Chosen], list[Chosen]]:
    """Recent items, and those that were published before ``look_back``, except meetings still to come."""
    oldest_at = facts.as_of - facts.look_back
    recent: list[Chosen] = []
    earlier: list[Chosen] = []
    for item in chosen:
        is_old = item.at is not None and item.at < oldest_at
        is_coming = item.item in known or not known.keys().isdisjoint(item.also)
        (earlier if is_old and not is_coming else recent).append(item)
    return recent, earlier


def _split_by_time(recent: Iterable[Chosen], facts: Facts) -> tuple[list[Chosen], dict[str, list[Chosen]]]:
    """New meetings beyond the horizon or already past are counted; everything else may be named."""
    named: list[Chosen] = []
    counted: dict[str, list[Chosen]] = {LATER: [], HELD: []}
    for item in recent:
        if item.place is not Place.COMING_UP:
            named.append(item)
        elif is_past(item.meeting, as_of=facts.as_of):
            counted[HELD].append(item)
        elif (moment := moment_of(item.meeting)) and moment > facts.as_of + facts.horizon:
            counted[LATER].append(item)
        else:
            named.append(item)
    return named, counted


def _told_with_their_summary(
    named: list[Chosen], held: Iterable[Chosen]
) -> tuple[list[Chosen], list[Chosen]]:
    """Past meetings whose account is in the letter go with it: nobody counts the same meeting again."""
    accounts = {item.meeting.id: number for number, item in enumerate(named) if item.place in _TEXTS}
    counted: list[Chosen] = []
    for meeting in held:
        number = accounts.get(meeting.meeting.id)
        if number is None:
            counted.append(meeting)
            continue
        account = named[number]
        named[number] = replace(
            account,
            seqs=tuple(sorted(account.seqs + meeting.seqs)),
            also=tuple(sorted((*account.also, meeting.item, *meeting.also))),
        )
    return named, counted


# --- how much room --------------------------------------------------------------------------------


def _within_room(ranked: Sequence[Chosen], max_items: int) -> tuple[list[Chosen], list[Chosen]]:
    """The first ``max_items`` in rank, with a share kept for every place, and the rest."""
    if len(ranked) <= max_items:
        return list(ranked), []
    share = max_items // _SHARE
    taken: dict[Place, int] = defaultdict(int)
    first: set[str] = set()
    for item in ranked:
        if taken[item.place] < share:
            taken[item.place] += 1
            first.add(item.item)
    room = max_items - len(first)
    for item in ranked:
        if room > 0 and item.item not in first:
            first.add(item.item)
            room -= 1
    named = [item for item in ranked if item.item in first]
    return named, [item for item in ranked if item.item not in first]


def _folds(counted: Mapping[str, Sequence[Chosen]]) -> tuple[Folded, ...]:
    """One count per place, council and reason; a joint meeting counts once."""
    groups: dict[tuple[int, str, str], list[Chosen]] = defaultdict(list)
    for why, items in counted.items():
        for item in items:
            groups[_PLACES.index(item.place), item.council.slug, why].append(item)
    return tuple(
        Folded(
            place=_PLACES[place],
            council=items[0].council,
            items=tuple(item.item for item in items),
            why=why,
            also=tuple(ref for item in items for ref in item.also),
        )
        for (place, _, why), items in sorted(groups.items(), key=lambda group: group[0])
    )


# --- entries --------------------------------------------------------------------------------------


def _entries(ranked: Sequence[Chosen], profile: Profile, *, full_items: int) -> tuple[Entry, ...]:
    """The named items with their detail, in reading order: places, then rank; coming up soonest first."""
    count: dict[bool | Place, int] = defaultdict(int)
    entries = []
    for item in ranked:
        group = True if item.place in _TEXTS else item.place
        detail = _detail(profile.detail, count[group], full_items=full_items)
        count[group] += 1
        entries.append((_reading_key(item), _entry(item, detail, profile.language)))
    entries.sort(key=lambda pair: pair[0])
    return tuple(entry for _, entry in entries)


def _reading_key(item: Chosen) -> tuple[int, tuple[float, str] | RankKey]:
    if item.place is Place.COMING_UP:
        return _PLACES.index(item.place), item.rank[3:]
    return _PLACES.index(item.place), item.rank


def _detail(wished: Detail, number: int, *, full_items: int) -> Detail:
    """The detail of the item with that number (from 0) in rank: text for the top few, headlines for all."""
    if wished is Detail.HEADLINE or number < full_items:
        return wished
    is_brief = wished is Detail.FULL and number < full_items * (1 + _BRIEF_TIMES)
    return Detail.BRIEF if is_brief else Detail.HEADLINE


def _entry(item: Chosen, detail: Detail, language: str) -> Entry:
    """The entry of an item, made once for all the profiles that share it."""
    entry = item.entries.get((detail, language))
    if entry is None:
        entry = item.entries[detail, language] = _new_entry(item, detail, language)
    return entry


def _new_entry(item: Chosen, detail: Detail, language: str) -> Entry:
    summary, missing = _in_language(item.summaries, language)
    return Entry(
        item=item.item,
        version=item.version,
        seqs=item.seqs,
        place=item.place,
        line_kind=item.kind,
        council=item.council,
        meeting=item.meeting,
        detail=detail,
        reasons=item.reasons,
        summary=summary,
        missing_language=missing,
        since=item.since,
        before=item.before,
        why=item.why,
        is_new=item.is_new,
        also=item.also,
    )


def _in_language(summaries: Sequence[Condensed], language: str) -> tuple[Condensed | None, str | None]:
    for summary in summaries:
        if summary.language == language:
            return summary, None
    return (summaries[0], language) if summaries else (None, None)
