"""Templates as they are on the disk now: a changed file is compiled again, a broken one leaves the last good.

Reading some forty small files takes a few milliseconds, so each look at a letter checks them all; nothing
must be told that something changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from digest.errors import DigestError
from digest.model import Edition, Page, fingerprint_of
from digest.pipeline.compose import Printer
from digest.render.page import render_page
from digest.render.skeleton import Skeleton, compile_skeleton
from digest.wiring import template_sources

if TYPE_CHECKING:
    from digest.wiring import Hall


@dataclass
class _Kept:
    fingerprint: str = ""
    skeleton: Skeleton | None = None
    fault: str = ""


@dataclass
class LiveTemplates:
    """Compiled templates of each folder that was asked for, newest state; safe to share between threads."""

    hall: Hall
    _kept: dict[Path | None, _Kept] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def printer(self, folder: Path | None) -> tuple[Printer, str]:
        """A printer with the last good templates of a folder (None: the packaged), and what is wrong now.

        Raises: DigestError when that folder's templates have never been good.
        """
        with self._lock:
            kept = self._kept.setdefault(folder, _Kept())
            self._look(folder, kept)
        if kept.skeleton is None:
            raise DigestError(kept.fault)
        skeleton, most = kept.skeleton, self.hall.max_bytes

        def print_(edition: Edition) -> Page:
            return render_page(edition, skeleton, max_bytes=most)

        return print_, kept.fault

    def _look(self, folder: Path | None, kept: _Kept) -> None:
        try:
            sources = template_sources(folder)
        except DigestError as error:
            kept.fault = str(error)
            return
        fingerprint = fingerprint_of("\0".join(f"{name}\0{text}" for name, text in sorted(sources.items())))
        if fingerprint == kept.fingerprint:
            return
        kept.fingerprint = fingerprint
        try:
            kept.skeleton, kept.fault = compile_skeleton(sources, self.hall.publication), ""
        except DigestError as error:
            kept.fault = str(error)
