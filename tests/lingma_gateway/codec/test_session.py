from collections.abc import Callable
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.codec import jsonrpc
from lingma_gateway.codec.frames import FrameDecoder, FrameError, encode_frame
from lingma_gateway.codec.session import (
    TRANSITIONS,
    Heard,
    IdState,
    Inbound,
    LocalProtocolError,
    Malformed,
    Push,
    Refusal,
    Reply,
    RpcSession,
    Step,
    Stray,
)


def result(id: jsonrpc.Id, value: object) -> bytes:
    return encode_frame(jsonrpc.encode_result(id, value))


def error(id: jsonrpc.Id, code: int = -32601, message: str = "unknown method: x") -> bytes:
    return encode_frame(jsonrpc.encode_error(id, code, message))


def push(method: str, id: jsonrpc.Id | None = None) -> bytes:
    return encode_frame(jsonrpc.encode_call(method, {"text": "思"}, id))


def sent(data: bytes) -> jsonrpc.Message:
    """The one message in bytes that a session gave out."""
    (body,) = FrameDecoder().feed(data)
    return jsonrpc.parse(body)


def test_requests_are_numbered_from_1_and_pending_until_answered() -> None:
    session = RpcSession()
    first, data = session.request("initialize", {"a": 1})
    assert sent(data) == jsonrpc.Call(1, "initialize", {"a": 1})
    second, _ = session.request("ping", {})
    assert (first, second, session.pending) == (1, 2, 2)
    assert session.receive(result(2, {"success": True})) == [Reply(2, "ping", {"success": True})]
    assert session.receive(error(1)) == [Refusal(1, "initialize", -32601, "unknown method: x")]
    assert session.pending == 0


def test_an_answer_with_the_id_as_text_finds_its_request() -> None:
    session = RpcSession()
    for _ in range(7):
        session.request("ping", {})
    assert session.receive(result("7", {})) == [Reply(7, "ping", {})]
    assert session.receive(error("6")) == [Refusal(6, "ping", -32601, "unknown method: x")]


def test_an_answer_that_nobody_waits_for_is_a_stray() -> None:
    session = RpcSession()
    id, _ = session.request("ping", {})
    session.receive(result(id, {}))
    no_id = encode_frame(b'{"error":{"code":1,"message":"x"}}')
    for data, stray in (
        (result(id, {}), Stray(1)),
        (error(9), Stray(9)),
        (result("x", {}), Stray("x")),
        (no_id, Stray(None)),
    ):
        assert session.receive(data) == [stray]


def test_a_forgotten_request_is_not_pending_and_its_late_answer_is_a_stray() -> None:
    session = RpcSession()
    id, _ = session.request("ping", {})
    session.forget(id)
    session.forget(id)
    assert session.pending == 0
    assert session.receive(result(id, {})) == [Stray(1)]


def test_a_push_carries_its_id_so_that_it_can_be_answered() -> None:
    session = RpcSession()
    assert session.receive(push("chat/answer", "s-1")) == [Push("s-1", "chat/answer", {"text": "思"})]
    assert session.receive(push("chat/answer", 9)) == [Push(9, "chat/answer", {"text": "思"})]
    assert session.receive(push("auth/report")) == [Push(None, "auth/report", {"text": "思"})]
    assert session.owed == 2
    assert sent(session.answer("s-1", {})) == jsonrpc.Result("s-1", {})
    assert sent(session.refuse(9, -32601, "no")) == jsonrpc.Error(9, -32601, "no")
    assert session.owed == 0
    assert sent(session.notify("chat/ask", {"a": 1})) == jsonrpc.Call(None, "chat/ask", {"a": 1})


def test_a_push_whose_id_equals_that_of_our_request_does_not_answer_it() -> None:
    session = RpcSession()
    id, _ = session.request("ping", {})
    assert session.receive(push("chat/answer", id)) == [Push(id, "chat/answer", {"text": "思"})]
    assert session.pending == 1


@pytest.mark.parametrize("state", [IdState.FREE, IdState.OWED])
@pytest.mark.parametrize("step", [Step.PUSH, Step.ANSWER, Step.LEAVE])
def test_a_pushs_id_goes_through_the_states_of_the_table_and_no_others(state: IdState, step: Step) -> None:
    session = RpcSession()
    if state is IdState.OWED:
        session.receive(push("chat/answer", 5))
    steps: dict[Step, Callable[[], object]] = {
        Step.PUSH: lambda: session.receive(push("chat/answer", "5")),
        Step.ANSWER: lambda: session.answer(5, {}),
        Step.LEAVE: lambda: session.leave(5),
    }
    apply = steps[step]
    if (state, step) not in TRANSITIONS:
        with pytest.raises(LocalProtocolError, match="nothing is owed for id 5"):
            apply()
        return
    apply()
    assert (IdState.OWED if session.owed else IdState.FREE) is TRANSITIONS[state, step]


