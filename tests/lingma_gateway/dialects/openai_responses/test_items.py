"""Items of an input as messages, and what they hold."""

from typing import Any

import pytest

from lingma_gateway.conversation import Media, MediaKind, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from lingma_gateway.dialects.openai_responses.items import ItemReader
from lingma_gateway.errors import InvalidRequest

PNG = "data:image/png;base64,iVBORw0KGgo="
PNG_BYTES = b"\x89PNG\r\n\x1a\n"
CALL: dict[str, Any] = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"a":1}'}


def reader(*items: Any, **referenced: Any) -> ItemReader:
    made = ItemReader(referenced)
    made.read(items, "input")
    return made


def messages(*items: Any) -> list[Message]:
    return reader(*items).messages


def only_part(item: dict[str, Any]) -> Part:
    ((part,),) = [message.parts for message in messages(item)]
    return part


def said(role: Role, *texts: str) -> Message:
    return Message(role, tuple(map(Text, texts)))


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("user", Role.USER),
        ("system", Role.SYSTEM),
        ("developer", Role.SYSTEM),
        ("assistant", Role.ASSISTANT),
    ],
)
@pytest.mark.parametrize("kind", [{}, {"type": "message"}, {"type": None}])
def test_a_message_has_its_role_with_and_without_a_type(name: str, role: Role, kind: dict[str, Any]) -> None:
    assert messages({"role": name, "content": "Hi", **kind}) == [said(role, "Hi")]


@pytest.mark.parametrize("kind", ["input_text", "output_text", "text"])
def test_text_is_text_whichever_way_it_went(kind: str) -> None:
    assert only_part({"role": "user", "content": [{"type": kind, "text": "Hi", "annotations": []}]}) == Text("Hi")


def test_a_refusal_is_what_the_model_said() -> None:
    content = [{"type": "refusal", "refusal": "No"}, "Sorry"]
    assert messages({"role": "assistant", "content": content}) == [said(Role.ASSISTANT, "No", "Sorry")]


@pytest.mark.parametrize("content", [None, "", [], " \n", [{"type": "input_text", "text": ""}]])
def test_a_message_without_content_is_left_out(content: Any) -> None:
    assert messages({"role": "user", "content": content}) == []


@pytest.mark.parametrize(
    ("part", "media"),
    [
        (
            {"type": "input_image", "image_url": PNG, "detail": "auto"},
            Media(MediaKind.IMAGE, "input[0].content[0]", "image/png", PNG_BYTES),
        ),
        (
            {"type": "input_image", "image_url": {"url": "https://i.test/x.png"}},
            Media(MediaKind.IMAGE, "input[0].content[0]", url="https://i.test/x.png"),
        ),
        (
            {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,aGk="},
            Media(MediaKind.FILE, "input[0].content[0]", "text/plain", b"hi"),
        ),
        (
            {"type": "input_file", "filename": "a.txt", "file_data": "aGk="},
            Media(MediaKind.FILE, "input[0].content[0]", "", b"hi"),
        ),
        (
            {"type": "input_file", "file_url": "https://i.test/a.pdf"},
            Media(MediaKind.FILE, "input[0].content[0]", url="https://i.test/a.pdf"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
            Media(MediaKind.AUDIO, "input[0].content[0]", "audio/wav", b"hi"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "aGk="}},
            Media(MediaKind.AUDIO, "input[0].content[0]", "", b"hi"),
        ),
    ],
)
def test_images_files_and_audio_are_media(part: dict[str, Any], media: Media) -> None:
    assert only_part({"role": "user", "content": [part]}) == media


@pytest.mark.parametrize(
    ("part", "placeholder"),
    [
        ({"type": "input_image", "file_id": "file-1"}, "image"),
        ({"type": "input_file", "file_id": "file-1"}, "file"),
        ({"type": "hologram"}, "hologram"),
    ],
)
def test_what_nobody_can_show_the_model_is_a_placeholder_and_noted(part: dict[str, Any], placeholder: str) -> None:
    made = reader({"role": "user", "content": [part]})
    assert made.messages == [said(Role.USER, f"[{placeholder}]")]
    assert made.degraded == (placeholder,)


def test_what_the_model_did_in_one_answer_is_one_message() -> None:
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}]}
    answer = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see"}]}
    result = {"type": "function_call_output", "call_id": "c1", "output": "rain"}
    assert messages(reasoning, answer, CALL, result) == [
        Message(Role.ASSISTANT, (Reasoning("Hm"), Text("Let me see"), ToolCall("c1", "f", '{"a":1}'))),
        Message(Role.TOOL, (ToolResult("c1", (Text("rain"),)),)),
    ]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "xx"},
    ],
)
def test_reasoning_is_read_from_wherever_it_is(item: dict[str, Any]) -> None:
    assert only_part(item) == Reasoning("Hm")


def test_reasoning_without_text_is_left_out() -> None:
    assert messages({"type": "reasoning", "summary": [], "encrypted_content": "xx"}) == []


@pytest.mark.parametrize(
    ("item", "call"),
    [
        (CALL, ToolCall("c1", "f", '{"a":1}')),
        ({**CALL, "namespace": "n"}, ToolCall("c1", "n.f", '{"a":1}')),
        # Some models say it of a plain tool; see CallItem.
        ({**CALL, "namespace": "f"}, ToolCall("c1", "f", '{"a":1}')),
        ({**CALL, "arguments": {"a": 1}}, ToolCall("c1", "f", '{"a":1}')),
        ({"type": "function_call", "call_id": "c1", "name": "f"}, ToolCall("c1", "f", "")),
        (
            {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "***"},
            ToolCall("c1", "patch", "***", custom=True),
        ),
        (
            {"type": "local_shell_call", "call_id": "c1", "action": {"type": "exec", "command": ["ls"]}},
            ToolCall("c1", "local_shell", '{"type":"exec","command":["ls"]}'),
        ),
        (
            {"type": "apply_patch_call", "call_id": "c1", "operation": {"path": "/x"}},
            ToolCall("c1", "apply_patch", '{"path":"/x"}'),
        ),
    ],
)
def test_calls_of_every_kind_are_calls(item: dict[str, Any], call: ToolCall) -> None:
    assert only_part(item) == call


