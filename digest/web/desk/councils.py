"""Councils by demand: who waits, how far each is served, who lets its summaries into letters."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import Form
from starlette.requests import Request
from starlette.responses import Response

from digest.errors import ConflictError, NotFoundError, SubscriberError
from digest.model import Approval, Support
from digest.pipeline import enabling
from digest.store import audit, councils, feeds
from digest.store import desk as queries
from digest.web.desk.router import Desk, who_of

RECENT = timedelta(days=30)


def add_routes(desk: Desk) -> None:
    """``/operator/councils`` and below."""
    hall = desk.site.hall

    @desk.get("/councils")
    def list_(request: Request, support: str = "") -> Response:
        """Every council, the most wanted first."""
        with hall.database.read() as connection:
            known = {one.slug: one for one in councils.all_councils(connection)}
            demand = queries.demand(connection, since=hall.clock() - RECENT)
            silent = feeds.silences(connection, before=hall.clock() - hall.limits.silent_after)
        found = [(known[one.slug], one) for one in demand if one.slug in known]
        found = [(council, one) for council, one in found if not support or council.support == support]
        return desk.page(request, "councils.html", found=found, silent=silent, support=support)

    @desk.get("/councils/{slug}")
    def show(request: Request, slug: str, back: int | None = None) -> Response:
        """One council: how it is served, its feeds, what was done to it."""
        with hall.database.read() as connection:
            council = councils.council_by_slug(connection, slug)
            counts = councils.council_counts(connection, slug)
            its_feeds = feeds.all_feeds(connection, council=slug)
            notes = queries.audit_lines(connection, subject=f"council:{slug}", most=20)
            is_limited = council.support is Support.LIMITED
            enabled_for = queries.enabled_for(connection, slug) if is_limited else []
        plan = None
        if council.support is not Support.FULL:
            plan = enabling.rehearse(hall.works, slug, back=_back(back) or hall.settings.digest.enable_back)
        return desk.page(
            request,
            "council.html",
            enabling=plan,
            back_days=(_back(back) or hall.settings.digest.enable_back).days,
            council=council,
            counts=counts,
            enabled_for=enabled_for,
            feeds=its_feeds,
            notes=notes,
            supports=list(Support),
            approvals=list(Approval),
        )

    @desk.post("/councils/{slug}/enable")
    def enable(request: Request, slug: str, back: Annotated[int, Form()] = 14) -> Response:
        """Full support: the news of the last days is mailed, who waited is told."""
        span = _back(back) or hall.settings.digest.enable_back
        done = enabling.enable(hall.works, slug, back=span, actor=who_of(request).name)
        said = f"{done.readers} readers get {_summaries(done)}; {done.waiting} who waited are told."
        return desk.back(f"/councils/{slug}", "It had full support already." if done.is_done else said)

    @desk.post("/councils/{slug}/enable-one")
    def enable_one(
        request: Request,
        slug: str,
        address: Annotated[str, Form()],
        back: Annotated[int, Form()] = 14,
        is_sure: Annotated[bool, Form()] = False,
    ) -> Response:
        """A limited council's summaries for one professional: first what they would get, then it is done."""
        span = _back(back) or hall.settings.digest.enable_back
        try:
            if is_sure:
                done = enabling.enable_one(hall.works, slug, address, back=span, actor=who_of(request).name)
            else:
                done = enabling.rehearse_one(hall.works, slug, address, back=span)
        except (NotFoundError, ConflictError, SubscriberError) as error:
            return desk.back(f"/councils/{slug}", str(error))
        if done.is_done:
            return desk.back(f"/councils/{slug}", "It was enabled for them already.")
        if not is_sure:
            return desk.page(request, "enable_one.html", plan=done, address=address, back_days=span.days)
        told = " and are told by a notice" if done.waiting else ""
        return desk.back(f"/councils/{slug}", f"They get {_summaries(done)}{told}.")

    @desk.post("/councils/{slug}/disable-one")
    def disable_one(request: Request, slug: str, address: Annotated[str, Form()]) -> Response:
        """Take that back."""
        try:
            is_done = enabling.disable_one(
                hall.database, slug, address, actor=who_of(request).name, now=hall.clock()
            )
        except (NotFoundError, SubscriberError) as error:
            return desk.back(f"/councils/{slug}", str(error))
        said = "Its summaries are not mailed to them any more." if is_done else "It was not enabled for them."
        return desk.back(f"/councils/{slug}", said)

    @desk.post("/councils/{slug}")
    def change(
        request: Request,
        slug: str,
        support: Annotated[Support, Form()],
        approval: Annotated[Approval, Form()],
    ) -> Response:
        """Another support level, or another way of approval."""
        with hall.database.write() as connection:
            before = councils.council_by_slug(connection, slug)
            if (before.support, before.approval) == (support, approval):
                return desk.back(f"/councils/{slug}", "Nothing was changed.")
            councils.set_council(connection, slug, {"support": support, "approval": approval})
            audit.note(
                connection,
                "council changed",
                subject=f"council:{slug}",
                actor=who_of(request).name,
                now=hall.clock(),
                facts={
                    "before": {"support": before.support.value, "approval": before.approval.value},
                    "after": {"support": support.value, "approval": approval.value},
                },
            )
        return desk.back(f"/councils/{slug}", f"{before.name} is served {support.value}, {approval.value}.")


def _back(days: int | None) -> timedelta | None:
    return None if days is None else timedelta(days=min(max(days, 0), 365))


def _summaries(done: enabling.Enabling) -> str:
    n = len(done.summaries)
    return "1 summary" if n == 1 else f"{n} summaries"
