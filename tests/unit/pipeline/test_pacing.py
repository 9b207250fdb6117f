"""How much one claim holds: it follows how quickly letters are answered."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from digest.pipeline.pacing import CLAIM_LASTS, FIRST_REQUESTS, Stride

SECONDS = st.floats(0.0001, 30)


@given(SECONDS)
def test_after_some_claims_one_lasts_as_long_as_it_is_meant_to(each_s: float) -> None:
    stride = Stride()
    for _ in range(12):
        stride.took(stride.requests, each_s * timedelta(seconds=stride.requests))
    meant = CLAIM_LASTS.total_seconds() / each_s
    assert stride.requests == 1 if meant < 1 else meant * 0.98 - 1 <= stride.requests <= meant * 1.02


@given(st.lists(st.tuples(st.integers(0, 500), st.floats(0, 1000)), max_size=20))
def test_a_claim_always_holds_a_request(took: list[tuple[int, float]]) -> None:
    stride = Stride()
    for requests, seconds in took:
        stride.took(requests, timedelta(seconds=seconds))
        assert stride.requests >= 1


def test_where_no_time_passes_claims_grow_step_by_step() -> None:
    stride = Stride()
    stride.took(FIRST_REQUESTS, timedelta(0))
    assert FIRST_REQUESTS < stride.requests <= 10 * FIRST_REQUESTS
