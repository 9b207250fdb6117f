"""The tables. Storage shape only: SQLModel does not validate ``table=True`` rows, the values do.

The ledger (docs/flow.md): what a subscriber is owed is ``covered_seq``; what a run gave is ``delivery``.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from digest.model import Ended
from digest.store.types import BigKey, EndedCode, Instant

metadata = SQLModel.metadata


def _key() -> Column[int]:
    return Column(BigKey, primary_key=True, autoincrement=True)


def _ref(target: str, *, null: bool = False, primary: bool = False, index: bool = False) -> Column[int]:
    if primary:
        return Column(BigKey, ForeignKey(target), primary_key=True, autoincrement=False)
    return Column(BigKey, ForeignKey(target), nullable=null, index=index)


def _at(*, null: bool = False, index: bool = False) -> Column[datetime]:
    return Column(Instant, nullable=null, index=index)


def _json(default: str) -> Column[str]:
    return Column(Text, nullable=False, server_default=default)


class MetaRow(SQLModel, table=True):
    """Facts about this database itself."""

    __tablename__ = "meta"
    key: str = Field(primary_key=True)
    value: str


class CouncilRow(SQLModel, table=True):
    __tablename__ = "council"
    id: int | None = Field(default=None, sa_column=_key())
    slug: str = Field(unique=True)
    name: str
    support: str
    approval: str
    timezone: str
    country: str
    website: str | None = None
    languages: str = "en"
    created_at: datetime = Field(sa_column=_at())
    supported_at: datetime | None = Field(default=None, sa_column=_at(null=True))


class CommitteeRow(SQLModel, table=True):
    """A committee; its names are history, so that a rename keeps its readers.

    ``named_by``: the feed whose name for it is shown; what other feeds call it is remembered, not shown.
    """

    __tablename__ = "committee"
    id: int | None = Field(default=None, sa_column=_key())
    council_id: int = Field(sa_column=_ref("council.id", index=True))
    name: str
    external_id: str | None = None
    named_by: int | None = Field(default=None, sa_column=_ref("feed.id", null=True))
    __table_args__ = (
        Index(
            "committee_external",
            "council_id",
            "external_id",
            unique=True,
            sqlite_where=text("external_id IS NOT NULL"),
            postgresql_where=text("external_id IS NOT NULL"),
        ),
    )


class CommitteeNameRow(SQLModel, table=True):
    __tablename__ = "committee_name"
    committee_id: int = Field(sa_column=_ref("committee.id", primary=True))
    name_key: str = Field(primary_key=True)
    name: str
    first_seen_at: datetime = Field(sa_column=_at())


class FeedRow(SQLModel, table=True):
    """A polled address with what its server told us and how it has been."""

    __tablename__ = "feed"
    id: int | None = Field(default=None, sa_column=_key())
    council_id: int = Field(sa_column=_ref("council.id", index=True))
    url: str
    dialect: str | None = None
    found_dialect: str | None = None
    state: str = "new"
    etag: str | None = None
    last_modified: str | None = None
    next_poll_at: datetime | None = Field(default=None, sa_column=_at(null=True, index=True))
    last_checked_at: datetime | None = Field(default=None, sa_column=_at(null=True))
    last_good_at: datetime | None = Field(default=None, sa_column=_at(null=True))
    last_change_at: datetime | None = Field(default=None, sa_column=_at(null=True))
    failing_since: datetime | None = Field(default=None, sa_column=_at(null=True))
    failures: int = 0
    last_error: str | None = None
    history: str = Field(default="{}", sa_column=_json("{}"))
    committees: str = Field(default="{}", sa_column=_json("{}"))
    created_at: datetime = Field(sa_column=_at())
    __table_args__ = (UniqueConstraint("council_id", "url", name="feed_once"),)


class LeftoverRow(SQLModel, table=True):
    """An item of a feed that is no meeting, or was not understood: kept as seen, never guessed at."""

    __tablename__ = "leftover"
    feed_id: int = Field(sa_column=_ref("feed.id", primary=True))
    fingerprint: str = Field(primary_key=True)
    guid: str | None = None
    title: str
    why: str
    first_seen_at: datetime = Field(sa_column=_at())
    last_seen_at: datetime = Field(sa_column=_at())


class MeetingRow(SQLModel, table=True):
    __tablename__ = "meeting"
    id: int | None = Field(default=None, sa_column=_key())
    council_id: int = Field(sa_column=_ref("council.id"))
    committee_id: int = Field(sa_column=_ref("committee.id", index=True))
    key: str
    title: str
    starts_at: datetime | None = Field(default=None, sa_column=_at(null=True, index=True))
    starts_on: date | None = Field(default=None, index=True)
    status: str
    url: str | None = None
    url_key: str | None = None
    venue: str | None = None
    video_url: str | None = None
    documents: str = Field(default="[]", sa_column=_json("[]"))
    first_seen_at: datetime = Field(sa_column=_at())
    changed_at: datetime = Field(sa_column=_at())
    said_at: datetime | None = Field(default=None, sa_column=_at(null=True))
    __table_args__ = (
        UniqueConstraint("council_id", "key", name="meeting_once"),
        Index("meeting_url", "council_id", "url_key"),
        Index("meeting_day", "council_id", "starts_on"),
    )


class MeetingAliasRow(SQLModel, table=True):
    """A further key of a meeting: another source's for it, or the one it has after it moved."""

    __tablename__ = "meeting_alias"
    council_id: int = Field(sa_column=_ref("council.id", primary=True))
    key: str = Field(primary_key=True)
    meeting_id: int = Field(sa_column=_ref("meeting.id", index=True))


