"""Runs: what is due, how each stands, what is in doubt; paused, resumed, cancelled and settled here."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form
from starlette.requests import Request
from starlette.responses import Response

from digest.deliver.evidence import EvidenceUnavailableError
from digest.errors import DigestError
from digest.links import delivery_id
from digest.pipeline import dispatch, plan, safety, settle
from digest.pipeline.run import report
from digest.pipeline.waiting import waiting
from digest.store import audit, doubts, events, runs
from digest.store import desk as queries
from digest.web.desk.router import Desk, who_of

STANDINGS = (
    "open", "handed_over", "empty", "uncertain", "refused", "held_back", "left", "suppressed",
    "bad_address", "cancelled", "expired",
)  # fmt: skip


def add_routes(desk: Desk) -> None:
    """``/operator/runs`` and below."""
    hall = desk.site.hall

    @desk.get("/runs")
    def list_(request: Request, kind: str = "digest", before: int | None = None) -> Response:
        """The newest runs, and who is due now."""
        with hall.database.read() as connection:
            found = queries.runs_page(connection, digests=kind == "digest", before=before)
        reports = [report(hall.database, one.id) for one in found]
        due = plan.due_now(hall.database, now=hall.clock(), rules=hall.rules)
        with hall.database.read() as connection:
            counted = [(one, plan.count_due(connection, one)) for one in due]
        more = found[-1].id if len(found) == queries.PAGE else None
        return desk.page(
            request, "runs.html", reports=reports, due=counted, kind=kind, more=more, standings=STANDINGS
        )

    @desk.get("/runs/{run_id}")
    def show(request: Request, run_id: int, after: int = 0, standing: str = "") -> Response:
        """One run: its facts, its letters a page at a time, its doubts with their evidence."""
        one = report(hall.database, run_id)
        with hall.database.read() as connection:
            letters = queries.letters_of_run(connection, run_id, after=after, standing=standing)
            doubtful = doubts.doubtful(connection, run_id)
            notes = queries.audit_lines(connection, subject=f"run:{run_id}", most=20)
            told = events.counts_of(connection, run_id)
        return desk.page(
            request,
            "run.html",
            run=one.run,
            counts=one.counts,
            waiting=waiting(hall.works, run_id),
            letters=[(delivery_id(letter.run_id, letter.subscriber_id), letter) for letter in letters],
            doubts=[(doubt, _evidence(desk, run_id, doubt)) for doubt in doubtful],
            notes=notes,
            told=told,
            standing=standing,
            standings=[name for name in STANDINGS if one.counts.get(name)],
            more=letters[-1].subscriber_id if len(letters) == queries.PAGE else None,
        )

    @desk.post("/runs/{run_id}/pause")
    def pause(request: Request, run_id: int) -> Response:
        """Hand over no more for now."""
        who = who_of(request).name
        with hall.database.write() as connection:
            runs.run_by_id(connection, run_id)
            done = runs.pause_run(connection, run_id, why=f"paused by {who}")
            if done:
                _note(desk, connection, "run paused", run_id, who)
        return desk.back(f"/runs/{run_id}", f"Run {run_id} is paused." if done else "It was over or paused.")

    @desk.post("/runs/{run_id}/resume")
    def resume(request: Request, run_id: int) -> Response:
        """Let it go on."""
        with hall.database.write() as connection:
            done = runs.resume_run(connection, run_id)
            if done:
                _note(desk, connection, safety.RESUMED, run_id, who_of(request).name)
        said = f"Run {run_id} goes on with the next round." if done else "It was not paused."
        return desk.back(f"/runs/{run_id}", said)

    @desk.post("/runs/{run_id}/cancel")
    def cancel(request: Request, run_id: int) -> Response:
        """What was not handed over is said in the next digest."""
        who = who_of(request).name
        with hall.database.read() as connection:
            if runs.run_by_id(connection, run_id).is_over:
                return desk.back(f"/runs/{run_id}", "It was over already: nothing was cancelled.")
        n = plan.cancel(hall.database, run_id, why=f"cancelled by {who}", now=hall.clock())
        _complete(desk, run_id)
        desk.note(request, "run cancelled", subject=f"run:{run_id}", letters=n)
        return desk.back(
            f"/runs/{run_id}", f"{n} letters are cancelled; their news goes into the next digest."
        )

    @desk.post("/runs/{run_id}/settle")
    def settle_(
        request: Request,
        run_id: int,
        as_: Annotated[str, Form(alias="as")],
        batch: Annotated[int | None, Form()] = None,
    ) -> Response:
        """Say what became of letters in doubt."""
        if as_ not in ("sent", "not-sent"):
            return desk.back(f"/runs/{run_id}", "Say whether it was sent or not sent.")
        done = settle.settle_by_hand(
            hall.database,
            run_id,
            is_sent=as_ == "sent",
            batch_id=batch,
            now=hall.clock(),
            records=hall.records,
        )
        _complete(desk, run_id)
        n = done.batches
        desk.note(request, "run settled", subject=f"run:{run_id}", batches=n, settled_as=as_, batch=batch)
        return desk.back(f"/runs/{run_id}", _settled(done, as_))


def _settled(done: settle.ByHand, as_: str) -> str:
    again = "; they go again" if as_ == "not-sent" else ""
    said = [f"{done.letters} letters are settled as {as_}{again}."] if done.batches else []
    if done.found_sent:
        said.append(f"{done.found_sent} letters were found in Email Logs: they count as sent.")
    if done.too_early and done.clear_at is not None:
        at = f"{done.clear_at:%H:%M} UTC"
        said.append(f"{done.too_early} letters are still in doubt: Email Logs are to be asked after {at}.")
    return " ".join(said) or "Nothing was in doubt."


def _complete(desk: Desk, run_id: int) -> None:
    hall = desk.site.hall
    with hall.database.read() as connection:
        found = runs.run_by_id(connection, run_id)
    dispatch.complete(hall.database, found, now=hall.clock())


def _note(desk: Desk, connection: Any, action: str, run_id: int, who: str) -> None:
    audit.note(connection, action, subject=f"run:{run_id}", actor=who, now=desk.site.now())


def _evidence(desk: Desk, run_id: int, doubt: doubts.Doubtful) -> str:
    """What the provider's logs say of a batch, now, as a sentence."""
    hall = desk.site.hall
    if hall.records is None:
        return "No provider's log can be asked from here."
    try:
        found = settle.finding_of(hall.database, hall.records, run_id, doubt, now=hall.clock())
    except (EvidenceUnavailableError, DigestError) as error:
        return f"The provider's log could not be asked ({error})."
    return f"{found.found.value.replace('_', ' ')}: {found.why}"
