"""Bodies are bounded before anybody reads them; answers to a key are kept by nobody in between."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digest.summaries.read import MAX_BYTES


class Bounded:
    """Pure ASGI: who reads a body beyond ``MAX_BYTES`` gets a 413, whether the length was said or not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BYTES:
                # An HTTPException, since FastAPI takes any other for a body that cannot be parsed.
                raise HTTPException(413, f"the body is longer than {MAX_BYTES} bytes: shorten it")
            return message

        async def unstored(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, bounded, unstored)
