"""Runs, editions, batches and deliveries: who is owed what, and who got it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index, LargeBinary, SmallInteger, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from digest.model import Ended
from digest.store.tables.columns import at, index_where, json_text, key, ref
from digest.store.types import BigKey, EndedCode


def _count() -> Any:
    return Column(BigInteger, nullable=False, server_default=text("0"))


class RunRow(SQLModel, table=True):
    """The handling of everyone due at one slot, or of one notice; unique by its key.

    ``planned_at``, ``composed_at`` and ``completed_at`` are three different facts.
    """

    __tablename__ = "run"
    id: int | None = Field(default=None, sa_column=key())
    kind: str
    key: str
    schedule_id: int | None = Field(default=None, sa_column=ref("schedule.id", null=True, index=True))
    slot_at: datetime = Field(sa_column=at())
    upto_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    as_of: datetime = Field(sa_column=at())
    state: str
    why: str | None = None
    merged: str = Field(default="[]", sa_column=json_text("[]"))
    counts: str | None = None
    created_at: datetime = Field(sa_column=at())
    planned_at: datetime | None = Field(default=None, sa_column=at(null=True))
    composed_at: datetime | None = Field(default=None, sa_column=at(null=True))
    completed_at: datetime | None = Field(default=None, sa_column=at(null=True))
    __table_args__ = (
        UniqueConstraint("kind", "key", name="run_once"),
        index_where("run_unfinished", "slot_at", where="completed_at IS NULL"),
    )


class TroubleRow(SQLModel, table=True):
    """A run's trouble with its provider; a row from the first one on."""

    __tablename__ = "trouble"
    run_id: int = Field(sa_column=ref("run.id", primary=True))
    doubts_in_a_row: int = Field(default=0, sa_column=_count())
    put_offs_in_a_row: int = Field(default=0, sa_column=_count())
    refused_before: int = Field(default=0, sa_column=_count())
    taken_before: int = Field(default=0, sa_column=_count())


class FormRow(SQLModel, table=True):
    """What pages of equal news have in common, stored once; zstandard (``store.pages``)."""

    __tablename__ = "form"
    id: int | None = Field(default=None, sa_column=key())
    fingerprint: str = Field(unique=True)
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class PageRow(SQLModel, table=True):
    """Rendered bytes, stored once however many editions are equal.

    With a ``form_id`` its own words alone (JSON), else all of it (zstandard over JSON and HTML).
    """

    __tablename__ = "page"
    id: int | None = Field(default=None, sa_column=key())
    fingerprint: str = Field(unique=True)
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_column=at())
    form_id: int | None = Field(default=None, sa_column=ref("form.id", null=True))
    __table_args__ = (index_where("page_form", "form_id", where="form_id IS NOT NULL"),)


class NewsRow(SQLModel, table=True):
    """What editions name and count; those that are told the same share it."""

    __tablename__ = "news"
    id: int | None = Field(default=None, sa_column=key())
    fingerprint: str = Field(unique=True)


class NewsItemRow(SQLModel, table=True):
    """One item that is named (or counted, ``is_folded``): evidence for corrections and for `explain`."""

    __tablename__ = "news_item"
    news_id: int = Field(sa_column=ref("news.id", primary=True))
    item: str = Field(primary_key=True)
    version: int
    is_folded: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False))
    __table_args__ = (Index("news_item_item", "item"),)


class EditionRow(SQLModel, table=True):
    """What a run says to one (profile, from_seq]. ``page_id`` null once composed: nothing to say."""

    __tablename__ = "edition"
    id: int | None = Field(default=None, sa_column=key())
    run_id: int = Field(sa_column=ref("run.id"))
    profile_id: int = Field(sa_column=ref("profile.id"))
    from_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    revision: int
    content_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    page_id: int | None = Field(default=None, sa_column=ref("page.id", null=True))
    composed_at: datetime | None = Field(default=None, sa_column=at(null=True))
    is_stale: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False))
    why: str | None = None
    news_id: int | None = Field(default=None, sa_column=ref("news.id", null=True))
    __table_args__ = (
        UniqueConstraint("run_id", "profile_id", "from_seq", "revision", name="edition_once"),
        index_where("edition_page", "page_id", where="page_id IS NOT NULL"),
        index_where("edition_news", "news_id", where="news_id IS NOT NULL"),
        # What waits for its words, in order of id: found without looking at the run's others.
        index_where("edition_waiting", "run_id", "id", where="composed_at IS NULL"),
    )


class BatchRow(SQLModel, table=True):
    """Deliveries of one edition handed over in one request; the id is packed, see ``batch_key``."""

    __tablename__ = "batch"
    id: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    run_id: int = Field(sa_column=ref("run.id"))
    edition_id: int = Field(sa_column=ref("edition.id"))
    number: int
    attempt: int
    size: int
    state: str
    holder: str | None = None
    held_until: datetime | None = Field(default=None, sa_column=at(null=True))
    retry_at: datetime | None = Field(default=None, sa_column=at(null=True))
    provider_id: str | None = None
    why: str | None = None
    claimed_at: datetime | None = Field(default=None, sa_column=at(null=True))
    recorded_at: datetime | None = Field(default=None, sa_column=at(null=True))
    __table_args__ = (
        UniqueConstraint("edition_id", "number", "attempt", name="batch_once"),
        Index("batch_state", "run_id", "state", "number"),
    )


class DeliveryRow(SQLModel, table=True):
    """One edition to one subscriber, once. State: its own ``ended``, else its batch's, else its edition's.

    Written by planning, in order of its key, and again only where a letter takes another end than its batch.
    No foreign keys: planning reads both sides in the same statement (ADR 0010), `digest db check` looks.
    """

    __tablename__ = "delivery"
    run_id: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    subscriber_id: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    edition_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    batch_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    from_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    upto_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    ended: Ended | None = Field(default=None, sa_column=Column(EndedCode, nullable=True))
    __table_args__ = (
        # SQLite reads a batch's letters in the index alone. PostgreSQL would look at the rows all the same,
        # so soon after they were written, and keeps equal keys once.
        Index("delivery_batch", "batch_id", "subscriber_id", "ended").ddl_if("sqlite"),
        Index("delivery_batch", "batch_id").ddl_if("postgresql"),
        {"sqlite_with_rowid": False},
    )


BATCHES_PER_EDITION = 1 << 20


ATTEMPTS = 1 << 4


def batch_key(edition_id: int, *, number: int, attempt: int) -> int:
    """The id of a batch, so that planning can compute it in SQL without asking for one.

    ``number`` from 0 below 2**20, ``attempt`` from 1 below 16: 500 million readers of one edition.
    """
    return (edition_id * BATCHES_PER_EDITION + number) * ATTEMPTS + attempt
