"""Posts of providers: the raw body is believed before it is read, stored before it is applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from digest.deliver.events import SIGNATURE_HEADER, TIMESTAMP_HEADER, Verifier, events_of
from digest.errors import StoreError, WebhookError
from digest.pipeline.events import hear

if TYPE_CHECKING:
    from digest.wiring import Hall

MAX_BODY_BYTES = 16_000_000  # the provider flushes at 768 kB; repeats may be merged
_STATUS = {"unsigned": 401, "forged": 401, "old": 401, "malformed": 400}


def router_of(hall: Hall) -> APIRouter:
    """``POST /webhooks/sendgrid``. Raises: SettingsError when the key is no key."""
    router = APIRouter()
    key = hall.settings.sendgrid.webhook_public_key
    verifier = Verifier(key) if key else None

    def take(body: bytes, signature: str | None, timestamp: str | None) -> JSONResponse:
        if verifier is None:
            return _no(503, "sendgrid.webhook_public_key is not set: posts cannot be believed")
        now = hall.clock()
        try:
            verifier.check(body, signature=signature, timestamp=timestamp, now=now)
            heard = hear(hall.database, events_of(body), suppression_key=hall.suppression_key, now=now)
        except WebhookError as error:
            return _no(_STATUS[error.kind], str(error))
        except StoreError:
            return _no(503, "the database cannot be used now: post again later")
        return JSONResponse({"events": heard.events, "new": heard.new})

    @router.post("/webhooks/sendgrid")
    async def sendgrid(request: Request) -> JSONResponse:
        """Signed events, as the provider posts them."""
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                return _no(413, "the post is too large")
        headers = request.headers
        return await run_in_threadpool(
            take, bytes(body), headers.get(SIGNATURE_HEADER), headers.get(TIMESTAMP_HEADER)
        )

    return router


def _no(status: int, why: str) -> JSONResponse:
    return JSONResponse({"error": why}, status_code=status)
