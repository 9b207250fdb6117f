"""Notices to many readers: written, looked at, approved; sent by the same ledger as digests."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form
from starlette.requests import Request
from starlette.responses import Response

from digest.errors import DigestError
from digest.model import Tier
from digest.pipeline import notices as verbs
from digest.pipeline.notices import ToMany
from digest.pipeline.run import report
from digest.render.tags import neutral
from digest.store import councils, notices
from digest.store.notices import Notice
from digest.web.desk.router import Desk, who_of
from digest.web.desk.studio import dressed
from digest.web.headers import LETTER_POLICY


def add_routes(desk: Desk) -> None:
    """``/operator/notices`` and below."""
    hall = desk.site.hall

    @desk.get("/notices")
    def list_(request: Request, why: str = "") -> Response:
        """The newest, and a form for another."""
        with hall.database.read() as connection:
            found = notices.newest(connection)
            slugs = [(one.slug, one.name) for one in councils.all_councils(connection)]
        return desk.page(request, "notices.html", found=found, councils=slugs, tiers=list(Tier), why=why)

    @desk.get("/notices/{id_}")
    def show(request: Request, id_: int) -> Response:
        """One notice, as its readers get it, and how many they are."""
        found = _notice(desk, id_)
        readers = verbs.audience_size(hall.works, id_) if found.run_id is None else 0
        counts = report(hall.database, found.run_id).counts if found.run_id is not None else {}
        page = neutral(verbs.preview(hall.works, found), hall.publication.base_url)
        return desk.page(request, "notice.html", notice=found, letter=page, readers=readers, counts=counts)

    @desk.get("/notices/{id_}/letter")
    def letter(request: Request, id_: int) -> Response:
        """The letter alone, for the frame."""
        page = neutral(verbs.preview(hall.works, _notice(desk, id_)), hall.publication.base_url)
        html = dressed(page.html or "", scheme="light", styles=True)
        return Response(html, media_type="text/html", headers={"Content-Security-Policy": LETTER_POLICY})

    @desk.post("/notices")
    def write(
        request: Request,
        title: Annotated[str, Form()] = "",
        markdown: Annotated[str, Form()] = "",
        council: Annotated[list[str] | None, Form()] = None,
        tier: Annotated[str, Form()] = "",
    ) -> Response:
        """Store it; it waits until somebody approves it."""
        if not title.strip() or not markdown.strip():
            return desk.back("/notices", "A notice has a subject and words.")
        try:
            words = ToMany(
                title.strip(), markdown.strip(), tuple(council or ()), Tier(tier) if tier else None
            )
            stored = verbs.service(hall.works, words, actor=who_of(request).name)
        except (DigestError, ValueError) as error:
            return desk.back("/notices", str(error))
        desk.note(request, "notice written", subject=f"notice:{stored.id}", title=title.strip())
        return desk.back(f"/notices/{stored.id}", "It waits for approval.")

    @desk.post("/notices/{id_}/approve")
    def approve(request: Request, id_: int) -> Response:
        """Let it go with the next run."""
        done = verbs.approve(hall.database, id_, actor=who_of(request).name, now=hall.clock())
        return desk.back(
            f"/notices/{id_}", "It goes with the next run." if done else "It was decided before."
        )

    @desk.post("/notices/{id_}/drop")
    def drop(request: Request, id_: int) -> Response:
        """It never goes."""
        done = verbs.drop(hall.database, id_, actor=who_of(request).name, now=hall.clock())
        return desk.back(f"/notices/{id_}", "It never goes." if done else "It is too late: a run has it.")


def _notice(desk: Desk, id_: int) -> Notice:
    with desk.site.hall.database.read() as connection:
        return notices.notice_by_id(connection, id_)
