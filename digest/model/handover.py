"""Handing letters over: recipients, and what a sender answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, overload

from digest.model.letter import Page, Publication
from digest.model.words import RunKind


class Recipient(NamedTuple):
    """One reader of one batch, checked in the claim. ``delivery`` is the opaque ``dg_delivery_id``.

    A named tuple, because a million are made in one run and a frozen dataclass costs three times as much.

    ``action_url``: where a notice's one button leads (confirm, for instance); "" where it has none.
    """

    subscriber_id: int
    delivery: str
    address: str
    name: str
    unsubscribe_url: str
    preferences_url: str
    action_url: str = ""


class Readers(Sequence[Recipient]):
    """The recipients of one request by columns, each list in the same order.

    A sequence like any other, whose members are made when somebody looks at one. A million times a run,
    columns are cheaper to make and to write out than members are.
    """

    __slots__ = (
        "action_urls",
        "addresses",
        "deliveries",
        "ids",
        "names",
        "preferences_urls",
        "unsubscribe_urls",
    )

    def __init__(
        self,
        ids: Sequence[int],
        deliveries: Sequence[str],
        addresses: Sequence[str],
        names: Sequence[str],
        unsubscribe_urls: Sequence[str],
        preferences_urls: Sequence[str],
        action_urls: Sequence[str] = (),
    ) -> None:
        """``action_urls`` may be empty: none has one. Raises: ValueError for columns of different lengths."""
        self.ids, self.deliveries, self.addresses, self.names = ids, deliveries, addresses, names
        self.unsubscribe_urls, self.preferences_urls = unsubscribe_urls, preferences_urls
        self.action_urls = action_urls or [""] * len(ids)
        columns = (deliveries, addresses, names, unsubscribe_urls, preferences_urls, self.action_urls)
        if any(len(column) != len(ids) for column in columns):
            raise ValueError("columns of readers differ in length")

    @classmethod
    def of(cls, recipients: Iterable[Recipient]) -> Readers:
        """The same recipients by columns; as they are when they are that already."""
        if isinstance(recipients, Readers):
            return recipients
        members = list(recipients)
        return cls(*(list(column) for column in zip(*members, strict=True))) if members else cls(*([],) * 6)

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, at: int) -> Recipient: ...
    @overload
    def __getitem__(self, at: slice) -> Readers: ...
    def __getitem__(self, at: int | slice) -> Recipient | Readers:
        columns: tuple[Sequence[Any], ...] = (
            self.ids,
            self.deliveries,
            self.addresses,
            self.names,
            self.unsubscribe_urls,
            self.preferences_urls,
            self.action_urls,
        )
        if isinstance(at, slice):
            return Readers(*(column[at] for column in columns))
        return Recipient(*(column[at] for column in columns))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self.ids))

    def __repr__(self) -> str:
        return f"Readers({len(self)})"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request's worth: one page, one recipient a letter, one sender identity."""

    run_id: int
    batch_id: int
    kind: RunKind
    page: Page
    view_url: str
    publication: Publication
    recipients: Sequence[Recipient]
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The provider took all recipients but ``bad`` (subscriber id -> why).

    ``held_back`` went to the outbox instead, because nothing may leave for them yet (safety.live).
    """

    provider_id: str | None = None
    bad: dict[int, str] = field(default_factory=dict)
    held_back: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider said no and mailed nobody; ``is_final`` False asks to try later.

    ``held_back`` were not part of what was refused. ``slows_all``: it would say the same to any letter now.
    """

    why: str
    is_final: bool = True
    retry_at: datetime | None = None
    pauses_run: bool = False
    held_back: frozenset[int] = frozenset()
    slows_all: bool = False


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The request left and no answer is known: nobody may send it again without evidence.

    ``bad`` (subscriber id -> why) and ``held_back`` were not in the request: for them there is no doubt.
    """

    why: str
    provider_id: str | None = None
    bad: dict[int, str] = field(default_factory=dict)
    held_back: frozenset[int] = frozenset()


Outcome = HandedOver | Refused | InDoubt
