"""OpenAI chat completions: `POST /v1/chat/completions`.

Shapes are those of OpenAI's published API; fields without a value are left out rather than sent as null, but for
`finish_reason` of a chunk and `content` of a message, which the API itself sends as null.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

import orjson

from lingma_gateway.codec import sse
from lingma_gateway.conversation import Message, Part, Role, Text, ToolCall, ToolResult, Turn
from lingma_gateway.errors import GatewayError, InvalidRequest
from lingma_gateway.events import (
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

_ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}
_READ = frozenset({"model", "messages", "stream", "stream_options", "n", "user", "modalities"})
_NO_EFFECT_WANTED = frozenset({"store", "metadata", "prompt_cache_key", "safety_identifier", "service_tier"})
"""Fields that do not bear on the answer; they are not reported as ignored."""


_FINISH_REASONS = {reason: reason.value for reason in FinishReason} | {FinishReason.STOP_SEQUENCE: "stop"}
_DELTA_FIELDS = {PartKind.TEXT: b"content", PartKind.REASONING: b"reasoning_content"}
"""`reasoning_content` is not OpenAI's own, but what DeepSeek and Qwen serve and clients read."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    turn: Turn
    include_usage: bool
    """`stream_options.include_usage`: a last chunk with usage and without choices."""


def parse(body: bytes) -> ChatRequest:
    """The request in a body.

    Raises:
        InvalidRequest: it is malformed, or asks for what would silently change the answer; `param` names the field.
    """
    fields = _object(body)
    _refuse_unsupported(fields)
    stream = _boolean(fields, "stream")
    messages, degraded = _messages(fields.get("messages"))
    model = fields.get("model")
    if model is not None and not isinstance(model, str):
        raise InvalidRequest("model must be a string", param="model")
    ignored = sorted(field for field in fields.keys() - _READ - _NO_EFFECT_WANTED if fields[field] not in (None, []))
    turn = Turn(model or None, messages, stream, ignored=tuple(ignored), degraded=degraded)
    return ChatRequest(turn, stream and _include_usage(fields.get("stream_options")))


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidRequest("the body must be a JSON object")
    return fields


def _refuse_unsupported(fields: Mapping[str, Any]) -> None:
    if fields.get("n") not in (None, 1):
        raise InvalidRequest("n must be 1: Lingma gives one answer a request", param="n")
    modalities = fields.get("modalities")
    if modalities not in (None, [], ["text"]):
        raise InvalidRequest("modalities must be ['text']: Lingma answers in text only", param="modalities")


def _boolean(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name} must be true or false", param=name)
    return value


def _include_usage(options: Any) -> bool:
    if options is None:
        return False
    if not isinstance(options, dict):
        raise InvalidRequest("stream_options must be an object", param="stream_options")
    return options.get("include_usage") is True


def _messages(value: Any) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    if not isinstance(value, list):
        raise InvalidRequest("messages must be a list of messages", param="messages")
    if not value:
        raise InvalidRequest("messages must hold at least one message", param="messages")
    degraded: list[str] = []
    messages = tuple(_message(item, f"messages[{position}]", degraded) for position, item in enumerate(value))
    if not any(message.parts for message in messages):
        raise InvalidRequest("messages hold no content", param="messages")
    return tuple(message for message in messages if message.parts), tuple(sorted(set(degraded)))


def _message(item: Any, where: str, degraded: list[str]) -> Message:
    if not isinstance(item, dict):
        raise InvalidRequest(f"{where} must be an object", param=where)
    role = _ROLES.get(item["role"]) if isinstance(item.get("role"), str) else None
    if role is None:
        raise InvalidRequest(f"{where}.role must be one of {', '.join(_ROLES)}", param=f"{where}.role")
    text = _content(item.get("content"), f"{where}.content", degraded)
    parts: list[Part]
    if role is Role.TOOL:
        parts = [ToolResult(str(item.get("tool_call_id") or item.get("name") or ""), (Text(text),))]
    else:
        parts = [Text(text)] if text.strip() else []
    if role is Role.ASSISTANT:
        parts += _tool_calls(item.get("tool_calls"), f"{where}.tool_calls")
        if item.get("function_call") is not None:  # the form before `tool_calls`, which had no ids
            parts.append(_call("", item["function_call"], f"{where}.function_call"))
    return Message(role, tuple(parts))


