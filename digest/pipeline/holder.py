"""What a holder of letters works with: the way they leave, and who it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from digest.links import Signer
from digest.model import Outcome, Outgoing, Publication
from digest.slots import SendWindow


class Sender(Protocol):
    """What dispatch needs of a way to hand letters over."""

    name: str
    is_repeatable: bool
    batch_size: int

    def send(self, outgoing: Outgoing) -> Outcome:
        """Hand over one request's worth. Expected failures are outcomes, never exceptions."""

    def close(self) -> None:
        """Let go of connections. Twice is harmless."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a holder needs besides the ledger: sender, identity, links, clock and limits.

    ``is_alive`` tells whether another holder's process still runs (True when it cannot be known).
    ``should_stop`` is asked between requests: what is claimed and not sent is put back. ``dice`` gives 0
    to 1; ``spread``: how much later than a full hour a large run may begin; ``at_once``: most requests under
    way; ``sharing``: how many processes hand over together, so that a claim leaves something for the others;
    ``send_between``: the local hours in which digests leave (None: at any).
    """

    sender: Sender
    publication: Publication
    signer: Signer
    holder: str
    clock: Callable[[], datetime]
    is_alive: Callable[[str], bool]
    claim_size: int
    hold: timedelta
    most_doubts: int = 3
    most_refusals: int = 20
    most_refused_share: float = 0.0
    letters_per_hour: int | None = None
    should_stop: Callable[[], bool] = lambda: False
    dice: Callable[[], float] = lambda: 1.0
    spread: timedelta = timedelta(0)
    at_once: int = 1
    sharing: int = 1
    send_between: SendWindow | None = None

    @property
    def most_at_once(self) -> int:
        """Letters of one claim: with a limit an hour, about a minute's worth."""
        if self.letters_per_hour is None:
            return self.claim_size
        return max(1, min(self.claim_size, self.letters_per_hour // 60))
