"""The items of an answer: how each begins, grows and ends in a stream, and what it is in the end."""

from abc import ABC, abstractmethod
from typing import Protocol

import orjson

from lingma_contract.ids import ItemPlace
from lingma_gateway.dialects.openai_responses.reading import Json
from lingma_gateway.events import Call, PartKind, Result

WireEvent = tuple[str, Json]
"""Name and fields of a server-sent event, but for `type` and `sequence_number`, which every one has."""

COMPLETED, IN_PROGRESS, INCOMPLETE = "completed", "in_progress", "incomplete"
SERVER_LABEL = "lingma"
"""Whose tools the executed calls are of."""


class Item(Protocol):
    """An item that is being written."""

    delta_name: str
    """Name of the event that brings a piece of it."""
    place: Json
    """The fields by which its events name it."""
    delta_fields: Json
    """More fields of a delta."""
    text: list[str]

    def begun(self) -> list[WireEvent]:
        """What tells of it."""
        ...

    def ended(self, status: str) -> list[WireEvent]:
        """What ends it."""
        ...

    def whole(self, status: str) -> Json:
        """The item, as far as it has been written."""
        ...


class _Written(ABC):
    """What all kinds of items have."""

    delta_name = ""

    def __init__(self, prefix: str, response_id: str, index: int) -> None:
        self.id = ItemPlace(response_id, index).named(prefix)
        self.index = index
        self.place: Json = {"item_id": self.id, "output_index": index}
        self.delta_fields: Json = {}
        self.text: list[str] = []

    def said(self) -> str:
        return "".join(self.text)

    @abstractmethod
    def whole(self, status: str) -> Json:
        """See `Item`."""

    def added(self) -> WireEvent:
        return "response.output_item.added", {"output_index": self.index, "item": self.whole(IN_PROGRESS)}

    def done(self, status: str) -> WireEvent:
        return "response.output_item.done", {"output_index": self.index, "item": self.whole(status)}


class MessageItem(_Written):
    """What the model says."""

    delta_name = "response.output_text.delta"

    def __init__(self, response_id: str, index: int) -> None:
        super().__init__("msg", response_id, index)
        self.place["content_index"] = 0
        self.delta_fields = {"logprobs": []}

    def _part(self) -> Json:
        return {"type": "output_text", "annotations": [], "logprobs": [], "text": self.said()}

    def begun(self) -> list[WireEvent]:
        return [self.added(), ("response.content_part.added", {**self.place, "part": self._part()})]

    def ended(self, status: str) -> list[WireEvent]:
        return [
            ("response.output_text.done", {**self.place, "text": self.said(), "logprobs": []}),
            ("response.content_part.done", {**self.place, "part": self._part()}),
            self.done(status),
        ]

    def whole(self, status: str) -> Json:
        content = [] if status == IN_PROGRESS else [self._part()]
        return {"id": self.id, "type": "message", "status": status, "role": "assistant", "content": content}


class ReasoningItem(_Written):
    """What the model thinks, as a summary of one part: that is what Codex, the AI SDK and OpenAI's helpers show."""

    delta_name = "response.reasoning_summary_text.delta"

    def __init__(self, response_id: str, index: int) -> None:
        super().__init__("rs", response_id, index)
        self.place["summary_index"] = 0

    def _part(self) -> Json:
        return {"type": "summary_text", "text": self.said()}

    def begun(self) -> list[WireEvent]:
        return [self.added(), ("response.reasoning_summary_part.added", {**self.place, "part": self._part()})]

    def ended(self, status: str) -> list[WireEvent]:
        return [
            ("response.reasoning_summary_text.done", {**self.place, "text": self.said()}),
            ("response.reasoning_summary_part.done", {**self.place, "part": self._part()}),
            self.done(status),
        ]

    def whole(self, status: str) -> Json:
        summary = [] if status == IN_PROGRESS else [self._part()]
        return {"id": self.id, "type": "reasoning", "summary": summary}


class CallItem(_Written):
    """A call that the client is to execute. Its name and its namespace are told apart, as Codex looks tools up by
    both (its `function_call` items; openai/codex issue 31665 shows a plain tool's namespace breaking it)."""

    def __init__(self, response_id: str, index: int, call: Call) -> None:
        super().__init__("ctc" if call.custom else "fc", response_id, index)
        self._call = call
        self._events = "custom_tool_call_input" if call.custom else "function_call_arguments"
        self._field = "input" if call.custom else "arguments"
        self.delta_name = f"response.{self._events}.delta"

    def is_whole(self) -> bool:
        """Whether its arguments can be all of them: of free text nobody can tell."""
        try:
            orjson.loads(self.said())
        except orjson.JSONDecodeError:
            return False
        return not self._call.custom

    def begun(self) -> list[WireEvent]:
        return [self.added()]

    def ended(self, status: str) -> list[WireEvent]:
        arguments = {**self.place, self._field: self.said()}
        return [(f"response.{self._events}.done", arguments), self.done(status)]

    def whole(self, status: str) -> Json:
        call = self._call
        named: Json = {"name": call.name}
        if call.namespace:
            named = {"name": call.name.removeprefix(f"{call.namespace}."), "namespace": call.namespace}
        return {
            "id": self.id,
            "type": "custom_tool_call" if call.custom else "function_call",
            "status": status,
            "call_id": call.id,
            **named,
            self._field: self.said(),
        }


class ExecutedItem(_Written):
    """A call that Lingma executes itself: OpenAI's form of a tool that runs on the server's side."""

    delta_name = "response.mcp_call_arguments.delta"

    def __init__(self, response_id: str, index: int, call: Call) -> None:
        super().__init__("mcp", response_id, index)
        self._name = call.name
        self._result: Result | None = None
        self._output = ""

    def answered(self, result: Result, output: str) -> None:
        """What the tool answered."""
        self._result, self._output = result, output

    def begun(self) -> list[WireEvent]:
        return [self.added(), ("response.mcp_call.in_progress", dict(self.place))]

    def called(self) -> list[WireEvent]:
        """What tells that the arguments are complete."""
        return [("response.mcp_call_arguments.done", {**self.place, "arguments": self.said()})]

    def ended(self, status: str) -> list[WireEvent]:
        outcome = "completed" if self._result is not None and not self._result.is_error else "failed"
        return [(f"response.mcp_call.{outcome}", dict(self.place)), self.done(status)]

    def whole(self, status: str) -> Json:
        item: Json = {
            "id": self.id,
            "type": "mcp_call",
            "status": status,
            "server_label": SERVER_LABEL,
            "name": self._name,
            "arguments": self.said(),
        }
        if self._result is None:
            return item
        if self._result.is_error:
            error = {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": self._output}]}
            return item | {"status": "failed", "error": error}
        return item | {"output": self._output}


def item_of(kind: PartKind, head: Call | Result | None, response_id: str, index: int) -> Item:
    """The item for a part that begins; not for a TOOL_RESULT, which belongs to an item that is there already."""
    if isinstance(head, Call):
        return ExecutedItem(response_id, index, head) if head.executed else CallItem(response_id, index, head)
    if kind is PartKind.REASONING:
        return ReasoningItem(response_id, index)
    return MessageItem(response_id, index)
