"""Keys of the API."""

from __future__ import annotations

from datetime import date, datetime

from sqlmodel import Field, SQLModel

from digest.store.tables.columns import at, key


class ApiKeyRow(SQLModel, table=True):
    """A key as the fingerprint of its secret; revoked ones stay, since the audit log names them."""

    __tablename__ = "api_key"
    id: int | None = Field(default=None, sa_column=key())
    name: str = Field(unique=True)
    fingerprint: str = Field(unique=True)
    scopes: str
    created_at: datetime = Field(sa_column=at())
    last_used_on: date | None = None
    revoked_at: datetime | None = Field(default=None, sa_column=at(null=True))
