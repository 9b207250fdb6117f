"""The thread beside the requests: does what was promised, tries again, and outlives a bug."""

from __future__ import annotations

import threading

import pytest
import structlog

from digest.errors import StoreError
from digest.web import background
from digest.web.background import Background

WAIT_S = 10.0


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "FIRST_WAIT_S", 0.01)


def test_an_errand_is_done_and_then_letters_leave() -> None:
    done: list[str] = []
    sent = threading.Event()

    def send() -> None:
        done.append("send")
        if "errand" in done:
            sent.set()

    one = Background(send)
    one.start()
    one.soon("errand", lambda: done.append("errand"))
    assert sent.wait(WAIT_S)
    one.stop()
    assert done.index("errand") < len(done) - 1 - done[::-1].index("send")


def test_errands_are_done_in_the_order_of_asking() -> None:
    done: list[int] = []
    one = Background(lambda: None)
    for n in range(20):
        one.soon("count", lambda n=n: done.append(n))  # type: ignore[misc]
    one.start()
    one.stop()
    assert done == list(range(20))


def test_what_fails_is_tried_again() -> None:
    tries: list[int] = []
    done = threading.Event()

    def flaky() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise StoreError("busy")
        done.set()

    one = Background(lambda: None)
    one.start()
    one.soon("flaky", flaky)
    assert done.wait(WAIT_S)
    one.stop()
    assert len(tries) == 3


def test_a_bug_in_one_errand_leaves_the_others_alone() -> None:
    done = threading.Event()
    one = Background(lambda: None)
    one.start()
    one.soon("broken", lambda: 1 // 0)
    one.soon("sound", done.set)
    assert done.wait(WAIT_S)
    one.stop()


def test_the_log_has_no_address() -> None:
    def leaky() -> None:
        raise ValueError("ann@example.org is no good")

    with structlog.testing.capture_logs() as said:
        one = Background(lambda: None)
        one.start()
        one.soon("leaky", leaky)
        one.stop()
    assert [(line["event"], line["error"]) for line in said] == [("errand broke", "ValueError")]
    assert "ann@" not in repr(said)


def test_stopping_does_first_what_was_promised() -> None:
    done: list[str] = []
    one = Background(lambda: done.append("send"))
    one.start()
    one.soon("last", lambda: done.append("last"))
    one.stop()
    assert done[-2:] == ["last", "send"]


def test_a_flood_is_refused_rather_than_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "MOST_WAITING", 3)
    one = Background(lambda: None)
    assert [one.soon("x", lambda: None) for _ in range(5)] == [True, True, True, False, False]
