"""`digest subscriber …`"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from digest.cli.entrance import FAILED, Entrance, noted, print_facts, print_json, print_table, say, zulu
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.pipeline.roster import ImportReport, Roster
    from digest.store.subscribers import Consent, Subscriber
    from digest.wiring import Hall

subscriber = typer.Typer(
    help="Readers: add, import, export, show, pause, resume, leave, erase.", no_args_is_help=True
)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Address = Annotated[str, typer.Argument(help="The reader's e-mail address.")]


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.add_typer(subscriber, name="subscriber")


def roster_of(hall: Hall) -> Roster:
    """What taking people in works with. Raises: SettingsError without a suppression_key."""
    return hall.roster


@subscriber.command("add")
def add(
    context: typer.Context,
    address: Address,
    council: Annotated[list[str], typer.Option(help="Slug of a council; may be repeated.")],
    name: Annotated[str, typer.Option(help="How the letter greets.")] = "",
    committee: Annotated[
        list[str] | None, typer.Option(help="slug/Committee name, or -slug/Name for all but it; repeat.")
    ] = None,
    topic: Annotated[list[str] | None, typer.Option(help="A topic; may be repeated.")] = None,
    keyword: Annotated[
        list[str] | None, typer.Option(help="A word or phrase, -word excludes; may be repeated.")
    ] = None,
    ward: Annotated[list[str] | None, typer.Option(help="A ward; may be repeated.")] = None,
    cadence: Annotated[str, typer.Option(help="daily, weekly, fortnightly or monthly.")] = "",
    day: Annotated[str, typer.Option(help="monday … sunday; monthly also 1 to 28 or first sunday.")] = "",
    time: Annotated[str, typer.Option(help="HH:MM on a quarter hour.")] = "",
    timezone: Annotated[str, typer.Option(help="IANA time zone.")] = "",
    detail: Annotated[str, typer.Option(help="headline, brief or full.")] = "",
    format_: Annotated[str, typer.Option("--format", help="html or text.")] = "",
    language: Annotated[str, typer.Option(help="Language of the letter, as en.")] = "",
    tier: Annotated[str, typer.Option(help="resident or professional.")] = "",
    quiet_note: Annotated[
        bool, typer.Option("--quiet-note", help="Send a short note when there is nothing to say.")
    ] = False,
    confirmed: Annotated[
        bool, typer.Option("--confirmed", help="They have agreed already: no confirmation is asked for.")
    ] = False,
    consent_source: Annotated[str, typer.Option(help="Where they agreed, as 'paper form'.")] = "",
    consent_at: Annotated[str, typer.Option(help="When they agreed (ISO 8601); now if not said.")] = "",
) -> None:
    """Add one reader. Without --confirmed they are pending until they confirm.

    Example: digest subscriber add ada@example.org --council stockport --confirmed --consent-source "web form"
    """
    from dataclasses import replace

    from digest.pipeline.roster import add_one
    from digest.pipeline.roster_rows import row_of

    cells = {
        "email": address,
        "name": name,
        "councils": ";".join(council),
        "committees": _cell(committee),
        "topics": _cell(topic),
        "keywords": _cell(keyword),
        "wards": _cell(ward),
        "cadence": cadence,
        "day": day,
        "time": time,
        "timezone": timezone,
        "detail": detail,
        "format": format_,
        "language": language,
        "tier": tier,
        "status": "active" if confirmed else "pending",
        "consent_source": consent_source or ("operator" if confirmed else ""),
        "consent_at": consent_at,
    }
    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        roster, now = roster_of(hall), hall.clock()
        row = row_of(cells, defaults=roster.defaults, now=now)
        if quiet_note:
            row = replace(row, profile=replace(row.profile, quiet_note=True))
        taken = add_one(roster, row, source="operator", now=now)
        if taken == "imported":
            _noted(hall, "subscriber added", row.address)
    if taken != "imported":
        say(f"{row.address} is there already, unchanged")
    else:
        say(f"{row.address} is added" + ("" if confirmed else ", pending until they confirm"))


def _cell(words: list[str] | None) -> str:
    # One option is one wish: a separator inside it is punctuation, which no wish distinguishes.
    return ";".join(word.replace(";", " ") for word in words or ())


@subscriber.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="UTF-8, columns as in `export`.")],
    update: Annotated[
        bool, typer.Option("--update", help="Also change who is subscribed with other wishes.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take in readers from a CSV file. Bad rows are named with their line; the good ones are kept.

    Nobody who left, was suppressed or erased comes back, unless consent_at is later than that.

    Example: digest subscriber import subscribers.csv --json
    """
    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        report = import_file(hall, file, update=update)
        if report.imported or report.updated:
            facts = {"file": file.name, "imported": report.imported, "updated": report.updated}
            noted(hall, "subscribers imported", subject="subscribers", **facts)
    for refusal in report.refused:
        say(f"{file}:{refusal.line}: {refusal.why}")
    counts: dict[str, Any] = {
        "imported": report.imported,
        "updated": report.updated,
        "unchanged": report.unchanged,
    }
    if as_json:
        print_json(counts | {"refused": [{"line": one.line, "why": one.why} for one in report.refused]})
    else:
        counts["refused"] = len(report.refused)
        print_table(list(counts), [list(counts.values())])
    if report.refused:
        raise SystemExit(FAILED)


