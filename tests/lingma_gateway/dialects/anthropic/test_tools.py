"""The tools of a request, and its choice among them."""

from typing import Any

import pytest

from lingma_gateway.conversation import (
    ChoiceMode,
    Tool,
    ToolChoice,
)
from tests.lingma_gateway.dialects.anthropic.support_requests import READ, turn


def test_a_tool_is_described_with_its_schema_in_the_clients_order_and_its_examples() -> None:
    described = {**READ, "type": "custom", "strict": True, "input_examples": [{"z": "a"}, {"z": "b"}]}
    assert turn(tools=[described]).tools == (
        Tool(
            "read",
            'Reads a file.\nExample of its input: {"z":"a"}\nExample of its input: {"z":"b"}',
            '{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}}}',
            strict=True,
        ),
    )


def test_tools_that_only_anthropics_models_know_are_named_as_ignored() -> None:
    asked = turn(
        tools=[
            {"type": "web_search_20250305", "name": "web_search"},
            {"type": None, "name": "read"},
            {"type": "bash_20250124", "name": "bash"},
        ],
        temperature=1,
    )
    assert asked.tools == (Tool("read"),)
    assert asked.ignored == ("temperature", "web_search_20250305", "bash_20250124")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, ToolChoice()),
        ({"type": "auto"}, ToolChoice()),
        ({"type": "any"}, ToolChoice(ChoiceMode.REQUIRED)),
        ({"type": "none"}, ToolChoice(ChoiceMode.NONE)),
        ({"type": "tool", "name": "read"}, ToolChoice(ChoiceMode.REQUIRED, ("read",))),
    ],
)
def test_the_choice_of_a_tool_is_kept(choice: Any, expected: ToolChoice) -> None:
    asked = turn(tools=[READ], tool_choice=choice)
    assert asked.tool_choice == expected
    assert asked.parallel_tool_calls


@pytest.mark.parametrize("choice", ["auto", "any", "none"])
def test_one_call_an_answer_is_wanted_by_any_choice(choice: str) -> None:
    assert not turn(tools=[READ], tool_choice={"type": choice, "disable_parallel_tool_use": True}).parallel_tool_calls
