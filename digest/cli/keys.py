"""`digest api-key …`"""

from __future__ import annotations

from typing import Annotated

import typer

from digest.cli.entrance import ACTOR, Entrance, print_json, print_table, say, zulu
from digest.errors import UsageError

api_key = typer.Typer(help="Keys of the API: create, list, revoke.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
SCOPES = ("read", "summaries", "subscribers")


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.add_typer(api_key, name="api-key")


@api_key.command("create")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose key it is, as 'summary writer'.")],
    scope: Annotated[list[str], typer.Option(help="read, summaries or subscribers; may be repeated.")],
) -> None:
    """Make a key and print it, once: only its fingerprint is kept.

    Example: digest api-key create "summary writer" --scope summaries
    """
    from digest.pipeline import keys
    from digest.store.keys import Scope

    if unknown := [one for one in scope if one not in SCOPES]:
        raise UsageError(f"--scope {unknown[0]!r} is unknown: use {', '.join(SCOPES)}")
    entrance: Entrance = context.obj
    scopes = {Scope(one) for one in scope}
    with entrance.hall() as hall:
        secret = keys.create(hall.database, name, scopes, actor=ACTOR, now=hall.clock())
    typer.echo(secret)
    say("Keep it now: it is not stored and cannot be shown again.")


@api_key.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """All keys with what they open and when they were last used.

    Example: digest api-key list --json
    """
    from digest.store.keys import all_keys

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.read() as connection:
        found = all_keys(connection)
    documents = [
        {
            "name": one.name,
            "scopes": sorted(one.scopes),
            "created_at": zulu(one.created_at),
            "last_used_on": one.last_used_on.isoformat() if one.last_used_on else None,
            "revoked_at": zulu(one.revoked_at),
        }
        for one in found
    ]
    if as_json:
        print_json({"keys": documents})
        return
    columns = ["name", "created at", "last used on", "revoked at", "scopes"]
    print_table(
        columns,
        [
            [
                one.name,
                zulu(one.created_at),
                one.last_used_on,
                zulu(one.revoked_at),
                ", ".join(sorted(one.scopes)),
            ]
            for one in found
        ],
    )


@api_key.command("revoke")
def revoke(context: typer.Context, name: str) -> None:
    """End a key at once; twice is harmless.

    Example: digest api-key revoke "summary writer"
    """
    from digest.pipeline import keys

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        is_done = keys.revoke(hall.database, name, actor=ACTOR, now=hall.clock())
    say(f"the key {name!r} opens nothing any more" if is_done else f"the key {name!r} was revoked before")
