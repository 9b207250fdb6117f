"""Parsing in child processes that a hostile document may kill without harm to the poller.

Workers live long and take one document after another over a socket pair; each document has a budget of
CPU, memory and wall time, and a worker that overstays is killed and replaced. A thread cannot do this:
a parser that burns CPU holds on until it is done.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import resource
import socket
import struct
import subprocess
import sys
import threading
from typing import Any, NoReturn

from digest.errors import FeedError
from digest.model import ParsedFeed, RawFeed

CPU_S = 4
WALL_S = 5.5
MEMORY_BYTES = 768 * 1024 * 1024  # address space, of which a fresh worker maps about 150 MB
MAX_DOCUMENTS = 5_000  # of one worker; then a fresh one, so that no leak adds up
_START_S = 20.0
_LENGTH = struct.Struct("!I")


class ParserPool:
    """Up to ``size`` workers; ``parse`` may be called from any number of threads.

    Workers start when they are first needed. ``close`` ends them; a closed pool starts anew when used.
    """

    def __init__(
        self, size: int = 2, *, cpu_s: int = CPU_S, wall_s: float = WALL_S, memory_bytes: int = MEMORY_BYTES
    ):
        self._limits = (cpu_s, memory_bytes)
        self._wall_s = wall_s
        self._free: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(size):
            self._free.put(None)
        self._size = size
        self._lock = threading.Lock()
        self._all: set[_Worker] = set()

    def parse(self, raw: RawFeed, **circumstances: Any) -> ParsedFeed:
        """As ``parse.parse`` with the same keywords, in a worker.

        Raises: FeedError; ``too_large`` when the document used up its budget or killed its worker.
        """
        worker = self._free.get()
        try:
            if worker is None:
                worker = self._start()
            answer = worker.ask((raw, circumstances), self._wall_s)
            if worker.asked >= MAX_DOCUMENTS:
                self._end(worker)
                worker = None
        except (OSError, EOFError) as error:
            self._end(worker)
            worker = None
            raise FeedError("too_large", _why(error, self._wall_s)) from error
        finally:
            self._free.put(worker)
        if isinstance(answer, ParsedFeed):
            return answer
        kind, message = answer
        raise FeedError(kind, message)

    def close(self) -> None:
        """End all workers."""
        with self._lock:
            workers, self._all = self._all, set()
        for worker in workers:
            worker.kill()
        for _ in range(self._free.qsize()):
            with contextlib.suppress(queue.Empty):
                self._free.get_nowait()
                self._free.put(None)

    def __enter__(self) -> ParserPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> _Worker:
        worker = _Worker(*self._limits)
        with self._lock:
            self._all.add(worker)
        return worker

    def _end(self, worker: _Worker | None) -> None:
        if worker is not None:
            worker.kill()
            with self._lock:
                self._all.discard(worker)


def _why(error: Exception, wall_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"the document could not be read within {wall_s:g} seconds"
    return "the document used up its budget of time or memory and ended its parser"


class _Worker:
    """One child process and the socket to it."""

    def __init__(self, cpu_s: int, memory_bytes: int) -> None:
        ours, theirs = socket.socketpair()
        self.asked = 0
        self._socket = ours
        command = f"from digest.intake.child import serve; serve({theirs.fileno()}, {cpu_s}, {memory_bytes})"
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "MALLOC_ARENA_MAX": "1"},
            )
        finally:
            theirs.close()

    def ask(self, question: Any, wall_s: float) -> Any:
        """The worker's answer. Raises: OSError (TimeoutError among them), EOFError."""
        self.asked += 1
        if self.asked == 1:  # a cold interpreter imports the parser first; no document is to pay for that
            self._socket.settimeout(_START_S)
            _receive(self._socket)
        self._socket.settimeout(wall_s)
        _send(self._socket, question)
        return _receive(self._socket)

    def kill(self) -> None:
        """End the process, whatever it does, and take its exit in."""
        self._socket.close()
        self._process.kill()
        self._process.wait()


def _send(to: socket.socket, value: Any) -> None:
    data = pickle.dumps(value, protocol=5)
    to.sendall(_LENGTH.pack(len(data)) + data)


def _receive(source: socket.socket) -> Any:
    (length,) = _LENGTH.unpack(_exactly(source, _LENGTH.size))
    return pickle.loads(_exactly(source, length))  # noqa: S301 (only our own two processes hold the pair)


def _exactly(source: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = source.recv(min(count - len(data), 1 << 20))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


def serve(descriptor: int, cpu_s: int, memory_bytes: int) -> NoReturn:
    """The worker's life: documents in, answers out, until the other end closes."""
    from digest.intake.parse import parse

    with contextlib.suppress(ValueError, OSError):  # not every system bounds address space
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pair = socket.socket(fileno=descriptor)
    _send(pair, "ready")
    while True:
        try:
            raw, circumstances = _receive(pair)
        except (EOFError, OSError):
            os._exit(0)
        _grant_cpu(cpu_s)
        answer: Any
        try:
            answer = parse(raw, **circumstances)
        except FeedError as error:
            answer = (error.kind, str(error))
        except (MemoryError, RecursionError):
            answer = ("too_large", "the document needs more memory than a feed may")
        except Exception as error:  # noqa: BLE001 (a worker must answer; the poller says which feed)
            answer = ("invalid_body", f"the document cannot be read ({type(error).__name__}: {error})"[:500])
        _send(pair, answer)


def _grant_cpu(cpu_s: int) -> None:
    """The soft limit moves on with each document; passing it ends the process (SIGXCPU)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(
        resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + cpu_s, resource.RLIM_INFINITY)
    )
