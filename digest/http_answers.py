"""HTTP/1.1 answers, one after another on a kept connection that somebody else opened.

The standard library reads bodies (lengths, chunks); the heads are read here, since the library's parser of
e-mails takes longer than all the rest. Nothing of one answer is ever taken for the next.
"""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Callable, Iterator
from http.client import BadStatusLine, HTTPException, HTTPResponse, RemoteDisconnected
from typing import Any, cast

_HINTS, _FIELDS, _LINE_BYTES = 5, 100, 65_536
_BUFFER_BYTES = 16_384
_STATUS, _CHUNK_SIZE = re.compile(rb"[1-9][0-9]{2}"), re.compile(rb"[0-9A-Fa-f]{1,16}")
_LISTS = ("connection", "content-length", "transfer-encoding")


def next_answer(reader: Reader) -> HttpAnswer:
    """The next answer, its head read; hints before it (RFC 9110, 15.2) are passed over.

    Raises: HTTPException, OSError.
    """
    for _ in range(_HINTS):
        answer = HttpAnswer(reader)
        answer.begin()
        if answer.status >= 200:
            return answer
    raise HTTPException("the server says nothing but hints")


class HttpAnswer(HTTPResponse):
    """An answer to anything but HEAD and CONNECT.

    ``fields``: header values by lower-case name; of equal ones the last, or all of them with commas between
    where they say how long the answer is and whether the connection stays (RFC 9110, 5.2).
    """

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader, method="GET")  # type: ignore[arg-type]  # makefile is all it asks for
        self.fields: dict[str, str] = {}

    def begin(self) -> None:
        """Read the head; where the body ends follows RFC 9112, 6.3. Raises: HTTPException, OSError."""
        version, self.status = self._status_line()
        self.fields = fields = self._read_fields()
        kept, coding = fields.get("connection", "").lower(), fields.get("transfer-encoding", "").lower()
        self.chunked = coding.rpartition(",")[2].strip() == "chunked"
        self.chunk_left = None
        self.length = None if coding else _length(fields.get("content-length", ""))
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
        code = rest.partition(b"\r")[0].lstrip().partition(b" ")[0].rstrip()
        if not (version.startswith(b"HTTP/1.") and _STATUS.fullmatch(code)):
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
            name, said = key.strip().lower().decode("latin-1"), value.strip().decode("latin-1")
            found[name] = f"{found[name]}, {said}" if name in _LISTS and name in found else said
        raise HTTPException(f"the server sends more than {_FIELDS} headers")

    def _line(self) -> bytes:
        line = self.fp.readline(_LINE_BYTES + 1)
        if len(line) > _LINE_BYTES:
            raise HTTPException("the server sends a line of more than 64 kB before the body")
        return line

    def _read_next_chunk_size(self) -> int:
        """As the standard library's, which takes a size below nothing for one."""
        size = self._line().partition(b";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(size):
            raise HTTPException("the server's body comes in pieces of no size")
        return int(size, 16)

    def _close_conn(self) -> None:
        """The reader stays: the next answer comes through it."""
        self.fp = None  # type: ignore[assignment]


def _length(value: str) -> int | None:
    """The one length that is said, or None. Raises: HTTPException for two (RFC 9112, 6.3)."""
    lengths = {part.strip() for part in value.split(",")}
    if len(lengths) > 1:
        raise HTTPException("the server says two lengths of one body")
    (length,) = lengths
    return int(length[:18]) if length.isascii() and length.isdigit() else None


class Reader(io.BufferedReader):
    """What a connection says, across all of its answers.

    ``wait_s`` is asked before each read how long it may take; without it the socket's own timeout counts.
    """

    def __init__(self, of: socket.socket, *, wait_s: Callable[[], float] | None = None) -> None:
        super().__init__(_Reads(of, wait_s), _BUFFER_BYTES)

    def makefile(self, mode: str) -> Reader:
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
    is_at_rest = False

    def __init__(self, of: socket.socket, wait_s: Callable[[], float] | None) -> None:
        self._socket = of
        self._wait_s = wait_s

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if self.is_at_rest:
            return 0
        if self._wait_s is not None:
            self._socket.settimeout(self._wait_s())
        return self._socket.recv_into(into)
