"""Notices: the short letters about a subscription itself, each with its text twin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from markupsafe import Markup

from digest.errors import RenderError
from digest.model import (
    Council,
    Detail,
    Entry,
    Format,
    LineKind,
    Meeting,
    MeetingStatus,
    Page,
    Place,
    RunKind,
)
from digest.render import sentences, tags
from digest.render.page import FILLER, shell_of
from digest.render.plain import many_lines, one_line, shortened, tidy
from digest.render.printed import Pieces
from digest.render.samples import NOTICES, TAG_NAMES
from digest.render.skeleton import Skeleton
from digest.render.subject import MAX_SUBJECT, line_of, preheader_from
from digest.render.views import ItemView, day_of, item_view, named, when_of
from digest.render.words import Language, local
from digest.summaries.markdown import harmless, rendered

MAX_WORDS_BYTES = 20_000  # of an operator's own words in a notice


@dataclass(frozen=True, slots=True)
class NoticeFacts:
    """What a notice is about. Personal links are tags (``tags.values_for``); its button is the action link.

    ``councils`` are those concerned (confirm, welcome, supported); ``schedule`` is spoken in the reader's
    language ("on Sundays at 7am"), or made from ``first_at``, the first letter's instant; ``meeting`` with
    its ``why`` is for ``cancelled_meeting``, first of ``councils`` its own, ``before`` what was announced
    where it has moved; ``title`` and ``paragraphs`` are an operator's words (``service``, or a line added to
    another notice), ``markdown`` those of a ``service`` notice with links and lists.
    """

    as_of: datetime
    language: str = "en"
    format: Format = Format.HTML
    timezone: str = "Europe/London"
    councils: tuple[Council, ...] = ()
    schedule: str = ""
    meeting: Meeting | None = None
    why: str | None = None
    title: str = ""
    paragraphs: tuple[str, ...] = ()
    first_at: datetime | None = None
    before: Meeting | None = None
    markdown: str = ""


def render_notice(kind: RunKind, facts: NoticeFacts, skeleton: Skeleton) -> Page:
    """One notice as a Page with tags.

    Raises: RenderError when the kind is no notice, or a fact it cannot do without is missing.
    """
    _check(kind, facts)
    tongue = skeleton.tongue(facts.language)
    language = tongue.language
    part = tongue.parts[f"notices/{kind}"]
    item = _item(facts, skeleton, language)
    common = {"lang": language.code, "publication": skeleton.publication, "tags": TAG_NAMES}
    councils = sentences.council_names(facts.councils, language)
    message = tuple(tags.neutralise(words) for p in facts.paragraphs if (words := many_lines(p).strip()))
    context: Mapping[str, Any] = {
        **common,
        "councils": councils,
        "schedule": tags.neutralise(named(facts.schedule or _first(facts, language))),
        "message": message,
        **_own_words(facts, skeleton),
        "item": item,
    }
    dated = language.day(local(facts.as_of, facts.timezone).date())
    subject = _subject(kind, facts, language, councils)
    shell = {
        **common,
        "subject": subject,
        "preheader": _preheader(kind, language, subject, dated),
        "filler": FILLER,
        "dated": dated,
        "opening": "",
        "why": _why(kind, language),
        "has_ai": False,
        "imprint": skeleton.imprint,
        "is_shared": False,
        "support_line": skeleton.publication.support_line,
        "is_digest": kind not in _UNSETTLED,
    }
    said = Pieces([part.html.render(context)], [tidy(part.text.render(context))])
    return shell_of(tongue, shell, format=facts.format).around(said).whole()


# To people who have not confirmed: there is no digest yet to change or to leave.
_UNSETTLED = (RunKind.CONFIRM, RunKind.ADDRESS)


def _check(kind: RunKind, facts: NoticeFacts) -> None:
    if kind not in NOTICES:
        raise RenderError(f"{kind} is no notice: one of {', '.join(NOTICES)}")
    if kind is RunKind.CANCELLED_MEETING and (facts.meeting is None or not facts.councils):
        raise RenderError("a notice of a cancelled meeting needs the meeting and its council")
    if kind is RunKind.SERVICE and not (facts.title and (facts.paragraphs or facts.markdown.strip())):
        raise RenderError("a service notice needs a title and at least one paragraph")
    size = sum(len(p.encode("utf-8", "replace")) for p in (*facts.paragraphs, facts.markdown))
    if size > MAX_WORDS_BYTES:
        raise RenderError(
            f"a notice says at most {MAX_WORDS_BYTES} bytes in its own words, not {size}: put the rest on a "
            f"page, "
            "and link to it"
        )
    if kind in (RunKind.CONFIRM, RunKind.SUPPORTED) and not facts.councils:
        raise RenderError(f"a {kind} notice needs the councils it is about")


def _first(facts: NoticeFacts, language: Language) -> str:
    """When the first letter comes, on the reader's clock; "" when that is not known."""
    if facts.first_at is None:
        return ""
    at = local(facts.first_at, facts.timezone)
    return language("on %(day)s at %(time)s", day=language.day(at.date()), time=language.time(at))


