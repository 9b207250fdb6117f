"""`digest operator`: who may use the desk, and as what."""

from __future__ import annotations

import secrets
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.entrance import ACTOR, Entrance, print_json, print_table, say, zulu
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.model import Role

operator = typer.Typer(help="Who may use the operators' desk, and as what.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
RoleName = Annotated[str | None, typer.Option("--role", help="viewer looks; editor acts; admin also people.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin instead of asking.")
]
Generate = Annotated[bool, typer.Option("--generate", help="Make a password and print it once.")]


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.add_typer(operator, name="operator")


@operator.command("add")
def add(
    context: typer.Context,
    name: str,
    role: RoleName = "editor",
    password_stdin: FromStdin = False,
    generate: Generate = False,
) -> None:
    """Make an account of the desk; the password is asked for.

    Example: digest operator add joan --role admin
    """
    from digest.pipeline import operators

    if not name.isprintable() or not name.strip() or len(name) > 80:
        raise UsageError(f"{name!r} is no name for an operator: use up to 80 printable characters")
    entrance: Entrance = context.obj
    chosen = _role(role or "editor")
    with entrance.hall() as hall:
        password = _password(from_stdin=password_stdin, generate=generate)
        operators.add(hall.database, name, role=chosen, password=password, actor=ACTOR, now=hall.clock())
    if generate:
        typer.echo(password)
    say(f"{name} is {_a(chosen)}; they sign in at /operator")


@operator.command("set")
def set_(
    context: typer.Context,
    name: str,
    role: RoleName = None,
    new_password: Annotated[bool, typer.Option("--new-password", help="Ask for a new one.")] = False,
    password_stdin: FromStdin = False,
    generate: Generate = False,
    disable: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Shut them out, or let them in again.")
    ] = None,
) -> None:
    """Change a role or password, or shut an account; every browser of theirs is signed out.

    Example: digest operator set joan --role viewer
    """
    from digest.pipeline import operators

    wants_password = new_password or password_stdin or generate
    if role is None and not wants_password and disable is None:
        raise UsageError("say what changes: --role, --new-password, --disable or --enable")
    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        password = _password(from_stdin=password_stdin, generate=generate) if wants_password else None
        operators.change(
            hall.database,
            name,
            role=_role(role) if role else None,
            password=password,
            is_disabled=disable,
            actor=ACTOR,
            now=hall.clock(),
        )
    if generate:
        typer.echo(password)
    say(f"{name} is changed and signed out everywhere")


@operator.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """Every account.

    Example: digest operator list --json
    """
    from digest.store import operators

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.read() as connection:
        found = operators.all_operators(connection)
    if as_json:
        print_json(
            {
                "operators": [
                    {
                        "name": one.name,
                        "role": one.role.value,
                        "created_at": zulu(one.created_at),
                        "disabled_at": zulu(one.disabled_at),
                    }
                    for one in found
                ]
            }
        )
        return
    print_table(
        ["name", "role", "since", "disabled"],
        [[one.name, one.role.value, zulu(one.created_at), zulu(one.disabled_at)] for one in found],
    )


def _role(text: str) -> Role:
    from digest.model import Role

    try:
        return Role(text)
    except ValueError as error:
        raise UsageError(f"--role {text!r} is unknown: use one of {', '.join(Role)}") from error


def _a(role: Role) -> str:
    return f"{'an' if role.value[0] in 'aeiou' else 'a'} {role.value}"


def _password(*, from_stdin: bool, generate: bool) -> str:
    if generate:
        return secrets.token_urlsafe(15)
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    try:
        typed = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    except (typer.Abort, OSError) as error:
        raise UsageError("no password was typed: nothing was changed (or use --password-stdin)") from error
    return str(typed)
