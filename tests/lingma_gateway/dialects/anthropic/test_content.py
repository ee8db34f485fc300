"""The conversation of a request: who says what."""

from typing import Any

import orjson
import pytest

from lingma_gateway.conversation import (
    Media,
    MediaKind,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)
from lingma_gateway.dialects.anthropic.answer import Thinking
from tests.lingma_gateway.dialects.anthropic.support_requests import HELLO, READ, SCHEMA, parse, said, turn, user


def test_the_least_request_is_a_turn_of_one_message() -> None:
    asked = parse()
    assert asked.turn == Turn(None, (user(Text("Hello")),), stream=False, max_tokens=64)
    assert asked.thinking is Thinking.HIDDEN


def test_a_content_of_one_text_block_is_the_same_as_a_string() -> None:
    assert turn([{"role": "user", "content": [{"type": "text", "text": "Hello", "cache_control": {}}]}]) == turn()


def test_claude_codes_first_turn_is_understood_whole() -> None:
    asked = parse(
        [
            {"role": "user", "content": [{"type": "text", "text": text} for text in ("a", "b", "c")]},
            {"role": "system", "content": [{"type": "text", "text": "d", "cache_control": {"type": "ephemeral"}}]},
        ],
        model="claude-fable-5",
        system=[
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.328.b3f; cc_entrypoint=sdk-cli;"},
            {"type": "text", "text": "You are Claude Code"},
            {"type": "text", "text": "in /tmp", "cache_control": {"type": "ephemeral"}},
        ],
        thinking={"type": "adaptive", "display": "omitted"},
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        output_config={"effort": "high"},
        metadata={"user_id": '{"session_id":"s"}'},
        tools=[READ, {"name": "DeferredToolPlaceholder", "defer_loading": True}],
        max_tokens=32000,
        stream=True,
    )
    assert asked.thinking is Thinking.OMITTED
    assert asked.turn == Turn(
        "claude-fable-5",
        (
            Message(Role.SYSTEM, (Text("You are Claude Code"), Text("in /tmp"))),
            user(Text("a"), Text("b"), Text("c")),
            Message(Role.SYSTEM, (Text("d"),)),
        ),
        stream=True,
        tools=(Tool("read", "Reads a file.", orjson.dumps(SCHEMA).decode()), Tool("DeferredToolPlaceholder")),
        max_tokens=32000,
        user='{"session_id":"s"}',
        ignored=("context_management", "output_config.effort"),
    )


@pytest.mark.parametrize(
    "system",
    [
        "x-anthropic-billing-header: cc_version=2.1;\nBe kind.",
        "Be kind.",
        [{"type": "text", "text": "x-anthropic-billing-header: a62"}, {"type": "text", "text": "Be kind."}],
    ],
)
def test_the_billing_header_is_no_part_of_the_system_prompt(system: Any) -> None:
    assert turn(system=system).messages[0] == Message(Role.SYSTEM, (Text("Be kind."),))


@pytest.mark.parametrize("system", [None, "", [], "  ", "x-anthropic-billing-header: b9b"])
def test_an_empty_system_prompt_is_none(system: Any) -> None:
    assert turn(system=system) == turn()


def test_a_billing_header_in_a_system_message_is_stripped_too() -> None:
    messages = [*HELLO, {"role": "system", "content": "x-anthropic-billing-header: b3f\nBe kind."}]
    assert turn(messages).messages[1] == Message(Role.SYSTEM, (Text("Be kind."),))


def test_several_messages_of_one_speaker_stay_apart() -> None:
    assert turn([*HELLO, *HELLO]).messages == (user(Text("Hello")), user(Text("Hello")))


def test_what_was_thought_is_kept_and_what_only_anthropic_can_read_is_not() -> None:
    blocks = [
        {"type": "thinking", "thinking": "why", "signature": "s"},
        {"type": "thinking", "thinking": "", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        "so",
    ]
    assert said(blocks, "assistant") == (Reasoning("why"), Text("so"))


def test_a_call_keeps_its_id_and_its_arguments() -> None:
    block = {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"z": "ü", "a": 1}}
    assert said([block], "assistant") == (ToolCall("toolu_1", "read", '{"z":"ü","a":1}'),)


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({"content": "rain"}, ToolResult("toolu_1", (Text("rain"),))),
        ({"content": [{"type": "text", "text": "rain"}]}, ToolResult("toolu_1", (Text("rain"),))),
        ({"content": "no", "is_error": True}, ToolResult("toolu_1", (Text("no"),), is_error=True)),
        ({}, ToolResult("toolu_1", (Text(""),))),
        ({"content": []}, ToolResult("toolu_1", (Text(""),))),
        ({"content": ""}, ToolResult("toolu_1", (Text(""),))),
        (
            {"content": [{"type": "tool_reference", "tool_name": "mcp__s__get_secret"}]},
            ToolResult("toolu_1", (Text("The tool mcp__s__get_secret is available now."),)),
        ),
        (
            {
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}},
                    {"type": "hologram"},
                ]
            },
            ToolResult(
                "toolu_1",
                (
                    Media(MediaKind.IMAGE, "messages.0.content.0.content.0", "image/png", b"\x89PNG"),
                    Text("[hologram]"),
                ),
            ),
        ),
    ],
)
def test_what_a_tool_answered_is_a_message_of_the_tool(fields: dict[str, Any], result: ToolResult) -> None:
    block = {"type": "tool_result", "tool_use_id": "toolu_1", **fields}
    (message,) = turn([{"role": "user", "content": [block]}]).messages
    assert message == Message(Role.TOOL, (result,))