def import_file(
    hall: Hall, file: Path, *, update: bool = False, each: Callable[[int], None] = lambda n: None
) -> ImportReport:
    """Read a subscriber CSV and take it in, with a progress bar on a terminal.

    Raises: UsageError, before anything is taken in, for a file or header that cannot be used.
    """
    from digest.pipeline.roster import import_rows
    from digest.pipeline.roster_rows import read_rows

    roster, now = roster_of(hall), hall.clock()
    hall.database.require_current()
    with _lines_of(file) as lines:
        try:
            rows = read_rows(lines, defaults=roster.defaults, now=now)
        except UsageError as error:
            raise UsageError(f"{file}: {error}") from error
        return import_rows(roster, rows, update=update, now=now, each=each)


@contextmanager
def _lines_of(file: Path) -> Iterator[TextIO]:
    import rich.progress
    from rich.console import Console

    try:
        opened = rich.progress.open(
            file,
            "r",
            # Bytes that are not UTF-8 become surrogates, so that their row is refused and not the file.
            encoding="utf-8-sig",
            errors="surrogateescape",
            newline="",
            description="Reading",
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}): give a CSV file") from error
    with opened as lines:
        yield lines


@subscriber.command("export")
def export(context: typer.Context, as_json: Json = False) -> None:
    """Everybody who is active, paused or pending, as CSV on stdout; `import` takes it back.

    Example: digest subscriber export > subscribers.csv
    """
    import csv

    from digest.pipeline.roster_rows import COLUMNS, cells_of

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.read() as connection:
        everybody = _everybody(connection)
        if as_json:
            print_json({"subscribers": [_document(one, consents) for one, consents in everybody]})
            return
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one, consents in everybody:
            writer.writerow(cells_of(one, consents[-1] if consents else None))


def _everybody(connection: Any) -> Iterator[tuple[Subscriber, list[Consent]]]:
    from itertools import islice

    from digest.pipeline.roster_rows import STATUSES
    from digest.store import roster, subscribers

    everybody = subscribers.all_subscribers(connection)
    while part := list(islice(everybody, 500)):
        consents = roster.consents_of(connection, (one.id for one in part))
        yield from ((one, consents.get(one.id, [])) for one in part if one.state in STATUSES)


def _document(one: Subscriber, consents: list[Consent]) -> dict[str, Any]:
    profile, schedule = one.profile, one.schedule
    committees = [f"{'' if w.is_wanted else '-'}{w.council}/{w.committee}" for w in profile.committees]
    return {
        "email": one.address,
        "name": one.name,
        "status": one.state,
        "councils": list(profile.councils),
        "committees": committees,
        "topics": list(profile.topics),
        "keywords": [*profile.keywords, *(f"-{word}" for word in profile.excluded)],
        "wards": list(profile.wards),
        "kinds": list(profile.kinds),
        "cadence": schedule.cadence,
        "day": schedule.day,
        "time": schedule.time,
        "timezone": schedule.timezone,
        "detail": profile.detail,
        "format": profile.format,
        "language": profile.language,
        "tier": profile.tier,
        "quiet_note": profile.quiet_note,
        "enabled": list(profile.enabled),
        "covered_seq": one.covered_seq,
        "due_from_at": zulu(one.due_from_at),
        "paused_until": one.paused_until.isoformat() if one.paused_until else None,
        "created_at": zulu(one.created_at),
        "ended_at": zulu(one.ended_at),
        "ended_reason": one.ended_reason,
        "consents": [{"source": consent.source, "at": zulu(consent.at)} for consent in consents],
    }


