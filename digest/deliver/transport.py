"""Keep-alive HTTP to one provider, with timeouts, that always knows whether a request had left.

The provider's own client opens a connection per request and never times out, and general HTTP clients do not
tell a request that was cut off half-way (nobody can have accepted it) from one whose answer was lost. Here
they are two exceptions, `NotSentError` and `UnansweredError`: the difference between sending again and doubt.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from urllib.parse import urlsplit

from digest.errors import DeliveryError, SettingsError
from digest.http_answers import Reader, next_answer

MAX_ANSWER_BYTES = 8_000_000  # of a page of suppressions; answers to letters are a few hundred bytes
_EARLY_S = 1.0  # it was said before the connection broke, and is here by then
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


class _Connection:
    """A connected socket, and what it says across all of its answers."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.reader = Reader(connected)

    def is_open(self) -> bool:
        """False when the far side has closed, or said something unasked: nothing may be written here."""
        readable = select.poll()
        readable.register(self.socket, select.POLLIN)
        return not (self.reader.has_more() or readable.poll(0))

    def close(self) -> None:
        """Twice is harmless."""
        self.socket.close()


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
        usual = 443 if parts.scheme == "https" else 80
        self._port = parts.port or usual
        shown = f"[{self._host}]" if ":" in self._host else self._host
        self._host_header = shown if self._port == usual else f"{shown}:{self._port}"
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
            try:
                self._send(connection, method, path, body, headers or {})
                answer, may_stay = self._read(connection)
            except NotSentError:
                early = self._early_answer(connection)
                if early is None:
                    raise
                answer, may_stay = early, False
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
            if time.monotonic() - one.since < _FRESH_AFTER_S and one.connection.is_open():
                return one.connection
            one.connection.close()

    def _connect(self) -> _Connection:
        try:
            connected = socket.create_connection((self._host, self._port), self._connect_timeout_s)
            try:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is not None:
                    connected = self._tls.wrap_socket(connected, server_hostname=self._host)
                connected.settimeout(self._read_timeout_s)
            except BaseException:
                connected.close()
                raise
        except (OSError, UnicodeError) as error:  # the second for a name that no host can have
            raise NotSentError(f"no connection to {self.base_url}: {_said(error)}") from error
        return _Connection(connected)

    def _send(
        self,
        connection: _Connection,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> None:
        """Hand the request to the system whole: head and body apart would wake the far side twice."""
        lines = {"Host": self._host_header, "Accept-Encoding": "identity", **headers, **self._secret_headers}
        if body is not None or method in ("POST", "PUT", "PATCH"):
            body = body or b""
            lines["Content-Length"] = str(len(body))
        target = self._path + path
        head = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items())]
        if not all(line.isascii() and line.isprintable() for line in head) or " " in target:
            raise ValueError(f"the head of a request to {self._host} has characters that cannot stand in one")
        try:
            connection.socket.sendall("\r\n".join([*head, "\r\n"]).encode("ascii") + (body or b""))
        except OSError as error:
            # Not every byte could be handed to the system, so no whole request can have arrived.
            raise NotSentError(f"the request to {self.base_url} broke off: {_said(error)}") from error

    def _read(self, connection: _Connection) -> tuple[Answer, bool]:
        try:
            found = next_answer(connection.reader)
            body = found.read(MAX_ANSWER_BYTES + 1)
        except (OSError, HTTPException) as error:
            raise UnansweredError(f"no answer from {self.base_url}: {_said(error)}") from error
        may_stay = found.isclosed() and not found.will_close
        return Answer(found.status, found.fields, body[:MAX_ANSWER_BYTES]), may_stay

    def _early_answer(self, connection: _Connection) -> Answer | None:
        """What a server said that would not hear the end of a request: that it refuses it (401, 413)."""
        connection.socket.settimeout(_EARLY_S)
        try:
            answer, _ = self._read(connection)
        except (UnansweredError, OSError):
            return None
        # 408 ends a connection that idled too long, and says nothing of the request that met it.
        return answer if 400 <= answer.status < 500 and answer.status != 408 else None

    def _give_back(self, connection: _Connection) -> None:
        with self._lock:
            self._idle.append(_Idle(connection, time.monotonic()))


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
