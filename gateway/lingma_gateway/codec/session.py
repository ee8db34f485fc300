"""One JSON-RPC session over LSP frames: ids, pending requests, owed answers, and what each arriving message means.

No I/O: `receive` takes bytes and says what happened; everything that has to be sent is returned as bytes.

Each id is in one state on each side, and `TRANSITIONS` is all that can happen to it. Ids of the two sides are apart: a
push may carry the id of a request of ours.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, assert_never

import msgspec

from lingma_gateway.codec import jsonrpc
from lingma_gateway.codec.frames import FrameDecoder, encode_frame
from lingma_gateway.codec.jsonrpc import Id, KnownCall, KnownCalls


class IdState(Enum):
    """What an id stands for."""

    FREE = "free"
    """Nothing: never used, or done with."""
    PENDING = "pending"
    """A request of ours that Lingma has not answered."""
    OWED = "owed"
    """A push that we have not answered; Lingma stalls until we do."""


class Step(Enum):
    """What happens to an id."""

    REQUEST = "we request"
    REPLY = "Lingma answers"
    FORGET = "we stop waiting"
    PUSH = "Lingma pushes"
    ANSWER = "we answer or refuse"
    LEAVE = "we leave it to another client"


TRANSITIONS: Mapping[tuple[IdState, Step], IdState] = {
    (IdState.FREE, Step.REQUEST): IdState.PENDING,
    (IdState.PENDING, Step.REPLY): IdState.FREE,
    (IdState.PENDING, Step.FORGET): IdState.FREE,
    # Late, repeated, or never asked for: a Stray, which changes nothing.
    (IdState.FREE, Step.REPLY): IdState.FREE,
    (IdState.FREE, Step.FORGET): IdState.FREE,
    (IdState.FREE, Step.PUSH): IdState.OWED,
    # The same id once more before our answer: each push is owed one.
    (IdState.OWED, Step.PUSH): IdState.OWED,
    (IdState.OWED, Step.ANSWER): IdState.FREE,
    (IdState.OWED, Step.LEAVE): IdState.FREE,
}
"""Every other step is a defect of ours and raises LocalProtocolError."""


class LocalProtocolError(Exception):
    """We did what the protocol does not allow, such as answering what nobody asked."""


class Push(msgspec.Struct, frozen=True):
    """Lingma calls. With an id it waits for an answer, and stalls without one (protocol page: high confidence)."""

    id: Id | None
    method: str
    params: dict[str, Any]


class Heard(msgspec.Struct, frozen=True):
    """Lingma calls, in a form that is known beforehand, and is answered already: `answer` are the bytes to send."""

    call: KnownCall
    answer: bytes | None


class Reply(msgspec.Struct, frozen=True):
    """The answer to a pending request of ours."""

    id: int
    method: str
    result: Any


class Refusal(msgspec.Struct, frozen=True):
    """The error to a pending request of ours."""

    id: int
    method: str
    code: int
    message: str


class Stray(msgspec.Struct, frozen=True):
    """An answer to nothing that is pending: late, repeated, or never asked for."""

    id: Id | None


class Malformed(msgspec.Struct, frozen=True):
    """A frame that holds no JSON-RPC message. The session goes on. With an id it is owed a refusal."""

    reason: str
    id: Id | None = None


Inbound = Push | Heard | Reply | Refusal | Stray | Malformed


class RpcSession:
    """Ids count from 1. A request stays pending until its answer arrives or `forget` drops it."""

    def __init__(self, known: type[KnownCall] | None = None) -> None:
        """With `known` the pushes of this form are answered here, where they need no answer but that they came."""
        self._decoder = FrameDecoder()
        self._read_known = _nothing if known is None else KnownCalls(known).read
        self._last_id = 0
        self._pending: dict[str, tuple[int, str]] = {}
        self._owed: dict[str, int] = {}

    @property
    def pending(self) -> int:
        """How many requests of ours are unanswered."""
        return len(self._pending)

    @property
    def owed(self) -> int:
        """How many pushes we have not answered."""
        return sum(self._owed.values())

    def request(self, method: str, params: dict[str, Any]) -> tuple[int, bytes]:
        """The id and the bytes of a new request."""
        self._last_id += 1
        self._pending[jsonrpc.correlation(self._last_id)] = (self._last_id, method)
        return self._last_id, encode_frame(jsonrpc.encode_call(method, params, self._last_id))

    def notify(self, method: str, params: dict[str, Any]) -> bytes:
        """The bytes of a notification."""
        return encode_frame(jsonrpc.encode_call(method, params))

    def answer(self, id: Id, result: Any) -> bytes:
        """The bytes that answer a push.

        Raises:
            LocalProtocolError: no such push is owed an answer.
        """
        self._settle(id, Step.ANSWER)
        return encode_frame(jsonrpc.encode_result(id, result))

    def refuse(self, id: Id, code: int, message: str) -> bytes:
        """The bytes that refuse a push.

        Raises:
            LocalProtocolError: no such push is owed an answer.
        """
        self._settle(id, Step.ANSWER)
        return encode_frame(jsonrpc.encode_error(id, code, message))

    def leave(self, id: Id) -> None:
        """Owe no answer any more: another client of the same Lingma gives it.

        Raises:
            LocalProtocolError: no such push is owed an answer.
        """
        self._settle(id, Step.LEAVE)

    def forget(self, id: int) -> None:
        """Stop waiting for an answer; should it still come, it is a Stray."""
        self._pending.pop(jsonrpc.correlation(id), None)

    def receive(self, data: bytes) -> list[Inbound]:
        """What the bytes mean, in order.

        Raises:
            FrameError: the stream is not framed; the connection is of no more use.
        """
        return list(map(self._interpret, self._decoder.feed(data)))

    def _settle(self, id: Id, step: Step) -> None:
        key = jsonrpc.correlation(id)
        owed = self._owed.pop(key, 0)
        state = IdState.OWED if owed else IdState.FREE
        if (state, step) not in TRANSITIONS:
            raise LocalProtocolError(f"{step.value}, but nothing is owed for id {key[:40]}")
        if owed > 1:
            self._owed[key] = owed - 1

    def _interpret(self, body: bytes) -> Inbound:
        call = self._read_known(body)
        if call is not None:
            answer = None if call.id is None else encode_frame(jsonrpc.encode_acknowledgement(call.id))
            return Heard(call, answer)
        try:
            message = jsonrpc.parse(body)
        except jsonrpc.MessageError as error:
            self._owe(error.id)
            return Malformed(str(error), error.id)
        match message:
            case jsonrpc.Call(id, method, params):
                self._owe(id)
                return Push(id, method, params)
            case jsonrpc.Result(id, result):
                waiting = self._pending.pop(jsonrpc.correlation(id), None)
                return Stray(id) if waiting is None else Reply(*waiting, result)
            case jsonrpc.Error(id, code, text):
                waiting = None if id is None else self._pending.pop(jsonrpc.correlation(id), None)
                return Stray(id) if waiting is None else Refusal(*waiting, code, text)
            case _:
                assert_never(message)

    def _owe(self, id: Id | None) -> None:
        if id is not None:
            key = jsonrpc.correlation(id)
            self._owed[key] = self._owed.get(key, 0) + 1


def _nothing(_body: bytes) -> KnownCall | None:
    return None
