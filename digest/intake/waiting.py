"""How long a server asks us to wait: Retry-After, Cache-Control and Expires (RFC 9110, 9111)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s{0,3}=\s{0,3}\"?(\d{1,10})")


def retry_after_s(value: str | None, *, now: datetime) -> float | None:
    """Seconds to wait by ``Retry-After`` (seconds or a date), None where it says nothing readable."""
    if not value:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    at = _date(value)
    return max(0.0, (at - now).total_seconds()) if at else None


def fresh_for_s(headers: dict[str, str], *, now: datetime) -> int | None:
    """Seconds for which the answer is fresh: max-age, else Expires against the server's own Date."""
    match = _MAX_AGE.search(headers.get("cache-control", "").lower())
    if match:
        return int(match[1])
    expires = _date(headers.get("expires", ""))
    if expires is None:
        return None
    return max(0, int((expires - (_date(headers.get("date", "")) or now)).total_seconds()))


def _date(value: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
