import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from lingma_gateway.conversation import Message, Part, Role, Text, ToolCall, ToolResult
from lingma_gateway.dialects import openai_chat
from lingma_gateway.dialects.openai_chat import BodyEncoder, Envelope, StreamEncoder
from lingma_gateway.errors import InvalidRequest
from lingma_gateway.events import FinishReason, PartKind, StreamEvent, Usage
from tests.lingma_gateway.support_events import answer, answers, text_of

ENVELOPE = Envelope("chatcmpl-1", 1_700_000_000)
HELLO = [{"role": "user", "content": "Hello"}]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-10, 10)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)


def parse(messages: Any = HELLO, **fields: Any) -> openai_chat.ChatRequest:
    return openai_chat.parse(json.dumps({"messages": messages, **fields}).encode())


def parts(*messages: dict[str, Any]) -> tuple[Message, ...]:
    return parse(list(messages)).turn.messages


def call(**function: Any) -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": function}


# Requests that are understood


def test_the_least_request_is_a_turn_of_one_message() -> None:
    request = parse()
    assert request.turn.messages == (Message(Role.USER, (Text("Hello"),)),)
    assert request.turn.model is None
    assert not request.turn.stream
    assert not request.include_usage
    assert request.turn.ignored == request.turn.degraded == ()


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("system", Role.SYSTEM),
        ("developer", Role.SYSTEM),
        ("user", Role.USER),
        ("assistant", Role.ASSISTANT),
    ],
)
def test_each_role_has_its_meaning(name: str, role: Role) -> None:
    assert parts({"role": name, "content": "a"}) == (Message(role, (Text("a"),)),)


@pytest.mark.parametrize(
    ("message", "result"),
    [
        ({"role": "tool", "tool_call_id": "call_1", "content": "rain"}, ToolResult("call_1", (Text("rain"),))),
        ({"role": "tool", "tool_call_id": "call_1", "content": ""}, ToolResult("call_1", (Text(""),))),
        ({"role": "tool", "content": [{"type": "text", "text": "rain"}]}, ToolResult("", (Text("rain"),))),
        ({"role": "function", "name": "weather", "content": "rain"}, ToolResult("weather", (Text("rain"),))),
    ],
)
def test_what_a_tool_answered_is_a_result_even_if_it_is_empty(message: dict[str, Any], result: Part) -> None:
    assert parts(message) == (Message(Role.TOOL, (result,)),)


def test_an_assistants_calls_come_after_its_text() -> None:
    calls = [call(name="weather", arguments='{"city":"Bonn"}'), {"function": {"name": "time"}}]
    message = {"role": "assistant", "content": "Let me see", "tool_calls": calls}
    expected = (Text("Let me see"), ToolCall("call_1", "weather", '{"city":"Bonn"}'), ToolCall("", "time", ""))
    assert parts(message) == (Message(Role.ASSISTANT, expected),)


@pytest.mark.parametrize("content", [{}, {"content": None}, {"content": ""}, {"content": []}])
def test_a_message_of_calls_needs_no_content(content: dict[str, Any]) -> None:
    message = {"role": "assistant", "tool_calls": [call(name="time")], **content}
    assert parts(message) == (Message(Role.ASSISTANT, (ToolCall("call_1", "time", ""),)),)


def test_the_call_of_an_older_client_is_kept_like_any_other() -> None:
    message = {"role": "assistant", "content": None, "function_call": {"name": "time", "arguments": "{}"}}
    assert parts(message) == (Message(Role.ASSISTANT, (ToolCall("", "time", "{}"),)),)


def test_calls_of_a_user_are_not_calls_of_the_model() -> None:
    message = {"role": "user", "content": "a", "tool_calls": [call(name="time")]}
    assert parts(message) == (Message(Role.USER, (Text("a"),)),)


@pytest.mark.parametrize("content", [None, "", " \n", []])
def test_messages_without_content_are_dropped_beside_others(content: Any) -> None:
    assert parts({"role": "assistant", "content": content}, *HELLO) == (Message(Role.USER, (Text("Hello"),)),)


