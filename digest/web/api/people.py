"""Subscribers, for operators' programs: the verbs of `digest subscriber`.

An address stands in bodies only, never in a path: paths are logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy import Connection

from digest.errors import ConflictError, NotFoundError
from digest.links import address_key
from digest.model import SubscriberState
from digest.pipeline import roster
from digest.pipeline.roster_rows import row_of
from digest.pipeline.taking import Taken
from digest.store import audit, subscribers
from digest.store.keys import Scope
from digest.store.roster import consents_of
from digest.store.subscribers import Consent, Subscriber
from digest.web.api import shapes
from digest.web.api.access import actor_of, allowed
from digest.web.api.problems import ProblemError
from digest.web.site import Site

Id = Annotated[int, Path(ge=1, le=2**53)]
MOST = 200


def router_of(site: Site) -> APIRouter:
    """Everything that the scope ``subscribers`` opens."""
    router = APIRouter(
        prefix="/subscribers",
        dependencies=[Depends(allowed(site, Scope.SUBSCRIBERS))],
        tags=["subscribers"],
    )
    database = site.hall.database

    def address_of(id_: int) -> str:
        with database.read() as connection:
            found = subscribers.subscriber_by_id(connection, id_)
        if found is None:
            raise NotFoundError(f"there is no subscriber {id_}")
        if found.state is SubscriberState.ERASED:
            raise ConflictError(f"subscriber {id_} is erased: nothing can be changed any more")
        return found.address

    def note(request: Request, action: str, id_: int) -> None:
        with database.write() as connection:
            audit.note(
                connection, action, subject=f"subscriber:{id_}", actor=actor_of(request), now=site.now()
            )

    @router.get("")
    def everybody(
        after: Annotated[int, Query(ge=0, le=2**53, description="`next` of the page before")] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    ) -> shapes.SubscriberList:
        """Readers in order of joining, whatever their state."""
        with database.read() as connection:
            found = list(islice(subscribers.all_subscribers(connection, page=limit, after=after), limit))
            documents = _documents(connection, found)
        return shapes.SubscriberList(
            subscribers=documents, next=found[-1].id if len(found) == limit else None
        )

    @router.post("/find")
    def find(asked: shapes.Find) -> shapes.SubscriberShape:
        """The reader of an address, in whatever spelling."""
        address_key(asked.email)
        with database.read() as connection:
            found = subscribers.find_subscriber(connection, asked.email)
            if found is None:
                raise NotFoundError("nobody is subscribed with that address")
            return _documents(connection, [found])[0]

    @router.post("", status_code=201)
    def add(request: Request, response: Response, new: shapes.NewSubscriber) -> shapes.Added:
        """Add one reader; 200 for who is there already, 409 for who left and has not agreed again."""
        now = site.now()
        row = row_of(_cells(new), defaults=site.hall.roster.defaults, now=now)
        taken = roster.add_one(site.hall.roster, row, source="api", now=now)
        with database.read() as connection:
            found = subscribers.subscriber_by_address(connection, row.address)
        if taken is Taken.IMPORTED:
            note(request, "subscriber added", found.id)
        else:
            response.status_code = 200
        return shapes.Added(id=found.id, is_new=taken is Taken.IMPORTED)

    @router.get("/{id}")
    def show(id: Id) -> shapes.SubscriberShape:
        """One reader: state, wishes, schedule and consents."""
        with database.read() as connection:
            found = subscribers.subscriber_by_id(connection, id)
            if found is None:
                raise NotFoundError(f"there is no subscriber {id}")
            return _documents(connection, [found])[0]

    @router.post("/{id}/pause")
    def pause(request: Request, id: Id, wish: shapes.Pause) -> shapes.SubscriberShape:
        """Send nothing until that day, or until they resume."""
        if wish.until is not None and wish.until <= site.today():
            why = f"{wish.until} is not in the future: name a later day, or resume"
            raise ProblemError(422, f"until: {why}", errors=[{"place": "body.until", "why": why}])
        roster.pause(database, address_of(id), until=wish.until)
        note(request, "subscriber paused", id)
        return show(id)

    @router.post("/{id}/resume")
    def resume(request: Request, id: Id) -> shapes.SubscriberShape:
        """End a pause; the next letter covers what was missed."""
        roster.resume(database, address_of(id), now=site.now())
        note(request, "subscriber resumed", id)
        return show(id)

    @router.post("/{id}/leave")
    def leave(request: Request, id: Id, wish: shapes.Leave) -> shapes.SubscriberShape:
        """Unsubscribe a reader who asked for it, from one council or altogether."""
        roster.leave(database, address_of(id), council=wish.council, now=site.now())
        note(request, "subscriber left", id)
        return show(id)

    @router.delete("/{id}", status_code=204)
    def erase(request: Request, id: Id) -> None:
        """Forget address and name; what was sent stays countable."""
        roster.erase(site.hall.roster, address_of(id), now=site.now())
        note(request, "subscriber erased", id)

    return router


def _cells(new: shapes.NewSubscriber) -> dict[str, str]:
    """The wishes as the columns of a subscriber list; one word is one wish, whatever it holds."""

    def joined(words: Sequence[str]) -> str:
        return ";".join(word.replace(";", " ") for word in words)

    return {
        "email": new.email,
        "name": new.name,
        "councils": joined(new.councils),
        "committees": joined(new.committees),
        "topics": joined(new.topics),
        "keywords": joined(new.keywords),
        "wards": joined(new.wards),
        "cadence": new.cadence or "",
        "day": new.day,
        "time": new.time,
        "timezone": new.timezone,
        "detail": new.detail or "",
        "format": new.format or "",
        "language": new.language,
        "tier": new.tier or "",
        "status": "active" if new.confirmed else "pending",
        "consent_source": new.consent_source or ("operator" if new.confirmed else ""),
        "consent_at": new.consent_at,
    }


def _documents(connection: Connection, found: Sequence[Subscriber]) -> list[shapes.SubscriberShape]:
    consents = consents_of(connection, (one.id for one in found))
    return [_document(one, consents.get(one.id, [])) for one in found]


def _document(one: Subscriber, consents: Sequence[Consent]) -> shapes.SubscriberShape:
    profile, schedule = one.profile, one.schedule
    return shapes.SubscriberShape(
        id=one.id,
        email=one.address,
        name=one.name,
        status=one.state,
        councils=list(profile.councils),
        committees=[f"{'' if w.is_wanted else '-'}{w.council}/{w.committee}" for w in profile.committees],
        topics=list(profile.topics),
        keywords=[*profile.keywords, *(f"-{word}" for word in profile.excluded)],
        wards=list(profile.wards),
        cadence=schedule.cadence,
        day=schedule.day,
        time=schedule.time,
        timezone=schedule.timezone,
        detail=profile.detail,
        format=profile.format,
        language=profile.language,
        tier=profile.tier,
        paused_until=one.paused_until,
        created_at=one.created_at,
        ended_at=one.ended_at,
        ended_reason=one.ended_reason,
        consents=[shapes.ConsentShape(source=consent.source, at=consent.at) for consent in consents],
    )
