"""The socket that pages, API and desk answer on."""

from __future__ import annotations

import socket

from digest.errors import UsageError


def listening(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one. Raises: UsageError when the port cannot be used.

    What it accepts sends at once: asyncio takes care of that only for sockets it made itself, and an answer's
    body would wait 40 ms for the receipt of its head.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        found = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise UsageError(
            f"{host} port {port} cannot be used ({error.strerror}): give another --port"
        ) from error
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found
