"""`digest preview` and `digest explain`: what somebody gets, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.entrance import FAILED, Entrance, noted, print_json, print_table, say
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.pipeline.preview import Letter
    from digest.pipeline.studio import TriedLetter
    from digest.wiring import Hall

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
FORMATS = ("html", "text", "eml", "png")


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.command("preview")(preview)
    app.command("explain")(explain)


def preview(
    context: typer.Context,
    subscriber: Annotated[str | None, typer.Option(help="Address of a subscriber.")] = None,
    profile: Annotated[Path | None, typer.Option(help="A JSON file of wishes.")] = None,
    at: Annotated[str | None, typer.Option(help="As if it were this instant.")] = None,
    format_: Annotated[
        str, typer.Option("--format", help="html, text, eml, or png (needs Chromium).")
    ] = "html",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write (default: stdout).")
    ] = None,
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port of the studio on this machine; 0 takes any free one."),
    ] = 8010,
    watch: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of summaries that the studio takes in again when they change."),
    ] = None,
    send_to: Annotated[
        str | None, typer.Option(help="Send it as a test to this address of safety.allow_list.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the studio at once.")] = True,
) -> None:
    """Look at any letter before it leaves: in the studio, or with an option as one file.

    Both make it by the same path as a real run. The studio answers to this machine only.

    Example: digest preview
    Example: digest preview --subscriber ann@example.org --format html -o letter.html
    Example: digest preview --subscriber ann@example.org --send-to me@example.org
    """
    if subscriber is None and profile is None and output is None and send_to is None:
        from digest.cli.studio import open_studio

        open_studio(context.obj.at(at), port=port, watched=tuple(watch or ()), opens_browser=browser)
        return
    from digest.pipeline.preview import letter_for
    from digest.render.lint import lint

    if send_to is not None and output is not None:
        raise UsageError("--send-to sends the letter and -o writes it to a file: name one of them")
    if format_ not in FORMATS:
        raise UsageError(f"--format {format_!r} is unknown: use one of {', '.join(FORMATS)}")
    if (subscriber is None) == (profile is None):
        raise UsageError("name whose letter: --subscriber ADDRESS or --profile FILE")
    entrance: Entrance = context.obj
    with entrance.at(at).hall() as hall:
        # A wrong template is named even where there is nothing to say.
        _ = hall.skeleton
        wishes = _wishes(profile) if profile is not None else None
        letter = letter_for(hall.works, address=subscriber, wishes=wishes)
        most = hall.max_bytes
        tried = None if letter is None or send_to is None else _send_test(hall, letter, send_to)
    if letter is None:
        say("nothing to say: no letter would be sent (see `digest explain`)")
        return
    if tried is not None:
        say(tried.said)
        if not tried.is_sent:
            raise SystemExit(FAILED)
        return
    data = _as_asked(letter, format_)
    for finding in lint(letter.page, max_bytes=most):
        say(f"{finding.rule}: {finding.place}: {finding.what}; {finding.mend}")
    if output is None:
        typer.echo(data, nl=False)
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from error
    say(f"{letter.subject} -> {output}")


def _send_test(hall: Hall, letter: Letter, to: str) -> TriedLetter:
    from digest.pipeline import studio

    tried = studio.send_test(hall.works, letter.page, to=to, allow_list=hall.settings.safety.allow_list)
    noted(hall, "test letter", subject="studio", said=tried.said.replace(to, "(an address)"))
    return tried


def _wishes(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file} cannot be read ({getattr(error, 'strerror', error)}): name a JSON file of wishes"
        ) from error


def _as_asked(letter: Letter, format_: str) -> bytes:
    if format_ in ("text", "eml"):
        return letter.text if format_ == "text" else letter.eml
    if letter.html is None:
        raise UsageError("this reader wishes plain text: use --format text")
    if format_ == "png":
        from digest.cli.picture import picture_of

        return picture_of(letter.html)
    return letter.html


def explain(
    context: typer.Context,
    address: str,
    item: Annotated[str | None, typer.Option(help="Only this item, as summary:12.")] = None,
    as_json: Json = False,
) -> None:
    """What is in or out of somebody's letters, why, and in which letter.

    Example: digest explain ann@example.org
    """
    from digest.model import SubscriberState
    from digest.pipeline.preview import explained, standing_of
    from digest.store import subscribers

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        verdicts = [v for v in explained(hall.works, address) if item is None or v.item == item]
        with hall.database.read() as connection:
            reader = subscribers.subscriber_by_address(connection, address)
    if as_json:
        print_json({"status": reader.state, "lines": [_document(v) for v in verdicts]})
        return
    if reader.state is not SubscriberState.ACTIVE:
        say(f"{address} is {standing_of(reader)}: no letter goes there")
    print_table(
        ["line", "item", "what", "council", "", "why", "letter"],
        [[v.seq, v.item, v.kind, v.council, "in" if v.is_in else "out", v.why, v.letter] for v in verdicts],
    )


def _document(verdict: Any) -> dict[str, Any]:
    return {
        "seq": verdict.seq,
        "item": verdict.item,
        "kind": verdict.kind,
        "council": verdict.council,
        "in": verdict.is_in,
        "why": verdict.why,
        "letter": verdict.letter,
    }
