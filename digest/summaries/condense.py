"""A summary made ready for letters once per version: headline, brief and full, as HTML and as text.

Whatever the source holds comes out bounded and harmless; the same summary always gives the same bytes.
"""

from __future__ import annotations

from dataclasses import replace

from digest.model import Attendee, Condensed, Decision, Document, Section, Summary
from digest.summaries.clean import tidy_line
from digest.summaries.fields import is_web_address
from digest.summaries.footnotes import mark_of, numbers_in, replace_marks
from digest.summaries.keypoints import KeyPoint, key_points
from digest.summaries.markdown import blocks, bounded, escaped, harmless, html_of, plain, text_of

MAX_TOTAL = 100_000  # characters of Markdown in one summary
MAX_LEAD = 1_500  # a longer "first paragraph" is a whole text without paragraphs
MAX_POINT = 500


def condense(summary: Summary) -> Condensed:
    """What letters say of a summary. Twice the same summary gives the same value."""
    summary = _within_bounds(summary)
    points = _points(summary)
    lead = _shortened(plain(summary.lead), MAX_LEAD)
    brief = _brief(summary, points)
    full = _full(summary)
    return Condensed(
        headline=_headline(summary),
        lead=lead,
        brief_html=brief[0],
        brief_text=brief[1],
        full_html=full[0],
        full_text=full[1],
        questions=_lines(summary.questions),
        topics=_lines(summary.topics),
        decisions=tuple(_decision(d) for d in summary.decisions),
        attendees=tuple(_attendee(a) for a in summary.attendees),
        documents=tuple(_document(d) for d in summary.documents if is_web_address(d.url)),
        origin=summary.origin,
        language=summary.language,
        search_text=_search_text(summary, full[1]),
    )


def _headline(summary: Summary) -> str:
    questions = _lines(summary.questions)
    return questions[0] if questions else _line(summary.title or "") or _line(summary.committee)


def _points(summary: Summary) -> tuple[KeyPoint, ...]:
    said = (plain(summary.lead), *(plain(d.text) for d in summary.decisions), *summary.questions)
    points = key_points([list(blocks(s.markdown)) for s in summary.sections], said=said)
    return tuple(replace(point, words=_shortened(point.words, MAX_POINT)) for point in points)


# --- the two lengths -----------------------------------------------------------------------------------


def _brief(summary: Summary, points: tuple[KeyPoint, ...]) -> tuple[str, str]:
    """Lead and key points, with the notes they refer to."""
    shown = _Renumbered(summary.footnotes)
    lead = shown.take(_shortened_markdown(summary.lead))
    taken = [replace(point, words=shown.take(point.words)) for point in points]
    html = html_of(lead) + _points_html(taken) + shown.html()
    text = "\n\n".join(filter(None, (text_of(lead), _points_text(taken), shown.text())))
    return html, text


def _full(summary: Summary) -> tuple[str, str]:
    """Everything, each section under its heading, the notes at the end."""
    shown = _Renumbered(summary.footnotes)
    lead = shown.take(summary.lead)
    html, text = [html_of(lead)], [text_of(lead)]
    for section in summary.sections:
        body = shown.take(section.markdown)
        heading = plain(section.heading)
        html += [f"<h4>{escaped(heading)}</h4>" if heading else "", html_of(body)]
        text += [f"{heading}\n{'-' * min(len(heading), 60)}" if heading else "", text_of(body)]
    shown.take_rest()
    return "".join([*html, shown.html()]), "\n\n".join(filter(None, [*text, shown.text()]))


def _points_html(points: list[KeyPoint]) -> str:
    items = "".join(
        f"<li>{f'<strong>{escaped(p.label)}:</strong> ' if p.label else ''}{escaped(p.words)}</li>"
        for p in points
    )
    return f"<ul>{items}</ul>" if items else ""


def _points_text(points: list[KeyPoint]) -> str:
    return "\n".join(harmless(f"- {p.label + ': ' if p.label else ''}{p.words}", "[{}]") for p in points)


class _Renumbered:
    """The footnotes of one length, numbered from 1 in the order in which its text refers to them."""

    def __init__(self, footnotes: tuple[tuple[str, str], ...]) -> None:
        self._texts = dict(enumerate((text for _, text in footnotes), 1))
        self._numbers: dict[int, int] = {}

    def take(self, markdown: str) -> str:
        """The text with its marks renumbered; marks of notes that do not exist are dropped."""
        for number in numbers_in(markdown):
            if number in self._texts:
                self._numbers.setdefault(number, len(self._numbers) + 1)
        for number in numbers_in(markdown):
            markdown = markdown.replace(mark_of(number), f"\ue000{self._numbers.get(number, 0)}\ue001")
        for new in sorted({*self._numbers.values(), 0}):
            markdown = markdown.replace(f"\ue000{new}\ue001", mark_of(new) if new else "")
        return markdown

    def take_rest(self) -> None:
        """Show also the notes that no text refers to."""
        for number in self._texts:
            self._numbers.setdefault(number, len(self._numbers) + 1)

    def html(self) -> str:
        """The notes, a paragraph each, or nothing."""
        return "".join(f"<p><sup>{n}</sup> {escaped(words)}</p>" for n, words in self._notes())

    def text(self) -> str:
        """The notes, a line each, or nothing."""
        return "\n".join(f"[{n}] {words}" for n, words in self._notes())

    def _notes(self) -> list[tuple[int, str]]:
        return [(new, plain(self._texts[old])) for old, new in self._numbers.items()]


# --- single values -----------------------------------------------------------------------------------------


def _line(text: str) -> str:
    return harmless(tidy_line(replace_marks(text[:4_000], "")), "")


def _lines(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(line for text in texts if (line := _line(text)))


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
    notes = tuple((label, text[:4_000]) for label, text in summary.footnotes[:200])
    return replace(summary, lead=lead, sections=tuple(kept), footnotes=notes)


def _shortened(text: str, limit: int) -> str:
    """Plain text cut at a word, with "…"."""
    if len(text) <= limit:
        return text
    return f"{text[:limit].rsplit(' ', 1)[0].rstrip(' ,;:.')}…"


def _shortened_markdown(markdown: str) -> str:
    """The lead for the brief: as it is, or its plain words where it is far too long."""
    return markdown if len(markdown) <= MAX_LEAD else _shortened(plain(markdown), MAX_LEAD)
