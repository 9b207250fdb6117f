"""The few sentences of a summary that a reader in a hurry should see.

Chosen by what they hold, not by where they stand: money, a change from one figure to another, what was
decided. The same summary always gives the same points, in the order of the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from digest.summaries.markdown import Block

MAX_POINTS = 4
PER_SECTION = 2
_SHORT, _LONG = 40, 320  # characters of a sentence that can stand alone and still be read at a glance
_SAME = 0.6  # share of a sentence's longer words that make it a repetition
_TELLING = 2.0  # below it a sentence is only shown where a summary has hardly anything better
_LABEL_LENGTH, _LABEL_WORDS = 30, 4  # of a section heading that can stand before a sentence

_ABBREVIATION = re.compile(
    r"\b(?:Cllrs?|Coun|Mrs?|Ms|Dr|Prof|Rev|St|No|Nos|vs|approx|c|ca|e\.g|i\.e|etc|a\.m|p\.m|Co|Ltd|Jr|Sr"
    r"|Cyng|y\.b|y\.h|[A-Z])\.$"
)
_SENTENCE = re.compile(r"(?<=[.!?…])(?P<mark>(?:⁽[⁰¹²³⁴⁵⁶⁷⁸⁹]+⁾)?)[\"'”’)]*\s+(?=[\"'“‘(]?[^\W_])")
_MONEY = re.compile(r"[£€$]\s?\d|\d\s?(?:million|billion|miliwn|biliwn)\b", re.IGNORECASE)
_MONTHS = (
    "January|February|March|April|May|June|July|August|September|October|November|December"
    "|Ionawr|Chwefror|Mawrth|Ebrill|Mai|Mehefin|Gorffennaf|Awst|Medi|Hydref|Tachwedd|Rhagfyr"
)
_DATE = re.compile(
    rf"\b(?:\d{{1,2}}(?:st|nd|rd|th)?\s)?(?:{_MONTHS})\b|\b(?:19|20)\d\d(?:[/–-]\d{{2,4}})?\b"
    r"|\b\d{1,2}[.:]\d\d\s?(?:[ap]\.?m|y\.?[bh])\b"
)
_FIGURE = re.compile(r"\d")
_CHANGE = re.compile(
    r"\b(?:from|o)\b[^.;]{0,60}\d[^.;]{0,60}\b(?:to|i|down to|up to)\b[^.;]{0,30}\d"
    r"|\b(?:rise|rises|rose|fall|falls|fell|grow|grew|double[ds]?|cut|cynyddu|gostwng)\b",
    re.IGNORECASE,
)
_DECIDED = re.compile(
    r"\b(?:agreed|resolved|endorsed|approved|adopted|refused|rejected|voted|granted|deferred|called in"
    r"|decided|carried|cytunodd|cytunwyd|penderfynodd|penderfynwyd|cymeradwyodd|cymeradwywyd|gwrthodwyd)\b",
    re.IGNORECASE,
)
_LEANS_BACK = re.compile(
    r"(?:It|They|This|That|These|Those|He|She|However|But|And|Also|Both|Such|Another|In response"
    r"|Roedd hyn|Mae hyn|Ond)\b"
)
_POINTS_AWAY = re.compile(r"\b(?:these|those|the following|the above|as follows)\b", re.IGNORECASE)
_WORD = re.compile(r"\w{4,}|\d+")


@dataclass(frozen=True, slots=True)
class KeyPoint:
    """One point: ``label`` as in "Money" or "", ``words`` one sentence with its footnote marks."""

    label: str
    words: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    score: float
    section: int
    place: int
    point: KeyPoint


def key_points(
    sections: list[tuple[str, tuple[Block, ...]]], *, said: tuple[str, ...] = ()
) -> tuple[KeyPoint, ...]:
    """Up to four points from sections (heading, blocks); ``said`` is what the letter tells anyway.

    At most two come from one section, and none that mostly repeats what is said or another point.
    A summary without figures and decisions gives the first sentences that can stand alone.
    """
    found = _candidates([blocks for _, blocks in sections])
    chosen = _chosen(found, told=[_words(text) for text in said])
    return _labelled(chosen, [heading for heading, _ in sections])


def _candidates(sections: list[tuple[Block, ...]]) -> list[_Candidate]:
    """The best sentence of each block, best first; dull ones only where hardly anything else is there."""
    best = (
        _best_of(block, section=n, place=place)
        for n, blocks in enumerate(sections)
        for place, block in enumerate(blocks)
    )
    found = [candidate for candidate in best if candidate]
    telling = [candidate for candidate in found if candidate.score >= _TELLING]
    return sorted(telling if len(telling) > 1 else found, key=lambda c: (-c.score, c.section, c.place))


def _chosen(found: list[_Candidate], *, told: list[frozenset[str]]) -> list[_Candidate]:
    """As many as fit, without repetition, in the order of the text; ``told`` grows."""
    chosen: list[_Candidate] = []
    for candidate in found:
        words = _words(f"{candidate.point.label} {candidate.point.words}")
        is_crowded = sum(c.section == candidate.section for c in chosen) >= PER_SECTION
        if is_crowded or any(_overlap(words, other) > _SAME for other in told):
            continue
        chosen.append(candidate)
        told.append(words)
        if len(chosen) == MAX_POINTS:
            break
    return sorted(chosen, key=lambda c: (c.section, c.place))


def _labelled(chosen: list[_Candidate], headings: list[str]) -> tuple[KeyPoint, ...]:
    """Points taken out of their section keep its heading, if short, so that "it" still means something."""
    points: list[KeyPoint] = []
    before = -1
    for candidate in chosen:
        heading = headings[candidate.section].rstrip(":") if candidate.section != before else ""
        points.append(replace(candidate.point, label=_label(heading, candidate.point.label)))
        before = candidate.section
    return tuple(points)


def _label(heading: str, label: str) -> str:
    """ "Sea wall – Cost", or what of it is there and short enough to stand before a sentence."""
    is_fit = len(heading) <= _LABEL_LENGTH and len(heading.split()) <= _LABEL_WORDS
    parts = [heading if is_fit else "", label]
    both = " – ".join(filter(None, parts))
    return both if len(both) <= 2 * _LABEL_LENGTH else label


def sentences(text: str) -> list[str]:
    """The sentences of a text; "Cllr. Smith", "6.00 p.m." and the like do not end one."""
    parts: list[str] = []
    start = 0
    for end in _SENTENCE.finditer(text):
        if _ABBREVIATION.search(text, max(start, end.start() - 12), end.start()):
            continue
        parts.append(text[start : end.end()].strip())
        start = end.end()
    return [*parts, text[start:].strip()] if text[start:].strip() else parts


def _best_of(block: Block, *, section: int, place: int) -> _Candidate | None:
    best: _Candidate | None = None
    for n, sentence in enumerate(sentences(block.words)):
        score = _score(sentence, has_label=bool(block.label)) - 0.5 * n
        if score > 0 and (best is None or score > best.score):
            best = _Candidate(score, section, place, KeyPoint(block.label, sentence))
    return best


def _score(sentence: str, *, has_label: bool) -> float:
    """How much a sentence tells: 0 or less means it should not stand alone."""
    has_figure = bool(_FIGURE.search(_DATE.sub("", sentence)))
    score = 1.0
    score += 3 * bool(_MONEY.search(sentence))
    score += 2 * bool(has_figure and _CHANGE.search(sentence))
    score += 1.5 * has_figure
    score += 3 * bool(_DECIDED.search(sentence))
    score += 0.5 * has_label
    score -= 3 * bool(_LEANS_BACK.match(sentence) and not has_label)
    score -= 3 * bool(_POINTS_AWAY.search(sentence))
    score -= 3 * sentence.endswith(":")
    score -= 2 * (len(sentence) < _SHORT)
    score -= 2 * (len(sentence) > _LONG)
    return score


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


def _overlap(words: frozenset[str], other: frozenset[str]) -> float:
    return len(words & other) / len(words) if words else 1.0
