"""Councils, meetings and summaries, as the public pages show them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy import Connection

from digest.errors import NotFoundError
from digest.model import Condensed, Council, Document
from digest.render.words import local
from digest.store import reading
from digest.store.councils import all_councils, council_by_slug
from digest.store.keys import Scope
from digest.store.reading import Among, Told, Version
from digest.store.summaries import stored_summaries
from digest.web.api import shapes
from digest.web.api.access import allowed
from digest.web.api.problems import ProblemError
from digest.web.shown import mark_from, mark_text
from digest.web.site import Site

Id = Annotated[int, Path(ge=1, le=2**53)]
Slug = Annotated[str, Path(max_length=64)]
MOST = 200


def router_of(site: Site) -> APIRouter:
    """Everything that the scope ``read`` opens."""
    router = APIRouter(dependencies=[Depends(allowed(site, Scope.READ))], tags=["read"])

    @router.get("/councils")
    def councils() -> shapes.CouncilList:
        """All councils by name."""
        with site.hall.database.read() as connection:
            found = all_councils(connection)
        return shapes.CouncilList(councils=[_council(one) for one in found])

    @router.get("/councils/{slug}")
    def council(slug: Slug) -> shapes.CouncilWhole:
        """One council with its committees."""
        with site.hall.database.read() as connection:
            of = council_by_slug(connection, slug)
            today = local(site.now(), of.timezone).date()
            bodies = reading.committees_of(connection, slug, first=today)
        committees = [shapes.CommitteeShape(key=b.key, name=b.name, coming=b.coming) for b in bodies]
        return shapes.CouncilWhole(**_council(of).model_dump(), committees=committees)

    @router.get("/meetings")
    def meetings(
        council: Annotated[str | None, Query(max_length=64, description="slug")] = None,
        committee: Annotated[str | None, Query(max_length=300, description="key or name")] = None,
        first: Annotated[date | None, Query(alias="from", description="first day")] = None,
        last: Annotated[date | None, Query(alias="to", description="last day")] = None,
        changed_since: Annotated[datetime | None, Query(description="with its offset")] = None,
        after: Annotated[str, Query(max_length=40, description="`next` of the page before")] = "",
        limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    ) -> shapes.MeetingList:
        """Meetings in order of their days; those without any day are left out."""
        try:
            mark = mark_from(after)
        except ValueError as error:
            raise _wrong("after", f"{error}: take it from `next` of the page before") from error
        if changed_since is not None and changed_since.tzinfo is None:
            raise _wrong("changed_since", "has no offset: write 2025-09-07T17:00:00Z")
        if committee is not None and council is None:
            raise _wrong("committee", "needs its council beside it")
        with site.hall.database.read() as connection:
            body = reading.committee_called(connection, council, committee) if council and committee else None
            among = Among(council, body.id if body else None, first, last, changed_since=changed_since)
            page = reading.coming_meetings(connection, among, after=mark, limit=limit)
            found = _meetings(connection, page.told)
        return shapes.MeetingList(meetings=found, next=mark_text(page.more) or None)

    @router.get("/meetings/{id}")
    def meeting(id: Id) -> shapes.MeetingShape:
        """One meeting."""
        with site.hall.database.read() as connection:
            whole = reading.whole_meeting(connection, id)
            return _meetings(connection, [whole.told])[0]

    @router.get("/summaries/{id}")
    def summary(id: Id) -> shapes.SummaryShape:
        """One summary in its public version."""
        with site.hall.database.read() as connection:
            stored = stored_summaries(connection, id_=id)[0]
            told = reading.told_of(connection, [stored.meeting_id])[0]
            versions = reading.versions_of(connection, [stored.meeting_id]).get(stored.meeting_id, ())
        version = next((v for v in versions if v.summary_id == id), None)
        text = next((s for s in told.summaries if s.language == stored.language), None)
        if version is None or text is None:
            raise NotFoundError(f"summary {id} is not public: it waits for approval, or was withdrawn")
        return _summary(told, version, text)

    return router


def _wrong(name: str, why: str) -> ProblemError:
    return ProblemError(422, f"{name}: {why}", errors=[{"place": f"query.{name}", "why": why}])


def _council(one: Council) -> shapes.CouncilShape:
    return shapes.CouncilShape(
        slug=one.slug,
        name=one.name,
        support=one.support,
        timezone=one.timezone,
        country=one.country,
        website=one.website,
        languages=list(one.languages),
    )


def _documents(documents: Sequence[Document]) -> list[shapes.DocumentShape]:
    return [shapes.DocumentShape(kind=d.kind, title=d.title, url=d.url) for d in documents]


def _meetings(connection: Connection, told: Sequence[Told]) -> list[shapes.MeetingShape]:
    ids = [one.meeting.id for one in told]
    written, versions = reading.written_at(connection, ids), reading.versions_of(connection, ids)
    return [_meeting(one, versions.get(one.meeting.id, ()), written[one.meeting.id][1]) for one in told]


def _meeting(told: Told, versions: Sequence[Version], changed_at: datetime) -> shapes.MeetingShape:
    of, headlines = told.meeting, {one.language: one.headline for one in told.summaries}
    return shapes.MeetingShape(
        id=of.id,
        council=of.council,
        committee=of.committee,
        title=of.title,
        status=of.status,
        starts_on=of.starts_on,
        starts_at=of.starts_at,
        timezone=of.timezone,
        venue=of.venue,
        url=of.url,
        video_url=of.video_url,
        documents=_documents(of.documents),
        summaries=[
            shapes.SummaryRef(
                id=v.summary_id, language=v.language, version=v.version, headline=headlines[v.language]
            )
            for v in versions
            if v.language in headlines
        ],
        changed_at=changed_at,
    )


def _summary(told: Told, version: Version, text: Condensed) -> shapes.SummaryShape:
    return shapes.SummaryShape(
        id=version.summary_id,
        meeting=told.meeting.id,
        council=told.meeting.council,
        committee=told.meeting.committee,
        language=text.language,
        version=version.version,
        origin=text.origin,
        published_at=version.at,
        is_correction=version.is_correction,
        headline=text.headline,
        questions=list(text.questions),
        lead=text.lead,
        html=text.full_html,
        text=text.full_text,
        topics=list(text.topics),
        decisions=[shapes.DecisionShape(text=d.text, outcome=d.outcome, item=d.item) for d in text.decisions],
        attendees=[
            shapes.AttendeeShape(name=a.name, role=a.role, party=a.party, ward=a.ward) for a in text.attendees
        ],
        documents=_documents(text.documents),
    )
