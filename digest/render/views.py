"""What the templates see of an entry: words already chosen, dates already written, links already checked.

A template (ours or an operator's) loops and tests, no more. Every field is plain text unless it says Markup;
autoescape does the rest. Empty text and empty tuples mean "say nothing".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import quote

from markupsafe import Markup

from digest.model import (
    Attendee,
    Decision,
    Detail,
    Document,
    DocumentKind,
    Entry,
    LineKind,
    Meeting,
    MeetingStatus,
    Origin,
    Place,
    name_key,
)
from digest.render.plain import many_lines, one_line, shortened
from digest.render.words import Language, language_name, local

# Third-party names longer than this are no names; the whole text is one link away.
MAX_NAME = 160
MAX_HEADLINE = 240
MAX_DECISIONS = {Detail.HEADLINE: 0, Detail.BRIEF: 5, Detail.FULL: 40}
MAX_DOCUMENTS = {Detail.HEADLINE: 0, Detail.BRIEF: 6, Detail.FULL: 40}
MAX_ATTENDEES = {Detail.HEADLINE: 0, Detail.BRIEF: 0, Detail.FULL: 40}
_MAX_URL = 1000
_WEB_ADDRESS = re.compile(r"(?i:https?://)[^\s\x00-\x20]+")
_FILE_ENDING = re.compile(r"\.(pdf|docx?|xlsx?|pptx?|odt|html?)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link and the words that say where it leads."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class DocumentView:
    """One document by its human name; ``label`` names its kind, empty where the name itself does."""

    label: str
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class DecisionView:
    """One decision: what was decided, on which item, how it ended."""

    text: str
    item: str
    outcome: str


@dataclass(frozen=True, slots=True)
class AttendeeView:
    """Who was there, and their role, party and ward as one phrase ("" where the source names none)."""

    name: str
    facts: str


@dataclass(frozen=True, slots=True)
class ItemView:
    """One entry, ready for any of the item parts.

    ``eyebrow`` stands above the heading: council and committee, each only where the heading does not say it.
    ``kind``: decided, correction, withdrawal, cancelled, postponed, changed, papers or coming_up.
    ``calendar_url`` is one meeting as a calendar file. ``less`` follows ``?less=`` after the tag of the
    preferences: less of this committee; empty where nobody should be asked.
    ``content_lang`` is the language of the meeting's own names, ``summary_lang`` that of the summary; each is
    empty where it is the letter's. ``body`` is Markup (sanitised when the summary was condensed).
    """

    kind: str
    eyebrow: str
    heading: str
    url: str
    committee: str
    council: str
    when: str
    time: str
    weekday: str
    day: str
    month: str
    venue: str
    status: str
    before: str
    since: str
    why: str
    is_ai: bool
    is_new: bool
    is_headline: bool
    body: Markup
    body_text: str
    decisions: tuple[DecisionView, ...]
    more_decisions: int
    attendees: tuple[AttendeeView, ...]
    documents: tuple[DocumentView, ...]
    more_documents: int
    agenda_url: str
    video_url: str
    council_url: str
    missing: str
    content_lang: str
    summary_lang: str
    calendar_url: str
    less: str


def item_view(
    entry: Entry,
    *,
    detail: Detail,
    language: Language,
    base_url: str,
    year: int,
    dressed: Callable[[str], str],
) -> ItemView:
    """The entry at this detail in this language; ``year`` is the letter's, left out of its own dates.

    ``dressed`` gives the tags of a summary's HTML the letter's inline styles.
    """
    meeting, summary = entry.meeting, entry.summary
    on = day_of(meeting)
    weekday, day, month = language.tile(on) if on else ("", "", "")
    documents = summary.documents if summary and summary.documents else meeting.documents
    shown_documents, more_documents = _documents(
        documents, MAX_DOCUMENTS[_paper_detail(entry, detail)], language
    )
    decisions = summary.decisions if summary else ()
    shown = decisions[: MAX_DECISIONS[detail]]
    body, body_text = _body(entry, detail)
    content_lang = entry.council.languages[0] if entry.council.languages else ""
    return ItemView(
        kind=kind_of(entry),
        eyebrow=_eyebrow(entry),
        heading=heading_of(entry),
        url=f"{base_url}/meetings/{meeting.id}",
        committee=named(meeting.committee),
        council=named(entry.council.name),
        when=when_of(meeting, language, year=year),
        time=language.time(local(meeting.starts_at, meeting.timezone)) if meeting.starts_at else "",
        weekday=weekday,
        day=day,
        month=month,
        venue=named(meeting.venue or ""),
        status=_status(meeting, language),
        before=when_of(entry.before, language, year=year) if entry.before else "",
        since=_since(entry, language, year),
        why=shortened(one_line(entry.why or ""), MAX_HEADLINE),
        is_ai=summary is not None and summary.origin is Origin.AI,
        is_new=entry.is_new,
        is_headline=detail is Detail.HEADLINE,
        body=Markup(dressed(many_lines(body))),  # noqa: S704 - sanitised once, when the summary was condensed
        body_text=many_lines(body_text),
        decisions=tuple(_decision(d) for d in shown),
        more_decisions=len(decisions) - len(shown) if shown else 0,
        attendees=_attendees(entry, detail, language),
        documents=shown_documents,
        more_documents=more_documents,
        agenda_url=_agenda(meeting.documents),
        video_url=web_address(meeting.video_url),
        council_url=web_address(meeting.url),
        missing=_missing(entry, language),
        content_lang="" if content_lang == language.code else content_lang,
        summary_lang=summary.language if summary and summary.language != language.code else "",
        calendar_url=f"{base_url}/meetings/{meeting.id}/calendar.ics" if on and _is_coming(meeting) else "",
        less=_less(entry),
    )


def kind_of(entry: Entry) -> str:
    """Which of the item parts says this entry."""
    if entry.line_kind is LineKind.WITHDRAWAL:
        return "withdrawal"
    if entry.place is Place.CORRECTED:
        return "correction"
    if entry.place is Place.CHANGED:
        if entry.meeting.status is MeetingStatus.POSTPONED:
            return "postponed"
        cancelled = entry.line_kind is LineKind.MEETING_CANCELLED
        return "cancelled" if cancelled or entry.meeting.status is MeetingStatus.CANCELLED else "changed"
    return str(entry.place)


def heading_of(entry: Entry) -> str:
    """The hook question where the entry has one to ask, else the meeting's title."""
    if entry.summary and entry.line_kind in (LineKind.SUMMARY, LineKind.CORRECTION):
        headline = one_line(entry.summary.headline)
        if headline:
            return shortened(headline, MAX_HEADLINE)
    title = one_line(entry.meeting.title)
    committee = one_line(entry.meeting.committee)
    return shortened(title or committee, MAX_HEADLINE)


