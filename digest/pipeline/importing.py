"""Summaries come in by the command, the inbox, the API or a watched folder: one reader, one message.

Enters: a file's bytes and name, or files of a folder. Leaves: what became new, and for each that could not
be used its path, line and reason; a bad file never stops the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from digest.errors import DigestError, StoreError, SummaryError
from digest.pipeline.identity import url_key
from digest.pipeline.publish import TakenIn, take_in
from digest.store import councils
from digest.store.database import Database
from digest.summaries.read import read_summary

SUFFIXES = (".md", ".markdown", ".json")
DONE, REFUSED, WHY = ".done", ".refused", ".txt"
"""How files of the inbox end: ``a.md.done``, or ``a.md.refused`` with ``a.md.refused.txt`` beside it."""


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file that could not be used: where (``line`` from 1) and why."""

    path: str
    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of some files."""

    imported: int
    unchanged: int
    refused: tuple[RefusedFile, ...]


def take_content(
    database: Database,
    content: bytes,
    *,
    name: str,
    now: datetime,
    archive_after: timedelta,
    actor: str = "",
) -> TakenIn:
    """Read one summary and take it in. The same twice is harmless.

    ``name`` tells by its ending how it is read, ``actor`` whose act the audit says it was. Raises:
    SummaryError with the line, NotFoundError and others of the content; StoreError when the database cannot
    be used.
    """

    def timezone_of(slug: str) -> str:
        with database.read() as connection:
            return councils.council_by_slug(connection, slug).timezone

    read = read_summary(content, name=name, timezone_of=timezone_of)
    return take_in(
        database, read, url_key=url_key(read.url), now=now, archive_after=archive_after, actor=actor
    )


def import_files(
    database: Database, files: Iterable[Path], *, now: datetime, archive_after: timedelta, actor: str = ""
) -> Imported:
    """Take in each file, as the act of ``actor``.

    Raises: StoreError, since no file after it would fare better.
    """
    counts = [0, 0]
    refused: list[RefusedFile] = []
    for path in files:
        try:
            content = path.read_bytes()
            taken = take_content(
                database, content, name=path.name, now=now, archive_after=archive_after, actor=actor
            )
        except SummaryError as error:
            refused.append(RefusedFile(str(path), error.line, error.why))
        except StoreError:
            raise
        except (DigestError, OSError) as error:
            refused.append(RefusedFile(str(path), 1, str(error)))
        else:
            counts[0 if taken.is_new else 1] += 1
    return Imported(counts[0], counts[1], tuple(refused))


class WatchedFolders:
    """Folders whose summaries are taken in again when they change; it looks when it is asked to."""

    def __init__(self, database: Database, folders: Iterable[Path], *, archive_after: timedelta) -> None:
        self._database, self._folders, self._archive_after = database, tuple(folders), archive_after
        self._seen: dict[Path, tuple[int, int]] = {}
        self._refused: dict[Path, RefusedFile] = {}

    def look(self, *, now: datetime) -> tuple[RefusedFile, ...]:
        """Take in what is new or changed; what cannot be used as it lies there now, by path."""
        marks = {path: mark for folder in self._folders for path, mark in _marks(folder)}
        changed = [path for path, mark in sorted(marks.items()) if self._seen.get(path) != mark]
        self._refused = {p: why for p, why in self._refused.items() if p in marks and p not in changed}
        for path in changed:
            found = import_files(self._database, [path], now=now, archive_after=self._archive_after)
            if found.refused:
                self._refused[path] = found.refused[0]
            self._seen[path] = marks[path]
        return tuple(self._refused[path] for path in sorted(self._refused))


def _marks(folder: Path) -> list[tuple[Path, tuple[int, int]]]:
    found = []
    for path in folder.rglob("*"):
        if path.suffix in SUFFIXES and not path.name.startswith("."):
            with suppress(FileNotFoundError):  # editors save by replacing
                stat = path.stat()
                found.append((path, (stat.st_mtime_ns, stat.st_size)))
    return found


@dataclass(frozen=True, slots=True)
class Refused:
    """A file of the inbox that could not be used: its name as it came, and why."""

    name: str
    why: str


def waiting_in(folder: Path, *, still_since: float) -> list[Path]:
    """The files to take, oldest first; hidden ones, and those written to later, are left."""
    found = []
    for entry in os.scandir(folder):
        if entry.name.startswith(".") or not entry.name.endswith(SUFFIXES):
            continue
        with suppress(FileNotFoundError):
            changed = entry.stat().st_mtime
            if entry.is_file() and changed <= still_since:
                found.append((changed, Path(entry.path)))
    return [path for _, path in sorted(found)]


def refused_in(folder: Path) -> list[Refused]:
    """What was refused and still lies there, by name."""
    found = []
    for path in sorted(folder.glob(f"*{REFUSED}")):
        why = path.with_name(path.name + WHY)
        text = why.read_text(encoding="utf-8") if why.is_file() else ""
        found.append(Refused(path.name.removesuffix(REFUSED), text.strip()))
    return found


@dataclass(frozen=True, slots=True)
class Inbox:
    """How the inbox stands. ``is_there``: the folder exists."""

    folder: Path
    is_there: bool
    waiting: tuple[str, ...] = ()
    done: int = 0
    refused: tuple[Refused, ...] = ()


def inbox_of(folder: Path) -> Inbox:
    """What waits, how many were taken, and what was refused."""
    if not folder.is_dir():
        return Inbox(folder, is_there=False)
    waiting = tuple(path.name for path in waiting_in(folder, still_since=float("inf")))
    done = sum(1 for entry in os.scandir(folder) if entry.name.endswith(DONE))
    return Inbox(folder, True, waiting, done, tuple(refused_in(folder)))
