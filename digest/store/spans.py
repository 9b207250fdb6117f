"""Spans of ids: what is done range by range begins at the smallest and ends with the largest."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Range:
    """Ids from ``first`` to ``last``, both included: mostly one transaction."""

    first: int
    last: int


def span_of(connection: Connection, table: str) -> Range | None:
    """The smallest and largest id of a table; None when it is empty."""
    # Each asked for itself: SQLite finds one of them at an end of the table, and both by reading it whole.
    query = text(f"SELECT (SELECT min(id) FROM {table}), (SELECT max(id) FROM {table})")
    first, last = connection.execute(query).one()
    return None if first is None else Range(first, last)
