"""Emulated tools, through a simulated model that really uses them."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from lingma_gateway.conversation import (
    ChoiceMode,
    Message,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from lingma_gateway.errors import InvalidRequest, ToolCallMissing
from lingma_gateway.events import Call, FinishReason, PartDelta, PartKind, PartStarted
from tests.lingma_gateway.answering.support import Ran, nothing_left, run, turn
from tests.lingma_gateway.support_events import parts_of
from tests.matrix.bench import Bench, bench, eventually_empty

pytestmark = pytest.mark.asyncio(loop_scope="package")

READ = Tool("Read", "Reads a file", '{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}')
WRITE = Tool(
    "Write",
    "Writes a file",
    '{"type":"object","properties":{"path":{"type":"string"},"text":{"type":"string"}},"required":["path","text"]}',
)
TOOLS = (READ, WRITE)
READS = '@sim call Read {"path": "a.txt"}'


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def reusing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    """As `gateway`, with session reuse."""
    folder = tmp_path_factory.mktemp("reusing")
    async with bench(folder, first_event_timeout=30, idle_timeout=30, session_reuse_enabled=True) as made:
        yield made


def calls(ran: Ran) -> list[tuple[Call, str]]:
    """The calls of an answer with their arguments."""
    heads = [event.head for event in ran.events if isinstance(event, PartStarted) and isinstance(event.head, Call)]
    arguments = [text for kind, text in parts_of(ran.events) if kind is PartKind.TOOL_CALL]
    return list(zip(heads, arguments, strict=True))


async def questions(gateway: Bench) -> list[dict[str, Any]]:
    """Params of what was asked since the frames were forgotten."""
    return [frame["message"]["params"] for frame in await gateway.received("chat/ask")]


def then(asked: Turn, ran: Ran, *results: str, text: str = "") -> Turn:
    """The next turn: the answer, and what the tools said."""
    made = calls(ran)
    answer = Message(
        Role.ASSISTANT, (*((Text(text),) if text else ()), *(ToolCall(head.id, head.name, args) for head, args in made))
    )
    answered = (
        Message(Role.TOOL, (ToolResult(head.id, (Text(result),)),))
        for (head, _), result in zip(made, results, strict=True)
    )
    return replace(asked, messages=(*asked.messages, answer, *answered))


@pytest.mark.parametrize("stream", [True, False])
async def test_a_call_of_the_model_is_the_clients_to_execute(gateway: Bench, stream: bool) -> None:
    await gateway.forget_frames()
    ran = await run(gateway, turn(f"@sim say I read it.\n{READS}\n@sim chunks 9", stream=stream, tools=TOOLS))
    ((head, arguments),) = calls(ran)
    assert (head.name, json.loads(arguments)) == ("Read", {"path": "a.txt"})
    assert ran.text == "I read it."
    assert ran.finished.reason is FinishReason.TOOL_CALLS
    (question,) = await questions(gateway)
    assert "Reads a file" in question["questionText"]
    await nothing_left(gateway)


async def test_ids_of_calls_are_those_that_the_dialect_mints(gateway: Bench) -> None:
    ran = await run(gateway, turn(READS, tools=TOOLS), mint_call=lambda: "toolu_1")
    assert [head.id for head, _ in calls(ran)] == ["toolu_1"]


async def test_a_task_of_several_steps_goes_on_with_the_results_and_whatever_text_they_hold(gateway: Bench) -> None:
    script = (
        f'{READS}\n@sim then\n@sim call Write {{"path": "b.txt", "text": "{{{{result}}}}"}}\n@sim then\n@sim say done'
    )
    first = turn(script, tools=TOOLS)
    content = 'def f():\n\treturn "</parameter> <tool_call>"  # 中文'
    second = then(first, await run(gateway, first), content)
    wrote = await run(gateway, second)
    ((head, arguments),) = calls(wrote)
    assert head.name == "Write"
    assert json.loads(arguments)["text"].replace("\\", "") == content
    ended = await run(gateway, then(second, wrote, "ok"))
    assert ended.text == "done"
    assert ended.finished.reason is FinishReason.STOP


async def test_in_a_session_that_goes_on_only_the_results_are_sent_and_no_tool_is_described_twice(
    reusing: Bench,
) -> None:
    first = turn(f"{READS}\n@sim then\n@sim say it says {{{{result}}}}", tools=TOOLS)
    ran = await run(reusing, first)
    await reusing.forget_frames()
    ended = await run(reusing, then(first, ran, "hello"))
    (question,) = await questions(reusing)
    assert ended.record.session == "hit"
    assert ended.text == "it says hello"
    assert question["isReply"] is True
    assert "Reads a file" not in question["questionText"]
    assert len(question["questionText"]) < 200


async def test_a_tool_that_is_added_later_is_told_of_alone(reusing: Bench) -> None:
    first = turn(f'{READS}\n@sim then\n@sim call Write {{"path": "x", "text": "y"}}', tools=(READ,))
    second = replace(then(first, await run(reusing, first), "hello"), tools=TOOLS)
    await reusing.forget_frames()
    ran = await run(reusing, second)
    (question,) = await questions(reusing)
    assert [head.name for head, _ in calls(ran)] == ["Write"]
    assert "Writes a file" in question["questionText"]
    assert "Reads a file" not in question["questionText"]


async def test_what_the_model_imagines_after_its_call_is_dropped_and_lingma_stopped(gateway: Bench) -> None:
    await gateway.forget_frames()
    ran = await run(gateway, turn(f"{READS}\n@sim sloppy imagined\n@sim chunks 40\n@sim hang", tools=TOOLS))
    assert [head.name for head, _ in calls(ran)] == ["Read"]
    assert ran.text == ""
    assert len(await gateway.received("chat/stop")) == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_a_call_that_cannot_be_executed_is_asked_for_again_in_the_same_session(
    gateway: Bench, stream: bool
) -> None:
    await gateway.forget_frames()
    ran = await run(gateway, turn(f"{READS}\n@sim sloppy wrong-name", stream=stream, tools=TOOLS))
    assert [(head.name, json.loads(text)) for head, text in calls(ran)] == [("Read", {"path": "a.txt"})]
    assert ran.text == ""
    assert ran.record.retries == 1
    first, second = await questions(gateway)
    assert second["isReply"] is True
    assert "There is no tool" in second["questionText"]
    await nothing_left(gateway)


async def test_a_call_that_stays_wrong_is_text_and_the_log_says_why(
    gateway: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        ran = await run(gateway, turn(f"{READS}\n@sim sloppy wrong-name\n@sim stubborn", tools=TOOLS))
    assert calls(ran) == []
    assert "a.txt" in ran.text
    assert ran.finished.reason is FinishReason.STOP


async def test_a_demanded_call_that_the_model_only_claims_is_asked_for(gateway: Bench) -> None:
    asked = turn(f"{READS}\n@sim sloppy claim", tools=TOOLS, tool_choice=ToolChoice(ChoiceMode.REQUIRED, ("Read",)))
    ran = await run(gateway, asked)
    assert [head.name for head, _ in calls(ran)] == ["Read"]
    assert ran.text == ""


async def test_a_demanded_call_that_never_comes_is_an_error(gateway: Bench) -> None:
    required = ToolChoice(ChoiceMode.REQUIRED)
    with pytest.raises(ToolCallMissing):
        await run(gateway, turn(f"{READS}\n@sim sloppy claim\n@sim stubborn", tools=TOOLS, tool_choice=required))
    await nothing_left(gateway)


async def test_with_the_choice_none_no_tool_is_shown_and_no_call_read(gateway: Bench) -> None:
    await gateway.forget_frames()
    text = "<tool_call>\n<function=Read>"
    asked = turn("@sim say <tool_call> <function=Read>", tools=TOOLS, tool_choice=ToolChoice(ChoiceMode.NONE))
    ran = await run(gateway, asked)
    assert ran.text == text.replace("\n", " ")
    (question,) = await questions(gateway)
    assert "Reads a file" not in question["questionText"]


def said(call: str) -> str:
    """Directives that say a call line by line."""
    return "\n".join(f"@sim say {line}" for line in call.splitlines())


PICK = Tool(
    "Pick",
    schema='{"type":"object","properties":{"path":{"type":"string"},"count":{"type":"integer"}},"required":["count"]}',
)


def pick(count: str) -> str:
    parameters = f"<parameter=path>\na.txt\n</parameter>\n<parameter=count>\n{count}\n</parameter>"
    return f"<tool_call>\n<function=Pick>\n{parameters}\n</function>\n</tool_call>"


@pytest.mark.parametrize("fault", ["", "\n@sim fault stop=no-finish"], ids=["stopped", "never told to be stopped"])
async def test_a_call_of_which_the_client_has_a_part_is_completed_by_the_one_that_is_asked_for(
    gateway: Bench, fault: str
) -> None:
    script = f"{said(pick('many'))}\n@sim chunks 30\n@sim hang{fault}\n@sim then\n{said(pick('7'))}"
    ran = await run(gateway, turn(script, tools=(PICK,)))
    ((head, arguments),) = calls(ran)
    assert (head.name, json.loads(arguments)) == ("Pick", {"path": "a.txt", "count": 7})
    # A part had been sent on before anything was wrong.
    assert any(isinstance(event, PartDelta) for batch in ran.batches[:-1] for event in batch)
    await nothing_left(gateway)


async def test_a_client_that_goes_away_while_the_model_is_asked_again_frees_slot_and_session(gateway: Bench) -> None:
    await gateway.forget_frames()
    asking = asyncio.create_task(run(gateway, turn(f"{said(pick('many'))}\n@sim then\n@sim hang", tools=(PICK,))))

    async def unasked() -> str:
        return "the second question" if len(await questions(gateway)) < 2 else ""

    await eventually_empty(unasked)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert gateway.pool.in_flight == 0
    _, second = await questions(gateway)
    assert len(await gateway.received("chat/stop", requestId=second["requestId"])) == 1
    await nothing_left(gateway)


async def test_a_conversation_goes_on_in_its_session_after_the_model_was_asked_again(reusing: Bench) -> None:
    first = turn(f"{READS}\n@sim sloppy wrong-name\n@sim then\n@sim say it says {{{{result}}}}", tools=TOOLS)
    ran = await run(reusing, first)
    assert ran.record.retries == 1
    ended = await run(reusing, then(first, ran, "hello"))
    assert (ended.record.session, ended.text) == ("hit", "it says hello")


async def test_a_session_whose_answer_was_cut_is_not_gone_on_with(reusing: Bench) -> None:
    first = turn("@sim say one two three four", max_tokens=2)
    ran = await run(reusing, first)
    answer = Message(Role.ASSISTANT, (Text(ran.text),))
    question = Message(Role.USER, (Text("@sim say five"),))
    second = await run(reusing, replace(first, messages=(*first.messages, answer, question)))
    assert second.record.session == "miss:unknown"


async def test_where_tools_are_off_they_are_left_out_and_named_and_a_demand_is_refused(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with bench(tmp_path_factory.mktemp("off"), tools_mode="off") as off:
        await off.forget_frames()
        ran = await run(off, turn("@sim say hello", tools=TOOLS))
        assert (ran.text, ran.record.ignored) == ("hello", ["tools"])
        (question,) = await questions(off)
        assert "Reads a file" not in question["questionText"]
        with pytest.raises(InvalidRequest) as caught:
            await run(off, turn("Hello", tools=TOOLS, tool_choice=ToolChoice(ChoiceMode.REQUIRED)))
        assert caught.value.param == "tool_choice"
