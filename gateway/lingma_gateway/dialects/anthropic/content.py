"""Content blocks as parts of a conversation."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lingma_gateway.conversation import Media, MediaKind, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from lingma_gateway.dialects import dataurls
from lingma_gateway.dialects.anthropic.reading import items, json_text, obj, optional_string, refusal, string

_ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM}
_BILLING = "x-anthropic-billing-header:"
"""Begins a line of Claude Code's system prompt that is meant for Anthropic and differs from start to start."""

Block = Mapping[str, Any]
Shown = Text | Media


def system(content: Any) -> tuple[Message, ...]:
    """The top-level system prompt: a string, or blocks."""
    parts = tuple(_prompt(text) for text in _system_texts(content) if _prompt(text).text.strip())
    return (Message(Role.SYSTEM, parts),) if parts else ()


def _system_texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
        return
    for position, block in enumerate(items(content, "system")):
        where = f"system.{position}"
        yield string(obj(block, where), "text", where)


def _prompt(text: str) -> Text:
    if _BILLING not in text:
        return Text(text)
    return Text("".join(line for line in text.splitlines(keepends=True) if not line.startswith(_BILLING)))


class Reader:
    """Reads messages; notes what became a placeholder."""

    def __init__(self) -> None:
        self.degraded: dict[str, None] = {}
        """Kinds of blocks, in the order in which they were met."""

    def messages(self, value: Any) -> Iterator[Message]:
        """The messages that have content. What a tool answered is a message of its own, as it is in other dialects.

        Raises:
            InvalidRequest: `value` is no list of messages.
        """
        for position, item in enumerate(items(value, "messages")):
            where = f"messages.{position}"
            message = obj(item, where)
            name = string(message, "role", where)
            if name not in _ROLES:
                raise refusal(f"{where}.role", f'Unexpected role "{name}". Allowed roles are "user", "assistant"')
            role = _ROLES[name]
            parts = list(self._parts(message.get("content"), f"{where}.content"))
            if role is Role.SYSTEM:
                parts = [_prompt(part.text) if isinstance(part, Text) else part for part in parts]
            yield from _by_speaker(role, parts)

    def _parts(self, content: Any, where: str) -> Iterator[Part]:
        if isinstance(content, str):
            yield Text(content)
            return
        for block, at in _blocks(content, where):
            match block["type"]:
                case "thinking":
                    yield Reasoning(string(block, "thinking", at))
                case "redacted_thinking":
                    pass  # only Anthropic can read it
                case "tool_use":
                    arguments = json_text(obj(block.get("input"), f"{at}.input"), f"{at}.input")
                    yield ToolCall(string(block, "id", at), string(block, "name", at), arguments)
                case "tool_result":
                    yield self._result(block, at)
                case _:
                    yield from self._shown(block, at)

    def _result(self, block: Block, where: str) -> ToolResult:
        content, at = block.get("content"), f"{where}.content"
        shown: tuple[Shown, ...]
        if isinstance(content, str):
            shown = (Text(content),)
        else:
            shown = tuple(part for inner, path in _blocks(content, at) for part in self._shown(inner, path))
        return ToolResult(string(block, "tool_use_id", where), shown or (Text(""),), block.get("is_error") is True)

    def _shown(self, block: Block, where: str) -> Iterator[Shown]:
        """What the model is shown of a block."""
        readers: dict[str, Callable[[Block, str], Iterator[Shown]]] = {
            "document": self._document,
            "search_result": _search_result,
            "tool_reference": _tool_reference,
        }
        reader = readers.get(block["type"], self._simple)
        yield from reader(block, where)

    def _simple(self, block: Block, where: str) -> Iterator[Shown]:
        """A block without blocks in it."""
        match block["type"]:
            case "text":
                yield Text(string(block, "text", where))
            case "image":
                yield self._media(MediaKind.IMAGE, block, where)
            case kind:
                yield self._placeholder(kind)

    def _placeholder(self, kind: str) -> Text:
        self.degraded[kind] = None
        return Text(f"[{kind}]")

    def _media(self, kind: MediaKind, block: Block, where: str) -> Shown:
        source = obj(block.get("source"), f"{where}.source")
        match string(source, "type", f"{where}.source"):
            case "base64":
                media_type = optional_string(source, "media_type", f"{where}.source")
                return Media(kind, where, media_type, data=_decoded(source, f"{where}.source"))
            case "url":
                return _linked(kind, string(source, "url", f"{where}.source"), where)
            case _:  # a file that lies at Anthropic
                return self._placeholder(block["type"])

    def _document(self, block: Block, where: str) -> Iterator[Shown]:
        yield from _headed(block, ("title", "context"), where)
        source = obj(block.get("source"), f"{where}.source")
        match string(source, "type", f"{where}.source"):
            case "text":
                yield Text(string(source, "data", f"{where}.source"))
            case "content":
                content, at = source.get("content"), f"{where}.source.content"
                if isinstance(content, str):
                    yield Text(content)
                else:
                    for inner, path in _blocks(content, at):
                        yield from self._simple(inner, path)
            case _:
                yield self._media(MediaKind.FILE, block, where)


def _by_speaker(role: Role, parts: list[Part]) -> Iterator[Message]:
    """The parts of one message as messages of those who speak in it: an empty text says nothing."""
    spoken: list[Part] = []
    for part in parts:
        if isinstance(part, ToolResult):
            if spoken:
                yield Message(role, tuple(spoken))
            yield Message(Role.TOOL, (part,))
            spoken = []
        elif not isinstance(part, Text | Reasoning) or part.text.strip():
            spoken.append(part)
    if spoken:
        yield Message(role, tuple(spoken))


def _blocks(content: Any, where: str) -> Iterator[tuple[Block, str]]:
    """The blocks of a list, each with its path; each has a `type`."""
    for position, item in enumerate(items(content, where)):
        at = f"{where}.{position}"
        block = {"type": "text", "text": item} if isinstance(item, str) else obj(item, at)
        string(block, "type", at)
        yield block, at


def _headed(block: Block, names: tuple[str, ...], where: str) -> Iterator[Text]:
    for name in names:
        if text := optional_string(block, name, where):
            yield Text(text)


def _search_result(block: Block, where: str) -> Iterator[Shown]:
    yield from _headed(block, ("title", "source"), where)
    for inner, at in _blocks(block.get("content"), f"{where}.content"):
        yield Text(string(inner, "text", at))


def _tool_reference(block: Block, where: str) -> Iterator[Shown]:
    """What a search for tools found; the tool itself is in the `tools` of the same request."""
    yield Text(f"The tool {string(block, 'tool_name', where)} is available now.")


def _linked(kind: MediaKind, url: str, where: str) -> Media:
    """What is at an address, or in it: some clients put the data there."""
    if not url.lower().startswith("data:"):
        return Media(kind, where, url=url)
    try:
        media_type, data = dataurls.parse(url)
    except ValueError as error:
        raise refusal(f"{where}.source.url", "Input should be a valid data: URL") from error
    return Media(kind, where, media_type, data)


def _decoded(source: Block, where: str) -> bytes:
    try:
        return dataurls.decode(string(source, "data", where))
    except ValueError as error:
        raise refusal(f"{where}.data", "Input should be base64") from error
