from typing import Any

import pytest

from lingma_gateway.conversation import ChoiceMode, Message, Role, Text, Tool, ToolChoice, Turn
from lingma_gateway.prompting.toolconfig import tool_config

AUTO = ToolChoice()
READ = Tool("Read", "Reads a file", '{"type": "object"}')


def turn(*tools: Tool, choice: ToolChoice = AUTO) -> Turn:
    return Turn(None, (Message(Role.USER, (Text("Hello"),)),), stream=False, tools=tools, tool_choice=choice)


def test_a_turn_without_tools_has_none() -> None:
    assert tool_config(turn()) == {}


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (AUTO, "auto"),
        (ToolChoice(ChoiceMode.NONE), "none"),
        (ToolChoice(ChoiceMode.REQUIRED), "required"),
        (ToolChoice(ChoiceMode.REQUIRED, ("Read", "Write")), "required"),
        (ToolChoice(ChoiceMode.REQUIRED, ("Read",)), {"type": "function", "function": {"name": "Read"}}),
    ],
)
def test_tools_and_choice_are_in_openais_form(choice: ToolChoice, said: Any) -> None:
    assert tool_config(turn(READ, choice=choice)) == {
        "provider": "openai",
        "tools": [
            {
                "type": "function",
                "function": {"name": "Read", "description": "Reads a file", "parameters": {"type": "object"}},
            }
        ],
        "tool_choice": said,
    }
