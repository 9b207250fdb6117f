"""Agreeing by the link of a letter: the page shows what would happen, its button does it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from digest import slots
from digest.errors import LinkError
from digest.links import Purpose
from digest.model import SubscriberState
from digest.pipeline import joining, notices, roster
from digest.pipeline.wishes import HERE
from digest.store.councils import all_councils
from digest.store.subscribers import Subscriber, subscriber_by_id
from digest.web.forms import masked
from digest.web.site import Site


def router_of(site: Site) -> APIRouter:
    """``GET`` and ``POST /confirm/{token}``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/confirm/{token}")
    def show(request: Request, token: str) -> Response:
        """What is asked for, and the button."""
        return _page(site, request, token)

    @router.post("/confirm/{token}")
    def confirm(request: Request, token: str) -> Response:
        """Active from now; again is harmless."""
        try:
            id_ = site.hall.signer.read(token, Purpose.CONFIRM, today=site.today()).subject_id
        except LinkError:
            return _page(site, request, token)
        now = site.now()
        with site.hall.database.read() as connection:
            consent = joining.confirmation_of(connection, id_, now=now)
        if roster.confirm(site.hall.roster, id_, consent=consent, now=now):
            notices.welcome(site.hall.works, id_)
            site.background.wake()
        return _page(site, request, token)

    return router


def _page(site: Site, request: Request, token: str) -> Response:
    """The same whether it was confirmed just now or before. Raises: LinkError, but not for an old link."""
    reader: Subscriber | None = None
    is_old = False
    try:
        id_ = site.hall.signer.read(token, Purpose.CONFIRM, today=site.today()).subject_id
    except LinkError as error:
        if error.kind != "old":
            raise
        is_old = True
    else:
        with site.hall.database.read() as connection:
            reader = subscriber_by_id(connection, id_)
    with site.hall.database.read() as connection:
        names = {one.slug: one.name for one in all_councils(connection)}
    is_here = reader is not None and reader.state in HERE
    is_pending = reader is not None and reader.state is SubscriberState.PENDING
    return site.pages.answer(
        request,
        "confirm.html",
        status=200 if is_here or is_pending else 410,
        language=reader.profile.language if reader else None,
        stage="here" if is_here else "ask" if is_pending else "old" if is_old else "gone",
        address=masked(reader.address) if reader else "",
        councils=[names.get(slug, slug) for slug in reader.profile.councils] if reader else [],
        first=_first(site, reader) if reader and is_here else None,
        preferences=_preferences(site, reader.id) if reader and is_here else "",
    )


def _first(site: Site, reader: Subscriber) -> object:
    """When the next letter comes, on the reader's clock."""
    return slots.next_slot(reader.schedule, site.now()).astimezone(slots.zone_of(reader.schedule.timezone))


def _preferences(site: Site, id_: int) -> str:
    return f"{site.root}/preferences/{site.hall.signer.token(Purpose.PREFERENCES, id_, on=site.today())}"
