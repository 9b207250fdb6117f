"""All routes of the desk, put together."""

from __future__ import annotations

from pathlib import Path

from digest.web.desk import changes, signing, studio, today
from digest.web.desk.access import Access
from digest.web.desk.router import Desk
from digest.web.site import Site

PLACES = (today.add_routes, studio.add_routes)


def desk_of(site: Site, access: Access, *, watched: tuple[Path, ...] = ()) -> Desk:
    """The desk for those whom ``access`` lets in; ``watched`` folders of samples show at once."""
    desk = Desk(site, access)
    for add_routes in PLACES:
        add_routes(desk)
    changes.add_routes(desk, watched=watched)
    if not access.is_local:
        desk.router.include_router(signing.router_of(site))
    return desk
