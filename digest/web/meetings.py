"""One meeting: what was decided, by whom, in which papers; or when it is, and where."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from digest.model import MeetingStatus
from digest.render.views import web_address
from digest.render.words import local
from digest.store import reading
from digest.web.shown import card_of, here_and_now, papers_of, text_of, title_of
from digest.web.site import Site

LONGEST = 18
"""Digits of an id that is looked for: what a database can count."""


def router_of(site: Site) -> APIRouter:
    """``GET /meetings/{id}``; ``?text=cy`` chooses the summary's language, ``?lang=`` the page's."""
    router = APIRouter(include_in_schema=False)

    @router.get("/meetings/{meeting}")
    def meeting(request: Request, meeting: str, text: str = "") -> Response:
        """Everything public about one meeting."""
        with site.hall.database.read() as connection:
            whole = reading.whole_meeting(connection, id_of(meeting))
        found, language = whole.told.meeting, site.pages.languages[site.pages.language_of(request)]
        today = here_and_now(site.now(), whole.council.timezone)
        summary = text_of(whole, language, asked=text or None, year=today.year)
        source = next(iter(whole.told.summaries), None)
        documents = source.documents if source and source.documents else found.documents
        card = card_of(whole.told, language, year=today.year)
        withdrawn_on = ""
        if whole.withdrawal and whole.withdrawal.at:
            withdrawn_on = language.short_day(local(whole.withdrawal.at, whole.council.timezone).date())
        return site.pages.answer(
            request,
            "meeting.html",
            council=whole.council,
            committee=whole.committee,
            card=card,
            title=title_of(found),
            text=summary,
            papers=papers_of(documents, language),
            video=web_address(found.video_url),
            source=web_address(found.url),
            withdrawal=whole.withdrawal,
            withdrawn_on=withdrawn_on,
            is_off=found.status in (MeetingStatus.CANCELLED, MeetingStatus.POSTPONED),
            is_ahead=found.starts_on is not None and found.starts_on >= today,
            has_day=found.starts_on is not None,
        )

    return router


def id_of(text: str) -> int:
    """The id in an address. Raises: HTTPException 404 for what is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST):
        raise HTTPException(404)
    return int(text)
