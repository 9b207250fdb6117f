"""The transport: one handshake for many requests, only to a server that proves itself, and honest answers."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from digest.deliver.sendgrid import SendGrid
from digest.deliver.transport import NotSentError, Transport, UnansweredError
from digest.errors import SettingsError
from digest.model import HandedOver
from tests.unit.deliver.certificates import certificate_file
from tests.unit.deliver.letters import outgoing, reader


class Handler(BaseHTTPRequestHandler):
    """Takes anything, and says 202; a path with "odd" in it gets no HTTP."""

    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.handshakes += 1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append(self.headers["Authorization"])
        if "odd" in self.path:
            self.wfile.write(b"not http at all\r\n\r\n")
            self.close_connection = True
            return
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    """Counts its connections."""

    daemon_threads = True
    handshakes = 0

    def __init__(self, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[str] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is expected here."""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return certificate_file(tmp_path)


@pytest.fixture
def server(certificate: Path) -> Iterator[Server]:
    running = Server(certificate)
    thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


def test_many_letters_share_one_handshake_and_carry_the_key(
    server: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sender = SendGrid("SG.key", base_url=server.url, connect_timeout_s=10, read_timeout_s=10)
    for number in range(3):
        assert sender.send(outgoing(reader(number))) == HandedOver()
    sender.close()
    assert server.handshakes == 1
    assert server.seen == ["Bearer SG.key"] * 3


def test_a_server_that_cannot_prove_who_it_is_gets_nothing(server: Server) -> None:
    transport = Transport(server.url, connect_timeout_s=10, read_timeout_s=10)
    with pytest.raises(NotSentError, match="certificate"):
        transport.request("POST", "/v3/mail/send", b"{}")
    assert server.seen == []


def test_an_answer_that_is_no_http_is_no_answer(
    server: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    transport = Transport(server.url, connect_timeout_s=10, read_timeout_s=10)
    with pytest.raises(UnansweredError):
        transport.request("POST", "/odd", b"{}")
    assert transport.request("POST", "/", b"{}").status == 202
    transport.close()


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/", {"X-A": "b\r\nX-C: d"}), ("/", {"X-A\n": "b"}), ("/a b", {}), ("/\r\n", {}), ("/", {"X": "é"})],
)
def test_what_cannot_stand_in_a_head_is_never_sent(
    server: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch, path: str, headers: dict[str, str]
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    transport = Transport(server.url, connect_timeout_s=10, read_timeout_s=10)
    with pytest.raises(ValueError, match="head of a request"):
        transport.request("POST", path, b"{}", headers)
    assert server.seen == []
    transport.close()


@contextmanager
def saying(*pieces: bytes, ends: bool = False) -> Iterator[tuple[str, list[socket.socket]]]:
    """Where every request is answered by these bytes, each sent alone, and the connections that came.

    ``ends``: the connection is closed after them.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    came: list[socket.socket] = []

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):  # a client that goes away is expected here
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while connection.recv(65_536):
                for piece in pieces:
                    connection.sendall(piece)
                if ends:
                    return

    def serve() -> None:
        with suppress(OSError), ThreadPoolExecutor(8) as threads:
            while True:
                connection, _ = listener.accept()
                came.append(connection)
                threads.submit(answer, connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", came
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        for connection in came:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


HEAD = b"HTTP/1.1 202 Accepted\r\nX-Message-Id: abc\r\n"
WHOLE = {
    "hints": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + HEAD
              + b"Content-Length: 2\r\n\r\nok",),
    "drops": tuple(bytes([one]) for one in HEAD + b"Content-Length: 2\r\n\r\nok"),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n", b"1\r\nk\r\n0\r\n\r\n"),
}  # fmt: skip


def hear_three_times(url: str) -> None:
    transport = Transport(url, connect_timeout_s=10, read_timeout_s=10)
    for _ in range(3):
        answer = transport.request("POST", "/", b"{}")
        assert (answer.status, answer.headers["x-message-id"], answer.body) == (202, "abc", b"ok")
    transport.close()


@pytest.mark.parametrize("pieces", WHOLE.values(), ids=WHOLE)
def test_however_an_answer_comes_in_it_is_read_whole_and_the_connection_kept(
    pieces: tuple[bytes, ...],
) -> None:
    with saying(*pieces) as (url, came):
        hear_three_times(url)
        assert len(came) == 1


@pytest.mark.parametrize(
    ("answer", "ends"),
    [
        (HEAD + b"Content-Length: 2\r\n\r\nokHTTP/1.1 500 Of nobody\r\n\r\n", False),
        (HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\nok", False),
        (HEAD + b"\r\nok", True),
        (b"HTTP/1.0 202 Accepted\r\nX-Message-Id: abc\r\nContent-Length: 2\r\n\r\nok", False),
        (HEAD + b"Connection: close\r\nConnection: X-Trace\r\nContent-Length: 2\r\n\r\nok", False),
    ],
    ids=[
        "more than the answer",
        "says that it closes",
        "ends with the connection",
        "an old server",
        "closes, and more",
    ],
)
def test_a_connection_that_cannot_be_trusted_further_is_not_used_again(answer: bytes, ends: bool) -> None:
    with saying(answer, ends=ends) as (url, came):
        hear_three_times(url)
        assert len(came) == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 202 Acc",
        HEAD,
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"SMTP 250\r\n\r\n",
        HEAD + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 202 " + b"x" * 100_000,
        b"HTTP/1.1 2020 Accepted\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"Content-Length: 2\r\nContent-Length: 0\r\n\r\nok",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nok\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nok\r\n0\r\n\r\n",
    ],
    ids=[
        "nothing",
        "half a line",
        "half a head",
        "only a hint",
        "not http",
        "many fields",
        "a long line",
        "no status",
        "two lengths",
        "a size below nothing",
        "and the one that means all",
    ],
)
def test_an_answer_that_breaks_off_or_is_none_leaves_the_letter_in_doubt(answer: bytes) -> None:
    with saying(answer, ends=True) as (url, came):
        transport = Transport(url, connect_timeout_s=10, read_timeout_s=10)
        with pytest.raises(UnansweredError, match="no answer from"):
            transport.request("POST", "/", b"{}")
        transport.close()
        assert len(came) == 1


@pytest.mark.parametrize(("status", "is_refused"), [(401, True), (413, True), (503, False), (408, False)])
def test_a_server_that_refuses_before_it_has_heard_all_has_refused(status: int, is_refused: bool) -> None:
    said = f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    with saying(said, ends=True) as (url, _):
        transport = Transport(url, connect_timeout_s=10, read_timeout_s=10)
        body = b"x" * 20_000_000  # more than the system takes before somebody reads it
        if is_refused:
            assert transport.request("POST", "/", body).status == status
        else:
            with pytest.raises(NotSentError):
                transport.request("POST", "/", body)
        transport.close()


@pytest.mark.parametrize("url", ["", "api.sendgrid.com", "ftp://x.example", "https://"])
def test_an_address_that_is_none_is_a_mistake_in_the_settings(url: str) -> None:
    with pytest.raises(SettingsError, match="https://"):
        Transport(url, connect_timeout_s=1, read_timeout_s=1)


@pytest.mark.parametrize("url", ["https://é.example", "https://a.example/é", "https://a.example/a b"])
def test_an_address_that_cannot_stand_in_a_head_is_one_too(url: str) -> None:
    with pytest.raises(SettingsError, match="cannot stand in an address"):
        Transport(url, connect_timeout_s=1, read_timeout_s=1)


def test_an_ipv6_address_without_a_port_has_the_usual_one() -> None:
    transport = Transport("http://[::1]", connect_timeout_s=1, read_timeout_s=1)
    with pytest.raises(NotSentError, match="no connection to"):
        transport.request("GET", "/")
