"""The events of a turn as a response: streamed, or as one body. Both are read from one transcript."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any, assert_never

import orjson

from lingma_contract import errors as contract
from lingma_gateway.codec import sse
from lingma_gateway.dialects.openai_responses.output import (
    COMPLETED,
    IN_PROGRESS,
    INCOMPLETE,
    CallItem,
    ExecutedItem,
    Item,
    WireEvent,
    item_of,
)
from lingma_gateway.dialects.openai_responses.reading import Json
from lingma_gateway.errors import GatewayError
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

_ERROR_CODES = {
    contract.QUEUE_FULL: "rate_limit_exceeded",
    contract.RATE_LIMITED: "rate_limit_exceeded",
    contract.QUOTA_EXCEEDED: "insufficient_quota",
    contract.INVALID_REQUEST: "invalid_prompt",
}
"""Of `response.failed`; any other fault is `server_error`. Codex retries all but `insufficient_quota`."""


@dataclass(slots=True)
class Envelope:
    """What an answer says about itself and its request."""

    id: str
    created_at: int
    """Seconds since 1970."""
    echo: bytes
    """The fields of the request that it repeats, as a JSON object."""
    model: str
    """As the client asked for it; what an answer says that fails before an account has begun it."""
    shows_reasoning: bool
    stored: bool
    now: Callable[[], int]
    """Seconds since 1970."""

    def response(self, status: str, output: list[Json], **more: Any) -> bytes:
        """The response as JSON."""
        head = {
            "id": self.id,
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "model": self.model,
            "output": output,
            "store": self.stored,
            **more,
        }
        return orjson.dumps(head)[:-1] + b"," + self.echo[1:]


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


class Transcript:
    """What has been said, item by item, and the events that tell it, but for the deltas.

    An item is ended when it is known what follows it: only then is it sure whether it was cut.
    """

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._items: dict[int, Json] = {}
        self._next = 0
        self.open: Item | None = None
        """What deltas belong to; None where they are not told."""
        self._whole = False
        """The open item's part has ended."""
        self._executing: dict[str, ExecutedItem] = {}
        self._result: tuple[Result, list[str]] | None = None

    def begin(self, kind: PartKind, head: Call | Result | None) -> list[WireEvent]:
        """A part begins."""
        events = self._close(COMPLETED)
        if isinstance(head, Result):
            self._result = (head, [])
        elif kind is not PartKind.REASONING or self._envelope.shows_reasoning:
            self.open = item_of(kind, head, self._envelope.id, self._next)
            self._next += 1
            if isinstance(head, Call) and isinstance(self.open, ExecutedItem):
                self._executing[head.id] = self.open
            events += self.open.begun()
        return events

    def add(self, text: str) -> None:
        """A piece of the part that is open."""
        if self.open is not None:
            self.open.text.append(text)
        elif self._result is not None:
            self._result[1].append(text)

    def end(self) -> list[WireEvent]:
        """The part ends."""
        self._whole = True
        if isinstance(self.open, ExecutedItem):
            called, self.open = self.open.called(), None
            return called
        if self._result is None:
            return []
        (result, said), self._result = self._result, None
        item = self._executing.pop(result.call_id, None)
        if item is None:
            return []
        item.answered(result, "".join(said))
        return self._keep(item, COMPLETED)

    def conclude(self, reason: FinishReason | None) -> list[WireEvent]:
        """Nothing more comes; None: because it broke off."""
        broken = not self._whole if reason is None else reason is FinishReason.LENGTH
        events = self._close(INCOMPLETE if broken else COMPLETED)
        for item in self._executing.values():
            events += self._keep(item, INCOMPLETE)
        self._executing = {}
        return events

    def output(self) -> list[Json]:
        """The items that have ended."""
        return [self._items[index] for index in sorted(self._items)]

    def _close(self, status: str) -> list[WireEvent]:
        item, whole = self.open, self._whole
        self.open, self._whole = None, False
        if item is None or isinstance(item, ExecutedItem):
            return []
        if status == INCOMPLETE and isinstance(item, CallItem):
            # Clients execute a call that is done, or in the output, whatever its status: one that was cut is neither.
            if not (whole and item.is_whole()):
                return []
            status = COMPLETED
        return self._keep(item, status)

    def _keep(self, item: Item, status: str) -> list[WireEvent]:
        self._items[item.place["output_index"]] = item.whole(status)
        return item.ended(status)


