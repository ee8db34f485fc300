from dataclasses import replace

import pytest

from lingma_gateway.conversation import Message, Part, Role, Text, ToolCall, ToolResult, Turn
from lingma_gateway.lingma import calls
from lingma_gateway.lingma.calls import Ask

ASK = Ask(request_id="r-1", model_key="q35model", workspace="/lingma/work/ws", locale="en")


def turn(*messages: tuple[Role, Part]) -> Turn:
    return Turn(None, tuple(Message(role, (part,)) for role, part in messages), stream=False)


def test_a_lone_user_message_goes_as_it_is() -> None:
    assert calls.prompt(turn((Role.USER, Text("  Hello\n[user]")))) == "  Hello\n[user]"


def test_the_parts_of_a_message_stand_on_lines_of_their_own() -> None:
    message = Message(Role.USER, (Text("one"), Text("two")))
    assert calls.prompt(Turn(None, (message,), stream=False)) == "one\ntwo"


def test_a_lone_message_of_another_role_keeps_its_role() -> None:
    assert calls.prompt(turn((Role.SYSTEM, Text("Be brief")))) == "[system]\nBe brief"


def test_a_conversation_is_rendered_with_its_roles_calls_and_results() -> None:
    rendered = calls.prompt(
        turn(
            (Role.SYSTEM, Text("Be brief")),
            (Role.USER, Text("Weather?")),
            (Role.ASSISTANT, ToolCall("call_1", "weather", '{"city":"Bonn"}')),
            (Role.TOOL, ToolResult("call_1", (Text("rain"),))),
        )
    )
    assert rendered == (
        "[system]\nBe brief\n\n"
        "[user]\nWeather?\n\n"
        '[assistant]\n[tool_call call_1] weather {"city":"Bonn"}\n\n'
        "[tool]\n[tool_result call_1]\nrain"
    )


def test_a_message_without_parts_leaves_no_trace() -> None:
    messages = (Message(Role.ASSISTANT, ()), Message(Role.USER, (Text("Hello"),)))
    assert calls.prompt(Turn(None, messages, stream=False)) == "[user]\nHello"


def test_an_ask_starts_a_new_chat_session_with_the_model_and_the_workspace() -> None:
    params = calls.ask(ASK, "Hello")
    assert (params["requestId"], params["sessionId"], params["mode"], params["stream"]) == ("r-1", "", "chat", True)
    assert params["extra"] == {"modelConfig": {"key": "q35model"}, "workspacePath": "/lingma/work/ws"}
    assert params["chatContext"]["preferredLanguage"] == params["chatContext"]["localeLang"] == "en"


@pytest.mark.parametrize("field", ["questionText", "content", "text", "message"])
def test_the_prompt_stands_in_every_field_that_some_version_reads(field: str) -> None:
    params = calls.ask(ASK, "Hello")
    assert params[field] == params["chatContext"]["text"] == "Hello"


def test_lingma_remembers_nothing_of_one_key_for_another() -> None:
    assert calls.ask(ASK, "Hello")["pluginPayloadConfig"]["isEnableAutoMemory"] is False


def test_initialize_names_the_parent_only_where_lingma_can_see_it() -> None:
    assert calls.initialize(None)["processId"] is None
    assert calls.initialize(7)["processId"] == 7


def test_a_stop_names_request_and_session() -> None:
    assert calls.stop("r-1", "s-1") == {"requestId": "r-1", "sessionId": "s-1"}


@pytest.mark.parametrize("params", [{}, {"toolCallId": "c-1", "name": "read_file"}])
def test_a_tool_is_denied_and_no_result_is_invented(params: dict[str, str]) -> None:
    denied = calls.denied_tool(params)
    assert (denied["toolCallId"], denied["name"]) == (params.get("toolCallId", ""), params.get("name", ""))
    assert denied["success"] is False
    assert denied["result"] == {}
    assert "denied" in denied["errorMessage"]


def test_an_ask_in_a_session_is_a_reply_there() -> None:
    params = calls.ask(replace(ASK, session_id="s-1", is_reply=True), "And now?")
    assert (params["sessionId"], params["isReply"]) == ("s-1", True)
    assert calls.ask(ASK, "Hello")["isReply"] is False


def test_images_are_named_by_their_addresses_and_only_where_there_are_any() -> None:
    params = calls.ask(replace(ASK, image_urls=("https://x/1", "https://x/2")), "What is this?")
    assert params["chatContext"]["imageUrls"] == ["https://x/1", "https://x/2"]
    assert "imageUrls" not in calls.ask(ASK, "Hello")["chatContext"]
