"""Signing in and out of the desk."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form
from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from digest.model import fingerprint_of
from digest.pipeline import operators
from digest.web.desk.access import COOKIE
from digest.web.limits import network_of
from digest.web.site import Site

# Ten guesses a quarter of an hour for one name, whoever asks; a network may mistype for several people.
_PER_NAME = RateLimitItemPerHour(20)
_PER_NETWORK = RateLimitItemPerMinute(10)


def router_of(site: Site) -> APIRouter:
    """``/operator/sign-in`` and ``/operator/sign-out``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/operator/sign-in")
    def ask(request: Request, next: str = "/operator") -> Response:
        """The form."""
        return site.pages.answer(request, "desk/sign_in.html", language="en", next=_inside(next), why="")

    @router.post("/operator/sign-in")
    def sign_in(
        request: Request,
        name: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        next: Annotated[str, Form()] = "/operator",
    ) -> Response:
        """A session for the right name and password."""
        network = network_of(request.client.host if request.client else "")
        if not site.limits.hit(_PER_NETWORK, "sign-in", network) or not site.limits.hit(
            _PER_NAME, "sign-in of", fingerprint_of(name)
        ):
            why = "There were too many tries: wait an hour, or ask an admin for a new password."
            return _again(site, request, next, why, status=429)
        found = operators.sign_in(site.hall.database, name.strip(), password, now=site.now())
        if found is None:
            return _again(site, request, next, "Name and password do not fit.", status=401)
        answer = RedirectResponse(f"{site.root}{_inside(next)}", status_code=303)
        answer.set_cookie(
            COOKIE,
            found[1],
            max_age=int(operators.SESSION.total_seconds()),
            path=f"{site.root}/operator",
            httponly=True,
            samesite="lax",
            secure=site.hall.publication.base_url.startswith("https:"),
        )
        return answer

    @router.post("/operator/sign-out")
    def sign_out(request: Request) -> Response:
        """The session ends; no seal is needed, since signing somebody out harms nothing."""
        operators.sign_out(site.hall.database, request.cookies.get(COOKIE, ""), now=site.now())
        answer = RedirectResponse(f"{site.root}/operator/sign-in", status_code=303)
        answer.delete_cookie(COOKIE, path=f"{site.root}/operator")
        return answer

    return router


def _again(site: Site, request: Request, next_: str, why: str, *, status: int) -> Response:
    return site.pages.answer(
        request, "desk/sign_in.html", status=status, language="en", next=_inside(next_), why=why
    )


def _inside(path: str) -> str:
    """The path, when it is one of the desk's: nobody is sent elsewhere after signing in."""
    parts = urlsplit(path)
    is_ours = not parts.scheme and not parts.netloc and parts.path.startswith("/operator")
    return path if is_ours and "\\" not in path and not path.startswith("//") else "/operator"
