"""The command line: an entrance. Reads arguments, environment and clock; prints; never decides.

One file a group of commands. Everything heavier than Typer is imported inside the command that needs
it, so that `digest --help` stays quick.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from digest.cli.entrance import Entrance, interrupted, translated


class _Commands(TyperGroup):
    """All commands; who interrupts one is told how things stand, which Typer would not say."""

    def invoke(self, ctx: Any) -> Any:
        with interrupted():
            return super().invoke(ctx)


app = typer.Typer(
    name="digest",
    cls=_Commands,
    help="One personal e-mail a week about what your councils decided and what is coming up.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _settings(
    context: typer.Context,
    config: Annotated[
        str | None, typer.Option("--config", envvar="DIGEST_CONFIG", help="Settings file (./digest.toml).")
    ] = None,
    now: Annotated[
        str | None,
        typer.Option(
            "--now", envvar="DIGEST_NOW", help="Pretend it is this instant (2025-09-07T18:00+01:00)."
        ),
    ] = None,
) -> None:
    context.obj = Entrance(config=config, now=now)


def _register() -> None:
    from digest.cli import (
        councils,
        databases,
        doctor,
        events,
        feeds,
        keys,
        letters,
        lint,
        notices,
        operators,
        postcodes,
        providers,
        records,
        runs,
        scheduler,
        setup,
        subscribers,
        summaries,
        suppressions,
    )

    daily = (setup, councils, postcodes, feeds, summaries, subscribers, runs, letters, scheduler)
    seldom = (records, notices, events, suppressions, doctor, lint, operators, keys, databases, providers)
    for module in (*daily, *seldom):
        module.register(app)


_register()


def main() -> None:
    """The console script: errors of the tree become one line on stderr and an exit code."""
    with translated():
        app()
