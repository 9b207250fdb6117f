"""What anybody may read, as one router: councils, meetings, search, calendars, feeds, letters."""

from __future__ import annotations

from fastapi import APIRouter

from digest.web import councils, meetings, search
from digest.web.site import Site

# The order is that of matching: a council's feed and calendar before the lists of its meetings.
PARTS = (meetings.router_of, councils.router_of, search.router_of)


def router_of(site: Site) -> APIRouter:
    """All public pages."""
    router = APIRouter()
    for part in PARTS:
        router.include_router(part(site))
    return router
