"""`digest summary …`"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from digest.cli.entrance import (
    ACTOR,
    FAILED,
    Entrance,
    counted,
    noted,
    print_facts,
    print_json,
    print_table,
    say,
    zulu,
)
from digest.errors import UsageError

summary = typer.Typer(help="Summaries: import, list, show, approve, withdraw.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say how many would be told, change nothing.")]


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.add_typer(summary, name="summary")


@summary.command("import")
def import_(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders of .md and .json files.")],
    as_json: Json = False,
) -> None:
    """Take in summaries; where a council's approval is auto they are published at once.

    Example: digest summary import summaries/ --json
    """
    entrance: Entrance = context.obj
    files = list(_files(paths))
    with entrance.hall() as hall:
        result = import_files(hall, files)
    for refused in result["refused"]:
        say(f"{refused['path']}:{refused['line']}: {refused['why']}")
    if as_json:
        print_json(result)
    else:
        numbers = {"imported": result["imported"], "unchanged": result["unchanged"]}
        numbers["refused"] = len(result["refused"])
        print_table(list(numbers), [list(numbers.values())])
    if result["refused"]:
        raise SystemExit(FAILED)


def _files(paths: list[Path]) -> Iterator[Path]:
    from digest.pipeline.importing import SUFFIXES

    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
        elif path.exists():
            yield path
        else:
            raise UsageError(f"{path} does not exist: give a file or a folder of .md and .json files")


def import_files(hall: Any, files: list[Path]) -> dict[str, Any]:
    """Read and take in each file; a bad one is named with its line and never stops the others."""
    from dataclasses import asdict

    from digest.pipeline import importing

    after = hall.settings.digest.archive_after
    now = hall.clock()
    return asdict(importing.import_files(hall.database, files, now=now, archive_after=after, actor=ACTOR))


@summary.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """All summaries, newest meeting first.

    Example: digest summary list --json
    """
    from digest.store import summaries

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.read() as connection:
        found = summaries.stored_summaries(connection)
    if as_json:
        print_json({"summaries": [_document(one) for one in found]})
        return
    print_table(
        ["id", "council", "committee", "day", "language", "state", "version", "headline"],
        [
            [s.id, s.council, s.committee, s.starts_on, s.language, s.state, s.version, s.headline]
            for s in found
        ],
    )


def _document(one: Any) -> dict[str, Any]:
    return {
        "id": one.id,
        "council": one.council,
        "committee": one.committee,
        "starts_on": one.starts_on.isoformat(),
        "language": one.language,
        "state": one.state,
        "version": one.version,
        "headline": one.headline,
        "created_at": zulu(one.created_at),
    }


@summary.command("show")
def show(
    context: typer.Context, id_: Annotated[int, typer.Argument(metavar="ID")], as_json: Json = False
) -> None:
    """One summary with its text as letters carry it.

    Example: digest summary show 3
    """
    from digest.store import summaries

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.read() as connection:
        found = summaries.stored_summaries(connection, id_=id_)[0]
        _, condensed = summaries.newest_texts(connection, id_)
    document = _document(found)
    if as_json:
        print_json(document | {"brief": condensed.brief_text, "full": condensed.full_text})
        return
    print_facts(document)
    typer.echo("\n" + condensed.full_text)


@summary.command("approve")
def approve(
    context: typer.Context, id_: Annotated[int, typer.Argument(metavar="ID")], dry_run: DryRun = False
) -> None:
    """Let a summary into letters.

    Example: digest summary approve 3
    """
    from digest.pipeline import publish

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        if dry_run:
            _say_reach(hall, id_, is_approval=True)
            return
        done = publish.approve(
            hall.database, id_, now=hall.clock(), archive_after=hall.settings.digest.archive_after
        )
        noted(hall, "summary approved", subject=f"summary:{id_}", before="draft", after="published")
    if done.line is not None:
        say(f"summary {id_} is published and will be in the next letters")
    elif done.is_archived:
        say(f"summary {id_} is published; its meeting is too long ago to be mailed")
    else:
        say(f"summary {id_} is published; nothing new is to be mailed")


@summary.command("withdraw")
def withdraw(
    context: typer.Context,
    id_: Annotated[int, typer.Argument(metavar="ID")],
    why: Annotated[str, typer.Option(help="What readers are told.")] = "",
    dry_run: DryRun = False,
) -> None:
    """Take a summary back; whoever had it is told in the next letter.

    Example: digest summary withdraw 3 --why "It mixed up two reports."
    """
    from digest.pipeline import publish

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        if dry_run:
            _say_reach(hall, id_, is_approval=False)
            return
        done = publish.withdraw(hall.database, id_, why=why, now=hall.clock())
        if done:
            noted(hall, "summary withdrawn", subject=f"summary:{id_}", why=why, after="withdrawn")
    say(f"summary {id_} is withdrawn" if done else f"summary {id_} was withdrawn before")


def _say_reach(hall: Any, id_: int, *, is_approval: bool) -> None:
    """How many would be told, as the desk says it beside its buttons."""
    from digest.store import desk, summaries

    with hall.database.read() as connection:
        found = summaries.stored_summaries(connection, id_=id_)[0]
        reach = desk.readers_of_summaries(connection, found.council)
        told = desk.told_of(connection, summaries.item_of(found.meeting_id))
    if not is_approval:
        said = f"{counted(told, 'letter has', 'letters have')} said it"
    elif found.state == "draft":
        said = f"at most {counted(reach, 'reader')} would get it"
    else:
        said = "there is nothing to approve"
    say(f"summary {id_} is {found.state}: {said}; nothing was changed")
