"""Structured output, through a simulated Lingma that answers as scripted and is asked again in its session."""

import pytest

from lingma_gateway.conversation import OutputFormat
from lingma_gateway.errors import InvalidRequest, OutputInvalid
from lingma_gateway.events import FinishReason, Started
from tests.lingma_gateway.answering.support import nothing_left, run, turn
from tests.matrix.bench import Bench

pytestmark = pytest.mark.asyncio(loop_scope="package")

SCHEMA = '{"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}'
TITLE = '{"title": "On tea"}'
FORM = OutputFormat(SCHEMA)


async def asked(gateway: Bench) -> list[dict[str, object]]:
    """Params of the questions since the frames were forgotten."""
    return [frame["message"]["params"] for frame in await gateway.received("chat/ask")]


@pytest.mark.parametrize("stream", [True, False])
async def test_the_schema_is_told_to_the_model_and_json_in_prose_is_all_that_the_client_gets(
    gateway: Bench, stream: bool
) -> None:
    await gateway.forget_frames()
    ran = await run(gateway, turn(f"@sim say Here: {TITLE} Enjoy!\n@sim chunks 5", stream=stream, output=FORM))
    assert ran.text == TITLE
    assert ran.finished.reason is FinishReason.STOP
    assert ran.record.retries == 0
    (question,) = await asked(gateway)
    assert SCHEMA in str(question["questionText"])
    await nothing_left(gateway)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_of_another_form_is_asked_for_again_in_the_same_session(gateway: Bench, stream: bool) -> None:
    await gateway.forget_frames()
    script = '@sim think first\n@sim say {"title": 7}\n@sim then\n@sim say ' + TITLE
    ran = await run(gateway, turn(script, stream=stream, output=FORM))
    assert ran.text == TITLE
    assert ran.record.retries == 1
    first, second = await asked(gateway)
    assert (first["sessionId"], first["isReply"]) == ("", False)
    assert second["sessionId"]
    assert second["isReply"] is True
    assert "at $.title: the value is not of type" in str(second["questionText"])
    assert [type(event) for event in ran.events].count(Started) == 1
    await nothing_left(gateway)


async def test_the_tokens_of_both_answers_are_counted(gateway: Bench) -> None:
    once = (await run(gateway, turn(f"@sim say {TITLE}", output=FORM))).finished.usage
    twice = (await run(gateway, turn(f"@sim say no\n@sim then\n@sim say {TITLE}", output=FORM))).finished.usage
    assert twice.input_tokens > once.input_tokens
    assert twice.output_tokens > once.output_tokens


@pytest.mark.parametrize("stream", [True, False])
async def test_a_model_that_cannot_is_an_error_of_lingmas_that_sdks_do_not_repeat(gateway: Bench, stream: bool) -> None:
    script = "@sim say I cannot.\n@sim then\n@sim say I still cannot."
    with pytest.raises(OutputInvalid, match="no complete JSON") as caught:
        await run(gateway, turn(script, stream=stream, output=FORM))
    assert (caught.value.fault.status, caught.value.fault.retryable) == (502, False)
    assert gateway.pool.in_flight == 0
    await nothing_left(gateway)


async def test_a_bad_schema_is_refused_before_lingma_is_asked(gateway: Bench) -> None:
    await gateway.forget_frames()
    with pytest.raises(InvalidRequest) as caught:
        await run(gateway, turn("Hello", output=OutputFormat('{"type": "str"}')))
    assert caught.value.param == "response_format.json_schema.schema"
    assert (await gateway.control("GET", "/frames?direction=in&method=chat/ask"))["frames"] == []


async def test_an_answer_that_max_tokens_cuts_is_told_as_far_as_it_came(gateway: Bench) -> None:
    ran = await run(gateway, turn('@sim say {"title": "one two three"}', output=FORM, max_tokens=5))
    assert '{"title": "one two three"}'.startswith(ran.text)
    assert ran.text.startswith("{")
    assert ran.finished.reason is FinishReason.LENGTH
    assert ran.record.retries == 0


async def test_a_draft_that_lingma_replaces_before_anything_was_sent_does_not_matter(gateway: Bench) -> None:
    ran = await run(gateway, turn(f"@sim say {TITLE}\n@sim fault overwrite=replace", output=FORM))
    assert ran.text == TITLE
