"""The subscriber CSV, read and written: text -> rows or refusals with their line, subscribers -> cells.

The columns are those of ``COLUMNS``; lists are separated by ``;``. An empty cell means the default, an absent
column is an empty cell. A cell that a spreadsheet would run as a formula is written with a ``'`` before it,
and read without.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from digest.compose.profile import Limits, entitled, profile_of
from digest.errors import SubscriberError, UsageError
from digest.links import address_key
from digest.model import CommitteeWish, Detail, Profile, Schedule, SubscriberState, Tier
from digest.slots import schedule_with
from digest.store.subscribers import Consent, Subscriber

COLUMNS = (
    "email", "name", "councils", "committees", "topics", "keywords", "wards", "cadence", "day", "time",
    "timezone", "detail", "format", "language", "tier", "status", "consent_source", "consent_at",
)  # fmt: skip
NEEDED = ("email", "councils")
STATUSES = (SubscriberState.ACTIVE, SubscriberState.PAUSED, SubscriberState.PENDING)
LONGEST_NAME = 200
# No honest row has so many line breaks: beyond, a quote was opened and never closed.
MOST_LINES = 20

_FORMULA = re.compile(r"'*[=+\-@＝＋－＠\t\r]")  # OWASP, "CSV injection"
# A local part that is a dot-atom (RFC 5322, 3.2.3) within its limit, and a domain far within its own.
_PLAIN_ADDRESS = re.compile(
    r"(?=.{1,64}@)([a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+)*)@([a-zA-Z0-9.-]{1,180})"
)
_SEPARATOR = re.compile(r';(?=(?:[^"]*"[^"]*")*[^"]*$)')
_UNDECODED = re.compile("[\udc80-\udcff]")
# Control characters, line separators, and marks that turn the direction of the text around them.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What an empty cell means and what each tier may have, from the settings."""

    schedule: Schedule
    detail: Detail = Detail.BRIEF
    limits: Mapping[Tier, Limits] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One reader as a file or a form asks for them. ``status`` None: not said.

    ``key`` is the address's key (`links.address_key`); ``line`` where the row begins, the header is 1.
    """

    line: int
    address: str
    key: str
    name: str
    profile: Profile
    schedule: Schedule
    status: SubscriberState | None = None
    consent: Consent | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row that was not taken, and why."""

    line: int
    why: str


def read_rows(lines: Iterable[str], *, defaults: Defaults, now: datetime) -> Iterator[Row | Refusal]:
    """The rows of a CSV file in order, read as they are asked for; a bad one never stops the others.

    ``lines`` keep their line ends; undecodable bytes come as surrogates (``errors="surrogateescape"``).
    Rows without any content are passed over. ``now`` dates a consent whose day is not given.

    Raises: UsageError, before the first row, for a header that cannot be used.
    """
    records = _records(lines)
    columns = _header(next(records, None))
    return (_row(line, cells, columns, defaults, now) for line, cells in records if cells and any(cells))


def _row(
    line: int, cells: Sequence[str] | str, columns: Sequence[str], defaults: Defaults, now: datetime
) -> Row | Refusal:
    if isinstance(cells, str):
        return Refusal(line, cells)
    if len(cells) > len(columns):
        return Refusal(
            line,
            f"has {len(cells)} cells, the header {len(columns)}: put a cell with a comma into double quotes",
        )
    # Fewer are allowed: spreadsheets leave out empty cells at the end of a row.
    try:
        return row_of(dict(zip(columns, cells, strict=False)), line=line, defaults=defaults, now=now)
    except SubscriberError as error:
        return Refusal(line, str(error))


