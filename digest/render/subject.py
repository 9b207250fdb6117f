"""Subject and preheader: what is inside, in one line each, safe and never cut in a word."""

from __future__ import annotations

from digest.model import Edition, Entry, LineKind, Place
from digest.render.plain import one_line, shortened
from digest.render.sentences import council_names
from digest.render.tags import neutralise
from digest.render.views import day_of, heading_of, kind_of, named
from digest.render.words import Language

MAX_SUBJECT = 70
MIN_PREHEADER = 40
MAX_PREHEADER = 100


def subject_of(edition: Edition, language: Language, *, dated: str) -> str:
    """At most 70 characters: the top item's question first, else what is coming up, else the date."""
    top = _top(edition.entries)
    return neutralise(shortened(one_line(_subject(edition, top, language, dated)), MAX_SUBJECT))


def preheader_of(edition: Edition, language: Language, *, dated: str, subject: str, opening: str) -> str:
    """40 to 100 characters that carry on where the subject ends, from the letter's opening line on."""
    sentences = [opening]
    sentences += [h for e in edition.entries[1:4] if (h := heading_of(e)) and h not in subject]
    sentences.append(language("Your digest of %(day)s, with links to everything.", day=dated))
    return preheader_from(sentences)


def preheader_from(sentences: list[str]) -> str:
    """As many of the sentences as make a preheader of 40 to 100 characters."""
    line = ""
    for sentence in sentences:
        if len(line) >= MIN_PREHEADER:
            break
        joint = "" if not line else (" " if line[-1] in ".?!…" else ". ")
        line = one_line(line + joint + sentence)
    return neutralise(shortened(line, MAX_PREHEADER))


def line_of(text: str) -> str:
    """Any text as a subject: one safe line of at most 70 characters."""
    return neutralise(shortened(one_line(text), MAX_SUBJECT))


def _top(entries: tuple[Entry, ...]) -> Entry | None:
    new = [entry for entry in entries if entry.seqs]
    for place in Place:
        if found := next((entry for entry in new if entry.place is place), None):
            return found
    return entries[0] if entries else None


def _subject(edition: Edition, top: Entry | None, language: Language, dated: str) -> str:
    if top is None or (edition.is_quiet and not top.seqs):
        councils = council_names(edition.councils, language)
        text = language("%(day)s: a quiet time at %(councils)s", day=dated, councils=councils)
        return (
            text
            if edition.is_quiet
            else language("%(day)s: news from %(councils)s", day=dated, councils=councils)
        )
    if top.place is Place.DECIDED and top.line_kind is LineKind.SUMMARY:
        return _with_rest(heading_of(top), edition, language)
    return _about(top, language)


def _with_rest(question: str, edition: Edition, language: Language) -> str:
    """The question, and how much else there is where that fits."""
    rest = len(edition.entries) - 1 + sum(len(folded.items) for folded in edition.folded)
    if rest < 1:
        return question
    longer = question + " " + language.count("And one more", "And %(n)d more", rest)
    return longer if len(one_line(longer)) <= MAX_SUBJECT and question[-1:] in "?!." else question


def _about(entry: Entry, language: Language) -> str:
    what = {
        "correction": language("Corrected"),
        "withdrawal": language("Withdrawn"),
        "cancelled": language("Cancelled"),
        "postponed": language("Postponed"),
        "changed": language("Changed"),
        "papers": language("Papers"),
        "coming_up": language("Coming up"),
        "decided": language("What was decided"),
    }[kind_of(entry)]
    on = day_of(entry.meeting)
    day = f", {language.short_day(on)}" if on else ""
    room = MAX_SUBJECT - len(what) - len(day) - 2
    name = entry.meeting.committee if entry.place is not Place.CORRECTED else heading_of(entry)
    return f"{what}: {shortened(named(name), room)}{day}"
