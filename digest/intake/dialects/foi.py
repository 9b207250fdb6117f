"""WhatDoTheyKnow and its kin (Alaveteli): requests for information that speak of meetings and are none."""

from __future__ import annotations

from digest.intake.items import Document, Where
from digest.intake.reading import Dialect, Reading
from digest.intake.titles import plain
from digest.model import NotMeeting


def claims(document: Document, where: Where) -> int:
    """By host, or by the ids of the entries."""
    if document.kind != "xml":
        return 0
    ids = [i.guid or "" for i in document.items[:5]]
    return 95 if where.host.endswith("whatdotheyknow.com") or any("InfoRequestEvent" in i for i in ids) else 0


def read(document: Document, where: Where) -> Reading:
    """No meetings, whatever the titles say."""
    others = tuple(NotMeeting(plain(i.guid) or None, plain(i.title), "foi") for i in document.items)
    return Reading((), others)


DIALECT = Dialect("whatdotheyknow", claims, read)
