import json
from typing import Any

import pytest
from hypothesis import given
from openai._models import construct_type
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from lingma_gateway.dialects.openai_chat import BodyEncoder, Envelope, StreamEncoder
from lingma_gateway.errors import UpstreamLost
from lingma_gateway.events import Call, FinishReason, PartKind, Result, StreamEvent, Usage
from tests.lingma_gateway.dialects.golden import agree
from tests.lingma_gateway.support_events import Parts, answer, answers, calls_of, text_of

ENVELOPE = Envelope("chatcmpl-1", 1_700_000_000)


# Answers


def stream(events: list[StreamEvent], include_usage: bool = True, envelope: Envelope = ENVELOPE) -> bytes:
    encoder = StreamEncoder(envelope, include_usage)
    return b"".join(encoder.encode(event) for event in events)


def chunks(
    events: list[StreamEvent], include_usage: bool = True, envelope: Envelope = ENVELOPE
) -> list[ChatCompletionChunk]:
    """The chunks of a stream as the official SDK reads them; checks their framing."""
    *datas, done, end = stream(events, include_usage, envelope).split(b"\n\n")
    assert (done, end) == (b"data: [DONE]", b"")
    assert all(data.startswith(b"data: ") for data in datas)
    values = [json.loads(data.removeprefix(b"data: ")) for data in datas]
    return [construct_type(type_=ChatCompletionChunk, value=value) for value in values]  # type: ignore[misc]


def body(events: list[StreamEvent], envelope: Envelope = ENVELOPE) -> ChatCompletion:
    """The body as the official SDK's own type; nothing may come before the end."""
    encoder = BodyEncoder(envelope)
    *before, last = [encoder.encode(event) for event in events]
    assert not any(before)
    return ChatCompletion.model_validate_json(last, strict=True)


def accumulated(streamed: list[ChatCompletionChunk]) -> dict[str, Any]:
    """The message that the chunks add up to, as OpenAI defines it: by index, ids and names once, texts in pieces."""
    message: dict[str, Any] = {"content": "", "reasoning_content": "", "tool_calls": []}
    for chunk in streamed:
        for choice in chunk.choices:
            delta = choice.delta.to_dict()
            message["content"] += delta.get("content") or ""
            message["reasoning_content"] += delta.get("reasoning_content") or ""
            for piece in delta.get("tool_calls", []):  # type: ignore[attr-defined]
                index = piece.pop("index")
                if "id" in piece:
                    assert index == len(message["tool_calls"]), "indexes count up from 0"
                    message["tool_calls"].append(piece)
                else:
                    ((kind, text),) = piece.items()
                    ((field, more),) = text.items()
                    message["tool_calls"][index][kind][field] += more
    return message


