"""The official openai SDK against scripted turns: what it makes of calls, structured answers, failures and retries."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionMessageFunctionToolCall
from pydantic import BaseModel

from lingma_gateway.conversation import ChoiceMode, Turn
from lingma_gateway.errors import GatewayError, NoReadyAccount, QuotaExceeded, UpstreamLost
from lingma_gateway.events import Call, FinishReason, PartKind, StreamEvent, Usage
from tests.lingma_gateway.support_app import ScriptedTurns, app_of, scripted, services_of
from tests.lingma_gateway.support_events import answer
from tests.lingma_gateway.support_pool import Account

HELLO: Any = [{"role": "user", "content": "What time is it?"}]
TOOLS: Any = [
    {"type": "function", "function": {"name": "time", "parameters": {"type": "object"}}},
    {"type": "function", "function": {"name": "date", "parameters": {"type": "object"}}},
]
CALLS = answer(
    [(PartKind.TEXT, "Let me see"), (Call("call_1", "time"), '{"zone": "UTC"}'), (Call("call_2", "date"), "{}")],
    FinishReason.TOOL_CALLS,
)


@pytest.fixture
def turns() -> ScriptedTurns:
    return SERVICES[1]


SERVICES = services_of(Account("alice", slots=9))


@pytest.fixture
async def sdk() -> AsyncIterator[openai.AsyncOpenAI]:
    transport = httpx2.ASGITransport(app_of(SERVICES[0]), raise_app_exceptions=False)
    http_client = httpx2.AsyncClient(transport=transport)
    async with openai.AsyncOpenAI(
        base_url="http://gateway/v1", api_key="sk-a", http_client=http_client, max_retries=0
    ) as client:
        yield client


async def test_calls_come_back_as_calls_of_the_sdk(sdk: openai.AsyncOpenAI, turns: ScriptedTurns) -> None:
    turns.script = scripted(CALLS)
    made = await sdk.chat.completions.create(model="m", messages=HELLO, tools=TOOLS)
    message = made.choices[0].message
    assert made.choices[0].finish_reason == "tool_calls"
    assert message.content == "Let me see"
    calls = [call for call in message.tool_calls or [] if isinstance(call, ChatCompletionMessageFunctionToolCall)]
    assert [(call.id, call.function.name, call.function.arguments) for call in calls] == [
        ("call_1", "time", '{"zone": "UTC"}'),
        ("call_2", "date", "{}"),
    ]


async def test_the_sdks_stream_helper_assembles_the_same_calls(sdk: openai.AsyncOpenAI, turns: ScriptedTurns) -> None:
    turns.script = scripted(*([event] for event in CALLS))
    async with sdk.chat.completions.stream(
        model="m", messages=HELLO, tools=TOOLS, stream_options={"include_usage": True}
    ) as stream:
        done = [event.arguments async for event in stream if event.type == "tool_calls.function.arguments.done"]
        final = await stream.get_final_completion()
    assert done == ['{"zone": "UTC"}', "{}"]
    assert final.choices[0].finish_reason == "tool_calls"
    assert [call.id for call in final.choices[0].message.tool_calls or []] == ["call_1", "call_2"]
    assert final.usage is not None
    assert final.usage.total_tokens == 8


async def test_what_the_sdk_sends_is_what_the_turn_asks(sdk: openai.AsyncOpenAI, turns: ScriptedTurns) -> None:
    asked: list[Turn] = []

    async def remember(turn: Turn) -> AsyncGenerator[list[StreamEvent], None]:
        asked.append(turn)
        yield answer([(PartKind.TEXT, "{}")])

    turns.script = remember
    await sdk.chat.completions.create(
        model="m",
        messages=HELLO,
        tools=TOOLS,
        tool_choice={"type": "function", "function": {"name": "date"}},
        parallel_tool_calls=False,
        stop=["END"],
        max_completion_tokens=7,
        temperature=0,
    )
    (turn,) = asked
    assert [tool.name for tool in turn.tools] == ["time", "date"]
    assert (turn.tool_choice.mode, turn.tool_choice.allowed) == (ChoiceMode.REQUIRED, ("date",))
    assert not turn.parallel_tool_calls
    assert (turn.stop, turn.max_tokens) == (("END",), 7)


class Answer(BaseModel):
    city: str


async def test_a_structured_answer_is_parsed_by_the_sdk(sdk: openai.AsyncOpenAI, turns: ScriptedTurns) -> None:
    turns.script = scripted(answer([(PartKind.TEXT, '{"city": "Bonn"}')]))
    made = await sdk.chat.completions.parse(model="m", messages=HELLO, response_format=Answer)
    assert made.choices[0].message.parsed == Answer(city="Bonn")


async def test_reasoning_tokens_are_told(sdk: openai.AsyncOpenAI, turns: ScriptedTurns) -> None:
    usage = Usage(3, 5, estimated=True, reasoning_tokens=4)
    turns.script = scripted(answer([(PartKind.REASONING, "hm"), (PartKind.TEXT, "so")], usage=usage))
    made = await sdk.chat.completions.create(model="m", messages=HELLO)
    assert made.usage is not None
    assert made.usage.completion_tokens_details is not None
    assert made.usage.completion_tokens_details.reasoning_tokens == 4


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (UpstreamLost("x"), openai.InternalServerError),
        (NoReadyAccount("x"), openai.InternalServerError),
        (QuotaExceeded("x"), openai.RateLimitError),
    ],
)
async def test_failures_are_the_sdks_own(
    sdk: openai.AsyncOpenAI, turns: ScriptedTurns, error: GatewayError, raised: type[openai.APIStatusError]
) -> None:
    turns.script = scripted(then=error)
    with pytest.raises(raised) as caught:
        await sdk.chat.completions.create(model="m", messages=HELLO)
    assert caught.value.code == error.fault.code
    assert caught.value.request_id


@pytest.mark.parametrize(("error", "attempts"), [(UpstreamLost("x", retry_after_s=0.001), 3), (QuotaExceeded("x"), 1)])
async def test_the_sdk_repeats_what_may_succeed_and_nothing_else(
    sdk: openai.AsyncOpenAI, turns: ScriptedTurns, error: GatewayError, attempts: int
) -> None:
    turns.script = scripted(then=error)
    before = turns.begun
    with pytest.raises(openai.APIStatusError):
        await sdk.with_options(max_retries=2).chat.completions.create(model="m", messages=HELLO)
    assert turns.begun - before == attempts


async def test_a_second_request_under_the_same_key_costs_no_second_turn(
    sdk: openai.AsyncOpenAI, turns: ScriptedTurns
) -> None:
    turns.script = scripted(answer([(PartKind.TEXT, "Hi")]))
    before = turns.begun
    made = [
        await sdk.chat.completions.create(model="m", messages=HELLO, extra_headers={"Idempotency-Key": "sdk-1"})
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert turns.begun - before == 1