@subscriber.command("show")
def show(context: typer.Context, address: Address, as_json: Json = False) -> None:
    """One reader: state, wishes, schedule and consents.

    Example: digest subscriber show ada@example.org --json
    """
    from digest.store import subscribers

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.read() as connection:
        found = subscribers.subscriber_by_address(connection, address)
        document = _document(found, list(subscribers.consents(connection, found.id)))
    if as_json:
        print_json(document)
        return
    document["consents"] = [f"{one['source']} ({one['at']})" for one in document["consents"]]
    print_facts({k: "; ".join(v) if isinstance(v, list) else v for k, v in document.items()})


@subscriber.command("pause")
def pause(
    context: typer.Context,
    address: Address,
    until: Annotated[str | None, typer.Option(help="First day with letters again, as 2025-10-01.")] = None,
) -> None:
    """Send nothing until that day, or until `resume`; what comes meanwhile is in the next letter.

    Example: digest subscriber pause ada@example.org --until 2025-10-01
    """
    from digest.pipeline import roster

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        day = None if until is None else _day(until)
        if day is not None and day <= hall.clock().date():
            raise UsageError(f"--until {until} is not in the future: name a later day, or use `resume`")
        roster.pause(hall.database, address, until=day)
        _noted(hall, "subscriber paused", address, until=None if day is None else day.isoformat())
    say(f"{address} is paused" + ("" if day is None else f" until {day.isoformat()}"))


def _noted(hall: Hall, action: str, address: str, **facts: object) -> None:
    if (subject := _subject(hall, address)) is not None:
        noted(hall, action, subject=subject, **facts)


def _subject(hall: Hall, address: str) -> str | None:
    """How the audit names a reader: by id, never by the address."""
    from digest.store import subscribers

    with hall.database.read() as connection:
        found = subscribers.find_subscriber(connection, address)
    return None if found is None else f"subscriber:{found.id}"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--until {text!r} is no day: write it as 2025-10-01") from error


@subscriber.command("resume")
def resume(context: typer.Context, address: Address) -> None:
    """End a pause: letters come again, the first one covers what was missed.

    Example: digest subscriber resume ada@example.org
    """
    from digest.pipeline import roster

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        roster.resume(hall.database, address, now=hall.clock())
        _noted(hall, "subscriber resumed", address)
    say(f"{address} is active")


@subscriber.command("leave")
def leave(
    context: typer.Context,
    address: Address,
    council: Annotated[str | None, typer.Option(help="Leave only this council.")] = None,
) -> None:
    """Unsubscribe a reader who asked for it; no import brings them back without a later consent.

    Example: digest subscriber leave ada@example.org --council stockport
    """
    from digest.pipeline import roster

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        is_gone = roster.leave(hall.database, address, council=council, now=hall.clock())
        _noted(hall, "subscriber left", address, council=council)
    say(f"{address} has left" if is_gone else f"{address} has left {council}")


@subscriber.command("erase")
def erase(
    context: typer.Context,
    address: Address,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say who it is, forget nothing.")] = False,
) -> None:
    """Forget a reader's address and name; what was sent stays countable.

    Example: digest subscriber erase ada@example.org
    """
    from digest.pipeline import roster
    from digest.store import subscribers

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        if dry_run:
            with hall.database.read() as connection:
                found = subscribers.subscriber_by_address(connection, address)
            say(f"{found.address} ({found.state}) would be forgotten; nothing was changed")
            return
        subject = _subject(hall, address)  # asked before the address is forgotten
        is_done = roster.erase(roster_of(hall), address, now=hall.clock())
        if is_done and subject is not None:
            noted(hall, "subscriber erased", subject=subject)
    say(f"{address} is erased" if is_done else f"{address} was erased before")
