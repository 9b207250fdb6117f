"""`digest db …`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from digest.cli.entrance import FAILED, Entrance, print_json, say

db = typer.Typer(help="The database: upgrade, check, backup, restore, copy.", no_args_is_help=True)


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


@db.command("restore")
def restore(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `digest db backup` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where there is a database: it is kept as .before.")
    ] = False,
) -> None:
    """Put a backup in the place of a SQLite database; stop the service first.

    Example: digest db restore digest-backup.db
    """
    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        kept = hall.database.restore(source, replace=replace)
    say(f"restored from {source}" + (f"; what was there is {kept}" if kept else ""))


@db.command("copy")
def copy(
    context: typer.Context,
    to: Annotated[str, typer.Option(help="The empty database, as postgresql://user@host/name.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Copy everything into another, empty database, verified; then write its URL into digest.toml.

    Nobody can write meanwhile. Interrupted, it has copied nothing: start it again.

    Example: digest db copy --to postgresql://digest@db.example.org/digest
    """
    from digest.store import copying
    from digest.store.database import Database

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        target = Database(to)
        try:
            copied = copying.copy(hall.database, target)
        finally:
            target.close()
    rows = sum(one.rows for one in copied)
    if as_json:
        tables = [{"table": one.table, "rows": one.rows, "fingerprint": one.fingerprint} for one in copied]
        print_json({"to": target.shown_url, "rows": rows, "tables": tables})
    say(f"{rows} rows are copied to {target.shown_url} and verified: make that the database_url")
