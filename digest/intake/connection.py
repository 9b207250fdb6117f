"""One kept HTTP/1.1 connection: to a checked address, with every wait bounded by the fetch's deadline.

``digest.http_answers`` reads the answers; what is ours is where they come from and how long they may take.
"""

from __future__ import annotations

import select
import socket
from dataclasses import dataclass
from functools import lru_cache
from http.client import BadStatusLine
from ssl import SSLContext

import httpx

from digest.http_answers import HttpAnswer, Reader, next_answer
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
        self._reader: Reader | None = None

    def ask(self, request: bytes) -> HttpAnswer:
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

    def _asked(self, request: bytes) -> HttpAnswer:
        try:
            if self._socket is None or self._reader is None:
                self._socket = self._connected()
                # Each wait also ends at the fetch's deadline: a slow drip cannot hold a thread.
                self._reader = Reader(self._socket, wait_s=lambda: time_left(self._waits.read_s))
            self._socket.settimeout(time_left(self._waits.read_s))
            self._socket.sendall(request)
            return next_answer(self._reader)
        except BaseException:
            self.close()
            raise

    def finish(self, response: HttpAnswer) -> None:
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
