"""What every page's route works with: the hall, the templates, seals of forms, and limits on askers."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from digest.web.background import Background
from digest.web.limits import Limits
from digest.web.pages import Pages, load_pages
from digest.web.seal import Seal
from digest.web.undo import Undo

if TYPE_CHECKING:
    from digest.wiring import Hall

_SEND_FOR_S = 10.0  # then what was asked for meanwhile has its turn


@dataclass
class Site:
    """One installation as its web routes see it."""

    hall: Hall

    def now(self) -> datetime:
        """This moment, UTC."""
        return self.hall.clock()

    def today(self) -> date:
        """This day in UTC, as signed links count days."""
        return self.now().date()

    @cached_property
    def root(self) -> str:
        """The path that ``base_url`` ends with: "" for most, "/digest" behind a shared name."""
        return urlsplit(self.hall.publication.base_url).path.rstrip("/")

    @cached_property
    def pages(self) -> Pages:
        """The templates of templates/web. Raises: TemplateError."""
        return load_pages(self.hall.publication, own=self.hall.settings.templates, root=self.root)

    @cached_property
    def seal(self) -> Seal:
        """Proves that a form was made by us. Raises: SettingsError without a secret_key."""
        settings = self.hall.settings
        _ = self.hall.signer  # says what is wrong with the keys
        old = (key.get_secret_value() for key in settings.old_secret_keys)
        return Seal(settings.secret_key.get_secret_value(), tuple(old))

    @cached_property
    def undo(self) -> Undo:
        """What a change replaced, signed into the page that offers to take it back."""
        settings = self.hall.settings
        old = (key.get_secret_value() for key in settings.old_secret_keys)
        return Undo(settings.secret_key.get_secret_value(), tuple(old))

    @cached_property
    def background(self) -> Background:
        """Does what pages promise, and sends the letters that they ask for."""
        return Background(self._send_personal)

    def _send_personal(self) -> None:
        """What people wait for at a page; a letter to everybody is for `digest run` and the scheduler."""
        from digest.pipeline.notices import send_pending

        until = time.monotonic() + _SEND_FOR_S
        works = self.hall.works
        desk = replace(works.desk, should_stop=lambda: time.monotonic() > until)
        send_pending(replace(works, desk=desk), only_personal=True)
        if time.monotonic() > until:
            self.background.wake()

    @cached_property
    def limits(self) -> Limits:
        """How often one network or address may ask for letters."""
        return Limits()
