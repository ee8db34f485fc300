from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.errors import UpstreamRefused
from lingma_gateway.events import PartKind
from lingma_gateway.lingma import updates
from lingma_gateway.lingma.updates import Anew, AnswerReader
from tests.lingma_gateway.support_events import Pieces, joined, pieces

Push = tuple[str, dict[str, Any]]
FINISH: Push = ("chat/finish", {"statusCode": 200, "reason": "success", "fullAnswer": "", "sessionId": "s-1"})
METHODS = {PartKind.TEXT: "chat/answer", PartKind.REASONING: "chat/think"}


def said(text: str, **more: Any) -> Push:
    return ("chat/answer", {"text": text, "overwrite": False, **more})


def thought(text: str, step: str = "start") -> Push:
    return ("chat/think", {"text": text, "step": step})


def read(*pushes: Push) -> Pieces:
    """What a whole turn says in the end, joined."""
    reader, heard = AnswerReader(), Pieces()
    for method, params in pushes:
        produced = reader.read(method, params)
        if isinstance(produced, Anew):
            heard = produced.pieces
        else:
            heard = [*heard, *produced]
    assert reader.finished
    return joined(heard)


def text(*pushes: Push) -> str:
    """Its text."""
    return "".join(text for kind, text in read(*pushes) if kind is PartKind.TEXT)


@given(pieces)
def test_any_mix_of_answer_and_thinking_is_read_without_loss(given_pieces: Pieces) -> None:
    heard = read(*((METHODS[kind], {"text": text}) for kind, text in given_pieces), FINISH)
    assert heard == joined([piece for piece in given_pieces if piece[1]])


def test_empty_chunks_are_passed_over() -> None:
    assert read(said(""), said("a"), said(""), thought(""), FINISH) == read(said("a"), FINISH)
    assert AnswerReader().read(*said("")) == []


def test_a_push_beside_the_answer_says_nothing() -> None:
    assert AnswerReader().read("chat/process_step_callback", {"step": "step_start", "status": "done"}) == []


def test_the_text_of_an_answer_may_stand_in_content() -> None:
    assert text(("chat/answer", {"content": "pong"}), FINISH) == "pong"


@pytest.mark.parametrize("value", [None, 3, ["a"], {}])
def test_a_chunk_whose_text_is_no_string_says_nothing(value: Any) -> None:
    assert AnswerReader().read("chat/answer", {"text": value}) == []


def test_an_overwrite_that_goes_on_from_what_was_told_adds_the_rest() -> None:
    reader = AnswerReader()
    reader.read(*said("Hel"))
    assert reader.read(*said("Hello", overwrite=True)) == [(PartKind.TEXT, "lo")]
    assert reader.read(*said("Hello", overwrite=True)) == []


def test_an_overwrite_of_nothing_is_the_answer() -> None:
    assert text(said("Hello", overwrite=True), FINISH) == "Hello"


@pytest.mark.parametrize("whole", ["Help", "Hel", "", "other"])
def test_an_overwrite_that_takes_back_what_was_told_begins_anew(whole: str) -> None:
    reader = AnswerReader()
    reader.read(*said("Hello"))
    assert reader.read(*said(whole, overwrite=True)) == Anew([(PartKind.TEXT, whole)] if whole else [])
    assert text(said("Hello"), said(whole, overwrite=True), said(" you"), FINISH) == f"{whole} you"


def test_reasoning_that_was_told_beside_the_answer_outlives_an_overwrite() -> None:
    heard = read(thought("hm"), said("a draft"), said("the answer", overwrite=True), FINISH)
    assert heard == [(PartKind.REASONING, "hm"), (PartKind.TEXT, "the answer")]


def test_reasoning_fenced_in_an_answer_goes_with_it_when_it_is_replaced() -> None:
    heard = read(said("````think::12\nfirst\n````\nx"), said("````think::12\nsecond\n````\ny", overwrite=True), FINISH)
    assert heard == [(PartKind.REASONING, "second\n"), (PartKind.TEXT, "y")]


