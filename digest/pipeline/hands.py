"""How many requests are under way at the same time: one, or as many as a sender has connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from digest.model import Outcome, Outgoing
from digest.store.batches import ClaimedBatch

Send = Callable[[Outgoing], Outcome]


def answers(
    some: Sequence[ClaimedBatch], outgoing_of: Callable[[ClaimedBatch], Outgoing], send: Send
) -> Iterator[tuple[ClaimedBatch, Outcome | None]]:
    """Send these batches, all at once where they are several; None for one that has nobody left in it.

    Only ``send`` runs in other threads: what it is given is made here, and so is what becomes of its answers.
    """
    letters = [(batch, outgoing_of(batch) if batch.recipients else None) for batch in some]
    if len(letters) == 1:
        ((batch, outgoing),) = letters
        yield batch, None if outgoing is None else send(outgoing)
        return
    with ThreadPoolExecutor(len(letters)) as threads:
        asked = [(batch, None if o is None else threads.submit(send, o)) for batch, o in letters]
        yield from ((batch, None if future is None else future.result()) for batch, future in asked)
