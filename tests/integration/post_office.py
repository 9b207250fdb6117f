"""A small installation whose letters are real files in an outbox, for stories of notices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from sqlalchemy import text

from digest.compose.profile import profile_of
from digest.deliver.outbox import Outbox
from digest.links import Purpose, Signer
from digest.model import (
    Council,
    Format,
    MeetingStatus,
    Page,
    ParsedFeed,
    RunKind,
    Sighting,
    SubscriberState,
)
from digest.pipeline import poll
from digest.pipeline.audiences import Notices
from digest.pipeline.holder import Desk
from digest.pipeline.notices import send_pending
from digest.pipeline.run import RunReport, Works, run_due
from digest.render.notice import NoticeFacts, render_notice
from digest.render.page import render_page
from digest.store import councils, subscribers, suppressions
from digest.store.database import LOCK_LOG, Database
from tests.integration.ledger_town import HOLD, LIMITS, RULES, WEEKLY
from tests.unit.render.builders import PUBLICATION, skeleton

THURSDAY = datetime(2025, 9, 4, 9, 0, tzinfo=UTC)
SUNDAY = datetime(2025, 9, 7, 17, 0, tzinfo=UTC)  # 18:00 in London
MONDAY = datetime(2025, 9, 8, 9, 0, tzinfo=UTC)
MEETING_AT = datetime(2025, 9, 16, 17, 0, tzinfo=UTC)
KEY = "s" * 40
SIGNER = Signer("k" * 40)
BASE = PUBLICATION.base_url
_LINK = re.compile(rf"{re.escape(BASE)}/([\w/-]+)")


def printer(kind: RunKind, facts: NoticeFacts) -> Page:
    """The packaged templates."""
    return render_notice(kind, facts, skeleton())


@dataclass
class PostOffice:
    """Database, outbox and clock; ``sender`` may be another one."""

    database: Database
    folder: Path
    now: datetime = THURSDAY
    sender: Any = None
    dead: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.sender = self.sender or Outbox(self.folder, batch_size=2)
        with self.database.write() as connection:
            for slug in ("aber", "bury"):
                councils.add_council(connection, Council(slug, slug.title()), now=self.now)

    # --- readers

    def add(
        self,
        address: str,
        *slugs: str,
        state: SubscriberState = SubscriberState.ACTIVE,
        at_once: bool = False,
        source: str = "web",
        **wishes: Any,
    ) -> int:
        """A reader of these councils (aber when none is named)."""
        profile = profile_of(councils=slugs or ("aber",), **wishes)
        with self.database.write() as connection:
            id_ = subscribers.add_subscriber(
                connection,
                address,
                name="",
                profile=profile,
                schedule=WEEKLY,
                state=state,
                start_mark=0,
                consent=None,
                source=source,
                now=self.now,
            )
            subscribers.set_at_once(connection, id_, is_wished=at_once)
        return id_

    def pending(self, address: str, *slugs: str, **more: Any) -> int:
        """Somebody who has still to confirm."""
        return self.add(address, *slugs, state=SubscriberState.PENDING, **more)

    def suppress(self, address: str, reason: str) -> None:
        """An address that must not be mailed."""
        with self.database.write() as connection:
            suppressions.suppress(connection, address, key=KEY, reason=reason, evidence=None, now=self.now)

    def end(self, id_: int, state: SubscriberState) -> None:
        """Somebody leaves or is suppressed."""
        with self.database.write() as connection:
            subscribers.end(connection, id_, state=state, reason="test", now=self.now)

    def activate(self, id_: int) -> None:
        """Somebody confirmed."""
        with self.database.write() as connection:
            subscribers.activate(connection, id_, start_mark=0, now=self.now)

    def pause(self, id_: int) -> None:
        """Somebody pauses."""
        with self.database.write() as connection:
            subscribers.pause(connection, id_, until=None)

    def reader(self, id_: int) -> subscribers.Subscriber:
        """Somebody as stored."""
        with self.database.read() as connection:
            found = subscribers.subscriber_by_id(connection, id_)
        assert found is not None
        return found

    # --- meetings

    def tell(
        self,
        status: MeetingStatus = MeetingStatus.SCHEDULED,
        *,
        starts_at: datetime = MEETING_AT,
        committee: str = "Planning",
        council: str = "aber",
    ) -> None:
        """The council's feed says this of the committee's one meeting."""
        sighting = Sighting(
            committee=committee,
            title=committee,
            starts_at=starts_at,
            starts_on=starts_at.date(),
            status=status,
            url=f"https://{council}.example/{committee}",
            external_id=f"{council}:{committee}",
            says_status=True,
        )
        with self.database.write(lock=LOCK_LOG) as connection:
            poll.take_in(connection, council, ParsedFeed("test", council, (sighting,)), now=self.now)

    # --- sending

    def works(self, holder: str = "one") -> Works:
        """What runs and wishes work with."""
        desk = Desk(
            sender=self.sender,
            publication=PUBLICATION,
            signer=SIGNER,
            holder=holder,
            clock=lambda: self.now,
            is_alive=lambda name: name not in self.dead,
            claim_size=100,
            hold=HOLD,
        )
        return Works(
            self.database,
            lambda edition: render_page(edition, skeleton()),
            RULES,
            LIMITS,
            desk,
            pause=self._wait,
            notices=Notices(printer, KEY),
        )

    def _wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def send(self, holder: str = "one") -> Mapping[str, int]:
        """Hand over the notices that may go now."""
        return send_pending(self.works(holder))

    def run(self) -> list[RunReport]:
        """`digest run`."""
        return run_due(self.works(), patience=timedelta(seconds=1))

    def at(self, now: datetime) -> PostOffice:
        """The same place at another time."""
        self.now = now
        return self

    # --- what arrived

    def letters(self) -> list[EmailMessage]:
        """Every letter in the outbox, in the order of runs."""
        files = sorted(self.folder.rglob("*.eml"), key=lambda p: (int(p.parent.name), p.name))
        return [_parsed(file) for file in files]

    def to(self, address: str) -> list[EmailMessage]:
        """Letters to one address."""
        return [letter for letter in self.letters() if letter["To"] == address]

    def one(self, address: str) -> EmailMessage:
        """The only letter to an address."""
        (letter,) = self.to(address)
        return letter

    def rows(self, query: str, **values: Any) -> list[Any]:
        """For what no letter shows."""
        with self.database.read() as connection:
            return list(connection.execute(text(query), values).all())


def _parsed(file: Path) -> EmailMessage:
    letter = message_from_bytes(file.read_bytes(), policy=default)
    assert isinstance(letter, EmailMessage)
    return letter


def words_of(letter: EmailMessage, kind: str = "plain") -> str:
    """A part of the letter, on one line."""
    body = letter.get_body((kind,))
    assert body is not None
    return re.sub(r"\s+", " ", str(body.get_content()))


def links_in(letter: EmailMessage, kind: str = "plain") -> dict[str, str]:
    """Path -> token of the letter's links to the service (``agree/move`` -> token)."""
    body = letter.get_body((kind,))
    assert body is not None
    found = (path.rpartition("/") for path in _LINK.findall(str(body.get_content())))
    return {path: token for path, _, token in found}


def subject_of(token: str, purpose: Purpose, *, now: datetime) -> int:
    """Whom or what a link is about."""
    return SIGNER.read(token, purpose, today=now.date()).subject_id


WELSH: dict[str, Any] = {"language": "cy"}
TEXT: dict[str, Any] = {"format": Format.TEXT}
