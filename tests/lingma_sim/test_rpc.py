import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_sim import rpc
from lingma_sim.rpc import Call, Malformed, Reply


def parsed(**message: Any) -> Call | Reply | Malformed:
    return rpc.parse(json.dumps({"jsonrpc": "2.0", **message}).encode())


def test_a_request_a_notification_and_a_reply_are_told_apart() -> None:
    assert parsed(id=1, method="ping", params={"a": 1}) == Call(1, "ping", {"a": 1})
    assert parsed(id="x", method="ping", params={}) == Call("x", "ping", {})
    assert parsed(method="ping", params={}) == Call(None, "ping", {})
    assert parsed(id=1, result=None) == Reply(1, None, None)
    assert parsed(id=1, error={"code": 1}) == Reply(1, None, {"code": 1})


@pytest.mark.parametrize("params", [[], [{}], None, "text", 1])
def test_params_that_are_no_object_are_none(params: Any) -> None:
    assert parsed(id=1, method="ping", params=params) == Call(1, "ping", None)


def test_omitted_params_are_none() -> None:
    assert parsed(id=1, method="ping") == Call(1, "ping", None)


@pytest.mark.parametrize("bad", [True, None, 1.5, [], {}])
def test_an_id_is_a_whole_number_or_a_string(bad: Any) -> None:
    message = parsed(id=bad, method="ping", params={})
    assert isinstance(message, Malformed)
    assert (message.id, message.code) == (None, rpc.INVALID_REQUEST)


@pytest.mark.parametrize(
    "message",
    [
        {"id": 1},
        {"id": 1, "result": 1, "error": {}},
        {"result": 1},
        {"id": 1, "method": 7},
        {"jsonrpc": "1.0", "id": 1},
    ],
)
def test_what_is_neither_call_nor_reply_is_malformed(message: dict[str, Any]) -> None:
    assert isinstance(parsed(**message), Malformed)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff{}", b"[" * 100_000])
def test_what_is_no_json_is_a_parse_error(body: bytes) -> None:
    assert rpc.parse(body) == Malformed(None, rpc.PARSE_ERROR, "parse error")


def test_a_batch_is_refused() -> None:
    assert isinstance(rpc.parse(b"[]"), Malformed)


@given(st.binary(max_size=100))
def test_no_body_breaks_the_parser(body: bytes) -> None:
    rpc.parse(body)


def test_messages_have_the_members_of_json_rpc() -> None:
    assert rpc.request(1, "chat/answer", {"a": 1}) == {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "chat/answer",
        "params": {"a": 1},
    }
    assert rpc.result("a", None) == {"jsonrpc": "2.0", "id": "a", "result": None}
    assert rpc.error(None, -1, "no") == {"jsonrpc": "2.0", "id": None, "error": {"code": -1, "message": "no"}}


def test_text_stays_utf_8_and_a_lone_surrogate_becomes_a_question_mark() -> None:
    assert rpc.dump({"text": "ü\ud800"}) == '{"text":"ü?"}'.encode()
