"""What keeps letters in until somebody meant it: an allow-list, a bound on growth.

Without ``safety.live`` a real sender mails only addresses on the allow-list; the other letters go to the
outbox, where they can be looked at, and end ``held_back``: their news is said again once it is live.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from digest.errors import SubscriberError
from digest.links import address_key
from digest.model import HandedOver, Outcome, Outgoing, Refused, RunKind
from digest.pipeline.holder import Sender
from digest.store import audit, runs
from digest.store.database import Database
from digest.store.runs import Run

# Narrows the search in the audit; clocks of two machines differ by less.
_CLOCKS_DIFFER = timedelta(days=1)

RESUMED = "run resumed"


@dataclass(frozen=True, slots=True)
class Growth:
    """A run of at least ``least`` readers and more than ``most`` times the last one waits for approval."""

    most: float
    least: int

    def is_exceeded(self, now: int, *, last: int) -> bool:
        """Whether so many readers are too many after so many the last time."""
        return now >= self.least and now > self.most * last


class AllowList:
    """Addresses, and domains written ``@example.org``, in whatever spelling."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._known = {_entry_key(entry) for entry in entries}

    def __contains__(self, address: object) -> bool:
        key = _key(str(address))
        return key in self._known or "@" + key.rpartition("@")[2] in self._known


def _entry_key(entry: str) -> str:
    return "@" + _key(f"anybody{entry}").rpartition("@")[2] if entry.startswith("@") else _key(entry)


def _key(address: str) -> str:
    """The mailbox behind a spelling; what is no address stands for itself, and matches nobody."""
    try:
        return address_key(address)
    except SubscriberError:
        return address


class NotLive:
    """A real sender for who is on the allow-list, and the outbox for everybody else.

    Files first: a crash in between leaves letters that can be written again, and nobody mailed.
    """

    def __init__(self, real: Sender, outbox: Sender, allow_list: AllowList) -> None:
        self.name = real.name
        self.is_repeatable = real.is_repeatable
        self.batch_size = real.batch_size
        self._real, self._outbox, self._allow_list = real, outbox, allow_list

    def send(self, outgoing: Outgoing) -> Outcome:
        """One request for the allowed, files for the rest; ``held_back`` names the rest."""
        allowed = tuple(r for r in outgoing.recipients if r.address in self._allow_list)
        others = tuple(r for r in outgoing.recipients if r.address not in self._allow_list)
        bad: dict[int, str] = {}
        if others:
            kept = self._outbox.send(replace(outgoing, recipients=others))
            if not isinstance(kept, HandedOver):
                return Refused(kept.why, is_final=False, pauses_run=True)
            bad = kept.bad
        held_back = frozenset(r.subscriber_id for r in others) - set(bad)
        if not allowed:
            return HandedOver(bad=bad, held_back=held_back)
        outcome = self._real.send(replace(outgoing, recipients=allowed))
        if isinstance(outcome, Refused):
            return replace(outcome, held_back=held_back)
        return replace(outcome, bad=outcome.bad | bad, held_back=held_back)

    def close(self) -> None:
        """Close both. Twice is harmless."""
        self._real.close()
        self._outbox.close()


def pause_if_grown(database: Database, run: Run, growth: Growth) -> bool:
    """Pause a run that is far larger than its schedule's last one, unless an operator has resumed it before.

    The first run of a schedule has nothing to be compared with.
    """
    if run.kind is not RunKind.DIGEST or run.schedule_id is None:
        return False
    with database.read() as connection:
        last = runs.last_due(connection, run)
        now = runs.planned_size(connection, run.id)
        if last is None or not growth.is_exceeded(now, last=last):
            return False
        if audit.is_noted(
            connection, RESUMED, subject=f"run:{run.id}", since=run.created_at - _CLOCKS_DIFFER
        ):
            return False
    why = f"{now} readers are due and were {last} last time: look at it, then `digest run resume {run.id}`"
    with database.write() as connection:
        return runs.pause_run(connection, run.id, why=why)
