"""The desk's first page: is everything all right?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from digest.model import Ended
from digest.pipeline.status import status_of
from digest.store import desk as queries
from digest.web.desk.router import Desk

HALF_A_YEAR = timedelta(weeks=26)
MOST_COUNCILS = 25  # as many bars as a plot can name


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that wants an operator: what, what it means, and where it is mended."""

    what: str
    why: str
    path: str


def add_routes(desk: Desk) -> None:
    """``/operator``."""

    @desk.get("")
    def today(request: Request) -> Response:
        """Everything in one look."""
        status = status_of(desk.site.hall.works)
        now = desk.site.now()
        with desk.site.hall.database.read() as connection:
            weeks = queries.weekly_outcomes(connection, since=now - HALF_A_YEAR)
            demand = queries.demand(connection, since=now - HALF_A_YEAR)[:MOST_COUNCILS]
        seen = {name for counts in weeks.values() for name in counts}
        return desk.page(
            request,
            "today.html",
            standing=status,
            alarms=alarms_of(status),
            weeks=weeks,
            outcomes=[one.value for one in Ended if one.value in seen],
            demand=demand,
        )


def alarms_of(status: dict[str, Any]) -> list[Alarm]:
    """What wants an operator, the gravest first."""
    found: list[Alarm] = []
    if status["account_closed"]:
        found.append(Alarm("SendGrid has closed the account", status["account_closed"], "/runs"))
    found += [
        Alarm("SendGrid dropped letters", f"of run {run}, after it had accepted them: {why}", f"/runs/{run}")
        for run, why in status["letters_dropped"].items()
    ]
    found += [
        Alarm("Letters are in doubt", f"{n:,} of run {run}: the request was not answered", f"/runs/{run}")
        for run, n in status["letters_in_doubt"].items()
    ]
    found += [Alarm("A run is paused", why, "/runs") for why in status["paused_runs"]]
    found += [
        Alarm(f"{slug} is silent", f"none of its feeds has been good since {since}", f"/councils/{slug}")
        for slug, since in status["silent_since"].items()
    ]
    found += [
        Alarm("A feed is blocked", f"{url} keeps programs out: ask the council to let this one in", "/feeds")
        for url in status["blocked_feeds"]
    ]
    if waiting := status["summaries_waiting_for_approval"]:
        found.append(Alarm("Summaries wait for approval", f"{waiting} of them", "/summaries"))
    return found
