"""The stylesheet and the script: small texts held in memory, addressed by their fingerprint."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from digest.web.site import Site

TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".txt": "text/plain"}


def router_of(site: Site) -> APIRouter:
    """``GET /static/{name}`` and ``/robots.txt``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/static/{name}")
    def static(request: Request, name: str) -> Response:
        """One file; kept by browsers for a year when asked for by its fingerprint."""
        text = site.pages.static.get(name)
        if text is None:
            raise HTTPException(404)
        version = site.pages.versions[name]
        kept = request.query_params.get("v") == version
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable" if kept else "no-cache",
            "ETag": f'"{version}"',
        }
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(text, media_type=TYPES[name[name.rindex(".") :]], headers=headers)

    @router.get("/robots.txt")
    def robots() -> Response:
        """Personal pages are nobody's to index."""
        hidden = ("confirm", "preferences", "unsubscribe", "view", "calendar", "agree", "operator", "api")
        lines = ["User-agent: *", *(f"Disallow: {site.root}/{path}/" for path in hidden)]
        return Response("\n".join(lines) + "\n", media_type="text/plain")

    return router
