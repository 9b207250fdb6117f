"""Leaving: by the button of a mail program (RFC 8058) or on a page, in one click, for as long as links live.

A post needs no cookie and no seal: the link is the proof. A GET changes nothing, however often it comes.
"""

from __future__ import annotations

import threading
from datetime import timedelta

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from digest.links import Purpose
from digest.model import Council, SubscriberState
from digest.pipeline import wishes
from digest.pipeline.taking import GONE
from digest.pipeline.wishes import Standing
from digest.store.councils import all_councils
from digest.store.subscribers import Subscriber, subscriber_by_id
from digest.web.forms import form_of, masked, text_in
from digest.web.site import Site

PAUSES = (2, 4, 8, 12)
"""Weeks that can be chosen on the page; the second is meant when nothing is chosen."""


def router_of(site: Site) -> APIRouter:
    """``GET`` and ``POST /unsubscribe/{token}``."""
    router = APIRouter(include_in_schema=False)
    # SQLite lets one write at a time and makes the others sleep: threads that queue here lose nothing.
    one_at_a_time = threading.Lock()

    def reader_of(token: str) -> int:
        return site.hall.signer.read(token, Purpose.UNSUBSCRIBE, today=site.today()).subject_id

    @router.get("/unsubscribe/{token}")
    def show(request: Request, token: str) -> Response:
        """The page with the one button."""
        return page_of(site, request, reader_of(token))

    def leave_now(id_: int) -> Response:
        with one_at_a_time:
            wishes.leave_all(site.hall.database, id_, reason="one-click", now=site.now())
        return PlainTextResponse("unsubscribed\n")

    async def act(request: Request) -> Response:
        id_ = reader_of(request.path_params["token"])
        form = await form_of(request)
        if text_in(form, "List-Unsubscribe").lower() == "one-click":
            return await run_in_threadpool(leave_now, id_)
        return await run_in_threadpool(_act, site, request, id_, form)

    # A plain route: a million mail programs may press their button in the hour after a run.
    router.add_route("/unsubscribe/{token}", act, methods=["POST"])
    return router


def _act(site: Site, request: Request, id_: int, form: FormData) -> Response:
    database, now = site.hall.database, site.now()
    what, _, council = text_in(form, "what").partition(":")
    if what == "undo":
        before = site.undo.read(text_in(form, "undo"), id_, today=site.today())
        done = wishes.undo(database, before, now=now)
        return page_of(site, request, id_, done="undone" if done else "not_undone")
    if what == "all" or (what == "council" and council):
        left = wishes.leave(database, id_, council=council or None, reason="unsubscribe page", now=now)
        return page_of(site, request, id_, done="left", council=council, before=left)
    if what == "pause":
        weeks = text_in(form, "weeks")
        long = int(weeks) if weeks in map(str, PAUSES) else PAUSES[1]
        until = site.today() + timedelta(weeks=long)
        return page_of(
            site, request, id_, done="paused", before=wishes.pause(database, id_, until=until, now=now)
        )
    if what == "resume":
        return page_of(site, request, id_, done="resumed", before=wishes.resume(database, id_, now=now))
    return page_of(site, request, id_, status=422)


def page_of(
    site: Site,
    request: Request,
    id_: int,
    *,
    done: str = "",
    council: str = "",
    before: Standing | None = None,
    status: int = 200,
) -> Response:
    """The page of somebody as they stand; for who has gone, kind words and where to read on."""
    with site.hall.database.read() as connection:
        reader = subscriber_by_id(connection, id_)
        known = {one.slug: one for one in all_councils(connection)}
    return site.pages.answer(
        request,
        "unsubscribe.html",
        status=status,
        language=reader.profile.language if reader else None,
        is_there=reader is not None and reader.state not in GONE,
        is_paused=reader is not None and reader.state is SubscriberState.PAUSED,
        is_barred=reader is not None and reader.state is SubscriberState.SUPPRESSED,
        reader=reader,
        address=masked(reader.address) if reader else "",
        ended_on=reader.ended_at.date() if reader and reader.ended_at else None,
        councils=_followed(reader, known),
        left=known.get(council),
        done=done,
        undo=site.undo.make(before, on=site.today()) if before else "",
        pauses=PAUSES,
    )


def _followed(reader: Subscriber | None, known: dict[str, Council]) -> list[Council]:
    return [known[slug] for slug in reader.profile.councils if slug in known] if reader else []
