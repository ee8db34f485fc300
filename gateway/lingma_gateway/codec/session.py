"""One JSON-RPC session over LSP frames: ids, pending requests, and what each arriving message means.

No I/O: `receive` takes bytes and says what happened; everything that has to be sent is returned as bytes.
"""

from dataclasses import dataclass
from typing import Any, assert_never

from lingma_gateway.codec import jsonrpc
from lingma_gateway.codec.frames import FrameDecoder, encode_frame
from lingma_gateway.codec.jsonrpc import Id


@dataclass(frozen=True, slots=True)
class Push:
    """Lingma calls. With an id it waits for an answer, and stalls without one (protocol page: high confidence)."""

    id: Id | None
    method: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a pending request of ours."""

    id: int
    method: str
    result: Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error to a pending request of ours."""

    id: int
    method: str
    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Stray:
    """An answer to nothing that is pending: late, repeated, or never asked for."""

    id: Id | None


@dataclass(frozen=True, slots=True)
class Malformed:
    """A frame that holds no JSON-RPC message. The session goes on."""

    reason: str


Inbound = Push | Reply | Refusal | Stray | Malformed


class RpcSession:
    """Ids count from 1. A request stays pending until its answer arrives or `forget` drops it."""

    def __init__(self) -> None:
        self._decoder = FrameDecoder()
        self._last_id = 0
        self._pending: dict[str, tuple[int, str]] = {}

    @property
    def pending(self) -> int:
        """How many requests of ours are unanswered."""
        return len(self._pending)

    def request(self, method: str, params: dict[str, Any]) -> tuple[int, bytes]:
        """The id and the bytes of a new request."""
        self._last_id += 1
        self._pending[jsonrpc.correlation(self._last_id)] = (self._last_id, method)
        return self._last_id, encode_frame(jsonrpc.encode_call(method, params, self._last_id))

    def notify(self, method: str, params: dict[str, Any]) -> bytes:
        """The bytes of a notification."""
        return encode_frame(jsonrpc.encode_call(method, params))

    def answer(self, id: Id, result: Any) -> bytes:
        """The bytes that answer a push."""
        return encode_frame(jsonrpc.encode_result(id, result))

    def refuse(self, id: Id, code: int, message: str) -> bytes:
        """The bytes that refuse a push."""
        return encode_frame(jsonrpc.encode_error(id, code, message))

    def forget(self, id: int) -> None:
        """Stop waiting for an answer; should it still come, it is a Stray."""
        self._pending.pop(jsonrpc.correlation(id), None)

    def receive(self, data: bytes) -> list[Inbound]:
        """What the bytes mean, in order.

        Raises:
            FrameError: the stream is not framed; the connection is of no more use.
        """
        return [self._interpret(body) for body in self._decoder.feed(data)]

    def _interpret(self, body: bytes) -> Inbound:
        try:
            message = jsonrpc.parse(body)
        except jsonrpc.MessageError as error:
            return Malformed(str(error))
        match message:
            case jsonrpc.Call(id, method, params):
                return Push(id, method, params)
            case jsonrpc.Result(id, result):
                waiting = self._pending.pop(jsonrpc.correlation(id), None)
                return Stray(id) if waiting is None else Reply(*waiting, result)
            case jsonrpc.Error(id, code, text):
                waiting = None if id is None else self._pending.pop(jsonrpc.correlation(id), None)
                return Stray(id) if waiting is None else Refusal(*waiting, code, text)
            case _:
                assert_never(message)
