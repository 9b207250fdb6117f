"""Profiles and schedules, interned: equal wishes are one row however many people have them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from digest.compose.profile import profile_from_json, profile_to_json
from digest.errors import NotFoundError
from digest.model import Cadence, Profile, Schedule
from digest.store.councils import council_ids, unknown_council
from digest.store.tables import ProfileCouncilRow, ProfileRow, ScheduleRow, table_of
from digest.store.upsert import insert_if_new, is_among

_P = table_of(ProfileRow)
_PC = table_of(ProfileCouncilRow)
_S = table_of(ScheduleRow)


def profile_id(connection: Connection, profile: Profile) -> int:
    """The row of these wishes, made if new. Twice is harmless.

    Raises: NotFoundError when a council of the profile is unknown.
    """
    fingerprint = profile.fingerprint
    found = connection.scalar(select(_P.c.id).where(_P.c.fingerprint == fingerprint))
    if found is not None:
        return int(found)
    ids = council_ids(connection)
    for slug in profile.councils:
        if slug not in ids:
            raise NotFoundError(unknown_council(slug, ids))
    insert_if_new(connection, _P, {"fingerprint": fingerprint, "wishes": profile_to_json(profile)})
    new = connection.execute(select(_P.c.id).where(_P.c.fingerprint == fingerprint)).scalar_one()
    pairs = [{"profile_id": new, "council_id": ids[slug]} for slug in profile.councils]
    insert_if_new(connection, _PC, pairs)
    return int(new)


def with_enabled_council(connection: Connection, slug: str) -> list[int]:
    """The profiles that have a council enabled though its support is limited, whoever has them."""
    query = (
        select(_P.c.id, _P.c.wishes)
        .join(_PC, _PC.c.profile_id == _P.c.id)
        .where(
            _PC.c.council_id == council_ids(connection)[slug],
            _P.c.wishes.contains('"enabled":', autoescape=True),
        )
    )
    found = connection.execute(query).all()
    return [id_ for id_, wishes in found if slug in profile_from_json(wishes).enabled]


def profiles_by_id(connection: Connection, ids: Iterable[int]) -> dict[int, Profile]:
    """The wishes of those rows."""
    wanted = sorted(set(ids))
    found: dict[int, Profile] = {}
    for start in range(0, len(wanted), 500):
        query = select(_P.c.id, _P.c.wishes).where(is_among(connection, _P.c.id, wanted[start : start + 500]))
        found |= {id_: profile_from_json(wishes) for id_, wishes in connection.execute(query)}
    return found


def councils_of_profiles(connection: Connection, ids: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """Council ids by profile id."""
    wanted = sorted(set(ids))
    found: dict[int, tuple[int, ...]] = {}
    for start in range(0, len(wanted), 500):
        query = select(_PC.c.profile_id, _PC.c.council_id).where(
            is_among(connection, _PC.c.profile_id, wanted[start : start + 500])
        )
        for profile, council in connection.execute(query):
            found[profile] = (*found.get(profile, ()), council)
    return found


def schedule_id(connection: Connection, schedule: Schedule) -> int:
    """The row of this schedule, made if new. Twice is harmless."""
    values = {
        "cadence": schedule.cadence.value,
        "day": schedule.day,
        "time": schedule.time,
        "timezone": schedule.timezone,
    }
    same = [_S.c[name] == value for name, value in values.items()]
    found = connection.scalar(select(_S.c.id).where(*same))
    if found is None:
        insert_if_new(connection, _S, values)
        found = connection.execute(select(_S.c.id).where(*same)).scalar_one()
    return int(found)


def timezone_of(connection: Connection, schedule_id: int) -> str:
    """The IANA zone of one schedule."""
    return str(connection.execute(select(_S.c.timezone).where(_S.c.id == schedule_id)).scalar_one())


def schedules_by_id(connection: Connection) -> dict[int, Schedule]:
    """Every schedule somebody has or had."""
    return {
        row.id: Schedule(Cadence(row.cadence), row.day, row.time, row.timezone)
        for row in connection.execute(select(_S))
    }
