from typing import Any

import pytest

from lingma_gateway.conversation import Media, MediaKind, Message, Reasoning, Role, Text, ToolCall, ToolResult
from lingma_gateway.errors import InvalidRequest
from tests.lingma_gateway.dialects.openai_chat.support import HELLO, parse, parts


def call(**function: Any) -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": function}


# What an assistant said and called


def test_an_assistants_calls_come_after_its_text() -> None:
    calls = [call(name="weather", arguments='{"city":"Bonn"}'), {"function": {"name": "time"}}]
    message = {"role": "assistant", "content": "Let me see", "tool_calls": calls}
    expected = (Text("Let me see"), ToolCall("call_1", "weather", '{"city":"Bonn"}'), ToolCall("", "time", ""))
    assert parts(message) == (Message(Role.ASSISTANT, expected),)


@pytest.mark.parametrize("content", [{}, {"content": None}, {"content": ""}, {"content": []}])
def test_a_message_of_calls_needs_no_content(content: dict[str, Any]) -> None:
    message = {"role": "assistant", "tool_calls": [call(name="time")], **content}
    assert parts(message) == (Message(Role.ASSISTANT, (ToolCall("call_1", "time", ""),)),)


def test_a_custom_call_keeps_its_free_text() -> None:
    custom = {"id": "call_2", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}
    message = {"role": "assistant", "tool_calls": [custom]}
    assert parts(message) == (Message(Role.ASSISTANT, (ToolCall("call_2", "patch", "*** Begin", custom=True),)),)


def test_calls_of_a_user_are_not_calls_of_the_model() -> None:
    message = {"role": "user", "content": "a", "tool_calls": [call(name="time")]}
    assert parts(message) == (Message(Role.USER, (Text("a"),)),)


def test_reasoning_that_comes_back_is_known_as_such_and_stands_first() -> None:
    message = {"role": "assistant", "content": "so", "reasoning_content": "because"}
    assert parts(message) == (Message(Role.ASSISTANT, (Reasoning("because"), Text("so"))),)


@pytest.mark.parametrize("thought", [None, "", " ", 3])
def test_no_reasoning_is_no_part(thought: Any) -> None:
    message = {"role": "assistant", "content": "so", "reasoning_content": thought}
    assert parts(message) == (Message(Role.ASSISTANT, (Text("so"),)),)


def test_a_refusal_is_what_the_assistant_said() -> None:
    message = {"role": "assistant", "content": None, "refusal": "I must not"}
    assert parts(message) == (Message(Role.ASSISTANT, (Text("I must not"),)),)


def test_an_answer_by_voice_is_a_placeholder_unless_its_words_are_there() -> None:
    spoken = {"role": "assistant", "audio": {"id": "audio_1"}}
    turn = parse([spoken, spoken | {"content": "the words"}]).turn
    assert [message.parts for message in turn.messages] == [(Text("[audio]"),), (Text("the words"),)]
    assert turn.degraded == ("audio",)


# What tools answered


@pytest.mark.parametrize(
    ("message", "result"),
    [
        ({"role": "tool", "tool_call_id": "call_1", "content": "rain"}, ToolResult("call_1", (Text("rain"),))),
        ({"role": "tool", "tool_call_id": "call_1", "content": ""}, ToolResult("call_1", (Text(""),))),
        ({"role": "tool", "tool_call_id": "call_1"}, ToolResult("call_1", (Text(""),))),
        ({"role": "tool", "content": [{"type": "text", "text": "rain"}]}, ToolResult("", (Text("rain"),))),
        (
            {"role": "tool", "tool_call_id": "call_1", "name": "sky", "content": [{"type": "text", "text": "a"}, "b"]},
            ToolResult("call_1", (Text("a\nb"),), name="sky"),
        ),
        ({"role": "function", "name": "weather", "content": "rain"}, ToolResult("", (Text("rain"),), name="weather")),
    ],
)
def test_what_a_tool_answered_is_a_result_even_if_it_is_empty(message: dict[str, Any], result: ToolResult) -> None:
    assert parts(message) == (Message(Role.TOOL, (result,)),)


def test_a_screenshot_that_a_tool_made_is_part_of_its_result() -> None:
    content = [{"type": "text", "text": "seen"}, {"type": "image_url", "image_url": {"url": "data:image/png,x"}}]
    ((result,),) = [message.parts for message in parts({"role": "tool", "tool_call_id": "c", "content": content})]
    image = Media(MediaKind.IMAGE, "messages[0].content[1]", "image/png", b"x")
    assert result == ToolResult("c", (Text("seen"), image))