def test_parts_of_text_are_joined_by_lines_and_others_are_placeholders_that_the_answer_reports() -> None:
    content = [
        "plain",
        {"type": "text", "text": "one"},
        {"type": "refusal", "refusal": "no"},
        {"type": "image_url", "image_url": {"url": "data:"}},
        {"type": "image_url", "image_url": {"url": "data:"}},
        {"type": "input_audio"},
        {"type": "hologram"},
    ]
    turn = parse([{"role": "user", "content": content}]).turn
    expected = "plain\none\nno\n[image]\n[image]\n[audio]\n[hologram]"
    assert turn.messages == (Message(Role.USER, (Text(expected),)),)
    assert turn.degraded == ("audio", "hologram", "image")


def test_fields_without_effect_are_reported_and_those_that_want_none_are_not() -> None:
    turn = parse(
        temperature=0, tools=[{"type": "function"}], stop=[], seed=None, logit_bias={}, user="u", store=True, n=1
    ).turn
    assert turn.ignored == ("logit_bias", "temperature", "tools")


@pytest.mark.parametrize(("model", "expected"), [("q35model", "q35model"), ("", None), (None, None)])
def test_the_model_is_taken_as_the_client_named_it(model: str | None, expected: str | None) -> None:
    assert parse(model=model).turn.model == expected


@pytest.mark.parametrize(
    ("fields", "stream", "usage"),
    [
        ({"stream": True}, True, False),
        ({"stream": None}, False, False),
        ({"stream": True, "stream_options": None}, True, False),
        ({"stream": True, "stream_options": {}}, True, False),
        ({"stream": True, "stream_options": {"include_usage": False}}, True, False),
        ({"stream": True, "stream_options": {"include_usage": True}}, True, True),
        ({"stream": False, "stream_options": {"include_usage": True}}, False, False),
    ],
)
def test_a_stream_ends_with_usage_only_where_it_is_asked_for(fields: dict[str, Any], stream: bool, usage: bool) -> None:
    request = parse(**fields)
    assert request.turn.stream is stream
    assert request.include_usage is usage


@pytest.mark.parametrize(
    "fields", [{"n": 1}, {"n": None}, {"modalities": ["text"]}, {"modalities": []}, {"modalities": None}]
)
def test_what_means_the_ordinary_answer_is_accepted(fields: dict[str, Any]) -> None:
    assert parse(**fields).turn.ignored == ()


# Requests that are refused


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"messages":[{"role":"user","content":"\\ud800"}]}'])
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="the body is not valid JSON"):
        openai_chat.parse(body)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"'])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="the body must be a JSON object"):
        openai_chat.parse(body)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages"),
        ({"messages": [*HELLO, "Hello"]}, "messages[1]"),
        ({"messages": [{}]}, "messages[0].role"),
        ({"messages": [{"role": "robot"}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"]}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": {}}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["a", 3]}]}, "messages[0].content[1]"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": 3}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "refusal", "refusal": 3}]}]},
            "messages[0].content[0].refusal",
        ),
        ({"messages": [{"role": "assistant", "tool_calls": {}}]}, "messages[0].tool_calls"),
        ({"messages": [{"role": "assistant", "tool_calls": [3]}]}, "messages[0].tool_calls[0].function.name"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages[0].tool_calls[0].function.name"),
        ({"messages": [{"role": "assistant", "tool_calls": [call()]}]}, "messages[0].tool_calls[0].function.name"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [call(name="a", arguments={})]}]},
            "messages[0].tool_calls[0].function.arguments",
        ),
        ({"messages": [{"role": "assistant", "function_call": "a"}]}, "messages[0].function_call.name"),
        (
            {"messages": [{"role": "assistant", "function_call": {"name": "a", "arguments": 3}}]},
            "messages[0].function_call.arguments",
        ),
        ({"model": 3}, "model"),
        ({"stream": "true"}, "stream"),
        ({"stream": True, "stream_options": []}, "stream_options"),
        ({"n": 2}, "n"),
        ({"n": 0}, "n"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"modalities": "audio"}, "modalities"),
    ],
)
def test_an_error_names_the_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(**{"messages": HELLO, **fields})
    assert caught.value.param == param
    assert caught.value.message.startswith(param)


