"""A guarded document in one shape for all dialects: items with plain fields, whatever the format was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from digest.intake.links import host_of

MAX_FIELD = 20_000  # characters of one field that a dialect may look at


@dataclass(frozen=True, slots=True)
class ItemLink:
    """A link beside the item's own: ``rel`` as in Atom (``enclosure``, ``alternate``, ``self``)."""

    href: str
    rel: str = "alternate"
    title: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a feed, as it stands there: nothing is cleaned yet, "" is absent.

    ``fields`` are the elements of namespaces by lower-case local name (``eventdates``, ``startdate``).
    """

    title: str = ""
    link: str = ""
    guid: str | None = None
    published: str = ""
    updated: str = ""
    summary: str = ""
    content: str = ""
    links: tuple[ItemLink, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    categories: tuple[str, ...] = ()

    def field(self, name: str) -> str:
        """The namespaced element of that local name, or ""."""
        return next((value for key, value in self.fields if key == name), "")


@dataclass(frozen=True, slots=True)
class Document:
    """A document of any kind. ``value`` is the JSON value, ``text`` the text of html, ical and services."""

    kind: str
    root: str
    title: str = ""
    link: str = ""
    description: str = ""
    generator: str = ""
    items: tuple[Item, ...] = ()
    text: str = ""
    value: Any = None
    is_partial: bool = False
    ttl_s: int | None = None
    skip_hours: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Where:
    """The circumstances of a reading: which address, which council, which day."""

    url: str
    timezone: str
    country: str
    as_of: datetime
    hosts: frozenset[str]

    def near(self, published_at: datetime | None) -> date:
        """The day that a date without a year is near to: the publication, unless that lies in the future."""
        if published_at is None or published_at > self.as_of + timedelta(days=2):
            return self.as_of.date()
        return published_at.date()

    @property
    def host(self) -> str:
        """The host that was asked."""
        return host_of(self.url)
