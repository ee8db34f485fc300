"""Answers of every kind for the Responses dialect, its encoders, and the official SDK as their reader."""

import itertools
import json
from typing import Any

import httpx2  # the one that the SDK uses
import openai
from hypothesis import strategies as st
from openai.types.responses import Response

from lingma_gateway.dialects.openai_responses.answer import BodyEncoder, Envelope, StreamEncoder
from lingma_gateway.events import (
    Call,
    Finished,
    FinishReason,
    PartKind,
    PartSequencer,
    Result,
    Started,
    StreamEvent,
    Usage,
)

RESPONSE_ID = "resp_" + "A" * 28
ECHO = (
    b'{"background":false,"instructions":null,"previous_response_id":null,"temperature":null,"top_p":null,'
    b'"metadata":{},"parallel_tool_calls":true,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],'
    b'"truncation":"disabled"}'
)

Piece = tuple[PartKind | Call | Result, str]
"""A kind of spoken part, or the head of another one, and its text."""


def answer(*pieces: Piece, reason: FinishReason = FinishReason.STOP, usage: Usage | None = None) -> list[StreamEvent]:
    """A whole answer of these pieces, by the sequencer."""
    parts = PartSequencer()
    events: list[StreamEvent] = [Started("org_auto")]
    for head, text in pieces:
        if isinstance(head, PartKind):
            events += parts.delta(head, text)
            continue
        events += parts.begin(head)
        kind = PartKind.TOOL_CALL if isinstance(head, Call) else PartKind.TOOL_RESULT
        events += parts.delta(kind, text)
    events += parts.close()
    return [*events, Finished(reason, usage or Usage(3, 5, estimated=True), "session-1")]


def envelope(*, shows_reasoning: bool = True, stored: bool = True) -> Envelope:
    """At a fixed time."""
    return Envelope(
        id=RESPONSE_ID,
        created_at=1_700_000_000,
        echo=ECHO,
        model="asked",
        shows_reasoning=shows_reasoning,
        stored=stored,
        now=lambda: 1_700_000_001,
    )


def streamed(events: list[StreamEvent], **options: Any) -> bytes:
    """The answer as a stream."""
    encoder = StreamEncoder(envelope(**options))
    return b"".join(map(encoder.encode, events))


def body_of(events: list[StreamEvent], **options: Any) -> dict[str, Any]:
    """The answer as one body."""
    encoder = BodyEncoder(envelope(**options))
    *nothing, body = map(encoder.encode, events)
    assert not any(nothing)
    decoded: dict[str, Any] = json.loads(body)
    return decoded


def told(stream: bytes) -> list[dict[str, Any]]:
    """The events of a stream, each with a name that is its type, numbered from 0."""
    found = []
    for block in stream.decode().split("\n\n")[:-1]:
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


class Sdk:
    """The official SDK in front of an answer that is given to it."""

    def __init__(self) -> None:
        self._content = b""
        self._type = ""
        transport = httpx2.MockTransport(self._serve)
        http = httpx2.Client(transport=transport)
        self._client = openai.OpenAI(base_url="http://sdk.test/v1", api_key="k", http_client=http, max_retries=0)

    def _serve(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": self._type}, content=self._content)

    def whole(self, stream: bytes) -> Response:
        """What the SDK's accumulator makes of a stream that completes."""
        self._content, self._type = stream, "text/event-stream"
        with self._client.responses.stream(model="m", input="?") as events:
            return events.get_final_response()

    def events(self, stream: bytes) -> list[Any]:
        """What the SDK's stream helper gives out."""
        self._content, self._type = stream, "text/event-stream"
        with self._client.responses.stream(model="m", input="?") as events:
            return list(events)

    def body(self, body: bytes) -> Response:
        """What the SDK's helper makes of a body, as of a stream."""
        self._content, self._type = body, "application/json"
        return self._client.responses.parse(model="m", input="?")


_numbers = itertools.count()


def _calls(**fields: Any) -> st.SearchStrategy[Call]:
    """Calls, each with an id of its own."""

    def numbered(call: Call) -> Call:
        return Call(f"call_{next(_numbers)}", call.name, call.custom, call.namespace, call.executed)

    return st.builds(Call, st.just(""), st.sampled_from(["f", "g"]), **fields).map(numbered)


_said = st.tuples(st.sampled_from([PartKind.TEXT, PartKind.REASONING]), st.text(min_size=1, max_size=20))
_function_calls = st.tuples(_calls(), st.sampled_from(["{}", '{"a": "é\\n"}']))
_custom_calls = st.tuples(_calls(custom=st.just(True)), st.text(max_size=10))


def _namespaced(call: Call) -> Call:
    return Call(call.id, f"files.{call.name}", call.custom, "files")


def _executed(call: Call, arguments: str, output: str | None, failed: bool) -> list[Piece]:
    begun: list[Piece] = [(Call(call.id, call.name, executed=True), arguments)]
    return begun if output is None else [*begun, (Result(call.id, failed), output)]


_executed_calls = st.builds(_executed, _calls(), st.just("{}"), st.none() | st.text(max_size=9), st.booleans())


def _flat(pieces: list[list[Piece]]) -> list[Piece]:
    return [piece for each in pieces for piece in each]


def _alone(piece: Piece) -> list[Piece]:
    return [piece]


_each: st.SearchStrategy[list[Piece]] = st.one_of(
    _said.map(_alone),
    _function_calls.map(_alone),
    _custom_calls.map(_alone),
    st.tuples(_calls().map(_namespaced), st.just("{}")).map(_alone),
    _executed_calls,
)
pieces: st.SearchStrategy[list[Piece]] = st.lists(_each, max_size=8).map(_flat)


def whole_answers() -> st.SearchStrategy[list[StreamEvent]]:
    """Answers of every shape, which end for every reason."""
    return st.builds(
        lambda found, reason, usage: answer(*found, reason=reason, usage=usage),
        pieces,
        st.sampled_from(FinishReason),
        st.builds(Usage, st.integers(0, 10**6), st.integers(0, 10**6), estimated=st.booleans()),
    )