class SummaryRow(SQLModel, table=True):
    """The summary of one meeting in one language; its text is in its versions."""

    __tablename__ = "summary"
    id: int | None = Field(default=None, sa_column=_key())
    meeting_id: int = Field(sa_column=_ref("meeting.id"))
    language: str
    state: str
    version: int
    source_id: str | None = None
    __table_args__ = (UniqueConstraint("meeting_id", "language", name="summary_once"),)


class SummaryVersionRow(SQLModel, table=True):
    """One immutable version. ``effective_seq``: editions with an ``upto_seq`` from there on may say it."""

    __tablename__ = "summary_version"
    summary_id: int = Field(sa_column=_ref("summary.id", primary=True))
    version: int = Field(primary_key=True)
    fingerprint: str
    state: str
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    condensed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_column=_at())
    effective_seq: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    withdrawn_seq: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))


class PublicationRow(SQLModel, table=True):
    """The log: one line = "from now on this may be mailed". Never deleted, never renumbered."""

    __tablename__ = "publication"
    seq: int | None = Field(default=None, sa_column=_key())
    kind: str
    item: str = Field(index=True)
    version: int
    council_id: int = Field(sa_column=_ref("council.id"))
    meeting_id: int = Field(sa_column=_ref("meeting.id", index=True))
    published_at: datetime = Field(sa_column=_at(index=True))
    first_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    __table_args__ = (Index("publication_council", "council_id", "seq"), {"sqlite_autoincrement": True})


class ProfileRow(SQLModel, table=True):
    __tablename__ = "profile"
    id: int | None = Field(default=None, sa_column=_key())
    fingerprint: str = Field(unique=True)
    wishes: str = Field(sa_column=Column(Text, nullable=False))


class ProfileCouncilRow(SQLModel, table=True):
    __tablename__ = "profile_council"
    profile_id: int = Field(sa_column=_ref("profile.id", primary=True))
    council_id: int = Field(sa_column=_ref("council.id", primary=True))


class ScheduleRow(SQLModel, table=True):
    __tablename__ = "schedule"
    id: int | None = Field(default=None, sa_column=_key())
    cadence: str
    day: str
    time: str
    timezone: str
    __table_args__ = (UniqueConstraint("cadence", "day", "time", "timezone", name="schedule_once"),)


