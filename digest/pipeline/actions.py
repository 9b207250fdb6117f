"""Every reader's own links; where the one button of a notice leads, and to which address it goes.

Links are made when the letter leaves, so that nothing stored can open anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from sqlalchemy import Connection

from digest import links
from digest.links import Purpose, Signer
from digest.model import Ended, Readers, Recipient, RunKind
from digest.store import address_changes, deliveries
from digest.store.address_changes import AddressChange
from digest.store.batches import ClaimedBatch
from digest.store.runs import Run

PURPOSES: Mapping[RunKind, Purpose] = {
    RunKind.CONFIRM: Purpose.CONFIRM,
    RunKind.MOVE: Purpose.MOVE,
    RunKind.ADDRESS: Purpose.ADDRESS,
    RunKind.EXPORT: Purpose.EXPORT,
    RunKind.ERASE: Purpose.ERASE,
}
"""Kind -> what its button's token is for; the path is ``/confirm/<token>``, or ``/agree/<word>/<token>``.

The buttons of the other kinds lead to the preferences. The subject is the subscriber; for ``move`` and
``address`` it is the change of address.
"""
PATHS: Mapping[RunKind, str] = {
    kind: purpose.word if kind is RunKind.CONFIRM else f"agree/{purpose.word}"
    for kind, purpose in PURPOSES.items()
}
"""Kind -> the path of its page below ``base_url``, before the token."""
OF_CHANGES = (RunKind.MOVE, RunKind.ADDRESS)
"""Kinds about a change of address: their letters count only while the change is still asked for."""
_NOBODY = 0  # no subscriber has this id: its links lead to a page that says so


def recipients_of(
    run_id: int, recipients: Sequence[tuple[int, str, str]], *, signer: Signer, base_url: str, on: date
) -> Readers:
    """Readers, given by (subscriber id, address, name), with their own links; made in bulk."""
    if not recipients:
        return Readers.of(())
    ids, addresses, names = zip(*recipients, strict=True)
    pages = {purpose: f"{base_url}/{purpose.word}/" for purpose in (Purpose.UNSUBSCRIBE, Purpose.PREFERENCES)}
    leave, change = signer.links(pages, ids, on=on)
    return Readers(ids, links.delivery_ids(run_id, ids), addresses, names, leave, change)


def with_changes(
    connection: Connection, run: Run, taken: Sequence[ClaimedBatch]
) -> tuple[list[ClaimedBatch], dict[int, AddressChange]]:
    """Of claimed letters about a change of address, those whose change is still asked for, and the changes.

    The others end here. Other kinds stay as they are.
    """
    if run.kind not in OF_CHANGES:
        return list(taken), {}
    ids = [id_ for batch in taken for id_, _, _ in batch.recipients]
    changes = address_changes.changes_of(connection, ids)
    if run.kind is RunKind.ADDRESS:
        # Replaced since it was agreed to: the new address hears nothing before the current one has agreed.
        changes = {id_: change for id_, change in changes.items() if change.agreed_at is not None}
    for id_ in set(ids) - set(changes):
        deliveries.end_delivery(connection, run.id, id_, ended=Ended.CANCELLED)
    kept = [replace(b, recipients=[one for one in b.recipients if one[0] in changes]) for b in taken]
    return kept, changes


def addressed(
    recipients: Sequence[Recipient],
    kind: RunKind,
    *,
    changes: Mapping[int, AddressChange],
    signer: Signer,
    base_url: str,
    on: date,
) -> Sequence[Recipient]:
    """The recipients of a notice with the links of its buttons.

    A new address that has not agreed gets no link to the account: whoever reads there may be a stranger.
    """
    purpose = PURPOSES.get(kind)
    if purpose is None:
        return recipients
    of_change = kind in OF_CHANGES
    subjects = [changes[r.subscriber_id].id if of_change else r.subscriber_id for r in recipients]
    tokens = signer.tokens(purpose, subjects, on=on)
    found = tuple(
        r._replace(action_url=f"{base_url}/{PATHS[kind]}/{token}")
        for r, token in zip(recipients, tokens, strict=True)
    )
    if kind is not RunKind.ADDRESS:
        return found
    leave, change = (
        f"{base_url}/{purpose.word}/{signer.token(purpose, _NOBODY, on=on)}"
        for purpose in (Purpose.UNSUBSCRIBE, Purpose.PREFERENCES)
    )
    return tuple(
        r._replace(
            address=changes[r.subscriber_id].address, name="", unsubscribe_url=leave, preferences_url=change
        )
        for r in found
    )