@given(answers)
def test_stream_and_body_give_the_same_answer(events: list[StreamEvent]) -> None:
    whole, streamed = body(events), chunks(events)
    choice, pieces = whole.choices[0], [chunk.choices[0] for chunk in streamed if chunk.choices]
    message = accumulated(streamed)
    sent = choice.message.to_dict()
    assert message["content"] == (choice.message.content or "") == text_of(events, PartKind.TEXT)
    assert message["reasoning_content"] == sent.get("reasoning_content", "") == text_of(events, PartKind.REASONING)
    assert message["tool_calls"] == sent.get("tool_calls", [])
    assert [(call["id"], *_told(call)) for call in message["tool_calls"]] == [
        (call.id, call.name, arguments) for call, arguments in calls_of(events)
    ]
    assert [piece.finish_reason for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
    assert pieces[-1].finish_reason == choice.finish_reason
    assert streamed[-1].usage == whole.usage
    assert {(chunk.id, chunk.created, chunk.model) for chunk in streamed} == {(whole.id, whole.created, whole.model)}


def _told(call: dict[str, Any]) -> tuple[str, str]:
    if call["type"] == "custom":
        return call["custom"]["name"], call["custom"]["input"]
    return call["function"]["name"], call["function"]["arguments"]


functions_only = answers.filter(lambda events: not any(call.custom for call, _ in calls_of(events)))


@given(functions_only)
def test_the_sdks_own_accumulator_gives_the_body(events: list[StreamEvent]) -> None:
    state = ChatCompletionStreamState()
    for chunk in chunks(events):
        state.handle_chunk(chunk)
    assembled, whole = state.current_completion_snapshot, body(events)
    assert (assembled.choices[0].message.content or "") == (whole.choices[0].message.content or "")
    assert assembled.choices[0].finish_reason == whole.choices[0].finish_reason
    assert [_plain(call) for call in assembled.choices[0].message.tool_calls or []] == [
        _plain(call) for call in whole.choices[0].message.tool_calls or []
    ]
    assert assembled.usage == whole.usage


def _plain(call: Any) -> tuple[str, str, str]:
    return call.id, call.function.name, call.function.arguments


@given(functions_only)
def test_every_chunk_is_strictly_the_type_that_is_published(events: list[StreamEvent]) -> None:
    for data in stream(events).split(b"\n\n")[:-2]:
        ChatCompletionChunk.model_validate_json(data.removeprefix(b"data: "), strict=True)


def test_a_stream_begins_with_the_role_and_an_empty_content() -> None:
    first = chunks(answer([(PartKind.TEXT, "a")]))[0]
    assert first.choices[0].delta.role == "assistant"
    assert first.choices[0].delta.content == ""
    assert first.object == "chat.completion.chunk"
    assert first.model == "org_auto"


def test_usage_is_a_last_chunk_without_choices_and_only_where_it_is_asked_for() -> None:
    events = answer([(PartKind.TEXT, "a")], usage=Usage(3, 5, estimated=True))
    *content, last = chunks(events, include_usage=True)
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (3, 5, 8)
    assert len(content) == len(chunks(events, include_usage=False))
    assert all(chunk.usage is None for chunk in chunks(events, include_usage=False))


@pytest.mark.parametrize("reason", FinishReason)
def test_the_finish_reason_is_openais_own(reason: FinishReason) -> None:
    openais_own = "stop" if reason is FinishReason.STOP_SEQUENCE else reason.value
    assert body(answer([], reason)).choices[0].finish_reason == openais_own


def test_an_answer_without_reasoning_has_no_such_field() -> None:
    message = body(answer([(PartKind.TEXT, "a")])).choices[0].message
    assert "reasoning_content" not in (message.model_extra or {})


def test_a_message_of_calls_alone_has_no_content() -> None:
    message = body(answer([(Call("call_1", "time"), "{}")], FinishReason.TOOL_CALLS)).choices[0].message
    assert message.content is None
    assert body(answer([])).choices[0].message.content == ""


def test_a_body_has_the_nulls_that_the_published_schema_requires_and_no_others() -> None:
    encoder = BodyEncoder(ENVELOPE)
    raw = json.loads([encoder.encode(event) for event in answer([(PartKind.TEXT, "a")])][-1])
    assert raw["choices"][0]["logprobs"] is None
    assert raw["choices"][0]["message"] == {"role": "assistant", "content": "a", "refusal": None}
    assert raw.keys() == {"id", "object", "created", "model", "choices", "usage"}


def test_reasoning_is_counted_among_the_answers_tokens() -> None:
    usage = body(answer([], usage=Usage(3, 5, estimated=True, reasoning_tokens=2))).usage
    assert usage is not None
    assert usage.completion_tokens_details is not None
    assert usage.completion_tokens_details.reasoning_tokens == 2
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 0


def test_fields_of_our_own_end_a_body_where_they_are_wanted() -> None:
    encoder = BodyEncoder(Envelope("chatcmpl-1", 1, extra=lambda: {"served_by": "alice"}))
    raw = json.loads([encoder.encode(event) for event in answer([])][-1])
    assert raw["served_by"] == "alice"


# Calls


def test_a_call_of_lingmas_own_is_shown_and_its_result_is_not() -> None:
    shown: Parts = [
        (Call("c1", "read_file", executed=True), '{"path": "a"}'),
        (Result("c1"), "the file"),
        (PartKind.TEXT, "done"),
    ]
    choice = body(answer(shown)).choices[0]
    assert choice.finish_reason == "stop"
    assert choice.message.content == "done"
    assert [call.id for call in choice.message.tool_calls or []] == ["c1"]
    assert b"the file" not in stream(answer(shown))


def test_the_older_form_tells_a_call_without_id() -> None:
    older = Envelope("chatcmpl-1", 1, as_function_call=True)
    events = answer(
        [(PartKind.TEXT, "Let me see"), (Call("call_1", "time"), '{"zone": "UTC"}')], FinishReason.TOOL_CALLS
    )
    choice = body(events, older).choices[0]
    assert choice.finish_reason == "function_call"
    assert choice.message.function_call is not None
    assert choice.message.function_call.to_dict() == {"name": "time", "arguments": '{"zone": "UTC"}'}
    assert choice.message.tool_calls is None
    deltas = [chunk.choices[0].delta.function_call for chunk in chunks(events, False, older)]
    told = [delta for delta in deltas if delta is not None]
    assert [delta.name for delta in told] == ["time", None, None]
    assert "".join(delta.arguments or "" for delta in told) == '{"zone": "UTC"}'


# Every shape of a stream, as it is sent


SHAPES: dict[str, tuple[Parts, FinishReason]] = {
    "text": ([(PartKind.TEXT, "Hello, 世界\n")], FinishReason.STOP),
    "empty": ([], FinishReason.STOP),
    "cut": ([(PartKind.TEXT, "One two")], FinishReason.LENGTH),
    "stop_sequence": ([(PartKind.TEXT, "One")], FinishReason.STOP_SEQUENCE),
    "reasoning": ([(PartKind.REASONING, "Because"), (PartKind.TEXT, "so")], FinishReason.STOP),
    "call": ([(PartKind.TEXT, "Let me see"), (Call("call_1", "time"), '{"zone": "UTC"}')], FinishReason.TOOL_CALLS),
    "call_without_arguments": ([(Call("call_1", "time"), "")], FinishReason.TOOL_CALLS),
    "two_calls": ([(Call("call_1", "time"), "{}"), (Call("call_2", "date"), "{}")], FinishReason.TOOL_CALLS),
    "custom_call": ([(Call("call_1", "patch", custom=True), "*** Begin\n")], FinishReason.TOOL_CALLS),
    "executed_call": (
        [(Call("c1", "read_file", executed=True), "{}"), (Result("c1"), "file"), (PartKind.TEXT, "done")],
        FinishReason.STOP,
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_stream_is_sent_as_it_was_agreed(shape: str) -> None:
    agree("chat", shape, stream(answer(*SHAPES[shape])))


def test_an_older_clients_stream_is_sent_as_it_was_agreed() -> None:
    older = Envelope("chatcmpl-1", 1_700_000_000, as_function_call=True)
    agree("chat", "function_call", stream(answer(*SHAPES["call"]), True, older))


def test_a_stream_that_breaks_off_ends_with_its_connection() -> None:
    encoder = StreamEncoder(ENVELOPE, include_usage=True)
    assert encoder.fail(UpstreamLost("gone"), "req-1") == b""
    assert BodyEncoder(ENVELOPE).fail(UpstreamLost("gone"), "req-1") == b""


def test_the_encoders_say_what_they_send() -> None:
    assert StreamEncoder.media_type == "text/event-stream"
    assert BodyEncoder.media_type == "application/json"
