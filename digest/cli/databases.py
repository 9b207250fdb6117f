"""`digest db …`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from digest.cli.entrance import FAILED, Entrance, print_json, say

db = typer.Typer(help="The database: upgrade, check, backup.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.add_typer(db, name="db")


@db.command("upgrade")
def upgrade(context: typer.Context) -> None:
    """Bring the tables to this program's version. Twice is harmless.

    Example: digest db upgrade
    """
    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        before = hall.database.version()
        hall.database.upgrade()
        after = hall.database.version()
        if hall.settings.queue.engine == "procrastinate":
            from scheduler import queue

            if queue.upgrade(hall.settings.database_url):
                say("the queue's tables are made")
    say(f"the database has version {after}" + ("" if before == after else f", before: {before or 'none'}"))


@db.command("check")
def check(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Look for anything wrong with the database and the ledger's invariants.

    Example: digest db check --json
    """
    from digest.store.invariants import broken

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        wrong = list(hall.database.check())
        with hall.database.read() as connection:
            wrong += broken(connection)
    if as_json:
        print_json({"wrong": wrong})
    else:
        for sentence in wrong:
            say(sentence)
        say("nothing is wrong" if not wrong else f"{len(wrong)} things are wrong")
    if wrong:
        raise SystemExit(FAILED)


@db.command("backup")
def backup(context: typer.Context, to: Annotated[Path, typer.Argument(help="The file to write.")]) -> None:
    """Copy a SQLite database while it is in use (for PostgreSQL use pg_dump).

    Example: digest db backup digest-backup.db
    """
    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        hall.database.backup(to)
    say(f"written to {to}")