nearly_messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", "function", "system"]) | json_values},
        optional={
            "content": json_values | st.lists(st.dictionaries(st.sampled_from(["type", "text"]), json_values)),
            "tool_calls": json_values | st.lists(st.dictionaries(st.sampled_from(["id", "function"]), json_values)),
            "function_call": json_values,
            "tool_call_id": json_values,
        },
    )
    | json_values,
    max_size=3,
)
request_fields = st.sampled_from(["model", "stream", "n", "modalities", "stream_options", "tools", "temperature"])


@given(nearly_messages | json_values, st.dictionaries(request_fields, json_values))
def test_no_json_fails_in_any_other_way(messages: Any, fields: dict[str, Any]) -> None:
    try:
        turn = parse(messages, **fields).turn
    except InvalidRequest as error:
        assert error.message
    else:
        assert all(message.parts for message in turn.messages)


# Answers


def chunks(events: list[StreamEvent], include_usage: bool = True) -> list[ChatCompletionChunk]:
    """The chunks of a stream as the official SDK's own type; checks their framing."""
    encoder = StreamEncoder(ENVELOPE, include_usage)
    stream = b"".join(encoder.encode(event) for event in events)
    *datas, done, end = stream.split(b"\n\n")
    assert (done, end) == (b"data: [DONE]", b"")
    return [ChatCompletionChunk.model_validate_json(data.removeprefix(b"data: "), strict=True) for data in datas]


def body(events: list[StreamEvent]) -> ChatCompletion:
    """The body as the official SDK's own type; nothing may come before the end."""
    encoder = BodyEncoder(ENVELOPE)
    *before, last = [encoder.encode(event) for event in events]
    assert not any(before)
    return ChatCompletion.model_validate_json(last, strict=True)


@given(answers)
def test_stream_and_body_give_the_same_answer(events: list[StreamEvent]) -> None:
    whole, streamed = body(events), chunks(events)
    choice, pieces = whole.choices[0], [chunk.choices[0] for chunk in streamed if chunk.choices]
    thought = text_of(events, PartKind.REASONING)
    assert choice.message.content == text_of(events, PartKind.TEXT)
    assert "".join(piece.delta.content or "" for piece in pieces) == choice.message.content
    assert (choice.message.model_extra or {}).get("reasoning_content", "") == thought
    assert "".join((piece.delta.model_extra or {}).get("reasoning_content", "") for piece in pieces) == thought
    assert [piece.finish_reason for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
    assert pieces[-1].finish_reason == choice.finish_reason
    assert streamed[-1].usage == whole.usage
    assert {(chunk.id, chunk.created, chunk.model) for chunk in streamed} == {(whole.id, whole.created, whole.model)}


def test_a_stream_begins_with_the_role_and_an_empty_content() -> None:
    first = chunks(answer([(PartKind.TEXT, "a")]))[0]
    assert first.choices[0].delta.role == "assistant"
    assert first.choices[0].delta.content == ""
    assert first.object == "chat.completion.chunk"
    assert first.model == "org_auto"


def test_usage_is_a_last_chunk_without_choices_and_only_where_it_is_asked_for() -> None:
    events = answer([(PartKind.TEXT, "a")], usage=Usage(3, 5, estimated=True))
    *content, last = chunks(events, include_usage=True)
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (3, 5, 8)
    assert len(content) == len(chunks(events, include_usage=False))
    assert all(chunk.usage is None for chunk in chunks(events, include_usage=False))


@pytest.mark.parametrize("reason", FinishReason)
def test_the_finish_reason_is_openais_own(reason: FinishReason) -> None:
    openais_own = "stop" if reason is FinishReason.STOP_SEQUENCE else reason.value
    assert body(answer([], reason)).choices[0].finish_reason == openais_own


def test_an_answer_without_reasoning_has_no_such_field() -> None:
    message = body(answer([(PartKind.TEXT, "a")])).choices[0].message
    assert "reasoning_content" not in (message.model_extra or {})


def test_the_encoders_say_what_they_send() -> None:
    assert StreamEncoder.media_type == "text/event-stream"
    assert BodyEncoder.media_type == "application/json"
