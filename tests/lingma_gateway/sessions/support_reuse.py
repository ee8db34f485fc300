"""Conversations with a gateway whose one account is simulated: `@sim recall` tells what a session has been asked."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.matrix.bench import Bench

Message = dict[str, Any]
RECALL = "@sim recall"


@dataclass
class Answered:
    """An answer, and what the access log would say of its session."""

    text: str
    message: Message


@dataclass
class Chat:
    """One conversation by chat completions; each question is sent with the whole history."""

    gateway: Bench
    messages: list[Message] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)

    async def ask(self, content: Any, **more: Any) -> Answered:
        """One turn that succeeds."""
        self.messages.append({"role": "user", "content": content})
        return await self.go_on(**more)

    async def go_on(self, **more: Any) -> Answered:
        """The answer to the messages as they are."""
        body = {"model": "org_auto", "messages": self.messages, **self.fields, **more}
        async with self.gateway.client() as client:
            response = await client.post("/v1/chat/completions", json=body)
        assert response.status_code == 200, response.text
        message = response.json()["choices"][0]["message"] if not body.get("stream") else _streamed(response.text)
        self.messages.append(message)
        return Answered(message["content"], message)

    def branch(self, turns: int) -> "Chat":
        """Another conversation, with the first so many questions and answers of this one."""
        return Chat(self.gateway, list(self.messages[: 2 * turns]), dict(self.fields))


def _streamed(text: str) -> Message:
    data = [line[6:] for line in text.splitlines() if line.startswith("data: {")]
    deltas = [choice["delta"] for chunk in map(json.loads, data) for choice in chunk["choices"]]
    return {"role": "assistant", "content": "".join(delta.get("content") or "" for delta in deltas)}


async def outcomes(gateway: Bench) -> dict[str, int]:
    """Hits and misses by reason since the start."""
    sessions = gateway.services.sessions
    assert sessions is not None
    return {"hit": sessions.stats.hits, **{why.value: count for why, count in sessions.stats.misses.items()}}


async def upstream(gateway: Bench) -> set[str]:
    """The sessions that Lingma has."""
    return set((await gateway.control("GET", "/state"))["sessions"])
