"""What a council decided, for feed readers."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from fastapi import APIRouter
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from digest.model import Origin
from digest.render.atom import Feed, FeedEntry, feed_bytes
from digest.render.plain import many_lines, one_line
from digest.render.words import Language
from digest.store import reading
from digest.store.councils import council_by_slug
from digest.store.reading import Told
from digest.web.fresh import fresh
from digest.web.shown import text_in, title_of
from digest.web.site import Site

ENTRIES = 30
MEDIA_TYPE = "application/atom+xml; charset=utf-8"
_NEVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def router_of(site: Site) -> APIRouter:
    """``GET /councils/{slug}/feed.xml?committee=``."""
    router = APIRouter(include_in_schema=False)
    publication = site.hall.publication

    @router.get("/councils/{slug}/feed.xml")
    def feed(request: Request, slug: str, committee: str = "") -> Response:
        """The newest summaries of one council or committee; corrected and withdrawn ones in their place."""
        language = site.pages.languages[site.pages.language_of(request)]
        with site.hall.database.read() as connection:
            of = council_by_slug(connection, slug)
            body = reading.committee_called(connection, slug, committee) if committee else None
            told = reading.newest_told(connection, slug, body.id if body else None, limit=ENTRIES)
            entries = _entries(connection, told, publication.base_url, language)
        page_url = f"{publication.base_url}/councils/{slug}" + (
            f"?committee={quote(body.key)}" if body else ""
        )
        changed_at = max((entry.updated_at for entry in entries), default=_NEVER)
        made = feed_bytes(
            Feed(
                url=page_url.replace(f"/councils/{slug}", f"/councils/{slug}/feed.xml", 1),
                page_url=page_url,
                title=f"{body.name}, {of.name}" if body else of.name,
                author=publication.name,
                language=language.code,
                updated_at=changed_at,
            ),
            entries,
        )
        return fresh(request, made, media_type=MEDIA_TYPE, changed_at=changed_at)

    return router


def _entries(
    connection: Connection, told: tuple[Told, ...], base_url: str, language: Language
) -> list[FeedEntry]:
    ids = [one.meeting.id for one in told]
    said, versions = reading.last_said(connection, ids), reading.versions_of(connection, ids)
    entries = []
    for one in told:
        id_ = one.meeting.id
        times = [v.at for v in versions.get(id_, ())] + ([said[id_]] if id_ in said else [])
        entries.append(_entry(one, f"{base_url}/meetings/{id_}", max(times, default=_NEVER), language))
    return sorted(entries, key=lambda entry: entry.updated_at, reverse=True)


def _entry(told: Told, url: str, at: datetime, language: Language) -> FeedEntry:
    summary = text_in(told.summaries, language.code)
    if summary is None:
        heading = f"{language('Withdrawn')}: {title_of(told.meeting)}"
        return FeedEntry(url, heading, at, "", language.code)
    html = many_lines(summary.brief_html)
    if summary.origin is Origin.AI:
        html = f"<p><em>{language('AI summary')}</em></p>{html}"
    return FeedEntry(url, one_line(summary.headline), at, html, summary.language, summary.topics)