@pytest.mark.parametrize("state", [IdState.FREE, IdState.PENDING])
@pytest.mark.parametrize("step", [Step.REQUEST, Step.REPLY, Step.FORGET])
def test_a_requests_id_goes_through_the_states_of_the_table_and_no_others(state: IdState, step: Step) -> None:
    session = RpcSession()
    if state is IdState.PENDING:
        session.request("ping", {})
    if (state, step) not in TRANSITIONS:
        # Ids only count up, so that no call can express it.
        assert (state, step) == (IdState.PENDING, Step.REQUEST)
        return
    steps: dict[Step, Callable[[], object]] = {
        Step.REQUEST: lambda: session.request("ping", {}),
        Step.REPLY: lambda: session.receive(result(1, {})),
        Step.FORGET: lambda: session.forget(1),
    }
    steps[step]()
    assert (IdState.PENDING if session.pending else IdState.FREE) is TRANSITIONS[state, step]


def test_the_table_holds_no_step_that_the_two_tests_above_do_not_take() -> None:
    theirs = {Step.PUSH, Step.ANSWER, Step.LEAVE}
    for state, step in TRANSITIONS:
        assert state in ({IdState.FREE, IdState.OWED} if step in theirs else {IdState.FREE, IdState.PENDING})


def test_each_of_two_pushes_with_one_id_is_owed_an_answer() -> None:
    session = RpcSession()
    session.receive(push("chat/answer", 5) + push("chat/answer", 5))
    session.answer(5, {})
    session.answer(5, {})
    assert session.owed == 0


@pytest.mark.parametrize("body", [b'{"id":4,"method":7}', b'{"id":4,"method":"m","params":[1]}'])
def test_a_malformed_push_that_waits_for_an_answer_can_be_refused(body: bytes) -> None:
    session = RpcSession()
    (malformed,) = session.receive(encode_frame(body))
    assert isinstance(malformed, Malformed)
    assert malformed.id == 4
    assert sent(session.refuse(4, jsonrpc.INVALID_REQUEST, malformed.reason)) == jsonrpc.Error(
        4, -32600, malformed.reason
    )


def test_the_session_goes_on_after_a_malformed_message() -> None:
    session = RpcSession()
    session.request("ping", {})
    stream = encode_frame(b"no json") + encode_frame(b"{}") + result(1, {})
    assert session.receive(stream) == [
        Malformed("a frame holds no JSON"),
        Malformed("a message is neither a call nor an answer"),
        Reply(1, "ping", {}),
    ]


def test_bytes_that_are_no_frames_end_the_session() -> None:
    with pytest.raises(FrameError):
        RpcSession().receive(b'{"jsonrpc":"2.0"}\r\n\r\n')


class Said(msgspec.Struct, frozen=True):
    text: str


class Say(jsonrpc.KnownCall, frozen=True, kw_only=True):
    method: Literal["chat/answer"]
    params: Said


def test_a_push_of_the_known_form_is_answered_already_and_nothing_is_owed_for_it() -> None:
    session = RpcSession(Say)
    (heard, silent) = session.receive(push("chat/answer", 7) + push("chat/answer"))
    assert heard == Heard(
        Say(id=7, method="chat/answer", params=Said("思")), encode_frame(jsonrpc.encode_result(7, {}))
    )
    assert silent == Heard(Say(method="chat/answer", params=Said("思")), None)
    assert session.owed == 0


def test_a_push_of_another_form_is_owed_an_answer_as_ever() -> None:
    session = RpcSession(Say)
    assert session.receive(push("chat/answer", "text") + push("chat/finish", 8)) == [
        Push("text", "chat/answer", {"text": "思"}),
        Push(8, "chat/finish", {"text": "思"}),
    ]
    assert session.owed == 2


@given(st.integers(min_value=1, max_value=400))
def test_what_arrives_means_the_same_in_chunks_of_any_size(size: int) -> None:
    stream = (
        push("chat/answer", 1) + result(1, {"a": "思考"}) + encode_frame(b"[]") + error("2") + push("chat/finish", "x")
    )
    session = RpcSession()
    session.request("ping", {})
    session.request("auth/status", {})
    received: list[Inbound] = []
    for start in range(0, len(stream), size):
        received += session.receive(stream[start : start + size])
    assert received == [
        Push(1, "chat/answer", {"text": "思"}),
        Reply(1, "ping", {"a": "思考"}),
        Malformed("a frame holds no JSON object"),
        Refusal(2, "auth/status", -32601, "unknown method: x"),
        Push("x", "chat/finish", {"text": "思"}),
    ]
