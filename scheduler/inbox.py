"""The inbox: a watched folder of summaries. Files end as ``.done``, or ``.refused`` with the reason beside.

``report.md`` becomes ``report.md.done``, or ``report.md.refused`` with ``report.md.refused.txt`` that says
line and reason. A file is taken once nobody has written to it for a while; two schedulers on one folder are
harmless, since the same content twice is one summary.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from digest.errors import SettingsError
from digest.pipeline.importing import DONE, REFUSED, WHY, import_files, waiting_in

if TYPE_CHECKING:
    from digest.wiring import Hall

# Whoever copies a file in is done with it, or goes on writing, within this time.
_STILL_S = 2.0
ACTOR = "inbox"  # who the audit says brought it
_LOG = structlog.get_logger()


def take_all(hall: Hall, folder: Path, *, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Take in what lies in the folder; a bad file is refused and never stops the others.

    Raises: SettingsError without the folder; StoreError when the database cannot be used: the file stays.
    """
    if not folder.is_dir():
        raise SettingsError(f"summaries.inbox: there is no folder {folder}: make it, or take the option out")
    for path in waiting_in(folder, still_since=time.time() - _STILL_S):
        if should_stop():
            return
        after = hall.settings.digest.archive_after
        found = import_files(
            hall.database, [path], now=hall.clock(), archive_after=after, actor=ACTOR
        ).refused
        if not found:
            _end(path, DONE)
        elif path.exists():  # else another scheduler was quicker
            _end(path, REFUSED, why=f"line {found[0].line}: {found[0].why}\n")
            _LOG.warning("summary refused", file=path.name, line=found[0].line)


def _end(path: Path, how: str, *, why: str = "") -> None:
    """Rename, the reason first: a refused file without its reason would be a riddle."""
    end = path.with_name(path.name + how)
    with suppress(FileNotFoundError):  # another scheduler was quicker
        if why:
            end.with_name(end.name + WHY).write_text(why, encoding="utf-8")
        path.replace(end)
