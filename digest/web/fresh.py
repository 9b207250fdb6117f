"""Answers that programs ask for again and again: 304 while nothing has changed (RFC 9110, 13)."""

from __future__ import annotations

import hashlib
from datetime import datetime
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import Response

KEPT_S = 900
"""Seconds that a public answer may be kept; polls and imports are no more frequent."""


def fresh(
    request: Request,
    body: bytes,
    *,
    media_type: str,
    changed_at: datetime | None = None,
    is_personal: bool = False,
    filename: str | None = None,
) -> Response:
    """The body, or 304 for who has these very bytes.

    The tag is weak, since the body may yet be compressed. Without a tag a date counts only when it is ours
    exactly: what is taken back can make the newest entry older.
    """
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {"ETag": tag, "Vary": "Accept-Language, Cookie"}
    if not is_personal:
        headers["Cache-Control"] = f"public, max-age={KEPT_S}"
    if changed_at is not None:
        headers["Last-Modified"] = format_datetime(changed_at.replace(microsecond=0), usegmt=True)
    if _has(request, tag, headers.get("Last-Modified")):
        return Response(status_code=304, headers=headers)
    if filename is not None:
        headers["Content-Disposition"] = f'inline; filename="{filename}"'
    return Response(body, media_type=media_type, headers=headers)


def _has(request: Request, tag: str, last_modified: str | None) -> bool:
    asked = request.headers.get("if-none-match")
    if asked is not None:
        known = [one.strip().removeprefix("W/") for one in asked.split(",")]
        return tag.removeprefix("W/") in known or "*" in known
    return last_modified is not None and request.headers.get("if-modified-since") == last_modified
