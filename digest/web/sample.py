"""Last week's letter of a council, for who has not signed up yet."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from digest.compose.profile import profile_of
from digest.pipeline.trying import Sample, sample_of
from digest.store.councils import council_by_slug
from digest.web.headers import LETTER_POLICY
from digest.web.site import Site

KEPT_FOR = timedelta(minutes=10)
MOST_KEPT = 200
"""Letters of 80 kB at most: some MB. A busy page costs one letter in ten minutes, not one a visitor."""


class Samples:
    """The letters lately made, by council and language. Safe to share between threads."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._kept: dict[tuple[str, str], tuple[datetime, Sample]] = {}
        self._lock = threading.Lock()

    def of(self, slug: str, language: str) -> Sample:
        """Raises: NotFoundError for an unknown council."""
        site, now = self._site, self._site.now()
        with self._lock:  # one at a time: composing is the dear part
            kept = self._kept.get((slug, language))
            if kept is not None and timedelta() <= now - kept[0] < KEPT_FOR:
                return kept[1]
            with site.hall.database.read() as connection:
                council = council_by_slug(connection, slug)
            wishes = profile_of(councils=[slug], language=language, detail=site.hall.settings.digest.detail)
            made = sample_of(site.hall.works, wishes, timezone=council.timezone)
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[slug, language] = now, made
            return made


def router_of(site: Site) -> APIRouter:
    """``GET /councils/{slug}/sample``, and the letter that its frame holds."""
    router = APIRouter(include_in_schema=False)
    samples = Samples(site)

    @router.get("/councils/{slug}/sample")
    def show(request: Request, slug: str) -> Response:
        """The page around the letter."""
        sample = samples.of(slug, site.pages.language_of(request))
        with site.hall.database.read() as connection:
            council = council_by_slug(connection, slug)
        return site.pages.answer(request, "sample.html", council=council, sample=sample)

    @router.get("/councils/{slug}/sample/letter")
    def letter(request: Request, slug: str) -> Response:
        """The letter itself, which may run nothing."""
        found = samples.of(slug, site.pages.language_of(request)).letter
        if found is None or found.html is None:
            raise HTTPException(404)
        headers = {"Content-Security-Policy": LETTER_POLICY, "X-Robots-Tag": "noindex"}
        return Response(found.html, media_type="text/html", headers=headers)

    return router
