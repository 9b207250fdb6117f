"""Values to and from the JSON that payload columns hold; exact both ways."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import orjson

from digest.model import Document, DocumentKind, Meeting, MeetingStatus


def documents_to_json(documents: tuple[Document, ...]) -> str:
    """A JSON list of kind, title, url."""
    return orjson.dumps([[d.kind, d.title, d.url] for d in documents]).decode()


def documents_from_json(text: str | bytes) -> tuple[Document, ...]:
    """The documents again, in the same order."""
    return tuple(Document(DocumentKind(kind), title, url) for kind, title, url in orjson.loads(text))


def meeting_to_dict(meeting: Meeting) -> dict[str, Any]:
    """A snapshot of a meeting for a log line's payload."""
    return {
        "id": meeting.id,
        "key": meeting.key,
        "council": meeting.council,
        "committee": meeting.committee,
        "title": meeting.title,
        "starts_at": meeting.starts_at.isoformat() if meeting.starts_at else None,
        "starts_on": meeting.starts_on.isoformat() if meeting.starts_on else None,
        "status": meeting.status,
        "url": meeting.url,
        "venue": meeting.venue,
        "video_url": meeting.video_url,
        "documents": [[d.kind, d.title, d.url] for d in meeting.documents],
        "committee_keys": sorted(meeting.committee_keys),
        "timezone": meeting.timezone,
        "joint": sorted(meeting.joint),
        **({"told": [list(one) for one in meeting.told]} if meeting.told else {}),
    }


def meeting_from_dict(found: dict[str, Any]) -> Meeting:
    """The meeting as it was when the snapshot was taken."""
    starts_at, starts_on = found["starts_at"], found["starts_on"]
    return Meeting(
        id=found["id"],
        key=found["key"],
        council=found["council"],
        committee=found["committee"],
        title=found["title"],
        starts_at=datetime.fromisoformat(starts_at) if starts_at else None,
        starts_on=date.fromisoformat(starts_on) if starts_on else None,
        status=MeetingStatus(found["status"]),
        url=found["url"],
        venue=found["venue"],
        video_url=found["video_url"],
        documents=tuple(Document(DocumentKind(k), t, u) for k, t, u in found["documents"]),
        committee_keys=frozenset(found["committee_keys"]),
        timezone=found["timezone"],
        joint=frozenset(found["joint"]),
        told=tuple((council, seq) for council, seq in found.get("told", ())),
    )
