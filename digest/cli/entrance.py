"""What every command shares: settings, the clock, and how results and errors are said."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from digest.errors import ClockError, DigestError, TemplateError, UsageError

if TYPE_CHECKING:
    from digest.wiring import Hall

OK, FAILED, USAGE = 0, 1, 2
ACTOR = "command line"  # who the audit says did it


@dataclass
class Entrance:
    """The options before the command, and the hall they lead to."""

    config: str | None = None
    now: str | None = None
    option: str = "--now"
    """What ``now`` was given by, for what is said about it."""
    _halls: list[Hall] = field(default_factory=list)

    @contextmanager
    def hall(self, *, runs_on: bool = False) -> Iterator[Hall]:
        """The installation, closed when the command ends. Raises: SettingsError, ClockError.

        ``runs_on``: the clock of ``--now`` goes on from there, for commands that wait or hold claims.
        """
        from digest.settings import load_settings
        from digest.wiring import Hall, reaches_people

        path = self.config or ("digest.toml" if Path("digest.toml").is_file() else None)
        settings = load_settings(path, os.environ)
        if self.now is not None and settings.safety.live and reaches_people(settings):
            raise ClockError("--now is refused while safety.live is true and letters really leave: drop it")
        hall = Hall(settings, self.clock(runs_on=runs_on), has_file=path is not None)
        try:
            yield hall
        finally:
            hall.close()

    def clock(self, *, runs_on: bool = False) -> Callable[[], datetime]:
        """The system's clock; or one that stands at ``--now``, or runs on from there."""
        if self.now is None:
            return lambda: datetime.now(UTC)
        start, began = instant(self.now, option=self.option), time.time()
        # Wall time, not monotonic: a claim must also run out while the machine sleeps.
        return lambda: start + timedelta(seconds=time.time() - began) if runs_on else start

    def at(self, when: str | None) -> Entrance:
        """This entrance with ``--at`` in place of ``--now``."""
        return self if when is None else Entrance(self.config, when, "--at")


def instant(text: str, *, option: str) -> datetime:
    """An instant from ISO 8601; without an offset it is UTC. Raises: UsageError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{option} {text!r} is not an instant: write it as 2025-09-07T18:00+01:00"
        ) from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the tree become one line on stderr: usage, settings and templates exit 2, the rest 1."""
    try:
        yield
    except (UsageError, TemplateError) as error:
        # Templates are compiled before anything is tried.
        stop(str(error), code=USAGE)
    except DigestError as error:
        stop(str(error), code=FAILED)
    except BrokenPipeError:
        # Whoever read our output has enough (`digest … | head`): not an error worth a word.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)


@contextmanager
def interrupted() -> Iterator[None]:
    """Ctrl-C becomes one line on stderr and exit 130."""
    try:
        yield
    except KeyboardInterrupt:
        stop("interrupted: what was done stays done, start it again to go on", code=130)


def stop(message: str, *, code: int) -> NoReturn:
    """Say why on stderr and end with that code."""
    say(f"digest: {message}")
    sys.exit(code)


def noted(hall: Hall, action: str, *, subject: str, **facts: object) -> None:
    """A line in the audit of what was just done here; the desk notes the same acts by the same words."""
    from digest.store import audit

    with hall.database.write() as connection:
        audit.note(connection, action, subject=subject, actor=ACTOR, now=hall.clock(), facts=facts)


def say(message: str) -> None:
    """A message for a person, on stderr: stdout is for results."""
    typer.echo(one_line(message), err=True)


def counted(n: int, one: str, many: str = "") -> str:
    """So many of something: "1 letter", "2 letters"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def one_line(text: str) -> str:
    """Text from elsewhere as one printable line: no control characters reach the terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    import orjson

    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
    """A table for people; numbers to the right."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for at, column in enumerate(columns):
        is_number = bool(rows) and all(isinstance(row[at], int) for row in rows)
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line("" if cell is None else str(cell))) for cell in row))
    console().print(table)


def console() -> Any:
    """A terminal as wide as it is, and wide enough where there is none."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120, highlight=False)


def print_facts(facts: Mapping[str, Any]) -> None:
    """Names and values, one a line."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        typer.echo(f"{name:<{width}}  {one_line('' if value is None else str(value))}")


def print_line(text: str) -> None:
    """One line on stdout, whatever was in the text."""
    typer.echo(one_line(text))


def zulu(at: datetime | None) -> str | None:
    """RFC 3339 in UTC with Z; None stays None."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
