from dataclasses import replace

import pytest

from lingma_gateway.lingma import calls
from lingma_gateway.lingma.calls import Ask

ASK = Ask(request_id="r-1", model_key="q35model", workspace="/lingma/work/ws", locale="en")


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
