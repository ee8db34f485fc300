"""The messages of a request: roles, parts of content, earlier calls and their results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lingma_gateway.conversation import Media, MediaKind, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from lingma_gateway.dialects.openai_chat.fields import items, mapping, optional_string, string
from lingma_gateway.dialects.openai_chat.media import audio, file, image
from lingma_gateway.errors import InvalidRequest

_ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}
_MEDIA = {"image_url": image, "input_audio": audio, "file": file}


@dataclass(frozen=True, slots=True)
class History:
    messages: tuple[Message, ...]
    ignored: tuple[str, ...]
    degraded: tuple[str, ...]


def read_messages(value: Any) -> History:
    """The messages, without those that say nothing.

    Raises:
        InvalidRequest: there is nothing to answer, or a message is malformed.
    """
    if not isinstance(value, list):
        raise InvalidRequest("messages must be a list of messages", param="messages")
    if not value:
        raise InvalidRequest("messages must hold at least one message", param="messages")
    reader = _Reader()
    messages = [reader.message(item, position) for position, item in enumerate(value)]
    if not any(message.parts for message in messages):
        raise InvalidRequest("messages hold no content", param="messages")
    said = tuple(message for message in messages if message.parts)
    return History(said, tuple(sorted(reader.ignored)), tuple(sorted(reader.degraded)))


@dataclass(slots=True)
class _Reader:
    """Reads messages in their order, and notes what had no effect."""

    ignored: set[str] = field(default_factory=set)
    degraded: set[str] = field(default_factory=set)
    last_function: tuple[str, str] = ("", "")
    """Name and made-up id of the last `function_call`, a form without ids: the next `function` message answers it."""

    def message(self, item: Any, position: int) -> Message:
        where = f"messages[{position}]"
        message = mapping(item, where)
        name = message.get("role")
        role = _ROLES.get(name) if isinstance(name, str) else None
        if role is None:
            raise InvalidRequest(f"{where}.role must be one of {', '.join(_ROLES)}", param=f"{where}.role")
        content = self._content(message.get("content"), f"{where}.content")
        if role is Role.TOOL:
            return Message(role, (self._result(message, content, where),))
        if message.get("name"):
            self.ignored.add("messages.name")
        parts = [part for part in content if not isinstance(part, Text) or part.text.strip()]
        if role is Role.ASSISTANT:
            parts = [*_reasoning(message, where), *parts, *self._said_otherwise(message, bool(parts), where)]
            parts += self._calls(message, where, position)
        return Message(role, tuple(parts))

    def _content(self, content: Any, where: str) -> list[Part]:
        if content is None:
            return []
        if isinstance(content, str):
            return [Text(content)]
        if not isinstance(content, list):
            raise InvalidRequest(f"{where} must be a string, a list of parts or null", param=where)
        parts: list[Part] = []
        for position, item in enumerate(content):
            part = self._part(item, f"{where}[{position}]")
            last = parts[-1] if parts else None
            if isinstance(part, Text) and isinstance(last, Text):
                # Clients send the same text as one string or in parts; it is the same conversation.
                parts[-1] = Text(f"{last.text}\n{part.text}")
            else:
                parts.append(part)
        return parts

    def _part(self, part: Any, where: str) -> Text | Media:
        if isinstance(part, str):
            return Text(part)
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str):
            raise InvalidRequest(f"{where} must be an object with a type", param=where)
        if kind in ("text", "refusal"):
            text = part.get(kind)
            if not isinstance(text, str):
                raise InvalidRequest(f"{where}.{kind} must be a string", param=f"{where}.{kind}")
            return Text(text)
        media = _MEDIA[kind](part, where) if kind in _MEDIA else None
        return media or self._placeholder(kind)

    def _placeholder(self, kind: str) -> Text:
        self.degraded.add(kind)
        return Text(f"[{kind}]")

    def _result(self, message: Mapping[str, Any], content: list[Part], where: str) -> ToolResult:
        id = string(message.get("tool_call_id"), f"{where}.tool_call_id")
        name = string(message.get("name"), f"{where}.name")
        if message["role"] == "function" and name == self.last_function[0]:
            id = self.last_function[1]
        answered = tuple(part for part in content if isinstance(part, Text | Media))
        return ToolResult(id, answered or (Text(""),), name=name)

    def _said_otherwise(self, message: Mapping[str, Any], has_content: bool, where: str) -> list[Part]:
        """What an assistant said outside of `content`: a refusal, or an earlier answer by voice."""
        refusal = optional_string(message.get("refusal"), f"{where}.refusal")
        if refusal:
            return [Text(refusal)]
        if isinstance(message.get("audio"), dict) and not has_content:
            return [self._placeholder(MediaKind.AUDIO.value)]
        return []

    def _calls(self, message: Mapping[str, Any], where: str, position: int) -> list[Part]:
        listed = items(message.get("tool_calls"), f"{where}.tool_calls")
        calls: list[Part] = [_call(item, f"{where}.tool_calls[{index}]") for index, item in enumerate(listed)]
        older = message.get("function_call")
        if older is not None:
            call = _function_call(f"function_call_{position}", older, f"{where}.function_call")
            self.last_function = (call.name, call.id)
            calls.append(call)
        return calls


def _reasoning(message: Mapping[str, Any], where: str) -> list[Part]:
    """What DeepSeek's and Qwen's clients send back of an answer's `reasoning_content`."""
    thought = message.get("reasoning_content")
    return [Reasoning(thought)] if isinstance(thought, str) and thought.strip() else []


def _call(item: Any, where: str) -> ToolCall:
    call = item if isinstance(item, dict) else {}
    id = string(call.get("id"), f"{where}.id")
    if call.get("type") != "custom":
        return _function_call(id, call.get("function"), f"{where}.function")
    custom = mapping(call.get("custom"), f"{where}.custom")
    name = _name(custom, f"{where}.custom")
    return ToolCall(id, name, string(custom.get("input"), f"{where}.custom.input"), custom=True)


def _function_call(id: str, function: Any, where: str) -> ToolCall:
    fields = function if isinstance(function, dict) else {}
    name = _name(fields, where)
    return ToolCall(id, name, string(fields.get("arguments"), f"{where}.arguments"))


def _name(fields: Mapping[str, Any], where: str) -> str:
    name = fields.get("name")
    if not isinstance(name, str):
        raise InvalidRequest(f"{where}.name must be a string", param=f"{where}.name")
    return name
