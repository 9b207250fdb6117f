"""The form of a reader's choices: wishes -> what its fields show, and its fields -> wishes. Pure.

A field that is left as it was shown changes nothing, whatever wishes there are that the form cannot show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from starlette.datastructures import FormData

from digest.compose.profile import Limits, entitled, profile_of
from digest.errors import SubscriberError
from digest.model import CommitteeWish, Profile, Schedule, Tier, WishKind, name_key
from digest.pipeline.wishes import Change
from digest.slots import ORDINALS, WEEKDAYS, schedule_of
from digest.store.wishes import CommitteeName
from digest.web.forms import text_in, texts_in

ALL, ONLY, BUT = "all", "only", "but"


@dataclass(frozen=True, slots=True)
class Line:
    """One committee in the form: ``value`` is what its box sends."""

    value: str
    name: str
    is_ticked: bool


@dataclass(frozen=True, slots=True)
class Bodies:
    """The committees of one council: all of them, only the ticked, or all but the ticked."""

    council: str
    mode: str
    lines: tuple[Line, ...]

    @property
    def ticked(self) -> tuple[str, ...]:
        """The values of the ticked boxes."""
        return tuple(line.value for line in self.lines if line.is_ticked)


@dataclass(frozen=True, slots=True)
class When:
    """A schedule as four fields: ``which`` is an ordinal or a day of the month, for monthly letters."""

    cadence: str
    weekday: str
    which: str
    time: str
    timezone: str


def when_of(schedule: Schedule) -> When:
    """The fields of a schedule; those that its cadence does not use have a sensible value all the same."""
    which, _, weekday = schedule.day.rpartition(" ")
    if schedule.day.isdigit():
        which, weekday = schedule.day, "sunday"
    return When(
        schedule.cadence.value, weekday or "sunday", which or "first", schedule.time, schedule.timezone
    )


def schedule_from(form: FormData, now_is: Schedule) -> Schedule:
    """The schedule that the fields say. Raises: SubscriberError."""
    shown = when_of(now_is)
    cadence = text_in(form, "cadence") or shown.cadence
    weekday = text_in(form, "weekday") or shown.weekday
    which = text_in(form, "which") or shown.which
    days = {"daily": "", "monthly": which if which.isdigit() else f"{which} {weekday}"}
    time, zone = text_in(form, "time") or shown.time, text_in(form, "timezone") or shown.timezone
    return schedule_of(cadence, days.get(cadence, weekday), time[:5], zone)


def bodies_of(profile: Profile, council: str, known: Iterable[CommitteeName]) -> Bodies:
    """The committees of a council with the reader's ticks; wished ones that nobody knows are there too."""
    wished = [wish for wish in profile.committees if wish.council == council]
    mode = ONLY if any(w.is_wanted for w in wished) else BUT if wished else ALL
    keys = {wish.committee for wish in wished if wish.is_wanted == (mode == ONLY)}
    lines, seen = [], set()
    for one in known:
        if one.council == council:
            own = sorted(keys & one.keys)
            seen |= set(own)
            lines.append(Line(own[0] if own else name_key(one.name), one.name, bool(own)))
    lines += [Line(key, key, True) for key in sorted(keys - seen)]
    return Bodies(council, mode, tuple(lines))


def _committees(form: FormData, profile: Profile, shown: Bodies) -> list[CommitteeWish]:
    council = shown.council
    mode, ticked = text_in(form, f"mode:{council}"), texts_in(form, f"body:{council}")
    if not mode or (mode == shown.mode and set(ticked) == set(shown.ticked)):
        return [wish for wish in profile.committees if wish.council == council]
    if mode not in (ONLY, BUT):
        return []
    return [CommitteeWish(council, key, mode == ONLY) for key in ticked]


def profile_from(
    form: FormData,
    profile: Profile,
    *,
    councils: Sequence[str],
    committees: Sequence[CommitteeName],
    limits: Mapping[Tier, Limits],
) -> Profile:
    """The wishes that the fields say; the tier is not the reader's to choose.

    Raises: SubscriberError that begins with the name of the field.
    """
    wished: list[CommitteeWish] = []
    for slug in councils:
        wished += _committees(form, profile, bodies_of(profile, slug, committees))
    excluded = [f"-{word.removeprefix('-')}" for word in _words(form, "excluded")]
    made = profile_of(
        councils=councils,
        committees=wished,
        topics=_words(form, "topics"),
        keywords=[*_words(form, "keywords"), *excluded],
        wards=_words(form, "wards"),
        kinds=texts_in(form, "kind"),
        detail=text_in(form, "detail") or profile.detail,
        language=text_in(form, "language") or profile.language,
        format=text_in(form, "format") or profile.format,
        tier=profile.tier,
        quiet_note=bool(text_in(form, "quiet_note")),
    )
    return entitled(made, limits)


def _words(form: FormData, name: str) -> list[str]:
    """One a line, or between commas: people write both."""
    text = text_in(form, name).replace(",", "\n").replace(";", "\n")
    return [word.strip().strip("\"'“”") for word in text.splitlines() if word.strip()]


def change_from(form: FormData, profile: Profile, schedule: Schedule, *, today: date) -> Change:
    """The whole change. A pause that ended before today is none. Raises: SubscriberError."""
    until = text_in(form, "until")
    try:
        day = date.fromisoformat(until) if until else None
    except ValueError as error:
        raise SubscriberError(f"until: {until!r} is no day") from error
    is_paused = bool(text_in(form, "paused")) and (day is None or day > today)
    return Change(
        profile=profile,
        schedule=schedule_from(form, schedule),
        at_once=bool(text_in(form, "at_once")),
        paused_until=day if is_paused else None,
        is_paused=is_paused,
    )


# --- less of this -----------------------------------------------------------------------------------------


def less_of(profile: Profile, what: str, *, committees: Sequence[CommitteeName]) -> Profile | None:
    """The wishes without a committee (``committee:slug/Name``) or topic (``topic:Name``); None: not possible.

    The last chosen committee of a council cannot be muted: leaving the council is another wish.
    """
    kind, _, name = what.partition(":")
    if kind == "topic" and (key := name_key(name)):
        topics = tuple(one for one in profile.topics if one != key)
        keywords = tuple(one for one in profile.keywords if one != key)
        excluded = tuple(sorted({*profile.excluded, key}))
        return replace(profile, topics=topics, keywords=keywords, excluded=excluded)
    slug, _, body = name.partition("/")
    if kind != "committee" or slug not in profile.councils or not name_key(body):
        return None
    keys = _keys_of(slug, name_key(body), committees)
    others = [w for w in profile.committees if not (w.council == slug and w.committee in keys)]
    if not any(w.council == slug and w.is_wanted for w in profile.committees):
        others.append(CommitteeWish(slug, name_key(body), is_wanted=False))
    elif not any(w.council == slug and w.is_wanted for w in others):
        return None
    return replace(profile, committees=tuple(sorted(others)))


def _keys_of(slug: str, key: str, committees: Sequence[CommitteeName]) -> frozenset[str]:
    return next((one.keys for one in committees if one.council == slug and key in one.keys), frozenset({key}))


KINDS = tuple(WishKind)
DAYS = WEEKDAYS
WHICH = (*ORDINALS, *map(str, range(1, 29)))
