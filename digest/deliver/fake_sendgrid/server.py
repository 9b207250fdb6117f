"""The fake as an HTTP server on this machine: the provider's paths, and ``/__fake/`` to look and meddle."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from digest.deliver.fake_sendgrid import logs
from digest.deliver.fake_sendgrid.account import Account
from digest.deliver.fake_sendgrid.checks import BAD_REQUEST, MAX_BODY_BYTES, RefusedError, problem
from digest.deliver.fake_sendgrid.faults import Fault

Reply = tuple[int, object]
_RATE = {"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "599"}
_TOO_MANY = {"errors": [{"field": None, "message": "too many requests"}]}
_RESET_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: closing sends RST


class FakeSendGrid:
    """A running fake. ``account`` is its state; as a context manager it closes itself."""

    def __init__(self, account: Account | None = None, *, port: int = 0, host: str = "127.0.0.1") -> None:
        self.account = account or Account()
        self._server = _Server((host, port), _Handler, self.account)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.port: int = self._server.server_address[1]
        self.url = f"http://{host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many TCP connections were accepted."""
        return self._server.connections

    def close(self) -> None:
        """Stop listening and close all connections."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> FakeSendGrid:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[_Handler], account: Account) -> None:
        super().__init__(address, handler)
        self.account = account
        self.connections = 0
        self._open: set[socket.socket] = set()

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
        headers = {} if parts.path.startswith("/__fake/") else _RATE
        try:
            status, reply = self._route(parts.path, dict(parse_qsl(parts.query)), body)
        except RefusedError as refused:
            status, reply = refused.status, {"errors": list(refused.problems)}
        self._answer(status, reply, headers)

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
            self._answer(429, _TOO_MANY, headers)
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

    # --- paths ---

    def _route(self, path: str, query: dict[str, str], body: bytes) -> Reply:
        for method, pattern, handle in _ROUTES:
            if method == self.command and (match := re.fullmatch(pattern, path)):
                if not path.startswith("/__fake/"):
                    self.server.account.authorise(self.headers.get("Authorization"))
                return handle(self.server.account, [unquote(g) for g in match.groups()], query, _json(body))
        return 404, {"errors": [problem("not found")]}


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        raise RefusedError(400, BAD_REQUEST) from None


def _status_of(request: Any) -> str:
    status = request.get("status") if isinstance(request, dict) else None
    if status not in ("pause", "cancel"):
        raise RefusedError(400, problem("status must be pause or cancel", "status"))
    return str(status)


def _batch_known(account: Account, groups: list[str], *_: Any) -> Reply:
    if groups[0] not in account.batches:
        raise RefusedError(400, problem("invalid batch id"))
    return 200, {"batch_id": groups[0]}


def _stop(account: Account, _: list[str], __: dict[str, str], request: Any) -> Reply:
    account.stop(str(request.get("batch_id")), _status_of(request))
    return 201, {"batch_id": request["batch_id"], "status": request["status"]}


def _change(account: Account, groups: list[str], _: dict[str, str], request: Any) -> Reply:
    account.stop(groups[0], _status_of(request), change=True)
    return 204, None


def _free(account: Account, groups: list[str], *_: Any) -> Reply:
    account.free(groups[0])
    return 204, None


def _stopped(account: Account, groups: list[str], *_: Any) -> Reply:
    found = account.stopped()
    return 200, [{"batch_id": k, "status": b.status} for k, b in found if not groups or k == groups[0]]


def _remove(account: Account, groups: list[str], _: dict[str, str], request: Any) -> Reply:
    logs.remove_suppressions(account, groups[0], request)
    return 204, None


def _add_global(account: Account, _: list[str], __: dict[str, str], request: Any) -> Reply:
    logs.add_global(account, request.get("recipient_emails", []))
    return 201, {"recipient_emails": request.get("recipient_emails", [])}


def _one_global(account: Account, groups: list[str], *_: Any) -> Reply:
    found = account.suppressions["unsubscribes"].get(groups[0].lower())
    return 200, {"recipient_email": found["email"]} if found else {}


def _not_global(account: Account, groups: list[str], *_: Any) -> Reply:
    account.suppressions["unsubscribes"].pop(groups[0].lower(), None)
    return 204, None


def _clock(account: Account, _: list[str], __: dict[str, str], request: Any) -> Reply:
    if "advance" in request:
        account.advance(float(request["advance"]))
    elif "now" in request:
        account.set_now(float(request["now"]))
    return 200, {"now": account.now()}


def _set_faults(account: Account, _: list[str], __: dict[str, str], request: Any) -> Reply:
    try:
        account.faults.queue += [Fault(**fault) if fault else None for fault in request.get("queue", [])]
    except TypeError as error:
        raise RefusedError(400, problem(str(error))) from None
    account.faults.probability = float(request.get("probability", account.faults.probability))
    return 200, {"queue": len(account.faults.queue), "probability": account.faults.probability}


def _outbox(account: Account, *_: Any) -> Reply:
    account.settle()
    keys = ("request_id", "sg_message_id", "address", "custom_args", "state", "subject")
    return 200, [{key: getattr(m, key) for key in keys} for m in account.messages]


def _letter(account: Account, groups: list[str], *_: Any) -> Reply:
    if int(groups[0]) >= len(account.messages):
        raise RefusedError(404, problem("no such message"))
    return 200, account.messages[int(groups[0])].mime().as_bytes()


def _posts(account: Account, *_: Any) -> Reply:
    """The waiting posts, to be delivered by whoever asks: body as text, and its headers."""
    return 200, [{"body": post.body.decode(), "headers": post.headers} for post in account.posts()]


def _lists(account: Account, *_: Any) -> Reply:
    account.settle()
    return 200, {name: list(entries.values()) for name, entries in account.suppressions.items()}


def _state(account: Account, *_: Any) -> Reply:
    with account.lock:
        return 200, {
            "now": account.now(),
            "requests": account.requests,
            "messages": len(account.messages),
            "sent": sum(m.state == "sent" for m in account.messages),
            "faults": [asdict(fault) for fault in account.faults.happened],
        }


_SUPPRESSION = r"/v3/suppression/(\w+)"
_SCHEDULED = "/v3/user/scheduled_sends"
_ROUTES: list[tuple[str, str, Callable[[Account, list[str], dict[str, str], Any], Reply]]] = [
    ("POST", "/v3/mail/batch", lambda a, *_: (201, {"batch_id": a.new_batch()})),
    ("GET", "/v3/mail/batch/([^/]+)", _batch_known),
    ("POST", _SCHEDULED, _stop),
    ("GET", _SCHEDULED, _stopped),
    ("GET", f"{_SCHEDULED}/([^/]+)", _stopped),
    ("PATCH", f"{_SCHEDULED}/([^/]+)", _change),
    ("DELETE", f"{_SCHEDULED}/([^/]+)", _free),
    ("POST", "/v3/logs", lambda a, _, __, request: (200, logs.search_logs(a, request))),
    ("GET", "/v3/logs/([^/]+)", lambda a, g, *_: (200, logs.one_log(a, g[0]))),
    ("GET", _SUPPRESSION, lambda a, g, query, _: (200, logs.suppression_page(a, g[0], query))),
    ("DELETE", _SUPPRESSION, _remove),
    ("POST", "/v3/asm/suppressions/global", _add_global),
    ("GET", "/v3/asm/suppressions/global/([^/]+)", _one_global),
    ("DELETE", "/v3/asm/suppressions/global/([^/]+)", _not_global),
    (
        "GET",
        "/v3/user/webhooks/event/settings/signed",
        lambda a, *_: (200, {"id": "fake", "public_key": a.key.public}),
    ),
    ("POST", "/__fake/clock", _clock),
    ("POST", "/__fake/faults", _set_faults),
    ("GET", "/__fake/outbox", _outbox),
    ("GET", r"/__fake/outbox/(\d+)\.eml", _letter),
    ("POST", "/__fake/events", _posts),
    (
        "GET",
        "/__fake/suppressions",
        lambda a, *_: (200, {k: list(v.values()) for k, v in a.suppressions.items()}),
    ),
    ("GET", "/__fake/state", _state),
]
