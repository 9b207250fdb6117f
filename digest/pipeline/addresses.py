"""What was said of addresses that cannot be mailed: kept in the audit, by reader and run, without them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from digest.deliver.message import one_line
from digest.links import without_addresses
from digest.store import audit

_BAD = "address refused"
_LONGEST = 300


def note_bad(connection: Connection, run_id: int, subscriber_id: int, *, why: str, now: datetime) -> None:
    """Somebody's letter of a run could not be handed over for a fault of their address."""
    said = without_addresses(one_line(why))[:_LONGEST]
    audit.note(
        connection,
        _BAD,
        subject=f"subscriber:{subscriber_id}",
        actor="provider",
        now=now,
        facts={"run": run_id, "why": said},
    )


def why_bad(connection: Connection, run_id: int, subscriber_ids: Sequence[int]) -> dict[int, str]:
    """What was said, by reader, of those among some hundred of whom something was."""
    subjects = {f"subscriber:{id_}": id_ for id_ in subscriber_ids}
    noted = audit.facts_of(connection, _BAD, list(subjects))
    return {subjects[subject]: str(facts["why"]) for subject, facts in noted if facts["run"] == run_id}
