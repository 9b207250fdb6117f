"""All dialects, in the order in which ties are settled."""

from __future__ import annotations

from digest.errors import FeedError
from digest.intake.dialects import (
    civicplus,
    cmis,
    escribe,
    foi,
    generic,
    granicus,
    ical,
    jsonfeed,
    legistar,
    moderngov,
    moderngov_ws,
    opencouncil,
    primegov,
    youtube,
)
from digest.intake.items import Document, Where
from digest.intake.reading import Dialect

DIALECTS: tuple[Dialect, ...] = (
    moderngov.DIALECT,
    moderngov_ws.DIALECT,
    legistar.DIALECT,
    granicus.DIALECT,
    civicplus.DIALECT,
    opencouncil.DIALECT,
    youtube.DIALECT,
    foi.DIALECT,
    jsonfeed.DIALECT,
    ical.DIALECT,
    primegov.DIALECT,
    escribe.DIALECT,
    cmis.DIALECT,
    generic.DIALECT,
)
NAMES = tuple(d.name for d in DIALECTS)


def named(name: str) -> Dialect:
    """The dialect forced for a feed. Raises: FeedError naming the known ones."""
    for dialect in DIALECTS:
        if dialect.name == name:
            return dialect
    raise FeedError("invalid_body", f"there is no dialect “{name}”: known are {', '.join(NAMES)}")


def recognised(document: Document, where: Where) -> Dialect | None:
    """The dialect that claims the document most, or None."""
    best, most = None, 0
    for dialect in DIALECTS:
        claim = dialect.claims(document, where)
        if claim > most:
            best, most = dialect, claim
    return best