def test_thinking_does_not_count_as_answer_for_an_overwrite() -> None:
    assert read(thought("hm"), said("Hi", overwrite=True), FINISH) == [
        (PartKind.REASONING, "hm"),
        (PartKind.TEXT, "Hi"),
    ]


@pytest.mark.parametrize("before", [[], [said("")], [thought("hm")]])
def test_the_full_answer_is_taken_where_no_chunk_came(before: list[Push]) -> None:
    assert text(*before, ("chat/finish", {"statusCode": 200, "fullAnswer": "Hello"})) == "Hello"


@pytest.mark.parametrize(
    ("full_answer", "expected"), [("", "half"), ("half and half", "half and half"), ("half", "half"), ("other", "half")]
)
def test_a_full_answer_adds_what_no_chunk_told_and_replaces_nothing(full_answer: str, expected: str) -> None:
    assert text(said("half"), ("chat/finish", {"statusCode": 200, "fullAnswer": full_answer})) == expected


@pytest.mark.parametrize("finish", [FINISH, ("chat/finish", {})])
def test_a_finish_without_any_answer_is_an_empty_answer(finish: Push) -> None:
    assert read(finish) == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"statusCode": 501, "reason": "timeout"}, "Lingma ended the answer with status 501: timeout"),
        ({"statusCode": 500}, "Lingma ended the answer with status 500: no reason given"),
        ({"statusCode": None, "reason": 3}, "Lingma ended the answer with status None: no reason given"),
    ],
)
def test_a_finish_with_another_status_is_a_failure(params: dict[str, Any], message: str) -> None:
    reader = AnswerReader()
    reader.read(*said("half an"))
    with pytest.raises(UpstreamRefused) as caught:
        reader.read("chat/finish", params)
    assert str(caught.value) == message
    assert reader.finished


def test_a_long_reason_is_cut() -> None:
    with pytest.raises(UpstreamRefused) as caught:
        AnswerReader().read("chat/finish", {"statusCode": 500, "reason": "x" * 10_000})
    assert len(str(caught.value)) < 600


def test_the_session_is_the_one_that_lingma_named_last() -> None:
    reader = AnswerReader("sent")
    assert reader.session_id == "sent"
    reader.read(*said("a", sessionId="first"))
    assert reader.session_id == "first"
    reader.read(*said("a", sessionId=""))
    reader.read(*said("a", sessionId=3))
    reader.read(*said("a"))
    assert reader.session_id == "first"
    reader.read("chat/finish", {"sessionId": "changed"})
    assert reader.session_id == "changed"


@given(st.text().filter(lambda method: method not in (updates.ANSWER, updates.THINK, updates.FINISH)))
def test_an_unknown_push_says_nothing(method: str) -> None:
    assert AnswerReader().read(method, {"text": "a", "statusCode": 500}) == []


@pytest.mark.parametrize("method", updates.TOOL_METHODS)
def test_a_tool_push_is_no_part_of_the_answer(method: str) -> None:
    assert AnswerReader().read(method, {"toolCallId": "c-1", "toolCallStatus": "INIT", "text": "a"}) == []


@given(
    st.sampled_from([updates.ANSWER, updates.THINK, updates.FINISH]),
    st.dictionaries(
        st.sampled_from(["text", "content", "sessionId", "overwrite", "fullAnswer", "reason", "step"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()) | st.just({}),
    ),
)
def test_no_shape_of_params_makes_the_reader_fail(method: str, params: dict[str, Any]) -> None:
    assert isinstance(AnswerReader().read(method, params), list)


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
    reader = AnswerReader()
    reader.observe({"sessionId": "s-1", "text": "unheard"})
    reader.observe({"sessionId": ""})
    assert reader.session_id == "s-1"
    assert not reader.finished