def test_results_and_text_of_one_message_keep_their_order() -> None:
    results = [{"type": "tool_result", "tool_use_id": id, "content": id} for id in ("a", "b")]
    content = ["first", results[0], results[1], {"type": "text", "text": "then"}]
    assert turn([{"role": "user", "content": content}]).messages == (
        user(Text("first")),
        Message(Role.TOOL, (ToolResult("a", (Text("a"),)),)),
        Message(Role.TOOL, (ToolResult("b", (Text("b"),)),)),
        user(Text("then")),
    )


def test_an_answer_of_ours_with_a_tool_of_lingmas_own_comes_back() -> None:
    content = [
        {"type": "tool_use", "id": "t", "name": "read", "input": {}},
        {"type": "tool_result", "tool_use_id": "t", "content": "the file"},
        {"type": "text", "text": "so"},
    ]
    assert turn([*HELLO, {"role": "assistant", "content": content}]).messages[1:] == (
        Message(Role.ASSISTANT, (ToolCall("t", "read", "{}"),)),
        Message(Role.TOOL, (ToolResult("t", (Text("the file"),)),)),
        Message(Role.ASSISTANT, (Text("so"),)),
    )


AT = "messages.0.content.0"


@pytest.mark.parametrize(
    ("block", "parts"),
    [
        (
            {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}},
            (Media(MediaKind.IMAGE, AT, url="https://a/b.png"),),
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "data:image/png;base64,AA=="}},
            (Media(MediaKind.IMAGE, AT, "image/png", b"\0"),),
        ),
        ({"type": "image", "source": {"type": "base64", "data": "AA\n=="}}, (Media(MediaKind.IMAGE, AT, "", b"\0"),)),
        (
            {"type": "document", "title": "T", "source": {"type": "base64", "media_type": "a/b", "data": "AA=="}},
            (Text("T"), Media(MediaKind.FILE, AT, "a/b", b"\0")),
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "data:text/plain,a%20b"}},
            (Media(MediaKind.FILE, AT, "text/plain", b"a b"),),
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://a/b.pdf"}},
            (Media(MediaKind.FILE, AT, url="https://a/b.pdf"),),
        ),
        (
            {"type": "document", "context": "C", "source": {"type": "text", "data": "words"}},
            (Text("C"), Text("words")),
        ),
        ({"type": "document", "source": {"type": "content", "content": "words"}}, (Text("words"),)),
        (
            {
                "type": "document",
                "source": {
                    "type": "content",
                    "content": ["words", {"type": "image", "source": {"type": "url", "url": "u"}}],
                },
            },
            (Text("words"), Media(MediaKind.IMAGE, f"{AT}.source.content.1", url="u")),
        ),
        (
            {"type": "search_result", "title": "T", "source": "S", "content": [{"type": "text", "text": "found"}]},
            (Text("T"), Text("S"), Text("found")),
        ),
    ],
)
def test_what_is_not_text_is_kept_for_those_models_that_can_see_it(
    block: dict[str, Any], parts: tuple[Part, ...]
) -> None:
    assert said([block]) == parts


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "document", "source": {"type": "content", "content": [{"type": "document"}]}},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "container_upload", "file_id": "file_1"},
        {"type": "hologram"},
    ],
)
def test_what_cannot_be_shown_is_a_placeholder_that_the_answer_reports(block: dict[str, Any]) -> None:
    asked = turn([{"role": "user", "content": [block, block]}])
    placeholder = Text(f"[{block['type']}]")
    assert asked.messages == (user(placeholder, placeholder),)
    assert asked.degraded == (block["type"],)


@pytest.mark.parametrize("content", [None, "", " \n", [], [""]])
def test_messages_without_content_are_dropped_beside_others(content: Any) -> None:
    assert turn([{"role": "assistant", "content": content}, *HELLO]) == turn()
