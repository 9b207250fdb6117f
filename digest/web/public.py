"""What anybody may read, as one router: councils, meetings, search, calendars, feeds, letters."""

from __future__ import annotations

from fastapi import APIRouter

from digest.web import calendars, councils, meetings, search, syndication, view
from digest.web.site import Site

# The order is that of matching: a council's feed and calendar before the lists of its meetings.
PARTS = (
    calendars.router_of,
    syndication.router_of,
    meetings.router_of,
    councils.router_of,
    search.router_of,
    view.router_of,
)


def router_of(site: Site) -> APIRouter:
    """All public pages."""
    router = APIRouter()
    for part in PARTS:
        router.include_router(part(site))
    return router
