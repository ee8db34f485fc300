"""JSON-RPC 2.0 as Lingma's Go server reads it: bytes to calls and replies, messages to bytes. No I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
NOT_INITIALIZED = -32002
"""The code that the Language Server Protocol gives to a request before `initialize`."""

PARAMS_NOT_AN_OBJECT = "json: cannot unmarshal array into Go value of type definition.EmptyRequest"
"""Seen for arrays and for omitted params alike (protocol page, section 0)."""

RequestId = int | str
Message = dict[str, Any]

_ABSENT: Final = object()
NO_REPLY: Final = object()
"""What a method gives that never answers."""


class RpcError(Exception):
    """A method's refusal, sent to the caller as its JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Call:
    """A request, or a notification when `id` is None. `params` is None when they are no object."""

    id: RequestId | None
    method: str
    params: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Reply:
    """The client's answer to a push."""

    id: RequestId
    result: Any
    error: Any


@dataclass(frozen=True, slots=True)
class Malformed:
    """A body that is no JSON-RPC message. `id` is known when an error can be sent back."""

    id: RequestId | None
    code: int
    message: str


def parse(body: bytes) -> Call | Reply | Malformed:
    """What a frame's body says."""
    try:
        message = json.loads(body.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        return Malformed(None, PARSE_ERROR, "parse error")
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return Malformed(None, INVALID_REQUEST, "not a JSON-RPC 2.0 message")
    raw_id = message.get("id", _ABSENT)
    request_id = raw_id if is_request_id(raw_id) else None
    if raw_id is not _ABSENT and request_id is None:
        return Malformed(None, INVALID_REQUEST, "id must be a whole number or a string")
    method = message.get("method", _ABSENT)
    if method is _ABSENT:
        if request_id is None or ("result" in message) == ("error" in message):
            return Malformed(request_id, INVALID_REQUEST, "neither a call nor a reply")
        return Reply(request_id, message.get("result"), message.get("error"))
    if not isinstance(method, str):
        return Malformed(request_id, INVALID_REQUEST, "method must be a string")
    params = message.get("params")
    return Call(request_id, method, params if isinstance(params, dict) else None)


def is_request_id(value: object) -> bool:
    """Whether `value` may be an id: a whole number or a string, and no bool."""
    return isinstance(value, int | str) and not isinstance(value, bool)


def request(request_id: RequestId, method: str, params: Mapping[str, Any]) -> Message:
    """A push: a request with an id that the client must answer."""
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": dict(params)}


def result(request_id: RequestId, value: Any) -> Message:
    """The answer to a call."""
    return {"jsonrpc": "2.0", "id": request_id, "result": value}


def error(request_id: RequestId | None, code: int, message: str) -> Message:
    """The refusal of a call."""
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}


def dump(message: Message) -> bytes:
    """A message as a frame's body, in UTF-8; a lone surrogate becomes `?`, as no text message can carry it."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def text_of(params: Mapping[str, Any], name: str) -> str:
    """A text in params; what is missing or of another type is empty, as in Go."""
    value = params.get(name)
    return value if isinstance(value, str) else ""
