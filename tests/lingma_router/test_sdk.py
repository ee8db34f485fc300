"""The official OpenAI and Anthropic clients against the router and a scripted gateway."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from aiohttp import web

from tests.lingma_router.support import KEY, World, world


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


async def gateway(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    question = body["messages"][-1]["content"]
    if not body.get("stream"):
        message = {"role": "assistant", "content": f"echo: {question}"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        return web.json_response(answer)
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for piece in (chunk({"content": "echo: "}), chunk({"content": question}), chunk({}, "stop")):
        await response.write(f"data: {json.dumps(piece)}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    return response


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, "alice", "bob") as one:
        for each in one.gateways.values():
            each.respond = gateway
        yield one


async def test_chats_streamed_and_not_stay_on_one_account(made: World) -> None:
    async with openai.AsyncOpenAI(base_url=made.url + "/v1", api_key=KEY) as client:
        messages: list[Any] = [{"role": "user", "content": "hi"}]
        whole = await client.chat.completions.with_raw_response.create(model="m", messages=messages)
        assert whole.parse().choices[0].message.content == "echo: hi"
        messages += [{"role": "assistant", "content": "echo: hi"}, {"role": "user", "content": "again"}]
        stream = await client.chat.completions.create(model="m", messages=messages, stream=True)
        pieces = [piece.choices[0].delta.content or "" async for piece in stream]
        assert "".join(pieces) == "echo: again"
        assert stream.response.headers["x-lingma-account"] == whole.headers["x-lingma-account"]


async def test_both_clients_understand_a_refusal(made: World) -> None:
    async with openai.AsyncOpenAI(base_url=made.url + "/v1", api_key="sk-wrong") as client:
        with pytest.raises(openai.AuthenticationError, match="the API key is not valid"):
            await client.models.list()
    async with anthropic.AsyncAnthropic(base_url=made.url, api_key="sk-wrong") as other:
        with pytest.raises(anthropic.AuthenticationError, match="the API key is not valid"):
            await other.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
