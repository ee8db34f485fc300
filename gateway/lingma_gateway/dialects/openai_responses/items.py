"""The items of an input as messages."""

from collections.abc import Iterable, Mapping
from typing import Any

from lingma_gateway.conversation import Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from lingma_gateway.dialects.openai_responses.content import Content, ContentReader
from lingma_gateway.dialects.openai_responses.reading import (
    Json,
    array,
    at,
    json_text,
    missing,
    obj,
    optional_text,
    required_text,
)
from lingma_gateway.errors import InvalidRequest

_ROLES = {
    "assistant": Role.ASSISTANT,
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
}
REFERENCE = "item_reference"
_TOOL_LISTS = frozenset({"additional_tools", "tool_search_output"})
"""Items that hold tools which may be called from then on, as the request's own."""
_CALL, _OUTPUT = "_call", "_call_output"
_ARGUMENTS = ("arguments", "input", "action", "operation")
"""Where a call holds what it calls with: of functions, custom tools, shells and computers, patches."""


def kind_of(item: Mapping[str, Any], where: str) -> str:
    """The type of an item, which several clients leave out: it is a message then, or a reference."""
    kind = optional_text(item, "type", where)
    if kind:
        return kind
    if "role" in item:
        return "message"
    if "id" in item:
        return REFERENCE
    raise missing(at(where, "type"))


def qualified(name: str, namespace: str) -> str:
    """The name by which the model knows a tool. Some models say a plain tool's own name as its namespace, too."""
    return f"{namespace}.{name}" if namespace and namespace != name else name


class ItemReader:
    """Reads items into `messages`. What the model said in one answer is one message, as in the other dialects."""

    def __init__(self, referenced: Mapping[str, Json]) -> None:
        """`referenced`: the stored items that references may name."""
        self._referenced = referenced
        self._content = ContentReader()
        self.messages: list[Message] = []
        self.tools: list[tuple[Any, str]] = []
        """Tools that items bring, and the fields that hold them."""

    @property
    def degraded(self) -> tuple[str, ...]:
        """The kinds of what became a placeholder, or was left out."""
        return tuple(self._content.degraded)

    def read(self, items: Iterable[Any], where: str) -> None:
        """Add these items; `where` is the field that holds them.

        Raises:
            InvalidRequest: one is malformed; `param` names it.
        """
        for position, item in enumerate(items):
            place = f"{where}[{position}]"
            self._item(obj(item, place), place)

    def _item(self, item: Json, where: str) -> None:
        kind = kind_of(item, where)
        if kind == "message":
            self._message(item, where)
        elif kind == "reasoning":
            self._reasoning(item, where)
        elif kind == REFERENCE:
            self._reference(item, where)
        elif kind == "mcp_call":
            self._executed(item, where)
        elif kind in _TOOL_LISTS:
            place = at(where, "tools")
            self.tools += [(tool, f"{place}[{each}]") for each, tool in enumerate(array(item.get("tools"), place))]
        elif kind.endswith(_OUTPUT) and "output" in item:
            self._output(kind, item, where)
        elif kind.endswith(_CALL) and "call_id" in item:
            self._call(kind, item, where)
        else:
            self._add(Role.ASSISTANT if kind.endswith(_CALL) else Role.USER, (self._content.placeholder(kind),))

    def _message(self, item: Json, where: str) -> None:
        name = required_text(item, "role", where)
        role = _ROLES.get(name)
        if role is None:
            supported = ", ".join(f"'{each}'" for each in _ROLES)
            field = at(where, "role")
            raise InvalidRequest(f"Invalid value: '{name[:64]}'. Supported values are: {supported}.", param=field)
        self._add(role, self._content.read(item.get("content"), at(where, "content")))

    def _reasoning(self, item: Json, where: str) -> None:
        texts = [
            part.text
            for field in ("summary", "content")
            for part in self._content.read(item.get(field), at(where, field))
            if isinstance(part, Text)
        ]
        if texts:
            self._add(Role.ASSISTANT, (Reasoning("\n".join(texts)),))

    def _reference(self, item: Json, where: str) -> None:
        found = self._referenced.get(required_text(item, "id", where))
        if found is None:
            # Reasoning is not shown to the model again, so nothing is lost with it.
            if not item["id"].startswith("rs_"):
                self._content.degraded[REFERENCE] = None
        else:
            self._item(found, where)

    def _call(self, kind: str, item: Json, where: str) -> None:
        id = required_text(item, "call_id", where)
        custom = kind == "custom_tool_call"
        if custom or kind == "function_call":
            name = qualified(required_text(item, "name", where), optional_text(item, "namespace", where))
        else:
            name = kind.removesuffix(_CALL)
        field = next((each for each in _ARGUMENTS if item.get(each) is not None), "")
        value = item.get(field, "")
        arguments = value if isinstance(value, str) else json_text(value, at(where, field))
        self._add(Role.ASSISTANT, (ToolCall(id, name, arguments, custom),))

    def _output(self, kind: str, item: Json, where: str) -> None:
        content = self._answered(kind, item["output"], at(where, "output"))
        # A local shell's output has its call's id as its own.
        id = optional_text(item, "call_id", where) or optional_text(item, "id", where)
        name = qualified(optional_text(item, "name", where), optional_text(item, "namespace", where))
        failed = item.get("status") in ("incomplete", "failed")
        self._add(Role.TOOL, (ToolResult(id, content or (Text(""),), failed, name),))

    def _answered(self, kind: str, output: Any, where: str) -> Content:
        """What a tool answered, of whatever kind it is."""
        if kind in ("function_call_output", "custom_tool_call_output"):
            return self._content.read(output, where)
        if kind == "computer_call_output":
            return (self._content.placeholder("computer_screenshot"),)
        return (Text(output if isinstance(output, str) else json_text(output, where)),)

    def _executed(self, item: Json, where: str) -> None:
        """A call that was executed where the model runs, with its result."""
        id, name = required_text(item, "id", where), required_text(item, "name", where)
        self._add(Role.ASSISTANT, (ToolCall(id, name, optional_text(item, "arguments", where)),))
        failed, output = item.get("error"), item.get("output")
        if failed is not None or output is not None:
            said = optional_text(item, "output", where) or json_text(failed, at(where, "error"))
            self._add(Role.TOOL, (ToolResult(id, (Text(said),), failed is not None),))

    def _add(self, role: Role, parts: tuple[Part, ...]) -> None:
        if not any(not isinstance(part, Text) or part.text.strip() for part in parts):
            return
        last = self.messages[-1] if self.messages else None
        if last is not None and role is Role.ASSISTANT is last.role:
            self.messages[-1] = Message(role, last.parts + parts)
        else:
            self.messages.append(Message(role, parts))
