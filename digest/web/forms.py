"""Posted forms, urlencoded or multipart, read up to a size; and how a person's address is shown to them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

MAX_FORM_BYTES = 300_000
"""The longest lists of wishes that a profile takes fit; nothing that anybody types comes near."""


async def form_of(request: Request) -> FormData:
    """The form of a post; empty for a body that is none. Raises: HTTPException 413, 400."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            raise HTTPException(413)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            parser = MultiPartParser(request.headers, _once(bytes(body)), max_files=0, max_fields=5000)
            return await parser.parse()
        if kind in ("application/x-www-form-urlencoded", ""):
            return await FormParser(request.headers, _once(bytes(body))).parse()
    except MultiPartException as error:
        raise HTTPException(400) from error
    return FormData()


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body
    yield b""


def text_in(form: FormData, name: str) -> str:
    """A field as text without space around it; "" when it is missing or a file."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def texts_in(form: FormData, name: str) -> list[str]:
    """Every value of a repeated field, without the empty ones."""
    found: Iterable[object] = form.getlist(name)
    return [value.strip() for value in found if isinstance(value, str) and value.strip()]


def masked(address: str) -> str:
    """An address that its owner knows again and a stranger with a forwarded letter does not learn.

    >>> masked("ann.mellor@example.org")
    'a•••@e•••.org'
    """
    local, _, domain = address.rpartition("@")
    name, dot, rest = domain.rpartition(".")
    return f"{local[:1]}•••@{(name or rest)[:1]}•••{dot}{rest if name else ''}" if address else ""
