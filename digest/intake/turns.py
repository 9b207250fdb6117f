"""Host groups take turns: one connection and one request at a time each, and a pause after every one."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from ssl import SSLContext

import httpcore
import httpx


class Turns:
    """A small connection pool per host group; at most ``open_most`` groups keep a connection open.

    One pool for all would look through all of its connections at every request.
    """

    def __init__(self, pause_s: float, *, open_most: int, backend: httpcore.NetworkBackend) -> None:
        self._pause_s = pause_s
        self._open_most = open_most
        self._backend = backend
        self._lock = threading.Lock()
        self._groups: OrderedDict[str, _Group] = OrderedDict()

    @contextmanager
    def of(self, group: str) -> Iterator[httpcore.ConnectionPool]:
        """The group's pool, when it is our turn; the pause counts from the end of the one before."""
        found = self._group(group)
        with found.lock:
            wait = found.free_at - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            if found.pool is None:
                found.pool = self._new_pool()
            try:
                yield found.pool
            finally:
                found.free_at = time.monotonic() + self._pause_s
        self._close_idle()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            groups, self._groups = list(self._groups.values()), OrderedDict()
        for group in groups:
            group.close()

    def _group(self, name: str) -> _Group:
        with self._lock:
            found = self._groups.get(name)
            if found is None:
                found = self._groups[name] = _Group()
            self._groups.move_to_end(name)
            return found

    def _new_pool(self) -> httpcore.ConnectionPool:
        return httpcore.ConnectionPool(
            ssl_context=_verified(),
            max_connections=1,
            max_keepalive_connections=1,
            keepalive_expiry=60.0,
            network_backend=self._backend,
        )

    def _close_idle(self) -> None:
        """The groups that were asked longest ago lose their connection; they keep their pause."""
        if len(self._groups) <= self._open_most:
            return
        with self._lock:
            idle = list(self._groups.values())[: -self._open_most]
        for group in idle:
            if group.pool is not None and group.lock.acquire(blocking=False):
                try:
                    group.close()
                finally:
                    group.lock.release()


@lru_cache(maxsize=1)
def _verified() -> SSLContext:
    """httpx's context: certifi's roots, or what SSL_CERT_FILE names. Made once, it costs 50 ms."""
    return httpx.create_ssl_context()


class _Group:
    """One host group: whose turn it is, when it is free again, its pool while one is open."""

    __slots__ = ("free_at", "lock", "pool")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.free_at = 0.0
        self.pool: httpcore.ConnectionPool | None = None

    def close(self) -> None:
        """Close the pool; the next turn makes a new one."""
        if self.pool is not None:
            self.pool.close()
            self.pool = None
