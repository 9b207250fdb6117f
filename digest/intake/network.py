"""Connections that go only where they may: resolved once, checked, bounded by one deadline per fetch."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

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


def time_left(timeout_s: float) -> float:
    """``timeout_s``, or what is left until the deadline. Raises: TimeoutError when nothing is."""
    until = getattr(_local, "until", None)
    if until is None:
        return timeout_s
    left: float = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time for the whole fetch is used up")
    return min(timeout_s, left)


@lru_cache(maxsize=4_096)
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


def connected(host: str, port: int, *, timeout_s: float, allow_private_addresses: bool) -> socket.socket:
    """A connection to the first checked address of ``host`` that answers: the very address checked.

    Raises: FetchError (``refused_address``) where one answer of DNS is not public, OSError.
    """
    error: OSError | None = None
    for family, address in _addresses(host, port, allow_private_addresses=allow_private_addresses)[:4]:
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.settimeout(time_left(timeout_s))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.connect(address)
            return made
        except OSError as failed:
            made.close()
            error = failed
    raise error or OSError(f"{host} has no address")


def _addresses(host: str, port: int, *, allow_private_addresses: bool) -> list[tuple[int, Any]]:
    """Family and socket address of every answer of DNS, all of them checked."""
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OSError(f"the name {host} cannot be resolved ({error})") from error
    found = list(dict.fromkeys((int(answer[0]), answer[4]) for answer in answers))
    refused = [str(address[0]) for _, address in found if not is_public(str(address[0]))]
    if refused and not allow_private_addresses:
        raise FetchError(
            "refused_address",
            f"{host} has the address {refused[0]}, which is not public (feeds.allow_private_addresses)",
        )
    return found
