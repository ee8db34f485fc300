from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsBase

from lingma_gateway.conversation import Message, OutputFormat, Role, Text
from lingma_gateway.dialects import openai_chat
from lingma_gateway.dialects.openai_chat import FIELDS
from lingma_gateway.dialects.treatment import Treatment
from lingma_gateway.errors import InvalidRequest
from tests.lingma_gateway.dialects.openai_chat.support import HELLO, json_values, parse, parts

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


@pytest.mark.parametrize("content", [None, "", " \n", []])
def test_messages_without_content_are_dropped_beside_others(content: Any) -> None:
    assert parts({"role": "assistant", "content": content}, *HELLO) == (Message(Role.USER, (Text("Hello"),)),)


@pytest.mark.parametrize("field", [name for name, how in FIELDS.items() if how is Treatment.IGNORED])
def test_a_field_without_effect_is_named(field: str) -> None:
    assert parse(**{field: 0.5}).turn.ignored == (field,)


@pytest.mark.parametrize("field", [name for name, how in FIELDS.items() if how is Treatment.SILENT and "." not in name])
def test_a_field_that_says_nothing_about_the_answer_is_not_named(field: str) -> None:
    assert parse(**{field: "x"}).turn.ignored == ()


@pytest.mark.parametrize("nothing", [None, False, [], {}])
def test_a_field_that_asks_for_nothing_is_not_named(nothing: Any) -> None:
    assert parse(logprobs=nothing).turn.ignored == ()


def test_a_field_that_nobody_published_is_named_like_one_without_effect() -> None:
    assert parse(top_k=20, enable_thinking=True, seed=0).turn.ignored == ("enable_thinking", "seed", "top_k")


def test_the_options_of_a_stream_are_looked_into() -> None:
    options = {"include_usage": True, "include_obfuscation": True, "colour": "red"}
    assert parse(stream=True, stream_options=options).turn.ignored == ("stream_options.colour",)


def test_every_field_that_openai_publishes_has_a_treatment() -> None:
    published = set(CompletionCreateParamsBase.__annotations__) | {"stream"}
    assert {name.partition(".")[0] for name in FIELDS} == published


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("END", ("END",)),
        (["a", "b", "a", ""], ("a", "b")),
        ([], ()),
        ("", ()),
        (None, ()),
        (list("abcdef"), tuple("abcdef")),
    ],
)
def test_stop_sequences_are_one_or_many_and_none_is_empty(stop: Any, expected: tuple[str, ...]) -> None:
    assert parse(stop=stop).turn.stop == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": None}, 5),
    ],
)
def test_the_newer_limit_of_tokens_counts_before_the_older(fields: dict[str, Any], expected: int | None) -> None:
    assert parse(**fields).turn.max_tokens == expected


SCHEMA = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("wanted", "output"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, OutputFormat()),
        ({"type": "json_schema", "json_schema": {"name": "n"}}, OutputFormat(None, "n")),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}},
            OutputFormat(
                '{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"integer"}}}', "n", strict=True
            ),
        ),
    ],
)
def test_the_form_of_the_answer_keeps_the_schema_as_it_was_written(wanted: Any, output: OutputFormat | None) -> None:
    assert parse(response_format=wanted).turn.output == output


def test_the_end_user_is_known_by_what_the_client_calls_it() -> None:
    assert parse(user="u-1").turn.user == "u-1"
    assert parse().turn.user is None


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
        ({"model": 3}, "model"),
        ({"stream": "true"}, "stream"),
        ({"stream": True, "stream_options": []}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"stop": 3}, "stop"),
        ({"stop": ["a", 3]}, "stop"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_completion_tokens": "5"}, "max_completion_tokens"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.name"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": 3}}},
            "response_format.json_schema.schema",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": 3}}},
            "response_format.json_schema.strict",
        ),
        ({"user": 3}, "user"),
        ({"parallel_tool_calls": 3}, "parallel_tool_calls"),
        ({"n": 2}, "n"),
        ({"n": 0}, "n"),
        ({"n": True}, "n"),
        ({"audio": {"voice": "alloy"}}, "audio"),
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
request_fields = st.sampled_from(sorted({name.partition(".")[0] for name in FIELDS} - {"messages"} | {"top_k"}))


@given(nearly_messages | json_values, st.dictionaries(request_fields, json_values))
def test_no_json_fails_in_any_other_way(messages: Any, fields: dict[str, Any]) -> None:
    try:
        turn = parse(messages, **fields).turn
    except InvalidRequest as error:
        assert error.message
    else:
        assert all(message.parts for message in turn.messages)
