"""The official Anthropic SDK for JavaScript."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.support import HERE, node, run
from tests.lingma_gateway.api.conftest import Gateway

Case = Callable[..., Any]
MODEL = {"model": "claude-sonnet-4-5", "max_tokens": 2000}
THINKING = {"type": "enabled", "budget_tokens": 1024}


@pytest.fixture
def sdk(gateway: Gateway, tmp_path: Path) -> Case:
    """Runs a case of anthropic.mjs with these fields."""

    def case(name: str, **fields: Any) -> Any:
        environment = {"GATEWAY_URL": gateway.url, "GATEWAY_KEY": gateway.key}
        return run([node(), str(HERE / "anthropic.mjs"), name, json.dumps(fields)], tmp_path, environment).json()

    return case


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_it_lists_the_models(sdk: Case) -> None:
    assert "org_auto" in sdk("models")


def test_it_is_answered_by_a_message(sdk: Case) -> None:
    message = sdk("message", **MODEL, messages=user("Hello"))
    assert [block["text"] for block in message["content"]] == ["echo: Hello"]
    assert message["stop_reason"] == "end_turn"
    assert message["usage"]["output_tokens"] > 0


def test_it_streams_the_events_of_a_message(sdk: Case) -> None:
    events = sdk("stream", **MODEL, messages=user("@sim say 你好 🌍\n@sim chunks 4"))
    kinds = [event["type"] for event in events if event["type"] != "ping"]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta") == "你好 🌍"


def test_its_helper_collects_thinking_and_text(sdk: Case) -> None:
    answer = sdk("helper", **MODEL, thinking=THINKING, messages=user("@sim think Hm.\n@sim say Yes."))
    assert [block["type"] for block in answer["message"]["content"]] == ["thinking", "text"]
    assert answer["text"] == "Yes."


def test_a_stop_sequence_ends_the_message(sdk: Case) -> None:
    messages = user("@sim say one STOP two\n@sim chunks 9")
    message = sdk("message", **MODEL, messages=messages, stop_sequences=["STOP"])
    assert message["content"][0]["text"] == "one "
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "STOP")


def test_tokens_are_counted(sdk: Case) -> None:
    few = sdk("countTokens", model=MODEL["model"], messages=user("Hello"))["input_tokens"]
    many = sdk("countTokens", model=MODEL["model"], messages=user("Hello " * 1000))["input_tokens"]
    assert 0 < few < many


def test_its_runner_executes_tools_until_there_is_an_answer(sdk: Case) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    prompt = '@sim call weather {"city": "Bonn"}\n@sim then\n@sim say It is {{result}}.'
    tools = [{"name": "weather", "input_schema": schema, "result": "raining"}]
    answer = sdk("toolRunner", **MODEL, messages=user(prompt), tools=tools)
    assert answer["calls"] == [["weather", {"city": "Bonn"}]]
    assert answer["message"]["content"][-1]["text"] == "It is raining."


def test_errors_are_the_sdks_own(sdk: Case) -> None:
    wrong = sdk("wrongKey", **MODEL, messages=user("Hello"))["error"]
    assert (wrong["name"], wrong["status"], wrong["type"]) == ("AuthenticationError", 401, "authentication_error")
    empty = sdk("message", **MODEL, messages=[])["error"]
    assert (empty["name"], empty["type"]) == ("BadRequestError", "invalid_request_error")
    failed = sdk("message", **MODEL, messages=user("@sim fail 500 out of order"))["error"]
    assert (failed["status"], failed["type"]) == (502, "api_error")
    assert failed["requestID"]


def test_a_stream_that_breaks_off_is_an_error_and_not_an_answer(sdk: Case) -> None:
    messages = user("@sim say half an answer\n@sim chunks 2\n@sim fail 500 out of order")
    assert "error" in sdk("helper", **MODEL, messages=messages)
