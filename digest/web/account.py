"""A new link, another address, one's own data, and being forgotten.

A preferences link may be in a forwarded letter, so it only asks: what is done is confirmed from the mailbox.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from digest.errors import ConflictError, NotFoundError, SubscriberError
from digest.links import Purpose, address_fingerprint
from digest.pipeline import notices, roster
from digest.pipeline.roster_rows import checked_address
from digest.store.own_data import own_data
from digest.store.subscribers import Subscriber, subscriber_by_id
from digest.web import unsubscribe
from digest.web.forms import form_of, masked, text_in
from digest.web.preferences import SEAL, shown_of, subject_of
from digest.web.site import Site

Form = Annotated[FormData, Depends(form_of)]


def router_of(site: Site) -> APIRouter:
    """``/link``, ``POST /preferences/{token}/account``, and the pages that letters of both lead to."""
    router = APIRouter(include_in_schema=False)

    @router.get("/link")
    def ask_link(request: Request) -> Response:
        """The form that sends a new link."""
        return site.pages.answer(request, "link.html", email="", wrong=False)

    @router.post("/link")
    def send_link(request: Request, form: Form) -> Response:
        """The same answer to every address."""
        return _send_link(site, request, text_in(form, "email")[:320])

    @router.post("/preferences/{token}/account")
    def account(request: Request, token: str, form: Form) -> Response:
        """Ask for a change of address, the own data, or to be forgotten."""
        id_ = subject_of(site, token)
        site.seal.check(text_in(form, "seal"), SEAL, id_, today=site.today())
        return _ask(site, request, id_, form)

    _add_agreements(router, site)
    return router


def _send_link(site: Site, request: Request, email: str) -> Response:
    client = request.client.host if request.client else ""
    if not site.limits.allows("link", network=client):
        raise HTTPException(429)
    try:
        address = checked_address(email)
    except SubscriberError:
        return site.pages.answer(request, "link.html", status=422, email=email, wrong=True)
    mailbox = address_fingerprint(address, site.hall.suppression_key)
    if site.limits.allows("link", address=mailbox):
        _soon(site, "link", partial(notices.send_link, site.hall.works, address))
    answer = site.pages.answer(request, "asked.html", email=address, what="link")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _soon(site: Site, what: str, do: Any) -> None:
    if not site.background.soon(what, do):
        raise HTTPException(503)


def _ask(site: Site, request: Request, id_: int, form: FormData) -> Response:
    shown = shown_of(site, id_)
    if shown is None:
        return unsubscribe.page_of(site, request, id_)
    what, works, language = text_in(form, "what"), site.hall.works, shown.reader.profile.language
    if what == "move":
        try:
            address = checked_address(text_in(form, "address"))
        except SubscriberError:
            return _done(site, request, "no_address", language=language, status=422)
        do = partial(notices.ask_address_change, works, id_, address)
    elif what in ("export", "erase"):
        do = partial(notices.ask_export if what == "export" else notices.ask_erase, works, id_)
    else:
        raise HTTPException(422)
    _soon(site, what, do)
    return site.pages.answer(request, "asked.html", language=language, email="", what=what)


def _done(
    site: Site, request: Request, done: str, *, language: str | None, status: int = 200, **facts: Any
) -> Response:
    facts = {"address": "", "purpose": "", **facts}
    return site.pages.answer(request, "agree.html", status=status, language=language, done=done, **facts)


# --- from the mailbox -------------------------------------------------------------------------------------


def _add_agreements(router: APIRouter, site: Site) -> None:
    """``GET`` and ``POST /agree/…``: the page says what will be done, its button does it."""

    def reader_of(token: str, purpose: Purpose) -> Subscriber:
        id_ = site.hall.signer.read(token, purpose, today=site.today()).subject_id
        with site.hall.database.read() as connection:
            found = subscriber_by_id(connection, id_)
        if found is None or not found.address:
            raise NotFoundError("nobody is there any more")
        return found

    def change_of(token: str, purpose: Purpose) -> tuple[int, str, str]:
        """Id of the change, the new address, and the reader's language."""
        id_ = site.hall.signer.read(token, purpose, today=site.today()).subject_id
        change = notices.change_asked_for(site.hall.database, id_, now=site.now())
        if change is None:
            return id_, "", ""
        with site.hall.database.read() as connection:
            found = subscriber_by_id(connection, change.subscriber_id)
        return id_, change.address, found.profile.language if found else ""

    @router.get("/agree/{word}/{token}")
    def show(request: Request, word: str, token: str) -> Response:
        """What is asked for."""
        purpose = _purpose(word)
        if purpose in (Purpose.MOVE, Purpose.ADDRESS):
            _, address, language = change_of(token, purpose)
            return _done(
                site,
                request,
                "" if address else "gone",
                language=language or None,
                status=200 if address else 410,
                purpose=word,
                address=masked(address),
            )
        reader = reader_of(token, purpose)
        where = masked(reader.address)
        return _done(site, request, "", language=reader.profile.language, purpose=word, address=where)

    @router.post("/agree/{word}/{token}")
    def act(request: Request, word: str, token: str) -> Response:
        """Do it. Twice is harmless."""
        purpose = _purpose(word)
        if purpose in (Purpose.MOVE, Purpose.ADDRESS):
            id_, address, language = change_of(token, purpose)
            done, status = _move(site, purpose, id_)
            shown = {"address": masked(address), "purpose": word}
            return _done(site, request, done, language=language or None, status=status, **shown)
        reader = reader_of(token, purpose)
        if purpose is Purpose.EXPORT:
            return _export(site, reader)
        roster.erase(site.hall.roster, reader.address, now=site.now())
        return _done(site, request, "erased", language=reader.profile.language, purpose=word)


def _purpose(word: str) -> Purpose:
    """Raises: HTTPException 404."""
    for purpose in (Purpose.MOVE, Purpose.ADDRESS, Purpose.EXPORT, Purpose.ERASE):
        if purpose.word == word:
            return purpose
    raise HTTPException(404)


def _move(site: Site, purpose: Purpose, change_id: int) -> tuple[str, int]:
    """What the page says, and its status."""
    works = site.hall.works
    try:
        is_done = (
            notices.agree_to_move(works, change_id)
            if purpose is Purpose.MOVE
            else notices.change_address(works, change_id)
        )
    except ConflictError:
        return "taken", 409
    site.background.wake()
    if not is_done:
        return "gone", 410
    return ("agreed" if purpose is Purpose.MOVE else "moved"), 200


def _export(site: Site, reader: Subscriber) -> Response:
    """A file with all that is stored; never kept on the way."""
    with site.hall.database.read() as connection:
        found = own_data(connection, reader.id)
    headers = {"Content-Disposition": 'attachment; filename="my-council-digest.json"'}
    return Response(
        orjson.dumps(found, option=orjson.OPT_INDENT_2), media_type="application/json", headers=headers
    )
