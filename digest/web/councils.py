"""The councils: all of them, one, and the lists of its meetings."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from digest.model import Council, Support
from digest.render.views import web_address
from digest.store import reading
from digest.store.councils import council_by_slug
from digest.store.reading import Among, Body, Page
from digest.web.shown import Card, card_of, here_and_now, mark_from, mark_text
from digest.web.site import Site

SOON = timedelta(days=14)
FIRST_COMING = 8
FIRST_DECIDED = 6
LINES = 30
LISTS = ("coming", "decided", "past")


def router_of(site: Site) -> APIRouter:
    """``GET /councils``, ``/councils/{slug}`` and ``/councils/{slug}/coming|decided|past``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/councils")
    def councils(request: Request) -> Response:
        """All councils by name; ``?q=`` narrows the list where no script does."""
        today = site.today()
        with site.hall.database.read() as connection:
            found = reading.listed_councils(connection, first=today, last=today + SOON)
        asked = request.query_params.get("q", "")[:100].strip()
        words = asked.lower().split()
        shown = [one for one in found if all(word in one.council.name.lower() for word in words)]
        return site.pages.answer(request, "councils.html", councils=shown, asked=asked, total=len(found))

    @router.get("/councils/{slug}")
    def council(request: Request, slug: str, committee: str = "") -> Response:
        """What one council decided lately, and what is coming up."""
        with site.hall.database.read() as connection:
            facts = _council_facts(site, request, connection, slug, committee)
        return site.pages.answer(request, "council.html", **facts)

    @router.get("/councils/{slug}/{which}")
    def meetings(request: Request, slug: str, which: str, committee: str = "", after: str = "") -> Response:
        """One list of a council's meetings, page by page."""
        if which not in LISTS:
            raise HTTPException(404)
        try:
            mark = mark_from(after)
        except ValueError as error:
            raise HTTPException(404) from error
        with site.hall.database.read() as connection:
            of = council_by_slug(connection, slug)
            body = reading.committee_called(connection, slug, committee) if committee else None
            today = here_and_now(site.now(), of.timezone)
            page = _listed(connection, which, of, body, today=today, after=mark, limit=LINES)
        cards = _cards(site, request, page, year=today.year)
        return site.pages.answer(
            request,
            "meetings.html",
            council=of,
            committee=body,
            cards=cards,
            which=which,
            is_first=mark is None,
            more=mark_text(page.more),
        )

    return router


def _council_facts(
    site: Site, request: Request, connection: Connection, slug: str, committee: str
) -> dict[str, Any]:
    of = council_by_slug(connection, slug)
    body = reading.committee_called(connection, slug, committee) if committee else None
    today = here_and_now(site.now(), of.timezone)
    coming = _listed(connection, "coming", of, body, today=today, limit=FIRST_COMING)
    decided = _listed(connection, "decided", of, body, today=today, limit=FIRST_DECIDED)
    return {
        "council": of,
        "website": web_address(of.website),
        "committee": body,
        "committees": reading.committees_of(connection, slug, first=today),
        "coming": _cards(site, request, coming, year=today.year),
        "has_more_coming": coming.more is not None,
        "decided": _cards(site, request, decided, year=today.year),
        "has_more_decided": decided.more is not None,
        "waiting": reading.waiting_for(connection, slug) if of.support is Support.LIMITED else 0,
    }


def _listed(
    connection: Connection,
    which: str,
    of: Council,
    body: Body | None,
    *,
    today: date,
    after: reading.Mark | None = None,
    limit: int,
) -> Page:
    committee = body.id if body else None
    if which == "coming":
        among = Among(of.slug, committee, first=today)
        return reading.coming_meetings(connection, among, after=after, limit=limit)
    # What is past today includes today's meetings only once something is told of them.
    last = today if which == "decided" else today - timedelta(days=1)
    among = Among(of.slug, committee, last=last, is_told=which == "decided")
    return reading.past_meetings(connection, among, after=after, limit=limit)


def _cards(site: Site, request: Request, page: Page, *, year: int) -> list[Card]:
    language = site.pages.languages[site.pages.language_of(request)]
    return [card_of(told, language, year=year) for told in page.told]