@pytest.mark.parametrize(
    ("item", "result"),
    [
        ({"type": "function_call_output", "call_id": "c1", "output": ""}, ToolResult("c1", (Text(""),))),
        (
            {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "rain"}]},
            ToolResult("c1", (Text("rain"),)),
        ),
        (
            {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_image", "image_url": PNG}]},
            ToolResult("c1", (Media(MediaKind.IMAGE, "input[0].output[0]", "image/png", PNG_BYTES),)),
        ),
        (
            {"type": "function_call_output", "call_id": "c1", "output": "no", "status": "incomplete"},
            ToolResult("c1", (Text("no"),), is_error=True),
        ),
        (
            {"type": "function_call_output", "call_id": "c1", "output": "x", "name": "f", "namespace": "n"},
            ToolResult("c1", (Text("x"),), name="n.f"),
        ),
        ({"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"}, ToolResult("c1", (Text("ok"),))),
        ({"type": "local_shell_call_output", "id": "c1", "output": "ok"}, ToolResult("c1", (Text("ok"),))),
        (
            {"type": "shell_call_output", "call_id": "c1", "output": [{"stdout": "ok"}]},
            ToolResult("c1", (Text('[{"stdout":"ok"}]'),)),
        ),
    ],
)
def test_outputs_of_every_kind_are_results(item: dict[str, Any], result: ToolResult) -> None:
    assert messages(item) == [Message(Role.TOOL, (result,))]


def test_a_screenshot_is_a_placeholder() -> None:
    output = {"type": "computer_screenshot", "image_url": PNG}
    made = reader({"type": "computer_call_output", "call_id": "c1", "output": output})
    assert made.messages == [Message(Role.TOOL, (ToolResult("c1", (Text("[computer_screenshot]"),)),))]
    assert made.degraded == ("computer_screenshot",)


@pytest.mark.parametrize(
    ("more", "results"),
    [
        ({"output": "rain"}, [ToolResult("mcp_1", (Text("rain"),))]),
        ({"error": {"code": 1}}, [ToolResult("mcp_1", (Text('{"code":1}'),), is_error=True)]),
        ({}, []),
    ],
)
def test_a_call_that_was_executed_upstream_comes_with_its_result(more: dict[str, Any], results: list[Part]) -> None:
    item = {"type": "mcp_call", "id": "mcp_1", "server_label": "s", "name": "f", "arguments": "{}", **more}
    expected = [Message(Role.ASSISTANT, (ToolCall("mcp_1", "f", "{}"),))]
    assert messages(item) == expected + [Message(Role.TOOL, (result,)) for result in results]


@pytest.mark.parametrize(
    ("kind", "role"),
    [("web_search_call", Role.ASSISTANT), ("compaction", Role.USER), ("hologram", Role.USER)],
)
def test_items_of_other_kinds_are_placeholders_and_noted(kind: str, role: Role) -> None:
    made = reader({"type": kind, "id": "x_1", "status": "completed"})
    assert made.messages == [said(role, f"[{kind}]")]
    assert made.degraded == (kind,)


def test_a_reference_stands_for_what_is_stored() -> None:
    made = reader({"type": "item_reference", "id": "m"}, {"id": "m"}, m={"role": "user", "content": "Hi"})
    assert made.messages == [said(Role.USER, "Hi"), said(Role.USER, "Hi")]
    assert made.degraded == ()


def test_a_reference_to_what_is_not_there_is_left_out_and_noted_unless_it_is_reasoning() -> None:
    assert reader({"type": "item_reference", "id": "msg_1"}).degraded == ("item_reference",)
    assert reader({"type": "item_reference", "id": "rs_1"}).degraded == ()


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ("x", "input[0]"),
        ({}, "input[0].type"),
        ({"type": 7}, "input[0].type"),
        ({"type": "message", "content": "x"}, "input[0].role"),
        ({"role": "king", "content": "x"}, "input[0].role"),
        ({"role": "user", "content": 7}, "input[0].content"),
        ({"role": "user", "content": [7]}, "input[0].content[0]"),
        ({"role": "user", "content": [{}]}, "input[0].content[0].type"),
        ({"role": "user", "content": [{"type": "input_text", "text": 7}]}, "input[0].content[0].text"),
        ({"role": "user", "content": [{"type": "input_image"}]}, "input[0].content[0].image_url"),
        ({"role": "user", "content": [{"type": "input_image", "image_url": 7}]}, "input[0].content[0].image_url"),
        ({"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}, "input[0].content[0].image_url"),
        (
            {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,?"}]},
            "input[0].content[0].image_url",
        ),
        ({"role": "user", "content": [{"type": "input_file"}]}, "input[0].content[0].file_data"),
        ({"role": "user", "content": [{"type": "input_file", "file_data": "?"}]}, "input[0].content[0].file_data"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "input[0].content[0].input_audio"),
        ({"type": "function_call", "call_id": "", "name": "f"}, "input[0].call_id"),
        ({"type": "function_call", "call_id": "c"}, "input[0].name"),
        ({"type": "mcp_call", "id": "m"}, "input[0].name"),
        ({"type": "additional_tools", "tools": 7}, "input[0].tools"),
    ],
)
def test_what_is_malformed_is_refused_by_name(item: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        messages(item)
    assert caught.value.param == param
