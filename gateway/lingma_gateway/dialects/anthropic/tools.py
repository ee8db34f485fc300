"""The tools that a client offers, and its choice among them."""

from collections.abc import Mapping
from typing import Any

from lingma_gateway.conversation import ChoiceMode, Tool, ToolChoice
from lingma_gateway.dialects.anthropic.reading import boolean, items, json_text, obj, optional_string, refusal, string

_MODES = {"auto": ChoiceMode.AUTO, "any": ChoiceMode.REQUIRED, "tool": ChoiceMode.REQUIRED, "none": ChoiceMode.NONE}


def tools(value: Any) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    """The tools that the client describes itself, and the types of the others.

    Those others (`web_search_20250305`, `bash_20250124`, …) are described nowhere but in Anthropic's models. A tool
    with `defer_loading` is like any other: the client sends one that it defers only when it may be called.
    """
    described: dict[str, Tool] = {}
    unknown: dict[str, None] = {}
    for position, item in enumerate(items(value, "tools")):
        where = f"tools.{position}"
        fields = obj(item, where)
        kind = optional_string(fields, "type", where) or "custom"
        if kind != "custom":
            unknown[kind] = None
            continue
        tool = _tool(fields, where)
        if tool.name in described:
            raise refusal("tools", "Tool names must be unique.")
        described[tool.name] = tool
    return tuple(described.values()), tuple(unknown)


def _tool(fields: Mapping[str, Any], where: str) -> Tool:
    name = string(fields, "name", where)
    if not name:
        raise refusal(f"{where}.name", "String should have at least 1 character")
    schema = fields.get("input_schema")
    described = [optional_string(fields, "description", where)]
    for position, example in enumerate(items(fields.get("input_examples"), f"{where}.input_examples")):
        described.append(f"Example of its input: {json_text(example, f'{where}.input_examples.{position}')}")
    return Tool(
        name,
        "\n".join(filter(None, described)),
        "{}" if schema is None else json_text(obj(schema, f"{where}.input_schema"), f"{where}.input_schema"),
        strict=boolean(fields, "strict", where),
    )


def choice(value: Any, offered: tuple[Tool, ...]) -> tuple[ToolChoice, bool]:
    """The choice, and whether several calls may come in one answer.

    Raises:
        InvalidRequest: it is malformed, or wants a call of a tool that there is not.
    """
    if value is None:
        return ToolChoice(), True
    fields = obj(value, "tool_choice")
    kind = string(fields, "type", "tool_choice")
    if kind not in _MODES:
        raise refusal("tool_choice.type", "Input should be 'auto', 'any', 'tool' or 'none'")
    mode, parallel = _MODES[kind], not boolean(fields, "disable_parallel_tool_use", "tool_choice")
    if kind == "tool":
        name = string(fields, "name", "tool_choice")
        if all(tool.name != name for tool in offered):
            raise refusal("tool_choice.name", f"Tool '{name}' not found in provided tools")
        return ToolChoice(mode, (name,)), parallel
    if mode is ChoiceMode.REQUIRED and not offered:
        raise refusal("tool_choice", "there is no tool in tools that could be called")
    return ToolChoice(mode), parallel
