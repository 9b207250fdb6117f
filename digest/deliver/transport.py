"""Keep-alive HTTP to one provider, with timeouts, that always knows whether a request had left.

The provider's own client opens a connection per request and never times out, and general HTTP clients do not
tell a request that was cut off half-way (nobody can have accepted it) from one whose answer was lost. Here
they are two exceptions, `NotSentError` and `UnansweredError`: the difference between sending again and doubt.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from digest.errors import DeliveryError, SettingsError

MAX_ANSWER_BYTES = 8_000_000  # of a page of suppressions; answers to letters are a few hundred bytes
_FRESH_AFTER_S = 25.0  # an idle connection is closed by the far side soon after 30 s (contracts: sendgrid, 1)


class NotSentError(DeliveryError):
    """The request never reached the provider whole, so it was not accepted: sending again is safe."""


class UnansweredError(DeliveryError):
    """The request left and no answer came back: whether it was accepted is not known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider answered; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class _Connection(http.client.HTTPConnection):
    """One, connected, that hands a request to the system whole.

    Head and body apart would wake the far side twice, and the library writes a head slowly.
    """

    def send_whole(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> None:
        """Write the request. Raises: OSError; ValueError for what cannot stand in a head."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.port != self.default_port:
            host += f":{self.port}"
        lines = {"Host": host, "Accept-Encoding": "identity", **headers}
        if body is not None or method in ("POST", "PUT", "PATCH"):
            body = body or b""
            lines["Content-Length"] = str(len(body))
        head = [f"{method} {url} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items())]
        if not all(line.isascii() and line.isprintable() for line in head) or url.count(" "):
            raise ValueError(f"the head of a request to {self.host} has characters that cannot stand in one")
        self.sock.sendall("\r\n".join([*head, "\r\n"]).encode("ascii") + (body or b""))

    def answer(self, method: str) -> http.client.HTTPResponse:
        """The head of the answer. Raises: OSError, HTTPException."""
        response = http.client.HTTPResponse(self.sock, method=method)
        try:
            response.begin()
        except BaseException:
            response.close()
            raise
        return response


class _TLSConnection(_Connection, http.client.HTTPSConnection):
    """The same over TLS."""


@dataclass(slots=True)
class _Idle:
    connection: _Connection
    since: float


class Transport:
    """Connections to one base address, shared by threads. ``secret_headers`` go with every request."""

    def __init__(
        self,
        base_url: str,
        *,
        connect_timeout_s: float,
        read_timeout_s: float,
        secret_headers: Mapping[str, str] | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError(
                f'"{base_url}" is no address of a provider: write it as "https://api.example.org"'
            )
        if not base_url.isascii() or not base_url.isprintable() or " " in base_url:
            raise SettingsError(
                f'"{base_url}" has characters that cannot stand in an address: write its name as '
                '"xn--…", and spaces and letters of its path as "%20" and the like'
            )
        self.base_url = base_url.rstrip("/")
        self._host, self._path = parts.hostname, parts.path.rstrip("/")
        # Said, since the library would look for a port in an IPv6 address.
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._secret_headers = dict(secret_headers or {})
        self._idle: list[_Idle] = []
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Transport({self.base_url})"

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request and its answer, whatever its status. Never repeated, redirects not followed.

        Raises: NotSentError, UnansweredError.
        """
        connection = self._take()
        try:
            self._send(connection, method, path, body, headers or {})
            answer, may_stay = self._read(connection, method)
        except BaseException:
            connection.close()
            raise
        if may_stay:
            self._give_back(connection)
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Close the idle connections; the next request opens a new one."""
        with self._lock:
            idle, self._idle = self._idle, []
        for one in idle:
            one.connection.close()

    def _take(self) -> _Connection:
        """An idle connection that is fresh and open, else a new one."""
        while True:
            with self._lock:
                one = self._idle.pop() if self._idle else None
            if one is None:
                return self._connect()
            if time.monotonic() - one.since < _FRESH_AFTER_S and _is_open(one.connection):
                return one.connection
            one.connection.close()

    def _connect(self) -> _Connection:
        connection: _Connection
        if self._tls is None:
            connection = _Connection(self._host, self._port, timeout=self._connect_timeout_s)
        else:
            connection = _TLSConnection(
                self._host, self._port, timeout=self._connect_timeout_s, context=self._tls
            )
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise NotSentError(f"no connection to {self.base_url}: {_said(error)}") from error
        connection.sock.settimeout(self._read_timeout_s)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _send(
        self,
        connection: _Connection,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> None:
        try:
            connection.send_whole(method, self._path + path, body, {**headers, **self._secret_headers})
        except OSError as error:
            # Not every byte could be handed to the system, so no whole request can have arrived.
            raise NotSentError(f"the request to {self.base_url} broke off: {_said(error)}") from error

    def _read(self, connection: _Connection, method: str) -> tuple[Answer, bool]:
        try:
            response = connection.answer(method)
            body = response.read(MAX_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise UnansweredError(f"no answer from {self.base_url}: {_said(error)}") from error
        headers = {name.lower(): value for name, value in response.getheaders()}
        may_stay = response.isclosed() and not response.will_close
        return Answer(response.status, headers, body[:MAX_ANSWER_BYTES]), may_stay

    def _give_back(self, connection: _Connection) -> None:
        with self._lock:
            self._idle.append(_Idle(connection, time.monotonic()))


def _is_open(connection: _Connection) -> bool:
    """False when the far side has closed, or said something unasked: nothing may be written there."""
    if connection.sock is None:
        return False
    readable = select.poll()
    readable.register(connection.sock, select.POLLIN)
    return not readable.poll(0)


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
