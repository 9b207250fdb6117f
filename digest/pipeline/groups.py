"""Hosts in groups: several processes share the feeds, and no two of them ask one host."""

from __future__ import annotations

import zlib
from typing import Protocol


class KnowsHosts(Protocol):
    """What grouping needs of ``intake.fetch.Fetcher``."""

    def group_of(self, url: str) -> str:
        """Whose server it is."""


def group_of(fetcher: KnowsHosts, url: str, *, groups: int) -> int:
    """Which of so many groups an address belongs to: the same in every process, for ever."""
    return zlib.crc32(fetcher.group_of(url).encode()) % groups
