"""A year in minutes: the scheduler's own lanes under an injected clock, beside a model of a few lines.

Readers of every cadence in four time zones, both daylight-saving changes, slots in the gap and in the doubled
hour, pauses with a last day, news at random, outages of hours and days, and a sender that dies now and then.
The model knows no table: it says which news each letter to each reader must hold.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from digest.compose.profile import profile_of
from digest.model import Council, Edition, Origin, Outgoing, Page, Schedule, SubscriberState, Summary
from digest.pipeline import publish
from digest.pipeline.identity import url_key
from digest.settings import load_settings
from digest.slots import schedule_of
from digest.store import councils, invariants, subscribers
from digest.testing import KilledError, RecordingSender, plain_page, said_in
from digest.wiring import Hall
from scheduler.lanes import Lane
from scheduler.steps import HOUSE, LETTERS, Bench

FIRST = datetime(2027, 12, 30, 12, tzinfo=UTC)
"""The year has a leap day."""
LOOK_EVERY = timedelta(hours=3)
ZONES = ("Europe/London", "America/New_York", "Australia/Adelaide", "Asia/Kathmandu")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SORTS = (
    ("weekly", "sunday", "18:00"),
    ("weekly", "sunday", "01:30"),
    ("weekly", "sunday", "02:30"),
    ("daily", "", "07:15"),
    ("daily", "", "02:00"),
    ("fortnightly", "tuesday", "12:45"),
    ("monthly", "28", "21:30"),
    ("monthly", "first sunday", "18:00"),
    ("monthly", "last friday", "08:00"),
)
LATE = {"daily": 12, "weekly": 84, "fortnightly": 168, "monthly": 336}
LOOK_BACK = timedelta(days=28)
OPENS, CLOSES = time(6), time(22)
KEY = "k" * 40


@dataclass
class Told:
    """What came out, and what is wrong with it."""

    letters: int = 0
    outages: int = 0
    doubles: int = 0
    missing: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass
class Reader:
    """One reader as the model sees them. ``paused``: from when, and the day on which it ends."""

    id: int
    schedule: Schedule
    since: datetime
    paused: tuple[datetime, date] | None = None
    next_news: int = 0
    due: list[frozenset[int]] = field(default_factory=list)

    def is_away(self, slot: datetime, at: datetime) -> bool:
        """Whether a letter of that slot, planned then, is not theirs."""
        if slot < self.since:
            return True
        if self.paused is None or at < self.paused[0]:
            return False
        zone = ZoneInfo(self.schedule.timezone)
        back = datetime.combine(self.paused[1], time(), tzinfo=zone).astimezone(UTC)
        return at < back or slot < back


class PlainHall(Hall):
    """A hall whose letters hold what an edition says, and nothing else."""

    def printer(self, edition: Edition) -> Page:
        """An edition as JSON."""
        return plain_page(edition)


class Year:
    """The program's side: one town, a clock in the hand, a sender that keeps what it was given."""

    def __init__(self, url: str, folder: Path, *, seed: int) -> None:
        self.dice = random.Random(seed)
        self.now = FIRST
        self.sender = RecordingSender(batch_size=5, before=self._may_die)
        toml = f'database_url = "{url}"\nsecret_key = "{KEY}"\nsuppression_key = "{KEY}"\n[outbox]\n'
        settings = load_settings(None, {}, toml_text=f'{toml}directory = "{folder / "outbox"}"')
        self.hall = PlainHall(settings, lambda: self.now)
        self.hall.sender = self.sender
        self.hall.database.upgrade()
        self.numbers: dict[str, int] = {}
        with self.hall.database.write() as connection:
            councils.add_council(connection, Council("aber", "Aber"), now=self.now)

    def _may_die(self, outgoing: Outgoing) -> None:
        if self.dice.random() < 0.01:
            raise KilledError("killed before the letters arrived")

    def join(self, n: int) -> list[Reader]:
        """Readers of every sort in every zone."""
        found = []
        with self.hall.database.write() as connection:
            for at in range(n):
                cadence, day, clock = SORTS[at % len(SORTS)]
                schedule = schedule_of(cadence, day, clock, ZONES[at // len(SORTS) % len(ZONES)])
                id_ = subscribers.add_subscriber(
                    connection,
                    f"reader{at}@test.example",
                    name="",
                    profile=profile_of(councils=["aber"]),
                    schedule=schedule,
                    state=SubscriberState.ACTIVE,
                    start_mark=0,
                    consent=None,
                    source="test",
                    now=self.now,
                )
                found.append(Reader(id_, schedule, self.now))
        return found

    def publish(self, number: int) -> None:
        """One more piece of news."""
        starts_at = self.now - timedelta(days=1)
        url = f"https://aber.example/{number}"
        news = Summary(
            council="aber",
            committee="Planning",
            starts_at=starts_at,
            starts_on=starts_at.date(),
            origin=Origin.HUMAN,
            lead=f"News {number}.",
            url=url,
        )
        key = url_key(url)
        taken = publish.take_in(
            self.hall.database, news, url_key=key, now=self.now, archive_after=timedelta(days=60)
        )
        # Every summary here makes its meeting, so both have one number.
        self.numbers[f"summary:{taken.id}"] = number

    def pause(self, reader: Reader, until: date) -> None:
        """Somebody goes away until a day."""
        with self.hall.database.write() as connection:
            subscribers.pause(connection, reader.id, until=until)
        reader.paused = (self.now, until)

    def look(self) -> None:
        """A scheduler that has just been started looks once."""
        for name in (HOUSE, LETTERS):
            Lane(name, Bench(self.hall)).turn()

    def got(self) -> dict[int, list[frozenset[int]]]:
        """What each letter to each reader said."""
        found: dict[int, list[frozenset[int]]] = defaultdict(list)
        for outgoing in self.sender.arrived:
            said = said_in(outgoing.page)
            news = frozenset(self.numbers[item] for item in said.items)
            for one in outgoing.recipients:
                found[one.subscriber_id].append(news)
        return found


def simulate(url: str, folder: Path, *, readers: int, days: int, seed: int) -> Told:
    """So many days; what came out against what the model says."""
    with _silence():
        return _simulate(url, folder, readers=readers, days=days, seed=seed)


@contextmanager
def _silence() -> Iterator[None]:
    """No log of the outages that are meant to be; whoever runs next in this process logs as before."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        yield
    finally:
        structlog.configure(**before)


def _simulate(url: str, folder: Path, *, readers: int, days: int, seed: int) -> Told:
    told = Told()
    year = Year(url, folder, seed=seed)
    people = year.join(readers)
    model = Model(people)
    news = 0
    last = FIRST
    for at in _looks(year.dice, days, told):
        # News comes all the time, also while nobody looks.
        pieces = sum(year.dice.random() < 0.12 for _ in range((at - last) // LOOK_EVERY))
        for moment in sorted(year.dice.random() for _ in range(pieces)):
            year.now = last + (at - last) * moment
            year.publish(news)
            model.published.append(year.now)
            news += 1
        last = year.now = at
        if year.dice.random() < 0.02:
            someone = year.dice.choice(people)
            if someone.paused is None:
                zone = ZoneInfo(someone.schedule.timezone)
                year.pause(someone, at.astimezone(zone).date() + timedelta(days=year.dice.randint(1, 12)))
        year.look()
        model.look(at, news)
    for _ in range(8):  # what a death put off arrives
        year.now += timedelta(minutes=30)
        year.look()
        model.look(year.now, news)
    _judge(year, people, told)
    year.hall.close()
    return told


def _looks(dice: random.Random, days: int, told: Told) -> Iterator[datetime]:
    """The instants at which a scheduler looks: every three hours or so, with outages of up to five days."""
    at, looks = FIRST + LOOK_EVERY, 0
    while at < FIRST + timedelta(days=days):
        yield at + timedelta(seconds=dice.randrange(3000))
        at, looks = at + LOOK_EVERY, looks + 1
        if dice.random() < 0.01 or looks == 20:  # one at least, however few the days
            told.outages += 1
            at += timedelta(hours=dice.choice((6, 12, 30, 60, 120)))


def _judge(year: Year, people: list[Reader], told: Told) -> None:
    got = year.got()
    for reader in people:
        letters = got.get(reader.id, [])
        told.letters += len(letters)
        said = [number for news in letters for number in news]
        told.doubles += len(said) - len(set(said))
        told.missing += len({number for news in reader.due for number in news} - set(said))
        # A letter that a death put off may arrive after the next one: which news it holds is what counts.
        if sorted(map(sorted, letters)) != sorted(map(sorted, reader.due)):
            is_news = [news for news in letters if news not in reader.due][:2]
            told.faults.append(
                f"reader {reader.id} ({reader.schedule}) got {len(letters)} letters, the model says "
                f"{len(reader.due)}; not in the model: {[sorted(n) for n in is_news]}"
            )
    with year.hall.database.read() as connection:
        told.faults += invariants.broken(connection)


# --- the model ---------------------------------------------------------------------------------------------


class Model:
    """Which news each letter must hold, from the calendar, the looks and the pauses alone."""

    def __init__(self, people: list[Reader]) -> None:
        self.by_schedule: dict[Schedule, list[Reader]] = defaultdict(list)
        for reader in people:
            self.by_schedule[reader.schedule].append(reader)
        self.done: dict[Schedule, datetime] = {}
        self.published: list[datetime] = []

    def look(self, at: datetime, news: int) -> None:
        """Somebody looks, with so many pieces of news published."""
        for schedule, readers in self.by_schedule.items():
            slot = last_slot(schedule, at)
            local = at.astimezone(ZoneInfo(schedule.timezone)).time()
            is_late = at - slot > timedelta(hours=LATE[schedule.cadence])
            if slot == self.done.get(schedule) or is_late or not OPENS <= local < CLOSES:
                continue
            if not any(self._has_someone(reader, slot, at) for reader in readers):
                continue
            self.done[schedule] = slot
            for reader in readers:
                if not reader.is_away(slot, at) and reader.next_news < news:
                    # After a pause what is older is counted in one line, not named.
                    reach = max(LOOK_BACK, 3 * timedelta(hours=LATE[schedule.cadence]))
                    fresh = (n for n in range(reader.next_news, news) if self.published[n] >= at - reach)
                    reader.due.append(frozenset(fresh))
                    reader.next_news = news

    def _has_someone(self, reader: Reader, slot: datetime, at: datetime) -> bool:
        """A slot of which nobody could be a reader makes no run, and may make one later in its time."""
        return not reader.is_away(slot, at)


def last_slot(schedule: Schedule, at: datetime) -> datetime:
    """The latest slot not after an instant: day by day backwards through the local calendar."""
    zone = ZoneInfo(schedule.timezone)
    day = at.astimezone(zone).date() + timedelta(days=1)
    while True:
        if is_day_of(schedule, day):
            slot = instant_of(day, time.fromisoformat(schedule.time), zone)
            if slot <= at:
                return slot
        day -= timedelta(days=1)


def is_day_of(schedule: Schedule, day: date) -> bool:
    """Whether a schedule has a slot on that local day."""
    if schedule.cadence == "daily":
        return True
    if schedule.cadence == "monthly":
        if schedule.day.isdigit():
            return day.day == int(schedule.day)
        which, weekday = schedule.day.split()
        is_weekday = WEEKDAYS[day.weekday()] == weekday
        is_last = (day + timedelta(days=7)).month != day.month
        return is_weekday and (is_last if which == "last" else day.day <= 7)
    is_weekday = WEEKDAYS[day.weekday()] == schedule.day
    weeks = (day - date(1970, 1, 5)).days // 7
    return is_weekday and (schedule.cadence == "weekly" or weeks % 2 == 0)


def instant_of(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The first instant of that local minute; of a minute that does not exist, the first one after it."""
    local = datetime.combine(day, clock)
    while True:
        instant = local.replace(tzinfo=zone).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) == local:
            return instant
        local += timedelta(minutes=1)