def _content(content: Any, where: str, degraded: list[str]) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise InvalidRequest(f"{where} must be a string, a list of parts or null", param=where)
    return "\n".join(_part(part, f"{where}[{position}]", degraded) for position, part in enumerate(content))


def _part(part: Any, where: str, degraded: list[str]) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str):
        raise InvalidRequest(f"{where} must be an object with a type", param=where)
    if kind in ("text", "refusal"):
        text = part.get(kind)
        if not isinstance(text, str):
            raise InvalidRequest(f"{where}.{kind} must be a string", param=f"{where}.{kind}")
        return text
    name = {"image_url": "image", "input_audio": "audio"}.get(kind, kind)
    degraded.append(name)
    return f"[{name}]"


def _tool_calls(value: Any, where: str) -> list[Part]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidRequest(f"{where} must be a list", param=where)
    return [_tool_call(item, f"{where}[{position}]") for position, item in enumerate(value)]


def _tool_call(item: Any, where: str) -> ToolCall:
    fields = item if isinstance(item, dict) else {}
    return _call(str(fields.get("id") or ""), fields.get("function"), f"{where}.function")


def _call(id: str, function: Any, where: str) -> ToolCall:
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise InvalidRequest(f"{where}.name must be a string", param=f"{where}.name")
    arguments = function.get("arguments", "")
    if not isinstance(arguments, str):
        raise InvalidRequest(f"{where}.arguments must be a string", param=f"{where}.arguments")
    return ToolCall(id, function["name"], arguments)


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all chunks of an answer share. `created`: seconds since 1970."""

    id: str
    created: int


class StreamEncoder:
    """StreamEvents as server-sent events."""

    media_type = sse.MEDIA_TYPE

    def __init__(self, envelope: Envelope, include_usage: bool) -> None:
        self._envelope = envelope
        self._include_usage = include_usage
        self._model = ""
        self._prefixes: dict[PartKind, bytes] = {}

    def encode(self, event: StreamEvent) -> bytes:
        """The bytes for one event, or none."""
        match event:
            case Started(model):
                self._model = model
                # Rendered once a stream: only the text differs from chunk to chunk.
                self._prefixes = {kind: self._delta_prefix(field) for kind, field in _DELTA_FIELDS.items()}
                return self._chunk({"role": "assistant", "content": ""}, None)
            case PartDelta(_, kind, text) if kind in self._prefixes:
                return self._prefixes[kind] + orjson.dumps(text) + b'},"finish_reason":null}]}\n\n'
            case PartStarted() | PartDelta() | PartEnded():
                return b""
            case Finished(reason, usage, _):
                tail = self._usage_chunk(usage) if self._include_usage else b""
                return self._chunk({}, _FINISH_REASONS[reason]) + tail + sse.DONE
            case _:
                assert_never(event)

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """Nothing: an answer that breaks off ends with its connection, from which more clients recover than from a
        chunk with an error (clients page, section 5)."""
        return b""

    def _head(self) -> dict[str, Any]:
        return {
            "id": self._envelope.id,
            "object": "chat.completion.chunk",
            "created": self._envelope.created,
            "model": self._model,
        }

    def _delta_prefix(self, field: bytes) -> bytes:
        head = orjson.dumps(self._head())[:-1]
        return b"data: " + head + b',"choices":[{"index":0,"delta":{"' + field + b'":'

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None) -> bytes:
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
        self._text: dict[PartKind, list[str]] = {kind: [] for kind in PartKind}

    def encode(self, event: StreamEvent) -> bytes:
        """Nothing until the answer has finished, then all of it."""
        match event:
            case Started(model):
                self._model = model
                return b""
            case PartDelta(_, kind, text):
                self._text[kind].append(text)
                return b""
            case PartStarted() | PartEnded():
                return b""
            case Finished(reason, usage, _):
                return self._body(_FINISH_REASONS[reason], usage)
            case _:
                assert_never(event)

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """Nothing: a body is sent when it is complete."""
        return b""

    def _body(self, finish_reason: str, usage: Usage) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._text[PartKind.TEXT])}
        if self._text[PartKind.REASONING]:
            message["reasoning_content"] = "".join(self._text[PartKind.REASONING])
        body = {
            "id": self._envelope.id,
            "object": "chat.completion",
            "created": self._envelope.created,
            "model": self._model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
            "usage": _usage(usage),
        }
        return orjson.dumps(body)
