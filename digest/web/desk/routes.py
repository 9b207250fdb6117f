"""All routes of the desk, put together."""

from __future__ import annotations

from pathlib import Path

from digest.pipeline.importing import WatchedFolders
from digest.web.desk import (
    changes,
    councils,
    feeds,
    letters,
    next_run,
    notices,
    people,
    records,
    runs,
    signing,
    studio,
    summaries,
    today,
)
from digest.web.desk.access import Access
from digest.web.desk.router import Desk
from digest.web.site import Site

PLACES = (today, next_run, runs, letters, summaries, councils, feeds, people, notices, records, studio)


def desk_of(site: Site, access: Access, *, watched: tuple[Path, ...] = ()) -> Desk:
    """The desk for those whom ``access`` lets in; ``watched`` folders of samples show at once."""
    after = site.hall.settings.digest.archive_after
    desk = Desk(site, access, watched=WatchedFolders(site.hall.database, watched, archive_after=after))
    for place in PLACES:
        place.add_routes(desk)
    changes.add_routes(desk, watched=watched)
    if not access.is_local:
        desk.router.include_router(signing.router_of(site))
    return desk
