"""Events of the provider, stored first and then applied: suppression, alarm, proof, soft failures.

Each is applied once, whatever its order: what it says is added to what is known, never overwritten. Killed
between storing and applying, the next post, replay or `digest run` applies what waits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import Connection

from digest.deliver.events import Event, EventKind
from digest.errors import SubscriberError
from digest.links import read_delivery_id
from digest.model import fingerprint_of
from digest.pipeline import settle
from digest.pipeline.safety import RESUMED
from digest.store import audit, events, runs, suppressions
from digest.store.database import Database
from digest.store.events import ACCOUNT, NewEvent, Waiting

LOCK_EVENTS = 7_304
SOFT_FAILURES = "soft failures"
_FLAGGED_FROM = 3  # of the last five letters
_ANY_ADDRESS = re.compile(r"[^\s\[<\"']+@[^\s\]>\"']+")


@dataclass(frozen=True, slots=True)
class Heard:
    """What a post or a file brought: events, how many were new, addresses suppressed, batches proven."""

    events: int
    new: int
    suppressed: int
    settled: int
    closed: str | None = None


def hear(database: Database, found: Iterable[Event], *, suppression_key: str, now: datetime) -> Heard:
    """Store events, then apply whatever waits. Twice is harmless."""
    rows = [_row(event) for event in found]
    with database.write(durable=True) as connection:
        new = events.store(connection, rows, now=now)
    suppressed = apply_waiting(database, suppression_key=suppression_key, now=now)
    with database.read() as connection:
        in_doubt = events.open_doubts(connection)
        closed = events.account_closed(connection)
    settled = sum(settle.settle_by_events(database, run_id, now=now) for run_id in in_doubt)
    return Heard(len(rows), new, suppressed, settled, closed.why if closed else None)


def _row(event: Event) -> NewEvent:
    is_account = event.kind is EventKind.ACCOUNT
    run_id, subscriber_id = (ACCOUNT, ACCOUNT) if is_account else (None, None)
    if event.delivery is not None and not is_account:
        run_id, subscriber_id = read_delivery_id(event.delivery)
    has_effect = bool(event.suppression) or is_account or event.kind is EventKind.BLOCKED
    facts: dict[str, object] = {"word": event.word, "reason": event.reason, "id": event.id}
    if has_effect:
        facts |= {"suppression": event.suppression, "stops": event.stops_sending}
        facts |= {"address": event.address} if event.suppression else {}
    is_known = event.kind is not EventKind.OTHER and not is_account
    key = event.same_as if is_known else f"{event.word}|{event.id}"
    # Where the key holds an address, only its fingerprint is kept.
    key = key if event.delivery is not None and is_known else fingerprint_of(key)
    return NewEvent(
        key, event.kind.value, run_id, subscriber_id, event.at, not has_effect, orjson.dumps(facts)
    )


def apply_waiting(database: Database, *, suppression_key: str, now: datetime) -> int:
    """Apply what was stored and not applied; returns how many addresses that suppressed."""
    with database.read() as connection:
        if not events.waiting(connection, most=1):
            return 0
    suppressed = 0
    while True:
        with database.write(lock=LOCK_EVENTS) as connection:
            some = events.waiting(connection)
            suppressed += sum(_apply(connection, one, key=suppression_key, now=now) for one in some)
            events.mark_applied(connection, [one.id for one in some], now=now)
        if not some:
            return suppressed


def _apply(connection: Connection, event: Waiting, *, key: str, now: datetime) -> int:
    if event.kind == EventKind.ACCOUNT:
        _stop_if_closed(connection, now=now)
        return 0
    if event.kind == EventKind.BLOCKED and event.subscriber_id is not None:
        _flag(connection, event.subscriber_id, now=now)
    if not event.facts["suppression"]:
        return 0
    said = _ANY_ADDRESS.sub("[address]", str(event.facts["reason"]))
    evidence = f"{event.facts['word']} at {event.happened_at.isoformat()}, event {event.id}: {said}"
    try:
        suppressions.suppress(
            connection,
            str(event.facts["address"]),
            key=key,
            reason=str(event.facts["suppression"]),
            evidence=evidence,
            now=min(event.happened_at, now),
        )
    except SubscriberError:
        return 0  # no address of anybody: nothing to suppress
    return 1


def _flag(connection: Connection, subscriber_id: int, *, now: datetime) -> None:
    failures = events.soft_failures(connection, subscriber_id)
    subject = f"subscriber:{subscriber_id}"
    if failures >= _FLAGGED_FROM and not audit.is_noted(connection, SOFT_FAILURES, subject=subject):
        facts = {"of_last_five": failures}
        audit.note(connection, SOFT_FAILURES, subject=subject, actor="provider", now=now, facts=facts)


def _stop_if_closed(connection: Connection, *, now: datetime) -> None:
    for run in runs.unfinished_runs(connection):
        if why := why_stopped(connection, run.id):
            runs.pause_run(connection, run.id, why=why)


def why_stopped(connection: Connection, run_id: int) -> str | None:
    """Why no letter may leave while the provider's account is closed; who resumes the run overrules it."""
    closed = events.account_closed(connection)
    if closed is None or audit.is_noted(connection, RESUMED, subject=f"run:{run_id}", since=closed.at):
        return None
    return f"SendGrid has closed the account ({closed.why}): ask its support, then `digest run resume`"


def stop_if_closed(database: Database, run_id: int) -> bool:
    """Pause a run while the provider's account is closed."""
    with database.read() as connection:
        why = why_stopped(connection, run_id)
    if why is None:
        return False
    with database.write() as connection:
        return runs.pause_run(connection, run_id, why=why)
