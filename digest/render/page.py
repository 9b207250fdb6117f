"""An edition becomes a Page: subject, preheader, HTML and text, with tags in place of everything personal.

The page joins ready fragments: an entry is rendered once for each detail and language, whoever reads it;
only the reader's own reason is laid into its gap. Editions of equal news are printed once, and each gets
its own words (why it comes) laid in.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Any

from markupsafe import Markup, escape

from digest.model import Detail, Edition, Entry, Folded, Format, Origin, Page, Place, Reason
from digest.render import sentences, tags
from digest.render.budget import MAX_BYTES, Fitted, fit
from digest.render.fragment import GAP, OWN_GAP, Fragment, fragment_of
from digest.render.plain import tidy, wrapped
from digest.render.printed import Pieces, Printed, Shell
from digest.render.samples import PART_TAGS, SHELL, TAG_NAMES
from digest.render.skeleton import Skeleton, Tongue
from digest.render.subject import preheader_of, subject_of
from digest.render.views import LinkView, item_view, kind_of, named, year_of
from digest.render.words import Language, local

MAX_CALENDARS = 4
MAX_FOLD_LINES = 4  # councils with a fold line of their own in one place
_STEP_BYTES = 500  # more than the excess is given up, so that few rounds are enough
_PARTS = {
    "decided": "decided", "correction": "decided", "withdrawal": "withdrawal", "changed": "changed",
    "cancelled": "changed", "postponed": "changed", "papers": "papers", "coming_up": "coming_up",
}  # fmt: skip
# All of an entry that its fragment says. Not: the log lines it stands for, and why this reader has it.
SAID_FIELDS = (
    *("item", "version", "place", "line_kind", "council", "meeting", "summary"),
    *("missing_language", "since", "before", "why", "is_new"),
)
_SAID = attrgetter(*SAID_FIELDS)
_LARGER, _TEXT = attrgetter("size_bytes"), attrgetter("text_bytes")
# What one letter's shell says otherwise than another's, but for the line of why.
_SHELL_VARIES = ("subject", "preheader", "dated", "opening", "support_line", "has_ai")
_TEXT_SHELL_BYTES = 4_000  # of a letter in plain text alone; what it takes more is found with the page
# Kept out of previews, so that the letter's first words do not follow the preheader into the inbox list.
FILLER = Markup("&#847;&zwnj;&nbsp;" * 40)  # noqa: S704 - constant


def render_page(edition: Edition, skeleton: Skeleton, *, max_bytes: int = MAX_BYTES) -> Page:
    """The edition as one Page in its profile's language; HTML is None for readers of plain text.

    HTML and text stay within ``max_bytes`` once the tags are replaced. Same edition and skeleton, same page.
    """
    letter = _Letter(edition, skeleton, skeleton.tongue(edition.profile.language), year_of(edition.as_of))
    own = letter.own()
    room = max_bytes
    while True:
        printed = letter.printed(room)
        excess = printed.size_with(own) - max_bytes
        if excess <= 0 or not edition.entries or room <= 0:
            return printed.page(own)
        room -= excess + _STEP_BYTES


@dataclass(frozen=True, slots=True)
class _Letter:
    edition: Edition
    skeleton: Skeleton
    tongue: Tongue
    year: int

    @property
    def has_html(self) -> bool:
        return self.edition.profile.format is Format.HTML

    @property
    def language(self) -> Language:
        return self.tongue.language

    def fitted(self, room_bytes: int) -> Fitted:
        # The shell is taken off here; what the notes take is found with the whole page, in the next round.
        room_bytes -= self.skeleton.shell_bytes if self.has_html else _TEXT_SHELL_BYTES
        fitted = self._fit(room_bytes, has_less=True)
        # A way to get less under every item is worth no words of any.
        return fitted if fitted.is_whole else self._fit(room_bytes, has_less=False)

    def _fit(self, room_bytes: int, *, has_less: bool) -> Fitted:
        return fit(
            self.edition.entries,
            room_bytes=room_bytes,
            size=_LARGER if self.has_html else _TEXT,
            reason=lambda entry: self.reason_of(entry).size_bytes,
            render=partial(self.entry, has_less=has_less),
        )

    def own(self) -> Fragment:
        """The words that only this reader's wishes say."""
        line = sentences.why_line(self.edition.profile, self.edition.councils, self.language)
        return fragment_of(str(escape(line)), wrapped(line))

    def printed(self, room_bytes: int) -> Printed:
        """The page from entries fitted into so much room; from memory where equal news was printed before."""
        news = self.edition.news
        if news is None:
            return self._printed(room_bytes)
        printed = self.skeleton.forms.get((news, room_bytes))
        if printed is None:
            printed = self._printed(room_bytes)
            self.skeleton.forms.keep((news, room_bytes), printed, weight=printed.form.size)
        return printed

    def _printed(self, room_bytes: int) -> Printed:
        fitted, dated = self.fitted(room_bytes), self._dated()
        subject = subject_of(self.edition, self.language, dated=self._day_and_month())
        opening = sentences.opening_line(self.edition, self.language)
        preheader = preheader_of(self.edition, self.language, dated=dated, subject=subject, opening=opening)
        pieces = self._body(fitted)
        context: dict[str, Any] = {
            "subject": subject,
            "preheader": preheader,
            "dated": dated,
            "opening": tags.neutralise(opening),
            # Said once: beside the councils that wait for support, or else at the end.
            "support_line": "" if self.edition.limited else self.skeleton.publication.support_line,
            "has_ai": any(e.summary is not None and e.summary.origin is Origin.AI for e, _ in fitted.shown),
        }
        return self._shell(context).around(pieces)

    def _shell(self, context: dict[str, Any]) -> Shell:
        """The shell, from memory where one was written from the same values."""
        format = self.edition.profile.format
        key = (self.language.code, format, *(context[name] for name in _SHELL_VARIES))
        shell = self.skeleton.shells.get(key)
        if shell is None:
            context |= {
                "lang": self.language.code,
                "publication": self.skeleton.publication,
                "tags": TAG_NAMES,
                "filler": FILLER,
                "why": (Markup(OWN_GAP),),  # noqa: S704 - constant
                "is_digest": True,
                "imprint": self.skeleton.imprint,
                "is_shared": True,
            }
            shell = shell_of(self.tongue, context, format=format)
            self.skeleton.shells.keep(key, shell, weight=len(shell.html or "") + len(shell.text))
        return shell

    def entry(self, entry: Entry, detail: Detail, *, has_less: bool) -> Fragment:
        """The entry's fragment, from memory where an equal entry was rendered before."""
        # Who follows one council need not be told which one under every meeting.
        names_council = len(self.edition.councils) != 1
        return self._of_this(
            entry,
            (detail, names_council, has_less, self.language.code, self.year),
            lambda: self._entry(entry, detail, names_council=names_council, has_less=has_less),
        )

    def reason_of(self, entry: Entry) -> Fragment:
        """Why the entry is there."""
        return self._of_this(entry, ("reason", self.language.code), lambda: self.reason(entry.reasons))

    def _of_this(self, entry: Entry, how: tuple[Hashable, ...], make: Callable[[], Fragment]) -> Fragment:
        """What was made of this very entry, kept with it: editions of a run share them, and to look one up by
        all that it says is slow."""
        key = (self.skeleton.mark, *how)
        made = entry.made.get(key)
        if made is None:
            made = entry.made[key] = make()
        return made

    def _entry(self, entry: Entry, detail: Detail, *, names_council: bool, has_less: bool) -> Fragment:
        said = _SAID(entry)
        key = (said, detail, bool(entry.reasons), names_council, has_less, self.language.code, self.year)
        kept = self.skeleton.fragments.get(key)
        if kept is None:
            view = item_view(
                entry,
                detail=detail,
                language=self.language,
                base_url=self.skeleton.base_url,
                year=self.year,
                dressed=self.skeleton.dressed,
            )
            context = {
                "item": view,
                "names_council": names_council,
                "has_reason": bool(entry.reasons),
                "has_less": has_less and bool(view.less),
                "reason": GAP,
            }
            kept = self._fragment(key, _PARTS[kind_of(entry)], context)
        return kept

    def part(self, name: str, **context: Hashable) -> Fragment:
        """A part of fixed words, from memory where it was rendered with the same words before."""
        key = (name, self.language.code, *context.items())
        return self.skeleton.fragments.get(key) or self._fragment(key, name, context)

    def _fragment(self, key: Hashable, name: str, context: Mapping[str, Any]) -> Fragment:
        part = self.tongue.parts[f"parts/{name}"]
        common = {"lang": self.language.code, "publication": self.skeleton.publication, "tags": PART_TAGS}
        html = tags.unveiled(tags.neutralise_html(part.html.render(common, **context)))
        text = "\n" + tidy(tags.unveiled(tags.neutralise(part.text.render(common, **context))))
        fragment = fragment_of(html, text)
        self.skeleton.fragments.keep(key, fragment, weight=len(html) + len(text))
        return fragment

    def _body(self, fitted: Fitted) -> Pieces:
        pieces = Pieces()
        folded = self._folds(fitted.folded)
        shown: dict[Place, list[tuple[Entry, Fragment]]] = {}
        for entry, fragment in fitted.shown:
            shown.setdefault(entry.place, []).append((entry, fragment))
        if quiet := sentences.quiet_sentences(self.edition, self.language):
            pieces.add(self.part("quiet", sentences=quiet))
        for place in Place:
            if place in shown or place in folded:
                self._section(pieces, place, shown.get(place, []), folded.get(place, []))
        self._notes(pieces)
        return pieces

    def _section(
        self,
        pieces: Pieces,
        place: Place,
        shown: list[tuple[Entry, Fragment]],
        folded: list[Folded],
    ) -> None:
        pieces.add(self.part("section", heading=sentences.section_heading(place, self.language)))
        for entry, fragment in shown:
            pieces.add(fragment, self.reason_of(entry) if fragment.html_tail else None)
        for sentence, url in self._fold_lines(folded):
            pieces.add(self.part("folded", sentence=sentence, url=url))
        if place is Place.COMING_UP:
            self._calendars(pieces, shown)

    def reason(self, reasons: tuple[Reason, ...]) -> Fragment:
        """The reason as HTML and as text, in the words of this language."""
        key = ("reason", self.language.code, reasons)
        kept = self.skeleton.fragments.get(key)
        if kept is None:
            sentence = tags.neutralise(sentences.reason_sentence(reasons, self.language))
            kept = fragment_of(str(escape(sentence)), wrapped(sentence))
            self.skeleton.fragments.keep(key, kept, weight=2 * len(sentence))
        return kept

    def _folds(self, more: tuple[Entry, ...]) -> dict[Place, list[Folded]]:
        """Place -> what is only counted: by compose, and by us for the size; one line a council and cause."""
        lines: dict[tuple[Place, str, str], Folded] = {}
        for line in (*self.edition.folded, *(Folded(e.place, e.council, (e.item,)) for e in more)):
            key = (line.place, line.council.slug, line.why)
            seen = lines.get(key)
            lines[key] = line if seen is None else replace(seen, items=(*seen.items, *line.items))
        folds: dict[Place, list[Folded]] = {}
        for line in lines.values():
            folds.setdefault(line.place, []).append(line)
        return folds

    def _fold_lines(self, lines: list[Folded]) -> list[tuple[str, str]]:
        """Sentence and link of each fold line; with many councils one line a cause."""
        base = self.skeleton.base_url
        if len(lines) <= MAX_FOLD_LINES:
            return [
                (
                    sentences.folded_sentence(line, len(line.items), line.council, self.language),
                    f"{base}/councils/{line.council.slug}",
                )
                for line in lines
            ]
        causes: dict[str, list[Folded]] = {}
        for line in lines:
            causes.setdefault(line.why, []).append(line)
        return [
            (
                sentences.folded_sentence(
                    same[0], sum(len(line.items) for line in same), None, self.language
                ),
                f"{base}/councils",
            )
            for same in causes.values()
        ]

    def _calendars(self, pieces: Pieces, shown: list[tuple[Entry, Fragment]]) -> None:
        councils = {entry.council.slug: entry.council for entry, _ in shown}
        links = tuple(
            LinkView(
                named(council.name),
                f"{self.skeleton.base_url}/councils/{slug}/calendar.ics",
            )
            for slug, council in list(councils.items())[:MAX_CALENDARS]
        )
        if links:
            pieces.add(self.part("calendar", links=links))

    def _notes(self, pieces: Pieces) -> None:
        limited = sentences.limited_sentences(self.edition.limited, self.language)
        paused = sentences.paused_sentences(self.edition.paused, self.language)
        silent = sentences.silence_sentences(self.edition.silences, self.language, year=self.year)
        if limited or paused or silent:
            pieces.add(self.part("notes", limited=limited, paused=paused, silent=silent))

    def _dated(self) -> str:
        return self.language.day(local(self.edition.as_of, self._timezone()).date())

    def _day_and_month(self) -> str:
        return self.language.short_day(local(self.edition.as_of, self._timezone()).date())

    def _timezone(self) -> str:
        return self.edition.councils[0].timezone if self.edition.councils else "UTC"


def shell_of(tongue: Tongue, context: Mapping[str, Any], *, format: Format) -> Shell:
    """The shell that Jinja writes from these values, cut where the body goes.

    Alone, since the body is many times its size and is laid in afterwards.
    """
    part, words = tongue.parts[SHELL], tongue.language("Hello%(name)s,", name=GAP)
    html = None
    if format is Format.HTML:
        greeting = Markup(words.replace(GAP, tags.NAME_HTML))  # noqa: S704 - our own words and tag
        html = part.html.render(context, greeting=greeting, body=GAP)
    # What stands in it is tidy already: only the shell around needs it.
    text = tidy(part.text.render(context, greeting=words.replace(GAP, tags.NAME_TEXT), body=GAP))
    return Shell(
        subject=str(context["subject"]),
        preheader=str(context["preheader"]),
        language=tongue.language.code,
        html=html,
        text=text,
        html_bytes=0 if html is None else _size(html),
        text_bytes=_size(text),
    )


def _size(shell: str) -> int:
    return tags.size_after(shell.replace(OWN_GAP, ""))
