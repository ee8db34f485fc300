"""The tools that a request offers, and whether the model may call them: in the present form, and in the one before."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from lingma_gateway.conversation import ChoiceMode, Tool, ToolChoice, ToolKind
from lingma_gateway.dialects.openai_chat.fields import boolean, items, mapping, name, string
from lingma_gateway.errors import InvalidRequest

_MODES = {mode.value: mode for mode in ChoiceMode}


@dataclass(frozen=True, slots=True)
class Offer:
    """What a request says about tools."""

    tools: tuple[Tool, ...] = ()
    choice: ToolChoice = ToolChoice()
    parallel: bool = True
    ignored: tuple[str, ...] = ()
    as_function_call: bool = False
    """The request has `functions` instead of `tools`."""


def read(fields: Mapping[str, Any]) -> Offer:
    """The tools of a request. `functions` and `function_call` only count where there is neither of the newer fields.

    Raises:
        InvalidRequest: a tool or the choice is malformed, or a tool is chosen that is not offered.
    """
    parallel = boolean(fields.get("parallel_tool_calls"), "parallel_tool_calls", default=True)
    older = [field for field in ("functions", "function_call") if fields.get(field) is not None]
    if fields.get("functions") and not fields.get("tools"):
        return _older(fields)
    if fields.get("function_call") is not None:
        _older_name(fields["function_call"])  # without an effect here, and malformed all the same
    declared = items(fields.get("tools"), "tools")
    tools, unknown = _tools(declared)
    choice, choice_ignored = _choice(fields.get("tool_choice"), tools, only_unknown=bool(unknown) and not tools)
    ignored = (*older, *(f"tools.{kind}" for kind in unknown), *(("tool_choice",) if choice_ignored else ()))
    return Offer(tools, choice, parallel, ignored)


def _older(fields: Mapping[str, Any]) -> Offer:
    functions = items(fields.get("functions"), "functions")
    tools = _unique(
        [
            (_function(item, f"functions[{position}]"), f"functions[{position}]")
            for position, item in enumerate(functions)
        ]
    )
    # The newer field counts here too, unless the older one says otherwise.
    choice, ignored = _choice(fields.get("tool_choice"), tools, only_unknown=False)
    wanted = fields.get("function_call")
    if wanted is not None:
        choice, ignored = _older_choice(wanted, tools), fields.get("tool_choice") is not None
    return Offer(tools, choice, False, ("tool_choice",) if ignored else (), as_function_call=True)


def _older_choice(wanted: Any, tools: tuple[Tool, ...]) -> ToolChoice:
    chosen = _older_name(wanted)
    return ToolChoice(_MODES[wanted]) if chosen is None else _named(chosen, "function_call.name", tools)


def _older_name(wanted: Any) -> str | None:
    """The function that `function_call` names; None where it is `auto` or `none`."""
    if wanted in ("auto", "none"):
        return None
    return name(mapping(wanted, "function_call").get("name"), "function_call.name")


def _tools(declared: list[Any]) -> tuple[tuple[Tool, ...], list[str]]:
    """The tools that the client executes, and the kinds of the others."""
    known: list[tuple[Tool, str]] = []
    unknown: list[str] = []
    for position, item in enumerate(declared):
        where = f"tools[{position}]"
        tool = mapping(item, where)
        kind = name(tool.get("type"), f"{where}.type")
        reader = _READERS.get(kind)
        if reader is None:
            unknown.append(kind)
        else:
            known.append((reader(tool.get(kind), f"{where}.{kind}"), f"{where}.{kind}"))
    return _unique(known), unknown


def _unique(tools: list[tuple[Tool, str]]) -> tuple[Tool, ...]:
    """The tools by name. One that is said twice in the same words is one tool."""
    named: dict[str, Tool] = {}
    for tool, where in tools:
        if named.setdefault(tool.name, tool) != tool:
            raise InvalidRequest(f"{where}.name is that of another tool: {tool.name[:64]!r}", param=f"{where}.name")
    return tuple(named.values())


def _function(value: Any, where: str) -> Tool:
    function = mapping(value, where)
    parameters = function.get("parameters")
    return Tool(
        name=name(function.get("name"), f"{where}.name"),
        description=string(function.get("description"), f"{where}.description"),
        schema="{}" if parameters is None else orjson.dumps(mapping(parameters, f"{where}.parameters")).decode(),
        strict=boolean(function.get("strict"), f"{where}.strict"),
    )


def _custom(value: Any, where: str) -> Tool:
    custom = mapping(value, where)
    return Tool(
        name=name(custom.get("name"), f"{where}.name"),
        description=string(custom.get("description"), f"{where}.description"),
        kind=ToolKind.CUSTOM,
        grammar=_grammar(custom.get("format"), f"{where}.format"),
    )


def _grammar(value: Any, where: str) -> str:
    if value is None:
        return ""
    wanted = mapping(value, where)
    if wanted.get("type") != "grammar":
        return ""
    # Published inside `grammar`; the Responses form, which some clients send here too, has it beside the type.
    grammar = mapping(wanted.get("grammar", wanted), f"{where}.grammar")
    return string(grammar.get("definition"), f"{where}.grammar.definition")


_READERS: Mapping[str, Callable[[Any, str], Tool]] = {"function": _function, "custom": _custom}


def _choice(value: Any, tools: tuple[Tool, ...], *, only_unknown: bool) -> tuple[ToolChoice, bool]:
    """The choice, and whether it could not be heeded because it is about tools that are not served."""
    where = "tool_choice"
    if value is None:
        return ToolChoice(), False
    if isinstance(value, str):
        if value not in _MODES:
            raise InvalidRequest(f"{where} must be one of {', '.join(_MODES)}, or an object", param=where)
        return _mode(_MODES[value], tools, only_unknown)
    chosen = mapping(value, where)
    match chosen.get("type"):
        case "function" | "custom" as kind:
            named = f"{where}.{kind}.name"
            # Some clients put the name beside the type, as the Responses API has it.
            inner = chosen.get(kind, chosen)
            return _named(name(mapping(inner, f"{where}.{kind}").get("name"), named), named, tools), False
        case "allowed_tools":
            return _allowed(chosen.get("allowed_tools"), f"{where}.allowed_tools", tools)
        case str():
            return ToolChoice(), True
        case _:
            raise InvalidRequest(f"{where}.type must be a string", param=f"{where}.type")


def _mode(mode: ChoiceMode, tools: tuple[Tool, ...], only_unknown: bool) -> tuple[ToolChoice, bool]:
    if mode is not ChoiceMode.REQUIRED or tools:
        return ToolChoice(mode), False
    if only_unknown:
        return ToolChoice(), True
    raise InvalidRequest("tool_choice requires a call and there are no tools", param="tool_choice")


def _named(chosen: str, where: str, tools: tuple[Tool, ...]) -> ToolChoice:
    if not any(tool.name == chosen for tool in tools):
        raise InvalidRequest(f"{where} is none of the tools: {chosen[:64]!r}", param=where)
    return ToolChoice(ChoiceMode.REQUIRED, (chosen,))


def _allowed(value: Any, where: str, tools: tuple[Tool, ...]) -> tuple[ToolChoice, bool]:
    wanted = mapping(value, where)
    mode = wanted.get("mode", "auto")
    if mode not in ("auto", "required"):
        raise InvalidRequest(f"{where}.mode must be auto or required", param=f"{where}.mode")
    names: list[str] = []
    unknown = False
    for position, item in enumerate(items(wanted.get("tools"), f"{where}.tools")):
        at = f"{where}.tools[{position}]"
        tool = mapping(item, at)
        kind = tool.get("type")
        if not isinstance(kind, str) or kind not in _READERS:
            unknown = True
            continue
        chosen = name(mapping(tool.get(kind, tool), f"{at}.{kind}").get("name"), f"{at}.{kind}.name")
        names += _named(chosen, f"{at}.{kind}.name", tools).allowed
    if names:
        return ToolChoice(_MODES[mode], tuple(dict.fromkeys(names))), unknown
    # None of those that are allowed is served: nothing may be called.
    return ToolChoice(ChoiceMode.NONE), unknown
