import json
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.codec import jsonrpc
from lingma_gateway.codec.jsonrpc import Call, Error, Id, KnownCall, KnownCalls, MessageError, Result

ids = st.integers(min_value=-(2**53), max_value=2**53) | st.text()
values = st.recursive(
    st.none() | st.booleans() | st.integers(min_value=-(2**53), max_value=2**53) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
params = st.dictionaries(st.text(), values, max_size=4)
parts = st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "code", "message"])


@given(st.text(), params, st.none() | ids)
def test_a_call_reads_back_as_it_was(method: str, given_params: dict[str, Any], id: Id | None) -> None:
    assert jsonrpc.parse(jsonrpc.encode_call(method, given_params, id)) == Call(id, method, given_params)


@given(ids, values)
def test_a_result_reads_back_as_it_was(id: Id, result: Any) -> None:
    assert jsonrpc.parse(jsonrpc.encode_result(id, result)) == Result(id, result)


@given(ids, st.integers(min_value=-(2**31), max_value=2**31), st.text())
def test_an_error_reads_back_as_it_was(id: Id, code: int, message: str) -> None:
    assert jsonrpc.parse(jsonrpc.encode_error(id, code, message)) == Error(id, code, message)


def test_params_are_always_sent_and_a_notification_has_no_id() -> None:
    assert json.loads(jsonrpc.encode_call("initialized", {})) == {
        "jsonrpc": "2.0",
        "method": "initialized",
        "params": {},
    }


@pytest.mark.parametrize("message", [{"method": "ping"}, {"method": "ping", "params": None, "id": None}])
def test_missing_params_are_an_empty_object(message: dict[str, Any]) -> None:
    assert jsonrpc.parse(json.dumps(message).encode()) == Call(None, "ping", {})


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"id": 1, "error": None}, Result(1, None)),
        ({"id": 1, "result": {}, "error": None}, Result(1, {})),
        ({"id": "7", "result": True}, Result("7", True)),
        ({"id": 1, "error": "broken"}, Error(1, jsonrpc.INTERNAL_ERROR, "broken")),
        ({"id": 1, "error": {}}, Error(1, jsonrpc.INTERNAL_ERROR, "")),
        ({"error": {"code": "x", "message": 3}}, Error(None, jsonrpc.INTERNAL_ERROR, "3")),
        ({"id": 2, "result": 1, "error": {"code": -32601, "message": "no"}}, Error(2, jsonrpc.METHOD_NOT_FOUND, "no")),
    ],
)
def test_answers_that_bend_the_rules_are_understood(message: dict[str, Any], expected: jsonrpc.Message) -> None:
    assert jsonrpc.parse(json.dumps(message).encode()) == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 5000, "no JSON"),
        (b"[]", "no JSON object"),
        (b"null", "no JSON object"),
        (b"{}", "neither a call nor an answer"),
        (b'{"id":1}', "neither a call nor an answer"),
        (b'{"result":{}}', "a result has no id"),
        (b'{"error":null}', "a result has no id"),
        (b'{"method":3}', "a method is no string"),
        (b'{"method":"m","params":[]}', "the params of m are no object"),
        (b'{"method":"m","id":true}', "an id is neither"),
        (b'{"method":"m","id":1.5}', "an id is neither"),
        (b'{"method":"m","id":{}}', "an id is neither"),
        (b'{"id":false,"result":1}', "an id is neither"),
        (b'{"id":[],"error":{}}', "an id is neither"),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(MessageError, match=reason):
        jsonrpc.parse(body)


def test_the_number_7_and_the_text_7_name_the_same_request() -> None:
    assert jsonrpc.correlation(7) == jsonrpc.correlation("7")
    assert jsonrpc.correlation("07") != jsonrpc.correlation(7)


@given(st.dictionaries(parts, values).map(json.dumps).map(str.encode) | st.binary())
def test_no_body_raises_anything_but_a_message_error(body: bytes) -> None:
    try:
        jsonrpc.parse(body)
    except MessageError as error:
        assert str(error)


class Text(msgspec.Struct, frozen=True):
    text: str = ""


class Say(KnownCall, frozen=True, kw_only=True):
    method: Literal["say", "whisper"]
    params: Text


@given(st.sampled_from(["say", "whisper"]), st.text(), st.none() | st.integers(), params)
def test_a_call_of_a_known_form_reads_as_what_it_names_whatever_else_it_holds(
    method: str, text: str, id: int | None, others: dict[str, Any]
) -> None:
    body = json.dumps({"id": id, "method": method, "params": {**others, "text": text}, "others": others}).encode()
    call = KnownCalls(Say).read(body)
    assert isinstance(call, Say)
    assert (call.id, call.method, call.params) == (id, method, Text(text))


@pytest.mark.parametrize(
    "body",
    [
        b'{"method":"shout","params":{"text":"a"}}',
        b'{"method":"say","params":{"text":1}}',
        b'{"method":"say","params":[]}',
        b'{"method":"say"}',
        b'{"method":"say","params":{},"id":"7"}',
        b'{"method":"say","params":{},"id":true}',
        b'{"id":1,"result":{}}',
        b'{"method":"say","params":{"text":"\xff"}}',
        b'{"method":"say","params":{},"deep":' + b"[" * 5000,
        b"[]",
        b"",
    ],
)
def test_what_has_not_the_known_form_is_left_to_the_general_reading(body: bytes) -> None:
    assert KnownCalls(Say).read(body) is None


@given(st.binary() | values.map(json.dumps).map(str.encode))
def test_no_body_makes_the_known_form_raise(body: bytes) -> None:
    KnownCalls(Say).read(body)


@given(st.integers())
def test_an_acknowledgement_is_a_result_that_says_nothing(id: int) -> None:
    assert json.loads(jsonrpc.encode_acknowledgement(id)) == {"jsonrpc": "2.0", "id": id, "result": {}}
