import pytest
from hypothesis import given

from lingma_gateway.events import (
    Finished,
    FinishReason,
    PartDelta,
    PartEnded,
    PartKind,
    PartSequencer,
    PartStarted,
    Started,
    StreamEvent,
    Usage,
)
from tests.lingma_gateway.support_events import Pieces, answer, check_ordering, pieces, text_of

TEXT, REASONING = PartKind.TEXT, PartKind.REASONING
FINISHED = Finished(FinishReason.STOP, Usage(1, 1, estimated=True), "session-1")


@given(pieces)
def test_any_sequence_of_pieces_obeys_the_ordering_law_and_loses_no_text(given_pieces: Pieces) -> None:
    events = answer(given_pieces)
    check_ordering(events)
    for kind in PartKind:
        assert text_of(events, kind) == "".join(text for of, text in given_pieces if of is kind)


@given(pieces)
def test_neighbouring_pieces_of_one_kind_share_a_part(given_pieces: Pieces) -> None:
    kinds = [event.kind for event in answer(given_pieces) if isinstance(event, PartStarted)]
    assert all(one is not next for one, next in zip(kinds, kinds[1:], strict=False))


def test_text_right_after_thinking_closes_the_thinking_part() -> None:
    parts = PartSequencer()
    assert parts.delta(REASONING, "hm") == [PartStarted(0, REASONING), PartDelta(0, REASONING, "hm")]
    assert parts.delta(TEXT, "yes") == [PartEnded(0, REASONING), PartStarted(1, TEXT), PartDelta(1, TEXT, "yes")]


def test_closing_twice_ends_a_part_once() -> None:
    parts = PartSequencer()
    parts.delta(TEXT, "a")
    assert parts.close() == [PartEnded(0, TEXT)]
    assert parts.close() == []


def test_text_after_a_close_is_a_new_part() -> None:
    parts = PartSequencer()
    parts.delta(TEXT, "a")
    parts.close()
    assert parts.delta(TEXT, "b") == [PartStarted(1, TEXT), PartDelta(1, TEXT, "b")]


@pytest.mark.parametrize(
    "events",
    [
        [],
        [Started("m")],
        [FINISHED],
        [Started("m"), Started("m"), FINISHED],
        [Started("m"), PartDelta(0, TEXT, "a"), FINISHED],
        [Started("m"), PartStarted(0, TEXT), FINISHED],
        [Started("m"), PartStarted(1, TEXT), PartEnded(1, TEXT), FINISHED],
        [Started("m"), PartStarted(0, TEXT), PartDelta(0, REASONING, "a"), PartEnded(0, TEXT), FINISHED],
        [Started("m"), PartStarted(0, TEXT), PartDelta(0, TEXT, ""), PartEnded(0, TEXT), FINISHED],
        [Started("m"), PartStarted(0, TEXT), PartEnded(1, TEXT), FINISHED],
        [Started("m"), PartEnded(0, TEXT), FINISHED],
        [Started("m"), FINISHED, FINISHED],
    ],
)
def test_the_check_of_the_ordering_law_sees_what_breaks_it(events: list[StreamEvent]) -> None:
    with pytest.raises(AssertionError):
        check_ordering(events)
