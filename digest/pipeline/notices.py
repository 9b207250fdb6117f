"""Letters that are no digests, from the wish to send one to the recorded hand-over.

Pages and commands wish (``ask_to_confirm``, ``supported``, …), which stores a row and returns; a run takes
what is wished for and hands it over (``send_pending``, or the next `digest run`). Every wish may be made
twice. None of them says why there was nothing to send: a page must not let its visitor know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from digest.errors import ConflictError, SettingsError, SubscriberError
from digest.links import address_key
from digest.model import Page, RunKind, SubscriberState, Tier, fingerprint_of
from digest.pipeline import asking, audiences
from digest.pipeline.roster_rows import checked_address
from digest.pipeline.run import Progress, RunReport, Works, run_notices
from digest.render.notice import NoticeFacts
from digest.store import address_changes, audit, councils, notices, subscribers
from digest.store.address_changes import AddressChange
from digest.store.database import Database
from digest.store.notices import Notice, NoticeState
from digest.store.roster import LOCK_ROSTER

CHANGE_GOOD_FOR = timedelta(days=7)
"""As long as its links; then the new address is forgotten."""
CONFIRM_WITHIN = timedelta(days=7)
"""Unconfirmed addresses are deleted after this (DESIGN: the ledger, notices)."""
WISHES_KEPT_FOR = timedelta(days=30)
"""Wishes to one person: long enough to say when somebody was asked, and to bound how often."""
FORGOTTEN = "unconfirmed forgotten"
_AT_ONCE = 500


# --- to one person ----------------------------------------------------------------------------------------


def queue(works: Works, kind: RunKind, subscriber_id: int, *, is_rehearsal: bool = False) -> int | None:
    """Wish for a notice of a personal kind; its id, or None where there is none to be (``asking.ask``).

    A rehearsal answers the same and stores nothing.
    """
    with _writing(works, is_rehearsal=is_rehearsal) as connection:
        return queue_in(connection, works, kind, subscriber_id)


def _writing(works: Works, *, is_rehearsal: bool) -> AbstractContextManager[Connection]:
    return works.database.rehearse() if is_rehearsal else works.database.write()


def queue_in(
    connection: Connection, works: Works, kind: RunKind, subscriber_id: int, *, is_other: bool = False
) -> int | None:
    """``queue`` in the caller's transaction; ``is_other`` as in ``asking.ask``."""
    now, key = works.desk.clock(), _key(works)
    return asking.ask(connection, kind, subscriber_id, suppression_key=key, now=now, is_other=is_other)


def ask_to_confirm(works: Works, subscriber_id: int, *, is_rehearsal: bool = False) -> bool:
    """Ask a pending reader to confirm; also again, ten minutes after the last time."""
    return queue(works, RunKind.CONFIRM, subscriber_id, is_rehearsal=is_rehearsal) is not None


def welcome(works: Works, subscriber_id: int) -> bool:
    """Say what comes and when, after a confirmation; once for each."""
    return queue(works, RunKind.WELCOME, subscriber_id) is not None


def send_link(works: Works, address: str, *, is_rehearsal: bool = False) -> bool:
    """A new link to the preferences, to the stored address; who is pending is asked to confirm instead."""
    with _writing(works, is_rehearsal=is_rehearsal) as connection:
        found = _find(connection, address)
        if found is None:
            return False
        kind = RunKind.CONFIRM if found.state is SubscriberState.PENDING else RunKind.LINK
        return queue_in(connection, works, kind, found.id) is not None


def _find(connection: Connection, address: str) -> subscribers.Subscriber | None:
    try:
        return subscribers.find_subscriber(connection, address)
    except SubscriberError:
        return None


def ask_export(works: Works, subscriber_id: int) -> bool:
    """Before anything stored is shown, the current address agrees."""
    return queue(works, RunKind.EXPORT, subscriber_id) is not None


def ask_erase(works: Works, subscriber_id: int) -> bool:
    """Before anything is erased, the current address agrees."""
    return queue(works, RunKind.ERASE, subscriber_id) is not None


# --- change of address ------------------------------------------------------------------------------------


def ask_address_change(works: Works, subscriber_id: int, new_address: str) -> bool:
    """Ask the current address whether letters should go to another one; a later wish replaces this one.

    False also when the new address must not be mailed. Raises: SubscriberError when it is no address.
    """
    address = checked_address(new_address)
    now = works.desk.clock()
    with works.database.write(lock=LOCK_ROSTER) as connection:
        reader = subscribers.subscriber_by_id(connection, subscriber_id)
        if reader is None or reader.state not in notices.STATES[RunKind.MOVE]:
            return False
        is_same = address_key(address) == address_key(reader.address)
        if is_same or asking.is_barred(connection, address, key=_key(works), kind=RunKind.ADDRESS):
            return False
        open_one = address_changes.changes_of(connection, [subscriber_id]).get(subscriber_id)
        is_other = open_one is None or address_key(open_one.address) != address_key(address)
        if queue_in(connection, works, RunKind.MOVE, subscriber_id, is_other=is_other) is None:
            return False
        address_changes.open_change(connection, subscriber_id, address, now=now)
        return True


