"""Handing letters over: recipients, and what a sender answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

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


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request's worth: one page, one recipient a letter, one sender identity."""

    run_id: int
    batch_id: int
    kind: RunKind
    page: Page
    view_url: str
    publication: Publication
    recipients: tuple[Recipient, ...]
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
