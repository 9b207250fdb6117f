"""A small town of councils and readers for the tests of the residents' pages."""

from __future__ import annotations

import html
import re
import time
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import lru_cache
from pathlib import Path

import httpx
from sqlalchemy import select

from digest.compose.profile import profile_of
from digest.links import Purpose
from digest.model import Council, Publication, SubscriberState, Support
from digest.render.skeleton import Skeleton, compile_skeleton
from digest.slots import schedule_of
from digest.store import councils, runs, subscribers
from digest.store.subscribers import Consent, Subscriber
from digest.store.tables import metadata
from digest.wiring import Hall, template_sources

SUNDAYS = schedule_of("weekly", "sunday", "18:00", "Europe/London")
BASE = "http://testserver"
ANN = "ann.mellor+council@example.org"


@lru_cache(maxsize=1)
def _skeleton() -> Skeleton:
    return compile_skeleton(template_sources(), Publication("Council Digest", "digest@example.org", BASE))


def with_councils(hall: Hall) -> None:
    """Two councils with summaries, one with limited support; the letters' templates are compiled once."""
    hall.skeleton = _skeleton()
    with hall.database.write() as connection:
        for slug, name, support in (
            ("stockport", "Stockport", Support.FULL),
            ("great-harrow", "Great Harrow", Support.FULL),
            ("little-wittering", "Little Wittering", Support.LIMITED),
        ):
            councils.add_council(connection, Council(slug, name, support), now=hall.clock())


def add_reader(
    hall: Hall,
    address: str = ANN,
    *followed: str,
    state: SubscriberState = SubscriberState.ACTIVE,
    language: str = "en",
) -> int:
    """A reader of these councils (Stockport and Great Harrow unless said), with consent on record."""
    wishes = profile_of(councils=followed or ("stockport", "great-harrow"), language=language)
    with hall.database.write() as connection:
        return subscribers.add_subscriber(
            connection,
            address,
            name="Ann",
            profile=wishes,
            schedule=SUNDAYS,
            state=state,
            start_mark=0,
            consent=Consent("test", datetime(2025, 6, 3, tzinfo=UTC)),
            source="test",
            now=hall.clock(),
        )


def reader(hall: Hall, id_: int) -> Subscriber:
    """How the reader stands now."""
    with hall.database.read() as connection:
        found = subscribers.subscriber_by_id(connection, id_)
    assert found is not None
    return found


def link(hall: Hall, purpose: Purpose, id_: int, *, on: date | None = None) -> str:
    """The path that a letter of that day links to."""
    token = hall.signer.token(purpose, id_, on=on or hall.clock().date())
    return f"/{purpose.word}/{token}"


def dump(hall: Hall, *, at_rest: bool = True) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table: equal dumps mean that nothing changed at all.

    ``at_rest``: the thread that sends has closed its runs before.
    """
    end = time.monotonic() + WAIT_S
    while at_rest and _open_runs(hall) and time.monotonic() < end:
        time.sleep(0.02)
    with hall.database.read() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(select(table)).all()), key=repr)
            for table in metadata.sorted_tables
        }


def _open_runs(hall: Hall) -> int:
    with hall.database.read() as connection:
        return len(runs.unfinished_runs(connection))


# --- letters ----------------------------------------------------------------------------------------------

WAIT_S = 30.0


def letters(hall: Hall) -> list[EmailMessage]:
    """Every letter of the outbox, oldest first."""
    paths = sorted(hall.settings.outbox.directory.rglob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    return [_parsed(path) for path in paths]


def letter_to(hall: Hall, address: str, *, nth: int = 1) -> EmailMessage:
    """The nth letter to that address, waited for: the thread that sends is a moment behind the page."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        found = [one for one in letters(hall) if one["To"] == address]
        if len(found) >= nth:
            return found[nth - 1]
        time.sleep(0.02)
    raise AssertionError(f"no letter {nth} to {address}: {[(x['To'], x['Subject']) for x in letters(hall)]}")


def links_in(letter: EmailMessage) -> list[str]:
    """The paths of all links of a letter that lead to this service."""
    body = letter.get_body(("html", "plain"))
    assert body is not None
    text = html.unescape(body.get_content()) + str(letter["List-Unsubscribe"])
    return list(dict.fromkeys(re.findall(r"http://testserver(/[^\s\"'<>)]*)", text)))


def link_to(letter: EmailMessage, path: str) -> str:
    """The one link of a letter that begins so, and asks nothing besides."""
    found = [one for one in links_in(letter) if one.startswith(path) and "?" not in one]
    assert len(found) == 1, found
    return found[0]


def subscribe(client: httpx.Client, address: str, *councils: str, **more: str) -> httpx.Response:
    """Fill in the form as a browser would."""
    form = {"email": address, "council": list(councils or ["stockport"]), "consent": "yes", "website": ""}
    return client.post("/subscribe", data=form | more)


def all_is_done(client: httpx.Client, hall: Hall, *, nth: int = 1) -> None:
    """Errands are done in order: when a later one's letter is there, the earlier ones are over."""
    last = f"last{nth}@example.org"
    subscribe(client, last)
    letter_to(hall, last)


def _parsed(path: Path) -> EmailMessage:
    found = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found
