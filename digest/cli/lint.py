"""`digest lint`: what is wrong with letters before they leave, each finding with its place and mend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.entrance import FAILED, Entrance, print_json, print_table, say
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.render.lint import Finding

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def register(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("lint")(lint)


def lint(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="A letter's HTML, as `digest preview` writes it.")
    ] = None,
    subscriber: Annotated[str | None, typer.Option(help="Address of one subscriber.")] = None,
    everyone: Annotated[
        bool, typer.Option("--all", help="Every letter that readers would get now (the default).")
    ] = False,
    at: Annotated[str | None, typer.Option(help="As if it were this instant.")] = None,
    as_json: Json = False,
) -> None:
    """Read letters as mail programs do, and say what to mend. Exit code 1 when one must not leave so.

    Templates are compiled first: a fault in one is named with its file and line.

    Example: digest lint --subscriber ann@example.org --at 2025-09-07T18:00+01:00
    """
    if (file is not None) + (subscriber is not None) + everyone > 1:
        raise UsageError("name one of them: FILE, --subscriber ADDRESS or --all")
    entrance: Entrance = context.obj
    read = list(_of_file(entrance, file) if file else _of_readers(entrance.at(at), subscriber))
    found = [(letter, finding) for letter, findings in read for finding in findings]
    errors = sum(finding.is_error for _, finding in found)
    if as_json:
        print_json({"letters": len(read), "errors": errors, "findings": [_document(*one) for one in found]})
    else:
        _show(len(read), errors, found)
    if errors:
        raise SystemExit(FAILED)


def _of_file(entrance: Entrance, file: Path) -> Iterator[tuple[str, tuple[Finding, ...]]]:
    from digest.render.lint import lint_html

    try:
        html = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file} cannot be read ({getattr(error, 'strerror', error)}): name an HTML file in UTF-8"
        ) from error
    with entrance.hall() as hall:
        yield str(file), lint_html(html, max_bytes=hall.max_bytes)


def _of_readers(entrance: Entrance, address: str | None) -> Iterator[tuple[str, tuple[Finding, ...]]]:
    from digest.pipeline.preview import letter_for, pages_of_all
    from digest.render.lint import lint as findings_of

    with entrance.hall() as hall:
        _ = hall.skeleton
        if address is None:
            pages = pages_of_all(hall.works)
        else:
            letter = letter_for(hall.works, address=address, wishes=None)
            pages = iter([] if letter is None else [(address, letter.page)])
        for reader, page in pages:
            yield reader, findings_of(page, max_bytes=hall.max_bytes)


def _show(letters: int, errors: int, found: list[tuple[str, Finding]]) -> None:
    if found:
        rows = [
            [letter, "error" if f.is_error else "look", f.rule, f.place, f.what, f.mend]
            for letter, f in found
        ]
        print_table(["letter of", "", "rule", "where", "what", "mend"], rows)
    say(f"letters read: {letters}; errors: {errors}; to look at: {len(found) - errors}")


def _document(letter: str, finding: Finding) -> dict[str, Any]:
    return {
        "letter": letter,
        "rule": finding.rule,
        "place": finding.place,
        "what": finding.what,
        "mend": finding.mend,
        "error": finding.is_error,
    }
