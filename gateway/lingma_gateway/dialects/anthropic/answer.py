"""The events of a turn as a message: streamed, or as one body."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, assert_never

import orjson

from lingma_contract import errors as contract
from lingma_contract.errors import Dialect
from lingma_gateway.codec import sse
from lingma_gateway.errors import GatewayError, UpstreamProtocol
from lingma_gateway.events import (
    Call,
    Finished,
    FinishReason,
    PartDelta,
    PartEnded,
    PartKind,
    PartStarted,
    Result,
    Started,
    StreamEvent,
    Usage,
)

SIGNATURE = "bGluZ21hLWdhdGV3YXk6IG5vdCBzaWduZWQ="
"""Of thinking: base64 of `lingma-gateway: not signed`. Clients want one and send it back; nobody checks ours, and
Anthropic's own service, should it ever be sent this, must not take it for its own."""

_STOP_REASONS = {
    FinishReason.STOP: "end_turn",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.STOP_SEQUENCE: "stop_sequence",
}
_FIRST_OUTPUT_TOKENS = 1
"""Of `message_start`, as Anthropic counts what has been made until then."""
_DELTAS = {
    PartKind.TEXT: b'"text_delta","text"',
    PartKind.REASONING: b'"thinking_delta","thinking"',
    PartKind.TOOL_CALL: b'"input_json_delta","partial_json"',
}


