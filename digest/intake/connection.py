"""One kept HTTP/1.1 connection: to a checked address, with every wait bounded by the fetch's deadline.

The standard library reads the answers (status, headers, chunks); what is ours is where the bytes come
from, and that nothing of one answer is ever taken for the next.
"""

from __future__ import annotations

import io
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from http.client import BadStatusLine, HTTPException, HTTPResponse
from ssl import SSLContext
from typing import Any

import httpx

from digest.intake.network import connected, time_left


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom a connection leads to. ``host`` in ASCII: as it stands in Host, in SNI and before DNS."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds until a connection stands, and for each read or write on it."""

    connect_s: float
    read_s: float


class Connection:
    """Asks one origin, one request after another; connects anew where the server hung up in between.

    For one thread at a time.
    """

    def __init__(self, origin: Origin, *, waits: Waits, allow_private_addresses: bool) -> None:
        self.origin = origin
        self._waits = waits
        self._allow_private = allow_private_addresses
        self._socket: socket.socket | None = None
        self._source: _Source | None = None

    def ask(self, request: bytes) -> Response:
        """The head of the answer to a GET, its body still to be read.

        Raises: OSError (TimeoutError among them), HTTPException, FetchError for a refused address.
        """
        if self._socket is not None and _has_said_something(self._socket):
            self.close()  # it hung up, or spoke without being asked
        is_kept = self._socket is not None
        try:
            return self._asked(request)
        except (ConnectionError, BadStatusLine):
            self.close()
            if not is_kept:
                raise
        # The server let go of a kept connection while we asked: a GET may be repeated (RFC 9110, 9.2.2).
        return self._asked(request)

    def _asked(self, request: bytes) -> Response:
        try:
            if self._socket is None:
                self._socket = self._connected()
            self._socket.settimeout(time_left(self._waits.read_s))
            self._socket.sendall(request)
            self._source = _Source(self._socket, self._waits.read_s)
            return Response(_begun(self._source))
        except BaseException:
            self.close()
            raise

    def finish(self, response: Response) -> None:
        """Keep the connection if the answer was read to its end and the server keeps it too, else close."""
        if not response.is_over or response.will_close or (self._source and self._source.has_more):
            self.close()

    def close(self) -> None:
        """Let go of the connection; the next request makes a new one."""
        if self._socket is not None:
            self._socket.close()
        self._socket = self._source = None

    def _connected(self) -> socket.socket:
        origin = self.origin
        made = connected(
            origin.host,
            origin.port,
            timeout_s=self._waits.connect_s,
            allow_private_addresses=self._allow_private,
        )
        if origin.scheme == "http":
            return made
        try:
            return _verified().wrap_socket(made, server_hostname=origin.host)
        except BaseException:
            made.close()
            raise


def _begun(source: _Source) -> HTTPResponse:
    """The answer, its head read; hints that come before it (RFC 9110, 15.2) are passed over."""
    for _ in range(_HINTS):
        answer = HTTPResponse(source, method="GET")  # type: ignore[arg-type]  # makefile is all it asks for
        answer.begin()
        if answer.status >= 200:
            return answer
        answer.fp = None  # type: ignore[assignment]  # it must not close what the next one reads
    raise HTTPException("the server says nothing but hints")


_HINTS = 5


class Response:
    """Status, headers (lower-case names; of equal ones the last) and the body as it streams in."""

    def __init__(self, answer: HTTPResponse) -> None:
        self._answer = answer
        self.status = answer.status
        self.headers = {
            name.lower(): " ".join(value.split()) if "\n" in value or "\r" in value else value
            for name, value in answer.headers.items()
        }
        self.will_close = bool(answer.will_close)

    @property
    def is_over(self) -> bool:
        """Whether the whole body was read."""
        return self._answer.isclosed()

    def pieces(self, size: int = 65_536) -> Iterator[bytes]:
        """The body, at most ``size`` bytes at a time. Raises: HTTPException where it ends too early."""
        while piece := self._answer.read(size):
            yield piece
        if self._answer.length:
            raise HTTPException("the server hung up in the middle of its answer")


class _Source:
    """What the standard library takes for a socket: it only ever asks for the file to read from."""

    def __init__(self, of: socket.socket, read_s: float) -> None:
        self._raw = _Reads(of, read_s)
        self._file: _Answers | None = None

    def makefile(self, mode: str) -> io.BufferedReader:
        if self._file is None:
            self._file = _Answers(self._raw, 16_384)
        return self._file

    @property
    def has_more(self) -> bool:
        """Whether bytes came that belong to no answer: nothing that follows could be trusted."""
        return self._file is not None and self._file.has_more


class _Answers(io.BufferedReader):
    """A reader that tells, when it is closed, whether it held more than was read."""

    has_more = False

    def close(self) -> None:
        if not self.closed:
            self.raw.is_done = True  # type: ignore[attr-defined]
            self.has_more = bool(self.peek(1))
        super().close()


class _Reads(io.RawIOBase):
    """Reads whose waits also end at the fetch's deadline: a slow drip cannot hold a thread."""

    is_done = False

    def __init__(self, of: socket.socket, read_s: float) -> None:
        self._socket = of
        self._read_s = read_s

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if self.is_done:
            return 0
        self._socket.settimeout(time_left(self._read_s))
        return self._socket.recv_into(into)


def _has_said_something(kept: socket.socket) -> bool:
    waiting = select.poll()
    waiting.register(kept, select.POLLIN)
    return bool(waiting.poll(0))


@lru_cache(maxsize=1)
def _verified() -> SSLContext:
    """httpx's context: certifi's roots, or what SSL_CERT_FILE names. Made once, it costs 50 ms."""
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
