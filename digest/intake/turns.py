"""Host groups take turns: one connection and one request at a time each, and a pause after every one."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from digest.intake.connection import Connection, Origin, Waits


class Turns:
    """At most one open connection per host group, and ``open_most`` of them in all."""

    def __init__(
        self, pause_s: float, *, open_most: int, waits: Waits, allow_private_addresses: bool
    ) -> None:
        self._pause_s = pause_s
        self._open_most = open_most
        self._waits = waits
        self._allow_private = allow_private_addresses
        self._lock = threading.Lock()
        self._groups: dict[str, _Group] = {}
        self._open: OrderedDict[str, _Group] = OrderedDict()

    @contextmanager
    def of(self, group: str, origin: Origin) -> Iterator[Connection]:
        """The group's connection to ``origin``, when it is our turn; the pause counts from the end of the
        one before.
        """
        found = self._group(group)
        with found.lock:
            wait = found.free_at - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            try:
                yield self._connection(found, origin)
            finally:
                found.free_at = time.monotonic() + self._pause_s
        self._close_idle(group, found)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            groups, self._groups = list(self._groups.values()), {}
            self._open.clear()
        for group in groups:
            group.close()

    def _group(self, name: str) -> _Group:
        with self._lock:
            found = self._groups.get(name)
            if found is None:
                found = self._groups[name] = _Group()
            return found

    def _connection(self, group: _Group, origin: Origin) -> Connection:
        if group.connection is None or group.connection.origin != origin:
            group.close()
            group.connection = Connection(
                origin, waits=self._waits, allow_private_addresses=self._allow_private
            )
        return group.connection

    def _close_idle(self, name: str, used: _Group) -> None:
        """Those asked longest ago lose their connection; they keep their pause."""
        with self._lock:
            self._open[name] = used
            self._open.move_to_end(name)
            excess = [self._open.popitem(last=False)[1] for _ in range(len(self._open) - self._open_most)]
        for group in excess:
            if group.lock.acquire(blocking=False):  # who is at it comes back here when done
                try:
                    group.close()
                finally:
                    group.lock.release()


class _Group:
    """One host group: whose turn it is, when it is free again, its connection while one is open."""

    __slots__ = ("connection", "free_at", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.free_at = 0.0
        self.connection: Connection | None = None

    def close(self) -> None:
        """Close the connection; the next turn makes a new one."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
