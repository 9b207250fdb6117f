"""Signing up: find councils, look at a sample, leave an address. The page says the same to everybody.

What follows from it happens after the answer, in the background: neither words nor time tell who is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from digest.errors import SubscriberError
from digest.links import address_fingerprint
from digest.model import Council, Support
from digest.pipeline import joining
from digest.store import postcodes, signup
from digest.store.councils import all_councils
from digest.web.consent import VERSION, WORDINGS, wording
from digest.web.forms import form_of, text_in, texts_in
from digest.web.site import Site

FEW = 24
"""Up to so many councils are all listed; of more, those that are looked for."""
MOST_SHOWN = 30
LONGEST_QUERY = 100


@dataclass(frozen=True, slots=True)
class Filled:
    """What stands in the form: chosen slugs, the address as typed, and whether the box is ticked."""

    councils: tuple[str, ...] = ()
    email: str = ""
    agrees: bool = False
    wrong: dict[str, str] = field(default_factory=dict)


def router_of(site: Site) -> APIRouter:
    """``GET /`` and ``POST /subscribe``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def home(request: Request) -> Response:
        """Councils to choose from, narrowed by ``?q=`` (a name or a postcode)."""
        return _home(site, request, Filled(tuple(request.query_params.getlist("council")[:FEW])))

    @router.get("/subscribe")
    def again(request: Request) -> Response:
        """Somebody reloads, or comes by an old bookmark."""
        return _home(site, request, Filled())

    @router.post("/subscribe")
    def subscribe(request: Request, form: Annotated[FormData, Depends(form_of)]) -> Response:
        """Take a wish; the letter that asks to confirm it follows."""
        filled = _filled(form)
        client = request.client.host if request.client else ""
        if not site.limits.allows("subscribe", network=client):
            raise HTTPException(429)
        if text_in(form, "website"):  # nobody sees this field: whoever fills it in is a program
            return _asked(site, request, filled)
        language = site.pages.language_of(request)
        wish = _wish(site, filled, language)
        if isinstance(wish, dict):
            return _home(site, request, replace(filled, wrong=wish), status=422)
        roster = site.hall.roster
        mailbox = address_fingerprint(wish.address, roster.suppression_key)
        if site.limits.allows("subscribe", address=mailbox):
            do = partial(joining.ask_to_join, site.hall.works, roster, wish)
            if not site.background.soon("subscribe", do):
                raise HTTPException(503)
        return _asked(site, request, filled)

    return router


def _filled(form: FormData) -> Filled:
    councils = tuple(dict.fromkeys(texts_in(form, "council")))
    return Filled(councils, text_in(form, "email")[:320], bool(text_in(form, "consent")))


def _wish(site: Site, filled: Filled, language: str) -> joining.Wish | dict[str, str]:
    """The wish, or what is wrong by field: known before anybody looks who has that address."""
    with site.hall.database.read() as connection:
        known = {one.slug for one in all_councils(connection)}
    councils = [slug for slug in filled.councils if slug in known]
    wrong = {} if councils else {"council": "none"}
    if not filled.agrees:
        wrong["consent"] = "none"
    try:
        wish = joining.wish_of(
            site.hall.roster,
            filled.email,
            councils or sorted(known)[:1] or ["none"],
            language=language,
            wording=wording(language),
            at=site.now(),
        )
    except SubscriberError as error:
        field_ = "council" if str(error).startswith("councils") else "email"
        return wrong | {field_: "many" if field_ == "council" else "no address"}
    return wrong or wish


def _asked(site: Site, request: Request, filled: Filled) -> Response:
    answer = site.pages.answer(request, "asked.html", email=filled.email, what="subscribe")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _home(site: Site, request: Request, filled: Filled, *, status: int = 200) -> Response:
    asked = request.query_params.get("q", "")[:LONGEST_QUERY].strip()
    with site.hall.database.read() as connection:
        found = _found(connection, asked)
        everybody = all_councils(connection)
        chosen = [one for one in everybody if one.slug in filled.councils]
        if not chosen and (len(found) == 1 or len(everybody) == 1):
            chosen = (list(found) or list(everybody))[:1] if asked or len(everybody) == 1 else []
        rest = [one for one in found if one not in chosen] if asked or len(everybody) <= FEW else []
        shown = signup.offers(connection, [*chosen, *rest[:MOST_SHOWN]], today=site.today())
        by_postcode = postcodes.has_postcodes(connection)
    return site.pages.answer(
        request,
        "home.html",
        status=status,
        offers=shown,
        chosen={one.slug for one in chosen},
        asked=asked,
        is_found=bool(found) or not asked,
        is_postcode=bool(postcodes.parts_of(asked)),
        by_postcode=by_postcode,
        total=len(everybody),
        is_short=len(everybody) <= FEW,
        left_out=max(len(rest) - MOST_SHOWN, 0),
        has_limited=any(one.council.support is Support.LIMITED for one in shown),
        filled=filled,
        consent=WORDINGS[VERSION],
    )


def _found(connection: Connection, asked: str) -> tuple[Council, ...]:
    return postcodes.councils_at(connection, asked) or signup.named(connection, asked)