def day_of(meeting: Meeting) -> date | None:
    """The meeting's day on the council's calendar."""
    if meeting.starts_at:
        return local(meeting.starts_at, meeting.timezone).date()
    return meeting.starts_on


def when_of(meeting: Meeting, language: Language, *, year: int) -> str:
    """ "Wednesday 3 September, 6pm"; with the year where it is not the letter's; "" when unknown."""
    on = day_of(meeting)
    if on is None:
        return ""
    written = language.day(on, with_year=on.year != year)
    if meeting.starts_at is None:
        return written
    return f"{written}, {language.time(local(meeting.starts_at, meeting.timezone))}"


def named(name: str) -> str:
    """A third-party name as one safe line of a name's length."""
    return shortened(one_line(name), MAX_NAME)


def web_address(url: str | None) -> str:
    """The address when it is a plain http(s) one that may stand in a letter, else ""."""
    return url if url and len(url) <= _MAX_URL and _WEB_ADDRESS.fullmatch(url) else ""


def human_title(title: str) -> str:
    """A document's title without the marks of a file name."""
    title = _FILE_ENDING.sub("", one_line(title))
    return named(title.replace("_", " ") if " " not in title else title)


def document_label(kind: DocumentKind, language: Language) -> str:
    """What a kind of document is called."""
    return {
        DocumentKind.AGENDA: language("Agenda"),
        DocumentKind.REPORTS_PACK: language("Reports pack"),
        DocumentKind.MINUTES: language("Minutes"),
        DocumentKind.DECISIONS: language("Decisions"),
        DocumentKind.ADDITIONAL: language("Further papers"),
    }[kind]


