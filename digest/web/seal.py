"""Seals of forms: a post that changes something carries the seal of the page it came from (CSRF, OWASP)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from itsdangerous import BadData, URLSafeSerializer

from digest.errors import LinkError

GOOD_FOR = timedelta(days=7)
"""A page may stay open in a tab this long before its form must be opened again."""


class Seal:
    """Makes and reads seals with the current key; reads those of old keys. Safe to share between threads."""

    def __init__(self, key: str, old_keys: Sequence[str] = ()) -> None:
        self._serializer = URLSafeSerializer([*reversed(old_keys), key], salt="digest form seal")

    def make(self, what: str, whose: int | str, *, on: date) -> str:
        """The seal of a form for that action and that person, as the page of that day."""
        return str(self._serializer.dumps([what, whose, on.toordinal()]))

    def check(self, seal: str | None, what: str, whose: int | str, *, today: date) -> None:
        """Nothing when the form is ours. Raises: LinkError, kind ``forged`` or ``old``."""
        try:
            found_what, found_whose, day = self._serializer.loads(seal or "")
        except (BadData, ValueError, TypeError) as error:
            raise LinkError("this form was not opened here: open the page again", kind="forged") from error
        if [found_what, found_whose] != [what, whose]:
            raise LinkError("this form belongs to another page: open the page again", kind="forged")
        if today.toordinal() - int(day) > GOOD_FOR.days:
            raise LinkError("this page has been open for too long: open it again", kind="old")
