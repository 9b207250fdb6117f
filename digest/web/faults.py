"""Errors as pages: what happened, and where to go from here. Programs get JSON."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from digest.errors import LinkError, NotFoundError, StoreError
from digest.web.site import Site

PROGRAMS = ("/api/", "/webhooks/", "/healthz", "/readyz", "/metrics")


def add_handlers(app: FastAPI, site: Site) -> None:
    """Hang the handlers into the application."""

    def is_program(request: Request) -> bool:
        path: str = request.scope["path"]
        return path.startswith(PROGRAMS)

    def page(request: Request, status: int, what: str) -> Response:
        return site.pages.answer(request, "fault.html", status=status, what=what, why="")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        if is_program(request):
            return await http_exception_handler(request, error)
        if error.status_code < 400:
            return Response(status_code=error.status_code, headers=error.headers)
        if error.status_code == 403:
            return site.pages.answer(
                request, "fault.html", status=403, what="forbidden", why=str(error.detail)
            )
        what = {404: "missing", 405: "missing", 429: "often"}.get(error.status_code, "broken")
        return page(request, error.status_code, what)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        if is_program(request):
            return await request_validation_exception_handler(request, error)
        return page(request, 422, "unclear")

    @app.exception_handler(LinkError)
    async def link(request: Request, error: LinkError) -> Response:
        # 404, not 403: a damaged link and one of nobody look the same.
        return page(request, 410 if error.kind == "old" else 404, f"link_{error.kind}")

    @app.exception_handler(NotFoundError)
    async def missing(request: Request, error: NotFoundError) -> Response:
        if is_program(request):
            return JSONResponse({"detail": str(error)}, status_code=404)
        return page(request, 404, "missing")

    @app.exception_handler(StoreError)
    async def store(request: Request, error: StoreError) -> Response:
        if is_program(request):
            return JSONResponse({"detail": "the database cannot be used now"}, status_code=503)
        return page(request, 503, "busy")
