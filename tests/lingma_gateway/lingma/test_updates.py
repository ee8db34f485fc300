from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.errors import UpstreamProtocol, UpstreamRefused
from lingma_gateway.events import Finished, PartKind, Started, StreamEvent, Usage
from lingma_gateway.lingma import updates
from lingma_gateway.lingma.updates import TurnReader
from lingma_gateway.tokens import estimate
from tests.lingma_gateway.support_events import Pieces, answer, check_ordering, pieces, text_of

Push = tuple[str, dict[str, Any]]
FINISH: Push = ("chat/finish", {"statusCode": 200, "reason": "success", "fullAnswer": "", "sessionId": "s-1"})
METHODS = {PartKind.TEXT: "chat/answer", PartKind.REASONING: "chat/think"}


def said(text: str, **more: Any) -> Push:
    return ("chat/answer", {"text": text, "overwrite": False, **more})


def thought(text: str, step: str = "start") -> Push:
    return ("chat/think", {"text": text, "step": step})


def reader(session_id: str = "") -> TurnReader:
    return TurnReader("org_auto", "the question", session_id)


def read(*pushes: Push) -> list[StreamEvent]:
    """The events of a whole turn, which must obey the ordering law."""
    turn = reader()
    events = [event for method, params in pushes for event in turn.read(method, params)]
    assert turn.finished
    check_ordering(events)
    return events


def finished(events: list[StreamEvent]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


@given(pieces)
def test_any_mix_of_answer_and_thinking_becomes_ordered_parts_without_loss(given_pieces: Pieces) -> None:
    events = read(*((METHODS[kind], {"text": text}) for kind, text in given_pieces), FINISH)
    assert isinstance(events[0], Started)
    assert [event for event in events[1:] if not isinstance(event, Finished)] == answer(given_pieces)[1:-1]


def test_the_first_piece_starts_the_answer_and_names_the_model() -> None:
    turn = reader()
    assert turn.read("chat/process_step_callback", {"step": "step_start", "status": "done"}) == []
    assert isinstance(turn.read(*said("pon"))[0], Started)
    assert not any(isinstance(event, Started) for event in turn.read(*said("g")))


def test_empty_chunks_are_passed_over() -> None:
    assert read(said(""), said("a"), said(""), thought(""), FINISH) == read(said("a"), FINISH)
    assert reader().read(*said("")) == []


def test_the_text_of_an_answer_may_stand_in_content() -> None:
    assert text_of(read(("chat/answer", {"content": "pong"}), FINISH), PartKind.TEXT) == "pong"


@pytest.mark.parametrize("text", [None, 3, ["a"], {}])
def test_a_chunk_whose_text_is_no_string_says_nothing(text: Any) -> None:
    assert reader().read("chat/answer", {"text": text}) == []


def test_an_overwrite_that_goes_on_from_what_was_sent_adds_the_rest() -> None:
    events = read(said("Hel"), said("Hello", overwrite=True), said("Hello", overwrite=True), said("!"), FINISH)
    assert text_of(events, PartKind.TEXT) == "Hello!"


def test_an_overwrite_of_nothing_is_the_answer() -> None:
    assert text_of(read(said("Hello", overwrite=True), FINISH), PartKind.TEXT) == "Hello"


@pytest.mark.parametrize("whole", ["Help", "Hel", "", "other"])
def test_an_overwrite_that_takes_back_what_was_sent_is_a_failure_not_a_wrong_answer(whole: str) -> None:
    turn = reader()
    turn.read(*said("Hello"))
    with pytest.raises(UpstreamProtocol, match="replaced text"):
        turn.read(*said(whole, overwrite=True))


def test_thinking_does_not_count_as_answer_for_an_overwrite() -> None:
    events = read(thought("hm"), said("Hi", overwrite=True), FINISH)
    assert text_of(events, PartKind.TEXT) == "Hi"
    assert text_of(events, PartKind.REASONING) == "hm"


def test_the_chunks_count_where_a_full_answer_comes_as_well() -> None:
    full = ("chat/finish", {"statusCode": 200, "fullAnswer": "something else"})
    assert text_of(read(said("Hello"), full), PartKind.TEXT) == "Hello"


@pytest.mark.parametrize("before", [[], [said("")], [thought("hm")]])
def test_the_full_answer_is_taken_where_no_chunk_came(before: list[Push]) -> None:
    full = ("chat/finish", {"statusCode": 200, "fullAnswer": "Hello"})
    assert text_of(read(*before, full), PartKind.TEXT) == "Hello"


@pytest.mark.parametrize("finish", [FINISH, ("chat/finish", {})])
def test_a_finish_without_any_answer_is_an_empty_answer(finish: Push) -> None:
    events = read(finish)
    assert [type(event) for event in events] == [Started, Finished]
    assert finished(events).usage.output_tokens == 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"statusCode": 501, "reason": "timeout"}, "Lingma ended the answer with status 501: timeout"),
        ({"statusCode": 500}, "Lingma ended the answer with status 500: no reason given"),
        ({"statusCode": None, "reason": 3}, "Lingma ended the answer with status None: no reason given"),
    ],
)
def test_a_finish_with_another_status_is_a_failure(params: dict[str, Any], message: str) -> None:
    turn = reader()
    turn.read(*said("half an"))
    with pytest.raises(UpstreamRefused) as caught:
        turn.read("chat/finish", params)
    assert str(caught.value) == message
    assert turn.finished


