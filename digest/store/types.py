"""Column types: instants as integers, ends as small codes, so both databases store and compare alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Integer, SmallInteger
from sqlalchemy.types import TypeDecorator

from digest.model import Ended

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# SQLite only counts up "INTEGER PRIMARY KEY"; PostgreSQL wants room for ten million a week.
BigKey = BigInteger().with_variant(Integer(), "sqlite")


class Instant(TypeDecorator[datetime]):
    """An aware instant, stored as whole microseconds since 1970 in UTC (exact, sortable, zone-free)."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        return None if value is None else to_stored(value)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        return None if value is None else from_stored(value)


def to_stored(value: datetime) -> int:
    """Microseconds since 1970. Raises: ValueError for a naive datetime, which has no instant."""
    if value.tzinfo is None:
        raise ValueError(f"a naive datetime has no instant: {value!r}")
    return (value - _EPOCH) // _MICROSECOND


def from_stored(value: int) -> datetime:
    """The aware instant in UTC."""
    return _EPOCH + value * _MICROSECOND


# Codes 0 and 1 take no bytes in an SQLite row, so the end nearly every letter comes to is 1: closing a
# run of a million then rewrites rows in place. Codes are stored for ever: add, never renumber.
ENDED_CODES: dict[Ended, int] = {
    Ended.HANDED_OVER: 1,
    Ended.EMPTY: 2,
    Ended.LEFT: 3,
    Ended.SUPPRESSED: 4,
    Ended.BAD_ADDRESS: 5,
    Ended.CANCELLED: 6,
    Ended.REFUSED: 7,
    Ended.EXPIRED: 8,
    Ended.HELD_BACK: 9,
}
ENDED_OF_CODE = {code: ended for ended, code in ENDED_CODES.items()}


class EndedCode(TypeDecorator[Ended]):
    """The named end of a delivery as a small integer."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: Ended | None, dialect: Any) -> int | None:
        return None if value is None else ENDED_CODES[Ended(value)]

    def process_result_value(self, value: int | None, dialect: Any) -> Ended | None:
        return None if value is None else ENDED_OF_CODE[value]
