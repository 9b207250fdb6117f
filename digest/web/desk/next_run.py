"""The run that comes next, before it does: who gets what, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from digest.pipeline.rehearsal import Bounds, Rehearsal, next_due, rehearse
from digest.store import runs
from digest.web.desk.router import Desk
from digest.web.desk.studio import Asked

COMPOSED = 200
"""Editions, the largest, that the page composes at once; the whole run only when it is asked for."""
LINTED_AT_ONCE, LINTED = 3, 200
"""Of those, printed and linted; `?all=1` looks at more, and takes its time."""


def add_routes(desk: Desk) -> None:
    """``/operator/runs/next``."""
    hall = desk.site.hall

    @desk.get("/runs/next")
    def show(request: Request, all: bool = False) -> Response:
        """If everything due left now; with nothing due, the next slot with what is known by now."""
        at, due = next_due(hall.works)
        bounds = Bounds(None, LINTED) if all else Bounds(COMPOSED, LINTED_AT_ONCE)
        found = []
        if at is not None:
            found = rehearse(hall.works, due, at=at, bounds=bounds, max_bytes=hall.max_bytes)
        with hall.database.read() as connection:
            unfinished = runs.unfinished_runs(connection)
        return desk.page(
            request,
            "next_run.html",
            at=at,
            is_now=at is not None and at <= hall.clock(),
            found=found,
            rules=[_rules(one) for one in found],
            in_studio=_in_studio,
            is_all=all,
            most_linted=LINTED,
            unfinished=unfinished,
        )


def _rules(one: Rehearsal) -> list[tuple[str, bool, int]]:
    """Lint's rules that were broken, whether that is an error, and in how many editions; errors first."""
    counts = Counter((f.rule, f.is_error) for part in one.largest for f in part.findings)
    return sorted(
        ((rule, bad, n) for (rule, bad), n in counts.items()), key=lambda x: (not x[1], -x[2], x[0])
    )


def _in_studio(one: Rehearsal, profile_id: int, from_seq: int, now: datetime) -> str:
    """The studio's query for one edition of a rehearsed run."""
    edition = f"{profile_id}:{from_seq}:{one.due.schedule_id}"
    at = "" if one.at <= now else one.at.isoformat(timespec="minutes")[:16]
    return Asked(edition=edition, at=at).query()
