"""Summaries: what waits for approval, who would get it, what was withdrawn and who had had it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form
from starlette.requests import Request
from starlette.responses import Response

from digest.model import SummaryState
from digest.pipeline import publish
from digest.pipeline.importing import inbox_of
from digest.store import desk as queries
from digest.store import summaries
from digest.web.desk.router import Desk


def add_routes(desk: Desk) -> None:
    """``/operator/summaries`` and below."""
    hall = desk.site.hall

    @desk.get("/summaries")
    def list_(request: Request, state: str = "", council: str = "", page: int = 1) -> Response:
        """The approval queue first; or those of one state or council."""
        with hall.database.read() as connection:
            counts = queries.summary_counts(connection)
            folder = hall.settings.summaries.inbox
            state = state or ("draft" if counts[SummaryState.DRAFT.value] else "published")
            found = queries.summaries_page(connection, state=state, council=council, page=page)
            # Only who lets one into letters needs to know.
            waiting = {one.council for one in found if one.state == SummaryState.DRAFT}
            reach = {slug: queries.readers_of_summaries(connection, slug) for slug in waiting}
        return desk.page(
            request,
            "summaries.html",
            found=found,
            counts=counts,
            state=state,
            council=council,
            reach=reach,
            inbox=None if folder is None else inbox_of(folder),
            more=page + 1 if len(found) == queries.PAGE else None,
        )

    @desk.get("/summaries/{id_}")
    def show(request: Request, id_: int) -> Response:
        """As letters would say it, and how many have it or would get it."""
        with hall.database.read() as connection:
            stored = summaries.stored_summaries(connection, id_=id_)[0]
            summary, condensed = summaries.newest_texts(connection, id_)
            reach = queries.readers_of_summaries(connection, stored.council)
            told = queries.told_of(connection, summaries.item_of(stored.meeting_id))
            notes = queries.audit_lines(connection, subject=f"summary:{id_}", most=20)
        return desk.page(
            request,
            "summary.html",
            stored=stored,
            summary=summary,
            condensed=condensed,
            reach=reach,
            told=told,
            notes=notes,
        )

    @desk.post("/summaries/{id_}/approve")
    def approve(request: Request, id_: int) -> Response:
        """Let it into letters."""
        publish.approve(
            hall.database, id_, now=hall.clock(), archive_after=hall.settings.digest.archive_after
        )
        desk.note(request, "summary approved", subject=f"summary:{id_}", before="draft", after="published")
        return desk.back("/summaries", f"Summary {id_} is published; the next letters say it.")

    @desk.post("/summaries/{id_}/withdraw")
    def withdraw(request: Request, id_: int, why: Annotated[str, Form()] = "") -> Response:
        """Take it back; whoever had it is told so in their next letter."""
        if not why.strip():
            return desk.back(f"/summaries/{id_}", "Say why: readers who had it will read it.")
        done = publish.withdraw(hall.database, id_, why=why.strip(), now=hall.clock())
        if done:
            desk.note(
                request, "summary withdrawn", subject=f"summary:{id_}", why=why.strip(), after="withdrawn"
            )
        return desk.back(f"/summaries/{id_}", "It is withdrawn." if done else "It was withdrawn before.")