def row_of(cells: Mapping[str, str], *, line: int = 0, defaults: Defaults, now: datetime) -> Row:
    """One reader from cells by column.

    Raises: SubscriberError that names the column, the value and the mend.
    """
    given = {column: _cell(cells.get(column, ""), column) for column in COLUMNS}
    address = _address(given["email"])
    wishes = _profile(*(given[c] for c in _PROFILE_COLUMNS), default_detail=defaults.detail)
    return Row(
        line=line,
        address=address,
        key=address_key(address),
        name=_name(given["name"]),
        profile=entitled(wishes, defaults.limits),
        schedule=_schedule(*(given[c] for c in _SCHEDULE_COLUMNS), default=defaults.schedule),
        status=_status(given["status"]),
        consent=_consent(given["consent_source"], given["consent_at"], now=now),
    )


# --- records and header ---------------------------------------------------------------------------------


class _Lines:
    """Lines for a csv reader, one record's worth kept, so that a broken record costs one line."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._rest = iter(lines)
        self._again: deque[str] = deque()
        self._record: list[str] = []
        self.number = 0
        """Lines before the record."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self._record) >= MOST_LINES:
            raise csv.Error('a double quote is opened and never closed: write a quote in a cell as ""')
        line = self._again.popleft() if self._again else next(self._rest)
        self._record.append(line)
        return line

    def ended(self) -> None:
        """The record was read."""
        self.number += len(self._record)
        self._record.clear()

    def broken(self) -> None:
        """The record cannot be read: what follows its first line comes again."""
        self._again.extendleft(reversed(self._record[1:]))
        self.number += 1
        self._record.clear()


def _records(lines: Iterable[str]) -> Iterator[tuple[int, list[str] | str]]:
    """(line where it begins, cells or why it cannot be read); an empty file has none."""
    source = _Lines(lines)
    reader = csv.reader(source, strict=True)
    while True:
        first = source.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            source.broken()
            reader = csv.reader(source, strict=True)
            yield first, f"is not CSV: {error}"
        else:
            source.ended()
            yield first, cells


def _header(record: tuple[int, list[str] | str] | None) -> list[str]:
    if record is None:
        raise UsageError(f"the file is empty: its first line names the columns: {','.join(COLUMNS)}")
    cells = record[1]
    if isinstance(cells, str):
        raise UsageError(f"line 1 {cells}")
    if any("\0" in cell or _UNDECODED.search(cell) or "\ufffd" in cell for cell in cells):
        raise UsageError('line 1 is not UTF-8 text: save the file again as "CSV UTF-8"')
    if len(cells) == 1 and any(mark in cells[0] for mark in ";\t"):
        raise UsageError("line 1: columns are separated by commas, not by ; or tabs: save the file again so")
    columns = [cell.strip().lower() for cell in cells]
    for given, column in zip(cells, columns, strict=True):
        if column not in COLUMNS:
            raise UsageError(f"line 1: the column {given.strip()!r} is unknown: {_nearest(column)}")
        if columns.count(column) > 1:
            raise UsageError(f"line 1: the column {column!r} stands there twice: keep one")
    if missing := [column for column in NEEDED if column not in columns]:
        raise UsageError(f"line 1: the column {missing[0]!r} is missing: every row needs it")
    return columns


def _nearest(column: str) -> str:
    near = difflib.get_close_matches(column, COLUMNS, n=1)
    return f"did you mean {near[0]!r}?" if near else f"use any of {', '.join(COLUMNS)}"


# --- cells ------------------------------------------------------------------------------------------------

_PROFILE_COLUMNS = (
    "councils", "committees", "topics", "keywords", "wards", "detail", "format", "language", "tier",
)  # fmt: skip
_SCHEDULE_COLUMNS = ("cadence", "day", "time", "timezone")


def _cell(text: str, column: str) -> str:
    if _FORMULA.match(text) and text.startswith("'"):
        text = text[1:]
    text = text.strip()
    if _UNPRINTABLE.search(text):
        if _UNDECODED.search(text):
            raise SubscriberError(f'{column}: is not UTF-8: save the file again as "CSV UTF-8"')
        raise SubscriberError(f"{column}: {text[:60]!r} has a line break or a control character: take it out")
    return text


