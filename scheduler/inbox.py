"""The inbox: a watched folder of summaries. Files end as ``.done``, or ``.refused`` with the reason beside.

``report.md`` becomes ``report.md.done``, or ``report.md.refused`` with ``report.md.refused.txt`` that says
line and reason. A file is taken once nobody has written to it for a while; two schedulers on one folder are
harmless, since the same content twice is one summary.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from digest.cli.summaries import SUFFIXES, import_files
from digest.errors import SettingsError

if TYPE_CHECKING:
    from digest.wiring import Hall

DONE, REFUSED, WHY = ".done", ".refused", ".txt"
# Whoever copies a file in is done with it, or goes on writing, within this time.
_STILL_S = 2.0
_LOG = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that could not be used: its name as it came, and why."""

    name: str
    why: str


def take_all(hall: Hall, folder: Path, *, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Take in what lies in the folder; a bad file is refused and never stops the others.

    Raises: SettingsError without the folder; StoreError when the database cannot be used: the file stays.
    """
    if not folder.is_dir():
        raise SettingsError(f"summaries.inbox: there is no folder {folder}: make it, or take the option out")
    for path in waiting_in(folder, still_since=time.time() - _STILL_S):
        if should_stop():
            return
        found = import_files(hall, [path])["refused"]
        if not found:
            _end(path, DONE)
        elif path.exists():  # else another scheduler was quicker
            _end(path, REFUSED, why=f"line {found[0]['line']}: {found[0]['why']}\n")
            _LOG.warning("summary refused", file=path.name, line=found[0]["line"])


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


def _end(path: Path, how: str, *, why: str = "") -> None:
    """Rename, the reason first: a refused file without its reason would be a riddle."""
    end = path.with_name(path.name + how)
    with suppress(FileNotFoundError):  # another scheduler was quicker
        if why:
            end.with_name(end.name + WHY).write_text(why, encoding="utf-8")
        path.replace(end)
