"""A letter in the browser: the stored page as it was sent, with nobody's links and name in it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from digest.errors import NotFoundError
from digest.links import Purpose
from digest.model import Page
from digest.render.tags import neutral
from digest.store.pages import page_by_id
from digest.web.headers import LETTER_POLICY
from digest.web.site import Site


def router_of(site: Site) -> APIRouter:
    """``GET /view/{token}``; the address may be passed on: it holds nothing of its reader."""
    router = APIRouter(include_in_schema=False)

    @router.get("/view/{token}")
    def view(request: Request, token: str) -> Response:
        """The letter in its own language; a text letter as text. Raises: LinkError."""
        link = site.hall.signer.read(token, Purpose.VIEW, today=site.today())
        try:
            with site.hall.database.read() as connection:
                stored = page_by_id(connection, link.subject_id)
        except NotFoundError:
            return site.pages.answer(request, "view.html", status=410, letter=None)
        page = neutral(stored, site.hall.publication.base_url)
        if page.html is None:
            return site.pages.answer(request, "view.html", language=page.language, letter=page)
        return _letter(page.html, page)

    return router


def _letter(html: str, page: Page) -> Response:
    """The letter is a page of its own, under rules of its own: it may run nothing and send nothing."""
    headers = {"Content-Security-Policy": LETTER_POLICY, "Content-Language": page.language}
    return HTMLResponse(html, headers=headers)
