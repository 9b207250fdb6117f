"""Insert-if-new and insert-or-update, which the two databases spell alike but SQLAlchemy does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Column, ColumnElement, Connection, Table, any_, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite


def insert_if_new(
    connection: Connection, table: Table, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> int:
    """Insert what no unique key forbids and return how many rows that were. Twice is harmless."""
    if isinstance(values, Sequence) and not values:
        return 0
    make: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    rows = [dict(v) for v in values] if isinstance(values, Sequence) else dict(values)
    return connection.execute(make(table).on_conflict_do_nothing(), rows).rowcount


def insert_new(connection: Connection, table: Table, values: Mapping[str, Any]) -> int | None:
    """Insert one row and return its ``id``; None when a unique key forbids it (twice is harmless)."""
    make: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = make(table).values(dict(values)).on_conflict_do_nothing().returning(table.c.id)
    found = connection.execute(statement).scalar_one_or_none()
    return None if found is None else int(found)


def insert_or_update(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    keys: Sequence[str],
    changes: Sequence[str],
) -> None:
    """Insert rows; of those that are there already by ``keys``, bring ``changes`` up to date."""
    if not rows:
        return
    make: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = make(table)
    new = {name: statement.excluded[name] for name in changes}
    connection.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=new), list(rows))


def is_among(connection: Connection, column: Column[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Whether a column has one of the values (numbers, or words without NUL), however many.

    They are one parameter: a hundred are read and planned anew for each statement, and SQLite takes 32,766.
    """
    wanted = list(values)
    if connection.dialect.name == "sqlite":
        each = func.json_each(orjson.dumps(wanted).decode()).table_valued("value")
        return column.in_(select(each.c.value))
    return column == any_(bindparam(None, wanted, type_=postgresql.ARRAY(column.type)))


def known_ids(connection: Connection, table: Table, fingerprints: Iterable[str]) -> dict[str, int]:
    """Fingerprint -> row id, of those that the table has."""
    wanted = list(dict.fromkeys(fingerprints))
    if not wanted:
        return {}
    query = select(table.c.fingerprint, table.c.id).where(is_among(connection, table.c.fingerprint, wanted))
    return dict(connection.execute(query).all())


def _execute_plain(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Run the statement, with ``?`` for each stored value, for every row; returns how many rows it changed.

    Goes to the driver as it is: making statements of Python values costs several times the work.
    """
    if not rows:
        return 0
    if connection.dialect.name != "sqlite":
        statement = statement.replace("?", "%s")
    return max(connection.exec_driver_sql(statement, list(rows)).rowcount, 0)


def insert_plain(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    changes: Sequence[str] = (),
) -> None:
    """Insert rows of plain stored values, those that no unique key forbids: for tables of millions.

    Of those that are there already by ``id``, bring ``changes`` up to date; no id may be given twice then.
    """
    names, sets = ", ".join(columns), ", ".join(f"{name} = excluded.{name}" for name in changes)
    end = f"ON CONFLICT (id) DO UPDATE SET {sets}" if changes else "ON CONFLICT DO NOTHING"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" for _ in columns)
        insert = f"INSERT INTO {table.name} ({names}) VALUES ({marks}) {end}"
        _execute_plain(connection, insert, rows)
    elif rows:
        insert = f"INSERT INTO {table.name} ({names}) SELECT * FROM {_arrays(connection, table, columns)}"
        connection.exec_driver_sql(f"{insert} {end}", _turned(rows))


def update_plain(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    keys: Sequence[str] = ("id",),
    where: str,
) -> int:
    """Write plain stored values into the rows with these keys; returns how many rows that was.

    Each of ``rows`` has the values of ``columns``, then those of ``keys``. ``where``: what must hold besides,
    in SQL that names the table.
    """
    if not rows:
        return 0
    name, both = table.name, (*columns, *keys)
    if connection.dialect.name == "sqlite":
        sets, same = (", ".join(f"{c} = ?" for c in columns), " AND ".join(f"{key} = ?" for key in keys))
        return _execute_plain(connection, f"UPDATE {name} SET {sets} WHERE {same} AND {where}", rows)
    sets = ", ".join(f"{column} = v.{column}" for column in columns)
    same = " AND ".join(f"{name}.{key} = v.{key}" for key in keys)
    arrays = f"{_arrays(connection, table, both)} v({', '.join(both)})"
    update = f"UPDATE {name} SET {sets} FROM {arrays} WHERE {same} AND {where}"
    return max(connection.exec_driver_sql(update, _turned(rows)).rowcount, 0)


# PostgreSQL takes and plans a statement of a hundred rows much sooner than a hundred statements.


def _arrays(connection: Connection, table: Table, columns: Sequence[str]) -> str:
    kinds = (table.c[column].type.compile(connection.dialect) for column in columns)
    return f"unnest({', '.join(f'%s::{kind}[]' for kind in kinds)})"


def _turned(rows: Sequence[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    return tuple(list(column) for column in zip(*rows, strict=True))
