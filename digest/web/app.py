"""The FastAPI application: one installation's hall behind HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from digest.errors import DigestError
from digest.web import hooks

if TYPE_CHECKING:
    from digest.wiring import Hall


def create_app(hall: Hall) -> FastAPI:
    """The application over that hall, which the caller closes. Raises: SettingsError for a wrong key."""
    app = FastAPI(title=hall.publication.name, docs_url=None, redoc_url=None, openapi_url=None)

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
    return app
