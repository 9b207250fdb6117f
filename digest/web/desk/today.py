"""The desk's first page: is everything all right?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from digest.pipeline.status import status_of
from digest.web.desk.router import Desk


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
        return desk.page(request, "today.html", standing=status, alarms=alarms_of(status))


def alarms_of(status: dict[str, Any]) -> list[Alarm]:
    """What wants an operator, the gravest first."""
    found: list[Alarm] = []
    if status["account_closed"]:
        found.append(Alarm("SendGrid has closed the account", status["account_closed"], "/runs"))
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
