from typing import Any

import pytest

from lingma_gateway.conversation import ChoiceMode, Tool, ToolChoice, ToolKind, Turn
from lingma_gateway.errors import InvalidRequest
from tests.lingma_gateway.dialects.openai_chat.support import parse

SCHEMA = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "integer"}}}
NAMELESS = {"type": "allowed_tools", "allowed_tools": {"tools": [{"type": "function", "function": {}}]}}


def function(name: str = "weather", **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **fields}}


def custom(name: str = "patch", **fields: Any) -> dict[str, Any]:
    return {"type": "custom", "custom": {"name": name, **fields}}


def turn(**fields: Any) -> Turn:
    return parse(**fields).turn


def chosen(choice: Any, *tools: dict[str, Any]) -> ToolChoice:
    return turn(tools=list(tools or (function(), function("time"), custom())), tool_choice=choice).tool_choice


def test_a_function_keeps_its_schema_as_it_was_written() -> None:
    tools = [function(description="Says", parameters=SCHEMA, strict=True), function("time", parameters=None)]
    schema = '{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"integer"}}}'
    assert turn(tools=tools).tools == (Tool("weather", "Says", schema, strict=True), Tool("time"))


@pytest.mark.parametrize(
    ("form", "grammar"),
    [
        (None, ""),
        ({"type": "text"}, ""),
        ({"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: A"}}, "start: A"),
        ({"type": "grammar", "syntax": "lark", "definition": "start: A"}, "start: A"),
    ],
)
def test_a_custom_tool_takes_free_text_by_its_grammar(form: Any, grammar: str) -> None:
    tools = [custom(description="Edits", format=form)]
    assert turn(tools=tools).tools == (Tool("patch", "Edits", kind=ToolKind.CUSTOM, grammar=grammar),)


def test_kinds_of_tools_that_are_not_served_are_ignored_and_named() -> None:
    made = turn(tools=[{"type": "web_search"}, function(), {"type": "mcp", "server": "x"}])
    assert [tool.name for tool in made.tools] == ["weather"]
    assert made.ignored == ("tools.mcp", "tools.web_search")


def test_a_tool_that_is_said_twice_in_the_same_words_is_one_tool() -> None:
    assert turn(tools=[function(), function()]).tools == (Tool("weather"),)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, ToolChoice()),
        ("auto", ToolChoice()),
        ("none", ToolChoice(ChoiceMode.NONE)),
        ("required", ToolChoice(ChoiceMode.REQUIRED)),
        (function("time"), ToolChoice(ChoiceMode.REQUIRED, ("time",))),
        ({"type": "function", "name": "time"}, ToolChoice(ChoiceMode.REQUIRED, ("time",))),
        (custom(), ToolChoice(ChoiceMode.REQUIRED, ("patch",))),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [function("time"), custom()]}},
            ToolChoice(ChoiceMode.AUTO, ("time", "patch")),
        ),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "name": "time"}, function("time")],
                },
            },
            ToolChoice(ChoiceMode.REQUIRED, ("time",)),
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"tools": [{"type": "function", "name": "time"}]}},
            ToolChoice(ChoiceMode.AUTO, ("time",)),
        ),
        ({"type": "allowed_tools", "allowed_tools": {"tools": []}}, ToolChoice(ChoiceMode.NONE)),
    ],
)
def test_the_choice_says_whether_which_tools_must_or_may_be_called(choice: Any, expected: ToolChoice) -> None:
    assert chosen(choice) == expected


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_a_choice_without_tools_is_fine_where_it_requires_nothing(choice: str) -> None:
    assert turn(tools=[], tool_choice=choice).tool_choice == ToolChoice(ChoiceMode(choice))


def test_a_choice_among_tools_that_are_not_served_is_ignored_and_named() -> None:
    made = turn(tools=[{"type": "web_search"}], tool_choice="required")
    assert made.tool_choice == ToolChoice()
    assert made.ignored == ("tool_choice", "tools.web_search")
    assert turn(tools=[function()], tool_choice={"type": "web_search"}).ignored == ("tool_choice",)
    allowed = {"type": "allowed_tools", "allowed_tools": {"tools": [{"type": "mcp"}, function()]}}
    made = turn(tools=[function()], tool_choice=allowed)
    assert made.tool_choice == ToolChoice(ChoiceMode.AUTO, ("weather",))
    assert made.ignored == ("tool_choice",)


