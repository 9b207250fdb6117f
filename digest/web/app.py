"""The FastAPI application: one installation's hall behind HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.middleware.gzip import GZipMiddleware

from digest.errors import DigestError
from digest.web import faults, hooks, static
from digest.web.headers import Headers
from digest.web.site import Site

if TYPE_CHECKING:
    from digest.wiring import Hall

# Each makes an APIRouter over a Site; the order is that of matching.
ROUTERS = (static.router_of,)


def create_app(hall: Hall) -> FastAPI:
    """The application over that hall, which the caller closes.

    Raises: SettingsError for a wrong key, TemplateError for a template or catalogue that cannot be used.
    """
    site = Site(hall)
    app = FastAPI(title=hall.publication.name, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.add_middleware(Headers, https=hall.publication.base_url.startswith("https:"), root=site.root)
    faults.add_handlers(app, site)
    _ = site.pages  # a broken template stops the program, not a reader

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz() -> JSONResponse:
        """The database answers and fits this program."""
        try:
            with hall.database.read():
                return JSONResponse({"status": "ok"})
        except DigestError:
            return JSONResponse({"status": "the database cannot be used"}, status_code=503)

    app.include_router(hooks.router_of(hall))
    for router_of in ROUTERS:
        app.include_router(router_of(site))
    return app
