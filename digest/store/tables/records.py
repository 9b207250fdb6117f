"""What happened: events, suppressions, the audit log, and what the database knows of itself."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, LargeBinary
from sqlmodel import Field, SQLModel

from digest.store.tables.columns import at, index_where, json_text, key


class MetaRow(SQLModel, table=True):
    """Facts about this database itself."""

    __tablename__ = "meta"
    key: str = Field(primary_key=True)
    value: str


class TaskRow(SQLModel, table=True):
    """How a task of the scheduler has been: ``failures`` in a row, ``failed`` ever, when to try again.

    Tasks of the house have a row always; those of one run or one group of feeds only while they fail.
    """

    __tablename__ = "task"
    name: str = Field(primary_key=True)
    ok_at: datetime | None = Field(default=None, sa_column=at(null=True))
    failed_at: datetime | None = Field(default=None, sa_column=at(null=True))
    failures: int = 0
    failed: int = 0
    why: str | None = None
    next_try_at: datetime | None = Field(default=None, sa_column=at(null=True))


class EventRow(SQLModel, table=True):
    """What the provider told of a letter, stored before it is applied; once, whatever the order."""

    __tablename__ = "event"
    id: int | None = Field(default=None, sa_column=key())
    event_id: str = Field(unique=True)
    kind: str
    run_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    subscriber_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    happened_at: datetime = Field(sa_column=at())
    received_at: datetime = Field(sa_column=at())
    applied_at: datetime | None = Field(default=None, sa_column=at(null=True))
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    __table_args__ = (
        Index("event_delivery", "run_id", "subscriber_id"),
        index_where("event_waiting", "id", where="applied_at IS NULL"),
    )


class EventCountRow(SQLModel, table=True):
    """How many events of a kind a run had that retention has deleted."""

    __tablename__ = "event_count"
    run_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    kind: str = Field(primary_key=True)
    n: int = Field(sa_column=Column(BigInteger, nullable=False))


class SuppressionRow(SQLModel, table=True):
    """An address never to be mailed again, as a keyed fingerprint only, with the reason and its evidence."""

    __tablename__ = "suppression"
    fingerprint: str = Field(primary_key=True)
    reason: str
    evidence: str | None = None
    created_at: datetime = Field(sa_column=at())


class AuditRow(SQLModel, table=True):
    """Who did what to whom, before and after (append-only; ids, never addresses)."""

    __tablename__ = "audit"
    id: int | None = Field(default=None, sa_column=key())
    happened_at: datetime = Field(sa_column=at(index=True))
    actor: str
    action: str
    subject: str
    facts: str = Field(default="{}", sa_column=json_text("{}"))