def test_a_long_reason_is_cut() -> None:
    with pytest.raises(UpstreamRefused) as caught:
        reader().read("chat/finish", {"statusCode": 500, "reason": "x" * 10_000})
    assert len(str(caught.value)) < 600


def test_the_session_is_the_one_that_lingma_named_last() -> None:
    turn = reader("sent")
    assert turn.session_id == "sent"
    turn.read(*said("a", sessionId="first"))
    assert turn.session_id == "first"
    turn.read(*said("a", sessionId=""))
    turn.read(*said("a", sessionId=3))
    turn.read(*said("a"))
    assert turn.session_id == "first"
    events = turn.read("chat/finish", {"sessionId": "changed"})
    assert finished(events).session_id == turn.session_id == "changed"


def test_tokens_are_estimated_over_question_answer_and_thinking() -> None:
    usage = finished(read(thought("so"), said("Hello "), said("world"), FINISH)).usage
    expected = estimate("Hello world") + estimate("so")
    assert usage == Usage(estimate("the question"), expected, estimated=True)


@given(st.text().filter(lambda method: method not in (updates.ANSWER, updates.THINK, updates.FINISH)))
def test_an_unknown_push_produces_nothing(method: str) -> None:
    assert reader().read(method, {"text": "a", "statusCode": 500}) == []


@pytest.mark.parametrize("method", updates.TOOL_METHODS)
def test_a_tool_push_is_no_part_of_the_answer(method: str) -> None:
    assert reader().read(method, {"toolCallId": "c-1", "toolCallStatus": "INIT", "text": "a"}) == []


@given(
    st.sampled_from([updates.ANSWER, updates.THINK, updates.FINISH]),
    st.dictionaries(
        st.sampled_from(["text", "content", "sessionId", "overwrite", "fullAnswer", "reason", "step"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()) | st.just({}),
    ),
)
def test_no_shape_of_params_makes_the_reader_fail(method: str, params: dict[str, Any]) -> None:
    assert isinstance(reader().read(method, params), list)


def held(*pushes: Push) -> str:
    turn = TurnReader("org_auto", "the question", hold=True)
    events = [event for method, params in pushes for event in turn.read(method, params)]
    check_ordering(events)
    return text_of(events, PartKind.TEXT)


def test_an_answer_that_is_held_may_be_replaced_until_its_end() -> None:
    assert held(said("a draft"), said("the ans", overwrite=True), said("wer"), FINISH) == "the answer"
    assert held(said("a draft"), said("", overwrite=True), FINISH) == ""


def test_reasoning_fenced_in_an_answer_that_is_held_is_told_apart() -> None:
    assert held(said("````think::12\nbeca"), said("use\n````\nso"), FINISH) == "so"


@pytest.mark.parametrize(
    ("full_answer", "expected"), [("", "half"), ("half and half", "half and half"), ("half", "half"), ("other", "half")]
)
def test_a_full_answer_adds_what_no_chunk_told_and_replaces_nothing(full_answer: str, expected: str) -> None:
    finish: Push = ("chat/finish", {"statusCode": 200, "fullAnswer": full_answer})
    assert text_of(read(said("half"), finish), PartKind.TEXT) == expected
    assert held(said("half"), finish) == expected


@pytest.mark.parametrize(
    ("method", "status", "asks"),
    [
        ("tool/call/sync", "PENDING", True),
        ("tool/call/sync", "pending", True),
        ("tool/call/sync", "RUNNING", False),
        ("tool/call/sync", None, False),
        ("tool/invoke", "PENDING", False),
    ],
)
def test_only_a_pending_tool_call_asks_for_approval(method: str, status: str | None, asks: bool) -> None:
    assert updates.asks_approval(method, {"toolCallStatus": status}) is asks


def test_a_push_that_is_only_observed_names_the_session_and_says_nothing_else() -> None:
    reader = TurnReader("model", "the question")
    reader.observe({"sessionId": "s-1", "text": "unheard"})
    reader.observe({"sessionId": ""})
    assert reader.session_id == "s-1"
    assert not reader.finished
