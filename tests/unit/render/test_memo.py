"""The memory of fragments is bounded, and keeps what is asked for."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from digest.render.memo import Memo


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 40)), max_size=200))
def test_it_never_holds_more_than_its_limit_and_one_value(kept: list[tuple[int, int]]) -> None:
    memo: Memo[int] = Memo(100)
    for key, weight in kept:
        memo.keep(key, key, weight=weight)
        assert memo.weight <= 100 + 40
        assert memo.get(key) == key


def test_threads_share_it() -> None:
    memo: Memo[int] = Memo(200)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def work(own: int) -> None:
        for n in range(20_000):
            key = (own, n % 500)
            memo.keep(key, n, weight=1)
            memo.get((1 - own, n % 500))

    try:
        with ThreadPoolExecutor(3) as threads:
            for done in [threads.submit(work, own) for own in (0, 1, 2)]:
                done.result()  # raises what the thread raised
    finally:
        sys.setswitchinterval(before)
    memo.keep("last", 7, weight=1)
    assert memo.get("last") == 7
    assert memo.weight <= 200 + 3 * 2  # each thread may have been between two steps


def test_what_is_asked_for_stays() -> None:
    memo: Memo[str] = Memo(100)
    memo.keep("asked", "value", weight=10)
    for n in range(200):
        memo.keep(n, "other", weight=10)
        assert memo.get("asked") == "value"


def test_what_nobody_asks_for_goes() -> None:
    memo: Memo[str] = Memo(100)
    memo.keep("forgotten", "value", weight=10)
    for n in range(20):
        memo.keep(n, "other", weight=10)
    assert memo.get("forgotten") is None
