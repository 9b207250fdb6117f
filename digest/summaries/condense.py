"""A summary made ready for letters once per version: headline, brief and full, as HTML and as text.

Whatever the source holds comes out bounded and harmless; the same summary always gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from digest.model import Attendee, Condensed, Decision, Document, Section, Summary
from digest.summaries.clean import tidy_line
from digest.summaries.fields import is_web_address
from digest.summaries.footnotes import numbers_in, renumbered, without_references
from digest.summaries.keypoints import KeyPoint, key_points
from digest.summaries.markdown import Rendered, bounded, escaped, harmless, plain, rendered

MAX_TOTAL = 100_000  # characters of Markdown in one summary
MAX_LEAD = 1_500  # a longer "first paragraph" is a whole text without paragraphs
MAX_LINE = 4_000  # of any single value
MAX_POINT = 500
_RAISED = "<sup>{}</sup>"  # a footnote mark in HTML


@dataclass(frozen=True, slots=True)
class _Parts:
    """A summary with its texts rendered once."""

    lead: Rendered
    sections: tuple[tuple[str, Rendered], ...]
    notes: tuple[str, ...]


def condense(summary: Summary) -> Condensed:
    """What letters say of a summary. Twice the same summary gives the same value."""
    summary = _within_bounds(summary)
    parts = _Parts(
        rendered(summary.lead),
        tuple((plain(section.heading), rendered(section.markdown)) for section in summary.sections),
        tuple(plain(text) for _, text in summary.footnotes),
    )
    decisions = tuple(_decision(decision) for decision in summary.decisions)
    brief_html, brief_text = _brief(parts, _points(summary, parts, decisions))
    full_html, full_text = _full(parts)
    return Condensed(
        headline=_headline(summary),
        lead=_shortened(harmless(parts.lead.words, ""), MAX_LEAD),
        brief_html=brief_html,
        brief_text=brief_text,
        full_html=full_html,
        full_text=full_text,
        questions=_plain_lines(summary.questions),
        topics=_lines(summary.topics),
        decisions=decisions,
        attendees=tuple(_attendee(a) for a in summary.attendees),
        documents=tuple(_document(d) for d in summary.documents if is_web_address(d.url)),
        origin=summary.origin,
        language=summary.language,
        search_text=_search_text(summary, full_text),
    )


def _headline(summary: Summary) -> str:
    questions = _plain_lines(summary.questions)
    return questions[0] if questions else plain(summary.title or "") or _line(summary.committee)


def _points(summary: Summary, parts: _Parts, decisions: tuple[Decision, ...]) -> tuple[KeyPoint, ...]:
    said = (parts.lead.words, *(decision.text for decision in decisions), *summary.questions)
    points = key_points([(heading, section.blocks) for heading, section in parts.sections], said=said)
    return tuple(replace(point, words=_shortened(point.words, MAX_POINT)) for point in points)


# --- the two lengths -----------------------------------------------------------------------------------


def _brief(parts: _Parts, points: tuple[KeyPoint, ...]) -> tuple[str, str]:
    """Lead and key points, with the notes they refer to."""
    shown = _Renumbered(parts.notes)
    lead = _short_lead(parts.lead)
    html, text = shown.take(lead.html), [shown.take(lead.text)]
    taken = [replace(point, words=shown.take(point.words)) for point in points]
    text += [_points_text(taken), shown.text()]
    return harmless(html + _points_html(taken) + shown.html(), _RAISED), _text(text)


def _full(parts: _Parts) -> tuple[str, str]:
    """Everything, each section under its heading, the notes at the end."""
    shown = _Renumbered(parts.notes)
    html, text = [shown.take(parts.lead.html)], [shown.take(parts.lead.text)]
    for heading, section in parts.sections:
        html += [f"<h4>{escaped(heading)}</h4>" if heading else "", shown.take(section.html)]
        text += [f"{heading}\n{'-' * min(len(heading), 60)}" if heading else "", shown.take(section.text)]
    shown.take_rest()
    return harmless("".join([*html, shown.html()]), _RAISED), _text([*text, shown.text()])


def _short_lead(lead: Rendered) -> Rendered:
    if len(lead.words) <= MAX_LEAD:
        return lead
    words = _shortened(lead.words, MAX_LEAD)
    return replace(lead, html=f"<p>{escaped(words)}</p>", text=words)


def _text(parts: list[str]) -> str:
    return harmless("\n\n".join(filter(None, parts)), "[{}]")


def _points_html(points: list[KeyPoint]) -> str:
    labels = [f"<strong>{escaped(point.label)}:</strong> " if point.label else "" for point in points]
    items = (f"<li>{label}{escaped(p.words)}</li>" for label, p in zip(labels, points, strict=True))
    return f"<ul>{''.join(items)}</ul>" if points else ""


def _points_text(points: list[KeyPoint]) -> str:
    return "\n".join(f"- {point.label + ': ' if point.label else ''}{point.words}" for point in points)


class _Renumbered:
    """The footnotes of one length, numbered from 1 in the order in which its text refers to them."""

    def __init__(self, notes: tuple[str, ...]) -> None:
        self._notes = dict(enumerate(notes, 1))
        self._numbers: dict[int, int] = {}

    def take(self, text: str) -> str:
        """The text with its marks renumbered; marks of notes that do not exist are dropped."""
        for number in numbers_in(text):
            if number in self._notes:
                self._numbers.setdefault(number, len(self._numbers) + 1)
        return renumbered(text, self._numbers)

    def take_rest(self) -> None:
        """Show also the notes that no text refers to."""
        for number in self._notes:
            self._numbers.setdefault(number, len(self._numbers) + 1)

    def html(self) -> str:
        """The notes, a paragraph each, or nothing."""
        shown = (f"<p><sup>{n}</sup> {escaped(self._notes[old])}</p>" for old, n in self._numbers.items())
        return "".join(shown)

    def text(self) -> str:
        """The notes, a line each, or nothing."""
        return "\n".join(f"[{n}] {self._notes[old]}" for old, n in self._numbers.items())


# --- single values -----------------------------------------------------------------------------------------


def _line(text: str) -> str:
    return harmless(tidy_line(without_references(text[:MAX_LINE])), "").strip()


def _lines(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(line for text in texts if (line := _line(text)))


def _plain_lines(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(line for text in texts if (line := plain(text)))


def _optional(text: str | None) -> str | None:
    return _line(text) or None if text is not None else None


def _decision(decision: Decision) -> Decision:
    return Decision(plain(decision.text), _optional(decision.outcome), _optional(decision.item))


def _attendee(one: Attendee) -> Attendee:
    return Attendee(_line(one.name), _optional(one.role), _optional(one.party), _optional(one.ward))


def _document(document: Document) -> Document:
    return Document(document.kind, _line(document.title), document.url)


def _search_text(summary: Summary, full_text: str) -> str:
    """Every word a keyword may be about: committee, title, topics, questions, people, papers, text."""
    people = [" ".join(filter(None, (a.name, a.role, a.party, a.ward))) for a in summary.attendees]
    papers = [d.title for d in summary.documents]
    decisions = [" ".join(filter(None, (d.item, d.text, d.outcome))) for d in summary.decisions]
    rest = (summary.committee, summary.title or "", *summary.topics, *summary.questions, *decisions, *people)
    return "\n".join([*_lines((*rest, *papers)), full_text])


# --- bounds ------------------------------------------------------------------------------------------------


def _within_bounds(summary: Summary) -> Summary:
    """The summary with at most ``MAX_TOTAL`` characters of text; a stored one is never that long."""
    left = MAX_TOTAL
    kept: list[Section] = []
    lead = bounded(summary.lead)
    left -= len(lead)
    for section in summary.sections:
        if left <= 0:
            break
        markdown = bounded(section.markdown)[:left]
        kept.append(Section(_line(section.heading)[:300], markdown))
        left -= len(markdown)
    notes = tuple((label, text[:MAX_LINE]) for label, text in summary.footnotes[:200])
    return replace(summary, lead=lead, sections=tuple(kept), footnotes=notes)


def _shortened(text: str, limit: int) -> str:
    """Plain text cut at a word, with "…"."""
    if len(text) <= limit:
        return text
    return f"{text[:limit].rsplit(' ', 1)[0].rstrip(' ,;:.')}…"
