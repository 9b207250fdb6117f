"""A bare sink on loopback: reads requests off keep-alive connections, answers 202, keeps nothing."""

from __future__ import annotations

import multiprocessing
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nX-Message-Id: aaaaaaaaaaaaaaaaaaaaaa\r\n\r\n"


def _serve(connection: socket.socket) -> None:
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    have = 0
    while True:
        while (end := buffer.find(b"\r\n\r\n", 0, have)) < 0:
            n = connection.recv_into(view[have:])
            if not n:
                return
            have += n
        found = _LENGTH.search(buffer, 0, end)
        left = (int(found[1]) if found else 0) - (have - end - 4)
        while left > 0:
            n = connection.recv_into(view, min(left, len(view)))
            if not n:
                return
            left -= n
        have = 0
        connection.sendall(_ANSWER)


def _main(ready: Any) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    ready.send(server.getsockname()[1])
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


@contextmanager
def sink() -> Iterator[int]:
    """The port of a sink in a process of its own."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_main, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()
