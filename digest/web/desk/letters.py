"""One letter found by address or id, with its whole story."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from digest.errors import LinkError, NotFoundError
from digest.links import delivery_id, read_delivery_id
from digest.store import desk as queries
from digest.store import editions, pages, runs, subscribers
from digest.store.editions import Item
from digest.web.desk.router import Desk


def add_routes(desk: Desk) -> None:
    """``/operator/letters`` and ``/operator/letters/{id}``."""
    hall = desk.site.hall

    @desk.get("/letters")
    def find(request: Request, q: str = "") -> Response:
        """By a delivery's id, or all letters of an address."""
        wanted = q.strip()
        if wanted:
            try:
                read_delivery_id(wanted)
                return desk.back(f"/letters/{wanted}")
            except LinkError:
                pass
        with hall.database.read() as connection:
            reader = subscribers.find_subscriber(connection, wanted) if "@" in wanted else None
            found = queries.letters_of_subscriber(connection, reader.id) if reader else []
        letters = [(delivery_id(one.run_id, one.subscriber_id), one) for one in found]
        return desk.page(request, "letters.html", q=wanted, reader=reader, letters=letters)

    @desk.get("/letters/{opaque}")
    def story(request: Request, opaque: str) -> Response:
        """Planned, composed, handed over, and what the provider told since."""
        run_id, subscriber_id = read_delivery_id(opaque)
        items: tuple[Item, ...] = ()
        page = None
        with hall.database.read() as connection:
            found = queries.letter(connection, run_id, subscriber_id)
            if found is None:
                raise NotFoundError(f"there is no letter {opaque}")
            run = runs.run_by_id(connection, run_id)
            attempts = queries.attempts_of(connection, found.batch_id) if found.batch_id else []
            events = queries.events_of(connection, run_id, subscriber_id)
            items = editions.items_of(connection, found.edition_id)
            page_id = queries.page_of_edition(connection, found.edition_id)
            page = None if page_id is None else pages.page_by_id(connection, page_id)
        return desk.page(
            request,
            "letter.html",
            opaque=opaque,
            letter=found,
            run=run,
            attempts=attempts,
            events=events,
            items=items,
            page=page,
        )
