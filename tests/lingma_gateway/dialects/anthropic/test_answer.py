"""Events as a message: streamed and whole, read by the official SDK."""

import json
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.dialects.anthropic.answer import SIGNATURE, BodyEncoder, Envelope, StreamEncoder, Thinking
from lingma_gateway.errors import UpstreamLost, UpstreamProtocol
from lingma_gateway.events import Call, Finished, FinishReason, PartKind, Result, StreamEvent, Usage
from tests.lingma_gateway.dialects.anthropic.support_answers import Steps, answer_of, answers_with_tools
from tests.lingma_gateway.dialects.golden import agree

ENVELOPE = Envelope("msg_1", "claude-sonnet-4-5")
READ = Call("toolu_1", "read")
TEXT, REASONING = PartKind.TEXT, PartKind.REASONING


class Sdk:
    """The official client, whose server answers with what is put here."""

    def __init__(self) -> None:
        self.answer = b""
        transport = httpx2.MockTransport(self._respond)
        self._client = anthropic.Anthropic(
            api_key="k", base_url="http://gateway", max_retries=0, http_client=httpx2.Client(transport=transport)
        )

    def _respond(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=self.answer, headers={"content-type": "text/event-stream"})

    def read(self, stream: bytes) -> Message:
        """The message that a stream adds up to.

        Raises:
            anthropic.APIStatusError: the stream says an error.
        """
        self.answer = stream
        messages = [{"role": "user", "content": "Hello"}]
        with self._client.messages.stream(model="m", max_tokens=9, messages=messages) as events:  # type: ignore[arg-type]
            return events.get_final_message()


SDK = Sdk()


def stream(events: list[StreamEvent], thinking: Thinking = Thinking.SHOWN) -> bytes:
    encoder = StreamEncoder(ENVELOPE, thinking)
    return b"".join(encoder.encode(event) for event in events)


def body(events: list[StreamEvent], thinking: Thinking = Thinking.SHOWN) -> dict[str, Any]:
    """The body; nothing may come before the end."""
    encoder = BodyEncoder(ENVELOPE, thinking)
    *before, last = [encoder.encode(event) for event in events]
    assert not any(before)
    found: dict[str, Any] = json.loads(last)
    return found


def sent(wire: bytes) -> list[dict[str, Any]]:
    """The data of each event; checks the framing and that its name is its type."""
    *events, end = wire.split(b"\n\n")
    assert end == b""
    found = []
    for event in events:
        name, data = event.split(b"\n", 1)
        found.append(json.loads(data.removeprefix(b"data: ")))
        assert name.decode() == f"event: {found[-1]['type']}"
    return found


def steps_of(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


@given(answers_with_tools, st.sampled_from(Thinking))
def test_a_stream_read_by_the_sdk_is_the_body(events: list[StreamEvent], thinking: Thinking) -> None:
    whole = body(events, thinking)
    # Without warnings: that an answer holds results of Lingma's own tools is not in the SDK's types.
    streamed = SDK.read(stream(events, thinking)).to_dict(mode="json", warnings=False)
    assert {name: streamed[name] for name in whole} == whole


@given(answers_with_tools, st.sampled_from(Thinking))
def test_blocks_begin_and_end_in_order_between_the_start_and_the_stop(
    events: list[StreamEvent], thinking: Thinking
) -> None:
    first, *blocks, delta, last = sent(stream(events, thinking))
    assert (first["type"], delta["type"], last["type"]) == ("message_start", "message_delta", "message_stop")
    opened, count = None, 0
    for event in blocks:
        kind = event["type"].removeprefix("content_block_")
        if kind == "start":
            assert opened is None
            assert event["index"] == count
            opened, count = event["index"], count + 1
        else:
            assert kind in ("delta", "stop")
            assert event["index"] == opened
            opened = None if kind == "stop" else opened
    assert opened is None


STREAMS: dict[str, tuple[Steps, FinishReason]] = {
    "text": ([(TEXT, "Hel"), (TEXT, "lo\n")], FinishReason.STOP),
    "empty": ([], FinishReason.STOP),
    "thinking": ([(REASONING, "because"), (TEXT, "so")], FinishReason.STOP),
    "cut": ([(TEXT, "one two")], FinishReason.LENGTH),
    "tool_use": ([(TEXT, "I look."), (READ, '{"path":"/x"}'), (Call("toolu_2", "now"), "")], FinishReason.TOOL_CALLS),
    "executed_by_lingma": (
        [
            (READ, '{"path":"/x"}'),
            (Result("toolu_1"), "the file"),
            (Result("toolu_2", is_error=True), ""),
            (TEXT, "so"),
        ],
        FinishReason.STOP,
    ),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_byte_for_byte_its_transcript(name: str) -> None:
    agree("anthropic", name, stream(answer_of(*STREAMS[name])))


def test_thinking_whose_display_is_omitted_keeps_its_blocks_and_their_signature() -> None:
    agree("anthropic", "thinking_omitted", stream(answer_of(*STREAMS["thinking"]), Thinking.OMITTED))


def test_thinking_that_nobody_asked_for_leaves_the_text_the_first_block() -> None:
    agree("anthropic", "thinking_hidden", stream(answer_of(*STREAMS["thinking"]), Thinking.HIDDEN))


def test_a_stop_sequence_is_named() -> None:
    *events, _finished = answer_of([(TEXT, "a")])
    ended = [*events, Finished(FinishReason.STOP_SEQUENCE, Usage(1, 1, estimated=True), "session-1", "END")]
    agree("anthropic", "stop_sequence", stream(ended))
    assert body(ended)["stop_sequence"] == "END"


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        (FinishReason.STOP, "end_turn"),
        (FinishReason.LENGTH, "max_tokens"),
        (FinishReason.TOOL_CALLS, "tool_use"),
        (FinishReason.STOP_SEQUENCE, "stop_sequence"),
    ],
)
def test_the_stop_reason_is_anthropics_own(reason: FinishReason, word: str) -> None:
    assert body(answer_of([], reason))["stop_reason"] == word