class SubscriberRow(SQLModel, table=True):
    """A person's address and state. No index on ``covered_seq``: planning moves a million of them at once."""

    __tablename__ = "subscriber"
    id: int | None = Field(default=None, sa_column=_key())
    address: str
    address_key: str = Field(unique=True)
    name: str = ""
    state: str
    profile_id: int = Field(sa_column=_ref("profile.id"))
    schedule_id: int = Field(sa_column=_ref("schedule.id"))
    covered_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    due_from_at: datetime | None = Field(default=None, sa_column=_at(null=True))
    paused_until: date | None = None
    created_at: datetime = Field(sa_column=_at())
    ended_at: datetime | None = Field(default=None, sa_column=_at(null=True))
    ended_reason: str | None = None
    # Ids are never used again: an old letter's links must not lead to somebody else.
    __table_args__ = (
        Index("subscriber_schedule", "schedule_id", "profile_id"),
        {"sqlite_autoincrement": True},
    )


class SubscriptionRow(SQLModel, table=True):
    """Subscriber x council, append-only: support can say when, how and why each began and ended."""

    __tablename__ = "subscription"
    id: int | None = Field(default=None, sa_column=_key())
    subscriber_id: int = Field(sa_column=_ref("subscriber.id"))
    council_id: int = Field(sa_column=_ref("council.id", index=True))
    source: str
    started_at: datetime = Field(sa_column=_at())
    ended_at: datetime | None = Field(default=None, sa_column=_at(null=True))
    ended_reason: str | None = None
    __table_args__ = (
        Index(
            "subscription_open",
            "subscriber_id",
            "council_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )


class ConsentRow(SQLModel, table=True):
    """Who agreed to what, when and where (append-only)."""

    __tablename__ = "consent"
    id: int | None = Field(default=None, sa_column=_key())
    subscriber_id: int = Field(sa_column=_ref("subscriber.id", index=True))
    source: str
    wording: str | None = None
    consented_at: datetime = Field(sa_column=_at())
    recorded_at: datetime = Field(sa_column=_at())


class RunRow(SQLModel, table=True):
    """The handling of everyone due at one slot, or of one notice; unique by its key.

    ``planned_at``, ``composed_at`` and ``completed_at`` are three different facts.
    """

    __tablename__ = "run"
    id: int | None = Field(default=None, sa_column=_key())
    kind: str
    key: str
    schedule_id: int | None = Field(default=None, sa_column=_ref("schedule.id", null=True, index=True))
    slot_at: datetime = Field(sa_column=_at())
    upto_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    as_of: datetime = Field(sa_column=_at())
    state: str
    why: str | None = None
    merged: str = Field(default="[]", sa_column=_json("[]"))
    counts: str | None = None
    created_at: datetime = Field(sa_column=_at())
    planned_at: datetime | None = Field(default=None, sa_column=_at(null=True))
    composed_at: datetime | None = Field(default=None, sa_column=_at(null=True))
    completed_at: datetime | None = Field(default=None, sa_column=_at(null=True))
    __table_args__ = (UniqueConstraint("kind", "key", name="run_once"),)


class PageRow(SQLModel, table=True):
    """Rendered bytes, stored once however many editions are equal; zstandard over JSON."""

    __tablename__ = "page"
    id: int | None = Field(default=None, sa_column=_key())
    fingerprint: str = Field(unique=True)
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_column=_at())


class EditionRow(SQLModel, table=True):
    """What a run says to one (profile, from_seq]. ``page_id`` null once composed: nothing to say."""

    __tablename__ = "edition"
    id: int | None = Field(default=None, sa_column=_key())
    run_id: int = Field(sa_column=_ref("run.id"))
    profile_id: int = Field(sa_column=_ref("profile.id"))
    from_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    revision: int
    content_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    page_id: int | None = Field(default=None, sa_column=_ref("page.id", null=True))
    composed_at: datetime | None = Field(default=None, sa_column=_at(null=True))
    is_stale: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False))
    why: str | None = None
    __table_args__ = (UniqueConstraint("run_id", "profile_id", "from_seq", "revision", name="edition_once"),)


class EditionItemRow(SQLModel, table=True):
    """What an edition names (or counts, ``is_folded``): evidence for corrections and for `explain`."""

    __tablename__ = "edition_item"
    edition_id: int = Field(sa_column=_ref("edition.id", primary=True))
    item: str = Field(primary_key=True)
    version: int
    is_folded: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False))
    __table_args__ = (Index("edition_item_item", "item"),)


