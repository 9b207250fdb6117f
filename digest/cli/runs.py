"""`digest run` and what belongs to it."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.entrance import (
    ACTOR,
    FAILED,
    Entrance,
    counted,
    noted,
    say,
    zulu,
)
from digest.cli.progress import bars
from digest.cli.rehearsals import say_due
from digest.cli.run_reports import print_run, print_runs, say_waits, say_what_is_left
from digest.cli.signals import on_signals
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.pipeline.settle import ByHand

    pass

run = typer.Typer(
    help="Hand over everything that is due, or look at runs.",
    invoke_without_command=True,
    no_args_is_help=False,
)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
RunId = Annotated[int, typer.Argument(metavar="RUN")]


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.add_typer(run, name="run")


@run.callback()
def run_(
    context: typer.Context,
    at: Annotated[str | None, typer.Option(help="Pretend it is this instant; the same as --now.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the first live run.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, do nothing.")] = False,
    patience: Annotated[
        str, typer.Option(help="How long to wait for others' letters, as 90s, 10m, 2h.")
    ] = "10m",
    as_json: Json = False,
) -> None:
    """Hand over everything that is due: plan, compose, send, record.

    Started again, or beside another, it goes on with what is unfinished. Ctrl-C once: the requests under way
    are answered and the rest is put back; twice: at once, and their letters are in doubt.

    Example: digest run --at 2025-09-07T18:00+01:00
    """
    if context.invoked_subcommand is not None:
        return
    from digest.pipeline.run import run_due

    wait = _duration(patience)
    entrance: Entrance = context.obj
    with entrance.at(at).hall(runs_on=True) as hall:
        if dry_run:
            say_due(hall, as_json=as_json)
            return
        # Templates are compiled before anything is planned: a wrong one stops here, with nothing begun.
        _ = hall.skeleton
        confirm_first_live_run(hall, yes=yes)
        _read_suppressions(hall)
        asked = threading.Event()
        on_signals(asked)
        desk = replace(hall.works.desk, should_stop=asked.is_set)
        with bars(asked) as progress:

            def waits(id_: int) -> None:
                if say_waits(hall, id_):
                    say(f"run {id_}: waiting for up to {patience} (--patience)")

            told = replace(progress, waits=waits)
            reports = run_due(replace(hall.works, desk=desk), patience=wait, progress=told)
        if asked.is_set():
            raise KeyboardInterrupt
        if reports or as_json:
            print_runs(reports, as_json=as_json)
        else:
            say("nothing is due")
        for one in reports:
            say_what_is_left(hall, one)
    if not all(one.is_settled for one in reports):
        raise SystemExit(FAILED)


def confirm_first_live_run(hall: Any, *, yes: bool) -> None:
    """Before letters leave for the first time, somebody types how many. Raises: UsageError."""
    from digest.pipeline import first_live
    from digest.wiring import live_place

    place = live_place(hall.settings)
    if place is None or first_live.is_confirmed(hall.database, place):
        return
    letters = first_live.with_notices(hall.works)
    if not letters:
        return
    if not yes:
        _ask_for_number(letters, place=place)
    first_live.confirm(hall.database, place, actor=ACTOR, facts={"letters": letters}, now=hall.clock())


def _read_suppressions(hall: Any) -> None:
    """Before letters leave, whom the provider will not mail; without an answer the run goes on."""
    from digest.deliver.evidence import EvidenceUnavailableError
    from digest.pipeline import plan, suppress
    from digest.store import runs

    now = hall.clock()
    if hall.records is None or not suppress.is_due(hall.database, now=now):
        return
    with hall.database.read() as connection:
        is_needed = bool(runs.unfinished_runs(connection))
    if not is_needed and not plan.due_now(hall.database, now=now, rules=hall.rules):
        return
    try:
        suppress.sync(hall.database, hall.records, suppression_key=hall.suppression_key, now=now)
    except EvidenceUnavailableError as error:
        say(f"SendGrid's suppression lists were not read ({error}); `digest suppression sync` tries again")


def _ask_for_number(letters: int, *, place: str) -> None:
    sender, _, host = place.partition(":")
    question = (
        f"The first live run through {sender} at {host} writes to {counted(letters, 'reader')}. "
        "Type that number to go on"
    )
    try:
        typed = typer.prompt(question, err=True)
    except (typer.Abort, OSError):
        typed = ""
    if typed.strip() != str(letters):
        raise UsageError(
            "nothing was sent: the first live run wants its number of readers typed, or --yes; "
            "`digest run --dry-run` says who is due"
        )


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,6})([smh]?)", text.strip())
    if found is None:
        raise UsageError(f"--patience {text!r} is not a time: write 90s, 10m or 2h")
    return timedelta(seconds=int(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]])


@run.command("list")
def list_(
    context: typer.Context,
    kind: Annotated[str | None, typer.Option(help="Only digest, or only notice.")] = None,
    as_json: Json = False,
) -> None:
    """The newest fifty runs and how their letters stand.

    Example: digest run list --kind digest --json
    """
    if kind not in (None, "digest", "notice"):
        raise UsageError(f"--kind {kind!r}: write digest or notice")
    from digest.pipeline.run import report
    from digest.store import runs

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        with hall.database.read() as connection:
            found = runs.all_runs(connection, digests=None if kind is None else kind == "digest")
        reports = [report(hall.database, one.id) for one in found]
    if not reports and not as_json:
        say("there is no such run yet")
        return
    print_runs(reports, as_json=as_json)


@run.command("show")
def show(context: typer.Context, run_id: RunId, as_json: Json = False) -> None:
    """One run: its three facts, its counts, what its letters wait for, its batches in doubt.

    Example: digest run show 1
    """
    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        print_run(hall, run_id, as_json=as_json)


_GO_AGAIN = "they go again with the next `digest run`"


@run.command("settle")
def settle_(
    context: typer.Context,
    run_id: RunId,
    as_: Annotated[str, typer.Option("--as", help="sent, or not-sent: the same letters go again.")],
    batch: Annotated[int | None, typer.Option(help="Only this batch; without it, all in doubt.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many letters, settle none.")] = False,
    certain: Annotated[
        bool, typer.Option("--certain", help="Not sent, whatever Email Logs say or do not say yet.")
    ] = False,
) -> None:
    """Say what became of letters in doubt; `digest run show` has the evidence.

    Before letters go again, Email Logs are asked once more: what they hold counts as sent.

    Example: digest run settle 1 --as sent
    """
    from digest.model import RunState
    from digest.pipeline import dispatch, settle
    from digest.store import runs

    if as_ not in ("sent", "not-sent"):
        raise UsageError(f"--as {as_!r}: write sent or not-sent")
    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        with hall.database.read() as connection:
            found = runs.run_by_id(connection, run_id)
        is_cancelled = found.state is RunState.CANCELLED
        if dry_run:
            open_ones = settle.to_settle(hall.database, run_id, batch_id=batch)
            letters = counted(sum(doubt.letters for doubt in open_ones), "letter")
            again = "be cancelled" if is_cancelled else "go again"
            end = again if as_ == "not-sent" else "count as sent"
            say(f"run {run_id}: {letters} in doubt would {end}; nothing was changed")
            return
        done = settle.settle_by_hand(
            hall.database,
            run_id,
            is_sent=as_ == "sent",
            batch_id=batch,
            now=hall.clock(),
            records=hall.records,
            is_certain=certain,
        )
        if done.batches:
            n = done.batches
            noted(hall, "run settled", subject=f"run:{run_id}", batches=n, settled_as=as_, batch=batch)
        dispatch.complete(hall.database, found, now=hall.clock())
    _say_settled(run_id, done, as_=as_, is_cancelled=is_cancelled)
    if done.too_early:
        raise SystemExit(FAILED)


def _say_settled(run_id: int, done: ByHand, *, as_: str, is_cancelled: bool) -> None:
    if done.found_sent:
        say(f"run {run_id}: {counted(done.found_sent, 'letter')} found in Email Logs: they count as sent")
    if done.batches:
        of = f"{counted(done.batches, 'batch', 'batches')} of {counted(done.letters, 'letter')}"
        again = "the run is cancelled: their news goes into the next digest" if is_cancelled else _GO_AGAIN
        say(f"run {run_id}: {of} settled as {as_}{f'; {again}' if as_ == 'not-sent' else ''}")
    if done.too_early:
        say(
            f"run {run_id}: {counted(done.too_early, 'letter')} still in doubt: Email Logs are behind by "
            f"minutes, and lack them for certain from {zulu(done.clear_at)} on; then again, or with --certain"
        )
    if done == type(done)():
        say(f"run {run_id}: nothing in doubt")


@run.command("pause")
def pause(
    context: typer.Context, run_id: RunId, why: Annotated[str, typer.Option()] = "paused by an operator"
) -> None:
    """Hand over no more letters of a run until it is resumed.

    Example: digest run pause 1
    """
    from digest.store import audit, runs

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.write() as connection:
        runs.run_by_id(connection, run_id)
        done = runs.pause_run(connection, run_id, why=why)
        if done:
            subject, now = f"run:{run_id}", hall.clock()
            audit.note(connection, "run paused", subject=subject, actor=ACTOR, now=now, facts={"why": why})
    say(f"run {run_id} is paused" if done else f"run {run_id} was over or paused before")


@run.command("resume")
def resume(context: typer.Context, run_id: RunId) -> None:
    """Let a paused run go on with the next `digest run`.

    Example: digest run resume 1
    """
    from digest.pipeline import safety
    from digest.store import audit, runs

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.write() as connection:
        why = runs.run_by_id(connection, run_id).why
        done = runs.resume_run(connection, run_id)
        if done:
            subject, now = f"run:{run_id}", hall.clock()
            facts = {"was_paused": why}
            audit.note(connection, safety.RESUMED, subject=subject, actor=ACTOR, now=now, facts=facts)
    say(f"run {run_id} goes on with the next `digest run`" if done else f"run {run_id} is not paused")


@run.command("cancel")
def cancel(
    context: typer.Context,
    run_id: RunId,
    why: Annotated[str, typer.Option()] = "cancelled by an operator",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many letters, cancel none.")] = False,
) -> None:
    """Hand over no more of a run; what was not claimed is said in the next one.

    Example: digest run cancel 1
    """
    from digest.pipeline import dispatch, plan
    from digest.pipeline.run import report
    from digest.store import runs

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        if dry_run:
            letters = counted(report(hall.database, run_id).counts["open"], "letter")
            say(f"run {run_id}: at most {letters} would be cancelled; nothing was changed")
            return
        with hall.database.read() as connection:
            before = runs.run_by_id(connection, run_id)
        if before.is_over:
            say(f"run {run_id} is {before.state} already: nothing was changed")
            return
        n = plan.cancel(hall.database, run_id, why=why, now=hall.clock())
        noted(hall, "run cancelled", subject=f"run:{run_id}", letters=n)
        with hall.database.read() as connection:
            found = runs.run_by_id(connection, run_id)
        dispatch.complete(hall.database, found, now=hall.clock())
    say(f"run {run_id}: {n} letters cancelled, their news goes into the next digest")
