"""Connections that go only where they may: resolved once, checked, bounded by one deadline per fetch."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ssl import SSLContext
from typing import Any

import httpcore

from digest.errors import FetchError

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")
_local = threading.local()


@contextmanager
def deadline(total_s: float) -> Iterator[None]:
    """Everything this thread sends or receives inside must be done within ``total_s``."""
    _local.until = time.monotonic() + total_s
    try:
        yield
    finally:
        _local.until = None


def _bounded(timeout_s: float | None) -> float | None:
    until = getattr(_local, "until", None)
    if until is None:
        return timeout_s
    left: float = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time for the whole fetch is used up")
    return left if timeout_s is None else min(timeout_s, left)


def is_public(address: str) -> bool:
    """True for an address of the public internet, looking through mapped, NAT64, 6to4 and Teredo forms."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64 or ip in _NAT64_LOCAL:
            return False
        if inner is not None and not is_public(str(inner)):
            return False
        if int(ip) >> 32 == 0:  # ::a.b.c.d, the old compatible form
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def refuse_port(port: int | None, url: str, *, allow_private_addresses: bool) -> None:
    """Raises: FetchError for any port but 80 and 443, unless private addresses are allowed."""
    if port not in (None, 80, 443) and not allow_private_addresses:
        raise FetchError("refused_address", f"{url[:200]}: feeds are fetched from ports 80 and 443 only")


class GuardedBackend(httpcore.NetworkBackend):
    """httpcore's network with the check between resolving and connecting."""

    def __init__(self, *, allow_private_addresses: bool = False) -> None:
        self._allow_private = allow_private_addresses
        self._real = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first checked address that answers."""
        error: Exception | None = None
        for address in self._addresses(host, port)[:4]:
            try:
                stream = self._real.connect_tcp(
                    address, port, _bounded(timeout), local_address, socket_options
                )
                return _BoundedStream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error or httpcore.ConnectError(f"{host} has no address")

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} cannot be resolved ({error})") from error
        found = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
        refused = [a for a in found if not is_public(a)]
        if refused and not self._allow_private:
            raise FetchError(
                "refused_address",
                f"{host} has the address {refused[0]}, which is not public (feeds.allow_private_addresses)",
            )
        return found


class _BoundedStream(httpcore.NetworkStream):
    """A stream whose every wait also ends at the fetch's deadline: slow drips cannot hold a thread."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _bounded(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _bounded(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, _bounded(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
