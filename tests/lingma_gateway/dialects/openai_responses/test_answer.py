"""Answers as streams and as bodies: golden transcripts of every shape, and the official SDK as their reader."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from lingma_gateway.dialects.openai_responses.answer import BodyEncoder, StreamEncoder
from lingma_gateway.errors import (
    GatewayError,
    InvalidRequest,
    NoReadyAccount,
    QueueFull,
    QuotaExceeded,
    RateLimited,
    UpstreamLost,
)
from lingma_gateway.events import Call, Finished, FinishReason, PartKind, Result, StreamEvent, Usage
from tests.lingma_gateway import support_responses
from tests.lingma_gateway.dialects.golden import agree
from tests.lingma_gateway.support_responses import Sdk, answer, body_of, envelope, pieces, streamed, told, whole_answers

GOLDEN = Path(__file__).parents[1] / "golden" / "responses"
TEXT, THOUGHT = (PartKind.TEXT, "Hello 你好"), (PartKind.REASONING, "Hm")
CALL = (Call("call_1", "weather"), '{"city": "Bonn"}')
NAMESPACED = (Call("call_2", "agents.spawn", namespace="agents"), "{}")
CUSTOM = (Call("call_3", "apply_patch", custom=True), "*** Begin Patch")
EXECUTED = (Call("t1", "read_file", executed=True), '{"path": "/x"}')
SDK = Sdk()
LOST = UpstreamLost("the connection to Lingma broke")

WHOLE: dict[str, list[StreamEvent]] = {
    "nothing": answer(),
    "text": answer(TEXT),
    "reasoning-text": answer(THOUGHT, TEXT),
    "text-reasoning-text": answer(TEXT, THOUGHT, (PartKind.TEXT, "again")),
    "call": answer(CALL, reason=FinishReason.TOOL_CALLS),
    "call-without-arguments": answer((Call("call_1", "now"), ""), reason=FinishReason.TOOL_CALLS),
    "text-call": answer(TEXT, CALL, reason=FinishReason.TOOL_CALLS),
    "parallel-calls": answer(CALL, (Call("call_4", "time"), "{}"), reason=FinishReason.TOOL_CALLS),
    "namespaced-call": answer(NAMESPACED, reason=FinishReason.TOOL_CALLS),
    "custom-call": answer(CUSTOM, reason=FinishReason.TOOL_CALLS),
    "executed-call": answer(EXECUTED, (Result("t1"), "content"), TEXT),
    "executed-call-failed": answer(EXECUTED, (Result("t1", is_error=True), "denied"), TEXT),
    "executed-call-after-text": answer(EXECUTED, TEXT, (Result("t1"), "content")),
    "executed-call-unanswered": answer(EXECUTED, TEXT),
    "stop-sequence": answer(TEXT, reason=FinishReason.STOP_SEQUENCE),
    "length": answer(THOUGHT, TEXT, reason=FinishReason.LENGTH),
    "length-in-call": answer(TEXT, (CALL[0], '{"city": "Bo'), reason=FinishReason.LENGTH),
    "length-in-custom-call": answer(CUSTOM, reason=FinishReason.LENGTH),
    "length-after-call": answer(CALL, reason=FinishReason.LENGTH),
}
BROKEN: dict[str, tuple[list[StreamEvent], GatewayError]] = {
    "failed-before-anything": ([], LOST),
    "failed-at-the-start": (answer()[:1], LOST),
    "failed-in-text": (answer(TEXT)[:-2], LOST),
    "failed-after-text": (answer(TEXT)[:-1], LOST),
    "failed-in-call": (answer(TEXT, CALL)[:-2], LOST),
    "failed-after-call": (answer(CALL)[:-1], LOST),
    "failed-in-executed-call": (answer(EXECUTED)[:-2], LOST),
}


def broken(events: list[StreamEvent], error: GatewayError) -> bytes:
    encoder = StreamEncoder(envelope())
    return b"".join(map(encoder.encode, events)) + encoder.fail(error, "req-1")


TRANSCRIPTS = {name: streamed(events) for name, events in WHOLE.items()}
TRANSCRIPTS |= {name: broken(*given) for name, given in BROKEN.items()}


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_each_shape_of_stream_is_as_recorded(name: str) -> None:
    agree(GOLDEN.name, name, TRANSCRIPTS[name])


def test_no_recorded_stream_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == TRANSCRIPTS.keys()


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_every_event_has_all_fields_of_the_published_types(name: str) -> None:
    events: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    for event in told(TRANSCRIPTS[name]):
        if "error" in event.get("response", {}) and event["response"]["error"]:
            assert event["response"]["error"]["code"] == "server_error"
        events.validate_python(event)


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_every_stream_begins_and_ends_as_clients_insist(name: str) -> None:
    events = told(TRANSCRIPTS[name])
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[-1]["type"] in ("response.completed", "response.incomplete", "response.failed")
    assert "usage" not in events[0]["response"]


@pytest.mark.parametrize("name", WHOLE)
def test_the_end_of_a_stream_is_the_body(name: str) -> None:
    assert told(TRANSCRIPTS[name])[-1]["response"] == body_of(WHOLE[name])
    Response.model_validate(body_of(WHOLE[name]))


@given(pieces.map(lambda found: answer(*found)))
def test_the_sdk_accumulates_any_stream_to_the_body(events: list[StreamEvent]) -> None:
    body = json.dumps(body_of(events)).encode()
    assert SDK.whole(streamed(events)).to_dict() == SDK.body(body).to_dict()


@given(whole_answers(), st.booleans())
def test_any_answer_ends_as_its_body_says_and_tells_each_item_once(events: list[StreamEvent], shows: bool) -> None:
    found = told(streamed(events, shows_reasoning=shows))
    body = body_of(events, shows_reasoning=shows)
    assert found[-1]["response"] == body
    done = [event for event in found if event["type"] == "response.output_item.done"]
    assert [event["item"] for event in sorted(done, key=lambda event: int(event["output_index"]))] == body["output"]
    added = [event["output_index"] for event in found if event["type"] == "response.output_item.added"]
    assert added == list(range(len(added)))


@given(whole_answers(), st.data())
def test_wherever_a_stream_breaks_it_says_so_and_ends(events: list[StreamEvent], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(events) - 1))
    found = told(broken(events[:cut], LOST))
    assert found[-1]["type"] == "response.failed"
    assert found[-1]["response"]["status"] == "failed"
    calls = [item for item in found[-1]["response"]["output"] if item["type"] == "function_call"]
    for call in calls:
        json.loads(call["arguments"])


@given(whole_answers())
def test_the_deltas_of_an_item_are_its_text(events: list[StreamEvent]) -> None:
    found = told(streamed(events))
    fields = {"output_text": "text", "reasoning_summary_text": "text", "function_call_arguments": "arguments"}
    fields |= {"custom_tool_call_input": "input", "mcp_call_arguments": "arguments"}
    for event in found:
        name = event["type"].removeprefix("response.").removesuffix(".done")
        if event["type"].endswith(".done") and name in fields:
            deltas = [each["delta"] for each in found if each["type"] == f"response.{name}.delta"
                      and each["item_id"] == event["item_id"]]  # fmt: skip
            assert "".join(deltas) == event[fields[name]]


def test_the_text_of_the_sdk_is_what_was_said() -> None:
    assert SDK.whole(TRANSCRIPTS["text-reasoning-text"]).output_text == "Hello 你好again"


def test_the_sdks_helper_gives_out_each_event() -> None:
    for name in TRANSCRIPTS:
        assert [event.type for event in SDK.events(TRANSCRIPTS[name])] == [
            event["type"] for event in told(TRANSCRIPTS[name])
        ], name


def test_a_namespaced_call_has_name_and_namespace_apart_and_a_plain_one_has_no_namespace() -> None:
    (item,) = body_of(WHOLE["namespaced-call"])["output"]
    assert (item["name"], item["namespace"], item["call_id"]) == ("spawn", "agents", "call_2")
    (plain,) = body_of(WHOLE["call"])["output"]
    assert "namespace" not in plain


def test_reasoning_that_was_not_asked_for_is_not_told() -> None:
    stream = streamed(WHOLE["reasoning-text"], shows_reasoning=False)
    assert b"Hm" not in stream
    assert body_of(WHOLE["reasoning-text"], shows_reasoning=False)["output"][0]["type"] == "message"


@pytest.mark.parametrize("name", ["length-in-call", "length-in-custom-call", "failed-in-call"])
def test_a_call_that_was_cut_is_neither_done_nor_in_the_output(name: str) -> None:
    events = told(TRANSCRIPTS[name])
    done = [event["item"]["type"] for event in events if event["type"] == "response.output_item.done"]
    assert not {"function_call", "custom_tool_call"} & {*done}
    assert all(item["type"] == "message" for item in events[-1]["response"]["output"])


def test_a_text_that_was_cut_is_incomplete() -> None:
    body = body_of(WHOLE["length"])
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert body["output"][-1]["status"] == "incomplete"
    assert "completed_at" not in body


def test_usage_has_its_details() -> None:
    usage = Usage(7, 5, estimated=True, reasoning_tokens=2)
    assert body_of(answer(TEXT, usage=usage))["usage"] == {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 12,
    }


def test_what_is_not_set_is_left_out_unless_the_published_schema_requires_it() -> None:
    nulls = {name for name, value in body_of(WHOLE["text"]).items() if value is None}
    required = {"error", "incomplete_details", "instructions", "temperature", "top_p"}
    assert nulls == required | {"previous_response_id"}


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (LOST, "server_error", "broke (request id req-1)"),
        (NoReadyAccount("not ready", retry_after_s=5), "server_error", "not ready (request id req-1)"),
        (QueueFull("full", retry_after_s=2.5), "rate_limit_exceeded", "Please try again in 3s."),
        (RateLimited("slow"), "rate_limit_exceeded", "slow (request id req-1)"),
        (QuotaExceeded("used up", retry_after_s=60), "insufficient_quota", "used up (request id req-1)"),
        (InvalidRequest("odd"), "invalid_prompt", "odd (request id req-1)"),
    ],
)
def test_a_failure_says_what_codex_acts_on(error: GatewayError, code: str, said: str) -> None:
    failed = told(broken([], error))[-1]["response"]["error"]
    assert failed["code"] == code
    assert failed["message"].endswith(said)


def test_an_answer_that_failed_before_it_began_has_the_model_that_was_asked_for() -> None:
    assert told(TRANSCRIPTS["failed-before-anything"])[0]["response"]["model"] == "asked"
    assert told(TRANSCRIPTS["text"])[0]["response"]["model"] == "org_auto"


@pytest.mark.parametrize("encoder_type", [StreamEncoder, BodyEncoder])
def test_what_is_stored_is_what_is_told(encoder_type: type[StreamEncoder] | type[BodyEncoder]) -> None:
    *before, finished = WHOLE["executed-call-unanswered"]
    assert isinstance(finished, Finished)
    encoder = encoder_type(envelope())
    for event in before:
        encoder.encode(event)
    stored = encoder.conclude(finished)
    assert encoder.encode(finished).strip().endswith(stored if encoder_type is BodyEncoder else stored + b"}")
    assert json.loads(stored) == body_of(WHOLE["executed-call-unanswered"])


@pytest.mark.parametrize("encoder_type", [StreamEncoder, BodyEncoder])
def test_what_could_not_be_stored_says_so(encoder_type: type[StreamEncoder] | type[BodyEncoder]) -> None:
    *before, finished = WHOLE["length"]
    assert isinstance(finished, Finished)
    encoder = encoder_type(envelope())
    for event in before:
        encoder.encode(event)
    encoder.conclude(finished)
    encoder.not_kept(finished)
    assert b'"store":false' in encoder.encode(finished)


def test_a_body_has_no_event_for_a_failure() -> None:
    assert BodyEncoder(envelope()).fail(LOST, "req-1") == b""


def test_a_result_of_no_call_is_passed_over() -> None:
    assert body_of(answer((Result("t9"), "x"), TEXT))["output"] == [
        {
            "id": f"msg_{support_responses.RESPONSE_ID[5:]}_0",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": "Hello 你好"}],
        }
    ]
