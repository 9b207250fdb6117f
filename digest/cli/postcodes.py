"""`digest council postcodes`: which councils serve which postcodes, from a file of the operator's."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from digest.cli.councils import council
from digest.cli.entrance import Entrance, print_json, say
from digest.errors import UsageError

COLUMNS = ("postcode", "council")
MOST_SHOWN = 10


def register(app: typer.Typer) -> None:
    """Hang the command beside the others of `digest council`."""
    council.command("postcodes")(postcodes)


def postcodes(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV with the columns postcode and council (its slug).")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Load postcodes, so that residents find their council by them; the file replaces the one before.

    A line names a whole postcode (SK1 3XE), a sector (SK1 3) or an outward code (SK1); the longest wins.

    Example: digest council postcodes postcodes.csv
    """
    from digest.store import councils
    from digest.store import postcodes as stored

    refused: list[dict[str, object]] = []
    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.write() as connection:
        ids = councils.council_ids(connection)
        count = stored.replace_all(connection, _rows(file, ids, refused))
    for one in refused[:MOST_SHOWN]:
        say(f"{file.name}:{one['line']}: {one['why']}")
    if len(refused) > MOST_SHOWN:
        say(f"and {len(refused) - MOST_SHOWN} more lines like these")
    if as_json:
        print_json({"postcodes": count, "refused": refused})
    else:
        say(f"{count} postcodes are known")
    if refused:
        raise typer.Exit(1)


def _rows(file: Path, ids: dict[str, int], refused: list[dict[str, object]]) -> Iterator[tuple[str, int]]:
    """Code and council of each good line; the others go to ``refused``. Raises: UsageError."""
    from digest.store.councils import unknown_council
    from digest.store.postcodes import parts_of

    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            if not set(COLUMNS) <= set(reader.fieldnames or ()):
                raise UsageError(f"{file.name}: line 1 must name the columns postcode and council")
            for row in reader:
                parts, slug = parts_of(row["postcode"] or ""), (row["council"] or "").strip()
                if not parts:
                    why = f"{row['postcode']!r} is no postcode: write SK1 3XE, SK1 3 or SK1"
                elif slug not in ids:
                    why = unknown_council(slug, ids)
                else:
                    yield parts[0], ids[slug]
                    continue
                refused.append({"line": reader.line_num, "why": why})
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
