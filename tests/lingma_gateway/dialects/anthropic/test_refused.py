"""Which bodies are refused, in Anthropic's words; any other is a turn."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.dialects.anthropic import request
from lingma_gateway.errors import InvalidRequest, ThreadNotKept
from tests.lingma_gateway.dialects.anthropic.support_requests import HELLO, PLAIN, READ, parse, turn
from tests.lingma_gateway.dialects.support_json import json_values


@pytest.mark.parametrize(
    "thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}, "anything"]
)
def test_a_thread_is_refused_in_the_words_that_make_the_sdk_send_the_whole_conversation(thread: Any) -> None:
    with pytest.raises(ThreadNotKept) as caught:
        parse(thread=thread, messages=[])
    assert caught.value.fault.details == {"error_code": "thread_unsupported_request", "unsupported": []}


def test_no_thread_is_no_reason_to_refuse() -> None:
    assert turn(thread=None) == turn()


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"messages":[{"role":"user","content":"\\ud800"}]}'])
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="not valid JSON"):
        request.parse(body)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"'])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="must be a JSON object"):
        request.parse(body)


def deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def block(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [fields]}]}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": ...}, "max_tokens"),
    ({"max_tokens": None}, "max_tokens"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": "64"}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"messages": ...}, "messages"),
    ({"messages": None}, "messages"),
    ({"messages": "Hello"}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages"),
    ({"messages": [*HELLO, "Hello"]}, "messages.1"),
    ({"messages": [{"content": "Hello"}]}, "messages.0.role"),
    ({"messages": [{"role": "robot"}]}, "messages.0.role"),
    ({"messages": [{"role": 3}]}, "messages.0.role"),
    ({"messages": [{"role": "user", "content": 3}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": [3]}]}, "messages.0.content.0"),
    ({"messages": [{"role": "user", "content": [{}]}]}, "messages.0.content.0.type"),
    (block(type=3), "messages.0.content.0.type"),
    (block(type="text"), "messages.0.content.0.text"),
    (block(type="text", text=3), "messages.0.content.0.text"),
    (block(type="thinking"), "messages.0.content.0.thinking"),
    (block(type="tool_use", id="a", name="b"), "messages.0.content.0.input"),
    (block(type="tool_use", id="a", name="b", input="{}"), "messages.0.content.0.input"),
    (block(type="tool_use", id="a", name="b", input=deep(300)), "messages.0.content.0.input"),
    (block(type="tool_use", id="a", input={}), "messages.0.content.0.name"),
    (block(type="tool_use", name="b", input={}), "messages.0.content.0.id"),
    (block(type="tool_result"), "messages.0.content.0.tool_use_id"),
    (block(type="tool_result", tool_use_id="a", content=3), "messages.0.content.0.content"),
    (block(type="image"), "messages.0.content.0.source"),
    (block(type="image", source={}), "messages.0.content.0.source.type"),
    (block(type="document", source={"type": 3}), "messages.0.content.0.source.type"),
    (block(type="image", source={"type": "base64"}), "messages.0.content.0.source.data"),
    (block(type="image", source={"type": "base64", "data": "A"}), "messages.0.content.0.source.data"),
    (block(type="image", source={"type": "base64", "data": "ü"}), "messages.0.content.0.source.data"),
    (block(type="image", source={"type": "base64", "data": "!!!!"}), "messages.0.content.0.source.data"),
    (block(type="image", source={"type": "url"}), "messages.0.content.0.source.url"),
    (block(type="image", source={"type": "url", "url": "data:x"}), "messages.0.content.0.source.url"),
    (block(type="document", source={"type": "text"}), "messages.0.content.0.source.data"),
    (block(type="document", title=3, source={}), "messages.0.content.0.title"),
    (block(type="search_result", content=[{"type": "text"}]), "messages.0.content.0.content.0.text"),
    (block(type="tool_reference"), "messages.0.content.0.tool_name"),
    ({"system": 3}, "system"),
    ({"system": ["Be kind."]}, "system.0"),
    ({"system": [{"type": "text"}]}, "system.0.text"),
    ({"model": 3}, "model"),
    ({"stream": "true"}, "stream"),
    ({"stop_sequences": "END"}, "stop_sequences"),
    ({"stop_sequences": ["END", 3]}, "stop_sequences.1"),
    ({"tools": {}}, "tools"),
    ({"tools": ["read"]}, "tools.0"),
    ({"tools": [{}]}, "tools.0.name"),
    ({"tools": [{"name": ""}]}, "tools.0.name"),
    ({"tools": [{"name": "a", "type": 3}]}, "tools.0.type"),
    ({"tools": [{"name": "a", "description": 3}]}, "tools.0.description"),
    ({"tools": [{"name": "a", "input_schema": []}]}, "tools.0.input_schema"),
    ({"tools": [{"name": "a", "input_examples": {}}]}, "tools.0.input_examples"),
    ({"tools": [{"name": "a", "input_examples": [deep(300)]}]}, "tools.0.input_examples.0"),
    ({"tools": [{"name": "a", "strict": "yes"}]}, "tools.0.strict"),
    ({"tools": [READ, READ]}, "tools"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"tool_choice": {}}, "tool_choice.type"),
    ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
    ({"tool_choice": {"type": "any"}}, "tool_choice"),
    ({"tool_choice": {"type": "tool"}, "tools": [READ]}, "tool_choice.name"),
    ({"tool_choice": {"type": "tool", "name": "write"}, "tools": [READ]}, "tool_choice.name"),
    ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": 3}}, "tool_choice.disable_parallel_tool_use"),
    ({"thinking": "enabled"}, "thinking"),
    ({"thinking": {}}, "thinking.type"),
    ({"output_config": "json"}, "output_config"),
    ({"output_config": {"format": "json"}}, "output_config.format"),
    ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
    ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    ({"output_format": {"type": "xml"}}, "output_format.type"),
    ({"metadata": "u"}, "metadata"),
    ({"metadata": {"user_id": 3}}, "metadata.user_id"),
]


@pytest.mark.parametrize(("fields", "param"), REFUSED, ids=str)
def test_an_error_names_the_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(**{"messages": HELLO, **fields})
    assert caught.value.param == param
    assert caught.value.message.startswith(f"{param}: ")


TYPES = "text thinking redacted_thinking tool_use tool_result image document search_result tool_reference odd".split()
blocks = st.recursive(
    st.fixed_dictionaries(
        {"type": st.sampled_from(TYPES) | json_values},
        optional=dict.fromkeys(
            ("text", "thinking", "id", "name", "tool_use_id", "title"), st.text(max_size=5) | json_values
        ),
    ),
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(TYPES)},
        optional={
            "tool_use_id": st.just("a"),
            "content": st.lists(inner, max_size=2) | json_values,
            "source": st.fixed_dictionaries(
                {"type": st.sampled_from(["base64", "url", "text", "content", "file"])},
                optional={"data": st.text(max_size=4), "url": st.text(), "content": st.lists(inner, max_size=2)},
            )
            | json_values,
            "input": json_values,
        },
    ),
    max_leaves=4,
)
nearly_messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system"]) | json_values},
        optional={"content": st.lists(blocks, max_size=3) | json_values},
    )
    | json_values,
    max_size=3,
)
nearly_fields = st.dictionaries(
    st.sampled_from([name for name in PLAIN if name != "messages"] + ["thinking", "output_config", "metadata"]),
    json_values | st.lists(st.dictionaries(st.sampled_from(["name", "type", "input_schema", "text"]), json_values)),
    max_size=4,
)


@given(nearly_messages | json_values, nearly_fields)
def test_any_json_is_a_turn_or_an_error_that_names_a_field(messages: Any, fields: dict[str, Any]) -> None:
    try:
        asked = turn(messages, **fields)
    except InvalidRequest as error:
        assert error.param or isinstance(error, ThreadNotKept)
    else:
        assert asked.messages
        assert all(message.parts for message in asked.messages)
