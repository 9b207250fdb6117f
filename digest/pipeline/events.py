"""Events of the provider, stored first and then applied: suppression, alarm, proof, soft failures.

Each is applied once, whatever its order: what it says is added to what is known, never overwritten. Killed
between storing and applying, the next post, replay or `digest run` applies what waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import orjson
from sqlalchemy import Connection
from sqlalchemy.exc import DataError

from digest.deliver.events import Event, EventKind
from digest.deliver.message import one_line
from digest.errors import SubscriberError
from digest.links import without_addresses
from digest.model import fingerprint_of
from digest.pipeline import settle
from digest.pipeline.safety import RESUMED
from digest.store import audit, events, runs, suppressions
from digest.store.database import Database
from digest.store.events import ACCOUNT, NewEvent, Waiting

LOCK_EVENTS = 7_304
SOFT_FAILURES = "soft failures"
PASSED_OVER = "event passed over"
DROPPED = "letters dropped"
_AT_ONCE = 1000
_ACCOUNT, _BLOCKED, _OTHER = EventKind.ACCOUNT, EventKind.BLOCKED, EventKind.OTHER
_DEFERRED, _DROPPED = EventKind.DEFERRED, EventKind.DROPPED
_FLAGGED_FROM = 3  # of the last five letters
_FLAGS_COUNT_FOR = timedelta(days=180)  # five letters of a monthly reader


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
    rows = _rows(list(found))
    with database.write(durable=True) as connection:
        new = events.store(connection, rows, now=now)
    suppressed = apply_waiting(database, suppression_key=suppression_key, now=now)
    with database.read() as connection:
        in_doubt = events.open_doubts(connection)
        closed = events.account_closed(connection)
    settled = sum(settle.settle_by_events(database, run_id, now=now) for run_id in in_doubt)
    return Heard(len(rows), new, suppressed, settled, closed.why if closed else None)


def _rows(found: Sequence[Event]) -> list[NewEvent]:
    payloads = _as_json([_facts(event) for event in found])
    return [_row(event, payload) for event, payload in zip(found, payloads, strict=True)]


def _facts(event: Event) -> dict[str, object]:
    """What is kept of an event beside its columns."""
    facts: dict[str, object] = {"word": event.word, "reason": event.reason, "id": event.id}
    if _has_effect(event):
        facts |= {"suppression": event.suppression, "stops": event.stops_sending}
        facts |= {"address": event.address} if event.suppression else {}
    return facts


def _has_effect(event: Event) -> bool:
    kind = event.kind
    if event.suppression is not None or kind is _ACCOUNT:
        return True
    return kind is _BLOCKED or kind is _DEFERRED or kind is _DROPPED


def _row(event: Event, payload: bytes) -> NewEvent:
    kind, letter = event.kind, event.letter
    if letter is None or kind is _ACCOUNT or kind is _OTHER:
        return _row_of_other(event, payload)
    run_id, subscriber_id = letter
    # As ``Event.same_as``, but short, and in the index beside those it came with.
    key = f"{run_id:x}.{subscriber_id:010x}|{event.word}|{_seconds(event.at)}"
    # A plain string: the database's driver takes its time over others.
    word = str.__str__(kind)
    return NewEvent(key, word, run_id, subscriber_id, event.at, not _has_effect(event), payload)


def _row_of_other(event: Event, payload: bytes) -> NewEvent:
    """A row of an event that is about no letter of ours; what it is known by, only as a fingerprint."""
    is_account = event.kind is _ACCOUNT
    is_known = not is_account and event.kind is not _OTHER
    run_id, subscriber_id = (ACCOUNT, ACCOUNT) if is_account else event.letter or (None, None)
    key = fingerprint_of(event.same_as if is_known else f"{event.word}|{event.id}")
    kind = event.kind.value
    return NewEvent(key, kind, run_id, subscriber_id, event.at, not _has_effect(event), payload)


@lru_cache(maxsize=4096)  # a post speaks of few seconds
def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _as_json(facts: list[dict[str, object]]) -> list[bytes]:
    """Each as JSON of its own, but written at once: one by one it costs as much as to store them.

    The text between two flat objects stands in a string only where that ends in ``},{``: a mail server may
    say so.
    """
    if not facts:
        return []
    parts = orjson.dumps(facts)[3:-2].split(b'},{"')
    if len(parts) != len(facts):
        return [orjson.dumps(one) for one in facts]
    return [b'{"' + part + b"}" for part in parts]


def apply_waiting(database: Database, *, suppression_key: str, now: datetime) -> int:
    """Apply what was stored and not applied; returns how many addresses that suppressed."""
    with database.read() as connection:
        if not events.waiting(connection, most=1):
            return 0
    suppressed, at_once = 0, _AT_ONCE
    while True:
        try:
            with database.write(lock=LOCK_EVENTS) as connection:
                some = events.waiting(connection, most=at_once)
                suppressed += sum(_apply(connection, one, key=suppression_key, now=now) for one in some)
                events.mark_applied(connection, [one.id for one in some], now=now)
        except DataError:
            # One of them holds what the database will not take: that one alone is passed over, and noted.
            if at_once == 1:
                _pass_over(database, now=now)
            at_once = 1
            continue
        if not some:
            return suppressed


def _pass_over(database: Database, *, now: datetime) -> None:
    with database.write(lock=LOCK_EVENTS) as connection:
        for one in events.waiting(connection, most=1):
            audit.note(
                connection,
                PASSED_OVER,
                subject=f"event:{one.id}",
                actor="provider",
                now=now,
                facts={"kind": one.kind},
            )
            events.mark_applied(connection, [one.id], now=now)


def _apply(connection: Connection, event: Waiting, *, key: str, now: datetime) -> int:
    if event.kind == EventKind.ACCOUNT:
        _stop_if_closed(connection, now=now)
        return 0
    if event.kind in (EventKind.BLOCKED, EventKind.DEFERRED) and event.subscriber_id is not None:
        _flag(connection, event.subscriber_id, now=now)
    said = without_addresses(one_line(str(event.facts["reason"])))
    if not event.facts["suppression"]:
        if event.kind == EventKind.DROPPED and event.run_id is not None:
            _note_drop(connection, event, event.run_id, why=said, now=now)
        return 0
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


def _note_drop(connection: Connection, event: Waiting, run_id: int, *, why: str, now: datetime) -> None:
    """A letter was accepted and then dropped, for no reason of its reader's.

    Over quota the next ones would be dropped too, and counted as handed over: the run pauses.
    """
    subject = f"run:{run_id}"
    if not audit.is_noted(connection, DROPPED, subject=subject):
        audit.note(connection, DROPPED, subject=subject, actor="provider", now=now, facts={"why": why})
    is_overruled = audit.is_noted(connection, RESUMED, subject=subject, since=event.happened_at)
    if "quota" in why.lower() and not is_overruled:
        runs.pause_run(
            connection,
            run_id,
            why=f"SendGrid drops letters that it has accepted ({why}): settle it with SendGrid, "
            f"then `digest run resume {run_id}`",
        )


def _flag(connection: Connection, subscriber_id: int, *, now: datetime) -> None:
    failures = events.soft_failures(connection, subscriber_id)
    subject = f"subscriber:{subscriber_id}"
    if failures >= _FLAGGED_FROM and not audit.is_noted(connection, SOFT_FAILURES, subject=subject):
        facts = {"of_last_five": failures}
        audit.note(connection, SOFT_FAILURES, subject=subject, actor="provider", now=now, facts=facts)


def often_failing(connection: Connection, *, now: datetime, most: int = 100) -> list[int]:
    """Readers of whose last five letters three failed softly, as it is now; the latest flagged first."""
    flagged = audit.subjects(connection, SOFT_FAILURES, since=now - _FLAGS_COUNT_FOR, most=most)
    ids = [int(subject.partition(":")[2]) for subject in flagged]
    return [id_ for id_ in ids if events.soft_failures(connection, id_) >= _FLAGGED_FROM]


def reopen(connection: Connection, *, why: str, now: datetime) -> None:
    """An operator knows that the provider's account is open again, though no event has said so."""
    audit.note(connection, events.REOPENED, subject="account", actor="operator", now=now, facts={"why": why})


def _stop_if_closed(connection: Connection, *, now: datetime) -> None:
    for run in runs.unfinished_runs(connection):
        if why := why_stopped(connection, run.id):
            runs.pause_run(connection, run.id, why=why)


def why_stopped(connection: Connection, run_id: int) -> str | None:
    """Why no letter may leave while the provider's account is closed; who resumes the run overrules it."""
    closed = events.account_closed(connection)
    if closed is None or audit.is_noted(connection, RESUMED, subject=f"run:{run_id}", since=closed.at):
        return None
    return (
        f"SendGrid has closed the account ({closed.why}): ask its support; once it is open again, "
        f"`digest events reopen`, then `digest run resume {run_id}`"
    )


def stop_if_closed(database: Database, run_id: int) -> bool:
    """Pause a run while the provider's account is closed."""
    with database.read() as connection:
        why = why_stopped(connection, run_id)
    if why is None:
        return False
    with database.write() as connection:
        return runs.pause_run(connection, run_id, why=why)