def test_usage_stands_at_the_start_and_again_at_the_end_where_it_is_final() -> None:
    first, *_, delta, _ = sent(stream(answer_of([(TEXT, "a")], usage=Usage(7, 5, estimated=True, reasoning_tokens=2))))
    none_cached = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    assert first["message"]["usage"] == {"input_tokens": 3, "output_tokens": 1, **none_cached}
    thought = {"output_tokens_details": {"thinking_tokens": 2}}
    assert delta["usage"] == {"input_tokens": 7, "output_tokens": 5, **none_cached, **thought}


def test_the_model_is_the_one_that_was_asked_for_and_without_one_the_one_that_answers() -> None:
    encoder = BodyEncoder(Envelope("msg_1", None), Thinking.SHOWN)
    *_, last = [encoder.encode(event) for event in answer_of([])]
    assert json.loads(last)["model"] == "org_auto"
    assert body(answer_of([]))["model"] == "claude-sonnet-4-5"


def test_a_body_is_the_sdks_own_type_to_the_letter() -> None:
    answer = body(answer_of([(REASONING, "why"), (TEXT, "so"), (READ, '{"path":"/x"}')], FinishReason.TOOL_CALLS))
    message = Message.model_validate(answer, strict=True)
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert answer["content"][0]["signature"] == SIGNATURE


@pytest.mark.parametrize("arguments", ['{"path":', "[]", "3"])
def test_a_call_whose_arguments_are_no_object_is_no_answer(arguments: str) -> None:
    with pytest.raises(UpstreamProtocol, match="arguments of a call"):
        body(answer_of([(READ, arguments)]))


ERROR = UpstreamLost("the connection to Lingma was lost")


def failed(steps: Steps, thinking: Thinking = Thinking.SHOWN) -> bytes:
    """A stream that breaks off while its last part is open."""
    encoder = StreamEncoder(ENVELOPE, thinking)
    *events, _part_ended, _finished = answer_of(steps)
    return b"".join(map(encoder.encode, events)) + encoder.fail(ERROR, "req-1")


BROKEN: dict[str, tuple[Steps, list[str]]] = {
    "text": ([(TEXT, "Hel")], ["content_block_stop", "error"]),
    "thinking": ([(REASONING, "bec")], ["content_block_stop", "error"]),
    "tool_use": ([(READ, '{"pa')], ["content_block_delta", "error"]),
    "tool_result": ([(TEXT, "a"), (Result("toolu_1"), "the f")], ["content_block_stop", "error"]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_stream_that_breaks_off_ends_what_is_open_but_no_call_and_says_the_error(name: str) -> None:
    steps, last = BROKEN[name]
    wire = failed(steps)
    agree("anthropic", f"broken_{name}", wire)
    assert steps_of(sent(wire))[-2:] == last
    with pytest.raises(anthropic.APIStatusError) as caught:
        SDK.read(wire)
    assert caught.value.type == "api_error"
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["request_id"] == "req-1"


def test_a_thought_that_is_cut_off_has_no_signature() -> None:
    assert SIGNATURE.encode() not in failed([(REASONING, "bec")])


def test_a_failure_while_something_unseen_is_open_only_says_the_error() -> None:
    wire = failed([(REASONING, "bec")], Thinking.HIDDEN)
    assert steps_of(sent(wire)) == ["message_start", "error"]


def test_a_failure_before_anything_was_sent_is_the_error_alone() -> None:
    wire = StreamEncoder(ENVELOPE, Thinking.SHOWN).fail(ERROR, "req-1")
    assert steps_of(sent(wire)) == ["error"]


def test_a_body_breaks_off_with_its_connection() -> None:
    assert BodyEncoder(ENVELOPE, Thinking.SHOWN).fail(ERROR, "req-1") == b""


def test_the_encoders_say_what_they_send() -> None:
    assert StreamEncoder.media_type == "text/event-stream"
    assert BodyEncoder.media_type == "application/json"
