"""`digest events`: what the provider told, from a file."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Annotated

import typer

from digest.cli.entrance import FAILED, Entrance, print_facts, print_json, say
from digest.errors import UsageError

events = typer.Typer(help="What the provider told of letters.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.add_typer(events, name="events")


@events.command("replay")
def replay(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A JSON array of events, or one array or event a line.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Take in events from a file, as if the provider had posted them. Twice is harmless.

    A line with anything that is no event is refused as a whole and said; the others are taken.

    Example: digest events replay events.json
    """
    from digest.deliver.events import events_of_line
    from digest.errors import WebhookError
    from digest.pipeline.events import hear

    try:
        body = file.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    entrance: Entrance = context.obj
    refused = []
    new = total = suppressed = settled = 0
    with entrance.hall() as hall:
        for line, part in _parts(body):
            try:
                found = events_of_line(part)
            except WebhookError as error:
                refused.append({"line": line, "why": str(error)})
                continue
            heard = hear(hall.database, found, suppression_key=hall.suppression_key, now=hall.clock())
            total, new = total + heard.events, new + heard.new
            suppressed, settled = suppressed + heard.suppressed, settled + heard.settled
    for one in refused:
        say(f"{file}:{one['line']}: {one['why']}")
    facts = {"events": total, "new": new, "suppressed": suppressed, "settled": settled}
    if as_json:
        print_json(facts | {"refused": refused})
    else:
        print_facts(facts | {"refused": len(refused)})
    if not total and not refused:
        say(f"{file} holds no events: is it the file you meant?")
    if refused or not total:
        raise SystemExit(FAILED)


@events.command("reopen")
def reopen(
    context: typer.Context,
    why: Annotated[str, typer.Option(help="Kept in the audit, as what the provider's support said.")],
) -> None:
    """Say that SendGrid's account is open again, when no event has said so: new runs send again.

    Example: digest events reopen --why "support has reactivated it"
    """
    from digest.pipeline.events import reopen as write_down
    from digest.store import events as known

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.write() as connection:
        closed = known.account_closed(connection)
        if closed is not None:
            write_down(connection, why=why, now=hall.clock())
    if closed is None:
        say("the account is not known to be closed")
    else:
        say("the account counts as open; runs that are paused go on after `digest run resume`")


def _parts(body: bytes) -> list[tuple[int, bytes]]:
    """The whole file where it is one array or event, else each line that is not blank; with line numbers."""
    import orjson

    try:
        orjson.loads(body)
        return [(1, body)]
    except orjson.JSONDecodeError:
        lines = enumerate(body.splitlines(), start=1)
        return [(number, line) for number, line in lines if line.strip()]
