"""The outbox: letters as files, for laptops, trials and letters that must not leave yet.

``<directory>/<run>/<delivery>.eml`` holds exactly what a provider would send. The name is fixed by the
delivery, a file appears whole or not at all, and writing it again replaces it by the same letter: so this
sender may repeat a doubtful claim.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from digest.deliver.message import letter_bytes, unusable
from digest.errors import RenderError
from digest.model import HandedOver, InDoubt, Outcome, Outgoing, Recipient, Refused

_FORGOTTEN_AFTER_S = 3600.0  # a temporary file this old was left by a process that died


class Outbox:
    """Sender that writes files. Several processes may share one directory."""

    name = "outbox"
    is_repeatable = True

    def __init__(self, directory: Path, *, batch_size: int = 500) -> None:
        self.directory = directory
        self.batch_size = batch_size
        self._swept: set[int] = set()

    def send(self, outgoing: Outgoing) -> Outcome:
        """Write the batch's letters durably: all of them appear only after all could be written.

        A full disk or a directory that cannot be written is `Refused` and pauses the run.
        """
        bad = unusable(outgoing.recipients)
        good = [r for r in outgoing.recipients if r.subscriber_id not in bad]
        folder = self.directory / str(outgoing.run_id)
        waiting = [(_temporary(folder, r), folder / f"{r.delivery}.eml") for r in good]
        try:
            self._open(folder, outgoing.run_id)
            for (temporary, _), recipient in zip(waiting, good, strict=True):
                _write_durably(temporary, letter_bytes(outgoing, recipient))
        except (OSError, RenderError) as error:
            _remove(temporary for temporary, _ in waiting)
            why = _why(folder, error) if isinstance(error, OSError) else str(error)
            return Refused(why, is_final=False, pauses_run=True)
        try:
            for temporary, final in waiting:
                temporary.replace(final)
            _sync_directory(folder)
        except OSError as error:
            return InDoubt(_why(folder, error))
        return HandedOver(bad=bad)

    def close(self) -> None:
        """Nothing is held open."""

    def _open(self, folder: Path, run_id: int) -> None:
        if run_id in self._swept:
            return
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            _sync_directory(folder.parent)
        old = time.time() - _FORGOTTEN_AFTER_S
        _remove(path for path in folder.glob(".*.part") if _changed_at(path) < old)
        self._swept.add(run_id)


def _temporary(folder: Path, recipient: Recipient) -> Path:
    # A claim that ran out may be written by two workers at once: each has its own temporary file.
    return folder / f".{recipient.delivery}.{os.getpid()}.{threading.get_ident()}.part"


def _changed_at(path: Path) -> float:
    """When the file was written; now, if another worker has just finished or removed it."""
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return time.time()


def _write_durably(path: Path, content: bytes) -> None:
    # Letters hold addresses and personal links: readable by the owner alone.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _why(folder: Path, error: OSError) -> str:
    return (
        f"the outbox {folder} cannot be written ({error.strerror or error}): make room or mend its rights, "
        "then `digest run resume`"
    )
