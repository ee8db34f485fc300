"""What clients see of Lingma's own tools: the cases of the earlier gateway's tests, and those that it got wrong."""

from typing import Any

import pytest

from tests.lingma_gateway.agent.support import APIS, chat, driven, messages, responses
from tests.matrix.bench import Bench

pytestmark = pytest.mark.asyncio(loop_scope="package")

LISTS = '@sim tool list_dir {"path": "src"}\n@sim fault tool-named'
SHOWN = {"path": "src"}
CALL: dict[str, Any] = {"toolCallId": "c1", "name": "list_dir", "parameters": SHOWN}
both_forms = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])


@both_forms
async def test_chat_a_call_that_has_its_result_is_shown_and_not_to_be_executed_again(
    gateway: Bench, stream: bool
) -> None:
    seen = await chat(gateway, f"{LISTS}\n@sim say Two files.", stream=stream)
    ((_, name, arguments),) = seen.calls
    assert (seen.text, name, arguments) == ("Two files.", "list_dir", SHOWN)
    assert seen.finish == "stop"


async def test_messages_a_body_has_text_then_the_call_then_its_result(gateway: Bench) -> None:
    seen = await messages(gateway, f"{LISTS}\n@sim say Two files.")
    assert seen.order == ["text", "tool_use", "tool_result"]
    ((id, name, arguments),) = seen.calls
    assert (seen.text, name, arguments) == ("Two files.", "list_dir", SHOWN)
    assert seen.results == [(id, '[{"simulated":true}]', False)]
    assert seen.finish == "end_turn"


async def test_messages_a_stream_has_the_blocks_as_they_come_with_an_index_each(gateway: Bench) -> None:
    seen = await messages(gateway, f"{LISTS}\n@sim say Two files.", stream=True)
    assert seen.order == ["tool_use", "tool_result", "text"]
    ((id, _, arguments),) = seen.calls
    assert arguments == SHOWN
    assert seen.results == [(id, '[{"simulated":true}]', False)]
    assert seen.finish == "end_turn"


@both_forms
async def test_responses_a_call_and_its_result_are_one_item_that_was_executed_elsewhere(
    gateway: Bench, stream: bool
) -> None:
    seen = await responses(gateway, f"{LISTS}\n@sim say Two files.", stream=stream)
    assert sorted(seen.order) == ["mcp_call", "message"]
    ((id, name, arguments),) = seen.calls
    assert (name, arguments) == ("list_dir", SHOWN)
    assert seen.results == [(id, '[{"simulated":true}]', False)]
    assert (seen.text, seen.finish) == ("Two files.", "completed")


@both_forms
async def test_two_tools_are_two_calls_with_an_index_each(gateway: Bench, stream: bool) -> None:
    prompt = f'{LISTS}\n@sim tool search_web {{"query": "x"}}\n@sim say Done.'
    seen = await chat(gateway, prompt, stream=stream)
    assert [name for _, name, _ in seen.calls] == ["list_dir", "search_web"]
    assert len({id for id, _, _ in seen.calls}) == 2
    blocks = await messages(gateway, prompt, stream=stream)
    assert [block for block in blocks.order if block != "text"] == ["tool_use", "tool_result"] * 2


@both_forms
@pytest.mark.parametrize(
    ("api", "finish"), [("chat", "tool_calls"), ("messages", "tool_use"), ("responses", "completed")]
)
async def test_a_call_that_lacks_its_result_at_the_end_is_the_clients(
    gateway: Bench, api: str, finish: str, stream: bool
) -> None:
    async with driven(gateway, api, stream=stream) as turn:
        await turn.push("tool/call/sync", **CALL, toolCallStatus="RUNNING")
        await turn.say("Looking.")
        seen = await turn.finish()
    assert [call[1:] for call in seen.calls] == [("list_dir", SHOWN)]
    assert seen.results == []
    assert seen.text == "Looking."
    assert seen.finish == finish


@pytest.mark.parametrize("api", APIS)
@both_forms
async def test_the_same_push_twice_and_a_changed_call_are_shown_once(gateway: Bench, api: str, stream: bool) -> None:
    async with driven(gateway, api, stream=stream) as turn:
        for status in ("INIT", "INIT", "RUNNING", "RUNNING", "FINISHED", "FINISHED"):
            results = ["a.txt"] if status == "FINISHED" else []
            await turn.push("tool/call/sync", **CALL, toolCallStatus=status, results=results)
        await turn.push("tool/call/sync", **CALL | {"parameters": {"path": "other"}}, toolCallStatus="FINISHED")
        seen = await turn.finish()
    assert [call[1:] for call in seen.calls] == [("list_dir", SHOWN)]
    if api != "chat":
        assert [result[1:] for result in seen.results] == [('["a.txt"]', False)]
    assert seen.finish not in ("tool_calls", "tool_use")


@both_forms
async def test_input_that_comes_in_two_pushes_is_shown_when_it_is_settled(gateway: Bench, stream: bool) -> None:
    async with driven(gateway, "chat", stream=stream) as turn:
        await turn.push("tool/call/sync", toolCallId="c1", toolCallStatus="INIT", parameters={"path": "draft"})
        await turn.push("tool/call/sync", **CALL, toolCallStatus="INIT")
        await turn.push("tool/call/sync", toolCallId="c1", toolCallStatus="processing")
        await turn.push("tool/call/sync", toolCallId="c1", toolCallStatus="Finished", results=["x"])
        seen = await turn.finish()
    assert seen.calls == [("c1", "list_dir", SHOWN)]


FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "sync with a list of results": ("tool/call/sync", {"results": [{"id": "c1", **CALL, "result": "a.txt"}]}),
    "flat invokeResult": ("tool/invokeResult", {**CALL, "result": "a.txt"}),
    "sync with an object": ("tool/call/sync", {"toolCall": {"id": "c1", **CALL}, "result": "a.txt"}),
    "invokeResult with data": (
        "tool/invokeResult",
        {"data": {"tool_call": {"id": "c1", "toolName": "list_dir", "args": SHOWN}, "result": "a.txt"}},
    ),
}


@pytest.mark.parametrize("form", FORMS)
@both_forms
async def test_each_form_of_a_push_gives_id_name_input_and_result(gateway: Bench, form: str, stream: bool) -> None:
    method, params = FORMS[form]
    async with driven(gateway, "messages", stream=stream) as turn:
        await turn.push(method, **params)
        seen = await turn.finish()
    assert seen.calls == [("c1", "list_dir", SHOWN)]
    assert seen.results == [("c1", "a.txt", False)]
    assert seen.finish == "end_turn"


async def test_a_result_that_does_not_name_the_request_joins_its_call(gateway: Bench) -> None:
    async with driven(gateway, "messages", stream=True) as turn:
        await turn.push("tool/call/sync", **CALL, toolCallStatus="RUNNING")
        await turn.push("tool/invokeResult", ids=False, toolCallId="c1", success=True, result={"n": 2})
        seen = await turn.finish()
    assert seen.results == [("c1", '{"n":2}', False)]


@pytest.mark.parametrize("lost", [{}, {"toolCallId": "never-seen", "toolCallStatus": "PENDING"}])
async def test_a_push_that_belongs_to_no_turn_is_dropped_with_a_warning_and_nothing_is_sent(
    gateway: Bench, caplog: pytest.LogCaptureFixture, lost: dict[str, Any]
) -> None:
    async with driven(gateway, "messages", stream=True) as turn:
        await turn.push("tool/call/sync", ids=False, name="list_dir", result="x", **lost)
        seen = await turn.finish()
    assert (seen.calls, seen.results) == ([], [])
    assert "tool_unroutable" in caplog.text
    sent = (await gateway.control("GET", "/frames?direction=in"))["frames"]
    assert not [frame for frame in sent if str(frame["message"].get("method")).startswith("tool/")]


@both_forms
@pytest.mark.parametrize("status", ["ERROR", "CANCELLED"])
async def test_a_tool_that_failed_is_shown_as_an_error_in_lingmas_words(
    gateway: Bench, status: str, stream: bool
) -> None:
    async with driven(gateway, "messages", stream=stream) as turn:
        await turn.push("tool/call/sync", **CALL, toolCallStatus=status, errorMsg="no such folder")
        seen = await turn.finish()
    assert seen.results == [("c1", "no such folder", True)]
    assert seen.finish == "end_turn"


async def test_a_tool_that_ended_without_a_word_has_an_empty_result(gateway: Bench) -> None:
    async with driven(gateway, "messages", stream=True) as turn:
        await turn.push("tool/call/sync", **CALL, toolCallStatus="FINISHED")
        seen = await turn.finish()
    assert seen.results == [("c1", "", False)]


@pytest.mark.parametrize("api", APIS)
@both_forms
async def test_only_what_the_policy_shows_is_shown(gateway: Bench, api: str, stream: bool) -> None:
    prompt = "@sim tool grep_code {}\n@sim tool delete_file {}\n@sim tool read_file {}\n@sim fault tool-named"
    seen = await APIS[api](gateway, f"{prompt}\n@sim say Done.", stream=stream)
    assert (seen.text, seen.calls, seen.results) == ("Done.", [], [])


async def test_an_answer_in_chat_mode_shows_no_tools(gateway: Bench) -> None:
    seen = await messages(gateway, f"{LISTS}\n@sim say Done.", model="org_auto")
    assert (seen.order, seen.finish) == (["text"], "end_turn")


@both_forms
async def test_an_id_that_clients_do_not_take_is_replaced(gateway: Bench, stream: bool) -> None:
    async with driven(gateway, "messages", stream=stream) as turn:
        await turn.push("tool/call/sync", **CALL | {"toolCallId": "c/1 ?"}, toolCallStatus="FINISHED", results=["x"])
        seen = await turn.finish()
    ((id, _, _),) = seen.calls
    assert id.startswith("toolu_")
    assert seen.results[0][0] == id


@both_forms
async def test_a_clients_tools_are_emulated_beside_lingmas_own(gateway: Bench, stream: bool) -> None:
    tools = [{"type": "function", "function": {"name": "Read", "parameters": {"type": "object"}}}]
    seen = await chat(gateway, f'{LISTS}\n@sim call Read {{"path": "a"}}', stream=stream, tools=tools)
    assert sorted(name for _, name, _ in seen.calls) == ["Read", "list_dir"]
    assert seen.finish == "tool_calls"