def change_asked_for(database: Database, change_id: int, *, now: datetime) -> AddressChange | None:
    """The change that a link is about; None when it is done, replaced or a week old."""
    with database.read() as connection:
        return _open_change(connection, change_id, now=now)


def _open_change(connection: Connection, change_id: int, *, now: datetime) -> AddressChange | None:
    found = address_changes.change_by_id(connection, change_id)
    return found if found is not None and now - found.asked_at <= CHANGE_GOOD_FOR else None


def agree_to_move(works: Works, change_id: int) -> bool:
    """The current address said yes: now the new one is asked. True also when it had before."""
    now = works.desk.clock()
    with works.database.write() as connection:
        change = _open_change(connection, change_id, now=now)
        if change is None:
            return False
        is_other = address_changes.agree(connection, change_id, now=now)
        queue_in(connection, works, RunKind.ADDRESS, change.subscriber_id, is_other=is_other)
        return True


def change_address(works: Works, change_id: int) -> bool:
    """The new address said yes too: letters go there from now on. False when nothing is asked for now.

    Raises: ConflictError when somebody is subscribed with the new address already, or it must not be mailed.
    """
    now = works.desk.clock()
    with works.database.write(lock=LOCK_ROSTER) as connection:
        change = _open_change(connection, change_id, now=now)
        if change is None or change.agreed_at is None:
            return False
        reader = subscribers.subscriber_by_id(connection, change.subscriber_id)
        if reader is None or reader.state not in notices.STATES[RunKind.ADDRESS]:
            return False
        if subscribers.find_subscriber(connection, change.address) is not None:
            raise ConflictError(
                "somebody is subscribed with this address already: use its own letters' links"
            )
        if asking.is_barred(connection, change.address, key=_key(works), kind=RunKind.ADDRESS):
            raise ConflictError("no letters may go to this address")
        subscribers.set_address(connection, change.subscriber_id, change.address)
        address_changes.close_changes(connection, change.subscriber_id)
        subject = f"subscriber:{change.subscriber_id}"
        audit.note(connection, "address changed", subject=subject, actor="subscriber", now=now)
        return True


# --- to many ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToMany:
    """An operator's notice: Markdown words under a title, and to whom.

    ``councils`` (slugs) and ``tier`` narrow the audience; without them it is every active reader.
    """

    title: str
    markdown: str
    councils: tuple[str, ...] = ()
    tier: Tier | None = None


def service(works: Works, words: ToMany, *, actor: str = "operator") -> Notice:
    """Store an operator's notice; it waits until somebody approves it. The same twice is one notice.

    Raises: NotFoundError for an unknown council, RenderError for words that make no letter.
    """
    now = works.desk.clock()
    facts = {
        "title": words.title,
        "markdown": words.markdown,
        "councils": sorted(set(words.councils)),
        "tier": words.tier.value if words.tier else None,
        "actor": actor,
    }
    _page_of_words(works, words)
    key = fingerprint_of(repr([facts[name] for name in ("title", "markdown", "councils", "tier")]))
    with works.database.write() as connection:
        for slug in words.councils:
            councils.council_by_slug(connection, slug)
        state = NoticeState.WAITING
        notices.add(connection, RunKind.SERVICE, key=key, facts=facts, state=state, now=now)
        return notices.notice_by_key(connection, RunKind.SERVICE, key)


def _page_of_words(works: Works, words: ToMany) -> Page:
    facts = NoticeFacts(works.desk.clock(), title=words.title, markdown=words.markdown)
    return _notices(works).printer(RunKind.SERVICE, facts)


def supported(works: Works, council: str, *, key: str = "") -> int | None:
    """Tell everybody who waited that the council is supported now; the notice's id, None the second time.

    ``key`` tells one enabling from another; without it, one a day. Raises: NotFoundError.
    """
    with works.database.write() as connection:
        councils.council_by_slug(connection, council)
        return add_supported(connection, council, key=key, now=works.desk.clock())


def add_supported(
    connection: Connection, council: str, *, key: str = "", reader: int | None = None, now: datetime
) -> int | None:
    """The same within the transaction that enables it. ``reader``: only that subscriber has it enabled."""
    key = f"{council}@{key or now.date().isoformat()}"
    facts: dict[str, Any] = {"councils": [council]}
    if reader is not None:
        key, facts["reader"] = f"{key} for {reader}", reader
    return notices.add(connection, RunKind.SUPPORTED, key=key, facts=facts, now=now)


def approve(database: Database, notice_id: int, *, actor: str = "operator", now: datetime) -> bool:
    """Let a waiting notice go with the next run. False when it may already. Raises: NotFoundError."""
    return _decide(database, notice_id, NoticeState.APPROVED, actor=actor, now=now)


