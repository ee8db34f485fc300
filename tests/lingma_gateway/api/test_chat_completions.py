"""`POST /v1/chat/completions`, over the wire."""

import json
import re
from typing import Any

import httpx
import pytest

from lingma_contract import ids
from tests.lingma_gateway.api.conftest import Gateway

PATH = "/v1/chat/completions"


def ask(text: str, **fields: Any) -> dict[str, Any]:
    return {"model": "org_auto", "messages": [{"role": "user", "content": text}], **fields}


def chunks(response: httpx.Response) -> list[Any]:
    data = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    return [item if item == "[DONE]" else json.loads(item) for item in data]


def test_an_answer_has_the_shape_of_openais(client: httpx.Client) -> None:
    response = client.post(PATH, json=ask("Hello"))
    body = response.json()
    assert response.status_code == 200
    assert body["object"] == "chat.completion"
    assert body["model"] == "org_auto"
    message = {"role": "assistant", "content": "echo: Hello", "refusal": None}
    assert body["choices"] == [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}]
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", body["id"])
    assert ids.parse(body["id"]) is not None


def test_an_answer_names_account_model_and_request(client: httpx.Client) -> None:
    response = client.post(PATH, json=ask("Hello"), headers={"x-request-id": "my-request"})
    assert response.headers["x-lingma-account"] in {"alice", "bob"}
    assert response.headers["x-lingma-model"] == "org_auto"
    assert response.headers["x-request-id"] == "my-request"


