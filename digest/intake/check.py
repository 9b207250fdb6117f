"""The document of ``digest feed check``: what was understood of a feed, what was not, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from digest.errors import FeedError, IntakeError
from digest.intake.dates import zone
from digest.intake.parse import parse
from digest.model import ParsedFeed, RawFeed, Sighting, Webcast


def check_document(
    raw: RawFeed,
    *,
    timezone: str,
    country: str,
    as_of: datetime,
    dialect: str | None = None,
    hosts: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """The JSON document for ``raw``: instants in the council's zone; a feed in error has no meetings."""
    try:
        parsed = parse(raw, timezone=timezone, country=country, as_of=as_of, dialect=dialect, hosts=hosts)
    except FeedError as error:
        return error_document(error)
    return parsed_document(parsed, timezone=timezone)


def error_document(error: IntakeError) -> dict[str, Any]:
    """The document of a feed that could not be fetched or read."""
    return {
        "dialect": None,
        "meetings": [],
        "not_meetings": [],
        "error": {"kind": error.kind, "message": str(error)},
    }


def parsed_document(parsed: ParsedFeed, *, timezone: str) -> dict[str, Any]:
    """The document of a feed that was understood."""
    found: dict[str, Any] = {
        "dialect": parsed.dialect,
        "meetings": [_meeting(s, timezone) for s in parsed.sightings],
        "not_meetings": [{"guid": n.guid, "title": n.title, "why": n.why} for n in parsed.not_meetings],
        "error": None,
    }
    if parsed.is_partial:
        found["is_partial"] = True
    if parsed.webcasts:
        found["webcasts"] = [_webcast(w, timezone) for w in parsed.webcasts]
    return found


def _webcast(webcast: Webcast, timezone: str) -> dict[str, Any]:
    local = webcast.starts_at.astimezone(zone(timezone)) if webcast.starts_at else None
    return {
        "guid": webcast.guid,
        "title": webcast.title,
        "url": webcast.url,
        "meeting_url": webcast.meeting_url,
        "starts_at": local.isoformat() if local else None,
    }


def _meeting(sighting: Sighting, timezone: str) -> dict[str, Any]:
    local = sighting.starts_at.astimezone(zone(timezone)) if sighting.starts_at else None
    found: dict[str, Any] = {
        "committee": sighting.committee or None,
        "title": sighting.title,
        "starts_at": local.isoformat() if local else None,
        "status": sighting.status.value,
        "url": sighting.url,
        "guid": sighting.guid,
        "external_id": sighting.external_id,
        "documents": [{"kind": d.kind.value, "title": d.title, "url": d.url} for d in sighting.documents],
        "events": list(sighting.events),
    }
    if local is None and sighting.starts_on is not None:
        found["starts_on"] = sighting.starts_on.isoformat()
    optional = {
        "location": sighting.venue,
        "video_url": sighting.video_url,
        "published_at": sighting.published_at.isoformat() if sighting.published_at else None,
        "doubts": list(sighting.doubts),
    }
    return found | {key: value for key, value in optional.items() if value}
