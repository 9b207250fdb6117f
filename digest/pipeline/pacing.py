"""When letters leave: by day, off the full hour, and later and later where a provider asks for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from zlib import crc32

from sqlalchemy import Connection

from digest import slots
from digest.slots import SendWindow
from digest.store import profiles, runs
from digest.store.runs import Run

FIRST_WAIT = timedelta(seconds=2)
MOST_WAIT = timedelta(minutes=5)

FIRST_REQUESTS = 5
CLAIM_LASTS = timedelta(seconds=5)
_FASTER = 8  # so many times as many requests at the most, from one claim to the next


class Stride:
    """How many requests one claim may hold: about as many as are answered within ``CLAIM_LASTS``.

    What one holder has claimed nobody else may send, and if the holder dies all of it is in doubt. Where
    every reader has a letter of their own, a claim that counts only letters would be thousands of requests.
    """

    def __init__(self) -> None:
        self.requests = FIRST_REQUESTS

    def took(self, requests: int, time: timedelta) -> None:
        """So many were answered in that time; the next claim follows it."""
        if requests < 1:
            return
        fitting = int(requests * CLAIM_LASTS / time) if time > timedelta(0) else requests * _FASTER
        self.requests = max(1, min(fitting, self.requests * _FASTER))


def backoff(times: int, *, dice: float) -> timedelta:
    """How long to wait after so many put-offs in a row (from 1): doubling, bounded, jittered.

    ``dice`` from 0 to 1 picks a moment in the second half of the wait, so that workers do not come back
    together.
    """
    whole = min(FIRST_WAIT * (1 << min(times - 1, 16)), MOST_WAIT)
    return whole * (0.5 + dice / 2)


def come_back_at(told: datetime | None, times: int, *, now: datetime, dice: float) -> datetime:
    """When to ask again after so many put-offs in a row: when we were told, but not over and over at once."""
    if told is None:
        return now + backoff(times, dice=dice)
    return told if times == 1 else max(told, now + backoff(times - 1, dice=dice))


def leaves_from(connection: Connection, run: Run, window: SendWindow | None, *, now: datetime) -> datetime:
    """From when a run's letters may leave: now, or when the hours of sending begin where its readers live.

    Notices keep no hours here: whoever asked for one waits for it, and the others are begun by day.
    """
    if window is None or run.schedule_id is None:
        return now
    return slots.next_allowed(now, window, profiles.timezone_of(connection, run.schedule_id))


def has_work(connection: Connection, run: Run, window: SendWindow | None, *, now: datetime) -> bool:
    """``runs.has_work``, where letters wait for the hours of sending too."""
    is_day = leaves_from(connection, run, window, now=now) <= now
    return runs.has_work(connection, run.id, now=now, may_leave=is_day)


def first_request_at(
    connection: Connection, run: Run, *, spread: timedelta, more_than: int
) -> datetime | None:
    """From when a run's letters may leave, some time after its slot; None when nothing need wait.

    A run of more than one request whose slot is a full hour begins up to ``spread`` later, always by the
    same time: everybody's mail begins at the full hour, and providers ask not to (contracts: sendgrid, 6).
    """
    if spread <= timedelta(0) or run.slot_at.minute != 0:
        return None
    if runs.planned_size(connection, run.id) <= more_than:
        return None
    share = crc32(f"{run.kind}|{run.key}".encode()) / 2**32
    return run.slot_at + spread * (0.25 + 0.75 * share)
