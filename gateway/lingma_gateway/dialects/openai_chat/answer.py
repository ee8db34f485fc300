"""Events as chunks, or as one body.

Fields without a value are left out rather than sent as null, but for those that OpenAI's published schema requires:
`finish_reason` of a chunk, `content` and `refusal` of a message, `logprobs` of a choice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

import orjson

from lingma_gateway.codec import sse
from lingma_gateway.errors import GatewayError
from lingma_gateway.events import (
    Call,
    Finished,
    FinishReason,
    PartDelta,
    PartEnded,
    PartKind,
    PartStarted,
    Started,
    StreamEvent,
    Usage,
)

_FINISH_REASONS = {reason: reason.value for reason in FinishReason} | {FinishReason.STOP_SEQUENCE: "stop"}
_TEXT_FIELDS = {PartKind.TEXT: "content", PartKind.REASONING: "reasoning_content"}
"""`reasoning_content` is not OpenAI's own, but what DeepSeek and Qwen serve and clients read."""
_HOLE = "\x00"
"""Stands for the text that differs from chunk to chunk; JSON writes it in a way that nothing else of ours has."""
_RENDERED_HOLE = orjson.dumps(_HOLE)


def _nothing() -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all chunks of an answer share. `created`: seconds since 1970."""

    id: str
    created: int
    as_function_call: bool = False
    """Calls are told in the form before `tools`: `function_call`, without ids."""
    extra: Callable[[], Mapping[str, Any]] = field(default=_nothing)
    """Fields of our own that a body ends with; asked for when the answer is complete."""

    def finish_reason(self, reason: FinishReason) -> str:
        """OpenAI's word for why the answer ended."""
        if self.as_function_call and reason is FinishReason.TOOL_CALLS:
            return "function_call"
        return _FINISH_REASONS[reason]


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


class StreamEncoder:
    """StreamEvents as server-sent events.

    Only the text differs from one chunk of a part to the next, so all that stands around it is rendered once: for text
    and reasoning once a stream, for arguments once a call.
    """

    __slots__ = ("_around", "_calls", "_envelope", "_include_usage", "_model")

    media_type = sse.MEDIA_TYPE

    def __init__(self, envelope: Envelope, include_usage: bool) -> None:
        self._envelope = envelope
        self._include_usage = include_usage
        self._model = ""
        self._around: dict[PartKind, tuple[bytes, bytes]] = {}
        self._calls = 0

    def encode(self, event: StreamEvent) -> bytes:
        """The bytes for one event, or none."""
        match event:
            case PartDelta():
                around = self._around.get(event.kind)
                return b"" if around is None else around[0] + orjson.dumps(event.text) + around[1]
            case PartStarted(_, _, Call() as call):
                return self._call_begins(call)
            case PartStarted() | PartEnded():
                return b""
            case Started(model):
                self._model = model
                self._around = {kind: self._split({name: _HOLE}) for kind, name in _TEXT_FIELDS.items()}
                return self._chunk({"role": "assistant", "content": ""}, None)
            case Finished(reason, usage):
                tail = self._usage_chunk(usage) if self._include_usage else b""
                return self._chunk({}, self._envelope.finish_reason(reason)) + tail + sse.DONE
            case _:
                assert_never(event)

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """Nothing: an answer that breaks off ends with its connection, from which more clients recover than from a
        chunk with an error (clients page, section 5)."""
        return b""

    def _call_begins(self, call: Call) -> bytes:
        """The chunk with id and name; those with the arguments follow."""
        index, self._calls = self._calls, self._calls + 1
        if self._envelope.as_function_call:
            self._around[PartKind.TOOL_CALL] = self._split({"function_call": {"arguments": _HOLE}})
            return self._chunk({"function_call": {"name": call.name, "arguments": ""}}, None)
        kind, text_field = ("custom", "input") if call.custom else ("function", "arguments")
        self._around[PartKind.TOOL_CALL] = self._split({"tool_calls": [{"index": index, kind: {text_field: _HOLE}}]})
        head = {"index": index, "id": call.id, "type": kind, kind: {"name": call.name, text_field: ""}}
        return self._chunk({"tool_calls": [head]}, None)

    def _split(self, delta: Mapping[str, Any]) -> tuple[bytes, bytes]:
        """What stands before and after the hole in the chunk of `delta`."""
        before, _, after = self._chunk(delta, None).rpartition(_RENDERED_HOLE)
        return before, after

    def _head(self) -> dict[str, Any]:
        return {
            "id": self._envelope.id,
            "object": "chat.completion.chunk",
            "created": self._envelope.created,
            "model": self._model,
        }

    def _chunk(self, delta: Mapping[str, Any], finish_reason: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return sse.data(orjson.dumps({**self._head(), "choices": [choice]}))

    def _usage_chunk(self, usage: Usage) -> bytes:
        return sse.data(orjson.dumps({**self._head(), "choices": [], "usage": _usage(usage)}))


class BodyEncoder:
    """The same events as one JSON body, which is complete with the last of them."""

    media_type = "application/json"

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._model = ""
        self._text: dict[PartKind, list[str]] = {kind: [] for kind in _TEXT_FIELDS}
        self._calls: list[tuple[Call, list[str]]] = []

    def encode(self, event: StreamEvent) -> bytes:
        """Nothing until the answer has finished, then all of it."""
        match event:
            case PartDelta(_, PartKind.TOOL_CALL, text):
                self._calls[-1][1].append(text)
            case PartDelta(_, PartKind.TOOL_RESULT) | PartEnded():
                pass
            case PartDelta(_, kind, text):
                self._text[kind].append(text)
            case PartStarted(_, _, Call() as call):
                self._calls.append((call, []))
            case PartStarted():
                pass
            case Started(model):
                self._model = model
            case Finished(reason, usage):
                return self._body(self._envelope.finish_reason(reason), usage)
            case _:
                assert_never(event)
        return b""

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """Nothing: a body is sent when it is complete."""
        return b""

    def _body(self, finish_reason: str, usage: Usage) -> bytes:
        choice = {"index": 0, "message": self._message(), "logprobs": None, "finish_reason": finish_reason}
        body = {
            "id": self._envelope.id,
            "object": "chat.completion",
            "created": self._envelope.created,
            "model": self._model,
            "choices": [choice],
            "usage": _usage(usage),
            **self._envelope.extra(),
        }
        return orjson.dumps(body)

    def _message(self) -> dict[str, Any]:
        text = "".join(self._text[PartKind.TEXT])
        message: dict[str, Any] = {
            "role": "assistant",
            "content": text if text or not self._calls else None,
            "refusal": None,
        }
        if self._text[PartKind.REASONING]:
            message["reasoning_content"] = "".join(self._text[PartKind.REASONING])
        if self._calls and self._envelope.as_function_call:
            call, pieces = self._calls[0]
            message["function_call"] = {"name": call.name, "arguments": "".join(pieces)}
        elif self._calls:
            message["tool_calls"] = [_call(call, "".join(pieces)) for call, pieces in self._calls]
        return message


def _call(call: Call, text: str) -> dict[str, Any]:
    if call.custom:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": text}}
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": text}}
