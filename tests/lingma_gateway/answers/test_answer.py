import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.answers.answer import Answer, Limits
from lingma_gateway.conversation import Turn
from lingma_gateway.events import Finished, FinishReason, PartKind, Started, StreamEvent, Usage
from lingma_gateway.tokens import estimate
from tests.lingma_gateway.support_events import (
    Pieces,
    answer,
    check_ordering,
    cut_pieces,
    joined,
    parts_of,
    pieces,
    text_of,
)

UNLIMITED = Limits()
limits = st.builds(
    Limits,
    st.none() | st.integers(0, 20),
    st.lists(st.text("ab ", min_size=1, max_size=3), max_size=3).map(tuple),
)
spoken: st.SearchStrategy[Pieces] = st.lists(
    st.tuples(st.sampled_from([PartKind.TEXT, PartKind.REASONING]), st.text("abc ", min_size=1, max_size=20)),
    max_size=6,
)


def told(given_pieces: Pieces, limits: Limits = UNLIMITED) -> list[StreamEvent]:
    """A whole answer, which must obey the ordering law."""
    one = Answer("org_auto", 3, limits)
    events = [event for piece in given_pieces for event in one.read([piece])]
    events += [*one.end(), one.finish(one.usage, "session-1")]
    check_ordering(events)
    return events


def finished(events: list[StreamEvent]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


@given(pieces)
def test_any_mix_of_text_and_reasoning_becomes_ordered_parts_without_loss(given_pieces: Pieces) -> None:
    events = told(given_pieces)
    assert isinstance(events[0], Started)
    assert [event for event in events[1:] if not isinstance(event, Finished)] == answer(given_pieces)[1:-1]


@given(spoken, limits, st.data())
def test_however_it_is_cut_the_answer_is_the_same(given_pieces: Pieces, limits: Limits, data: st.DataObject) -> None:
    whole, chunked = told(joined(given_pieces), limits), told(data.draw(cut_pieces(given_pieces)), limits)
    assert parts_of(chunked) == parts_of(whole)
    assert finished(chunked).reason is finished(whole).reason
    assert finished(chunked).stop_sequence == finished(whole).stop_sequence


def test_the_first_piece_starts_the_answer() -> None:
    one = Answer("org_auto", 7, Limits())
    assert one.read([]) == one.read([(PartKind.TEXT, "")]) == []
    assert one.read([(PartKind.TEXT, "a")])[0] == Started("org_auto", 7)
    assert not any(isinstance(event, Started) for event in [*one.read([(PartKind.TEXT, "b")]), *one.end()])


def test_an_answer_of_nothing_has_a_beginning_and_an_end() -> None:
    assert [type(event) for event in told([])] == [Started, Finished]


def test_a_stop_sequence_ends_the_answer_before_itself_and_is_named() -> None:
    events = told(
        [(PartKind.TEXT, "one EN"), (PartKind.TEXT, "D two"), (PartKind.TEXT, "three")], Limits(stop=("END",))
    )
    assert text_of(events, PartKind.TEXT) == "one "
    assert finished(events).reason is FinishReason.STOP_SEQUENCE
    assert finished(events).stop_sequence == "END"


def test_reasoning_is_not_searched_for_stop_sequences() -> None:
    given_pieces = [(PartKind.TEXT, "EN"), (PartKind.REASONING, "END"), (PartKind.TEXT, "D")]
    events = told(given_pieces, Limits(stop=("END",)))
    assert parts_of(events) == given_pieces
    assert finished(events).reason is FinishReason.STOP


def test_an_answer_that_exceeds_max_tokens_is_cut_and_says_length() -> None:
    events = told([(PartKind.TEXT, "word " * 50)], Limits(max_tokens=5))
    assert finished(events).reason is FinishReason.LENGTH
    assert 1 < estimate(text_of(events, PartKind.TEXT)) <= 5
    assert finished(events).usage.output_tokens <= 5


def test_a_stop_sequence_that_comes_before_the_limit_counts() -> None:
    limits = Limits(max_tokens=5, stop=("word",))
    events = told([(PartKind.REASONING, "hm "), (PartKind.TEXT, "a word " * 50)], limits)
    assert finished(events).reason is FinishReason.STOP_SEQUENCE
    assert text_of(events, PartKind.TEXT) == "a "


def test_what_may_begin_a_stop_sequence_is_told_when_the_limit_ends_the_answer() -> None:
    events = told([(PartKind.TEXT, "one two three four")], Limits(max_tokens=2, stop=(" three",)))
    assert text_of(events, PartKind.TEXT) == "one two "
    assert finished(events).reason is FinishReason.LENGTH


def test_usage_counts_text_and_reasoning_and_is_an_estimate() -> None:
    usage = finished(told([(PartKind.REASONING, "so"), (PartKind.TEXT, "Hello "), (PartKind.TEXT, "world")])).usage
    assert usage == Usage(3, estimate("Hello world") + estimate("so"), True, reasoning_tokens=estimate("so"))


@pytest.mark.parametrize("stop", [(), ("x",)])
def test_the_limits_are_those_of_the_turn(stop: tuple[str, ...]) -> None:
    assert Limits.of(Turn(None, (), stream=False, stop=stop, max_tokens=7)) == Limits(7, stop)
