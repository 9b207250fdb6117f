"""Meetings and summaries as the public pages show them: plain words, written dates, checked links.

Every field is plain text unless it says Markup; the templates escape. Empty means "say nothing".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from markupsafe import Markup

from digest.model import Attendee, Condensed, Document, DocumentKind, Meeting, MeetingStatus, Origin, name_key
from digest.render.plain import many_lines, one_line, shortened
from digest.render.views import (
    MAX_HEADLINE,
    DecisionView,
    DocumentView,
    day_of,
    document_label,
    human_title,
    named,
    web_address,
    when_of,
)
from digest.render.words import Language, language_name, local, message
from digest.store.reading import Mark, Told, Whole

MAX_LEAD = 280
"""Characters of a summary's beginning in a list."""
_STATUS = {
    MeetingStatus.PROVISIONAL: message("Provisional"),
    MeetingStatus.CANCELLED: message("Cancelled"),
    MeetingStatus.POSTPONED: message("Postponed"),
}


@dataclass(frozen=True, slots=True)
class Card:
    """One line of a list. ``lang``: the language of its words where it is not the page's."""

    id: int
    heading: str
    committee: str
    when: str
    time: str
    weekday: str
    day: str
    month: str
    venue: str
    status: str
    lead: str
    is_ai: bool
    lang: str


@dataclass(frozen=True, slots=True)
class Person:
    """Who was there; each fact empty where the source names none."""

    name: str
    role: str
    party: str
    ward: str


@dataclass(frozen=True, slots=True)
class Papers:
    """The documents of one kind, under the name of the kind."""

    label: str
    documents: tuple[DocumentView, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A summary whole. ``body`` is Markup, sanitised when the summary was condensed."""

    headline: str
    questions: tuple[str, ...]
    body: Markup
    decisions: tuple[DecisionView, ...]
    people: tuple[Person, ...]
    topics: tuple[str, ...]
    is_ai: bool
    lang: str
    others: tuple[tuple[str, str], ...]
    corrected: str
    missing: str


def card_of(told: Told, language: Language, *, year: int) -> Card:
    """One meeting of a list; ``year`` is the present one, left out of dates."""
    meeting, summary = told.meeting, text_in(told.summaries, language.code)
    on = day_of(meeting)
    weekday, day, month = language.tile(on) if on else ("", "", "")
    headline = one_line(summary.headline) if summary else ""
    return Card(
        id=meeting.id,
        heading=shortened(headline, MAX_HEADLINE) or title_of(meeting),
        committee=named(meeting.committee),
        when=when_of(meeting, language, year=year) or language("Date to come"),
        time=language.time(local(meeting.starts_at, meeting.timezone)) if meeting.starts_at else "",
        weekday=weekday,
        day=day,
        month=month,
        venue=named(meeting.venue or ""),
        status=status_of(meeting, language),
        lead=shortened(one_line(summary.lead), MAX_LEAD) if summary else "",
        is_ai=summary is not None and summary.origin is Origin.AI,
        lang=summary.language if summary and summary.language != language.code else "",
    )


def text_of(whole: Whole, language: Language, *, asked: str | None, year: int) -> Text | None:
    """The summary in the language asked for, else the page's, else the first; None where none is public."""
    summary = text_in(whole.told.summaries, asked or language.code)
    if summary is None:
        return None
    languages = [one.language for one in whole.told.summaries]
    version = next((v for v in whole.versions if v.language == summary.language), None)
    corrected = ""
    if version is not None and version.is_correction:
        on = local(version.at, whole.council.timezone).date()
        corrected = language.short_day(on, with_year=on.year != year)
    return Text(
        headline=shortened(one_line(summary.headline), MAX_HEADLINE),
        questions=tuple(one_line(q) for q in summary.questions[1:]),
        body=body_of(summary),
        decisions=tuple(
            DecisionView(one_line(d.text), named(d.item or ""), named(d.outcome or ""))
            for d in summary.decisions
        ),
        people=tuple(_person(one) for one in summary.attendees),
        topics=tuple(named(topic) for topic in summary.topics),
        is_ai=summary.origin is Origin.AI,
        lang=summary.language if summary.language != language.code else "",
        others=tuple((c, language_name(c, c)) for c in languages if c != summary.language),
        corrected=corrected,
        missing="" if language.code in languages else language_name(language.code, language.code),
    )


def text_in(summaries: Sequence[Condensed], code: str) -> Condensed | None:
    """The summary in that language, else the first there is."""
    return next((one for one in summaries if one.language == code), summaries[0] if summaries else None)


def body_of(summary: Condensed) -> Markup:
    """A summary's whole text with headings that follow the page's, and links that vouch for nothing."""
    html = many_lines(summary.full_html).replace("<h4>", "<h3>").replace("</h4>", "</h3>")
    html = html.replace("<a href=", '<a rel="nofollow noopener" href=')
    return Markup(html)  # noqa: S704 - sanitised once, when the summary was condensed


def papers_of(documents: Sequence[Document], language: Language) -> tuple[Papers, ...]:
    """All documents with a name and a web address, by kind in the order residents look for them."""
    usable = [d for d in documents if web_address(d.url) and one_line(d.title)]
    found = []
    for kind in DocumentKind:
        of_kind = [d for d in usable if d.kind is kind]
        if of_kind:
            views = tuple(DocumentView("", human_title(d.title), d.url) for d in of_kind)
            found.append(Papers(document_label(kind, language), views))
    return tuple(found)


def title_of(meeting: Meeting) -> str:
    """What the meeting is called: its title, or its committee where the title only adds the day to that.

    Many councils' titles read "Cabinet - Tuesday, 16th September, 2025 6.00 pm"; the day stands beside it.
    """
    title, committee = one_line(meeting.title), one_line(meeting.committee)
    is_dated = meeting.starts_on is not None and str(meeting.starts_on.year) in title
    if not title or (committee and is_dated and name_key(title).startswith(name_key(committee))):
        title = committee
    return shortened(title, MAX_HEADLINE)


def status_of(meeting: Meeting, language: Language) -> str:
    """What is unusual about a meeting, in one word, never by colour alone."""
    return language(_STATUS[meeting.status]) if meeting.status in _STATUS else ""


def _person(one: Attendee) -> Person:
    return Person(named(one.name), named(one.role or ""), named(one.party or ""), named(one.ward or ""))


# --- where a list goes on ---------------------------------------------------------------------------------


def mark_text(mark: Mark | None) -> str:
    """A mark as it stands in an address: "2025-09-03.17"; "" for none."""
    return "" if mark is None else f"{mark.on.isoformat()}.{mark.id}"


def mark_from(text: str) -> Mark | None:
    """The mark that ``mark_text`` wrote; None for "". Raises: ValueError."""
    if not text:
        return None
    day, _, id_ = text.partition(".")
    if not (id_.isascii() and id_.isdigit() and len(id_) <= 18):
        raise ValueError(f"{text!r} is no place in a list")
    return Mark(date.fromisoformat(day), int(id_))


def here_and_now(now: datetime, timezone: str) -> date:
    """The council's own day."""
    return local(now, timezone).date()
