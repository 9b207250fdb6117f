"""Feeds by health: what each told last, when it is asked next, and what of it was not understood."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from digest.errors import NotFoundError
from digest.store import feeds
from digest.web.desk.router import Desk

# The states that want an operator come first.
GRAVITY = ("blocked", "failing", "retired", "new", "quiet", "fresh")


def add_routes(desk: Desk) -> None:
    """``/operator/feeds`` and below."""
    hall = desk.site.hall

    @desk.get("/feeds")
    def list_(request: Request, state: str = "", council: str = "") -> Response:
        """All feeds, the troubled first."""
        with hall.database.read() as connection:
            every = feeds.all_feeds(connection, council=council or None)
            leftovers = feeds.leftover_counts(connection)
        counts: dict[str, int] = {}
        for one in every:
            counts[one.state] = counts.get(one.state, 0) + 1
        found = [one for one in every if not state or one.state == state]
        found.sort(key=lambda one: (GRAVITY.index(one.state) if one.state in GRAVITY else 0, one.council))
        return desk.page(
            request,
            "feeds.html",
            found=found,
            counts=counts,
            state=state,
            council=council,
            leftovers=leftovers,
        )

    @desk.get("/feeds/{id_}")
    def show(request: Request, id_: int) -> Response:
        """One feed, and the items of it that are no meetings or were not understood."""
        with hall.database.read() as connection:
            one = next((feed for feed in feeds.all_feeds(connection) if feed.id == id_), None)
            if one is None:
                raise NotFoundError(f"there is no feed {id_}")
            left = feeds.leftovers(connection, id_, limit=200)
        return desk.page(request, "feed.html", feed=one, leftovers=left)
