"""Bodies as turns, and which ones are refused, in Anthropic's words."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.conversation import (
    ChoiceMode,
    Media,
    MediaKind,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from lingma_gateway.dialects.anthropic import request
from lingma_gateway.dialects.anthropic.answer import Thinking
from lingma_gateway.dialects.anthropic.fields import FIELDS
from lingma_gateway.dialects.treatment import Treatment
from lingma_gateway.errors import InvalidRequest, ThreadNotKept
from tests.lingma_gateway.dialects.support_json import json_values

HELLO = [{"role": "user", "content": "Hello"}]
SCHEMA = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "number"}}}
READ = {"name": "read", "description": "Reads a file.", "input_schema": SCHEMA}


def parse(messages: Any = HELLO, **fields: Any) -> request.MessagesRequest:
    body = {"max_tokens": 64, "messages": messages, **fields}
    return request.parse(json.dumps({name: value for name, value in body.items() if value is not ...}).encode())


def turn(messages: Any = HELLO, **fields: Any) -> Turn:
    return parse(messages, **fields).turn


def said(content: Any, role: str = "user") -> tuple[Part, ...]:
    """The parts of one message."""
    (message,) = turn([{"role": role, "content": content}]).messages
    return message.parts


def user(*parts: Part) -> Message:
    return Message(Role.USER, parts)


# Conversations


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


# Tools


def test_a_tool_is_described_with_its_schema_in_the_clients_order_and_its_examples() -> None:
    described = {**READ, "type": "custom", "strict": True, "input_examples": [{"z": "a"}, {"z": "b"}]}
    assert turn(tools=[described]).tools == (
        Tool(
            "read",
            'Reads a file.\nExample of its input: {"z":"a"}\nExample of its input: {"z":"b"}',
            '{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}}}',
            strict=True,
        ),
    )


def test_tools_that_only_anthropics_models_know_are_named_as_ignored() -> None:
    asked = turn(
        tools=[
            {"type": "web_search_20250305", "name": "web_search"},
            {"type": None, "name": "read"},
            {"type": "bash_20250124", "name": "bash"},
        ],
        temperature=1,
    )
    assert asked.tools == (Tool("read"),)
    assert asked.ignored == ("temperature", "web_search_20250305", "bash_20250124")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, ToolChoice()),
        ({"type": "auto"}, ToolChoice()),
        ({"type": "any"}, ToolChoice(ChoiceMode.REQUIRED)),
        ({"type": "none"}, ToolChoice(ChoiceMode.NONE)),
        ({"type": "tool", "name": "read"}, ToolChoice(ChoiceMode.REQUIRED, ("read",))),
    ],
)
def test_the_choice_of_a_tool_is_kept(choice: Any, expected: ToolChoice) -> None:
    asked = turn(tools=[READ], tool_choice=choice)
    assert asked.tool_choice == expected
    assert asked.parallel_tool_calls


@pytest.mark.parametrize("choice", ["auto", "any", "none"])
def test_one_call_an_answer_is_wanted_by_any_choice(choice: str) -> None:
    assert not turn(tools=[READ], tool_choice={"type": choice, "disable_parallel_tool_use": True}).parallel_tool_calls


# The other fields


@pytest.mark.parametrize(
    ("thinking", "expected"),
    [
        (None, Thinking.HIDDEN),
        ({"type": "disabled"}, Thinking.HIDDEN),
        ({"type": "enabled", "budget_tokens": 31999}, Thinking.SHOWN),
        ({"type": "adaptive"}, Thinking.SHOWN),
        ({"type": "adaptive", "display": "summarized"}, Thinking.SHOWN),
        ({"type": "adaptive", "display": "omitted"}, Thinking.OMITTED),
    ],
)
def test_thinking_is_shown_to_those_who_ask_for_it(thinking: Any, expected: Thinking) -> None:
    assert parse(thinking=thinking).thinking is expected


@pytest.mark.parametrize(
    "fields",
    [
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
        {"output_config": {"format": None}, "output_format": {"type": "json_schema", "schema": SCHEMA}},
    ],
)
def test_a_format_of_the_answer_is_its_schema(fields: dict[str, Any]) -> None:
    assert turn(**fields).output == OutputFormat(orjson.dumps(SCHEMA).decode(), strict=True)


@pytest.mark.parametrize("fields", [{"output_config": None}, {"output_config": {}}, {"output_format": None}])
def test_no_format_is_text(fields: dict[str, Any]) -> None:
    assert turn(**fields).output is None


def test_stop_sequences_are_kept_but_for_empty_ones() -> None:
    assert turn(stop_sequences=["END", "", "\n"]).stop == ("END", "\n")


@pytest.mark.parametrize(("metadata", "user"), [(None, None), ({}, None), ({"user_id": "u"}, "u")])
def test_the_user_is_the_one_of_the_metadata(metadata: Any, user: str | None) -> None:
    assert turn(metadata=metadata).user == user


VALUES: dict[str, Any] = {
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "output_config": {"effort": "high"},
    "tools[]": {"type": "custom", "defer_loading": True, "cache_control": {}, "eager_input_streaming": True},
}
PLAIN = [name for name in FIELDS if "." not in name]


@pytest.mark.parametrize("name", [name for name in PLAIN if FIELDS[name] is Treatment.IGNORED])
def test_a_field_without_effect_is_named(name: str) -> None:
    assert turn(**{name: {"any": "value"}}).ignored == (name,)
    assert turn(**{name: None}).ignored == turn(**{name: []}).ignored == ()


@pytest.mark.parametrize("name", [name for name in PLAIN if FIELDS[name] is Treatment.SILENT])
def test_a_field_that_wants_no_effect_is_not_named(name: str) -> None:
    assert turn(**{name: {"any": "value"}}).ignored == ()


def test_fields_inside_objects_are_named_with_their_path_and_unknown_ones_too() -> None:
    asked = turn(
        thinking={"type": "enabled", "budget_tokens": 1024},
        output_config={"effort": "low", "task_budget": 3, "format": None},
        metadata={"user_id": "u", "team": "t"},
        hologram=True,
    )
    named = ("hologram", "metadata.team", "output_config.effort", "output_config.task_budget", "thinking.budget_tokens")
    assert asked.ignored == named


def test_what_is_told_of_a_tool_beyond_its_description_is_not_named() -> None:
    told = {name.removeprefix("tools[]."): True for name, fate in FIELDS.items() if fate is Treatment.SILENT}
    assert turn(tools=[{**told, **READ}]).ignored == ()


def test_a_count_needs_no_limit_and_reads_the_same_conversation() -> None:
    counted = request.parse_count(json.dumps({"messages": HELLO, "model": "m", "tools": [READ]}).encode())
    assert counted.messages == turn().messages
    assert counted.tools == turn(tools=[READ]).tools
    assert counted.max_tokens is None


# Requests that are refused


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
