"""Limits, structured output and tools as clients of the three APIs see them, over the wire."""

import json
from typing import Any

import httpx
import pytest

from lingma_contract import ids
from tests.lingma_gateway.api.conftest import Gateway

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
BAD = {"type": "object", "properties": {"n": {"type": "str"}}}
PARAMETERS = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
LONG = "@sim say one two three four five\n@sim chunks 6\n@sim hang"
READS = '@sim call Read {"path": "a.txt"}'


def chat(prompt: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    return "/v1/chat/completions", {"messages": [{"role": "user", "content": prompt}], **fields}


def messages(prompt: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    limits = {"max_tokens": 500} | fields
    return "/v1/messages", {"model": "org_auto", "messages": [{"role": "user", "content": prompt}], **limits}


def responses(prompt: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    return "/v1/responses", {"model": "org_auto", "input": prompt, "store": False, **fields}


def post(client: httpx.Client, request: tuple[str, dict[str, Any]]) -> httpx.Response:
    path, body = request
    return client.post(path, json=body)


def chat_form(schema: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "out", "schema": schema}}}


def messages_form(schema: Any) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def responses_form(schema: Any) -> dict[str, Any]:
    return {"text": {"format": {"type": "json_schema", "name": "out", "schema": schema}}}


FORMED = {"chat": (chat, chat_form), "messages": (messages, messages_form), "responses": (responses, responses_form)}


def test_a_stop_sequence_ends_an_answer_of_chat_and_of_messages(client: httpx.Client) -> None:
    choice = post(client, chat(LONG, stop=" four")).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one two three", "stop")
    message = post(client, messages(LONG, stop_sequences=["five", " four"])).json()
    assert message["content"] == [{"type": "text", "text": "one two three"}]
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", " four")


def test_max_tokens_ends_an_answer_of_each_api_and_says_so(client: httpx.Client) -> None:
    choice = post(client, chat(LONG, max_completion_tokens=3)).json()["choices"][0]
    assert (choice["message"]["content"].strip(), choice["finish_reason"]) == ("one two three", "length")
    assert post(client, messages(LONG, max_tokens=3)).json()["stop_reason"] == "max_tokens"
    response = post(client, responses("@sim say " + "word " * 40, max_output_tokens=16)).json()
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})


@pytest.mark.parametrize("api", FORMED)
def test_structured_output_is_asked_for_again_and_a_header_says_so(client: httpx.Client, api: str) -> None:
    request, form = FORMED[api]
    answer = post(client, request('@sim say no\n@sim then\n@sim say {"n": 1}', **form(SCHEMA)))
    assert answer.headers["x-lingma-retries"] == "1"
    assert '"{\\"n\\": 1}"' in json.dumps(answer.json())
    assert "x-lingma-retries" not in post(client, request('@sim say {"n": 1}', **form(SCHEMA))).headers


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", FORMED)
def test_a_model_that_cannot_is_a_502_that_sdks_do_not_repeat(client: httpx.Client, api: str, stream: bool) -> None:
    request, form = FORMED[api]
    answer = post(client, request("@sim say no\n@sim then\n@sim say no", stream=stream, **form(SCHEMA)))
    assert (answer.status_code, answer.headers["x-should-retry"]) == (502, "false")
    assert "the model did not give what the request asks for" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("api", "where"),
    [
        ("chat", "response_format.json_schema.schema"),
        ("messages", "output_config.format.schema"),
        ("responses", "text.format.schema"),
    ],
)
def test_a_bad_schema_is_refused_and_its_field_named_as_the_api_calls_it(
    client: httpx.Client, api: str, where: str
) -> None:
    request, form = FORMED[api]
    answer = post(client, request("Hello", **form(BAD)))
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(f"{where} is no JSON Schema: at #/properties/n/type")


def test_ids_of_calls_have_the_form_of_their_api_and_name_the_account(client: httpx.Client) -> None:
    function = {"name": "Read", "parameters": PARAMETERS}
    chosen = post(client, chat(READS, tools=[{"type": "function", "function": function}])).json()["choices"][0]
    used = post(client, messages(READS, tools=[{"name": "Read", "input_schema": PARAMETERS}])).json()
    called = post(client, responses(READS, tools=[{"type": "function", **function}])).json()
    assert (chosen["finish_reason"], used["stop_reason"]) == ("tool_calls", "tool_use")
    found = {
        ids.Kind.CALL: chosen["message"]["tool_calls"][0]["id"],
        ids.Kind.TOOL_USE: used["content"][-1]["id"],
    }
    found_in_response = [item["call_id"] for item in called["output"] if item["type"] == "function_call"]
    for kind, id in [*found.items(), (ids.Kind.CALL, found_in_response[0])]:
        parsed = ids.parse(id)
        assert parsed is not None
        assert parsed.kind is kind


def test_a_call_and_its_result_are_lines_of_one_conversation(gateway: Gateway, client: httpx.Client) -> None:
    tools = [{"type": "function", "function": {"name": "Read", "parameters": PARAMETERS}}]
    path, body = chat(f"{READS}\n@sim then\n@sim say it says {{{{result}}}}", tools=tools)
    made = client.post(path, json=body).json()["choices"][0]["message"]
    call_id = made["tool_calls"][0]["id"]
    result = {"role": "tool", "tool_call_id": call_id, "content": "planted-result"}
    ended = client.post(path, json={**body, "messages": [*body["messages"], made, result]})
    assert ended.json()["choices"][0]["message"]["content"] == "it says planted-result"
    called = gateway.program.wait_for("tool", phase="call", tool_call_id=call_id)
    answered = gateway.program.wait_for("tool", phase="result", tool_call_id=call_id)
    assert called["conversation"] == answered["conversation"]
    assert (called["outcome"], answered["outcome"], answered["name"]) == ("ok", "ok", "Read")
    assert answered["duration_ms"] > 0
    assert "planted-result" not in "".join(gateway.program.lines)
