"""A small town for tests of the ledger: two councils, readers and news, a sender that only records."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from digest import slots
from digest.compose.profile import profile_of
from digest.links import Signer
from digest.model import (
    Council,
    Origin,
    Profile,
    Publication,
    RunState,
    Schedule,
    SubscriberState,
    Summary,
)
from digest.pipeline import compose, dispatch, plan, publish
from digest.pipeline.holder import Desk
from digest.pipeline.identity import url_key
from digest.pipeline.run import RunReport, Works, run_due
from digest.store import councils, invariants, publications, runs, subscribers, summaries
from digest.store.database import Database
from digest.store.runs import Run
from digest.store.types import ENDED_OF_CODE
from digest.testing import RecordingSender, Said, letters_of, plain_page, said_in

THURSDAY = datetime(2025, 9, 4, 9, 0, tzinfo=UTC)
SUNDAY = datetime(2025, 9, 7, 17, 0, tzinfo=UTC)  # 18:00 in London
WEEK = timedelta(days=7)
HOLD = timedelta(minutes=5)
WEEKLY = slots.schedule_of("weekly", "sunday", "18:00", "Europe/London")
RULES = plan.Rules(
    send_between=slots.window_of("06:00-22:00"),
    stale_after=timedelta(hours=48),
    batch_size=2,
    start_back_days=3,
)
LIMITS = compose.Limits(
    horizon=timedelta(days=14),
    look_back=timedelta(days=28),
    full_items=5,
    max_items=40,
    silent_after=timedelta(days=30),
)
PUBLICATION = Publication(name="Test", from_address="digest@test.example", base_url="https://test.example")


@dataclass
class Town:
    """Everything a story needs; ``now`` is moved by hand. Readers are their row ids."""

    database: Database
    sender: RecordingSender = field(default_factory=lambda: RecordingSender(is_repeatable=False))
    now: datetime = THURSDAY
    dead: set[str] = field(default_factory=set)
    is_new: bool = True  # False: another process made it

    def __post_init__(self) -> None:
        if not self.is_new:
            return
        with self.database.write() as connection:
            for slug in ("aber", "bury"):
                councils.add_council(connection, Council(slug, slug.title()), now=self.now)

    # --- news and readers ----------------------------------------------------------------------------

    def publish(self, number: int, *, slug: str = "aber", words: str = "First words") -> str:
        """Publish a summary of that meeting (again: a correction); returns its item."""
        starts_at = datetime(2025, 9, 3, 10, number, tzinfo=UTC)
        url = f"https://{slug}.example/{number}"
        summary = Summary(
            council=slug,
            committee="Planning",
            starts_at=starts_at,
            starts_on=starts_at.date(),
            origin=Origin.HUMAN,
            lead=words,
            title=f"Meeting {number}",
            url=url,
        )
        publish.take_in(
            self.database,
            summary,
            url_key=url_key(url),
            now=self.now,
            archive_after=timedelta(days=365),
        )
        with self.database.read() as connection:
            query = text("SELECT item FROM publication ORDER BY seq DESC LIMIT 1")
            return str(connection.execute(query).scalar_one())

    def withdraw(self, number: int) -> None:
        """Withdraw the summary of that meeting."""
        with self.database.read() as connection:
            found = summaries.stored_summaries(connection)
            query = text("SELECT id FROM meeting WHERE url LIKE :u")
            meeting = connection.execute(query, {"u": f"%/{number}"}).scalar_one()
        id_ = next(one.id for one in found if one.meeting_id == meeting)
        publish.withdraw(self.database, id_, why="a mistake", now=self.now)

    def subscribe(
        self, n: int = 1, *, wishes: Profile | None = None, schedule: Schedule = WEEKLY
    ) -> list[int]:
        """So many new readers with these wishes (default: all of aber)."""
        with self.database.read() as connection:
            total = sum(subscribers.state_counts(connection).values())
        addresses = [f"reader{total + i}@test.example" for i in range(n)]
        return self.subscribe_at(*addresses, wishes=wishes, schedule=schedule)

    def subscribe_at(
        self, *addresses: str, wishes: Profile | None = None, schedule: Schedule = WEEKLY
    ) -> list[int]:
        """New readers with these addresses."""
        with self.database.write() as connection:
            return [
                subscribers.add_subscriber(
                    connection,
                    address,
                    name="",
                    profile=wishes or following("aber"),
                    schedule=schedule,
                    state=SubscriberState.ACTIVE,
                    start_mark=0,
                    consent=None,
                    source="test",
                    now=self.now,
                )
                for address in addresses
            ]

    def set_wishes(self, reader: int, wishes: Profile) -> None:
        """Change somebody's wishes."""
        with self.database.write() as connection:
            subscribers.set_wishes(connection, reader, wishes, source="test", now=self.now)

    def pause(self, reader: int) -> None:
        """Somebody pauses."""
        with self.database.write() as connection:
            subscribers.pause(connection, reader, until=None)

    def end(self, reader: int, state: SubscriberState) -> None:
        """Somebody leaves or is suppressed."""
        with self.database.write() as connection:
            subscribers.end(connection, reader, state=state, reason="test", now=self.now)

    # --- runs ---------------------------------------------------------------------------------------------

    def works(self, holder: str = "one", *, claim_size: int = 100) -> Works:
        """What a run needs, as that holder."""
        desk = self.desk(holder, claim_size=claim_size)
        return Works(self.database, plain_page, RULES, LIMITS, desk, pause=self._wait)

    def desk(self, holder: str = "one", *, claim_size: int = 100) -> Desk:
        """What dispatch needs, as that holder."""
        return Desk(
            sender=self.sender,
            publication=PUBLICATION,
            signer=Signer("k" * 40),
            holder=holder,
            clock=lambda: self.now,
            is_alive=lambda name: name not in self.dead,
            claim_size=claim_size,
            hold=HOLD,
        )

    def at(self, now: datetime) -> Town:
        """The same town at another time."""
        self.now = now
        return self

    def run(self, holder: str = "one") -> list[RunReport]:
        """`digest run`, waiting two seconds for others; the town's clock waits, the test does not."""
        return run_due(self.works(holder), patience=timedelta(seconds=2))

    def _wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def planned(self, at: datetime = SUNDAY) -> Run:
        """The one run that is due then, planned and composed, nothing handed over."""
        self.now = at
        (run,) = plan.open_due_runs(self.database, now=self.now, rules=RULES)
        self.plan(run)
        self.compose(run)
        return self.again(run)

    def plan(self, run: Run) -> bool:
        """Plan it."""
        return plan.plan(self.database, run, rules=RULES, now=self.now)

    def compose(self, run: Run) -> None:
        """Compose what waits for its words."""
        compose.compose(self.database, run, printer=plain_page, limits=LIMITS, now=self.now)

    def dispatch(self, run: Run, holder: str = "one", *, claim_size: int = 100) -> dispatch.Handed:
        """Hand over what is ready, and close the run if that was all."""
        handed = dispatch.dispatch(self.database, run, self.desk(holder, claim_size=claim_size))
        dispatch.complete(self.database, run, now=self.now)
        return handed

    def resume(self, run: Run) -> None:
        """An operator lets a paused run go on."""
        with self.database.write() as connection:
            runs.resume_run(connection, run.id)

    def again(self, run: Run) -> Run:
        """The run as it is stored now."""
        with self.database.read() as connection:
            return runs.run_by_id(connection, run.id)

    def state(self, run: Run) -> RunState:
        """The run's state now."""
        return self.again(run).state

    # --- what became of it ---------------------------------------------------------------------------------

    def letters(self) -> dict[int, list[Said]]:
        """Reader -> what each letter to them said, in order of arrival."""
        found: dict[int, list[Said]] = {}
        for _, reader, request in letters_of(self.sender.arrived):
            found.setdefault(reader, []).append(said_in(request.page))
        return found

    def ranges(self, reader: int) -> list[tuple[int, int, str]]:
        """(from_seq, upto_seq, standing) of every delivery to a reader, by run."""
        rows = self.rows(
            "SELECT d.from_seq, d.upto_seq, d.ended, "
            "CASE WHEN e.composed_at IS NOT NULL AND e.page_id IS NULL THEN 'empty' ELSE b.state END "
            "FROM delivery d JOIN batch b ON b.id = d.batch_id JOIN edition e ON e.id = d.edition_id "
            "WHERE d.subscriber_id = :reader ORDER BY d.run_id",
            reader=reader,
        )
        return [(low, high, str(ENDED_OF_CODE[code] if code else state)) for low, high, code, state in rows]

    def mark(self, reader: int) -> int:
        """How far the log counts as said to a reader."""
        return int(self.rows("SELECT covered_seq FROM subscriber WHERE id = :id", id=reader)[0][0])

    def last_seq(self) -> int:
        """The newest line of the log."""
        with self.database.read() as connection:
            return publications.last_seq(connection)

    def counts(self, run: Run) -> dict[str, int]:
        """How the run's deliveries stand, without what is zero."""
        with self.database.read() as connection:
            found = runs.run_counts(connection, run.id)
        return {name: n for name, n in found.items() if n}

    def rows(self, query: str, **values: Any) -> list[Any]:
        """The answer to a query, as plain tuples."""
        with self.database.read() as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def broken(self) -> list[str]:
        """What is wrong with the ledger."""
        with self.database.read() as connection:
            return invariants.broken(connection)


def following(*slugs: str) -> Profile:
    """The wishes of who follows all of these councils."""
    return profile_of(councils=slugs)
