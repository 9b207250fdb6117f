"""Undo: what a change replaced travels in the page's own form, signed, so that nothing needs to be kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from itsdangerous import BadData, URLSafeSerializer

from digest.errors import LinkError
from digest.model import SubscriberState
from digest.pipeline.wishes import Standing

GOOD_FOR = timedelta(days=2)
"""A page left open over the weekend may still undo; an old one must not bring back what was settled since."""


class Undo:
    """Makes and reads undo forms with the current key; reads those of old keys."""

    def __init__(self, key: str, old_keys: Sequence[str] = ()) -> None:
        self._serializer = URLSafeSerializer([*reversed(old_keys), key], salt="digest undo")

    def make(self, before: Standing, *, on: date) -> str:
        """What a hidden field holds."""
        until, due = before.paused_until, before.due_from_at
        return str(
            self._serializer.dumps(
                [
                    before.subscriber_id,
                    before.state.value,
                    before.profile_id,
                    before.schedule_id,
                    until.isoformat() if until else None,
                    due.isoformat() if due else None,
                    int(before.at_once),
                    on.toordinal(),
                ]
            )
        )

    def read(self, text: str | None, whose: int, *, today: date) -> Standing:
        """How that reader stood. Raises: LinkError, kind ``forged`` or ``old``."""
        try:
            id_, state, profile_id, schedule_id, until, due, at_once, day = self._serializer.loads(text or "")
        except (BadData, ValueError, TypeError) as error:
            raise LinkError("this form was not opened here: open the page again", kind="forged") from error
        if id_ != whose:
            raise LinkError("this form belongs to another page: open the page again", kind="forged")
        if today.toordinal() - day > GOOD_FOR.days:
            raise LinkError("this page has been open for too long: open it again", kind="old")
        return Standing(
            id_,
            SubscriberState(state),
            profile_id,
            schedule_id,
            date.fromisoformat(until) if until else None,
            datetime.fromisoformat(due) if due else None,
            bool(at_once),
        )
