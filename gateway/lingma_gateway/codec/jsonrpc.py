"""JSON-RPC 2.0 messages. Ids are integers or strings; `"7"` and `7` name the same request, a bool names none."""

from typing import Any

import msgspec
import orjson

INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INTERNAL_ERROR = -32603

Id = int | str


class MessageError(ValueError):
    """The body is no JSON-RPC message. `id` is set when the peer waits for an answer to it all the same."""

    def __init__(self, reason: str, id: "Id | None" = None) -> None:
        super().__init__(reason)
        self.id = id


class Call(msgspec.Struct, frozen=True):
    """A request (`id` is set: the peer waits for an answer) or a notification (`id` is None)."""

    id: Id | None
    method: str
    params: dict[str, Any]


class Result(msgspec.Struct, frozen=True):
    id: Id
    result: Any


class Error(msgspec.Struct, frozen=True):
    id: Id | None
    code: int
    message: str


Message = Call | Result | Error


class KnownCall(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A call of a form that is known beforehand, so that only the fields that are needed are read.

    Subclasses name them: `method` as a Literal, `params` as a Struct.
    """

    id: int | None = None


class KnownCalls:
    """Reads the calls of one form."""

    def __init__(self, form: type[KnownCall]) -> None:
        self._decode = msgspec.json.Decoder(form).decode

    def read(self, body: bytes) -> KnownCall | None:
        """The call in one frame; None for whatever has not the form, which `parse` understands or refuses."""
        try:
            return self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


def correlation(id: Id) -> str:
    """The form in which ids are compared."""
    return str(id)


def parse(body: bytes) -> Message:
    """The message in one frame.

    Raises:
        MessageError: not JSON, not an object, or neither a call nor an answer.
    """
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MessageError("a frame holds no JSON") from error
    if not isinstance(message, dict):
        raise MessageError("a frame holds no JSON object")
    if "method" in message:
        return _call(message)
    if "error" in message and message["error"] is not None:
        return _error(message)
    if "result" in message or "error" in message:
        answered = _id(message)
        if answered is None:
            raise MessageError("a result has no id")
        return Result(answered, message.get("result"))
    raise MessageError("a message is neither a call nor an answer")


def _id(message: dict[str, Any]) -> Id | None:
    value = message.get("id")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise MessageError("an id is neither an integer nor a string")
    return value


def _call(message: dict[str, Any]) -> Call:
    method, id = message["method"], _id(message)
    if not isinstance(method, str):
        raise MessageError("a method is no string", id)
    params = message.get("params")
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise MessageError(f"the params of {method} are no object", id)
    return Call(id, method, params)


def _error(message: dict[str, Any]) -> Error:
    error = message["error"]
    if not isinstance(error, dict):
        return Error(_id(message), INTERNAL_ERROR, str(error))
    code = error.get("code")
    return Error(_id(message), code if isinstance(code, int) else INTERNAL_ERROR, str(error.get("message", "")))


def encode_call(method: str, params: dict[str, Any], id: Id | None = None) -> bytes:
    """A request, or a notification when `id` is None. `params` is always sent: Lingma refuses its absence."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if id is not None:
        message["id"] = id
    return orjson.dumps(message)


def encode_result(id: Id, result: Any) -> bytes:
    """The answer to the peer's request `id`."""
    return orjson.dumps({"jsonrpc": "2.0", "id": id, "result": result})


def encode_acknowledgement(id: int) -> bytes:
    """The answer to the peer's request `id` that says nothing: there is one for each token of an answer."""
    return b'{"jsonrpc":"2.0","id":%d,"result":{}}' % id


def encode_error(id: Id, code: int, message: str) -> bytes:
    """The refusal of the peer's request `id`."""
    return orjson.dumps({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
