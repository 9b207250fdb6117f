"""Postcode -> councils. The longest part that the file knows decides: a whole code before its district."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, func, insert, select

from digest.model import Council
from digest.store.councils import councils_by_id
from digest.store.tables import PostcodeRow, table_of

_T = table_of(PostcodeRow)

# A United Kingdom postcode (Royal Mail PAF guide): outward code, sector digit, unit letters.
_BRITISH = re.compile(r"([A-Z]{1,2}[0-9][A-Z0-9]?)(?:([0-9])([A-Z]{2})?)?")
_SPACED = re.compile(r"([A-Z]{1,2}[0-9][A-Z0-9]?) +([0-9])([A-Z]{2})?")
_ROWS_AT_ONCE = 1000


def parts_of(text: str) -> tuple[str, ...]:
    """The forms under which a postcode may be known, longest first; () when it is no postcode.

    >>> parts_of("sk1 3xe"), parts_of("SK13XE"), parts_of("sk1"), parts_of("Stockport")
    (('SK1 3XE', 'SK1 3', 'SK1'), ('SK1 3XE', 'SK1 3', 'SK1'), ('SK1',), ())
    """
    code = " ".join(text.upper().split())
    if match := _SPACED.fullmatch(code):
        area, sector, unit = match.groups()
        return tuple(dict.fromkeys((f"{area} {sector}{unit or ''}", f"{area} {sector}", area)))
    squeezed = code.replace(" ", "")
    if len(squeezed) > 4 and (match := _SPACED.fullmatch(f"{squeezed[:-3]} {squeezed[-3:]}")):
        return parts_of(f"{match[1]} {match[2]}{match[3]}")
    return (squeezed,) if _BRITISH.fullmatch(squeezed) and len(squeezed) <= 4 else ()


def councils_at(connection: Connection, text: str) -> tuple[Council, ...]:
    """The councils that serve a postcode, by name; () when it is none or nothing is known of it."""
    for part in parts_of(text):
        ids = connection.execute(select(_T.c.council_id).where(_T.c.code == part)).scalars().all()
        if ids:
            known = councils_by_id(connection)
            return tuple(sorted((known[id_] for id_ in ids), key=lambda one: one.name))
    return ()


def has_postcodes(connection: Connection) -> bool:
    """Whether an operator loaded a file at all."""
    return connection.execute(select(_T.c.code).limit(1)).one_or_none() is not None


def replace_all(connection: Connection, rows: Iterable[tuple[str, int]]) -> int:
    """Put these (code, council id) in place of all there are; returns how many are stored."""
    connection.execute(delete(_T))
    seen: set[tuple[str, int]] = set()
    waiting: list[dict[str, str | int]] = []
    for code, council_id in rows:
        if (code, council_id) not in seen:
            seen.add((code, council_id))
            waiting.append({"code": code, "council_id": council_id})
        if len(waiting) >= _ROWS_AT_ONCE:
            _insert(connection, waiting)
            waiting = []
    _insert(connection, waiting)
    return int(connection.execute(select(func.count()).select_from(_T)).scalar_one())


def _insert(connection: Connection, rows: Sequence[dict[str, str | int]]) -> None:
    if rows:
        connection.execute(insert(_T), rows)
