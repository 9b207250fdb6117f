"""Summaries in: what `digest summary import` takes from a file, with its reader and its messages."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from digest.errors import DigestError, StoreError, SummaryError
from digest.pipeline.importing import take_content
from digest.store.keys import Scope
from digest.web.api import shapes
from digest.web.api.access import actor_of, allowed
from digest.web.api.problems import ProblemError
from digest.web.site import Site

_JSON = "application/json"
_MARKDOWN = "text/markdown"
_FORM = {"type": "string", "description": "YAML front matter between --- lines, then the text"}
_OBJECT = {"type": "object", "description": "the front matter's fields, and the text in `body`"}
_BODY = {
    "required": True,
    "content": {
        _MARKDOWN: {"schema": _FORM},
        _JSON: {"schema": _OBJECT},
    },
}


def router_of(site: Site) -> APIRouter:
    """Everything that the scope ``summaries`` opens."""
    router = APIRouter(dependencies=[Depends(allowed(site, Scope.SUMMARIES))], tags=["summaries"])

    @router.put("/summaries", openapi_extra={"requestBody": _BODY})
    async def put(
        request: Request,
        name: Annotated[
            str, Query(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$", description="how messages call it")
        ] = "",
    ) -> shapes.TakenShape:
        """Take in one summary; where the council's approval is auto it is published at once.

        The same content again is `unchanged`; other content of the same meeting and language is its next
        version. What cannot be taken is refused with its line, as a problem.
        """
        body = await _body_of(request)
        is_json = request.headers.get("content-type", "").partition(";")[0].strip().lower() == _JSON
        path = name or ("body.json" if is_json else "body.md")
        read_as = "body.json" if is_json else "body.md"
        return await run_in_threadpool(_taken, site, body, path, read_as, actor_of(request))

    return router


async def _body_of(request: Request) -> bytes:
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
    except ClientDisconnect as gone:
        raise ProblemError(400, "the body was not sent to its end: send it again") from gone
    return bytes(body)


def _taken(site: Site, body: bytes, path: str, read_as: str, actor: str) -> shapes.TakenShape:
    hall, now = site.hall, site.now()
    after = hall.settings.digest.archive_after
    try:
        taken = take_content(hall.database, body, name=read_as, now=now, archive_after=after, actor=actor)
    except SummaryError as error:
        raise _refused(path, error.line, error.why) from error
    except StoreError:
        raise
    except DigestError as error:
        raise _refused(path, 1, str(error)) from error
    return shapes.TakenShape(imported=int(taken.is_new), unchanged=int(not taken.is_new), refused=[])


def _refused(path: str, line: int, why: str) -> ProblemError:
    refused = {"path": path, "line": line, "why": why}
    errors = [{"place": f"{path}:{line}", "why": why}]
    counts: dict[str, Any] = {"imported": 0, "unchanged": 0, "refused": [refused]}
    return ProblemError(422, f"{path}:{line}: {why}", errors=errors, **counts)