def _address(text: str) -> str:
    if not text:
        raise SubscriberError("email: is empty: every row needs an address")
    try:
        if plain := _PLAIN_ADDRESS.fullmatch(text):
            # Many readers share few domains, and checking the domain is the dear part.
            return f"{plain[1]}@{_domain(plain[2])}"
        return _validated(text)
    except EmailNotValidError as error:
        raise SubscriberError(f"email: {text[:100]!r} is no address: {error}") from error


def checked_address(text: str) -> str:
    """An address that somebody typed, as it is stored. Raises: SubscriberError."""
    return _address(_cell(text, "email"))


def _validated(text: str) -> str:
    # Names under .test are allowed: they reach nobody (RFC 6761) and installations are tried with them.
    return validate_email(text, check_deliverability=False, test_environment=True).normalized


@lru_cache(maxsize=4096)
def _domain(text: str) -> str:
    return _validated(f"a@{text}").removeprefix("a@")


def _name(text: str) -> str:
    if len(text) > LONGEST_NAME:
        raise SubscriberError(f"name: {text[:40]!r}… is longer than {LONGEST_NAME} characters; shorten it")
    return text


def _list(text: str) -> list[str]:
    if '"' not in text or text.count('"') % 2:
        return text.split(";")
    return _SEPARATOR.split(text)


@lru_cache(maxsize=4096)
def _profile(
    councils: str,
    committees: str,
    topics: str,
    keywords: str,
    wards: str,
    detail: str,
    format: str,
    language: str,
    tier: str,
    *,
    default_detail: Detail,
) -> Profile:
    empty = profile_of(councils=["any"], detail=default_detail)
    return profile_of(
        councils=_list(councils),
        committees=_list(committees),
        topics=_list(topics),
        keywords=_list(keywords),
        wards=_list(wards),
        detail=detail or empty.detail,
        format=format or empty.format,
        language=language or empty.language,
        tier=tier or empty.tier,
    )


@lru_cache(maxsize=4096)
def _schedule(cadence: str, day: str, time: str, timezone: str, *, default: Schedule) -> Schedule:
    return schedule_with(default, cadence=cadence, day=day, time=time, timezone=timezone)


def _status(text: str) -> SubscriberState | None:
    for status in STATUSES:
        if text.lower() == status.value:
            return status
    if text:
        raise SubscriberError(f"status: {text!r} is unknown; use one of {', '.join(STATUSES)}")
    return None


def _consent(source: str, at: str, *, now: datetime) -> Consent | None:
    if not source and not at:
        return None
    try:
        moment = datetime.fromisoformat(at) if at else now
        # A day or time without a zone is meant in UTC.
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise SubscriberError(
            f"consent_at: {at!r} is no instant: write it as 2025-06-03T08:00:00Z"
        ) from error
    return Consent(source or "not said", moment)


# --- and back ---------------------------------------------------------------------------------------------


def cells_of(subscriber: Subscriber, consent: Consent | None) -> list[str]:
    """The cells of a subscriber in the order of ``COLUMNS``; read again they are the same wishes."""
    profile, schedule = subscriber.profile, subscriber.schedule
    cells = (
        subscriber.address,
        subscriber.name,
        ";".join(profile.councils),
        ";".join(_committee(wish) for wish in profile.committees),
        ";".join(profile.topics),
        ";".join([*map(_phrase, profile.keywords), *(f"-{_phrase(word)}" for word in profile.excluded)]),
        ";".join(profile.wards),
        schedule.cadence.value,
        schedule.day,
        schedule.time,
        schedule.timezone,
        profile.detail.value,
        profile.format.value,
        profile.language,
        profile.tier.value,
        subscriber.state.value,
        consent.source if consent else "",
        consent.at.isoformat().replace("+00:00", "Z") if consent else "",
    )
    return [f"'{cell}" if _FORMULA.match(cell) else cell for cell in cells]


def _committee(wish: CommitteeWish) -> str:
    return f"{'' if wish.is_wanted else '-'}{wish.council}/{wish.committee}"


def _phrase(words: str) -> str:
    return f'"{words}"' if " " in words else words
