"""Who runs the service, and where they are signed in."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from digest.store.tables.columns import at, key, ref


class OperatorRow(SQLModel, table=True):
    """An account of the desk; disabled ones stay, since the audit log names them."""

    __tablename__ = "operator"
    id: int | None = Field(default=None, sa_column=key())
    name: str = Field(unique=True)
    role: str
    password_hash: str
    created_at: datetime = Field(sa_column=at())
    disabled_at: datetime | None = Field(default=None, sa_column=at(null=True))


class OperatorSessionRow(SQLModel, table=True):
    """A browser that is signed in, as the fingerprint of its secret."""

    __tablename__ = "operator_session"
    fingerprint: str = Field(primary_key=True)
    operator_id: int = Field(sa_column=ref("operator.id", index=True))
    created_at: datetime = Field(sa_column=at())
    seen_at: datetime = Field(sa_column=at())
