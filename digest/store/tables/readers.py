"""Subscribers, what they wish and when, and what they agreed to."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Column, Index, SmallInteger, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from digest.store.tables.columns import at, index_where, key, ref


class ProfileRow(SQLModel, table=True):
    __tablename__ = "profile"
    id: int | None = Field(default=None, sa_column=key())
    fingerprint: str = Field(unique=True)
    wishes: str = Field(sa_column=Column(Text, nullable=False))


class ProfileCouncilRow(SQLModel, table=True):
    __tablename__ = "profile_council"
    profile_id: int = Field(sa_column=ref("profile.id", primary=True))
    council_id: int = Field(sa_column=ref("council.id", primary=True))


class ScheduleRow(SQLModel, table=True):
    __tablename__ = "schedule"
    id: int | None = Field(default=None, sa_column=key())
    cadence: str
    day: str
    time: str
    timezone: str
    __table_args__ = (UniqueConstraint("cadence", "day", "time", "timezone", name="schedule_once"),)


class SubscriberRow(SQLModel, table=True):
    """A person's address and state. No index on ``covered_seq``: planning moves a million of them at once."""

    __tablename__ = "subscriber"
    id: int | None = Field(default=None, sa_column=key())
    address: str
    address_key: str = Field(unique=True)
    name: str = ""
    state: str
    profile_id: int = Field(sa_column=ref("profile.id"))
    schedule_id: int = Field(sa_column=ref("schedule.id"))
    covered_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    due_from_at: datetime | None = Field(default=None, sa_column=at(null=True))
    paused_until: date | None = None
    created_at: datetime = Field(sa_column=at())
    ended_at: datetime | None = Field(default=None, sa_column=at(null=True))
    ended_reason: str | None = None
    at_once: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default="0"))
    # The run of this person's one open digest delivery; planning writes it together with the mark.
    open_run_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    # Ids are never used again: an old letter's links must not lead to somebody else.
    __table_args__ = (
        Index("subscriber_schedule", "schedule_id", "profile_id"),
        index_where("subscriber_due", "schedule_id", "due_from_at", where="state = 'active'"),
        index_where("subscriber_pending", "created_at", where="state = 'pending'"),
        index_where("subscriber_at_once", "id", where="at_once = 1"),
        index_where("subscriber_left", "ended_at", where="state = 'left'"),
        index_where("subscriber_paused", "paused_until", where="paused_until IS NOT NULL"),
        # What a letter needs of its reader, profile by profile (ADR 0017). PostgreSQL would look at the rows
        # all the same.
        Index("subscriber_letter", "profile_id", "id", "state", "address", "name").ddl_if("sqlite"),
        # Half of each page stays free, so that moving a mark writes beside it and touches no index (HOT).
        {"sqlite_autoincrement": True, "postgresql_with": {"fillfactor": 45}},
    )


class SubscriptionRow(SQLModel, table=True):
    """Subscriber x council, append-only: support can say when, how and why each began and ended."""

    __tablename__ = "subscription"
    id: int | None = Field(default=None, sa_column=key())
    subscriber_id: int = Field(sa_column=ref("subscriber.id", index=True))
    council_id: int = Field(sa_column=ref("council.id", index=True))
    source: str
    started_at: datetime = Field(sa_column=at())
    ended_at: datetime | None = Field(default=None, sa_column=at(null=True))
    ended_reason: str | None = None
    __table_args__ = (
        index_where(
            "subscription_open", "subscriber_id", "council_id", unique=True, where="ended_at IS NULL"
        ),
        # Without ended_at SQLite would look each one up in the table, to see that it is NULL.
        index_where(
            "subscription_followers", "council_id", "ended_at", "started_at", where="ended_at IS NULL"
        ),
    )


class ConsentRow(SQLModel, table=True):
    """Who agreed to what, when and where (append-only)."""

    __tablename__ = "consent"
    id: int | None = Field(default=None, sa_column=key())
    subscriber_id: int = Field(sa_column=ref("subscriber.id", index=True))
    source: str
    wording: str | None = None
    consented_at: datetime = Field(sa_column=at())
    recorded_at: datetime = Field(sa_column=at())
