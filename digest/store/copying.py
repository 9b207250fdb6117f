"""A whole database into another, empty one: SQLite to PostgreSQL, when one machine has become too small.

Everything goes, with the log's counter and every other one, so that no number is ever used again. The target
gets all of it in one transaction or nothing, so whatever interrupts a copy, it is simply started again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text

from digest.errors import ConflictError, StoreError
from digest.store.database import LOCK_SCHEMA, Database
from digest.store.tables import metadata

RANGE = 5_000
_WHOLE = 1 << 128


@dataclass(frozen=True, slots=True)
class Copied:
    """One table: how many rows, and their common fingerprint, whatever their order (hex)."""

    table: str
    rows: int
    fingerprint: str


def copy(
    source: Database,
    target: Database,
    *,
    each: Callable[[str, int], None] = lambda table, rows: None,
    range_size: int = RANGE,
) -> list[Copied]:
    """Copy every table; returns what was copied, verified by reading the target again.

    Nobody writes to the source meanwhile: the copy holds its write lock. ``each`` is called with the table
    and its rows so far. Raises: ConflictError when the target is not empty, or is the source itself;
    StoreError when the target does not hold what the source does: then nothing was copied.
    """
    if source.url == target.url:
        raise ConflictError(f"{target.shown_url} is the database itself: name another one with --to")
    source.require_current()
    refuse_if_used(target)
    target.upgrade()
    with source.write() as old, target.write(lock=LOCK_SCHEMA) as new:
        _require_empty(new, target)
        copied = [_copy_table(old, new, table, each, range_size) for table in metadata.sorted_tables]
        for table, one in zip(metadata.sorted_tables, copied, strict=True):
            found = _fingerprint(_rows(new, table, range_size))
            if found != (one.rows, one.fingerprint):
                raise StoreError(
                    f"{target.shown_url}: the table {table.name} does not hold what it should ({found[0]} of "
                    f"{one.rows} rows): nothing was copied; try again, and report it if it stays so"
                )
            _set_counter(old, new, table)
    return copied


def refuse_if_used(target: Database) -> None:
    """Raises: ConflictError for a database with anything in it, before its schema is touched."""
    if target.version() is not None:
        target.require_current()
        with target.read() as connection:
            _require_empty(connection, target)


def _require_empty(connection: Connection, target: Database) -> None:
    for table in metadata.sorted_tables:
        if connection.execute(select(table).limit(1)).first() is not None:
            raise ConflictError(
                f"{target.shown_url} is not empty (there are rows in {table.name}): nothing was copied. Make "
                "a new database (`createdb NAME`) and name that one; what is in use is never overwritten"
            )


def _copy_table(
    old: Connection, new: Connection, table: Table, each: Callable[[str, int], None], range_size: int
) -> Copied:
    def passed_on() -> Iterator[Sequence[Any]]:
        done = 0
        for rows in _rows(old, table, range_size):
            new.execute(insert(table), [dict(row._mapping) for row in rows])
            done += len(rows)
            each(table.name, done)
            yield rows

    return Copied(table.name, *_fingerprint(passed_on()))


def _rows(connection: Connection, table: Table, range_size: int) -> Iterator[Sequence[Any]]:
    """All rows in ranges; only one of them is in memory."""
    result = connection.execution_options(yield_per=range_size).execute(select(table))
    yield from result.partitions(range_size)


def _fingerprint(ranges: Iterator[Sequence[Any]]) -> tuple[int, str]:
    """Count and fingerprint of rows: a sum, because two databases do not sort text alike."""
    n = total = 0
    for rows in ranges:
        for row in rows:
            values = repr([bytes(value) if isinstance(value, memoryview) else value for value in row])
            digest = blake2b(values.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            total = (total + int.from_bytes(digest, "big")) % _WHOLE
        n += len(rows)
    return n, f"{total:032x}"


# --- counters ----------------------------------------------------------------------------------------------


def _set_counter(old: Connection, new: Connection, table: Table) -> None:
    """The next number in the target is higher than any the source ever gave, deleted rows included."""
    column = table.autoincrement_column
    if column is None or table.primary_key.columns.keys() != [column.name]:
        return
    highest = max(_counter(old, table, column.name), old.scalar(select(func.max(column))) or 0)
    if highest == 0:
        return
    if new.dialect.name == "sqlite":
        # A new file's counter has no row before the first insert.
        new.execute(text("DELETE FROM sqlite_sequence WHERE name = :t"), {"t": table.name})
        new.execute(text("INSERT INTO sqlite_sequence VALUES (:t, :n)"), {"t": table.name, "n": highest})
        return
    name = new.scalar(text("SELECT pg_get_serial_sequence(:t, :c)"), {"t": table.name, "c": column.name})
    if name is not None:
        new.execute(text("SELECT setval(CAST(:s AS regclass), :n)"), {"s": name, "n": highest})


def _counter(connection: Connection, table: Table, column: str) -> int:
    """The last number that the database gave for a table; 0 where it keeps no count."""
    if connection.dialect.name == "sqlite":
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :t")
        return int(connection.scalar(query, {"t": table.name}) or 0)
    name = connection.scalar(text("SELECT pg_get_serial_sequence(:t, :c)"), {"t": table.name, "c": column})
    if name is None:
        return 0
    # A sequence's name comes from the database itself.
    return int(
        connection.scalar(text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {name}")) or 0
    )
