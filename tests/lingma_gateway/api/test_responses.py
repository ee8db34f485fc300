"""The Responses API over HTTP, by the official SDK where it can ask."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from tests.lingma_gateway.api.conftest import Gateway
from tests.lingma_gateway.support_responses import told

MODEL = "org_auto"


@pytest.fixture
def sdk(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
        yield client


@pytest.fixture
def other(gateway: Gateway) -> Iterator[openai.OpenAI]:
    """A client with another API key."""
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-b", max_retries=0) as client:
        yield client


# Answers


def test_the_sdk_gets_an_answer(sdk: openai.OpenAI) -> None:
    response = sdk.responses.create(model=MODEL, input="Hello", instructions="Be brief", metadata={"a": "b"})
    assert "Hello" in response.output_text
    assert (response.status, response.instructions, response.metadata) == ("completed", "Be brief", {"a": "b"})
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


def test_the_sdk_streams_an_answer(sdk: openai.OpenAI) -> None:
    prompt = "@sim think Hm hm\n@sim say 你好 🌍\n@sim chunks 4"
    with sdk.responses.stream(model=MODEL, input=prompt, reasoning={"summary": "auto"}) as stream:
        said = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        response = stream.get_final_response()
    assert said == response.output_text == "你好 🌍"
    assert [item.type for item in response.output] == ["reasoning", "message"]


async def test_the_asynchronous_sdk_answers_and_streams(gateway: Gateway) -> None:
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
        answered = await client.responses.create(model=MODEL, input="Hello")
        async with client.responses.stream(model=MODEL, input="Hello") as stream:
            streamed = await stream.get_final_response()
    assert answered.output_text == streamed.output_text == "echo: Hello"


class Weather(BaseModel):
    city: str
    degrees: int


def test_the_sdk_parses_structured_output(sdk: openai.OpenAI) -> None:
    said = json.dumps({"city": "Bonn", "degrees": 7})
    response = sdk.responses.parse(model=MODEL, input=f"@sim say {said}", text_format=Weather)
    assert response.output_parsed == Weather(city="Bonn", degrees=7)


def test_items_of_other_clients_are_understood(client: httpx.Client) -> None:
    body = {
        "input": [
            {"role": "developer", "content": "Be brief"},
            {"role": "user", "content": [{"type": "input_text", "text": "Hello"}, {"type": "hologram"}]},
            {"type": "web_search_call", "id": "ws_1"},
        ],
        "tools": [{"type": "tool_search", "execution": "client"}],
        "temperature": 0,
        "store": False,
    }
    answer = client.post("/v1/responses", json=body)
    assert answer.status_code == 200
    assert answer.headers["x-lingma-ignored"] == "temperature, tools.tool_search"
    assert answer.headers["x-lingma-degraded"] == "hologram, web_search_call"
    assert answer.headers["x-lingma-account"]


@pytest.mark.parametrize("path", ["/v1/responses", "/responses"])
def test_it_is_there_with_and_without_a_version(client: httpx.Client, path: str) -> None:
    created = client.post(path, json={"input": "Hello"}).json()
    assert client.get(f"{path}/{created['id']}").json() == created
    assert client.get(f"{path}/{created['id']}/input_items").json()["object"] == "list"
    assert client.delete(f"{path}/{created['id']}").json()["deleted"] is True
    assert client.get(f"{path}/{created['id']}").status_code == 404


def test_a_failure_before_the_first_event_is_a_status(client: httpx.Client) -> None:
    for stream in (False, True):
        answer = client.post(
            "/v1/responses",
            json={"input": "@sim say x\n@sim fault no-answer\n@sim fault finish-code=500 broken", "stream": stream},
        )
        assert answer.status_code == 502
        assert answer.json()["error"]["code"] == "upstream_error"


def test_a_failure_in_a_stream_is_told_in_it(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/responses", json={"input": "@sim say one two\n@sim fault finish-code=500 broken", "stream": True}
    )
    events = told(answer.content)
    assert (answer.status_code, events[-1]["type"]) == (200, "response.failed")
    assert events[-1]["response"]["error"]["code"] == "server_error"
    assert answer.headers["x-request-id"] in events[-1]["response"]["error"]["message"]
    assert client.get(f"/v1/responses/{events[-1]['response']['id']}").status_code == 404


def test_the_sdk_raises_its_own_errors(sdk: openai.OpenAI, gateway: Gateway) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.responses.create(model=MODEL, input=[])
    assert (caught.value.param, caught.value.code) == ("input", "missing_required_parameter")
    with pytest.raises(openai.BadRequestError, match="background"):
        sdk.responses.create(model=MODEL, input="Hello", background=True)
    wrong = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-wrong", max_retries=0)
    with wrong, pytest.raises(openai.AuthenticationError):
        wrong.responses.create(model=MODEL, input="Hello")


# What is stored


def test_a_conversation_goes_on_from_what_is_stored(sdk: openai.OpenAI) -> None:
    """The simulator echoes the whole prompt, so the answer shows what the model was told."""
    first = sdk.responses.create(model=MODEL, input="My name is Ada", instructions="Only once")
    second = sdk.responses.create(model=MODEL, input="Who am I?", previous_response_id=first.id)
    assert "My name is Ada" in second.output_text
    assert first.output_text in second.output_text
    assert "Only once" not in second.output_text.replace(first.output_text, "")
    # With the same instructions as before it, it goes on in the session that holds it, so that one is asked.
    third = sdk.responses.create(model=MODEL, input="@sim recall", previous_response_id=second.id)
    assert "My name is Ada" in third.output_text
    assert third.previous_response_id == second.id


def test_a_streamed_response_can_be_read_as_soon_as_it_completed(client: httpx.Client) -> None:
    for number in range(5):
        with client.stream("POST", "/v1/responses", json={"input": f"Hello {number}", "stream": True}) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: ") and '"response.completed"' in line:
                    completed = json.loads(line.removeprefix("data: "))["response"]
                    # On a connection of its own, while the stream is still open.
                    url = f"{client.base_url}/v1/responses/{completed['id']}"
                    assert httpx.get(url, headers=client.headers).json() == completed


def test_a_tool_loop_goes_on_from_what_is_stored(sdk: openai.OpenAI) -> None:
    tools: list[Any] = [{"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}]
    first = sdk.responses.create(model=MODEL, input="Hello", tools=tools)
    output: Any = [{"type": "function_call_output", "call_id": "call_1", "output": "rain"}]
    second = sdk.responses.create(model=MODEL, input=output, previous_response_id=first.id, tools=tools)
    assert "rain" in second.output_text


def test_references_stand_for_stored_items_of_the_same_key(sdk: openai.OpenAI, other: openai.OpenAI) -> None:
    first = sdk.responses.create(model=MODEL, input="My name is Ada")
    items: Any = [{"type": "item_reference", "id": first.output[0].id}, {"role": "user", "content": "Who am I?"}]
    assert "My name is Ada" in sdk.responses.create(model=MODEL, input=items).output_text
    raw = other.responses.with_raw_response.create(model=MODEL, input=items)
    assert raw.headers["x-lingma-degraded"] == "item_reference"
    assert "Ada" not in raw.parse().output_text


def test_the_sdk_retrieves_lists_and_deletes(sdk: openai.OpenAI) -> None:
    items: Any = [{"role": "user", "content": str(number)} for number in range(5)]
    created = sdk.responses.create(model=MODEL, input=items)
    assert sdk.responses.retrieve(created.id).to_dict() == created.to_dict()
    listed = list(sdk.responses.input_items.list(created.id, limit=2, order="asc"))
    assert [item.to_dict()["content"] for item in listed] == [
        [{"type": "input_text", "text": str(number)}] for number in range(5)
    ]
    sdk.responses.delete(created.id)
    with pytest.raises(openai.NotFoundError, match=r"Response with id 'resp_.*' not found\."):
        sdk.responses.retrieve(created.id)
    with pytest.raises(openai.NotFoundError):
        sdk.responses.delete(created.id)


def test_another_keys_response_is_not_there(sdk: openai.OpenAI, other: openai.OpenAI) -> None:
    mine = sdk.responses.create(model=MODEL, input="Hello").id
    with pytest.raises(openai.NotFoundError):
        other.responses.retrieve(mine)
    with pytest.raises(openai.NotFoundError):
        other.responses.delete(mine)
    with pytest.raises(openai.BadRequestError) as caught:
        other.responses.create(model=MODEL, input="Hello", previous_response_id=mine)
    assert caught.value.code == "previous_response_not_found"
    assert sdk.responses.retrieve(mine).id == mine


def test_what_is_not_to_be_stored_is_not(sdk: openai.OpenAI) -> None:
    created = sdk.responses.create(model=MODEL, input="Hello", store=False)
    assert created.to_dict()["store"] is False
    with pytest.raises(openai.NotFoundError):
        sdk.responses.retrieve(created.id)


def test_what_is_not_there_is_told_in_openais_words(client: httpx.Client) -> None:
    answer = client.post("/v1/responses", json={"input": "Hello", "previous_response_id": "resp_x"})
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "message": "Previous response with id 'resp_x' not found.",
        "type": "invalid_request_error",
        "param": "previous_response_id",
        "code": "previous_response_not_found",
    }
    assert answer.headers["x-should-retry"] == "false"


def test_a_stored_response_is_neither_streamed_again_nor_cancelled(sdk: openai.OpenAI, client: httpx.Client) -> None:
    created = sdk.responses.create(model=MODEL, input="Hello")
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.responses.retrieve(created.id, stream=True)
    assert caught.value.param == "stream"
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        sdk.responses.cancel(created.id)
    with pytest.raises(openai.NotFoundError):
        sdk.responses.cancel("resp_x")


def test_stored_responses_need_a_key(gateway: Gateway) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/input_items"), ("POST", "/cancel")):
        answer = httpx.request(method, f"{gateway.url}/v1/responses/resp_x{path}")
        assert answer.status_code == 401, path


# WebSockets


def test_a_websocket_handshake_is_refused_at_once(gateway: Gateway) -> None:
    """As Codex opens it, byte for byte but for the key; 404 or 405 would cost it seven attempts."""
    host, port = gateway.url.removeprefix("http://").split(":")
    for path in ("/v1/responses", "/responses"):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
                "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "openai-beta: responses_websockets=2026-02-06\r\n\r\n".encode()
            )
            assert connection.recv(4096).startswith(b"HTTP/1.1 426 ")
    assert "Unsupported upgrade" not in "".join(gateway.program.lines)


def test_without_a_handshake_the_method_is_not_allowed(client: httpx.Client) -> None:
    answer = client.get("/v1/responses")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["error"]["code"] == "method_not_allowed"
