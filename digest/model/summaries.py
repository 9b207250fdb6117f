"""Summaries of meetings, as stored and as condensed for letters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from digest.model.meetings import Attendee, Decision, Document
from digest.model.text import fingerprint_of
from digest.model.words import Origin


@dataclass(frozen=True, slots=True)
class Section:
    """One ``##`` section of a summary: its heading ("" for the lead) and cleaned Markdown."""

    heading: str
    markdown: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary as read from a file or the API, before it is stored.

    ``committee`` and ``starts_at`` (aware; None when only ``starts_on``) find the meeting when
    ``url`` does not. ``lead`` is the first paragraph in Markdown, ``sections`` the rest; footnotes are
    already folded into ``footnotes`` (label, text), never left as markup.
    """

    council: str
    committee: str
    starts_at: datetime | None
    starts_on: date
    origin: Origin
    lead: str
    sections: tuple[Section, ...] = ()
    title: str | None = None
    url: str | None = None
    video_url: str | None = None
    source_id: str | None = None
    language: str = "en"
    model: str | None = None
    questions: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    attendees: tuple[Attendee, ...] = ()
    documents: tuple[Document, ...] = ()
    decisions: tuple[Decision, ...] = ()
    footnotes: tuple[tuple[str, str], ...] = ()

    @property
    def fingerprint(self) -> str:
        """Same content, same fingerprint (sha256, hex)."""
        return fingerprint_of(repr(self))


@dataclass(frozen=True, slots=True)
class Condensed:
    """A summary made ready for letters, once per version: sanitised HTML and plain text per detail.

    ``html``/``text`` hold the body *after* the headline: brief = lead and up to four key points,
    full = everything. ``headline`` is plain text (the hook question, else the title); ``lead`` plain.
    """

    headline: str
    lead: str
    brief_html: str
    brief_text: str
    full_html: str
    full_text: str
    questions: tuple[str, ...]
    topics: tuple[str, ...]
    decisions: tuple[Decision, ...]
    attendees: tuple[Attendee, ...]
    documents: tuple[Document, ...]
    origin: Origin
    language: str
    search_text: str
