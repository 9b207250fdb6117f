"""Why each line of a range is in a profile's letter or not: the same decisions as the edition's, spelled out.

Enters: what ``edition_of`` takes. Leaves: one ``Verdict`` per line, for ``digest explain`` and the studio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from digest.compose.edition import HELD, LATER, Arranged, Facts, arrange
from digest.compose.findings import findings_of
from digest.compose.lines import LineIndex, index_of
from digest.compose.select import found_in, judge, rules_of
from digest.model import LineKind, LogLine, Place, Profile, Reason

_COUNTED = {
    LATER: "counted: the meeting is beyond the letter's horizon",
    HELD: "counted: the meeting was already held",
}
_NO_ROOM = "counted: higher ranked items took the room"
_EARLIER = "counted as earlier: published before the letter looks back to"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line: in or out, ``why`` as a sentence, and ``where`` (``named``, ``counted``, ``earlier``, "")."""

    seq: int
    item: str
    kind: LineKind
    council: str
    is_in: bool
    why: str
    where: str = ""
    place: Place | None = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class _Fate:
    """What became of one item."""

    why: str
    where: str
    place: Place
    reasons: tuple[Reason, ...] = ()


def explain(profile: Profile, lines: LineIndex | Sequence[LogLine], facts: Facts) -> tuple[Verdict, ...]:
    """A verdict on every line given, in seq order; agrees with ``edition_of`` on the same input.

    Raises: NotFoundError when a followed council is not among ``facts.councils``.
    """
    index = index_of(lines)
    arranged = arrange(
        profile,
        index,
        facts,
        findings_of(profile, index, councils=facts.councils, upcoming=facts.upcoming),
    )
    fates = _fates(arranged)
    refused = _refusals(profile, index, facts)
    return tuple(_verdict(line, fates, refused, profile, facts) for line in index.every())


def _verdict(
    line: LogLine, fates: dict[str, _Fate], refused: dict[str, str], profile: Profile, facts: Facts
) -> Verdict:
    if why := _outside(line, profile, facts):
        return Verdict(line.seq, line.item, line.kind, line.council, False, why)
    # Refused first: a meeting may be listed from state although its own lines say nothing to the reader.
    if why := refused.get(line.item):
        return Verdict(line.seq, line.item, line.kind, line.council, False, why)
    fate = fates[line.item]
    return Verdict(
        line.seq, line.item, line.kind, line.council, True, fate.why, fate.where, fate.place, fate.reasons
    )


def _outside(line: LogLine, profile: Profile, facts: Facts) -> str | None:
    if line.council not in profile.councils:
        return f"council {line.council!r} is not followed"
    if line.seq <= facts.from_seq:
        return f"before the range: covered up to line {facts.from_seq}"
    if line.seq > facts.upto_seq:
        return f"after the range: this letter goes up to line {facts.upto_seq}"
    is_enabled = line.council in profile.enabled
    if line.concerns(is_enabled=is_enabled):
        return None
    if is_enabled:
        return f"for the others: who has {line.council} enabled was told it by an earlier line"
    return f"{line.council} had limited support: only who has it enabled was told"


def _fates(arranged: Arranged) -> dict[str, _Fate]:
    fates: dict[str, _Fate] = {}
    for number, item in enumerate(arranged.named, start=1):
        why = f"named, rank {number}: {_spelled(item.reasons)}; weight: {item.importance.why}"
        for ref in (item.item, *item.also):
            fates[ref] = _Fate(why, "named", item.place, item.reasons)
    for fold in arranged.folded:
        for ref in (*fold.items, *fold.also):
            fates[ref] = _Fate(_COUNTED.get(fold.why, _NO_ROOM), "counted", fold.place)
    for item in arranged.earlier:
        for ref in (item.item, *item.also):
            fates[ref] = _Fate(_EARLIER, "earlier", item.place, item.reasons)
    return fates


def _spelled(reasons: Sequence[Reason]) -> str:
    return ", ".join(f"{reason.kind} {reason.value}" for reason in reasons)


def _refusals(profile: Profile, index: LineIndex, facts: Facts) -> dict[str, str]:
    refused: dict[str, str] = {}
    for rules in rules_of(profile, facts.councils):
        slug = rules.council.slug
        found = found_in(profile, index.words, slug)
        is_enabled = slug in profile.enabled
        for history in index.histories(
            slug, from_seq=facts.from_seq, upto_seq=facts.upto_seq, is_enabled=is_enabled
        ):
            if isinstance(verdict := judge(profile, history, rules, found, from_seq=facts.from_seq), str):
                refused[history.latest.item] = verdict
    return refused
