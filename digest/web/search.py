"""Search in what councils said and decided, and in the names of their meetings."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fastapi import APIRouter
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from digest.render.snippet import marked, passage
from digest.render.words import Language
from digest.store.councils import all_councils, council_by_slug
from digest.store.reading import Page, Told
from digest.store.searching import MAX_LENGTH, Question, find_meetings, find_told, question_of
from digest.web.shown import Card, card_of, mark_from, mark_text, text_in
from digest.web.site import Site

LINES = 15
FIRST_MEETINGS = 5
_NOT_WORDS = re.compile(r"^\s*(?:-+\s*$|- |\[\d+\] )", re.MULTILINE)
"""What a plain text has under its headings and before its list items."""


@dataclass(frozen=True, slots=True)
class Found:
    """One result: its line, the council's name, the heading and the passage with the words marked."""

    card: Card
    council: str
    slug: str
    heading: Markup
    passage: Markup


def router_of(site: Site) -> APIRouter:
    """``GET /search?q=&council=&in=meetings&after=``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/search")
    def search(request: Request, q: str = "", council: str = "", after: str = "") -> Response:
        """Meetings by what was said in them, and by what they are called."""
        in_names = request.query_params.get("in") == "meetings"
        question = question_of(q)
        try:
            mark = mark_from(after)
        except ValueError as error:
            raise HTTPException(404) from error
        with site.hall.database.read() as connection:
            if council:
                council_by_slug(connection, council)
            councils = all_councils(connection)
            of = council or None
            told = (
                Page(()) if in_names else find_told(connection, question, council=of, after=mark, limit=LINES)
            )
            lines = LINES if in_names else FIRST_MEETINGS
            called = (
                Page(())
                if mark and not in_names
                else find_meetings(connection, question, council=of, after=mark, limit=lines)
            )
        language = site.pages.languages[site.pages.language_of(request)]
        names = {one.slug: one.name for one in councils}
        year = site.today().year

        def results(page: Page) -> list[Found]:
            return [_found(told, question, language, names, year) for told in page.told]

        return site.pages.answer(
            request,
            "search.html",
            asked=q[:MAX_LENGTH],
            council=council,
            councils=councils,
            in_names=in_names,
            is_asked=bool(question),
            is_first=mark is None,
            told=results(told),
            called=[one for one in results(called) if one.card.id not in {t.meeting.id for t in told.told}],
            more_told=mark_text(told.more),
            more_called=mark_text(called.more),
        )

    return router


def _found(told: Told, question: Question, language: Language, names: dict[str, str], year: int) -> Found:
    card, summary = card_of(told, language, year=year), text_in(told.summaries, language.code)
    words, phrases = question.words, question.phrases
    text = _NOT_WORDS.sub(" ", summary.full_text) if summary else ""
    slug = told.meeting.council
    return Found(
        card,
        names.get(slug, slug),
        slug,
        marked(card.heading, words, phrases),
        passage(text, words, phrases),
    )
