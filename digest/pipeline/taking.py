"""One transaction's worth of readers: who is new, who is there, who may come back, and who may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from digest.compose.profile import with_enabled
from digest.model import Profile, Schedule, SubscriberState
from digest.pipeline.plan import start_mark
from digest.pipeline.roster_rows import Defaults, Refusal, Row
from digest.store import profiles, subscribers, suppressions
from digest.store import roster as stored
from digest.store.councils import council_ids, unknown_council
from digest.store.database import Database
from digest.store.roster import Known, Newcomer
from digest.store.suppressions import Bar

GONE = (SubscriberState.LEFT, SubscriberState.SUPPRESSED, SubscriberState.ERASED)
# Somebody typed the address of who had left into a form: not confirmed, it is nobody's wish yet.
_MAY_HAVE_GONE = (*GONE, SubscriberState.PENDING)
_MOST_INTERNED = 20_000


class Taken(StrEnum):
    """What became of one row."""

    IMPORTED = "imported"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Roster:
    """What taking people in works with. ``suppression_key`` keys the fingerprints of barred addresses."""

    database: Database
    suppression_key: str
    defaults: Defaults
    start_back_days: int


class Interned:
    """Row ids of wishes and schedules that this import has met."""

    def __init__(self) -> None:
        self._profiles: dict[Profile, int] = {}
        self._schedules: dict[Schedule, int] = {}

    def profile(self, connection: Connection, profile: Profile) -> int:
        """Raises: NotFoundError for an unknown council."""
        if len(self._profiles) > _MOST_INTERNED:
            self._profiles.clear()
        if profile not in self._profiles:
            self._profiles[profile] = profiles.profile_id(connection, profile)
        return self._profiles[profile]

    def schedule(self, connection: Connection, schedule: Schedule) -> int:
        """The row of this schedule, made if new."""
        if schedule not in self._schedules:
            self._schedules[schedule] = profiles.schedule_id(connection, schedule)
        return self._schedules[schedule]


class Taking:
    """One transaction's worth of rows."""

    def __init__(
        self,
        connection: Connection,
        roster: Roster,
        interned: Interned,
        *,
        update: bool,
        source: str,
        now: datetime,
    ) -> None:
        self._connection = connection
        self._roster = roster
        self._interned = interned
        self._update = update
        self._source = source
        self._now = now
        self._councils = council_ids(connection)
        self._marks: dict[str, int] = {}
        self._newcomers: list[Newcomer] = []

    def take(self, rows: Sequence[Row]) -> list[Taken | Refusal]:
        """What became of each row, in order; no two rows have one address."""
        key = self._roster.suppression_key
        known = stored.known_by_key(self._connection, (row.key for row in rows))
        bars = suppressions.bars(self._connection, (row.address for row in rows), key=key)
        self._profiles = profiles.profiles_by_id(self._connection, {one.profile_id for one in known.values()})
        self._consents = stored.consents_of(self._connection, (one.id for one in known.values()))
        outcomes: list[Taken | Refusal] = []
        for row in rows:
            outcome = self._take(row, known.get(row.key), bars.get(row.address))
            outcomes.append(Refusal(row.line, outcome) if not isinstance(outcome, Taken) else outcome)
        stored.add_many(self._connection, self._newcomers, source=self._source, now=self._now)
        return outcomes

    def _take(self, row: Row, known: Known | None, bar: Bar | None) -> Taken | str:
        for slug in row.profile.councils:
            if slug not in self._councils:
                return unknown_council(slug, self._councils)
        if why := self._barred(row, known, bar):
            return why
        if known is None:
            self._lift(row, bar)
            return self._add(row)
        if known.state in GONE:
            self._lift(row, bar)
            return self._return(row, known)
        return self._compare(row, known)

    # --- nobody is revived

    def _barred(self, row: Row, known: Known | None, bar: Bar | None) -> str | None:
        """Why this row may not bring somebody back; None when nothing stands against it."""
        against = [(bar.since, _said(bar))] if bar is not None else []
        if known is not None and known.state in _MAY_HAVE_GONE and known.ended_at is not None:
            gone = known.state if known.state in GONE else SubscriberState.LEFT
            against.append((known.ended_at, f"{gone} on {known.ended_at:%Y-%m-%d}"))
        if not against:
            return None
        since, what = max(against)
        if known is not None:
            # A consent that was on record when they went is no new one, whatever its date.
            since = max([since, *(consent.at for consent in self._consents.get(known.id, ()))])
        if row.consent is None or row.consent.at <= since:
            return f"{what}: only a consent_at later than {_zulu(since)} brings somebody back"
        if bar is not None and bar.is_suppression and row.status is SubscriberState.PENDING:
            return f"{what}: not even a confirmation can be asked for; the row must be active"
        return None

    def _lift(self, row: Row, bar: Bar | None) -> None:
        is_asked = row.status is SubscriberState.PENDING
        if bar is not None and row.consent is not None and not is_asked:
            key = self._roster.suppression_key
            suppressions.lift(
                self._connection, row.address, key=key, evidence=row.consent.source, now=self._now
            )

    # --- who is new, returns, or is there

    def _add(self, row: Row) -> Taken:
        self._newcomers.append(
            Newcomer(
                address=row.address,
                address_key=row.key,
                name=row.name,
                state=row.status or SubscriberState.ACTIVE,
                profile_id=self._interned.profile(self._connection, row.profile),
                schedule_id=self._interned.schedule(self._connection, row.schedule),
                covered_seq=self._mark(row.schedule.timezone),
                council_ids=tuple(self._councils[slug] for slug in row.profile.councils),
                consent=row.consent,
            )
        )
        return Taken.IMPORTED

    def _return(self, row: Row, known: Known) -> Taken:
        connection, id_, now = self._connection, known.id, self._now
        subscribers.set_wishes(connection, id_, row.profile, source=self._source, now=now)
        subscribers.set_schedule(connection, id_, row.schedule, now=now)
        subscribers.set_name(connection, id_, row.name)
        if row.consent is not None:
            subscribers.record_consent(connection, id_, row.consent, now=now)
        if row.status is SubscriberState.PENDING:
            subscribers.await_confirmation(connection, id_)
            return Taken.IMPORTED
        mark = self._mark(row.schedule.timezone)
        subscribers.activate(connection, id_, start_mark=mark, now=now)
        if row.status is SubscriberState.PAUSED:
            subscribers.pause(connection, id_, until=None)
        return Taken.IMPORTED

    def _compare(self, row: Row, known: Known) -> Taken | str:
        old = self._profiles[known.profile_id]
        # What a list cannot say stays: kinds and the quiet note; and a name or status it leaves empty.
        quiet = row.profile.quiet_note or old.quiet_note
        wished = replace(row.profile, kinds=old.kinds, quiet_note=quiet)
        wished = with_enabled(wished, old.enabled)
        has_wishes = wished != old
        has_schedule = self._interned.schedule(self._connection, row.schedule) != known.schedule_id
        has_name = row.name not in ("", known.name)
        move = _move(known.state, row.status)
        is_same = not (has_wishes or has_schedule or has_name or move)
        if not self._update:
            return Taken.UNCHANGED if is_same else _difference(row, known, move)
        if move is SubscriberState.ACTIVE and known.state is SubscriberState.PENDING and row.consent is None:
            return "is not confirmed: say in consent_source who agreed where"
        if has_wishes:
            subscribers.set_wishes(self._connection, known.id, wished, source=self._source, now=self._now)
        if has_schedule:
            subscribers.set_schedule(self._connection, known.id, row.schedule, now=self._now)
        if has_name:
            subscribers.set_name(self._connection, known.id, row.name)
        if move:
            self._set_state(row, known, move)
        is_agreed = self._agree(row, known)
        return Taken.UNCHANGED if is_same and not is_agreed else Taken.UPDATED

    def _set_state(self, row: Row, known: Known, move: SubscriberState) -> None:
        connection, id_, now = self._connection, known.id, self._now
        if move is SubscriberState.PAUSED:
            subscribers.pause(connection, id_, until=None)
        elif known.state is SubscriberState.PAUSED:
            subscribers.resume(connection, id_, now=now)
        else:
            subscribers.activate(connection, id_, start_mark=self._mark(row.schedule.timezone), now=now)

    def _agree(self, row: Row, known: Known) -> bool:
        """Record a consent that is not on record; True when it was new."""
        on_record = {(one.source, one.at) for one in self._consents.get(known.id, ())}
        if row.consent is None or (row.consent.source, row.consent.at) in on_record:
            return False
        subscribers.record_consent(self._connection, known.id, row.consent, now=self._now)
        return True

    def _mark(self, timezone: str) -> int:
        if timezone not in self._marks:
            back = self._roster.start_back_days
            self._marks[timezone] = start_mark(
                self._connection, now=self._now, timezone=timezone, back_days=back
            )
        return self._marks[timezone]


def _move(state: SubscriberState, asked: SubscriberState | None) -> SubscriberState | None:
    """The state a row asks an existing reader to change to; a confirmed one never waits again."""
    if asked in (None, state, SubscriberState.PENDING):
        return None
    if state is SubscriberState.PENDING and asked is SubscriberState.PAUSED:
        return None
    return asked


def _difference(row: Row, known: Known, move: SubscriberState | None) -> str:
    if move is not None:
        return f"is {known.state}, the row says {row.status}: to change that, import with --update"
    return "is subscribed with other wishes: to change them, import with --update"


def _said(bar: Bar) -> str:
    what = f"suppressed ({bar.reason})" if bar.is_suppression else "erased"
    return f"{what} on {bar.since:%Y-%m-%d}"


def _zulu(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
