"""Clients of each API, and a Lingma whose pushes a test says one by one."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.matrix.bench import PATIENCE_S, Bench

AGENT = "lingma-agent"
Json = dict[str, Any]


@dataclass
class Seen:
    """What a client has seen of an answer, whichever API and form it came in."""

    text: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    """Id, name and arguments."""
    results: list[tuple[str, str, bool]] = field(default_factory=list)
    """Id of the call, text, and whether it is an error; chat has none."""
    order: list[str] = field(default_factory=list)
    """Types of blocks or items."""
    finish: str = ""
    raw: str = ""
    ids: str = ""
    """Its request id."""


async def chat(gateway: Bench, prompt: str, *, stream: bool = False, model: str = AGENT, **more: Any) -> Seen:
    """Chat completions."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "stream": stream, **more}
    async with gateway.client() as client:
        response = await client.post("/v1/chat/completions", json=body)
    assert response.status_code == 200, response.text
    seen = Seen(raw=response.text, ids=response.headers["x-request-id"])
    if not stream:
        (choice,) = response.json()["choices"]
        seen.text, seen.finish = choice["message"]["content"] or "", choice["finish_reason"]
        for call in choice["message"].get("tool_calls") or ():
            seen.calls.append((call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])))
        return seen
    assert "data: [DONE]" in response.text
    calls: dict[int, list[str]] = {}
    for chunk in _events(response.text):
        for choice in chunk["choices"]:
            seen.text += choice["delta"].get("content") or ""
            seen.finish = choice["finish_reason"] or seen.finish
            for call in choice["delta"].get("tool_calls", ()):
                if "id" in call:
                    assert call["index"] == len(calls), "an index is told once"
                    calls[call["index"]] = [call["id"], call["function"]["name"], ""]
                calls[call["index"]][2] += call["function"].get("arguments", "")
    seen.calls = [(id, name, json.loads(arguments)) for id, name, arguments in calls.values()]
    return seen


async def messages(gateway: Bench, prompt: str, *, stream: bool = False, model: str = AGENT, **more: Any) -> Seen:
    """Anthropic's messages."""
    body = {"model": model, "max_tokens": 4096, "messages": [{"role": "user", "content": prompt}], **more}
    async with gateway.client() as client:
        response = await client.post("/v1/messages", json=body | {"stream": stream})
    assert response.status_code == 200, response.text
    seen = Seen(raw=response.text, ids=response.headers["x-request-id"])
    if stream:
        blocks, seen.finish = _streamed_blocks(_events(response.text))
    else:
        blocks, seen.finish = response.json()["content"], response.json()["stop_reason"]
    for block in blocks:
        seen.order.append(block["type"])
        match block["type"]:
            case "text":
                seen.text += block["text"]
            case "tool_use":
                seen.calls.append((block["id"], block["name"], block["input"]))
            case "tool_result":
                seen.results.append((block["tool_use_id"], block["content"], block.get("is_error", False)))
    return seen


def _streamed_blocks(events: list[Json]) -> tuple[list[Json], str]:
    blocks: list[Json] = []
    stop = ""
    for event in events:
        match event["type"]:
            case "content_block_start":
                assert event["index"] == len(blocks), "each block has an index of its own"
                blocks.append(event["content_block"] | {"json": ""})
            case "content_block_delta":
                block, delta = blocks[event["index"]], event["delta"]
                if delta["type"] == "text_delta":
                    block["text"] += delta["text"]
                else:
                    block["json"] += delta["partial_json"]
            case "content_block_stop":
                block = blocks[event["index"]]
                if block["type"] == "tool_use":
                    block["input"] = json.loads(block["json"] or "{}")
            case "message_delta":
                stop = event["delta"]["stop_reason"]
    return blocks, stop


async def responses(gateway: Bench, prompt: str, *, stream: bool = False, model: str = AGENT, **more: Any) -> Seen:
    """OpenAI's responses."""
    async with gateway.client() as client:
        response = await client.post(
            "/v1/responses", json={"model": model, "input": prompt, "stream": stream, "store": False, **more}
        )
    assert response.status_code == 200, response.text
    seen = Seen(raw=response.text, ids=response.headers["x-request-id"])
    body = _events(response.text)[-1]["response"] if stream else response.json()
    seen.finish = body["status"]
    for item in body["output"]:
        seen.order.append(item["type"])
        match item["type"]:
            case "message":
                seen.text += "".join(part["text"] for part in item["content"])
            case "function_call":
                seen.calls.append((item["call_id"], item["name"], json.loads(item["arguments"])))
            case "mcp_call":
                seen.calls.append((item["id"], item["name"], json.loads(item["arguments"])))
                if item.get("error"):
                    seen.results.append((item["id"], item["error"]["content"][0]["text"], True))
                elif "output" in item:
                    seen.results.append((item["id"], item["output"], False))
    return seen


APIS = {"chat": chat, "messages": messages, "responses": responses}


def _events(text: str) -> list[Json]:
    lines = (line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {"))
    return [json.loads(line) for line in lines]


@dataclass
class Driven:
    """A turn under way, whose pushes a test makes up."""

    gateway: Bench
    asked: Json
    """Params of its `chat/ask`."""
    answering: "asyncio.Task[Seen]"

    async def push(self, method: str, *, ids: bool = True, **params: Any) -> None:
        """One push, which names the request unless told otherwise. They arrive in the order of the calls."""
        named = {"requestId": self.asked["requestId"], "sessionId": "s-1"} if ids else {}
        await self.gateway.control("POST", "/actions/push", {"method": method, "params": named | params})

    async def say(self, text: str) -> None:
        await self.push("chat/answer", text=text)

    async def finish(self) -> Seen:
        """The end of the turn, and what its client saw."""
        await self.push("chat/finish", statusCode=200, reason="success")
        return await asyncio.wait_for(self.answering, PATIENCE_S)


@asynccontextmanager
async def driven(gateway: Bench, api: str, *, stream: bool, **more: Any) -> AsyncIterator[Driven]:
    """A turn of the agent that says only what the test says."""
    await gateway.forget_frames()
    answering = asyncio.ensure_future(APIS[api](gateway, "@sim hang", stream=stream, **more))
    asked = (await gateway.received("chat/ask"))[-1]["message"]["params"]
    try:
        yield Driven(gateway, asked, answering)
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


async def frames(gateway: Bench) -> list[Json]:
    """All frames since they were forgotten."""
    found: list[Json] = (await gateway.control("GET", "/frames"))["frames"]
    return found
