"""How a client of each dialect asks, and what it sees. What cells.py expects is said as chat completions say it."""

import json
from collections.abc import AsyncIterator
from typing import Any, Protocol

import httpx

from lingma_contract import errors
from lingma_contract.errors import Dialect, Fault
from tests.matrix.cells import ROWS, TURN, Answer, Broken, Outcome, Refused, Row

RETRY = {"no_ready_account": (1, 60), "quota_exceeded": (60, 60), "rate_limited": (1, 60)}
"""Least and most seconds of Retry-After, by code; other errors have none."""
_FAULTS = {fault.code: fault for fault in vars(errors).values() if isinstance(fault, Fault)}


class Driver(Protocol):
    """A dialect."""

    name: str
    path: str

    def body(self, prompt: str, stream: bool) -> dict[str, Any]:
        """A request with one message."""
        ...

    def expected(self, outcome: Outcome) -> Outcome:
        """An expectation as this dialect says it."""
        ...

    def refused(self, response: httpx.Response, body: Any) -> Refused:
        """An error."""
        ...

    def answered(self, body: Any) -> Answer:
        """A body."""
        ...

    async def streamed(self, response: httpx.Response) -> Answer | Broken:
        """A stream: whole, or broken off in the dialect's way."""
        ...


class Chat:
    """OpenAI's chat completions. A stream that breaks off ends with its connection."""

    name = "chat"
    path = "/v1/chat/completions"

    def body(self, prompt: str, stream: bool) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": prompt}], "stream": stream}

    def expected(self, outcome: Outcome) -> Outcome:
        return outcome

    def refused(self, response: httpx.Response, body: Any) -> Refused:
        error = body["error"]
        assert set(error) == {"message", "type", "param", "code"}
        least, most = RETRY.get(error["code"], (0, 0))
        assert least <= int(response.headers.get("retry-after", 0)) <= most
        assert (response.headers.get("x-should-retry") == "false") is not _FAULTS[error["code"]].retryable
        return Refused(response.status_code, error["code"])

    def answered(self, body: Any) -> Answer:
        message = body["choices"][0]["message"]
        return Answer(message["content"], message.get("reasoning_content", ""))

    async def streamed(self, response: httpx.Response) -> Answer | Broken:
        text, reasoning, lines = "", "", []
        try:
            async for line in response.aiter_lines():
                lines.append(line)
                if line.startswith("data: {"):
                    for choice in json.loads(line.removeprefix("data: "))["choices"]:
                        text += choice["delta"].get("content", "")
                        reasoning += choice["delta"].get("reasoning_content", "")
        except httpx.RemoteProtocolError:
            assert "data: [DONE]" not in lines
            return Broken(text)
        assert lines[-2:] == ["data: [DONE]", ""]
        return Answer(text, reasoning)


class Messages:
    """Anthropic's messages. A stream that breaks off ends with an event that says the error."""

    name = "messages"
    path = "/v1/messages"

    def body(self, prompt: str, stream: bool) -> dict[str, Any]:
        messages = [{"role": "user", "content": prompt}]
        thinking = {"type": "enabled", "budget_tokens": 1024}
        return {"max_tokens": 2048, "messages": messages, "stream": stream, "thinking": thinking}

    def expected(self, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Refused):
            return outcome
        fault = _FAULTS[outcome.code]
        return Refused(fault.status_in(Dialect.ANTHROPIC), _kind(fault.anthropic_type, hopeless=not fault.retryable))

    def refused(self, response: httpx.Response, body: Any) -> Refused:
        kind = body["error"]["type"]
        assert body["type"] == "error"
        assert response.headers["request-id"] == response.headers["x-request-id"]
        waits = kind in ("overloaded_error", "rate_limit_error")
        assert waits is (1 <= int(response.headers.get("retry-after", 0)) <= 60)
        return Refused(response.status_code, _kind(kind, hopeless=response.headers.get("x-should-retry") == "false"))

    def answered(self, body: Any) -> Answer:
        blocks = body["content"]
        text = "".join(block["text"] for block in blocks if block["type"] == "text")
        return Answer(text, "".join(block["thinking"] for block in blocks if block["type"] == "thinking"))

    async def streamed(self, response: httpx.Response) -> Answer | Broken:
        text, reasoning, kinds, opened = "", "", [], 0
        async for event in _events(response):
            kinds.append(event["type"])
            opened += {"content_block_start": 1, "content_block_stop": -1}.get(event["type"], 0)
            text += event.get("delta", {}).get("text", "")
            reasoning += event.get("delta", {}).get("thinking", "")
        assert kinds[0] == "message_start"
        assert opened == 0
        if kinds[-1] == "error":
            assert "message_delta" not in kinds
            return Broken(text)
        assert kinds[-2:] == ["message_delta", "message_stop"]
        return Answer(text, reasoning)


class Responses:
    """OpenAI's Responses API. A stream that breaks off ends with an event that says the error."""

    name = "responses"
    path = "/v1/responses"

    def body(self, prompt: str, stream: bool) -> dict[str, Any]:
        return {"input": prompt, "stream": stream, "reasoning": {"summary": "auto"}}

    def expected(self, outcome: Outcome) -> Outcome:
        return outcome

    def refused(self, response: httpx.Response, body: Any) -> Refused:
        return CHAT.refused(response, body)

    def answered(self, body: Any) -> Answer:
        parts = [(item["type"], part["text"]) for item in body["output"] for part in _parts(item)]
        assert body["store"] is True
        return Answer(
            "".join(text for kind, text in parts if kind == "message"),
            "".join(text for kind, text in parts if kind == "reasoning"),
        )

    async def streamed(self, response: httpx.Response) -> Answer | Broken:
        text, events = "", []
        async for event in _events(response):
            events.append(event)
            text += event["delta"] if event["type"] == "response.output_text.delta" else ""
        added, done = ([each for each in events if each["type"] == name] for name in _ITEM_EVENTS)
        assert len(added) == len(done)
        assert events[0]["type"] == "response.created"
        last = events[-1]["response"]
        if events[-1]["type"] == "response.failed":
            assert (last["status"], last["error"]["code"] != "") == ("failed", True)
            return Broken(text)
        assert events[-1]["type"] == "response.completed"
        assert self.answered(last).text == text
        return self.answered(last)


_ITEM_EVENTS = ("response.output_item.added", "response.output_item.done")


def _parts(item: dict[str, Any]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = item["content"] if item["type"] == "message" else item["summary"]
    return parts


def _kind(kind: str, *, hopeless: bool) -> str:
    """The type of an error, and whether it is worth repeating: types alone are fewer than our codes."""
    return f"{kind}, not to be repeated" if hopeless else kind


async def _events(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


CHAT = Chat()
OTHERS: list[Driver] = [Messages(), Responses()]


def rows_of_each() -> list[tuple[Driver, Row]]:
    """Every row with chat completions; with each other dialect one row of each pair of outcomes, since what happens
    before the encoder is the same. A quick one where there is one."""
    distinct = {(row.expected(False), row.expected(True)): row for row in reversed([*TURN, *ROWS])}
    return [*((CHAT, row) for row in ROWS), *((driver, row) for driver in OTHERS for row in distinct.values())]