class Thinking(Enum):
    """How much of the model's reasoning the answer shows."""

    SHOWN = "shown"
    OMITTED = "omitted"
    """The blocks are there, without their text."""
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an answer says about itself."""

    id: str
    model: str | None
    """As the client asked for it, which is what clients look up prices and windows by; None: the one that answers."""


def _message(envelope: Envelope, model: str, content: list[dict[str, Any]], usage: dict[str, Any]) -> dict[str, Any]:
    """A message that has not ended; Anthropic sends the two nulls."""
    return {
        "id": envelope.id,
        "type": "message",
        "role": "assistant",
        "model": envelope.model or model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _stop(finished: Finished) -> dict[str, Any]:
    return {"stop_reason": _STOP_REASONS[finished.reason], "stop_sequence": finished.stop_sequence}


def _usage(usage: Usage) -> dict[str, Any]:
    counted: dict[str, Any] = {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens:
        counted["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return counted


def _block(kind: PartKind, head: Call | Result | None, text: str, signature: str = "") -> dict[str, Any]:
    """A content block; one without text yet is how it begins in a stream."""
    match head:
        case Call(id, name):
            return {"type": "tool_use", "id": id, "name": name, "input": _input(text)}
        case Result(call_id, is_error):
            failed = {"is_error": True} if is_error else {}
            return {"type": "tool_result", "tool_use_id": call_id, "content": text, **failed}
        case None if kind is PartKind.REASONING:
            return {"type": "thinking", "thinking": text, "signature": signature}
        case None:
            return {"type": "text", "text": text}
        case _:
            assert_never(head)


def _input(arguments: str) -> dict[str, Any]:
    try:
        value = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError as error:
        raise UpstreamProtocol(f"the arguments of a call are no JSON: {error}") from error
    if not isinstance(value, dict):
        raise UpstreamProtocol("the arguments of a call are no JSON object")
    return value


class StreamEncoder:
    """StreamEvents as server-sent events. Deltas, which are nearly all, cost one small `dumps`."""

    media_type = sse.MEDIA_TYPE

    def __init__(self, envelope: Envelope, thinking: Thinking) -> None:
        self._envelope = envelope
        self._thinking = thinking
        self._index = -1
        self._head: Call | Result | None = None
        self._delta = b""
        """What goes before the text of a delta of the open block; empty where its text is not streamed."""
        self._closing = b""
        """What ends the open block; empty when none is open to the client."""
        self._result: list[str] = []

    def encode(self, event: StreamEvent) -> bytes:
        """The bytes for one event, or none."""
        match event:
            case PartDelta(_, kind, text):
                if self._delta:
                    return self._delta + orjson.dumps(text) + b"}}\n\n"
                if kind is PartKind.TOOL_RESULT:
                    self._result.append(text)
                return b""
            case PartStarted(_, kind, head):
                return self._begin(kind, head)
            case PartEnded(_, kind):
                return self._end(kind)
            case Started(model, input_tokens):
                usage = _usage(Usage(input_tokens, _FIRST_OUTPUT_TOKENS, estimated=True))
                return _event("message_start", message=_message(self._envelope, model, [], usage))
            case Finished(usage=usage):
                return _event("message_delta", delta=_stop(event), usage=_usage(usage)) + _event("message_stop")
            case _:
                assert_never(event)

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """Ends the open block, then says the error. A call that is cut off is not ended: clients act on one that is."""
        closing = b"" if isinstance(self._head, Call) else self._closing
        said = contract.envelope(error.fault, Dialect.ANTHROPIC, error.message, request_id)
        return closing + sse.named("error", orjson.dumps(said))

    def _begin(self, kind: PartKind, head: Call | Result | None) -> bytes:
        self._head, self._result = head, []
        self._delta = self._closing = b""
        if kind is PartKind.REASONING and self._thinking is Thinking.HIDDEN:
            return b""
        self._index += 1
        if kind is PartKind.TOOL_RESULT:  # has no deltas: it is told at once when it is known
            return b""
        if not (kind is PartKind.REASONING and self._thinking is Thinking.OMITTED):
            self._delta = _delta_prefix(self._index, _DELTAS[kind])
        self._closing = _event("content_block_stop", index=self._index)
        return self._start(_block(kind, head, ""))

    def _end(self, kind: PartKind) -> bytes:
        closing, self._closing, self._delta = self._closing, b"", b""
        head, self._head = self._head, None
        if kind is PartKind.TOOL_RESULT:
            block = _block(kind, head, "".join(self._result))
            return self._start(block) + _event("content_block_stop", index=self._index)
        if kind is PartKind.REASONING and closing:
            signature = {"type": "signature_delta", "signature": SIGNATURE}
            return _event("content_block_delta", index=self._index, delta=signature) + closing
        return closing

    def _start(self, block: dict[str, Any]) -> bytes:
        return _event("content_block_start", index=self._index, content_block=block)


def _event(name: str, **fields: Any) -> bytes:
    return sse.named(name, orjson.dumps({"type": name, **fields}))


def _delta_prefix(index: int, kind: bytes) -> bytes:
    """Of a `content_block_delta`, up to its text."""
    head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":%b:'
    return head % (index, kind)


class BodyEncoder:
    """The same events as one JSON body, which is complete with the last of them."""

    media_type = "application/json"

    def __init__(self, envelope: Envelope, thinking: Thinking) -> None:
        self._envelope = envelope
        self._thinking = thinking
        self._model = ""
        self._content: list[dict[str, Any]] = []
        self._head: Call | Result | None = None
        self._text: list[str] = []

    def encode(self, event: StreamEvent) -> bytes:
        """Nothing until the answer has finished, then all of it."""
        match event:
            case Started(model):
                self._model = model
            case PartStarted(_, _, head):
                self._head, self._text = head, []
            case PartDelta(_, _, text):
                self._text.append(text)
            case PartEnded(_, kind):
                self._end(kind)
            case Finished(usage=usage):
                message = _message(self._envelope, self._model, self._content, _usage(usage))
                return orjson.dumps(message | _stop(event))
            case _:
                assert_never(event)
        return b""

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """Nothing: a body is sent when it is complete."""
        return b""

    def _end(self, kind: PartKind) -> None:
        if kind is not PartKind.REASONING:
            self._content.append(_block(kind, self._head, "".join(self._text)))
        elif self._thinking is not Thinking.HIDDEN:
            shown = "".join(self._text) if self._thinking is Thinking.SHOWN else ""
            self._content.append(_block(kind, None, shown, SIGNATURE))
