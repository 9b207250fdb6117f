"""How often one network or one address may ask for letters, per process.

A network is an IPv4 /24 or an IPv6 /48: one household or office asks from one of these (RFC 6177), and a
stranger with a whole /64 is still one asker.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

PER_NETWORK = (RateLimitItemPerMinute(30), RateLimitItemPerHour(200))
"""A library or school signs up a class in an hour; a script that tries addresses is stopped."""
PER_ADDRESS = (RateLimitItemPerHour(4),)
"""Nobody can fill a stranger's mailbox with our confirmations."""


class Limits:
    """Counts in memory; each process counts for itself, so N processes allow N times as much."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def allows(self, what: str, *, network: str = "", address: str = "") -> bool:
        """Whether one more may be taken; counts it when so. ``address``: its fingerprint, never itself."""
        asked = [(item, ("network", what, network_of(network))) for item in PER_NETWORK if network]
        asked += [(item, ("address", what, address)) for item in PER_ADDRESS if address]
        return all(self._limiter.test(item, *key) for item, key in asked) and all(
            self._limiter.hit(item, *key) for item, key in asked
        )

    def hit(self, item: RateLimitItem, *key: str) -> bool:
        """Count one against a limit of the caller's own; False when it is used up."""
        return self._limiter.hit(item, *key)


def network_of(host: str) -> str:
    """The network of a client's address; the text itself when it is no IP address."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    mapped = getattr(address, "ipv4_mapped", None) or address
    return str(ip_network(f"{mapped}/{24 if mapped.version == 4 else 48}", strict=False))
