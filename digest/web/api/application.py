"""The API as an application of its own, mounted under ``/api/v1``: its errors and its OpenAPI are JSON."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from digest.web.api import people, problems, reading, taking
from digest.web.api.body import Bounded
from digest.web.site import Site

PATH = "/api/v1"
ABOUT = """Meetings and councils out, summaries in, subscribers for operators.

Every request carries a key: `Authorization: Bearer dgk_…` (`digest api-key create`). What goes wrong is
problem JSON (RFC 9457); its `detail` names the thing and the mend."""


def app_of(site: Site) -> FastAPI:
    """The application with its OpenAPI at ``/openapi.json``."""
    app = FastAPI(
        title=f"{site.hall.publication.name}: API",
        version="1",
        description=ABOUT,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        root_path_in_servers=False,
        servers=[{"url": f"{site.hall.publication.base_url.rstrip('/')}{PATH}"}],
    )
    app.add_middleware(Bounded)
    problems.add_handlers(app)
    for router_of in (reading.router_of, taking.router_of, people.router_of):
        app.include_router(router_of(site))
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's description, with our problems in place of its own form of errors."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            servers=app.servers,
        )
        schemas = made["components"]["schemas"]
        schemas["Problem"] = problems.SCHEMA
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
        wrong = {"description": "What went wrong", "content": {problems.MEDIA_TYPE: problem}}
        for path in made["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
                operation["responses"]["4XX"] = operation["responses"]["503"] = wrong
        app.openapi_schema = made
    return app.openapi_schema
