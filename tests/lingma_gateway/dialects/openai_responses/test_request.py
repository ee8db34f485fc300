"""Bodies as Turns: fields, tools and choices."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.conversation import (
    ChoiceMode,
    Message,
    OutputFormat,
    Role,
    Text,
    Tool,
    ToolChoice,
    ToolKind,
    Turn,
)
from lingma_gateway.dialects.openai_responses.fields import FIELDS
from lingma_gateway.dialects.openai_responses.request import ResponsesRequest, parse
from lingma_gateway.errors import InvalidRequest, MissingParameter

HELLO = Message(Role.USER, (Text("Hello"),))
SCHEMA = {"type": "object", "properties": {"b": {}, "a": {}}}
FUNCTION = {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
CUSTOM = {"type": "custom", "name": "c", "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"}}
SPACE = {"type": "namespace", "name": "n", "description": "", "tools": [{"type": "function", "name": "f"}, CUSTOM]}
SEARCH = {"type": "web_search", "external_web_access": True}


def request(**fields: Any) -> ResponsesRequest:
    return parse(json.dumps({"input": "Hello", **fields}).encode())


def turn(**fields: Any) -> Turn:
    return request(**fields).turn([], {})


def echoed(**fields: Any) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(request(**fields).echo)
    return decoded


def refused(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        turn(**fields)
    return caught.value


# What is understood


def test_the_least_request_is_a_turn_of_one_message_that_is_stored() -> None:
    asked = request()
    assert asked.turn([], {}) == Turn(None, (HELLO,), stream=False)
    assert (asked.store, asked.stream, asked.previous_response_id, asked.shows_reasoning) == (True, False, None, False)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"model": "gpt-5.5"}, {"model": "gpt-5.5"}),
        ({"model": ""}, {"model": None}),
        ({"stream": True}, {"stream": True}),
        ({"user": "u"}, {"user": "u"}),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"max_output_tokens": 16}, {"max_tokens": 16}),
        ({"text": {"format": {"type": "text"}}}, {"output": None}),
        ({"text": {"verbosity": None}}, {"output": None}),
        ({"text": {"format": {"type": "json_object"}}}, {"output": OutputFormat()}),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}}},
            {"output": OutputFormat(json.dumps(SCHEMA, separators=(",", ":")), "n", strict=True)},
        ),
    ],
)
def test_each_field_has_its_place_in_the_turn(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    made = turn(**fields)
    assert {name: getattr(made, name) for name in expected} == expected
    assert made.ignored == ()


def test_instructions_go_first_and_earlier_items_before_the_input() -> None:
    earlier = [{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}]
    made = request(instructions="Be brief").turn(earlier, {})
    assert made.messages == (
        Message(Role.SYSTEM, (Text("Be brief"),)),
        Message(Role.USER, (Text("1"),)),
        Message(Role.ASSISTANT, (Text("2"),)),
        HELLO,
    )


def test_a_stored_conversation_needs_no_further_input() -> None:
    asked = parse(b'{"previous_response_id": "resp_1"}')
    assert asked.previous_response_id == "resp_1"
    assert asked.turn([{"role": "user", "content": "Hello"}], {}).messages == (HELLO,)


@pytest.mark.parametrize(
    ("reasoning", "shown"),
    [
        (None, False),
        ({}, False),
        ({"effort": "high"}, False),
        ({"summary": "auto"}, True),
        ({"summary": "none"}, False),
        ({"summary": None}, False),
        ({"generate_summary": "concise"}, True),
    ],
)
def test_reasoning_is_shown_when_its_summary_is_asked_for(reasoning: Any, shown: bool) -> None:
    assert request(reasoning=reasoning).shows_reasoning is shown


# Tools


def test_functions_custom_tools_and_namespaces_are_tools() -> None:
    schema = json.dumps(SCHEMA, separators=(",", ":"))
    assert turn(tools=[FUNCTION, CUSTOM, SPACE]).tools == (
        Tool("f", "d", schema, strict=True),
        Tool("c", kind=ToolKind.CUSTOM, grammar="start: X"),
        Tool("n.f", namespace="n"),
        Tool("n.c", kind=ToolKind.CUSTOM, namespace="n", grammar="start: X"),
    )


@pytest.mark.parametrize("form", [None, {"type": "text"}])
def test_a_custom_tool_without_a_grammar_takes_any_text(form: Any) -> None:
    assert turn(tools=[{"type": "custom", "name": "c", "format": form}]).tools == (Tool("c", kind=ToolKind.CUSTOM),)


def test_tools_of_other_kinds_are_named_as_ignored() -> None:
    made = turn(tools=[SEARCH, {"type": "tool_search", "execution": "client"}, SEARCH, FUNCTION])
    assert [tool.name for tool in made.tools] == ["f"]
    assert made.ignored == ("tools.web_search", "tools.tool_search")


def test_a_tool_that_comes_twice_is_one() -> None:
    assert len(turn(tools=[FUNCTION, {"type": "function", "name": "f"}]).tools) == 1


def test_tools_that_items_bring_may_be_called_too() -> None:
    items = [
        {"type": "additional_tools", "role": "developer", "tools": [FUNCTION]},
        {"type": "tool_search_output", "tools": [SPACE]},
        {"role": "user", "content": "Hello"},
    ]
    made = turn(input=items, tool_choice={"type": "function", "name": "f", "namespace": "n"})
    assert [tool.name for tool in made.tools] == ["f", "n.f", "n.c"]
    assert made.tool_choice.allowed == ("n.f",)
    assert made.degraded == ()


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, ToolChoice()),
        ("auto", ToolChoice()),
        ("none", ToolChoice(ChoiceMode.NONE)),
        ("required", ToolChoice(ChoiceMode.REQUIRED)),
        ({"type": "function", "name": "f"}, ToolChoice(ChoiceMode.REQUIRED, ("f",))),
        ({"type": "custom", "name": "c"}, ToolChoice(ChoiceMode.REQUIRED, ("c",))),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "c"}] * 2},
            ToolChoice(ChoiceMode.REQUIRED, ("c",)),
        ),
        (
            {"type": "allowed_tools", "tools": [{"type": "namespace", "name": "n"}]},
            ToolChoice(ChoiceMode.AUTO, ("n.f", "n.c")),
        ),
    ],
)
def test_each_choice_has_its_meaning(choice: Any, expected: ToolChoice) -> None:
    made = turn(tools=[FUNCTION, CUSTOM, SPACE], tool_choice=choice)
    assert made.tool_choice == expected
    assert made.ignored == ()


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "web_search"}, ToolChoice()),
        ("required", ToolChoice()),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}, ToolChoice(ChoiceMode.NONE)),
    ],
)
def test_a_choice_of_what_is_not_served_is_ignored_by_name(choice: Any, expected: ToolChoice) -> None:
    made = turn(tools=[SEARCH], tool_choice=choice)
    assert made.tool_choice == expected
    assert made.ignored == ("tool_choice", "tools.web_search")


# What has no effect


def test_fields_without_effect_are_named_and_those_that_want_none_are_not() -> None:
    made = turn(
        temperature=0,
        top_p=None,
        include=[],
        reasoning={"effort": "low", "summary": "auto"},
        text={"verbosity": "low"},
        truncation="auto",
        made_up=1,
        service_tier="auto",
        prompt_cache_key="k",
        stream_options={"include_obfuscation": True},
    )
    assert made.ignored == ("made_up", "reasoning.effort", "temperature", "text.verbosity", "truncation")


def test_asking_for_the_ordinary_is_not_named() -> None:
    assert turn(truncation="disabled", top_logprobs=0, background=False, conversation=None, metadata={}).ignored == ()


def test_every_field_of_the_published_request_has_its_treatment() -> None:
    from openai.types.responses.response_create_params import ResponseCreateParamsBase

    published = {*ResponseCreateParamsBase.__annotations__, "stream"}
    assert published == {name.partition(".")[0] for name in FIELDS} - {"client_metadata"}


# What a response repeats


def test_a_response_repeats_its_request() -> None:
    fields = {"instructions": "i", "metadata": {"a": "b"}, "reasoning": {"effort": "low"}, "temperature": 0.5}
    found = echoed(**fields, tools=[{"type": "function", "name": "f"}, SEARCH], text={"verbosity": "low"}, user=None)
    assert found.items() >= fields.items()
    assert found["tools"] == [{"parameters": None, "strict": None, "type": "function", "name": "f"}, SEARCH]
    assert found["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert "user" not in found


# What is refused


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"model": 7}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"store": 1}, "store"),
        ({"stream_options": []}, "stream_options"),
        ({"metadata": 1.5}, "metadata"),
        ({"include": "x"}, "include"),
        ({"reasoning": "high"}, "reasoning"),
        ({"instructions": ["x"]}, "instructions"),
        ({"max_output_tokens": True}, "max_output_tokens"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": None, "parallel_tool_calls": 0}, "parallel_tool_calls"),
        ({"text": "json"}, "text"),
        ({"text": {"format": {}}}, "text.format.type"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"tools": {}}, "tools"),
        ({"tools": [1]}, "tools[0]"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "f", "parameters": 1}]}, "tools[0].parameters"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "custom"}]}]}, "tools[0].tools[0].name"),
        ({"tools": [{"type": "custom", "name": "c", "format": "lark"}]}, "tools[0].format"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": 1}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "name": "g"}, "tools": [FUNCTION]}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools", "mode": "none"}}, "tool_choice.mode"),
        ({"tool_choice": {"type": "allowed_tools", "tools": [1]}}, "tool_choice.tools[0]"),
        ({"input": 1}, "input"),
        ({"input": [1]}, "input[0]"),
        ({"input": ""}, "input"),
        ({"input": " "}, "input"),
        ({"input": [{"type": "reasoning", "summary": []}]}, "input"),
        ({"input": [{"type": "item_reference"}]}, "input[0].id"),
        ({"previous_response_id": 5}, "previous_response_id"),
    ],
)
def test_what_is_malformed_or_would_change_the_answer_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refused(**fields).param == param


@pytest.mark.parametrize("value", [None, []])
def test_a_request_without_input_is_refused_in_openais_words(value: Any) -> None:
    error = refused(input=value)
    assert isinstance(error, MissingParameter)
    assert error.message.startswith('One of "input" or "previous_response_id"')
    assert error.param == "input"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"x"'])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="JSON body"):
        parse(body)


@pytest.mark.parametrize("field", ["metadata", "tools", "input"])
def test_a_field_that_is_nested_too_deeply_is_refused_by_name(field: str) -> None:
    deep = b"[" * 400 + b"]" * 400
    values = {"metadata": b'{"a":%b}' % deep, "tools": b'[{"type":"x","a":%b}]' % deep}
    value = values.get(field, b'[{"role":"user","a":%b}]' % deep)
    body = b'{"input":"Hello","%b":%b}' % (field.encode(), value)
    with pytest.raises(InvalidRequest, match="nested too deeply") as caught:
        parse(body)
    assert caught.value.param is not None
    assert caught.value.param.startswith(field)


words = st.sampled_from(
    "type role content input text message user assistant function_call function_call_output call_id name output"
    " reasoning summary input_image image_url function custom namespace tools tool_choice allowed_tools mode"
    " item_reference id web_search_call mcp_call arguments data:image/png;base64,AA== auto json_schema".split()
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=4) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=3), inner, max_size=4),
    max_leaves=16,
)


@given(st.dictionaries(st.sampled_from([name.partition(".")[0] for name in FIELDS]) | words, json_values, max_size=6))
def test_any_json_is_a_turn_or_an_error_that_names_its_field(body: dict[str, Any]) -> None:
    try:
        made = parse(json.dumps(body).encode()).turn([], {})
    except InvalidRequest as error:
        assert error.param
    else:
        assert made.messages


@given(st.lists(st.dictionaries(words, json_values, max_size=6) | json_values, max_size=4))
def test_any_items_are_a_turn_or_an_error_that_names_its_field(items: list[Any]) -> None:
    try:
        made = parse(json.dumps({"input": items}).encode()).turn([], {})
    except InvalidRequest as error:
        assert error.param
        assert error.param.startswith("input") or error.param.startswith("tools")
    else:
        assert made.messages
