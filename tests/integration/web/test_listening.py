"""What answers on a port sends its answers at once."""

from __future__ import annotations

import socket

from digest.web.listening import listening


def test_an_accepted_connection_does_not_wait_for_receipts() -> None:
    with listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