def drop(database: Database, notice_id: int, *, actor: str = "operator", now: datetime) -> bool:
    """A notice that no run has taken never goes. False when it is too late. Raises: NotFoundError."""
    return _decide(database, notice_id, NoticeState.DROPPED, actor=actor, now=now)


def _decide(database: Database, notice_id: int, state: NoticeState, *, actor: str, now: datetime) -> bool:
    with database.write() as connection:
        notices.notice_by_id(connection, notice_id)
        is_done = notices.decide(connection, notice_id, state, now=now)
        if is_done:
            subject = f"notice:{notice_id}"
            audit.note(connection, f"notice {state.value}", subject=subject, actor=actor, now=now)
        return is_done


def audience_size(works: Works, notice_id: int) -> int:
    """How many people a notice to many would reach now. Raises: NotFoundError."""
    with works.database.read() as connection:
        notice = notices.notice_by_id(connection, notice_id)
        return audiences.count(connection, notice, as_of=works.desk.clock())


def size_of(works: Works, words: ToMany) -> int:
    """How many people an operator's notice would reach now; nothing is stored. Raises: as ``service``."""
    _page_of_words(works, words)
    tier = words.tier.value if words.tier else None
    return _size(works, RunKind.SERVICE, {"councils": list(words.councils), "tier": tier})


def waiting_for(works: Works, council: str) -> int:
    """How many people would be told now that the council is supported. Raises: NotFoundError."""
    return _size(works, RunKind.SUPPORTED, {"councils": [council]})


def _size(works: Works, kind: RunKind, facts: dict[str, Any]) -> int:
    now = works.desk.clock()
    notice = Notice(0, kind, "", None, NoticeState.WAITING, facts, now, None, None)
    with works.database.read() as connection:
        for slug in facts["councils"]:
            councils.council_by_slug(connection, slug)
        return audiences.count(connection, notice, as_of=now)


def waiting_letters(works: Works) -> int:
    """How many letters the notices that may go, and that no run has taken, come to about."""
    with works.database.read() as connection:
        found = notices.approved(connection, limit=_AT_ONCE)
        personal = sum(one.kind in notices.PERSONAL for one in found)
        now = works.desk.clock()
        return personal + sum(
            audiences.count(connection, one, as_of=now) for one in found if one.kind not in notices.PERSONAL
        )


def preview(works: Works, notice: Notice, *, language: str = "en") -> Page:
    """A notice to many as its readers get it, tags in place. Raises: RenderError, NotFoundError."""
    with works.database.read() as connection:
        facts = audiences.facts_for(connection, notice, language=language, as_of=works.desk.clock())
    return _notices(works).printer(notice.kind, facts)


# --- sending, forgetting ----------------------------------------------------------------------------------


def send_pending(
    works: Works, *, progress: Progress | None = None, only_personal: bool = False
) -> Mapping[str, int]:
    """Hand over every notice that may go now; how its letters stand, as a run's counts, with ``runs``.

    Safe to call from a thread beside a running `digest run`; twice is harmless.
    """
    return total(run_notices(works, progress=progress, only_personal=only_personal))


def total(reports: Iterable[RunReport]) -> dict[str, int]:
    """The sum of the runs' counts, and how many runs there were."""
    found: dict[str, int] = {"runs": 0, "due": 0, "handed_over": 0, "uncertain": 0, "open": 0}
    for one in reports:
        found["runs"] += 1
        for name, n in one.counts.items():
            found[name] = found.get(name, 0) + n
    return found


def forget_unconfirmed(works: Works, *, within: timedelta = CONFIRM_WITHIN) -> int:
    """Delete addresses that nobody confirmed ``within`` so long of being asked; returns how many.

    Who had been a reader before, left and asked to come back, has left again. Changes of address that
    nobody agreed to are forgotten too, and wishes for letters that went a month ago. The audit has ids only.
    Twice is harmless.
    """
    now = works.desk.clock()
    with works.database.write() as connection:
        address_changes.forget_before(connection, now - CHANGE_GOOD_FOR)
        notices.forget_personal(connection, before=now - WISHES_KEPT_FOR)
    n = 0
    while True:
        with works.database.write(lock=LOCK_ROSTER) as connection:
            some = notices.unconfirmed(connection, before=now - within, limit=_AT_ONCE)
            _forget(connection, some, now=now)
        if not some:
            return n
        n += len(some)


def _forget(connection: Connection, found: Sequence[tuple[int, bool]], *, now: datetime) -> None:
    for id_, was_reader in found:
        if was_reader:
            subscribers.end(connection, id_, state=SubscriberState.LEFT, reason="not confirmed", now=now)
        else:
            subscribers.erase(connection, id_, now=now)
        audit.note(connection, FORGOTTEN, subject=f"subscriber:{id_}", actor="schedule", now=now)


def _key(works: Works) -> str:
    return _notices(works).suppression_key


def _notices(works: Works) -> audiences.Notices:
    """Raises: SettingsError without a suppression_key."""
    if works.notices is None or not works.notices.suppression_key:
        raise SettingsError("suppression_key is missing: `digest init` makes a digest.toml with one")
    return works.notices
