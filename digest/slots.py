"""When a digest comes: schedules, and their slots as UTC instants that move with daylight saving.

Enters: what a reader or an operator wrote (cadence, day, time, time zone), and instants. Leaves: checked
``Schedule`` values and the instants at which they fire. Must never: ask a clock; ``now`` is an argument.

A slot is a *local* time. Where clocks jump over it (01:30 on a March Sunday in London) it fires at the first
instant after the gap; where it comes twice it fires once, the first time. Time zones come from the IANA
database (`zoneinfo`).
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

from digest.errors import SubscriberError
from digest.model import Cadence, Schedule

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ORDINALS = ("first", "second", "third", "fourth", "last")
FIRST_WEEK = date(1970, 1, 5)
"""The Monday from which weeks are counted: fortnightly digests come in the even ones."""

MOST_SLOTS = 1_000
"""No list of slots is longer: nobody needs to know of more than the latest thousand missed ones."""

_LAST_MONTHLY_DAY = 28  # the last day that every month has
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_WINDOW = re.compile(r"\s*([0-9:]+)\s*(?:-|–|to)\s*([0-9:]+)\s*")
_HALF = {
    Cadence.DAILY: timedelta(hours=12),
    Cadence.WEEKLY: timedelta(days=3, hours=12),
    Cadence.FORTNIGHTLY: timedelta(days=7),
    Cadence.MONTHLY: timedelta(days=14),  # half of the shortest month
}


@dataclass(frozen=True, slots=True)
class DueSlots:
    """What one schedule owes: the ``last`` slot makes a run, the ``merged`` earlier ones are recorded."""

    last: datetime | None
    merged: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class SendWindow:
    """The part of the local day in which letters may leave, in minutes after midnight; end not included.

    ``start`` after ``end``: the window runs over midnight.
    """

    start: int
    end: int

    def holds(self, local: datetime) -> bool:
        """True where that local time lies in the window."""
        minute = local.hour * 60 + local.minute
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def __str__(self) -> str:
        return "-".join(f"{m // 60:02}:{m % 60:02}" for m in (self.start, self.end))


# --- reading what people write -----------------------------------------------------------------------


def schedule_of(cadence: str, day: str, time: str, timezone: str) -> Schedule:
    """The schedule so written, in canonical form (equal schedules are equal values).

    ``day``: empty for daily; a weekday for weekly and fortnightly; "1" to "28", or an ordinal and a weekday
    ("first sunday", "last friday"), for monthly. ``time``: HH:MM on a quarter hour.

    Raises: SubscriberError that names the word and what may stand there.
    """
    which = _cadence_of(cadence)
    return Schedule(which, _day_of(which, day), _time_of(time), zone_of(timezone).key)


def schedule_with(
    default: Schedule, *, cadence: str = "", day: str = "", time: str = "", timezone: str = ""
) -> Schedule:
    """The schedule of who wished only a part of it: empty means as in ``default``.

    A default day is carried to another cadence: weekly "sunday" becomes monthly "first sunday", and back.

    Raises: SubscriberError as `schedule_of`.
    """
    which = _cadence_of(cadence or default.cadence)
    if not day:
        day = _carried_day(default.day, which)
    return schedule_of(which, day, time or default.time, timezone or default.timezone)


def window_of(text: str) -> SendWindow:
    """The window written as "06:00-22:00"; "00:00-24:00" is the whole day.

    Raises: SubscriberError with an example.
    """
    match = _WINDOW.fullmatch(text)
    minutes = [_minutes(part) for part in match.groups()] if match else []
    if (
        len(minutes) != 2
        or not (0 <= minutes[0] < 1440 and 0 <= minutes[1] <= 1440)
        or minutes[0] == minutes[1]
    ):
        raise SubscriberError(f'"{text}" is no time of day to send in: write it as "06:00-22:00"')
    return SendWindow(minutes[0], minutes[1])


def zone_of(name: str) -> ZoneInfo:
    """The IANA time zone of that name.

    Raises: SubscriberError with the nearest names.
    """
    found = _zone(name.strip())
    if found is None:
        near = get_close_matches(name, sorted(_zone_names()), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else 'write one as "Europe/London"'
        raise SubscriberError(f'"{name}" is no time zone: {hint}')
    return found


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    # Only listed names: "localtime" would differ from machine to machine.
    return ZoneInfo(name) if name in _zone_names() else None


def _cadence_of(text: str) -> Cadence:
    try:
        return Cadence(text.strip().lower())
    except ValueError:
        raise SubscriberError(f'"{text}" is no cadence: write one of {", ".join(Cadence)}') from None


def _time_of(text: str) -> str:
    minutes = _minutes(text.strip())
    if not 0 <= minutes < 1440 or minutes % 15:
        raise SubscriberError(
            f'"{text}" is no time for a digest: write HH:MM on a quarter hour, such as 18:00 or 07:15'
        )
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _minutes(text: str) -> int:
    """Minutes after midnight, -1 for what is no time; "24:00" is 1440."""
    match = _TIME.fullmatch(text)
    if match is None or int(match[2]) > 59:
        return -1
    return int(match[1]) * 60 + int(match[2])


def _day_of(cadence: Cadence, text: str) -> str:
    day = " ".join(text.lower().split())
    if cadence is Cadence.DAILY:
        if day:
            raise SubscriberError(f'a daily digest has no day: leave "{text}" out, or choose weekly')
        return ""
    if cadence is Cadence.MONTHLY:
        return _monthly_day_of(day, text)
    if day not in WEEKDAYS:
        near = get_close_matches(day, WEEKDAYS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else "write monday, tuesday … or sunday"
        raise SubscriberError(f'"{text}" is no day for a {cadence} digest: {hint}')
    return day


def _monthly_day_of(day: str, text: str) -> str:
    if day.isascii() and day.isdigit() and 1 <= int(day) <= _LAST_MONTHLY_DAY:
        return str(int(day))
    ordinal, _, weekday = day.partition(" ")
    if ordinal in ORDINALS and weekday in WEEKDAYS:
        return day
    raise SubscriberError(
        f'"{text}" is no day for a monthly digest: write 1 to {_LAST_MONTHLY_DAY}, or "first sunday" '
        f"(also second, third, fourth, last)"
    )


def _carried_day(day: str, cadence: Cadence) -> str:
    weekday = next((w for w in WEEKDAYS if day.endswith(w)), "")
    if cadence is Cadence.DAILY:
        return ""
    if cadence is Cadence.MONTHLY:
        return f"first {weekday}" if day == weekday and weekday else day or "first sunday"
    return weekday or "sunday"


# --- slots --------------------------------------------------------------------------------------------


def slots_between(schedule: Schedule, after: datetime, until: datetime) -> list[datetime]:
    """The slots with ``after < slot ≤ until``, in order, in UTC; only the latest `MOST_SLOTS` of them."""
    late_first: list[datetime] = []
    for slot in _slots(schedule, until, step=-1):
        if slot <= after or len(late_first) >= MOST_SLOTS:
            break
        if slot <= until and slot not in late_first[-1:]:
            late_first.append(slot)
    return late_first[::-1]


def next_slot(schedule: Schedule, after: datetime) -> datetime:
    """The first slot later than ``after``."""
    return next(slot for slot in _slots(schedule, after, step=1) if slot > after)


def latest_slot(schedule: Schedule, at: datetime) -> datetime:
    """The last slot not later than ``at``."""
    return next(slot for slot in _slots(schedule, at, step=-1) if slot <= at)


def due_slots(schedule: Schedule, *, after: datetime, now: datetime) -> DueSlots:
    """What fell due later than ``after`` and not later than ``now``: the last slot, and those it merges."""
    slots = slots_between(schedule, after, now)
    return DueSlots(slots[-1], tuple(slots[:-1])) if slots else DueSlots(None)


def late_limit(schedule: Schedule) -> timedelta:
    """Half the cadence: a run later than this after its slot waits for the next allowed time."""
    return _HALF[schedule.cadence]


def next_allowed(at: datetime, send_between: SendWindow, timezone: str) -> datetime:
    """``at`` where letters may leave then, else the next opening of the window in that time zone (UTC)."""
    zone = zone_of(timezone)
    local = at.astimezone(zone)
    if send_between.holds(local):
        return at.astimezone(UTC)
    opens = time(*divmod(send_between.start, 60))
    for day in islice(_every(local.date(), 1), 4):  # a window that falls into a gap opens a day later
        opening = _instant(day, opens, zone)
        if opening > at and send_between.holds(opening.astimezone(zone)):
            return opening
    raise AssertionError("no window of the day stays closed for four days")


def _slots(schedule: Schedule, around: datetime, *, step: int) -> Iterator[datetime]:
    """All slots from about ``around`` on (step 1) or back (step -1); ends where the calendar does."""
    zone = zone_of(schedule.timezone)
    at = time.fromisoformat(schedule.time)
    # Two days' start: a gap can move a slot into the next day (Samoa skipped a whole one).
    start = around.astimezone(zone).date() - timedelta(days=2 * step)
    return (_instant(day, at, zone) for day in _days(schedule, start, step))


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    local = datetime.combine(day, at, tzinfo=zone)  # fold 0: the first of two
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    return _end_of_gap(local.replace(fold=1).astimezone(UTC), instant, zone)


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first instant with the new offset, between one before the jump and one not before it."""
    new = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == new:
            after = middle
        else:
            before = middle
    return after


