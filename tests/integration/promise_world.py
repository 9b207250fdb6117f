"""The world of the promise stories: a real ledger and pipeline, a recording sender, a clock in the hand.

It acts and keeps a plain memory of what happened (steps, texts, wishes, states); it judges nothing.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import text

from digest import slots
from digest.compose.profile import profile_of
from digest.links import Signer
from digest.model import (
    Council,
    Document,
    DocumentKind,
    MeetingStatus,
    Origin,
    Outcome,
    Outgoing,
    ParsedFeed,
    Profile,
    Publication,
    RunState,
    Sighting,
    SubscriberState,
    Summary,
    Support,
)
from digest.pipeline import compose, plan, poll, publish
from digest.pipeline.holder import Desk
from digest.pipeline.identity import url_key
from digest.store import councils, meetings, runs, subscribers
from digest.store.database import LOCK_LOG, Database
from digest.store.runs import Run
from digest.store.types import from_stored
from digest.testing import KilledError, RecordingSender, plain_page
from tests.integration.promise_model import Delivery, Line, Reader, Wishes

START = datetime(2025, 9, 4, 9, 0, tzinfo=UTC)
SLUGS = ("aber", "bury", "crewe")
COMMITTEES = ("Planning", "Audit")
ALL_KINDS = frozenset({"decisions", "coming_up", "papers", "changes"})
LOOK_BACK = timedelta(days=28)
HOLD = timedelta(minutes=2)
START_BACK_DAYS = 3

WISHES = (
    Wishes(frozenset({"aber"}), ALL_KINDS),
    Wishes(frozenset({"aber", "bury"}), ALL_KINDS),
    Wishes(frozenset(SLUGS), frozenset({"decisions"})),
    Wishes(frozenset({"bury"}), frozenset({"coming_up", "papers"}), only="Planning"),
    Wishes(frozenset({"bury", "crewe"}), frozenset({"changes", "decisions"})),
    Wishes(frozenset({"aber"}), ALL_KINDS, never="parking", quiet_note=True),
    Wishes(frozenset({"crewe"}), ALL_KINDS, but="Audit"),
)
SCHEDULES = {
    "weekly": slots.schedule_of("weekly", "sunday", "18:00", "Europe/London"),
    "daily": slots.schedule_of("daily", "", "18:00", "Europe/London"),
    "wednesday": slots.schedule_of("weekly", "wednesday", "07:00", "Europe/London"),
}


def profile_for(wishes: Wishes) -> Profile:
    names = [(w, c) for w, c in (("", wishes.only), ("-", wishes.but)) if c is not None]
    return profile_of(
        councils=wishes.councils,
        committees=[f"{sign}{slug}/{name}" for sign, name in names for slug in wishes.councils],
        keywords=[f"-{wishes.never}"] if wishes.never else [],
        kinds=wishes.kinds,
        quiet_note=wishes.quiet_note,
    )


MORNING = slots.schedule_of("daily", "", "07:00", "Europe/London")
WISHES_OF = {profile_for(wishes).fingerprint: wishes for wishes in WISHES}
RULES = plan.Rules(
    send_between=slots.window_of("06:00-22:00"),
    stale_after=timedelta(hours=48),
    batch_size=2,
    start_back_days=START_BACK_DAYS,
)
LIMITS = compose.Limits(
    horizon=timedelta(days=14),
    look_back=LOOK_BACK,
    full_items=2,
    max_items=3,
    silent_after=timedelta(days=30),
)
PUBLICATION = Publication(name="Test", from_address="digest@test.example", base_url="https://test.example")


class World:
    """Three councils of which one has limited support, readers, and whatever is done to them."""

    def __init__(self, *, is_repeatable: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="digest-promise-"))
        self.database = Database(f"sqlite:///{self.folder / 'digest.db'}")
        (self.folder / "digest.db").write_bytes(migrated())
        self.is_repeatable = is_repeatable
        self.now = START
        self.hold = HOLD
        self.step = 0
        self.log: list[Line] = []
        self.readers: dict[int, Reader] = {}
        self.states: dict[int, list[tuple[int, str]]] = {}
        self.texts: dict[str, list[tuple[int, str]]] = {}
        self.withdrawn: dict[str, int] = {}
        self.claimed: dict[int, int] = {}
        self.dead: set[str] = set()
        self.holders = 0
        self.sender = RecordingSender(is_repeatable=is_repeatable)
        self.checked = 0
        self.arrived: Counter[tuple[int, int]] = Counter()
        with self.database.write() as connection:
            for slug in SLUGS:
                support = Support.LIMITED if slug == "crewe" else Support.FULL
                council = Council(slug=slug, name=slug.title(), support=support)
                councils.add_council(connection, council, now=self.now)

    def close(self) -> None:
        """Forget the world."""
        self.database.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def publish(self, number: int, days: int, body: str) -> None:
        self.step += 1
        known = self.meeting_of(number)
        starts_at = self.start_of(number, days) if known is None else known.starts_at
        summary = Summary(
            council=SLUGS[number % 3],
            committee=COMMITTEES[number % 2],
            starts_at=starts_at,
            starts_on=starts_at.date(),
            origin=Origin.HUMAN,
            lead=body,
            title=title_of(number),
            url=url_of(number),
        )
        taken = publish.take_in(
            self.database,
            summary,
            url_key=url_key(url_of(number)),
            now=self.now,
            archive_after=timedelta(days=60),
        )
        self.read_the_log()
        self.note_text(number, body, is_said=taken.line is not None)

    def withdraw(self, number: int) -> None:
        self.step += 1
        with self.database.read() as connection:
            query = text(
                "SELECT s.id, m.id FROM summary s JOIN meeting m ON m.id = s.meeting_id WHERE m.url = :u"
            )
            found = connection.execute(query, {"u": url_of(number)}).one_or_none()
        if found is not None:
            publish.withdraw(self.database, found[0], why="a mistake", now=self.now)
            self.withdrawn[f"summary:{found[1]}"] = self.step
            self.read_the_log()

    def sight(self, number: int, days: int, status: MeetingStatus, papers: int) -> None:
        self.step += 1
        starts_at = self.start_of(number, days)
        sighting = Sighting(
            committee=COMMITTEES[number % 2],
            title=title_of(number),
            starts_at=starts_at,
            starts_on=starts_at.date(),
            status=status,
            url=url_of(number),
            external_id=str(number),
            published_at=self.now,
            documents=tuple(
                Document(DocumentKind.AGENDA, f"Paper {n}", f"{url_of(number)}/{n}") for n in range(papers)
            ),
        )
        slug = SLUGS[number % 3]
        with self.database.write(lock=LOCK_LOG) as connection:
            poll.take_in(connection, slug, ParsedFeed("test", "Test", (sighting,)), now=self.now)
        self.read_the_log()

    def somebody_joins(self, wishes: Wishes, schedule: str) -> None:
        self.step += 1
        profile = profile_for(wishes)
        with self.database.write() as connection:
            mark = self.start_mark(connection)
            id_ = subscribers.add_subscriber(
                connection,
                f"reader{len(self.readers)}@test.example",
                name="",
                profile=profile,
                schedule=SCHEDULES[schedule],
                state=SubscriberState.ACTIVE,
                start_mark=mark,
                consent=None,
                source="test",
                now=self.now,
            )
        self.readers[id_] = Reader(
            id_, "active", schedule, self.now, mark, [(self.step, profile.fingerprint)]
        )
        self.states[id_] = [(self.step, "active")]

    def change_wishes(self, reader: Reader, wishes: Wishes) -> None:
        self.step += 1
        profile = profile_for(wishes)
        with self.database.write() as connection:
            subscribers.set_wishes(connection, reader.id, profile, source="test", now=self.now)
        reader.wishes.append((self.step, profile.fingerprint))

    def change_schedule(self, reader: Reader, schedule: str) -> None:
        self.step += 1
        with self.database.write() as connection:
            subscribers.set_schedule(connection, reader.id, SCHEDULES[schedule], now=self.now)
        if schedule != reader.schedule:
            reader.schedule, reader.due_from = schedule, self.now

    def move(self, reader: Reader, what: str) -> None:
        self.step += 1
        with self.database.write() as connection:
            if what == "pause" and reader.state == "active":
                subscribers.pause(connection, reader.id, until=None)
                reader.state = "paused"
            elif what == "resume" and reader.state == "paused":
                subscribers.resume(connection, reader.id, now=self.now)
                reader.state, reader.due_from = "active", self.now
            elif what == "leave" and reader.state in ("active", "paused"):
                subscribers.end(
                    connection, reader.id, state=SubscriberState.LEFT, reason="asked", now=self.now
                )
                reader.state = "left"
            elif what == "suppress" and reader.state != "suppressed":
                subscribers.end(
                    connection, reader.id, state=SubscriberState.SUPPRESSED, reason="bounced", now=self.now
                )
                reader.state = "suppressed"
            elif what == "return" and reader.state == "left":
                self.comes_back(connection, reader)
        self.states[reader.id].append((self.step, reader.state))

    def comes_back(self, connection: Any, reader: Reader) -> None:
        before = self.mark_of(connection, reader)
        mark = self.start_mark(connection)
        subscribers.activate(connection, reader.id, start_mark=mark, now=self.now)
        assert self.mark_of(connection, reader) == max(before, mark), "who returns starts at the later mark"
        if mark > before:
            reader.floor = mark
        reader.state, reader.due_from = "active", self.now

    def compose_run(self, run: Run, *, is_killed: bool = False) -> None:
        if run.state in (RunState.PAUSED, RunState.CANCELLED):
            return
        printed = iter(range(100))

        def printer(edition: Any) -> Any:
            if is_killed and next(printed) > 0:
                raise KilledError
            return plain_page(edition)

        with suppress(KilledError):
            compose.compose(self.database, run, printer=printer, limits=LIMITS, now=self.now)

    def die(self) -> None:
        """The process that sends now is killed: not even what stands in its ``finally`` is done."""
        self.dead.add(f"holder-{self.holders}")
        raise KilledError

    def deliveries(self) -> list[Delivery]:
        query = text(
            "SELECT d.run_id, d.subscriber_id, d.from_seq, d.upto_seq, d.ended, b.state, "
            "e.composed_at IS NOT NULL AND e.page_id IS NULL FROM delivery d "
            "LEFT JOIN batch b ON b.id = d.batch_id LEFT JOIN edition e ON e.id = d.edition_id"
        )
        with self.database.read() as connection:
            return [
                Delivery(run, reader, low, high, runs.standing_of(code, state, is_empty=bool(empty)))
                for run, reader, low, high, code, state, empty in connection.execute(query)
            ]

    def note_claims(self, begun: int) -> None:
        """Remember since when a letter may have left: a claim that came back unsent never was one."""
        with self.database.read() as connection:
            query = text("SELECT id, claimed_at IS NOT NULL FROM batch WHERE state <> 'handed_over'")
            for id_, is_claimed in connection.execute(query):
                if is_claimed:
                    self.claimed.setdefault(id_, begun)
                else:
                    self.claimed.pop(id_, None)

    def read_the_log(self) -> None:
        query = text(
            "SELECT p.seq, p.kind, p.item, c.slug, p.meeting_id, p.published_at FROM publication p "
            "JOIN council c ON c.id = p.council_id WHERE p.seq > :last ORDER BY p.seq"
        )
        last = self.log[-1].seq if self.log else 0
        with self.database.read() as connection:
            for seq, kind, item, slug, meeting_id, at in connection.execute(query, {"last": last}).all():
                known = meetings.meeting_by_id(connection, meeting_id)
                assert known is not None
                line = Line(seq, kind, item, slug, known.committee, known.title, from_stored(at))
                self.log.append(line)

    def note_text(self, number: int, body: str, *, is_said: bool) -> None:
        known = self.meeting_of(number)
        assert known is not None
        item = f"summary:{known.id}"
        if is_said or item not in self.texts:
            self.texts.setdefault(item, []).append((self.step, body))
        if is_said:
            self.withdrawn.pop(item, None)

    def is_unmailed(self, line: Line) -> bool:
        return line.council == "crewe" and line.kind in ("summary", "correction")

    def was_withdrawn_after(self, item: str, upto_seq: int) -> bool:
        return any(x.item == item and x.kind == "withdrawal" and x.seq > upto_seq for x in self.log)

    def meeting_of(self, number: int) -> Any:
        with self.database.read() as connection:
            id_ = connection.execute(
                text("SELECT id FROM meeting WHERE url = :u ORDER BY id LIMIT 1"), {"u": url_of(number)}
            ).scalar()
            return None if id_ is None else meetings.meeting_by_id(connection, id_)

    def start_of(self, number: int, days: int) -> datetime:
        return (self.now + timedelta(days=days)).replace(hour=10 + number, minute=0, second=0)

    def mark_of(self, connection: Any, reader: Reader) -> int:
        query = text("SELECT covered_seq FROM subscriber WHERE id = :id")
        return int(connection.execute(query, {"id": reader.id}).scalar_one())

    def start_mark(self, connection: Any) -> int:
        mark = plan.start_mark(connection, now=self.now, timezone="Europe/London", back_days=START_BACK_DAYS)
        local = self.now.astimezone(slots.zone_of("Europe/London"))
        day = (local - timedelta(days=START_BACK_DAYS)).date()
        known = [x.seq for x in self.log if x.published_at.astimezone(local.tzinfo).date() < day]
        assert mark == max(known, default=0)
        return mark

    def schedule_ids(self) -> dict[str, int]:
        query = text("SELECT id, cadence, day FROM schedule")
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        names = {(s.cadence.value, s.day): name for name, s in SCHEDULES.items()}
        return dict.fromkeys(SCHEDULES, -1) | {names[cadence, day]: id_ for id_, cadence, day in rows}

    def run_of(self, run_id: int) -> Run:
        with self.database.read() as connection:
            return runs.run_by_id(connection, run_id)

    def desk(self, holder: str, claim_size: int) -> Desk:
        def clock() -> datetime:
            if holder in self.dead:
                raise KilledError
            return self.now

        return Desk(
            sender=self.sender,
            publication=PUBLICATION,
            signer=Signer("k" * 40),
            holder=holder,
            clock=clock,
            is_alive=lambda name: name not in self.dead,
            claim_size=claim_size,
            hold=self.hold,
        )


def title_of(number: int) -> str:
    return "Parking review" if number == 3 else f"Meeting {number}"


def url_of(number: int) -> str:
    return f"https://{SLUGS[number % 3]}.example/{number}"


def nothing(outgoing: Outgoing) -> Outcome | None:
    """What a sender does first when the test wants nothing special."""
    return None


@cache
def migrated() -> bytes:
    """An empty migrated database file, made once for all stories."""
    with tempfile.TemporaryDirectory(prefix="digest-promise-") as folder:
        database = Database(f"sqlite:///{folder}/digest.db")
        database.upgrade()
        database.close()
        return (Path(folder) / "digest.db").read_bytes()
