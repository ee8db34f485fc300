"""A call that stands as one JSON object: whose it is, and what its arguments are, in every shape that models use."""

from dataclasses import dataclass
from typing import Any

from lingma_gateway.conversation import Tool, ToolKind
from lingma_gateway.tools.repair import Unreadable, read_json
from lingma_gateway.tools.schema import schema_of
from lingma_gateway.tools.toolset import ToolSet

_NAME_KEYS = ("name", "tool", "tool_name", "recipient_name", "function")
_ARGUMENT_KEYS = ("arguments", "parameters", "input", "args")
_BESIDE = frozenset(("id", "type", "result", "index", "call_id", "tool_call_id"))
"""What may stand beside the arguments of a call whose arguments have no key of their own. A `result` is invented."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one object asks for. `arguments` is not checked yet; for a custom tool it may be a text."""

    name: str
    tool: Tool | None
    arguments: Any


def calls_in(value: Any, toolset: ToolSet) -> list[Asked] | None:
    """The calls of an object, or of a list of them; None where it is neither."""
    if isinstance(value, dict):
        inner = value.get("tool_calls")
        return calls_in(inner, toolset) if isinstance(inner, list) and "name" not in value else [_asked(value, toolset)]
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return [_asked(item, toolset) for item in value]
    return None


def _asked(value: dict[str, Any], toolset: ToolSet) -> Asked:
    function = value.get("function")
    if isinstance(function, dict):
        return _asked({**{key: value[key] for key in value if key != "function"}, **function}, toolset)
    name_key = next((key for key in _NAME_KEYS if isinstance(value.get(key), str)), None)
    if name_key is None or (toolset.only and _is_bare(value, toolset.only)):
        return Asked(toolset.only.name if toolset.only else "", toolset.only, value)
    name = value[name_key]
    tool = toolset.find(name)
    return Asked(name, tool, _arguments(value, name_key, tool))


def _is_bare(value: dict[str, Any], only: Tool) -> bool:
    """Whether the object is the arguments themselves: a tool may have an argument called `name`."""
    declared = schema_of(only.schema).properties
    return bool(value) and all(key in declared for key in value) and not any(key in value for key in _ARGUMENT_KEYS)


def _arguments(value: dict[str, Any], name_key: str, tool: Tool | None) -> Any:
    declared = schema_of(tool.schema).properties if tool else {}
    for key in _ARGUMENT_KEYS:
        if key in value and not (key in declared and not isinstance(value[key], dict | str)):
            return _unpacked(value[key], tool)
    return {key: item for key, item in value.items() if key != name_key and (key in declared or key not in _BESIDE)}


def _unpacked(given: Any, tool: Tool | None) -> Any:
    """Arguments that are themselves JSON in a string; null and an empty string are none."""
    if given is None or given == "":
        return {}
    if tool and tool.kind is ToolKind.CUSTOM:
        return given
    if isinstance(given, str):
        try:
            return read_json(given).value
        except Unreadable:
            return given
    return given
