"""Two councils with meetings and summaries, as the reading tests find them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from digest.model import (
    Attendee,
    Council,
    Decision,
    Document,
    DocumentKind,
    MeetingStatus,
    Origin,
    Section,
    Summary,
    Support,
)
from digest.pipeline import publish
from digest.store import councils, meetings
from digest.store.database import Database
from digest.store.meetings import MeetingFacts

NOW = datetime(2025, 9, 7, 17, 0, tzinfo=UTC)
HELD = datetime(2025, 9, 3, 17, 0, tzinfo=UTC)
HOSTILE = '<script>alert(1)</script> [x](javascript:alert(2)) <img src=x onerror="alert(3)"> {{ 7 * 7 }}'


@dataclass
class Town:
    """The database, and shorthands for what happens in it."""

    database: Database

    def council(self, slug: str, name: str, support: Support = Support.FULL, **facts: object) -> None:
        with self.database.write() as connection:
            council = Council(slug, name, support, website=f"https://{slug}.example", **facts)  # type: ignore[arg-type]
            councils.add_council(connection, council, now=NOW)

    def meeting(
        self,
        council: str,
        committee: str,
        *,
        at: datetime | date,
        title: str = "",
        status: MeetingStatus = MeetingStatus.SCHEDULED,
        now: datetime = NOW,
        key: str = "",
        documents: tuple[Document, ...] = (),
    ) -> int:
        starts_at = at if isinstance(at, datetime) else None
        facts = MeetingFacts(
            key=key or f"{committee}:{at.isoformat()}",
            council=council,
            committee=committee,
            title=title or committee,
            starts_at=starts_at,
            starts_on=at.date() if isinstance(at, datetime) else at,
            status=status,
            url=f"https://{council}.example/meeting",
            venue="Town Hall",
            documents=documents,
        )
        with self.database.write() as connection:
            return meetings.save_meeting(connection, facts, now=now).id

    def summary(
        self,
        council: str = "aber",
        committee: str = "Cabinet",
        *,
        at: datetime = HELD,
        lead: str = "The library stays open.",
        question: str = "Will the library close?",
        language: str = "en",
        body: str = "",
        topics: Sequence[str] = ("Libraries",),
        now: datetime = NOW,
    ) -> int:
        """Publish one; the summary's id."""
        summary = Summary(
            council=council,
            committee=committee,
            starts_at=at,
            starts_on=at.date(),
            origin=Origin.AI,
            lead=lead,
            sections=(Section("Money", body or "It costs **£40,000** a year."),),
            title="Libraries saved",
            video_url="https://video.example/1",
            language=language,
            questions=(question, "And the swimming pool?"),
            topics=tuple(topics),
            attendees=(Attendee("Cllr Ann Ash", "Chair", "Independent", "Elm"), Attendee("Bo Birch")),
            documents=(Document(DocumentKind.AGENDA, "Agenda_frontsheet.pdf", "https://aber.example/a.pdf"),),
            decisions=(Decision("Keep the library open.", "carried", "Item 5"),),
        )
        return publish.take_in(
            self.database, summary, url_key=None, now=now, archive_after=timedelta(days=900)
        ).id

    def meeting_of(self, summary: int) -> int:
        from digest.store.summaries import stored_summaries

        with self.database.read() as connection:
            return stored_summaries(connection, id_=summary)[0].meeting_id