class BatchRow(SQLModel, table=True):
    """Deliveries of one edition handed over in one request; the id is packed, see ``batch_key``."""

    __tablename__ = "batch"
    id: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    run_id: int = Field(sa_column=_ref("run.id"))
    edition_id: int = Field(sa_column=_ref("edition.id"))
    number: int
    attempt: int
    size: int
    state: str
    holder: str | None = None
    held_until: datetime | None = Field(default=None, sa_column=_at(null=True))
    retry_at: datetime | None = Field(default=None, sa_column=_at(null=True))
    provider_id: str | None = None
    why: str | None = None
    claimed_at: datetime | None = Field(default=None, sa_column=_at(null=True))
    recorded_at: datetime | None = Field(default=None, sa_column=_at(null=True))
    __table_args__ = (
        UniqueConstraint("edition_id", "number", "attempt", name="batch_once"),
        Index("batch_state", "run_id", "state"),
    )


class DeliveryRow(SQLModel, table=True):
    """One edition to one subscriber, once. State: its own ``ended``, else its batch's, else its edition's.

    ``is_open`` 1: the subscriber's one open digest delivery. The hot path writes batch rows, not these;
    closing a run writes them once.
    """

    __tablename__ = "delivery"
    run_id: int = Field(sa_column=_ref("run.id", primary=True))
    subscriber_id: int = Field(sa_column=_ref("subscriber.id", primary=True))
    edition_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    batch_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    from_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    upto_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    ended: Ended | None = Field(default=None, sa_column=Column(EndedCode, nullable=True))
    is_open: int = Field(sa_column=Column(SmallInteger, nullable=False))
    __table_args__ = (
        Index(
            "delivery_open",
            "subscriber_id",
            unique=True,
            sqlite_where=text("is_open = 1"),
            postgresql_where=text("is_open = 1"),
        ),
        Index("delivery_batch", "batch_id", "subscriber_id", "ended"),
        {"sqlite_with_rowid": False},
    )


class EventRow(SQLModel, table=True):
    """What the provider told of a letter, stored before it is applied; once, whatever the order."""

    __tablename__ = "event"
    id: int | None = Field(default=None, sa_column=_key())
    event_id: str = Field(unique=True)
    kind: str
    run_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    subscriber_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    happened_at: datetime = Field(sa_column=_at())
    received_at: datetime = Field(sa_column=_at())
    applied_at: datetime | None = Field(default=None, sa_column=_at(null=True))
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    __table_args__ = (
        Index("event_delivery", "run_id", "subscriber_id"),
        Index(
            "event_waiting",
            "id",
            sqlite_where=text("applied_at IS NULL"),
            postgresql_where=text("applied_at IS NULL"),
        ),
    )


class SuppressionRow(SQLModel, table=True):
    """An address never to be mailed again, as a keyed fingerprint only, with the reason and its evidence."""

    __tablename__ = "suppression"
    fingerprint: str = Field(primary_key=True)
    reason: str
    evidence: str | None = None
    created_at: datetime = Field(sa_column=_at())


class AuditRow(SQLModel, table=True):
    """Who did what to whom, before and after (append-only; ids, never addresses)."""

    __tablename__ = "audit"
    id: int | None = Field(default=None, sa_column=_key())
    happened_at: datetime = Field(sa_column=_at(index=True))
    actor: str
    action: str
    subject: str
    facts: str = Field(default="{}", sa_column=_json("{}"))


BATCHES_PER_EDITION = 1 << 20
ATTEMPTS = 1 << 4


def batch_key(edition_id: int, *, number: int, attempt: int) -> int:
    """The id of a batch, so that planning can compute it in SQL without asking for one.

    ``number`` from 0 below 2**20, ``attempt`` from 1 below 16: 500 million readers of one edition.
    """
    return (edition_id * BATCHES_PER_EDITION + number) * ATTEMPTS + attempt


def table_of(row: type[SQLModel]) -> Table:
    """The table behind a row class, for Core statements."""
    return metadata.tables[str(row.__tablename__)]
