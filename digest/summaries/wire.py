"""Summaries and condensed summaries as JSON bytes and back, exactly: the store keeps them so."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import orjson

from digest.model import (
    Attendee,
    Condensed,
    Decision,
    Document,
    DocumentKind,
    Origin,
    Section,
    Summary,
)


def summary_to_json(summary: Summary) -> bytes:
    """The summary in JSON, UTF-8; times with their offset."""
    return orjson.dumps(summary)


def summary_from_json(data: bytes) -> Summary:
    """The summary that ``summary_to_json`` wrote; fields written by an older program keep their defaults."""
    found: dict[str, Any] = orjson.loads(data)
    starts_at = found["starts_at"]
    return Summary(
        **(
            found
            | _common(found)
            | {
                "starts_at": datetime.fromisoformat(starts_at).astimezone(UTC) if starts_at else None,
                "starts_on": date.fromisoformat(found["starts_on"]),
                "sections": tuple(Section(**one) for one in found.get("sections", ())),
                "footnotes": tuple((label, text) for label, text in found.get("footnotes", ())),
            }
        )
    )


def condensed_to_json(condensed: Condensed) -> bytes:
    """The condensed summary in JSON, UTF-8."""
    return orjson.dumps(condensed)


def condensed_from_json(data: bytes) -> Condensed:
    """The condensed summary that ``condensed_to_json`` wrote."""
    found: dict[str, Any] = orjson.loads(data)
    return Condensed(**(found | _common(found)))


def _common(found: dict[str, Any]) -> dict[str, Any]:
    """The fields that both have, as the values they were."""
    return {
        "origin": Origin(found["origin"]),
        "questions": tuple(found.get("questions", ())),
        "topics": tuple(found.get("topics", ())),
        "decisions": tuple(Decision(**one) for one in found.get("decisions", ())),
        "attendees": tuple(Attendee(**one) for one in found.get("attendees", ())),
        "documents": tuple(
            Document(DocumentKind(one["kind"]), one["title"], one["url"])
            for one in found.get("documents", ())
        ),
    }
