"""`digest init`, `digest demo` and `digest status`."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated, Any

import typer

from digest.cli.entrance import Entrance, print_facts, print_json, say, zulu
from digest.errors import UsageError

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.command("init")(init)
    app.command("demo")(demo)
    app.command("status")(status)


def init(
    context: typer.Context,
    name: Annotated[str | None, typer.Option(help="Name of your service.")] = None,
    from_address: Annotated[
        str | None, typer.Option("--from", help="Address that letters come from.")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Web address that links begin with.")] = None,
) -> None:
    """Write digest.toml with fresh keys, and make the database. Twice is harmless.

    Example: digest init --name "Our Councils" --from news@ourcouncils.example
    """
    entrance: Entrance = context.obj
    path = Path(entrance.config or "digest.toml")
    facts = {"publication__name": name, "publication__from": from_address, "base_url": base_url}
    if path.exists():
        say(f"{path} is there already, unchanged")
    else:
        write_settings(path, {key: value for key, value in facts.items() if value is not None})
        say(f"{path} written, with fresh keys: keep it safe")
    with Entrance(str(path), entrance.now).hall() as hall:
        hall.database.upgrade()
        say(f"the database {hall.database.shown_url} is ready")


def write_settings(path: Path, facts: dict[str, Any]) -> None:
    """A new settings file that only its owner may read. Raises: UsageError when it cannot be written."""
    from digest.settings import load_settings, settings_toml

    text = settings_toml(secrets.token_urlsafe(32), secrets.token_urlsafe(32), **facts)
    load_settings(None, {}, toml_text=text)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def demo(
    context: typer.Context,
    directory: Annotated[Path, typer.Option(help="Where the demo lives.")] = Path("demo"),
    as_json: Json = False,
) -> None:
    """Sample councils from feed to letter, in a folder of its own. Twice is harmless.

    Example: digest demo
    """
    from digest.cli.demo import run_demo

    run_demo(directory, as_json=as_json)


def status(context: typer.Context, as_json: Json = False) -> None:
    """How everything stands, in one look.

    Example: digest status --json
    """
    from digest.pipeline.status import status_of

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        found = status_of(hall.works)
    document: dict[str, Any] = {
        key: zulu(value) if hasattr(value, "isoformat") else value for key, value in found.items()
    }
    if as_json:
        print_json(document)
        return
    document |= {
        "last_run": _run_name(document["last_run"]),
        "unfinished_runs": [_run_name(one) for one in document["unfinished_runs"]],
        "paused_runs": [f"run {one}" for one in document["paused_runs"]],
        "letters_in_doubt": [
            f"{n:,} of run {one}: `digest run show {one}`" for one, n in document["letters_in_doubt"].items()
        ],
        "letters_dropped": [f"run {one}: {why}" for one, why in document["letters_dropped"].items()],
    }
    print_facts({key.replace("_", " "): _shown(value) for key, value in document.items()})


def _run_name(id_: int | None) -> str | None:
    return None if id_ is None else f"run {id_}"


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{n} {name}" for name, n in value.items()) or "none"
    return (
        "none" if value in (None, [], 0) else ", ".join(map(str, value)) if isinstance(value, list) else value
    )
