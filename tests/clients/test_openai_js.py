"""The official OpenAI SDK for JavaScript."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lingma_contract.names import Metric
from tests.clients.support import HERE, node, run
from tests.lingma_gateway.api.conftest import Gateway

Case = Callable[..., Any]
WEATHER = {
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
def sdk(gateway: Gateway, tmp_path: Path) -> Case:
    """Runs a case of openai.mjs with these fields."""

    def case(name: str, **fields: Any) -> Any:
        environment = {"GATEWAY_URL": gateway.url, "GATEWAY_KEY": gateway.key}
        return run([node(), str(HERE / "openai.mjs"), name, json.dumps(fields)], tmp_path, environment).json()

    return case


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_it_lists_the_models(sdk: Case) -> None:
    assert "org_auto" in sdk("models")
    assert sdk("model", id="org_auto")["id"] == "org_auto"


def test_it_chats(sdk: Case) -> None:
    answer = sdk("chat", model="org_auto", messages=user("Hello"))
    assert answer["choices"][0]["message"]["content"] == "echo: Hello"
    assert answer["usage"]["total_tokens"] > 0


def test_it_streams_a_chat(sdk: Case) -> None:
    options = {"include_usage": True}
    messages = user("@sim say 你好 🌍\n@sim chunks 4")
    chunks = sdk("chatStream", model="org_auto", messages=messages, stream_options=options)
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks[:-1]) == "你好 🌍"
    assert chunks[-1]["usage"]["completion_tokens"] > 0


def test_its_helper_collects_a_stream(sdk: Case) -> None:
    answer = sdk("chatHelper", model="org_auto", messages=user("@sim say one two three\n@sim chunks 3"))
    assert answer["content"] == "one two three"
    assert answer["completion"]["choices"][0]["finish_reason"] == "stop"


def test_its_runner_executes_tools_until_there_is_an_answer(sdk: Case) -> None:
    prompt = '@sim call weather {"city": "Bonn"}\n@sim then\n@sim say It is {{result}}.'
    tools = [{**WEATHER, "result": "raining"}]
    answer = sdk("chatTools", model="org_auto", messages=user(prompt), tools=tools)
    assert answer == {"calls": [["weather", {"city": "Bonn"}]], "content": "It is raining."}


def test_it_is_answered_by_a_response(sdk: Case) -> None:
    response = sdk("response", model="org_auto", input="Hello")
    assert response["output_text"] == "echo: Hello"
    assert sdk("retrieve", id=response["id"])["id"] == response["id"]
    sdk("remove", id=response["id"])
    assert sdk("retrieve", id=response["id"])["error"]["status"] == 404


def test_its_helper_collects_a_streamed_response(sdk: Case) -> None:
    answer = sdk("responseHelper", model="org_auto", input="@sim say one two three\n@sim chunks 3")
    assert answer["response"]["output_text"] == "one two three"
    assert answer["events"][0] == "response.created"
    assert answer["events"][-1] == "response.completed"


def test_a_previous_response_is_continued(sdk: Case) -> None:
    first = sdk("response", model="org_auto", input="My name is Ada.")
    second = sdk("response", model="org_auto", input="@sim recall", previous_response_id=first["id"])
    assert "My name is Ada." in second["output_text"]


@pytest.mark.parametrize("case", ["chat", "chatHelper"])
def test_structured_output_is_what_the_schema_says(sdk: Case, case: str) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "number", "strict": True, "schema": schema}}
    messages = user('@sim say The number is {"n": "many"}\n@sim then\n@sim say {"n": 7}')
    answer = sdk(case, model="org_auto", messages=messages, response_format=wanted)
    message = (answer.get("completion") or answer)["choices"][0]["message"]
    assert json.loads(message["content"]) == {"n": 7}


def test_errors_are_the_sdks_own(sdk: Case) -> None:
    wrong = sdk("wrongKey", model="org_auto", messages=user("Hello"))["error"]
    assert (wrong["name"], wrong["status"]) == ("AuthenticationError", 401)
    empty = sdk("chat", model="org_auto", messages=[])["error"]
    assert (empty["name"], empty["param"]) == ("BadRequestError", "messages")
    failed = sdk("chat", model="org_auto", messages=user("@sim fail 500 out of order"))["error"]
    assert (failed["status"], failed["type"]) == (502, "upstream_error")


def test_what_may_pass_is_tried_again_and_what_may_not_is_not(sdk: Case, gateway: Gateway) -> None:
    def tries(messages: list[dict[str, str]]) -> int:
        before = answered(gateway)
        assert "error" in sdk("retries", retries=2, model="org_auto", messages=messages)
        return answered(gateway) - before

    assert tries(user("@sim fail 500 out of order")) == 3
    assert tries([]) == 1


def answered(gateway: Gateway) -> int:
    """Chats that the gateway has answered, by its metrics."""
    with gateway.client() as client:
        families = text_string_to_metric_families(client.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples]
    return sum(
        int(each.value) for each in samples if each.name == Metric.REQUESTS and each.labels["dialect"] == "openai"
    )


def test_a_stream_that_breaks_off_is_an_error_and_not_an_answer(sdk: Case) -> None:
    messages = user("@sim say half an answer\n@sim chunks 2\n@sim fail 500 out of order")
    assert "error" in sdk("chatHelper", model="org_auto", messages=messages)