def test_a_stream_carries_role_text_finish_usage_and_done_in_this_order(client: httpx.Client) -> None:
    prompt = "@sim say one two three\n@sim chunks 3"
    response = client.post(PATH, json=ask(prompt, stream=True, stream_options={"include_usage": True}))
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["x-accel-buffering"] == "no"
    received = chunks(response)
    assert received[-1] == "[DONE]"
    first, *deltas, finish, usage = received[:-1]
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in deltas) == "one two three"
    assert len(deltas) == 3
    assert finish["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] > 0
    assert len({chunk["id"] for chunk in received[:-1]}) == 1


def test_a_stream_without_include_usage_has_no_usage_chunk(client: httpx.Client) -> None:
    received = chunks(client.post(PATH, json=ask("Hello", stream=True)))
    assert all(chunk["choices"] for chunk in received[:-1])


def test_reasoning_comes_beside_the_text(client: httpx.Client) -> None:
    message = client.post(PATH, json=ask("@sim think because\n@sim say so")).json()["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "so", "refusal": None, "reasoning_content": "because"}


def test_the_whole_conversation_reaches_the_model(client: httpx.Client) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": "Answer"},
        {"role": "user", "content": [{"type": "text", "text": "Second"}]},
    ]
    text = client.post(PATH, json={"messages": messages}).json()["choices"][0]["message"]["content"]
    assert text.startswith("echo: Be brief.\n\nThe conversation so far")
    assert '<turn from="user">\nFirst\n</turn>\n<turn from="assistant">\nAnswer\n</turn>' in text
    assert text.endswith("</conversation>\n\nSecond")


def test_a_conversation_stays_with_the_account_that_holds_it(client: httpx.Client) -> None:
    accounts = set()
    for number in range(6):
        asked: list[dict[str, object]] = [{"role": "user", "content": f"conversation {number}"}]
        first = client.post(PATH, json={"messages": asked})
        asked.append({"role": "assistant", "content": first.json()["choices"][0]["message"]["content"]})
        asked.append({"role": "user", "content": "@sim recall"})
        second = client.post(PATH, json={"messages": asked})
        assert second.json()["choices"][0]["message"]["content"] == f"1. conversation {number}"
        assert second.headers["x-lingma-account"] == first.headers["x-lingma-account"]
        accounts.add(first.headers["x-lingma-account"])
    assert len(accounts) == 2, "each conversation has an account of its own choice"


def test_fields_without_effect_are_named(client: httpx.Client) -> None:
    response = client.post(PATH, json=ask("Hello", temperature=0.2, seed=1, tools=[]))
    assert response.headers["x-lingma-ignored"] == "seed, temperature"


def test_an_image_becomes_a_placeholder_and_is_named(client: httpx.Client) -> None:
    content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    response = client.post(PATH, json={"messages": [{"role": "user", "content": content}]})
    assert response.headers["x-lingma-degraded"] == "image"
    assert response.json()["choices"][0]["message"]["content"] == "echo: What is it?\n[image]"


def test_an_unknown_model_is_served_by_the_default_and_named(client: httpx.Client) -> None:
    response = client.post(PATH, json=ask("@sim model") | {"model": "gpt-9"})
    assert response.headers["x-lingma-model"] == "org_auto"
    assert response.json()["model"] == "org_auto"
    assert response.json()["choices"][0]["message"]["content"] == "org_auto"


def test_a_model_is_found_by_its_display_name_too(client: httpx.Client) -> None:
    response = client.post(PATH, json=ask("@sim model") | {"model": "qwen3-coder"})
    assert response.json()["choices"][0]["message"]["content"] == "dashscope_qwen3_coder"


BAD_BODIES = {
    "malformed JSON": (b'{"messages": [', None, "not valid JSON"),
    "no object": (b"[]", None, "JSON object"),
    "no messages": (b"{}", "messages", "list of messages"),
    "an empty message list": (b'{"messages": []}', "messages", "at least one"),
    "only empty messages": (b'{"messages": [{"role": "user", "content": ""}]}', "messages", "no content"),
    "an unknown role": (b'{"messages": [{"role": "x", "content": "y"}]}', "messages[0].role", "one of system"),
    "several answers": (b'{"n": 2, "messages": [{"role": "user", "content": "y"}]}', "n", "must be 1"),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_bad_body_is_refused_in_openais_form_and_names_its_field(client: httpx.Client, case: str) -> None:
    body, param, words = BAD_BODIES[case]
    response = client.post(PATH, content=body, headers={"content-type": "application/json"})
    error = response.json()["error"]
    assert response.status_code == 400
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert words in error["message"]
    assert response.json()["request_id"] == response.headers["x-request-id"]
    assert response.headers["x-should-retry"] == "false"


def test_a_wrong_key_a_missing_key_and_a_wrong_path_are_errors_in_openais_form(gateway: Gateway) -> None:
    with gateway.client("sk-wrong") as client:
        wrong = client.post(PATH, json=ask("Hello"))
    missing = httpx.post(gateway.url + PATH, json=ask("Hello"))
    path = httpx.get(gateway.url + "/v1/nothing")
    method = httpx.get(gateway.url + PATH)
    assert [response.status_code for response in (wrong, missing, path, method)] == [401, 401, 404, 405]
    assert wrong.json()["error"]["code"] == "invalid_api_key"
    assert path.json()["error"]["message"] == "no such path: GET /v1/nothing"
    assert "sk-wrong" not in "".join(gateway.program.lines)


def test_the_key_may_come_as_x_api_key(gateway: Gateway) -> None:
    response = httpx.post(gateway.url + PATH, json=ask("Hello"), headers={"x-api-key": "sk-b"})
    assert response.status_code == 200
    line = gateway.program.wait_for("access", request_id=response.headers["x-request-id"])
    assert line["key_id"] == "team-b"


def test_an_error_of_lingma_before_the_first_event_is_a_status(client: httpx.Client) -> None:
    for stream in (False, True):
        response = client.post(PATH, json=ask("@sim fail 500 out of order", stream=stream))
        assert response.status_code == 502
        assert response.json()["error"]["code"] == "upstream_error"
        assert "out of order" in response.json()["error"]["message"]


def test_a_stream_that_breaks_off_never_ends_cleanly(gateway: Gateway, client: httpx.Client) -> None:
    prompt = "@sim say a b c d\n@sim chunks 4\n@sim fail 500 broken"
    with pytest.raises(httpx.RemoteProtocolError), client.stream("POST", PATH, json=ask(prompt, stream=True)) as answer:
        request_id = answer.headers["x-request-id"]
        for _ in answer.iter_bytes():
            pass
    assert gateway.program.wait_for("access", request_id=request_id)["aborted"] is True


def test_a_client_that_goes_away_stops_the_turn_and_frees_its_slot(gateway: Gateway, client: httpx.Client) -> None:
    with client.stream("POST", PATH, json=ask("@sim say x\n@sim hang", stream=True)) as answer:
        request_id = answer.headers["x-request-id"]
        next(answer.iter_bytes())
    assert gateway.program.wait_for("access", request_id=request_id)["status"] == 499
    assert all(instance["in_flight"] == 0 for instance in client.get("/healthz").json()["instances"])


def test_the_access_log_says_what_was_served(gateway: Gateway, client: httpx.Client) -> None:
    response = client.post(PATH, json=ask("Hello", stream=True))
    line = gateway.program.wait_for("access", request_id=response.headers["x-request-id"])
    assert {
        "method": "POST",
        "path": PATH,
        "status": 200,
        "dialect": "openai",
        "key_id": "team-a",
        "model": "org_auto",
        "stream": True,
        "tokens_estimated": False,
    }.items() <= line.items()
    assert line["elapsed_ms"] >= line["first_event_ms"] > 0
    assert line["input_tokens"] > 0
    assert line["output_tokens"] > 0


def test_tool_events_of_lingma_are_logged_and_no_tool_result_is_invented(
    gateway: Gateway, client: httpx.Client
) -> None:
    response = client.post(PATH, json=ask('@sim tool read_file {"filePath": "/planted-argument"}\n@sim toolresult'))
    line = gateway.program.wait_for("tool", phase="call", request_id=response.headers["x-request-id"])
    assert (line["name"], line["rule"], line["outcome"]) == ("read_file", "deny", "refused")
    assert line["account"] in {"alice", "bob"}
    replied = json.loads(response.json()["choices"][0]["message"]["content"])
    assert "denied by the gateway's tool policy" in json.dumps(replied)
    assert "/planted-argument" not in "".join(gateway.program.lines)


def test_an_unsafe_request_id_is_replaced(client: httpx.Client) -> None:
    response = client.post(PATH, json=ask("Hello"), headers={"x-request-id": "a b"})
    assert re.fullmatch(r"req-[0-9a-f]{12}", response.headers["x-request-id"])
