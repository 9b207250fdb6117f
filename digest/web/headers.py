"""Headers of every answer: what a browser may load, remember and tell others (OWASP secure headers).

The hooks and the API need none of the page's rules, but none of them harms there.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src 'self' data:",
        "connect-src 'self'", "font-src 'self'", "manifest-src 'self'", "form-action 'self'",
        "frame-src 'self'", "frame-ancestors 'self'", "base-uri 'none'",
    )
)  # fmt: skip
# A letter shown as it is carries inline style and pictures by address; it may still run nothing.
LETTER_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: http: data:; "
    "form-action 'none'; frame-ancestors 'self'; base-uri 'none'; sandbox allow-popups "
    "allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
)
PERSONAL = ("/confirm/", "/preferences/", "/unsubscribe/", "/view/", "/calendar/", "/agree/", "/operator")
"""Paths whose address or content is somebody's own: never stored, indexed or told to the next page."""


class Headers:
    """Pure ASGI: adds to each answer what it does not say itself, and answers HEAD as GET without its body.

    A ``base_url`` with a path works whether the proxy in front keeps that path or takes it off.
    """

    def __init__(self, app: ASGIApp, *, https: bool, root: str = "") -> None:
        self._app = app
        self._https = https
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if self._root and (path == self._root or path.startswith(f"{self._root}/")):
            path = path[len(self._root) :] or "/"
            scope = {**scope, "path": path, "raw_path": path.encode(), "root_path": ""}
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope = {**scope, "method": "GET"}
        is_personal = path.startswith(PERSONAL)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._of(is_personal):
                    headers.setdefault(name, value)
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app(scope, receive, with_headers)

    def _of(self, is_personal: bool) -> list[tuple[str, str]]:
        found = [
            ("Content-Security-Policy", POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Permissions-Policy", "camera=(), microphone=(), geolocation=(), browsing-topics=()"),
            ("Referrer-Policy", "no-referrer" if is_personal else "strict-origin-when-cross-origin"),
        ]
        if is_personal:
            found += [("Cache-Control", "no-store"), ("X-Robots-Tag", "noindex, nofollow")]
        if self._https:
            found.append(("Strict-Transport-Security", "max-age=31536000"))
        return found
