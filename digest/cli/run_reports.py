"""What is said of runs: a table, one run with its evidence, and why letters are left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from digest.cli.entrance import counted, print_facts, print_json, print_line, print_table, say, zulu

if TYPE_CHECKING:
    from digest.pipeline.run import RunReport
    from digest.pipeline.waiting import Waiting

ENDS = (
    "handed_over",
    "empty",
    "left",
    "suppressed",
    "bad_address",
    "refused",
    "held_back",
    "cancelled",
    "expired",
)
_ALWAYS = ("due", "editions", "handed_over", "empty")
COLUMNS = ("due", "editions", *ENDS, "uncertain", "open")
_NAMED, _ASKED_FOR = 20, 3
"""Readers that a run names: of those whose letters failed, and of each batch in doubt."""


def document(report: RunReport) -> dict[str, Any]:
    """A run in the form of `run --json`."""
    facts = {"id": report.run.id, "kind": report.run.kind, "slot_at": zulu(report.run.slot_at)}
    return facts | {"state": report.run.state} | {name: report.counts[name] for name in COLUMNS}


def print_runs(reports: Sequence[RunReport], *, as_json: bool) -> None:
    """Runs as a table, with a column for each end that some letter has, or as one JSON document."""
    if as_json:
        print_json({"runs": [document(one) for one in reports]})
        return
    others = (name for name in COLUMNS if name not in _ALWAYS)
    shown = [*_ALWAYS, *(name for name in others if any(one.counts[name] for one in reports))]
    print_table(
        ["run", "kind", "slot", "state", *(name.replace("_", " ") for name in shown)],
        [
            [r.run.id, r.run.kind, zulu(r.run.slot_at), r.run.state, *(r.counts[n] for n in shown)]
            for r in reports
        ],
    )


def say_what_is_left(hall: Any, one: RunReport) -> None:
    """After a run, a line for each thing that an operator may have to do about its letters."""
    id_, counts = one.run.id, one.counts
    if one.run.why:
        say(f"run {id_} is {one.run.state}: {one.run.why}")
    if counts["held_back"]:
        say(
            f"run {id_}: {counted(counts['held_back'], 'letter')} held back in the outbox, since safety.live "
            "is false (safety.allow_list names who gets letters all the same)"
        )
    if counts["uncertain"]:
        say(f"run {id_}: {counted(counts['uncertain'], 'letter')} in doubt: see `digest run show {id_}`")
    if counts["bad_address"]:
        bad = counted(counts["bad_address"], "address could", "addresses could")
        say(f"run {id_}: {bad} not be written to: see `digest run show {id_}`")
    if not (counts["open"] or counts["refused"]):
        return
    from digest.pipeline.waiting import waiting

    found = waiting(hall.works, id_)
    _say_waits(found, id_)
    for reason in found.refused:
        say(f"run {id_}: {counted(reason.letters, 'letter was', 'letters were')} refused: {reason.why}")


def say_waits(hall: Any, run_id: int) -> bool:
    """A line for each reason why letters of a run wait; False without one."""
    from digest.pipeline.waiting import waiting

    found = waiting(hall.works, run_id)
    _say_waits(found, run_id)
    return bool(found.waits)


def _say_waits(found: Waiting, run_id: int) -> None:
    for reason in found.waits:
        wait = counted(reason.letters, "letter waits", "letters wait")
        say(f"run {run_id}: {wait}{_until(reason.until)}: {reason.why}")


def print_run(hall: Any, run_id: int, *, as_json: bool) -> None:
    """All that is known of one run: its three facts, its counts, what waits, its batches in doubt.

    Raises: NotFoundError.
    """
    from digest.model import Ended
    from digest.pipeline import addresses
    from digest.pipeline.run import report
    from digest.pipeline.waiting import waiting
    from digest.store import deliveries, events

    one = report(hall.database, run_id)
    doubts, left = _doubts(hall, run_id), waiting(hall.works, run_id)
    with hall.database.read() as connection:
        readers = {
            ended: deliveries.addresses_ended(connection, run_id, ended=ended, most=_NAMED)
            for ended in (Ended.BAD_ADDRESS, Ended.REFUSED)
        }
        told = events.counts_of(connection, run_id)
        bad = [id_ for id_, _ in readers[Ended.BAD_ADDRESS]]
        said = addresses.why_bad(connection, run_id, bad)
    facts = document(one) | {
        "upto_seq": one.run.upto_seq,
        "as_of": zulu(one.run.as_of),
        "planned_at": zulu(one.run.planned_at),
        "composed_at": zulu(one.run.composed_at),
        "completed_at": zulu(one.run.completed_at),
        "merged": list(one.run.merged),
        "why": one.run.why,
        "waits_for": [{"letters": r.letters, "until": zulu(r.until), "why": r.why} for r in left.waits],
        "refusals": [{"letters": r.letters, "why": r.why} for r in left.refused],
        "refused_readers": [address for _, address in readers[Ended.REFUSED]],
        "bad_addresses": [address for _, address in readers[Ended.BAD_ADDRESS]],
        "why_bad": {address: said[id_] for id_, address in readers[Ended.BAD_ADDRESS] if id_ in said},
        "in_doubt": doubts,
        "told_by_provider": told,
    }
    if as_json:
        print_json(facts)
        return
    reasons = {
        "waits_for": [f"{counted(r.letters, 'letter')}{_until(r.until)}: {r.why}" for r in left.waits],
        "refusals": [f"{counted(r.letters, 'letter')}: {r.why}" for r in left.refused],
        "in_doubt": [f"{counted(len(doubts), 'batch', 'batches')}, see below"] if doubts else [],
        "told_by_provider": [f"{kind} {n:,}" for kind, n in told.items()],
        "why_bad": [f"{address}: {why}" for address, why in facts["why_bad"].items()],
    }
    print_facts(
        {
            name: "; ".join(reasons.get(name, value)) if isinstance(value, list | dict) else value
            for name, value in facts.items()
            # Zero is an answer; nothing to wait for and nobody refused need no line.
            if value not in (None, "", [], {})
        }
    )
    for doubt in doubts:
        print_line(_in_a_line(doubt))
        print_line(f"  digest run settle {run_id} --batch {doubt['batch']} --as sent (or not-sent)")


def _until(at: datetime | None) -> str:
    return "" if at is None else f" until {zulu(at)}"


def _in_a_line(doubt: dict[str, Any]) -> str:
    """A doubtful batch in a line."""
    since, until = doubt["sent_between"]
    evidence = f"; evidence: {doubt['evidence_says']}" if "evidence" in doubt else ""
    return (
        f"batch {doubt['batch']} of {counted(doubt['letters'], 'letter')} ({', '.join(doubt['readers'])}), "
        f"attempt {doubt['attempt']}, sent between {since} and {until}: {doubt['why']}{evidence}"
    )


def _doubts(hall: Any, run_id: int) -> list[dict[str, Any]]:
    """Each doubtful batch with the evidence, as the provider's logs have it now."""
    from digest.pipeline import settle
    from digest.store import doubts

    with hall.database.read() as connection:
        found = [
            (one, [address for _, address in doubts.letters_of(connection, one.id, most=_ASKED_FOR)])
            for one in doubts.doubtful(connection, run_id)
        ]
    told = []
    for one, readers in found:
        document: dict[str, Any] = {"batch": one.id, "attempt": one.attempt, "letters": one.letters}
        document |= {"why": one.why, "provider_id": one.provider_id, "readers": readers}
        document["sent_between"] = [zulu(one.since), zulu(one.until)]
        if hall.records is not None:
            finding = settle.finding_of(hall.database, hall.records, run_id, one, now=hall.clock())
            document |= {"evidence": finding.found.value, "evidence_says": finding.why}
        told.append(document)
    return told
