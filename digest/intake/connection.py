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
from http.client import BadStatusLine, HTTPException, HTTPResponse, RemoteDisconnected
from ssl import SSLContext
from typing import Any, cast

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
        self._reader: _Reader | None = None

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
            if not is_kept:
                raise
        # The server let go of a kept connection while we asked: a GET may be repeated (RFC 9110, 9.2.2).
        return self._asked(request)

    def _asked(self, request: bytes) -> Response:
        try:
            if self._socket is None or self._reader is None:
                self._socket = self._connected()
                self._reader = _Reader(_Reads(self._socket, self._waits.read_s), 16_384)
            self._socket.settimeout(time_left(self._waits.read_s))
            self._socket.sendall(request)
            return _response(self._reader)
        except BaseException:
            self.close()
            raise

    def finish(self, response: Response) -> None:
        """Keep the connection if the answer was read to its end and the server keeps it too, else close."""
        is_clean = response.isclosed() and self._reader is not None and not self._reader.has_more()
        if response.will_close or not is_clean:
            self.close()

    def close(self) -> None:
        """Let go of the connection; the next request makes a new one."""
        if self._socket is not None:
            self._socket.close()
        self._socket = self._reader = None

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


def _response(reader: _Reader) -> Response:
    """The answer, its head read; hints that come before it (RFC 9110, 15.2) are passed over."""
    for _ in range(_HINTS):
        answer = Response(reader)
        answer.begin()
        if answer.status >= 200:
            return answer
    raise HTTPException("the server says nothing but hints")


_HINTS, _FIELDS, _LINE_BYTES = 5, 100, 65_536


class Response(HTTPResponse):
    """An answer whose head is read without the parser of e-mails, which takes longer than all the rest.

    ``fields``: header values by lower-case name; of equal ones the last.
    """

    def __init__(self, reader: _Reader) -> None:
        super().__init__(reader, method="GET")  # type: ignore[arg-type]  # makefile is all it asks for
        self.fields: dict[str, str] = {}

    def begin(self) -> None:
        """Read the head; where the body ends follows RFC 9112, 6.3. Raises: HTTPException, OSError."""
        version, self.status = self._status_line()
        self.fields = fields = self._read_fields()
        kept = fields.get("connection", "").lower()
        self.chunked = fields.get("transfer-encoding", "").lower() == "chunked"
        self.chunk_left = None
        self.length = None if self.chunked else _length(fields.get("content-length", ""))
        if self.status in (204, 304) or self.status < 200:
            self.chunked, self.length = False, 0
        has_end = self.chunked or self.length is not None
        self.will_close = not has_end or "close" in kept or (version == b"HTTP/1.0" and "keep" not in kept)

    def pieces(self, size: int = 65_536) -> Iterator[bytes]:
        """The body, at most ``size`` bytes at a time. Raises: HTTPException where it ends too early."""
        while piece := self.read(size):
            yield piece
        if self.length:
            raise HTTPException("the server hung up in the middle of its answer")

    def _status_line(self) -> tuple[bytes, int]:
        line = self._line()
        if not line:
            raise RemoteDisconnected("the server hung up without an answer")
        version, _, rest = line.partition(b" ")
        code = rest.lstrip()[:3]
        if not version.startswith(b"HTTP/1.") or not code.isdigit() or int(code) < 100:
            raise BadStatusLine(line[:100].decode("latin-1"))
        return version, int(code)

    def _read_fields(self) -> dict[str, str]:
        found: dict[str, str] = {}
        name = ""
        for _ in range(_FIELDS + 1):
            line = self._line()
            if line in (b"\r\n", b"\n"):
                return found
            if not line:
                raise HTTPException("the server hung up in the middle of its headers")
            if line[0] in b" \t":  # an old way to go on with the value on a second line
                found[name] = f"{found.get(name, '')} {line.strip().decode('latin-1')}"
                continue
            key, _, value = line.partition(b":")
            name = key.strip().lower().decode("latin-1")
            found[name] = value.strip().decode("latin-1")
        raise HTTPException(f"the server sends more than {_FIELDS} headers")

    def _line(self) -> bytes:
        line = self.fp.readline(_LINE_BYTES + 1)
        if len(line) > _LINE_BYTES:
            raise HTTPException("the server sends a line of more than 64 kB before the body")
        return line

    def _close_conn(self) -> None:
        """The reader stays: the next answer comes through it."""
        self.fp = None  # type: ignore[assignment]


def _length(value: str) -> int | None:
    return int(value[:18]) if value.isascii() and value.isdigit() else None


class _Reader(io.BufferedReader):
    """What the connection says, across all of its answers."""

    def makefile(self, mode: str) -> _Reader:
        """Stands in for the socket that the standard library would read from."""
        return self

    def has_more(self) -> bool:
        """Whether bytes came that belong to no answer: nothing that follows could be trusted."""
        reads = cast(_Reads, self.raw)
        reads.is_at_rest = True
        try:
            return bool(self.peek(1))
        finally:
            reads.is_at_rest = False


class _Reads(io.RawIOBase):
    """Reads whose waits also end at the fetch's deadline: a slow drip cannot hold a thread."""

    is_at_rest = False

    def __init__(self, of: socket.socket, read_s: float) -> None:
        self._socket = of
        self._read_s = read_s

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if self.is_at_rest:
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
