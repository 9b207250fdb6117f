"""How many requests are under way at the same time: one, or as many as a sender has connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from digest.model import Outcome, Outgoing
from digest.store.batches import ClaimedBatch


class Hands:
    """This thread and, from the first time that several batches go at once, others beside it.

    Only ``send`` runs in the others. They are kept until the end: to begin a thread for each request takes
    longer than a small request does.
    """

    def __init__(self, send: Callable[[Outgoing], Outcome], *, most: int) -> None:
        self._send = send
        self._most = most
        self._threads: ThreadPoolExecutor | None = None

    def __enter__(self) -> Hands:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what is under way, then end the threads."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None

    def answers(
        self, some: Sequence[ClaimedBatch], outgoing_of: Callable[[ClaimedBatch], Outgoing]
    ) -> Iterator[tuple[ClaimedBatch, Outcome | None]]:
        """Send these batches, all at once where they are several; None for one that has nobody left in it.

        Where sending one raises, the others' answers come first.
        """
        *others, last = [(batch, outgoing_of(batch) if batch.recipients else None) for batch in some]
        asked = [(batch, None if letter is None else self._ask(letter)) for batch, letter in others]
        asked.append((last[0], None if last[1] is None else self._sent(last[1])))
        errors = []
        for batch, answer in asked:
            if answer is not None and (error := answer.exception()) is not None:
                errors.append(error)
            else:
                yield batch, None if answer is None else answer.result()
        for error in errors:
            raise error

    def _sent(self, letter: Outgoing) -> Future[Outcome]:
        """Sent by this thread."""
        answer: Future[Outcome] = Future()
        try:
            answer.set_result(self._send(letter))
        except Exception as error:  # noqa: BLE001 - raised again, when the others' answers are told
            answer.set_exception(error)
        return answer

    def _ask(self, letter: Outgoing) -> Future[Outcome]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._most - 1)
        return self._threads.submit(self._send, letter)
