"""Routes of the desk: each names the role it needs, and each post carries the seal of its page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from digest.model import Role
from digest.pipeline.importing import WatchedFolders
from digest.store import audit
from digest.web.desk.access import Access, Who
from digest.web.site import Site

Handler = Callable[..., Any]


@dataclass
class Desk:
    """What the desk's pages work with.

    ``watched``: summaries that the studio takes in again when they change. ``needs`` remembers each route's
    role, for tests and the pages.
    """

    site: Site
    access: Access
    watched: WatchedFolders
    router: APIRouter = field(default_factory=lambda: APIRouter(include_in_schema=False))
    needs: dict[tuple[str, str], Role] = field(default_factory=dict)

    def get(self, path: str, *, role: Role = Role.VIEWER) -> Callable[[Handler], Handler]:
        """A page under /operator that operators of that role (or above) may see."""
        return self._route("GET", path, role)

    def post(self, path: str, *, role: Role = Role.EDITOR) -> Callable[[Handler], Handler]:
        """An act under /operator; its form has the page's ``seal``."""
        return self._route("POST", path, role)

    def page(self, request: Request, name: str, *, status: int = 200, **facts: Any) -> HTMLResponse:
        """A page of templates/web/desk, with who looks at it."""
        who = who_of(request)
        seal = self.site.seal.make("operator", who.session, on=self.site.today())
        return self.site.pages.answer(
            request,
            f"desk/{name}",
            status=status,
            language="en",
            who=who,
            seal=seal,
            is_local=self.access.is_local,
            said=request.query_params.get("said", ""),
            now=self.site.now(),
            may=lambda role: who.role.covers(Role(role)),
            **facts,
        )

    def back(self, path: str, said: str = "") -> Response:
        """To a page after a post, with one line of what was done."""
        from urllib.parse import quote

        join = "&" if "?" in path else "?"
        tail = f"{join}said={quote(said)}" if said else ""
        return RedirectResponse(f"{self.site.root}/operator{path}{tail}", status_code=303)

    def note(self, request: Request, action: str, *, subject: str, **facts: object) -> None:
        """A line in the audit log, in a transaction of its own."""
        with self.site.hall.database.write() as connection:
            audit.note(
                connection,
                action,
                subject=subject,
                actor=who_of(request).name,
                now=self.site.now(),
                facts=facts,
            )

    def _route(self, method: str, path: str, role: Role) -> Callable[[Handler], Handler]:
        full = f"/operator{path}"
        self.needs[method, full] = role
        guards = [Depends(self._guard(role))] + ([Depends(self._sealed)] if method == "POST" else [])
        return self.router.api_route(full, methods=[method], dependencies=guards, response_model=None)

    def _guard(self, role: Role) -> Callable[[Request], None]:
        def guard(request: Request) -> None:
            who = self.access.who(request)
            if not who.role.covers(role):
                raise HTTPException(403, f"this needs the role {role}; yours is {who.role}")
            request.state.who = who

        return guard

    async def _sealed(self, request: Request) -> None:
        form = await request.form()
        seal = form.get("seal")
        whose = who_of(request).session
        self.site.seal.check(
            seal if isinstance(seal, str) else None, "operator", whose, today=self.site.today()
        )


def who_of(request: Request) -> Who:
    """Who asks, as the route's guard found."""
    who: Who = request.state.who
    return who