def test_the_call_of_an_older_client_gets_an_id_by_which_its_answer_finds_it() -> None:
    messages = parts(
        *HELLO,
        {"role": "assistant", "content": None, "function_call": {"name": "time", "arguments": "{}"}},
        {"role": "function", "name": "time", "content": "noon"},
    )
    assert messages[1].parts == (ToolCall("function_call_1", "time", "{}"),)
    assert messages[2].parts == (ToolResult("function_call_1", (Text("noon"),), name="time"),)


# Content


@pytest.mark.parametrize("content", [None, "", " \n", []])
def test_messages_without_content_are_dropped_beside_others(content: Any) -> None:
    assert parts({"role": "assistant", "content": content}, *HELLO) == (Message(Role.USER, (Text("Hello"),)),)


def test_parts_of_text_are_joined_by_lines_until_something_else_comes_between() -> None:
    content = [
        "plain",
        {"type": "text", "text": "one"},
        {"type": "refusal", "refusal": "no"},
        {"type": "image_url", "image_url": "https://example.com/a.png"},
        {"type": "text", "text": "two"},
    ]
    image = Media(MediaKind.IMAGE, "messages[0].content[3]", url="https://example.com/a.png")
    assert parts({"role": "user", "content": content})[0].parts == (Text("plain\none\nno"), image, Text("two"))


def test_a_part_that_nobody_knows_is_a_placeholder_that_the_answer_reports() -> None:
    content = [{"type": "hologram"}, {"type": "hologram"}, {"type": "video_url"}]
    turn = parse([{"role": "user", "content": content}]).turn
    assert turn.messages[0].parts == (Text("[hologram]\n[hologram]\n[video_url]"),)
    assert turn.degraded == ("hologram", "video_url")


def test_names_of_speakers_have_no_effect_and_are_named() -> None:
    assert parse([{"role": "user", "name": "Ann", "content": "a"}]).turn.ignored == ("messages.name",)


# Errors


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("Hello", ""),
        ({}, ".role"),
        ({"role": "robot"}, ".role"),
        ({"role": ["user"]}, ".role"),
        ({"role": "user", "content": 3}, ".content"),
        ({"role": "user", "content": {}}, ".content"),
        ({"role": "user", "content": ["a", 3]}, ".content[1]"),
        ({"role": "user", "content": [{}]}, ".content[0]"),
        ({"role": "user", "content": [{"type": 3}]}, ".content[0]"),
        ({"role": "user", "content": [{"type": "text"}]}, ".content[0].text"),
        ({"role": "assistant", "content": [{"type": "refusal", "refusal": 3}]}, ".content[0].refusal"),
        ({"role": "assistant", "refusal": 3}, ".refusal"),
        ({"role": "assistant", "tool_calls": {}}, ".tool_calls"),
        ({"role": "assistant", "tool_calls": [3]}, ".tool_calls[0].function.name"),
        ({"role": "assistant", "tool_calls": [{}]}, ".tool_calls[0].function.name"),
        ({"role": "assistant", "tool_calls": [{"id": 3}]}, ".tool_calls[0].id"),
        ({"role": "assistant", "tool_calls": [call()]}, ".tool_calls[0].function.name"),
        ({"role": "assistant", "tool_calls": [call(name="a", arguments={})]}, ".tool_calls[0].function.arguments"),
        ({"role": "assistant", "tool_calls": [{"type": "custom"}]}, ".tool_calls[0].custom"),
        ({"role": "assistant", "tool_calls": [{"type": "custom", "custom": {}}]}, ".tool_calls[0].custom.name"),
        (
            {"role": "assistant", "tool_calls": [{"type": "custom", "custom": {"name": "a", "input": {}}}]},
            ".tool_calls[0].custom.input",
        ),
        ({"role": "assistant", "function_call": "a"}, ".function_call.name"),
        ({"role": "assistant", "function_call": {"name": "a", "arguments": 3}}, ".function_call.arguments"),
        ({"role": "tool", "tool_call_id": 3}, ".tool_call_id"),
        ({"role": "tool", "name": 3}, ".name"),
    ],
)
def test_an_error_names_the_field(message: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse([*HELLO, message])
    assert caught.value.param == f"messages[1]{param}"
    assert caught.value.message.startswith(caught.value.param)
