"""A bare sink on loopback: reads requests off keep-alive connections, answers 202, keeps nothing."""

from __future__ import annotations

import multiprocessing
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nX-Message-Id: aaaaaaaaaaaaaaaaaaaaaa\r\n\r\n"


def _serve(connection: socket.socket, answer_s: float) -> None:
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
        if answer_s:
            time.sleep(answer_s)
        connection.sendall(_ANSWER)


def _main(ready: Any, answer_s: float) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    ready.send(server.getsockname()[1])
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_serve, args=(connection, answer_s), daemon=True).start()


@contextmanager
def sink(answer_s: float = 0.0) -> Iterator[int]:
    """The port of a sink in a process of its own, which thinks so long about each request."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_main, args=(theirs, answer_s), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()
