"""Summaries, their versions, and the log of what was published."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from digest.store.tables.columns import at, key, ref


class SummaryRow(SQLModel, table=True):
    """The summary of one meeting in one language; its text is in its versions."""

    __tablename__ = "summary"
    id: int | None = Field(default=None, sa_column=key())
    meeting_id: int = Field(sa_column=ref("meeting.id"))
    language: str
    state: str
    version: int
    source_id: str | None = None
    __table_args__ = (UniqueConstraint("meeting_id", "language", name="summary_once"),)


class SummaryVersionRow(SQLModel, table=True):
    """One immutable version. ``effective_seq``: editions with an ``upto_seq`` from there on may say it."""

    __tablename__ = "summary_version"
    summary_id: int = Field(sa_column=ref("summary.id", primary=True))
    version: int = Field(primary_key=True)
    fingerprint: str
    state: str
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    condensed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_column=at())
    effective_seq: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    withdrawn_seq: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))


class PublicationRow(SQLModel, table=True):
    """The log: one line = "from now on this may be mailed". Never deleted, never renumbered."""

    __tablename__ = "publication"
    seq: int | None = Field(default=None, sa_column=key())
    kind: str
    item: str = Field(index=True)
    version: int
    council_id: int = Field(sa_column=ref("council.id"))
    meeting_id: int = Field(sa_column=ref("meeting.id", index=True))
    published_at: datetime = Field(sa_column=at(index=True))
    first_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    __table_args__ = (Index("publication_council", "council_id", "seq"), {"sqlite_autoincrement": True})