def _days(schedule: Schedule, start: date, step: int) -> Iterator[date]:
    """The days of the schedule from ``start`` on, in the direction of ``step``."""
    if schedule.cadence is Cadence.DAILY:
        return _every(start, step)
    if schedule.cadence is Cadence.MONTHLY:
        return _monthly(schedule.day, start, step)
    weekday = WEEKDAYS.index(schedule.day)
    period = 14 if schedule.cadence is Cadence.FORTNIGHTLY else 7
    behind = (start - FIRST_WEEK).days - weekday
    first = start + timedelta(days=-behind % period if step > 0 else -(behind % period))
    return _every(first, step * period)


def _every(start: date, step: int) -> Iterator[date]:
    return (
        date.fromordinal(n) for n in range(start.toordinal(), date.max.toordinal() if step > 0 else 0, step)
    )


def _monthly(day: str, start: date, step: int) -> Iterator[date]:
    first = start.year * 12 + start.month - 1
    for month in range(first, 9999 * 12 if step > 0 else 11, step):
        found = _day_in_month(day, month // 12, month % 12 + 1)
        if (found - start).days * step >= 0:
            yield found


def _day_in_month(day: str, year: int, month: int) -> date:
    if day.isdigit():
        return date(year, month, int(day))
    ordinal, weekday = day.split(" ")
    first_weekday, length = monthrange(year, month)
    first = 1 + (WEEKDAYS.index(weekday) - first_weekday) % 7
    if ordinal == "last":
        return date(year, month, first + 7 * ((length - first) // 7))
    return date(year, month, first + 7 * ORDINALS.index(ordinal))
