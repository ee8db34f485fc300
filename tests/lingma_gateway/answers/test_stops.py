from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.answers.stops import StopSequences
from tests.lingma_gateway.support_events import cuts

texts = st.text("ab.\n", max_size=30)
sequences = st.lists(st.text("ab.\n", min_size=1, max_size=4), min_size=1, max_size=4)


def fed(chunks: Sequence[str], wanted: Sequence[str]) -> tuple[str, str | None]:
    """What came through, and which sequence ended it."""
    stops = StopSequences(wanted)
    sent = ""
    for chunk in chunks:
        sent += stops.feed(chunk)
        if stops.hit is not None:
            return sent, stops.hit
    return sent + stops.release(), None


@given(texts, sequences, st.data())
def test_however_the_text_is_cut_the_same_comes_through(text: str, wanted: list[str], data: st.DataObject) -> None:
    assert fed(data.draw(cuts(text)), wanted) == fed([text], wanted)


@given(texts, sequences)
def test_no_sequence_is_in_what_came_through_and_nothing_else_is_missing(text: str, wanted: list[str]) -> None:
    sent, hit = fed([text], wanted)
    assert not any(each in sent for each in wanted)
    if hit is None:
        assert sent == text
    else:
        assert text.startswith(sent + hit)


@pytest.mark.parametrize(
    ("chunk", "sent"), [("Hello", "Hello"), ("one\n", "one"), ("one\nEN", "one"), ("one\nEx", "one\nEx")]
)
def test_only_what_may_begin_a_sequence_is_held_back(chunk: str, sent: str) -> None:
    assert StopSequences(["\nEND", "STOP"]).feed(chunk) == sent


def test_the_sequence_that_is_complete_first_ends_the_answer() -> None:
    assert fed(["abcdef"], ["abcde", "cd"]) == ("ab", "cd")


def test_of_several_complete_at_once_the_longest_ends_the_answer() -> None:
    assert fed(["xabcd"], ["cd", "abcd"]) == ("x", "abcd")


def test_what_was_held_comes_with_what_shows_that_it_was_no_sequence() -> None:
    stops = StopSequences(["STOP"])
    assert [stops.feed("a ST"), stops.feed("O"), stops.feed("RY"), stops.release()] == ["a ", "", "STORY", ""]


def test_without_sequences_everything_goes_through() -> None:
    assert fed(["a", "", "b"], []) == ("ab", None)
