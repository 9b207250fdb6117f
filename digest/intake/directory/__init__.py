"""The councils of the United Kingdom: slug, name, platform, site and feed, packed with the program.

Facts gathered from public lists in 2026; a feed's address is where its platform usually has it and is
checked at the first poll. An edge, because it reads a file of the package.
"""

from __future__ import annotations

import csv
import difflib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from digest.errors import NotFoundError
from digest.model import name_key


@dataclass(frozen=True, slots=True)
class KnownCouncil:
    """What is known of a council. ``territory``: ``eng | nir | sct | wls``; ``feed`` None: none is known.

    ``platform``: ``moderngov | cmis | other``; ``languages`` as letters may be written.
    """

    slug: str
    name: str
    territory: str
    platform: str
    website: str | None
    feed: str | None

    @property
    def languages(self) -> tuple[str, ...]:
        """Welsh councils publish in both languages."""
        return ("en", "cy") if self.territory == "wls" else ("en",)


def known_council(slug: str) -> KnownCouncil:
    """The council of that slug or name. Raises: NotFoundError with the nearest ones."""
    councils = known_councils()
    found = councils.get(slug.strip().lower()) or _by_name().get(name_key(slug))
    if found is None:
        near = difflib.get_close_matches(slug.strip().lower(), councils, n=3, cutoff=0.5)
        hint = f"; the nearest are {', '.join(near)}" if near else ""
        raise NotFoundError(f"no council “{slug}” is known{hint}: add it with --name and a feed's address")
    return found


@lru_cache(maxsize=1)
def known_councils() -> dict[str, KnownCouncil]:
    """All of them by slug, in order of the slugs."""
    text = files(__package__).joinpath("uk.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {
        row["slug"]: KnownCouncil(
            row["slug"],
            row["name"],
            row["territory"],
            row["platform"],
            row["website"] or None,
            row["feed"] or None,
        )
        for row in rows
    }


@lru_cache(maxsize=1)
def _by_name() -> dict[str, KnownCouncil]:
    return {name_key(council.name): council for council in known_councils().values()}
