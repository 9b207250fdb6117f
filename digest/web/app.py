"""The FastAPI application: one installation's hall behind HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.middleware.gzip import GZipMiddleware

from digest.errors import DigestError
from digest.store import tasks
from digest.web import faults, hooks, metrics, people, public, static
from digest.web.api import application as api
from digest.web.desk import routes as desk
from digest.web.desk.access import Local, SignedIn
from digest.web.headers import Headers
from digest.web.site import Site

if TYPE_CHECKING:
    from digest.wiring import Hall

# Each makes an APIRouter over a Site; the order is that of matching.
ROUTERS = (static.router_of, people.router_of, public.router_of)


def create_app(hall: Hall) -> FastAPI:
    """The application over that hall, which the caller closes.

    Raises: SettingsError for a wrong key, TemplateError for a template or catalogue that cannot be used.
    """
    site = Site(hall)
    app = _frame(site)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz() -> JSONResponse:
        """The database answers and fits this program."""
        try:
            with hall.database.read() as connection:
                seen = tasks.heartbeats(connection).get("scheduler")
                return JSONResponse({"status": "ok", "scheduler_seen_at": seen and seen.isoformat()})
        except DigestError:
            return JSONResponse({"status": "the database cannot be used"}, status_code=503)

    app.include_router(hooks.router_of(hall))
    app.include_router(metrics.router_of(hall))
    for router_of in ROUTERS:
        app.include_router(router_of(site))
    app.include_router(desk.desk_of(site, SignedIn(site)).router)
    app.mount(api.PATH, api.app_of(site))
    return app


def create_preview_app(hall: Hall, *, watched: tuple[Path, ...] = ()) -> FastAPI:
    """The desk and studio for whoever sits at this machine, without a sign-in; serve it on the loopback only.

    ``watched``: folders of summaries that are taken in again when they change. Raises: as `create_app`.
    """
    site = Site(hall)
    app = _frame(site)
    app.include_router(static.router_of(site))
    app.include_router(desk.desk_of(site, Local(), watched=watched).router)
    return app


def _frame(site: Site) -> FastAPI:
    """What both applications have: headers, errors as pages, and templates that are known to be good."""
    publication = site.hall.publication
    app = FastAPI(title=publication.name, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.add_middleware(Headers, https=publication.base_url.startswith("https:"), root=site.root)
    faults.add_handlers(app, site)
    _ = site.pages  # a broken template stops the program, not a reader
    return app
