"""Councils, their feeds, and what was seen in them."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from digest.store.tables.columns import at, index_where, json_text, key, ref


class CouncilRow(SQLModel, table=True):
    __tablename__ = "council"
    id: int | None = Field(default=None, sa_column=key())
    slug: str = Field(unique=True)
    name: str
    support: str
    approval: str
    timezone: str
    country: str
    website: str | None = None
    languages: str = "en"
    created_at: datetime = Field(sa_column=at())
    supported_at: datetime | None = Field(default=None, sa_column=at(null=True))


class CommitteeRow(SQLModel, table=True):
    """A committee; its names are history, so that a rename keeps its readers.

    ``named_by``: the feed whose name for it is shown; what other feeds call it is remembered, not shown.
    """

    __tablename__ = "committee"
    id: int | None = Field(default=None, sa_column=key())
    council_id: int = Field(sa_column=ref("council.id", index=True))
    name: str
    external_id: str | None = None
    named_by: int | None = Field(default=None, sa_column=ref("feed.id", null=True))
    __table_args__ = (
        index_where(
            "committee_external", "council_id", "external_id", unique=True, where="external_id IS NOT NULL"
        ),
    )


class CommitteeNameRow(SQLModel, table=True):
    __tablename__ = "committee_name"
    committee_id: int = Field(sa_column=ref("committee.id", primary=True))
    name_key: str = Field(primary_key=True)
    name: str
    first_seen_at: datetime = Field(sa_column=at())


class FeedRow(SQLModel, table=True):
    """A polled address with what its server told us and how it has been."""

    __tablename__ = "feed"
    id: int | None = Field(default=None, sa_column=key())
    council_id: int = Field(sa_column=ref("council.id", index=True))
    url: str
    dialect: str | None = None
    found_dialect: str | None = None
    state: str = "new"
    etag: str | None = None
    last_modified: str | None = None
    next_poll_at: datetime | None = Field(default=None, sa_column=at(null=True, index=True))
    last_checked_at: datetime | None = Field(default=None, sa_column=at(null=True))
    last_good_at: datetime | None = Field(default=None, sa_column=at(null=True))
    last_change_at: datetime | None = Field(default=None, sa_column=at(null=True))
    failing_since: datetime | None = Field(default=None, sa_column=at(null=True))
    failures: int = 0
    last_error: str | None = None
    history: str = Field(default="{}", sa_column=json_text("{}"))
    committees: str = Field(default="{}", sa_column=json_text("{}"))
    created_at: datetime = Field(sa_column=at())
    __table_args__ = (UniqueConstraint("council_id", "url", name="feed_once"),)


class LeftoverRow(SQLModel, table=True):
    """An item of a feed that is no meeting, or was not understood: kept as seen, never guessed at."""

    __tablename__ = "leftover"
    feed_id: int = Field(sa_column=ref("feed.id", primary=True))
    fingerprint: str = Field(primary_key=True)
    guid: str | None = None
    title: str
    why: str
    first_seen_at: datetime = Field(sa_column=at())
    last_seen_at: datetime = Field(sa_column=at())


class MeetingRow(SQLModel, table=True):
    __tablename__ = "meeting"
    id: int | None = Field(default=None, sa_column=key())
    council_id: int = Field(sa_column=ref("council.id"))
    committee_id: int = Field(sa_column=ref("committee.id", index=True))
    key: str
    title: str
    starts_at: datetime | None = Field(default=None, sa_column=at(null=True, index=True))
    starts_on: date | None = Field(default=None, index=True)
    status: str
    url: str | None = None
    url_key: str | None = None
    venue: str | None = None
    video_url: str | None = None
    documents: str = Field(default="[]", sa_column=json_text("[]"))
    first_seen_at: datetime = Field(sa_column=at())
    changed_at: datetime = Field(sa_column=at())
    said_at: datetime | None = Field(default=None, sa_column=at(null=True))
    __table_args__ = (
        UniqueConstraint("council_id", "key", name="meeting_once"),
        Index("meeting_url", "council_id", "url_key"),
        Index("meeting_day", "council_id", "starts_on"),
    )


class MeetingAliasRow(SQLModel, table=True):
    """A further key of a meeting: another source's for it, or the one it has after it moved."""

    __tablename__ = "meeting_alias"
    council_id: int = Field(sa_column=ref("council.id", primary=True))
    key: str = Field(primary_key=True)
    meeting_id: int = Field(sa_column=ref("meeting.id", index=True))
