"""`digest run --dry-run`: who would get what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from digest.cli.entrance import print_json, print_table, say, zulu
from digest.cli.run_reports import say_waits

if TYPE_CHECKING:
    from digest.pipeline.rehearsal import Rehearsal

MOST_LINTED, LARGEST = 200, 20
"""Editions, the largest, that are printed and linted; and how many of them JSON tells."""


def say_due(hall: Any, *, as_json: bool) -> None:
    """What `digest run` would do now, as a table or as one JSON document."""
    from digest.pipeline import first_live, plan
    from digest.pipeline.rehearsal import Bounds, rehearse
    from digest.store import runs
    from digest.wiring import live_place

    now = hall.clock()
    due = plan.due_now(hall.database, now=now, rules=hall.rules)
    found = rehearse(
        hall.works, due, at=now, bounds=Bounds(most_linted=MOST_LINTED), max_bytes=hall.max_bytes
    )
    with hall.database.read() as connection:
        unfinished = runs.unfinished_runs(connection)
    paused = [one for one in unfinished if one.state == "paused"]
    goes_on = [one.id for one in unfinished if one not in paused]
    documents = [_rehearsed(one) for one in found]
    place = live_place(hall.settings)
    asks_for = None
    if place is not None and not first_live.is_confirmed(hall.database, place):
        asks_for = first_live.with_notices(hall.works) or None
    if as_json:
        print_json(
            {
                "would_run": documents,
                "unfinished": goes_on,
                "paused": [one.id for one in paused],
                "live": place is not None,
                "first_live_run_asks_for": asks_for,
            }
        )
        return
    rows = [[zulu(x.due.slot_at), x.readers, x.editions, x.empty, len(x.due.merged) or "none"] for x in found]
    if rows:
        print_table(["slot", "subscribers due", "editions", "empty", "missed slots merged"], rows)
    else:
        say("nothing is due" if not unfinished else "nothing new is due")
    for one in found:
        for part in one.largest:
            for finding in part.findings:
                say(f"{finding.rule}: {finding.place}: {finding.what} ({part.subject!r}); {finding.mend}")
            if part.fault:
                say(f"edition of {part.readers} readers cannot be printed: {part.fault}")
        if one.pauses:
            say(f"the run would wait for approval: {one.pauses}")
    if place is None and hall.settings.sender != "outbox" and (rows or goes_on):
        say("safety.live is false: only who is on safety.allow_list gets mail, the others are held back")
    if asks_for is not None:
        say(f"the first live run through {place} asks for its number of letters, {asks_for}, or --yes")
    for id_ in goes_on:
        say(f"run {id_} is unfinished: `digest run` goes on with it")
        say_waits(hall, id_)
    for run in paused:
        say(f"run {run.id} is paused and not continued before `digest run resume {run.id}`: {run.why}")


def _rehearsed(one: Rehearsal) -> dict[str, Any]:
    """A run that was not begun in the form of `run --dry-run --json`."""
    return {
        "slot_at": zulu(one.due.slot_at),
        "due": one.readers,
        "merged": [zulu(m) for m in one.due.merged],
        "editions": one.editions,
        "empty": one.empty,
        "linted": one.linted,
        "largest": [
            {
                "readers": part.readers,
                "subject": part.subject,
                "councils": list(part.profile.councils),
                "findings": [finding.rule for finding in part.findings],
                "fault": part.fault or None,
            }
            for part in one.largest[:LARGEST]
        ],
        "why_empty": [{"readers": part.readers, "why": part.why} for part in one.empties],
        "councils_without_news": list(one.quiet_councils),
        "would_pause": one.pauses or None,
    }
