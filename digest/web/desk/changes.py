"""Server-sent events: tells an open studio when a template or sample on the disk has changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from watchfiles import awatch

from digest.resources import resource_dir
from digest.web.desk.router import Desk

LISTEN_FOR_MS = 2_000
"""How often the stream looks whether anybody still listens."""


def add_routes(desk: Desk, *, watched: tuple[Path, ...] = ()) -> None:
    """``/operator/studio/changes``. ``watched``: further folders, as of samples."""
    own = desk.site.hall.settings.templates
    folders = [resource_dir("templates"), *([own] if own else []), *watched]

    @desk.get("/studio/changes")
    async def changes(request: Request, templates: str = "") -> Response:
        """One event for each bundle of changes, until the browser leaves.

        ``templates``: the folder that the studio shows; only at this machine may any be named.
        """
        own = Path(templates).expanduser()
        shown = [own] if desk.access.is_local and templates and own.is_dir() else []

        async def events() -> AsyncIterator[str]:
            yield "retry: 1000\n\n"
            async for found in awatch(
                *folders, *shown, yield_on_timeout=True, rust_timeout=LISTEN_FOR_MS, debounce=200, step=50
            ):
                if await request.is_disconnected():
                    return
                yield "data: changed\n\n" if found else ": here\n\n"

        return StreamingResponse(
            events(),
            media_type="text/event-stream",
            headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"},
        )
