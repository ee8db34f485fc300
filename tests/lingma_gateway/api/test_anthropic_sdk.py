"""The official anthropic SDK, blocking and asynchronous, against the gateway."""

from collections.abc import AsyncIterator, Iterator

import anthropic
import pytest
import pytest_asyncio
from anthropic import beta_tool
from anthropic.types import MessageParam

from tests.lingma_gateway.api.conftest import Gateway

HELLO: list[MessageParam] = [{"role": "user", "content": "Hello"}]


def asked(text: str) -> list[MessageParam]:
    return [{"role": "user", "content": text}]


@pytest.fixture
def sdk(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client:
        yield client


@pytest_asyncio.fixture
async def async_sdk(gateway: Gateway) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client:
        yield client


def text_of(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_the_sdk_chats(sdk: anthropic.Anthropic) -> None:
    message = sdk.messages.create(model="claude-sonnet-9", max_tokens=64, messages=HELLO, system="Be kind.")
    assert "Hello" in text_of(message)
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens > 0
    assert message._request_id


def test_the_sdk_streams_raw_events(sdk: anthropic.Anthropic) -> None:
    messages = asked("@sim say 你好 🌍\n@sim chunks 4")
    events = list(sdk.messages.create(model="org_auto", max_tokens=64, messages=messages, stream=True))
    deltas = [event.delta for event in events if event.type == "content_block_delta"]
    assert "".join(delta.text for delta in deltas if delta.type == "text_delta") == "你好 🌍"
    assert events[-1].type == "message_stop"


def test_the_sdks_helper_collects_a_stream_with_its_thinking(sdk: anthropic.Anthropic) -> None:
    with sdk.messages.stream(
        model="org_auto",
        max_tokens=2048,
        messages=asked("@sim think because\n@sim say so\n@sim chunks 2"),
        thinking={"type": "enabled", "budget_tokens": 1024},
    ) as stream:
        assert "".join(stream.text_stream) == "so"
        message = stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.usage.input_tokens > 0


async def test_the_asynchronous_sdk_chats_and_streams(async_sdk: anthropic.AsyncAnthropic) -> None:
    message = await async_sdk.messages.create(model="org_auto", max_tokens=64, messages=HELLO)
    assert text_of(message) == "echo: Hello"
    async with async_sdk.messages.stream(model="org_auto", max_tokens=64, messages=HELLO) as stream:
        assert await stream.get_final_text() == "echo: Hello"


async def test_the_sdk_counts_tokens(sdk: anthropic.Anthropic, async_sdk: anthropic.AsyncAnthropic) -> None:
    counted = sdk.messages.count_tokens(model="org_auto", messages=HELLO)
    assert counted.input_tokens > 0
    assert await async_sdk.messages.count_tokens(model="org_auto", messages=HELLO) == counted


def test_a_count_is_close_to_what_the_answer_says(sdk: anthropic.Anthropic) -> None:
    messages = asked("@sim fault no-usage-log\n" + "word " * 400)
    counted = sdk.messages.count_tokens(model="org_auto", messages=messages).input_tokens
    message = sdk.messages.create(model="org_auto", max_tokens=64, messages=messages)
    assert abs(message.usage.input_tokens - counted) <= counted * 0.1


def test_the_sdk_lists_and_finds_models(sdk: anthropic.Anthropic) -> None:
    ids = [model.id for model in sdk.models.list(limit=1)]  # by pages of one
    assert "org_auto" in ids
    assert len(ids) == len(set(ids)) > 1
    assert sdk.models.retrieve("claude-sonnet-4-5").lifecycle == "active"
    with pytest.raises(anthropic.NotFoundError):
        sdk.models.retrieve("gpt-9")


def test_the_sdk_raises_its_own_errors(sdk: anthropic.Anthropic, gateway: Gateway) -> None:
    with pytest.raises(anthropic.BadRequestError, match="at least one message") as refused:
        sdk.messages.create(model="org_auto", max_tokens=64, messages=[])
    assert refused.value.type == "invalid_request_error"
    assert refused.value.request_id
    wrong = anthropic.Anthropic(base_url=gateway.url, api_key="sk-wrong", max_retries=0)
    with wrong, pytest.raises(anthropic.AuthenticationError):
        wrong.messages.create(model="org_auto", max_tokens=64, messages=HELLO)
    with pytest.raises(anthropic.InternalServerError) as failed:
        sdk.messages.create(model="org_auto", max_tokens=64, messages=asked("@sim fail 500 out of order"))
    assert failed.value.status_code == 502


def test_the_sdk_raises_what_breaks_a_stream_off(sdk: anthropic.Anthropic) -> None:
    prompt = "@sim say a b c d\n@sim chunks 4\n@sim fail 500 broken"
    read: list[str] = []
    with (
        pytest.raises(anthropic.APIStatusError) as broken,
        sdk.messages.stream(model="org_auto", max_tokens=64, messages=asked(prompt)) as stream,
    ):
        for text in stream.text_stream:
            read.append(text)  # noqa: PERF402 - a list of them would be lost with the error
    assert "".join(read) == "a b c d"
    assert broken.value.type == "api_error"
    assert broken.value.request_id


@beta_tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"rain in {city}"


def test_the_tool_runner_goes_on_without_a_thread(sdk: anthropic.Anthropic, gateway: Gateway) -> None:
    runner = sdk.beta.messages.tool_runner(
        model="org_auto",
        max_tokens=64,
        tools=[weather],
        messages=[{"role": "user", "content": "@sim say Hello"}],
        extra_headers={"x-request-id": "runner"},
    )
    message = runner.until_done()
    assert message.content[0].type == "text"
    assert "Hello" in message.content[0].text
    assert gateway.program.wait_for("access", request_id="runner")["error"] == "thread_unsupported_request"
    assert gateway.program.wait_for("access", request_id="runner")["status"] == 200
