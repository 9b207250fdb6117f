"""What went wrong, as problem JSON (RFC 9457): ``detail`` names thing and mend, ``errors`` the places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from digest.errors import ConflictError, DigestError, NotFoundError, StoreError, SubscriberError, UsageError

MEDIA_TYPE = "application/problem+json"
SCHEMA = {
    "type": "object",
    "description": "What went wrong (RFC 9457)",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "the thing, what is wrong, and the mend"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"place": {"type": "string"}, "why": {"type": "string"}},
            },
        },
    },
}
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}  # as RFC 9110 calls them


class ProblemError(Exception):
    """An answer that says what is wrong, raised anywhere below a route."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more: dict[str, Any] = ({"errors": list(errors)} if errors else {}) | more


def answer_of(problem: ProblemError) -> Response:
    """The problem as an answer."""
    title = _TITLES.get(problem.status) or HTTPStatus(problem.status).phrase
    body = {"type": "about:blank", "title": title, "status": problem.status, "detail": problem.detail}
    return JSONResponse(
        body | problem.more, status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE
    )


def add_handlers(app: FastAPI) -> None:
    """Every error below this application becomes a problem."""

    @app.exception_handler(ProblemError)
    async def problem(request: Request, error: ProblemError) -> Response:
        return answer_of(error)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        detail = {404: "there is no such address: see openapi.json", 405: "this address has no such method"}
        said = detail.get(error.status_code, str(error.detail))
        return answer_of(ProblemError(error.status_code, said, headers=error.headers))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        errors = [{"place": _place(one["loc"]), "why": one["msg"]} for one in error.errors()]
        detail = f"{errors[0]['place']}: {errors[0]['why']}" if errors else "the request cannot be read"
        return answer_of(ProblemError(422, detail, errors=errors))

    @app.exception_handler(DigestError)
    async def digest_error(request: Request, error: DigestError) -> Response:
        return answer_of(_of(error))


def _of(error: DigestError) -> ProblemError:
    if isinstance(error, NotFoundError):
        return ProblemError(404, str(error))
    if isinstance(error, ConflictError):
        return ProblemError(409, str(error))
    if isinstance(error, SubscriberError | UsageError):
        return ProblemError(422, str(error))
    if isinstance(error, StoreError):
        return ProblemError(
            503, "the database cannot be used now: ask again later", headers={"Retry-After": "30"}
        )
    return ProblemError(500, "the request could not be handled: the operator's log says why")


def _place(loc: Sequence[Any]) -> str:
    """ "body.councils[0]", "query.limit"."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the request"
