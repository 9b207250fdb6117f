"""Committees: found by platform id or by any name they ever had, so that a rename keeps its readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from digest.model import name_key
from digest.store.tables import CommitteeNameRow, CommitteeRow, FeedRow, table_of
from digest.store.upsert import insert_if_new

_C = table_of(CommitteeRow)
_N = table_of(CommitteeNameRow)
_F = table_of(FeedRow)

_NAMES = (
    select(_C.c.id, _C.c.name, _C.c.external_id, _C.c.named_by, _N.c.name_key)
    .join_from(_C, _N, _N.c.committee_id == _C.c.id, isouter=True)
    .where(_C.c.council_id == bindparam("council"))
    .order_by(_C.c.id)
)
_GONE_AFTER = 20  # failed polls in a row: more than two weeks at the longest waits


@dataclass(slots=True)
class Committee:
    """A committee as this transaction knows it."""

    id: int
    name: str
    external_id: str | None
    named_by: int | None
    keys: set[str]


class Committees:
    """The committees of one council with all their names, read once for one transaction."""

    def __init__(self, connection: Connection, council_id: int) -> None:
        self._connection = connection
        self._council_id = council_id
        self._known: dict[int, Committee] = {}
        names = connection.execute(_NAMES, {"council": council_id})
        for id_, name, external_id, named_by, key in names:
            known = self._known.setdefault(id_, Committee(id_, name, external_id, named_by, set()))
            known.keys |= {key} - {None}

    def called(self, name: str, *, external_id: str | None) -> Committee | None:
        """The committee of that platform id, else of that name (now or ever)."""
        for known in self._known.values():
            if external_id is not None and known.external_id == external_id:
                return known
        key = name_key(name)
        same = (k for k in self._known.values() if key in k.keys)
        return next(
            (k for k in same if None in (external_id, k.external_id) or k.external_id == external_id), None
        )

    def keys_of(self, name: str, *, external_id: str | None) -> frozenset[str]:
        """All name keys under which the committee has been known; empty for a new one."""
        known = self.called(name, external_id=external_id)
        return frozenset(known.keys) if known else frozenset()

    def is_worded_by(self, feed: int | None, name: str, *, external_id: str | None) -> bool:
        """Whether that feed's words for the committee and its meetings are the ones shown."""
        known = self.called(name, external_id=external_id)
        if known is None or None in (feed, known.named_by) or known.named_by == feed:
            return True
        return self._has_gone(known.named_by)

    def take(self, name: str, *, external_id: str | None, now: datetime, feed: int | None) -> Committee:
        """The committee, made if it is new; a new name is added to its history. Twice is harmless.

        A new name under a known platform id is a rename: the committee keeps its readers. The name shown is
        that of the feed that named it first, so that feeds in two languages do not take turns.
        """
        known = self.called(name, external_id=external_id)
        if known is None:
            known = self._add(name, external_id, feed)
        changes: dict[str, Any] = {}
        if external_id is not None and known.external_id is None:
            changes["external_id"] = known.external_id = external_id
        is_worded = self.is_worded_by(feed, name, external_id=external_id)
        if is_worded and feed is not None and known.named_by != feed:
            changes["named_by"] = known.named_by = feed
        if name_key(name) not in known.keys:
            self._remember(known, name, now)
            if is_worded:
                changes["name"] = known.name = name
        if changes:
            self._connection.execute(update(_C).where(_C.c.id == known.id).values(**changes))
        return known

    def add_new(self, named: Sequence[tuple[str, str | None]], *, now: datetime, feed: int | None) -> None:
        """Make the committees (name, platform id) that are not known, in few statements."""
        new: dict[str, str | None] = {}
        for name, external_id in named:
            if self.called(name, external_id=external_id) is None and name_key(name) not in map(
                name_key, new
            ):
                new[name] = external_id
        if len(new) < 2 or len({i for i in new.values() if i}) < sum(1 for i in new.values() if i):
            return  # one by one, as ``take`` does: two names of one committee are not two
        rows = [
            {"council_id": self._council_id, "name": name, "external_id": id_, "named_by": feed}
            for name, id_ in new.items()
        ]
        for id_, name in self._connection.execute(insert(_C).returning(_C.c.id, _C.c.name), rows):
            self._known[id_] = Committee(id_, name, new[name], feed, {name_key(name)})
        names = [
            {"committee_id": k.id, "name_key": name_key(k.name), "name": k.name, "first_seen_at": now}
            for k in self._known.values()
            if k.name in new and k.external_id == new[k.name]
        ]
        insert_if_new(self._connection, _N, names)

    def _add(self, name: str, external_id: str | None, feed: int | None) -> Committee:
        values = {
            "council_id": self._council_id,
            "name": name,
            "external_id": external_id,
            "named_by": feed,
        }
        id_ = self._connection.execute(insert(_C).values(**values).returning(_C.c.id)).scalar_one()
        self._known[id_] = Committee(id_, name, external_id, feed, set())
        return self._known[id_]

    def _remember(self, known: Committee, name: str, now: datetime) -> None:
        key = name_key(name)
        self._connection.execute(
            insert(_N).values(committee_id=known.id, name_key=key, name=name, first_seen_at=now)
        )
        known.keys.add(key)

    def _has_gone(self, feed: int | None) -> bool:
        """A feed that is retired or has long been failing names nothing any more."""
        query = select(_F.c.state, _F.c.failures).where(_F.c.id == feed)
        found = self._connection.execute(query).one_or_none()
        return found is None or found.state in ("retired", "blocked") or found.failures >= _GONE_AFTER
