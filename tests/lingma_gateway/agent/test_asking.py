"""How Lingma's agent is asked, and who may ask it."""

from pathlib import Path
from typing import Any

import pytest

from lingma_gateway.runtime import ConfigurationError
from tests.lingma_gateway.agent.support import APIS, chat, driven, messages
from tests.matrix.bench import Bench, bench

pytestmark = pytest.mark.asyncio(loop_scope="package")

FUNCTION = {
    "name": "Read",
    "description": "Reads a file",
    "parameters": {"type": "object", "properties": {"path": {"type": "string"}}},
}
OPENAI = {"tools": [{"type": "function", "function": FUNCTION}]}
ANTHROPIC = {
    "tools": [{"name": "Read", "description": "Reads a file", "input_schema": FUNCTION["parameters"]}],
}


async def asked(gateway: Bench) -> dict[str, Any]:
    """Params of the last question."""
    params: dict[str, Any] = (await gateway.received("chat/ask"))[-1]["message"]["params"]
    return params


@pytest.mark.parametrize("model", ["lingma-agent", "agent", "Lingma-Agent", "AGENT"])
@pytest.mark.parametrize("api", APIS)
async def test_the_model_ids_of_the_agent_ask_it_with_the_default_model(gateway: Bench, api: str, model: str) -> None:
    await gateway.forget_frames()
    seen = await APIS[api](gateway, "@sim model", model=model)
    params = await asked(gateway)
    assert seen.text == "org_auto"
    assert (params["mode"], params["sessionType"], params["chatTask"]) == ("agent", "developer", "FREE_INPUT")
    assert params["pluginPayloadConfig"]["isEnableAskAgent"] is True
    assert params["pluginPayloadConfig"]["isEnableAutoMemory"] is False
    assert "toolConfig" not in params


async def test_other_models_are_asked_in_chat_mode(gateway: Bench) -> None:
    await gateway.forget_frames()
    await chat(gateway, "Hello", model="org_auto")
    params = await asked(gateway)
    assert (params["mode"], params["sessionType"]) == ("chat", "chat")
    assert params["pluginPayloadConfig"]["isEnableAskAgent"] is False


async def test_each_turn_of_the_agent_has_a_session_of_its_own(gateway: Bench) -> None:
    history = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "echo: one"},
        {"role": "user", "content": "two"},
    ]
    kept = gateway.kept
    await chat(gateway, "one")
    await gateway.forget_frames()
    await chat(gateway, "", messages=history)
    assert (await asked(gateway))["isReply"] is False
    assert gateway.kept == kept


@pytest.mark.parametrize("api", APIS)
async def test_where_it_is_off_its_models_are_unknown_and_the_setting_is_named(tmp_path: Path, api: str) -> None:
    path = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}[api]
    told: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 9, "input": "Hello"}
    async with bench(tmp_path) as gateway, gateway.client() as client:
        response = await client.post(path, json={"model": "lingma-agent", **told})
    error = response.json()["error"]
    assert response.status_code == 404
    assert "AGENT_MODE" in error["message"]
    assert (error["type"] == "not_found_error") is (api == "messages")


@pytest.mark.parametrize("setting", [{"default_ask_mode": "agent"}, {"tools_mode": "agent"}])
async def test_settings_that_ask_for_it_are_refused_at_the_start_where_it_is_off(
    tmp_path: Path, setting: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="AGENT_MODE=on"):
        async with bench(tmp_path, **setting):
            pass


async def test_the_default_mode_and_its_names_are_settings(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"default_ask_mode": "agent", "agent_session_type": "ask", "agent_chat_task": "chat"}
    async with bench(tmp_path, agent_mode="on", **changes) as gateway:
        await messages(gateway, "Hello", model="org_auto")
        params = await asked(gateway)
    assert (params["mode"], params["sessionType"], params["chatTask"]) == ("agent", "ask", "chat")


async def test_tools_of_a_client_that_are_not_sent_on_are_named_as_ignored(tmp_path: Path) -> None:
    async with bench(tmp_path, agent_mode="on", tools_mode="agent") as gateway, gateway.client() as client:
        body = {"messages": [{"role": "user", "content": "Hello"}], **OPENAI}
        response = await client.post("/v1/chat/completions", json=body)
        refused = await client.post("/v1/chat/completions", json=body | {"tool_choice": "required"})
        params = await asked(gateway)
        await gateway.forget_frames()
        await client.post("/v1/chat/completions", json={"messages": body["messages"]})
        without = await asked(gateway)
    assert "tools" in response.headers["x-lingma-ignored"]
    assert (params["mode"], "toolConfig" in params) == ("agent", False)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tool_choice")
    assert without["mode"] == "chat"


@pytest.mark.parametrize(("api", "tools"), [("chat", OPENAI), ("messages", ANTHROPIC)])
async def test_tools_of_a_client_are_sent_on_where_the_setting_says_so(
    forwarding: Bench, api: str, tools: dict[str, Any]
) -> None:
    await forwarding.forget_frames()
    seen = await APIS[api](forwarding, "Hello", model="org_auto", **tools)
    params = await asked(forwarding)
    assert params["mode"] == "agent"
    assert params["toolConfig"] == {
        "provider": "openai",
        "tools": [{"type": "function", "function": FUNCTION}],
        "tool_choice": "auto",
    }
    assert seen.text == "echo: Hello"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("api", "tools", "finish"),
    [("chat", OPENAI, "tool_calls"), ("messages", ANTHROPIC, "tool_use")],
)
async def test_a_call_of_a_tool_that_was_sent_on_is_the_clients_to_execute_and_lingma_is_told_nothing_of_a_result(
    forwarding: Bench, api: str, tools: dict[str, Any], finish: str, stream: bool
) -> None:
    async with driven(forwarding, api, stream=stream, model="org_auto", **tools) as turn:
        await turn.push("tool/invoke", toolCallId="c1", name="Read", parameters={"path": "a", "token": "kept"})
        await turn.push("tool/call/sync", toolCallId="c1", toolCallStatus="ERROR", errorMsg="denied")
        seen = await turn.finish()
    ((id, name, arguments),) = seen.calls
    assert id != "c1"
    assert (name, arguments) == ("Read", {"path": "a", "token": "kept"})
    assert (seen.results, seen.finish) == ([], finish)
