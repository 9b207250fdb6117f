"""What a run's letters still wait for, and what was said of those that were refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from digest.model import RunState
from digest.pipeline import pacing
from digest.pipeline.run import Works
from digest.store import batches, pace, runs, troubles
from digest.store.runs import Run

# Different words of one provider about one run; who wants all of them asks for the letters.
_MOST = 10


@dataclass(frozen=True, slots=True)
class Reason:
    """So many letters, and why. ``until``: from when they are tried again, where that is known."""

    letters: int
    why: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a run is not at a good end: letters that wait, letters that were refused."""

    waits: tuple[Reason, ...] = ()
    refused: tuple[Reason, ...] = ()


def waiting(works: Works, run_id: int) -> Waiting:
    """What the letters of a run wait for now. A paused run says itself why it is. Raises: NotFoundError."""
    now = works.desk.clock()
    with works.database.read() as connection:
        run = runs.run_by_id(connection, run_id)
        said = batches.said_of(connection, run_id, most=_MOST)
        refused = tuple(Reason(s.letters, s.why or "") for s in said if s.state == "refused")
        ready = [s for s in said if s.state == "ready"]
        if not ready or run.state in (RunState.PAUSED, RunState.CANCELLED):
            return Waiting((), refused)
        letters = sum(s.letters for s in ready)
        for_all = [Reason(letters, why, at) for why, at in _for_all(connection, works, run, now=now)]
        held = troubles.held_until(connection, now=now)
    # What keeps every letter in keeps these too: they are not told twice.
    kept_until = max((one.until for one in for_all if one.until is not None), default=now)
    later = [s for s in ready if s.retry_at is not None and s.retry_at > kept_until]
    each = [Reason(s.letters, s.why or "to be tried again", s.retry_at) for s in later]
    others = letters - sum(one.letters for one in each)
    if held is not None and held > now and others:
        # Of those that were put off it is known why; the others wait with them.
        for_all.append(Reason(others, "the provider asked to wait, or could not be reached", held))
    return Waiting((*for_all, *each), refused)


def _for_all(
    connection: Connection, works: Works, run: Run, *, now: datetime
) -> Iterator[tuple[str, datetime]]:
    """What keeps every letter of the run in."""
    desk = works.desk
    if (at := pacing.leaves_from(connection, run, desk.send_between, now=now)) > now:
        yield f"digests leave between {desk.send_between} (schedule.send_between)", at
    full = pace.full_at(connection, now=now) if desk.letters_per_hour is not None else None
    if full is not None and full > now:
        yield f"no more than {desk.letters_per_hour} letters an hour (sendgrid.letters_per_hour)", full
    begins = pacing.first_request_at(connection, run, spread=desk.spread, more_than=desk.sender.batch_size)
    if begins is not None and begins > now:
        yield "large runs begin some minutes after the full hour (sendgrid.spread)", begins
