"""After a claim, before anything is sent: who of its readers is still to get the letter.

Mostly nobody has changed since planning, and a transaction that reads is enough. Else each reader of a
batch is looked at, and what ends or moves is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select, text

from digest.model import Ended
from digest.store.batches import ClaimedBatch, HeldBatch, Moved
from digest.store.deliveries import end_delivery
from digest.store.tables import DeliveryRow, SubscriberRow, table_of
from digest.store.upsert import is_among

_D = table_of(DeliveryRow)
_S = table_of(SubscriberRow)

# Of the delivery only what its batch index holds: a million rows are not looked up for nothing.
_OF_BATCH = "WHERE d.batch_id = :batch AND d.ended IS NULL ORDER BY d.subscriber_id"
# A row of nothing for each who has changed: to count beforehand would be to look for everybody twice.
_UNCHANGED = (
    "SELECT s.id, s.address, s.name FROM delivery d LEFT JOIN subscriber s {by} ON s.id = d.subscriber_id "
    "AND {fine} " + _OF_BATCH
)
_FINE = "s.profile_id = :profile AND s.state = 'active'"
_OF_DIGEST = {
    # Readers of one profile lie beside each other in this index alone: in the table each is on a page of
    # its own, and SQLite would rather look there.
    "sqlite": text(_UNCHANGED.format(by="INDEXED BY subscriber_letter", fine=_FINE)),
    "postgresql": text(_UNCHANGED.format(by="", fine=_FINE)),
}
_OF_NOTICE = text(_UNCHANGED.format(by="", fine="s.state IN :states")).bindparams(
    bindparam("states", expanding=True)
)
_NOBODY = (None, None, None)
_ANYBODY = text(
    "SELECT s.id, s.address, s.name, s.state, s.profile_id "
    f"FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id {_OF_BATCH}"
)
# Batches of a few letters are looked at together: a run may have as many batches as readers.
_FEW = 50
_TOGETHER = 5_000
_OF_MANY = (
    select(_D.c.batch_id, _S.c.id, _S.c.address, _S.c.name, _S.c.state, _S.c.profile_id)
    .join_from(_D, _S, _S.c.id == _D.c.subscriber_id)
    .where(_D.c.ended.is_(None))
    .order_by(_D.c.batch_id, _D.c.subscriber_id)
)


def recheck(
    connection: Connection, held: Sequence[HeldBatch], *, notice_to: Sequence[str] | None = None
) -> tuple[list[ClaimedBatch], list[HeldBatch]]:
    """The readers of claimed batches; second, the batches where somebody has changed since planning.

    A notice goes to whom it was planned for, while they are in one of the states ``notice_to``.
    """
    claimed: list[ClaimedBatch] = []
    changed: list[HeldBatch] = []
    states = ("active",) if notice_to is None else tuple(notice_to)
    few = _unchanged_of_few(connection, held, states=states, is_same=notice_to is None)
    for one in held:
        good = few.get(one.id) if one.size <= _FEW else _unchanged(connection, one, notice_to=notice_to)
        if good is None:
            changed.append(one)
        else:
            claimed.append(_claimed(one, good))
    return claimed, changed


def recheck_each(
    connection: Connection, run_id: int, held: Sequence[HeldBatch], *, notice_to: Sequence[str] | None = None
) -> tuple[list[ClaimedBatch], list[Moved]]:
    """Of claimed batches where somebody has changed since planning, who gets the letter still.

    Who left, was suppressed or paused since planning is ended here and not among the recipients; whose
    wishes changed is returned as ``Moved`` for ``replan``.
    """
    claimed: list[ClaimedBatch] = []
    moved: list[Moved] = []
    for one in held:
        good, others = _look_at_each(connection, run_id, one, notice_to=notice_to)
        claimed.append(_claimed(one, good))
        moved += others
    return claimed, moved


def _claimed(held: HeldBatch, good: Sequence[tuple[int, str, str]]) -> ClaimedBatch:
    return ClaimedBatch(held.id, held.edition_id, held.page_id, held.attempt, good, held.is_again)


def _unchanged(
    connection: Connection, batch: HeldBatch, *, notice_to: Sequence[str] | None
) -> list[tuple[int, str, str]] | None:
    """The readers of a batch; None where somebody has changed since planning."""
    values: dict[str, object] = {"batch": batch.id}
    if notice_to is None:
        query = _OF_DIGEST[connection.dialect.name]
        values["profile"] = batch.profile_id
    else:
        query = _OF_NOTICE
        values["states"] = notice_to
    # The driver's own tuples: making a million Row objects costs as much as reading them.
    cursor: Any = connection.execute(query, values).cursor
    good: list[Any] = cursor.fetchall()
    return None if _NOBODY in good else good


def _unchanged_of_few(
    connection: Connection, held: Sequence[HeldBatch], *, states: Sequence[str], is_same: bool
) -> dict[int, list[tuple[int, str, str]]]:
    """The readers of the small batches by batch; without those where somebody has changed since planning."""
    profiles = {row.id: row.profile_id for row in held if row.size <= _FEW}
    found: dict[int, list[tuple[int, str, str]]] = {id_: [] for id_ in profiles}
    ids = list(profiles)
    for start in range(0, len(ids), _TOGETHER):
        some = is_among(connection, _D.c.batch_id, ids[start : start + _TOGETHER])
        cursor: Any = connection.execute(_OF_MANY.where(some)).cursor
        for batch, id_, address, name, state, profile in cursor.fetchall():
            if state not in states or (is_same and profile != profiles[batch]):
                found.pop(batch, None)
            elif batch in found:
                found[batch].append((id_, address, name))
    return found


def _look_at_each(
    connection: Connection, run_id: int, batch: HeldBatch, *, notice_to: Sequence[str] | None
) -> tuple[list[tuple[int, str, str]], list[Moved]]:
    """A batch in which somebody has changed since planning: who gets it still, and who has other wishes."""
    good: list[tuple[int, str, str]] = []
    moved: list[Moved] = []
    is_notice = notice_to is not None
    fine_states = ("active",) if notice_to is None else tuple(notice_to)

    def can_wait(id_: int, state: str) -> bool:
        # A further attempt has not arrived before: who has paused gets it with the next letter, where that
        # still covers its range.
        return state == "paused" and batch.attempt > 1 and _is_last(connection, run_id, id_)

    for id_, address, name, state, profile in connection.execute(_ANYBODY, {"batch": batch.id}).all():
        is_fine = state in fine_states and (is_notice or profile == batch.profile_id)
        if is_fine or (batch.is_again and state in ("active", "paused") and not can_wait(id_, state)):
            good.append((id_, address, name))
        elif state in fine_states:
            moved.append(Moved(id_, profile, _from_seq(connection, run_id, id_)))
        else:
            end_delivery(connection, run_id, id_, ended=_end_for(state))
    return good, moved


def _from_seq(connection: Connection, run_id: int, subscriber_id: int) -> int:
    query = text("SELECT from_seq FROM delivery WHERE run_id = :run AND subscriber_id = :subscriber")
    values = {"run": run_id, "subscriber": subscriber_id}
    return int(connection.execute(query, values).scalar_one())


def _is_last(connection: Connection, run_id: int, subscriber_id: int) -> bool:
    query = text(
        "SELECT d.upto_seq = s.covered_seq FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id "
        "WHERE d.run_id = :run AND d.subscriber_id = :subscriber"
    )
    return bool(connection.execute(query, {"run": run_id, "subscriber": subscriber_id}).scalar_one())


def _end_for(state: str) -> Ended:
    """Leaving and suppression end the letter for good; a pause gives the range back.

    A notice whose moment is over (who is to confirm has confirmed) is cancelled too.
    """
    if state == "suppressed":
        return Ended.SUPPRESSED
    return Ended.CANCELLED if state in ("paused", "pending", "active") else Ended.LEFT
