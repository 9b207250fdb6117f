"""Public fakes for tests of this program and of what is built on it: a sender and a printer.

``RecordingSender`` keeps what it was handed and answers as told; ``plain_page`` prints an edition as lines
that a test can read back with ``said_in``. Neither touches a disk or a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import orjson

from digest.model import Edition, HandedOver, Outcome, Outgoing, Page


class KilledError(Exception):
    """Raised by a fake where a test wants the process to die: nothing after it runs."""


def take_all(outgoing: Outgoing) -> Outcome:
    """The answer of a provider that takes every letter."""
    return HandedOver(provider_id=f"fake-{outgoing.batch_id}")


@dataclass(slots=True)
class RecordingSender:
    """A sender that keeps every request in ``arrived`` and answers with ``answer``.

    ``before`` is called first: a request that dies there has not arrived. The answer's own refusals and
    doubts do not undo the arrival; a test that wants a refusal without one answers in ``before``. Both may
    raise ``KilledError``.
    """

    is_repeatable: bool = True
    batch_size: int = 2
    answer: Callable[[Outgoing], Outcome] = take_all
    before: Callable[[Outgoing], Outcome | None] = lambda outgoing: None
    arrived: list[Outgoing] = field(default_factory=list)
    name: str = "recording"

    def send(self, outgoing: Outgoing) -> Outcome:
        """Keep the request, unless ``before`` answers already, and answer."""
        early = self.before(outgoing)
        if early is not None:
            return early
        self.arrived.append(outgoing)
        return self.answer(outgoing)

    def close(self) -> None:
        """Nothing is held open."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a plain page says: item -> text ("" without a summary); counted items; how many are earlier."""

    wishes: str
    named: dict[str, str]
    counted: tuple[str, ...]
    earlier: int
    listed: tuple[str, ...]

    @property
    def items(self) -> list[str]:
        """Every item named or counted, as often as it is."""
        return [*self.named, *self.counted]


def plain_page(edition: Edition) -> Page:
    """A page that holds all an edition says, as JSON; a printer for tests that are not about rendering.

    Raises: ValueError when the edition names an item twice.
    """
    named: dict[str, str] = {}
    for entry in edition.entries:
        for item in (entry.item, *entry.also) if entry.seqs else ():
            _add(named, item, "" if entry.summary is None else entry.summary.lead)
    folded = [item for fold in edition.folded for item in (*fold.items, *fold.also)]
    said = {
        "wishes": edition.profile.fingerprint,
        "named": named,
        "counted": folded,
        "earlier": edition.earlier,
        "listed": [entry.item for entry in edition.entries if not entry.seqs],
    }
    return Page(subject="Plain", preheader="", html=None, text=orjson.dumps(said).decode())


def _add(named: dict[str, str], item: str, text: str) -> None:
    if item in named:
        raise ValueError(f"the edition names {item} twice")
    named[item] = text


def said_in(page: Page) -> Said:
    """What a page of ``plain_page`` says."""
    found = orjson.loads(page.text)
    return Said(
        wishes=found["wishes"],
        named=found["named"],
        counted=tuple(found["counted"]),
        earlier=found["earlier"],
        listed=tuple(found["listed"]),
    )


def letters_of(requests: Iterable[Outgoing]) -> list[tuple[int, int, Outgoing]]:
    """(run id, subscriber id, request) for every letter, in order of arrival."""
    return [(r.run_id, reader.subscriber_id, r) for r in requests for reader in r.recipients]