class _Encoder:
    """What both forms do alike."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._transcript = Transcript(envelope)
        self._closing: list[WireEvent] = []
        self._final: bytes | None = None

    def conclude(self, finished: Finished) -> bytes:
        """The whole response, before its last event is encoded: whoever keeps it does so before the client is told."""
        self._closing = self._transcript.conclude(finished.reason)
        return self._respond(finished)

    def not_kept(self, finished: Finished) -> None:
        """The response that `conclude` gave could not be stored, which it will say."""
        self._envelope.stored = False
        self._respond(finished)

    def _respond(self, finished: Finished) -> bytes:
        output, usage = self._transcript.output(), _usage(finished.usage)
        if finished.reason is FinishReason.LENGTH:
            details = {"reason": "max_output_tokens"}
            self._final = self._envelope.response(INCOMPLETE, output, incomplete_details=details, usage=usage)
        else:
            completed_at = self._envelope.now()
            self._final = self._envelope.response(COMPLETED, output, completed_at=completed_at, usage=usage)
        return self._final

    def _finish(self, finished: Finished) -> bytes:
        return self.conclude(finished) if self._final is None else self._final


class StreamEncoder(_Encoder):
    """StreamEvents as server-sent events. Deltas, which are nearly all, cost one small `dumps`."""

    media_type = sse.MEDIA_TYPE

    def __init__(self, envelope: Envelope) -> None:
        super().__init__(envelope)
        self._sequence = 0
        self._begun = False
        self._before = self._after = b""
        """Of a delta: what goes before its sequence number, and after its text."""

    def encode(self, event: StreamEvent) -> bytes:
        """The bytes for one event, or none."""
        match event:
            case PartDelta(_, _, text):
                self._transcript.add(text)
                if self._transcript.open is None:
                    return b""
                number, self._sequence = self._sequence, self._sequence + 1
                return b'%b%d,"delta":%b%b' % (self._before, number, orjson.dumps(text), self._after)
            case PartStarted(_, kind, head):
                told = self._tell(self._transcript.begin(kind, head))
                if self._transcript.open is not None:
                    self._prepare(self._transcript.open)
                return told
            case PartEnded():
                return self._tell(self._transcript.end())
            case Started(model):
                self._envelope.model = model
                return self._start()
            case Finished():
                final = self._finish(event)
                name = "response.incomplete" if event.reason is FinishReason.LENGTH else "response.completed"
                return self._tell(self._closing) + self._lifecycle(name, final)
            case _:
                assert_never(event)

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """Ends the open item, then says the error; begins before, where nothing has been said yet."""
        begun = b"" if self._begun else self._start()
        closing = self._tell(self._transcript.conclude(None))
        self._envelope.stored = False
        failed = self._envelope.response("failed", self._transcript.output(), error=_error(error, request_id))
        return begun + closing + self._lifecycle("response.failed", failed)

    def _start(self) -> bytes:
        self._begun = True
        response = self._envelope.response(IN_PROGRESS, [])
        return self._lifecycle("response.created", response) + self._lifecycle("response.in_progress", response)

    def _prepare(self, item: Item) -> None:
        """Rendered once an item: only number and text differ from delta to delta."""
        name = item.delta_name.encode()
        place = orjson.dumps({"type": item.delta_name, **item.place, **item.delta_fields})[:-1]
        self._before = b'event: %b\ndata: %b,"sequence_number":' % (name, place)
        self._after = b"}\n\n"

    def _tell(self, events: list[WireEvent]) -> bytes:
        return b"".join(self._event(name, fields) for name, fields in events)

    def _event(self, name: str, fields: Json) -> bytes:
        number, self._sequence = self._sequence, self._sequence + 1
        return sse.named(name, orjson.dumps({"type": name, "sequence_number": number, **fields}))

    def _lifecycle(self, name: str, response: bytes) -> bytes:
        number, self._sequence = self._sequence, self._sequence + 1
        return sse.named(name, b'{"type":"%b","sequence_number":%d,"response":%b}' % (name.encode(), number, response))


class BodyEncoder(_Encoder):
    """The same events as one JSON body, which is complete with the last of them."""

    media_type = "application/json"

    def encode(self, event: StreamEvent) -> bytes:
        """Nothing until the answer has finished, then all of it."""
        match event:
            case PartDelta(_, _, text):
                self._transcript.add(text)
            case PartStarted(_, kind, head):
                self._transcript.begin(kind, head)
            case PartEnded():
                self._transcript.end()
            case Started(model):
                self._envelope.model = model
            case Finished():
                return self._finish(event)
            case _:
                assert_never(event)
        return b""

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """Nothing: a body is sent when it is complete."""
        return b""


def _error(error: GatewayError, request_id: str) -> Json:
    code = _ERROR_CODES.get(error.fault, "server_error")
    message = f"{error.message} (request id {request_id})"
    if code == "rate_limit_exceeded" and error.retry_after_s is not None:
        # Codex reads the pause from these words.
        message += f" Please try again in {ceil(min(error.retry_after_s, contract.MAX_RETRY_AFTER_S))}s."
    return {"code": code, "message": message}
