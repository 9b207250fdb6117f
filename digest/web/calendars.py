"""Calendars: of a council or committee, of one meeting, and each reader's own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from fastapi import APIRouter
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from digest.compose.follow import is_followed
from digest.links import Purpose
from digest.model import SubscriberState
from digest.render.calendar import Dated, calendar_bytes
from digest.render.words import Language, message
from digest.store import reading
from digest.store.councils import all_councils, council_by_slug
from digest.store.reading import Among, Told
from digest.store.subscribers import subscriber_by_id
from digest.web.fresh import fresh
from digest.web.meetings import id_of
from digest.web.shown import here_and_now
from digest.web.site import Site

BACK = timedelta(days=92)
"""How long past meetings stay in calendars: who looks back sees what was held and what was not."""
MOST = 1000
MOST_OWN = 4000  # of all councils that one reader follows, before their committees are looked at
_NO_END = message("The council does not say when it ends: two hours are set aside.")
_ENDED = message("This calendar has ended, as its subscription did.")
MEDIA_TYPE = "text/calendar; charset=utf-8"


def router_of(site: Site) -> APIRouter:
    """``calendar.ics`` of councils, committees and meetings; ``/calendar/{token}.ics`` of readers."""
    router = APIRouter(include_in_schema=False)
    base_url = site.hall.publication.base_url

    def language_of(request: Request, known: str | None = None) -> Language:
        return site.pages.languages[site.pages.language_of(request, known)]

    def calendar(dated: list[Dated], name: str, language: Language, *, with_council: bool = False) -> bytes:
        note = language(_NO_END)
        return calendar_bytes(
            dated, name=name, base_url=base_url, language=language, note=note, with_council=with_council
        )

    @router.get("/councils/{slug}/calendar.ics")
    def council(request: Request, slug: str, committee: str = "") -> Response:
        """The meetings of one council, or of one committee."""
        with site.hall.database.read() as connection:
            of = council_by_slug(connection, slug)
            body = reading.committee_called(connection, slug, committee) if committee else None
            first = here_and_now(site.now(), of.timezone) - BACK
            among = Among(slug, body.id if body else None, first=first)
            told = reading.coming_meetings(connection, among, limit=MOST).told
            dated = _dated(connection, told)
        name = f"{body.name}, {of.name}" if body else of.name
        made = calendar(dated, name, language_of(request))
        return fresh(request, made, media_type=MEDIA_TYPE, filename=f"{slug}.ics")

    @router.get("/meetings/{meeting}/calendar.ics")
    def one(request: Request, meeting: str) -> Response:
        """One meeting, to be put into a calendar by hand."""
        with site.hall.database.read() as connection:
            whole = reading.whole_meeting(connection, id_of(meeting))
            dated = _dated(connection, (whole.told,))
        if whole.told.meeting.starts_on is None:
            raise HTTPException(404)
        made = calendar_bytes(
            dated,
            name=whole.council.name,
            base_url=base_url,
            language=language_of(request),
            with_council=True,
        )
        return fresh(request, made, media_type=MEDIA_TYPE, filename=f"meeting-{whole.told.meeting.id}.ics")

    @router.get("/calendar/{token}.ics")
    def own(request: Request, token: str) -> Response:
        """The meetings that one reader follows; the address is the key to it. Raises: LinkError."""
        link = site.hall.signer.read(token, Purpose.CALENDAR, today=site.today())
        with site.hall.database.read() as connection:
            reader = subscriber_by_id(connection, link.subject_id)
            if reader is None or reader.state not in (SubscriberState.ACTIVE, SubscriberState.PAUSED):
                language = language_of(request)
                return PlainTextResponse(language(_ENDED), status_code=410)
            first = site.today() - BACK
            told = reading.meetings_of(connection, reader.profile.councils, first=first, limit=MOST_OWN)
            dated = _dated(connection, [t for t in told if is_followed(reader.profile, t.meeting)])
        language = language_of(request, reader.profile.language)
        name = site.hall.publication.name
        made = calendar(dated, name, language, with_council=True)
        return fresh(request, made, media_type=MEDIA_TYPE, is_personal=True)

    return router


def _dated(connection: Connection, told: Iterable[Told]) -> list[Dated]:
    meetings = [one.meeting for one in told]
    written = reading.written_at(connection, [one.id for one in meetings])
    names = {one.slug: one.name for one in all_councils(connection)}
    return [Dated(one, names.get(one.council, one.council), *written[one.id]) for one in meetings]
