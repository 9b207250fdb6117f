"""Kinds of column that many tables have."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index, Table, Text, text
from sqlmodel import SQLModel

from digest.store.types import BigKey, Instant

metadata = SQLModel.metadata


def key() -> Column[int]:
    return Column(BigKey, primary_key=True, autoincrement=True)


def ref(target: str, *, null: bool = False, primary: bool = False, index: bool = False) -> Column[int]:
    if primary:
        return Column(BigKey, ForeignKey(target), primary_key=True, autoincrement=False)
    return Column(BigKey, ForeignKey(target), nullable=null, index=index)


def at(*, null: bool = False, index: bool = False) -> Column[datetime]:
    return Column(Instant, nullable=null, index=index)


def index_where(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of those rows alone for which ``where`` holds, on both databases."""
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def json_text(default: str) -> Column[str]:
    return Column(Text, nullable=False, server_default=default)


def table_of(row: type[SQLModel]) -> Table:
    """The table behind a row class, for Core statements."""
    return metadata.tables[str(row.__tablename__)]
