"""The tools that a request offers, and its choice among them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lingma_gateway.conversation import ChoiceMode, Tool, ToolChoice, ToolKind
from lingma_gateway.dialects.openai_responses.items import qualified
from lingma_gateway.dialects.openai_responses.reading import (
    array,
    at,
    boolean,
    json_text,
    obj,
    optional_text,
    required_text,
)
from lingma_gateway.errors import InvalidRequest

_MODES = {mode.value: mode for mode in ChoiceMode}
_OURS = ("function", "custom")
_NAMESPACE = "namespace"


@dataclass(slots=True)
class Offer:
    """The tools that the client executes, by name, and the kinds of the others."""

    tools: dict[str, Tool] = field(default_factory=dict)
    others: dict[str, None] = field(default_factory=dict)

    def read(self, declared: Iterable[tuple[Any, str]]) -> None:
        """Add tools, each with the field that holds it. Of two with one name the first counts: an item may bring a
        tool again that the request has.

        Raises:
            InvalidRequest: one is malformed.
        """
        for value, where in declared:
            self._add(obj(value, where), where, namespace="")

    def _add(self, fields: Mapping[str, Any], where: str, namespace: str) -> None:
        kind = required_text(fields, "type", where)
        if kind == _NAMESPACE and not namespace:
            name, place = required_text(fields, "name", where), at(where, "tools")
            for position, inner in enumerate(array(fields.get("tools"), place)):
                self._add(obj(inner, f"{place}[{position}]"), f"{place}[{position}]", name)
        elif kind in _OURS:
            tool = _tool(kind, fields, where, namespace)
            self.tools.setdefault(tool.name, tool)
        else:
            self.others[kind] = None

    def choice(self, value: Any) -> tuple[ToolChoice, bool]:
        """The choice, and whether it is about tools that are not served and so has no effect.

        Raises:
            InvalidRequest: it is malformed, or wants a call of a tool that there is not.
        """
        where = "tool_choice"
        if value is None:
            return ToolChoice(), False
        if isinstance(value, str):
            return self._mode(value)
        fields = obj(value, where)
        kind = required_text(fields, "type", where)
        if kind in _OURS:
            name = self._named(fields, where)
            return ToolChoice(ChoiceMode.REQUIRED, (name,)), False
        if kind == "allowed_tools":
            return self._allowed(fields)
        return ToolChoice(), True

    def _mode(self, value: str) -> tuple[ToolChoice, bool]:
        mode = _MODES.get(value)
        if mode is None:
            supported = ", ".join(f"'{name}'" for name in _MODES)
            raise InvalidRequest(
                f"Invalid value: '{value[:64]}'. Supported values are: {supported}.", param="tool_choice"
            )
        if mode is not ChoiceMode.REQUIRED or self.tools:
            return ToolChoice(mode), False
        if self.others:
            return ToolChoice(), True
        raise InvalidRequest("Tool choice 'required' must be specified with 'tools' parameter.", param="tool_choice")

    def _named(self, fields: Mapping[str, Any], where: str) -> str:
        name = qualified(required_text(fields, "name", where), optional_text(fields, "namespace", where))
        if name not in self.tools:
            kind = fields["type"]
            raise InvalidRequest(
                f"Tool choice '{kind}' not found in 'tools' parameter: {name[:64]}", param="tool_choice"
            )
        return name

    def _allowed(self, fields: Mapping[str, Any]) -> tuple[ToolChoice, bool]:
        where = "tool_choice"
        mode = optional_text(fields, "mode", where) or "auto"
        if mode not in ("auto", "required"):
            message = f"Invalid value: '{mode[:64]}'. Supported values are: 'auto', 'required'."
            raise InvalidRequest(message, param=at(where, "mode"))
        names: dict[str, None] = {}
        others = False
        for position, item in enumerate(array(fields.get("tools"), at(where, "tools"))):
            place = f"{where}.tools[{position}]"
            allowed = obj(item, place)
            kind = required_text(allowed, "type", place)
            if kind in _OURS:
                names[self._named(allowed, place)] = None
            elif kind == _NAMESPACE:
                within = required_text(allowed, "name", place)
                names |= {tool.name: None for tool in self.tools.values() if tool.namespace == within}
            else:
                others = True
        # With no name left, none of the tools that are allowed is served: nothing may be called.
        return (ToolChoice(_MODES[mode], tuple(names)) if names else ToolChoice(ChoiceMode.NONE)), others


def _tool(kind: str, fields: Mapping[str, Any], where: str, namespace: str) -> Tool:
    name = qualified(required_text(fields, "name", where), namespace)
    described = optional_text(fields, "description", where)
    if kind == "custom":
        grammar = _grammar(fields.get("format"), at(where, "format"))
        return Tool(name, described, kind=ToolKind.CUSTOM, namespace=namespace, grammar=grammar)
    parameters, place = fields.get("parameters"), at(where, "parameters")
    schema = "{}" if parameters is None else json_text(obj(parameters, place), place)
    return Tool(name, described, schema, strict=boolean(fields, "strict", where), namespace=namespace)


def _grammar(value: Any, where: str) -> str:
    if value is None:
        return ""
    fields = obj(value, where)
    if fields.get("type") != "grammar":
        return ""
    return optional_text(fields, "definition", where)