def _own_words(facts: NoticeFacts, skeleton: Skeleton) -> dict[str, Any]:
    """An operator's Markdown through the sanitiser of the summaries, with the letter's styles."""
    shown = rendered(facts.markdown)
    html = tags.neutralise_html(harmless(shown.html, "<sup>{}</sup>"))
    return {
        "body": Markup(skeleton.dressed(html)),  # noqa: S704 - sanitised by ``rendered``
        "body_text": tags.neutralise(harmless(shown.text, "[{}]")),
    }


def _why(kind: RunKind, language: Language) -> tuple[str, ...]:
    if kind is not RunKind.CANCELLED_MEETING:
        return ()
    return (language("You asked to be told at once when a meeting that we announced is cancelled or moved."),)


def _item(facts: NoticeFacts, skeleton: Skeleton, language: Language) -> ItemView | None:
    if facts.meeting is None or not facts.councils:
        return None
    entry = Entry(
        item=f"meeting:{facts.meeting.id}",
        version=1,
        seqs=(),
        place=Place.CHANGED,
        line_kind=LineKind.MEETING_CHANGED if facts.before else LineKind.MEETING_CANCELLED,
        council=facts.councils[0],
        meeting=facts.meeting,
        detail=Detail.BRIEF,
        why=facts.why,
        before=facts.before,
    )
    view = item_view(
        entry,
        detail=Detail.BRIEF,
        language=language,
        base_url=skeleton.base_url,
        year=facts.as_of.year,
        dressed=skeleton.dressed,
    )
    safe: dict[str, Any] = {
        f.name: tags.neutralise(value)
        for f in fields(view)
        if isinstance(value := getattr(view, f.name), str) and not isinstance(value, Markup)
    }
    return replace(view, **safe)


def _subject(kind: RunKind, facts: NoticeFacts, language: Language, councils: str) -> str:
    if kind is RunKind.SERVICE:
        return line_of(facts.title)
    if kind is RunKind.CANCELLED_MEETING and facts.meeting is not None:
        on = day_of(facts.meeting)
        day = f", {language.short_day(on)}" if on else ""
        words = _what_became(facts, facts.meeting, language)
        return line_of(shortened(one_line(words), MAX_SUBJECT - len(day)) + day)
    return line_of(
        {
            RunKind.CONFIRM: language("Please confirm: your digest of %(councils)s", councils=councils),
            RunKind.WELCOME: language("Welcome: your digest of %(councils)s", councils=councils),
            RunKind.LINK: language("Your link to your choices"),
            RunKind.ADDRESS: language("Please confirm your new address"),
            RunKind.SUPPORTED: language("Now with summaries: %(councils)s", councils=councils),
            RunKind.MOVE: language("Please confirm a change of address"),
            RunKind.EXPORT: language("What is stored about you"),
            RunKind.ERASE: language("Please confirm: forget all about you"),
        }[kind]
    )


def _what_became(facts: NoticeFacts, meeting: Meeting, language: Language) -> str:
    name = meeting.committee
    if meeting.status is MeetingStatus.POSTPONED:
        return language("Postponed: %(meeting)s", meeting=name)
    if facts.before is None or meeting.status is MeetingStatus.CANCELLED:
        return language("Cancelled: %(meeting)s", meeting=name)
    if when_of(facts.before, language, year=0) == when_of(meeting, language, year=0):
        return language("Takes place: %(meeting)s", meeting=name)
    return language("Moved: %(meeting)s", meeting=name)


def _preheader(kind: RunKind, language: Language, subject: str, dated: str) -> str:
    first = {
        RunKind.CONFIRM: language("One click, and the digest comes. If it was not you, do nothing."),
        RunKind.WELCOME: language("What was decided, what is coming up, and why each item is there."),
        RunKind.LINK: language("It is yours alone: please do not pass it on to anybody."),
        RunKind.ADDRESS: language("One click, and the digest comes here. If it was not you, do nothing."),
        RunKind.SUPPORTED: language("Summaries of what was decided come with your next letter."),
        RunKind.MOVE: language("One click, and we write to the new address. If it was not you, do nothing."),
        RunKind.EXPORT: language("One click shows it. It is yours alone: please do not pass it on."),
        RunKind.ERASE: language("One click, and it is forgotten for good. If it was not you, do nothing."),
    }.get(kind, subject)
    return preheader_from([first, language("A notice about your digest, %(day)s.", day=dated)])
