"""Small values to tell stories with: councils, meetings, summaries and a log that grows line by line."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from digest.compose.edition import Facts
from digest.model import (
    Condensed,
    Council,
    Decision,
    Document,
    Edition,
    LineKind,
    LineReaders,
    LogLine,
    Meeting,
    MeetingStatus,
    Origin,
    Support,
)

SUNDAY = datetime(2025, 9, 7, 17, 0, tzinfo=UTC)


def council(slug: str = "stockport", support: Support = Support.FULL) -> Council:
    return Council(slug=slug, name=slug.title() + " Council", support=support)


def meeting(number: int = 1, **changes: Any) -> Meeting:
    known = Meeting(
        id=number,
        key=f"k{number}",
        council="stockport",
        committee="Children & Families Scrutiny Committee",
        title="Children & Families Scrutiny Committee",
        starts_at=SUNDAY + timedelta(days=3),
        starts_on=None,
        status=MeetingStatus.SCHEDULED,
        url=f"https://stockport.example/{number}",
        documents=(),
    )
    return replace(known, **changes)


def summary(
    text: str = "The committee looked at school transport.",
    *,
    language: str = "en",
    topics: tuple[str, ...] = (),
    decisions: int = 0,
    headline: str = "Who pays?",
    documents: tuple[Document, ...] = (),
) -> Condensed:
    return Condensed(
        headline=headline,
        lead=text,
        brief_html=f"<p>{text}</p>",
        brief_text=text,
        full_html=f"<p>{text}</p>",
        full_text=text,
        questions=(headline,),
        topics=topics,
        decisions=tuple(Decision(f"Decision {n}") for n in range(decisions)),
        attendees=(),
        documents=documents,
        origin=Origin.AI,
        language=language,
        search_text=text,
    )


@dataclass
class Log:
    """A publication log as the store would write it: seq, version and first line come by themselves."""

    lines: list[LogLine] = field(default_factory=list)
    now: datetime = SUNDAY - timedelta(days=2)

    @property
    def seq(self) -> int:
        return len(self.lines)

    def add(self, kind: LineKind, about: Meeting, **more: Any) -> LogLine:
        item = f"{family_of(kind)}:{about.id}"
        earlier = [line for line in self.lines if line.item == item]
        readers = more.get("readers", LineReaders.ALL)
        published_at = more.pop("published_at", self.now)
        told = [line for line in earlier if line.readers is not LineReaders.ENABLED]
        if earlier and earlier[0].readers is LineReaders.ENABLED and readers is not LineReaders.ENABLED:
            first = (told[0].seq, told[0].published_at) if told else (self.seq + 1, published_at)
            more["others_first"] = first
        line = LogLine(
            seq=self.seq + 1,
            kind=kind,
            item=item,
            version=len(earlier) + 1,
            council=about.council,
            published_at=published_at,
            meeting=about,
            first_seq=earlier[0].seq if earlier else self.seq + 1,
            first_at=earlier[0].published_at if earlier else self.now,
            **more,
        )
        self.lines.append(line)
        return line


def family_of(kind: LineKind) -> str:
    if kind is LineKind.PAPERS:
        return "papers"
    return "meeting" if kind.value.startswith("meeting") else "summary"


def facts(log: Log, *councils: Council, from_seq: int = 0, **more: Any) -> Facts:
    known = {c.slug: c for c in councils or (council(),)}
    return Facts(
        from_seq=from_seq,
        upto_seq=more.pop("upto_seq", log.seq),
        as_of=more.pop("as_of", SUNDAY),
        councils=known,
        **more,
    )


def said(edition: Edition) -> list[str]:
    """Every ref that the edition names or counts from the log, as often as it does."""
    named = [ref for e in edition.entries if e.seqs for ref in (e.item, *e.also)]
    return named + [ref for f in edition.folded for ref in (*f.items, *f.also)]