def _eyebrow(entry: Entry) -> str:
    council, committee = named(entry.council.name), named(entry.meeting.committee)
    if name_key(committee) == name_key(heading_of(entry)) or not committee:
        return council
    return f"{council} · {committee}"


def _body(entry: Entry, detail: Detail) -> tuple[str, str]:
    summary = entry.summary
    if summary is None or detail is Detail.HEADLINE or entry.line_kind is LineKind.WITHDRAWAL:
        return "", ""
    if detail is Detail.FULL:
        return summary.full_html, summary.full_text
    return summary.brief_html, summary.brief_text


def _paper_detail(entry: Entry, detail: Detail) -> Detail:
    """Papers are what a papers entry is about: it lists them at any detail but the shortest."""
    if entry.place is Place.PAPERS and detail is not Detail.HEADLINE:
        return Detail.FULL
    return detail


def _documents(
    documents: tuple[Document, ...], limit: int, language: Language
) -> tuple[tuple[DocumentView, ...], int]:
    """As many documents as the detail allows, by kind, and how many more there are."""
    usable = [d for d in documents if web_address(d.url) and one_line(d.title)]
    by_kind = [d for kind in DocumentKind for d in usable if d.kind is kind]
    shown = tuple(_document(d, language) for d in by_kind[:limit])
    return shown, len(by_kind) - len(shown) if shown else 0


def _document(document: Document, language: Language) -> DocumentView:
    label, title = document_label(document.kind, language), human_title(document.title)
    is_said = name_key(label) in name_key(title) or document.kind is DocumentKind.ADDITIONAL
    return DocumentView("" if is_said else label, title, document.url)


def _decision(decision: Decision) -> DecisionView:
    return DecisionView(
        shortened(one_line(decision.text), 600),
        named(decision.item or ""),
        named(decision.outcome or ""),
    )


def _attendees(entry: Entry, detail: Detail, language: Language) -> tuple[AttendeeView, ...]:
    if entry.summary is None or entry.line_kind is LineKind.WITHDRAWAL:
        return ()
    return tuple(_attendee(a) for a in entry.summary.attendees[: MAX_ATTENDEES[detail]])


def _attendee(attendee: Attendee) -> AttendeeView:
    facts = [
        named(fact) for fact in (attendee.role, attendee.party, attendee.ward) if fact and one_line(fact)
    ]
    return AttendeeView(named(attendee.name), ", ".join(facts))


def _agenda(documents: tuple[Document, ...]) -> str:
    return next((u for d in documents if d.kind is DocumentKind.AGENDA and (u := web_address(d.url))), "")


def _status(meeting: Meeting, language: Language) -> str:
    """What is unusual about an upcoming meeting, in words (never by colour alone)."""
    return {
        MeetingStatus.PROVISIONAL: language("Provisional"),
        MeetingStatus.CANCELLED: language("Cancelled"),
        MeetingStatus.POSTPONED: language("Postponed"),
    }.get(meeting.status, "")


def _is_coming(meeting: Meeting) -> bool:
    return meeting.status in (MeetingStatus.SCHEDULED, MeetingStatus.PROVISIONAL)


def _less(entry: Entry) -> str:
    """The choice that "less of this" stands for; what we got wrong is said to whoever was told it."""
    committee = one_line(entry.meeting.committee)[:MAX_NAME]
    if entry.place is Place.CORRECTED or not committee:
        return ""
    return quote(f"committee:{entry.council.slug}/{committee}", safe=":/")


def _since(entry: Entry, language: Language, year: int) -> str:
    if entry.since is None:
        return ""
    on = local(entry.since, entry.council.timezone).date()
    return language.short_day(on, with_year=on.year != year)


def _missing(entry: Entry, language: Language) -> str:
    if not entry.missing_language:
        return ""
    return language(
        "There is no summary in %(language)s yet.",
        language=language_name(entry.missing_language, language.code),
    )


def year_of(as_of: datetime) -> int:
    """The year a letter's dates may leave out."""
    return as_of.year
