import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.lingma.backoff import Backoff


def test_waits_double_up_to_the_longest_and_stay_there() -> None:
    backoff = Backoff(1.0, 10.0, spread=lambda: 0.0)
    assert [backoff.next() for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_it_is_exhausted_once_the_longest_wait_comes_next_and_not_after_a_reset() -> None:
    backoff = Backoff(1.0, 4.0)
    assert [(backoff.next(), backoff.exhausted)[1] for _ in range(3)] == [False, True, True]
    backoff.reset()
    assert not backoff.exhausted
    assert backoff.next() <= 1.0


@given(st.integers(0, 50), st.floats(min_value=0, max_value=1, exclude_max=True))
def test_a_wait_is_spread_by_at_most_a_fifth_downwards(tries: int, spread: float) -> None:
    backoff, plain = Backoff(spread=lambda: spread), Backoff(spread=lambda: 0.0)
    waits = [(backoff.next(), plain.next()) for _ in range(tries + 1)]
    assert all(0.8 * full <= wait <= full <= 30.0 for wait, full in waits)


def test_the_first_wait_must_be_shorter_than_the_longest() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Backoff(2.0, 2.0)


def test_waits_of_several_gateways_differ_by_default() -> None:
    assert len({Backoff().next() for _ in range(20)}) > 1
