"""Notices wished for, and changes of address under way."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from digest.store.tables.columns import at, index_where, json_text, key, ref


class NoticeRow(SQLModel, table=True):
    """A notice that is wished for: to one person (``subscriber_id``), or to an audience (in ``facts``).

    It waits until a run takes it (``run_id``); ``state`` is ``waiting`` (for approval), ``approved`` or
    ``dropped``. No address and no link is stored here.
    """

    __tablename__ = "notice"
    id: int | None = Field(default=None, sa_column=key())
    kind: str
    key: str
    subscriber_id: int | None = Field(default=None, sa_column=ref("subscriber.id", null=True))
    state: str
    facts: str = Field(default="{}", sa_column=json_text("{}"))
    created_at: datetime = Field(sa_column=at())
    approved_at: datetime | None = Field(default=None, sa_column=at(null=True))
    run_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    __table_args__ = (
        UniqueConstraint("kind", "key", name="notice_once"),
        Index("notice_asked", "subscriber_id", "kind", "created_at"),
        Index("notice_run", "run_id", "subscriber_id"),
        index_where("notice_open", "kind", "id", where="run_id IS NULL"),
    )


class AddressChangeRow(SQLModel, table=True):
    """The new address that a subscriber asked for, until both addresses have agreed or a week is over.

    One a subscriber: a later wish is a new row, so that links of an earlier one lead nowhere.
    """

    __tablename__ = "address_change"
    id: int | None = Field(default=None, sa_column=key())
    subscriber_id: int = Field(sa_column=ref("subscriber.id"))
    address: str
    asked_at: datetime = Field(sa_column=at())
    agreed_at: datetime | None = Field(default=None, sa_column=at(null=True))
    __table_args__ = (
        UniqueConstraint("subscriber_id", name="address_change_once"),
        {"sqlite_autoincrement": True},
    )
