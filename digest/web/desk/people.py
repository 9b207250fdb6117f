"""Subscribers: found, their history and consent, and what may be done for them."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import Form
from starlette.requests import Request
from starlette.responses import Response

from digest.errors import DigestError, NotFoundError
from digest.links import delivery_id
from digest.model import Profile, Role, WishKind
from digest.pipeline import notices, roster
from digest.store import desk as queries
from digest.store import subscribers
from digest.store.subscribers import Subscriber
from digest.web.desk.router import Desk


def add_routes(desk: Desk) -> None:
    """``/operator/subscribers`` and below."""
    hall = desk.site.hall

    @desk.get("/subscribers")
    def list_(
        request: Request, q: str = "", state: str = "", council: str = "", before: int | None = None
    ) -> Response:
        """The newest, or whose address begins so."""
        with hall.database.read() as connection:
            found = queries.people(connection, search=q.strip(), state=state, council=council, before=before)
            counts = subscribers.state_counts(connection)
        return desk.page(
            request,
            "subscribers.html",
            found=found,
            counts=counts,
            q=q.strip(),
            state=state,
            council=council,
            more=found[-1].id if len(found) == queries.PAGE else None,
        )

    @desk.get("/subscribers/{id_}")
    def show(request: Request, id_: int) -> Response:
        """One subscriber: wishes, schedule, consent, letters."""
        with hall.database.read() as connection:
            one = _known(subscribers.subscriber_by_id(connection, id_), id_)
            consents = subscribers.consents(connection, id_)
            letters = queries.letters_of_subscriber(connection, id_)
            follows = queries.subscriptions_of(connection, id_)
            notes = queries.audit_lines(connection, subject=f"subscriber:{id_}", most=20)
        return desk.page(
            request,
            "subscriber.html",
            one=one,
            wishes=wishes_of(one.profile),
            consents=consents,
            follows=follows,
            letters=[(delivery_id(x.run_id, x.subscriber_id), x) for x in letters],
            notes=notes,
        )

    @desk.post("/subscribers/{id_}/pause")
    def pause(request: Request, id_: int, until: Annotated[str, Form()] = "") -> Response:
        """No letters until a day, or until somebody resumes."""
        try:
            day = date.fromisoformat(until) if until else None
            roster.pause(hall.database, _address(desk, id_), until=day)
        except (ValueError, DigestError) as error:
            return desk.back(f"/subscribers/{id_}", str(error))
        desk.note(request, "subscriber paused", subject=f"subscriber:{id_}", until=until or None)
        return desk.back(f"/subscribers/{id_}", "Paused.")

    @desk.post("/subscribers/{id_}/resume")
    def resume(request: Request, id_: int) -> Response:
        """Letters again."""
        try:
            roster.resume(hall.database, _address(desk, id_), now=hall.clock())
        except DigestError as error:
            return desk.back(f"/subscribers/{id_}", str(error))
        desk.note(request, "subscriber resumed", subject=f"subscriber:{id_}")
        return desk.back(f"/subscribers/{id_}", "Letters come again.")

    @desk.post("/subscribers/{id_}/link")
    def link(request: Request, id_: int) -> Response:
        """A new link to their choices; who is pending is asked to confirm instead."""
        is_wished = notices.send_link(hall.works, _address(desk, id_))
        if is_wished:
            desk.note(request, "link wished", subject=f"subscriber:{id_}")
        return desk.back(f"/subscribers/{id_}", _wished(is_wished))

    @desk.post("/subscribers/{id_}/ask")
    def ask(request: Request, id_: int) -> Response:
        """Ask somebody who is pending to confirm."""
        _address(desk, id_)
        is_wished = notices.ask_to_confirm(hall.works, id_)
        if is_wished:
            desk.note(request, "confirmation wished", subject=f"subscriber:{id_}")
        return desk.back(f"/subscribers/{id_}", _wished(is_wished))

    @desk.post("/subscribers/{id_}/erase", role=Role.ADMIN)
    def erase(request: Request, id_: int, sure: Annotated[str, Form()] = "") -> Response:
        """Forget the address and the name; what was sent stays counted."""
        if sure != "erase":
            return desk.back(f"/subscribers/{id_}", "Type the word erase to erase somebody.")
        roster.erase(hall.roster, _address(desk, id_), now=hall.clock())
        desk.note(request, "subscriber erased", subject=f"subscriber:{id_}")
        return desk.back("/subscribers", f"Subscriber {id_} is erased.")


def wishes_of(profile: Profile) -> list[tuple[str, str]]:
    """Wishes as names and values, only those that are not what everybody has."""
    committees = [
        f"{'' if one.is_wanted else 'not '}{one.council}/{one.committee}" for one in profile.committees
    ]
    kinds = (
        [] if set(profile.kinds) == set(WishKind) else [one.value.replace("_", " ") for one in profile.kinds]
    )
    found = [
        ("councils", ", ".join(profile.councils)),
        ("committees", ", ".join(committees)),
        ("topics", ", ".join(profile.topics)),
        ("keywords", ", ".join((*profile.keywords, *(f"not {word}" for word in profile.excluded)))),
        ("wards", ", ".join(profile.wards)),
        ("only", ", ".join(kinds)),
        ("detail, language, format", f"{profile.detail}, {profile.language}, {profile.format}"),
        ("tier", profile.tier.value),
        ("quiet weeks", "one line" if profile.quiet_note else ""),
    ]
    return [(name, value) for name, value in found if value]


def _wished(is_wished: bool) -> str:
    if not is_wished:
        return "No letter: they left, are suppressed, or were written to a moment ago."
    return "A letter to them waits; the next round of notices hands it over."


def _address(desk: Desk, id_: int) -> str:
    with desk.site.hall.database.read() as connection:
        one = _known(subscribers.subscriber_by_id(connection, id_), id_)
    if not one.address:
        raise NotFoundError(f"subscriber {id_} is erased")
    return one.address


def _known(found: Subscriber | None, id_: int) -> Subscriber:
    if found is None:
        raise NotFoundError(f"there is no subscriber {id_}")
    return found