def test_one_call_at_a_time_is_the_clients_wish() -> None:
    assert turn().parallel_tool_calls
    assert not turn(parallel_tool_calls=False).parallel_tool_calls


# The form before `tools`


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, ToolChoice()),
        ("auto", ToolChoice()),
        ("none", ToolChoice(ChoiceMode.NONE)),
        ({"name": "time"}, ToolChoice(ChoiceMode.REQUIRED, ("time",))),
    ],
)
def test_functions_are_tools_of_which_one_is_called_at_a_time(choice: Any, expected: ToolChoice) -> None:
    request = parse(functions=[{"name": "weather", "parameters": SCHEMA}, {"name": "time"}], function_call=choice)
    assert [tool.name for tool in request.turn.tools] == ["weather", "time"]
    assert request.turn.tool_choice == expected
    assert not request.turn.parallel_tool_calls
    assert request.as_function_call


def test_the_newer_choice_counts_for_functions_unless_the_older_one_says_otherwise() -> None:
    named = {"type": "function", "function": {"name": "time"}}
    both = [{"name": "weather"}, {"name": "time"}]
    newer = parse(functions=both, tool_choice=named)
    assert newer.turn.tool_choice == ToolChoice(ChoiceMode.REQUIRED, ("time",))
    assert newer.turn.ignored == ()
    older = parse(functions=both, tool_choice=named, function_call="auto")
    assert older.turn.tool_choice == ToolChoice()
    assert older.turn.ignored == ("tool_choice",)


def test_functions_beside_tools_are_ignored_and_named() -> None:
    request = parse(tools=[function()], functions=[{"name": "time"}], function_call="none")
    assert [tool.name for tool in request.turn.tools] == ["weather"]
    assert request.turn.ignored == ("function_call", "functions")
    assert not request.as_function_call


# Errors


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": ["weather"]}, "tools[0]"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "custom"}]}, "tools[0].custom"),
        ({"tools": [function("")]}, "tools[0].function.name"),
        ({"tools": [function(description=3)]}, "tools[0].function.description"),
        ({"tools": [function(parameters=[])]}, "tools[0].function.parameters"),
        ({"tools": [function(strict=3)]}, "tools[0].function.strict"),
        ({"tools": [function(), function(description="other")]}, "tools[1].function.name"),
        ({"tools": [{"type": "custom", "custom": {"name": 3}}]}, "tools[0].custom.name"),
        ({"tools": [custom(format=3)]}, "tools[0].custom.format"),
        ({"tools": [custom(format={"type": "grammar", "grammar": 3})]}, "tools[0].custom.format.grammar"),
        (
            {"tools": [custom(format={"type": "grammar", "definition": 3})]},
            "tools[0].custom.format.grammar.definition",
        ),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tool_choice": 3}, "tool_choice"),
        ({"tool_choice": {}}, "tool_choice.type"),
        ({"tool_choice": function("time")}, "tool_choice.function.name"),
        ({"tool_choice": {"type": "function", "function": 3}}, "tool_choice.function"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools"),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "none"}}},
            "tool_choice.allowed_tools.mode",
        ),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": 3}}},
            "tool_choice.allowed_tools.tools",
        ),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": [3]}}},
            "tool_choice.allowed_tools.tools[0]",
        ),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": [function("time")]}}},
            "tool_choice.allowed_tools.tools[0].function.name",
        ),
        ({"functions": {"name": "a"}}, "functions"),
        ({"functions": [3]}, "functions[0]"),
        ({"functions": [{}]}, "functions[0].name"),
        ({"functions": [{"name": "a"}], "function_call": {"name": "b"}}, "function_call.name"),
        ({"functions": [{"name": "a"}], "function_call": 3}, "function_call"),
        ({"function_call": {}}, "function_call.name"),
        ({"functions": [{"name": "a"}], "tool_choice": NAMELESS}, "tool_choice.allowed_tools.tools[0].function.name"),
    ],
)
def test_an_error_names_the_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(**fields)
    assert caught.value.param == param
    assert caught.value.message.startswith(param)
