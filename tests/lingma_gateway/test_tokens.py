import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.tokens import Meter, estimate


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("abcd", 1), ("a" * 400, 100), ("思考", 1), ("思" * 150, 100), ("思" * 3 + "a" * 8, 4)],
)
def test_ascii_holds_four_characters_a_token_and_chinese_one_and_a_half(text: str, tokens: int) -> None:
    assert estimate(text) == tokens


@given(st.text(), st.text())
def test_more_text_is_never_fewer_tokens(text: str, more: str) -> None:
    assert estimate(text) <= estimate(text + more)
    assert (estimate(text) == 0) == (text == "")


def test_a_lone_surrogate_is_counted_too() -> None:
    assert estimate("\ud800") == 1


@given(st.lists(st.text()))
def test_text_that_streams_in_is_counted_as_if_it_came_at_once(chunks: list[str]) -> None:
    meter = Meter()
    for chunk in chunks:
        meter.add(chunk)
    assert meter.tokens == estimate("".join(chunks))


@given(st.text(), st.text(), st.integers(0, 30))
def test_what_fits_is_the_longest_beginning_within_the_limit(before: str, text: str, limit: int) -> None:
    meter = Meter()
    meter.add(before)
    fitting = meter.fitting(text, limit)
    within = [n for n in range(len(text) + 1) if estimate(before + text[:n]) <= limit]
    assert fitting == max(within, default=0)
