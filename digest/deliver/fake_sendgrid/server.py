"""The fake as an HTTP server on this machine: requests, answers, and what goes wrong between them."""

from __future__ import annotations

import socket
import struct
import threading
import time
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from digest.deliver.fake_sendgrid.account import Account
from digest.deliver.fake_sendgrid.checks import BAD_REQUEST, MAX_BODY_BYTES, RefusedError, problem
from digest.deliver.fake_sendgrid.faults import Fault
from digest.deliver.fake_sendgrid.paths import reply_to
from digest.deliver.fake_sendgrid.webhook import post_events

_TOO_MANY = {"errors": [{"field": None, "message": "too many requests"}]}
_RESET_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: closing sends RST


class FakeSendGrid:
    """A running fake. ``account`` is its state; as a context manager it closes itself.

    With ``webhook_url`` it posts its events there every ``flush_every_s`` real seconds.
    """

    def __init__(
        self,
        account: Account | None = None,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        webhook_url: str | None = None,
        flush_every_s: float = 2.0,
    ) -> None:
        self.account = account or Account()
        self._server = _Server((host, port), _Handler, self.account)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.port: int = self._server.server_address[1]
        self.url = f"http://{host}:{self.port}"
        self._closed = threading.Event()
        if webhook_url is not None:
            threading.Thread(target=self._flush, args=(webhook_url, flush_every_s), daemon=True).start()

    @property
    def connections(self) -> int:
        """How many TCP connections were accepted."""
        return self._server.connections

    def wait(self) -> None:
        """Return when the server is closed, or the user has had enough (KeyboardInterrupt)."""
        self._thread.join()

    def close(self) -> None:
        """Stop listening and close all connections; twice is harmless."""
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _flush(self, webhook_url: str, every_s: float) -> None:
        while not self._closed.wait(every_s):
            post_events(self.account, webhook_url)

    def __enter__(self) -> FakeSendGrid:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[_Handler], account: Account) -> None:
        # First: a port that is taken closes the server from within the base's constructor.
        self._open: set[socket.socket] = set()
        self.account = account
        self.connections = 0
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections += 1
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that die are what this server is for: nothing to say."""

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self._open):
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet an answer

    def version_string(self) -> str:
        return "nginx"

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: what happened is in ``/__fake/``."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    # --- one request ---

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        account = self.server.account
        with account.lock:
            account.requests += 1
        is_mail = parts.path == "/v3/mail/send"
        fault = account.faults.next() if is_mail and self.command == "POST" else None
        if is_mail and fault is None and not account.has_room():
            fault = Fault("status", 429)
        if fault is not None and fault.kind == "reset_before_read":
            self._reset()
            return
        body = self._body()
        if body is None:
            self._answer(413, {"errors": [problem("content too large")]})
            self.close_connection = True
            return
        if is_mail:
            self._mail(body, fault)
            return
        headers, left = {}, 0
        if not parts.path.startswith("/__fake/"):
            left = account.questions_left()
            headers = self._rate(max(left, 0))
        if left < 0:
            self._answer(429, _TOO_MANY, headers)
            return
        try:
            status, reply = reply_to(
                account,
                self.command,
                parts.path,
                query=dict(parse_qsl(parts.query)),
                body=body,
                authorization=self.headers.get("Authorization"),
            )
        except RefusedError as refused:
            status, reply = refused.status, {"errors": list(refused.problems)}
        except (
            ValueError,
            TypeError,
            AttributeError,
            KeyError,
        ):  # what a caller wrote where a number belongs
            status, reply = 400, {"errors": [BAD_REQUEST]}
        self._answer(status, reply, headers)

    def _rate(self, left: int) -> dict[str, str]:
        account = self.server.account
        return {
            "X-RateLimit-Limit": str(account.options.questions_per_minute),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": str((int(account.now() // 60) + 1) * 60),
        }

    def _body(self) -> bytes | None:
        length = int(self.headers.get("Content-Length") or 0)
        return None if length > MAX_BODY_BYTES else self.rfile.read(length)

    def _mail(self, body: bytes, fault: Fault | None) -> None:
        account = self.server.account
        try:
            if self.command != "POST":
                raise RefusedError(405, problem("method not allowed"))
            account.authorise(self.headers.get("Authorization"))
            if (self.headers.get("Content-Type") or "").split(";")[0] != "application/json":
                raise RefusedError(415, problem("Content-Type should be application/json."))
            mail = account.check(body)
        except RefusedError as refused:
            if fault is None or fault.kind in ("no_x_message_id", "close_idle", "delay"):
                self._answer(refused.status, {"errors": list(refused.problems)})
            else:
                self._go_wrong(fault)
            return
        if fault is None:
            request_id = account.accept(mail)
            self._accepted(request_id)
            return
        self._accept_with(fault, mail)

    def _accepted(self, request_id: str | None, *, tell_id: bool = True) -> None:
        headers = {"X-Message-Id": request_id} if request_id and tell_id else {}
        self._answer(202 if request_id else 200, None, headers)

    def _accept_with(self, fault: Fault, mail: dict[str, Any]) -> None:
        account = self.server.account
        if fault.kind == "late_accept":
            account.accept_later(mail)
        elif fault.kind != "status" or fault.accept:
            request_id = account.accept(mail)
            if fault.kind == "delay":
                time.sleep(fault.delay_s)
            if fault.kind in ("no_x_message_id", "close_idle", "delay"):
                self.close_connection = self.close_connection or fault.kind == "close_idle"
                self._accepted(request_id, tell_id=fault.kind != "no_x_message_id")
                return
        self._go_wrong(fault)

    def _go_wrong(self, fault: Fault) -> None:
        if fault.kind == "truncate_response":
            self.wfile.write(b"HTTP/1.1 20")
            self.wfile.flush()
            self.close_connection = True
        elif fault.kind == "reset_after_accept":
            self._reset()
        elif fault.kind == "hang_after_accept":
            time.sleep(fault.delay_s)
            self._reset()
        elif fault.kind == "late_accept":
            self._answer(504, b"<html>504 Gateway Time-out</html>")
        else:
            self._fail(fault)

    def _fail(self, fault: Fault) -> None:
        if fault.status == 429:
            reset = fault.reset_at if fault.reset_at is not None else int(self.server.account.now()) + 1
            headers = {
                "X-RateLimit-Limit": "1",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(reset),
            }
            if fault.retry_after_s is not None:
                headers["Retry-After"] = str(fault.retry_after_s)
            self._answer(429, _TOO_MANY, headers if fault.tells_when else {})
        elif fault.status == 500:
            self._answer(500, {"errors": [{"message": "internal server error"}]})
        else:
            self._answer(fault.status, b"<html><body>nginx</body></html>")

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_ONCE)
        # shutdown() would send FIN first; closing alone sends RST.
        self.connection.close()
        self.close_connection = True

    def _answer(self, status: int, reply: object, headers: dict[str, str] | None = None) -> None:
        is_html = isinstance(reply, bytes)
        body = b"" if reply is None else reply if isinstance(reply, bytes) else orjson.dumps(reply)
        self.send_response_only(status, HTTPStatus(status).phrase)
        fields = {"Server": "nginx", "Date": formatdate(self.server.account.now(), usegmt=True)}
        fields |= {"Connection": "keep-alive", "Content-Length": str(len(body))}
        if reply is not None:
            fields["Content-Type"] = "text/html" if is_html else "application/json"
        for name, value in (fields | (headers or {})).items():
            if not (name == "Connection" and self.close_connection):
                self.send_header(name, value)
        stays = not self.close_connection
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        self.close_connection = not stays
