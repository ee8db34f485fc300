"""Lingma's own tools as its pushes tell of them: one `ToolUse` a call, whatever the form of the pushes. Pure.

Field aliases and merging are the earlier gateway's, which met real ones (parity page, section 5); statuses are of one
decompiled client and of that gateway's notes, which differ in case and in words (protocol page, Tools: medium).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from lingma_gateway.toolpolicy import UNNAMED

SYNC = "tool/call/sync"
INVOKE = "tool/invoke"
APPROVE = "tool/call/approve"
INVOKE_RESULT = "tool/invokeResult"
METHODS = (SYNC, INVOKE, APPROVE, INVOKE_RESULT)

_OBJECTS = ("toolCall", "tool_call", "tool")
_IDS = ("toolCallId", "tool_call_id", "id")
_NAMES = ("name", "toolName", "tool_name")
_INPUTS = ("input", "arguments", "args", "parameters")


class Status(StrEnum):
    """How far a call is."""

    INIT = "init"
    PENDING = "pending"
    """Lingma waits for `tool/call/approve`."""
    RUNNING = "running"
    FINISHED = "finished"
    ERROR = "error"
    CANCELLED = "cancelled"
    REQUEST_FINISHED = "request_finished"
    """Of the request, not of the call that carries it."""


_WORDS = {status.value: status for status in Status} | {
    "processing": Status.RUNNING,
    "done": Status.FINISHED,
    "success": Status.FINISHED,
    "failed": Status.ERROR,
    "canceled": Status.CANCELLED,
}
_TERMINAL = frozenset({Status.FINISHED, Status.ERROR, Status.CANCELLED})


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of one of Lingma's own tools, as far as it is known."""

    id: str
    name: str = UNNAMED
    input: Mapping[str, Any] = field(default_factory=dict)
    result: Any = None
    """As Lingma told it; None while there is none."""
    status: Status = Status.INIT
    error: str = ""
    """What Lingma said went wrong."""

    @property
    def ended(self) -> bool:
        """Whether nothing more is to come of it."""
        return self.result is not None or self.status in _TERMINAL

    @property
    def is_error(self) -> bool:
        return self.status in (Status.ERROR, Status.CANCELLED) or bool(self.error)


class ToolEvents:
    """The calls of one turn, in the order in which they were first seen."""

    def __init__(self) -> None:
        self._uses: dict[str, ToolUse] = {}

    @property
    def uses(self) -> tuple[ToolUse, ...]:
        """All calls as they stand."""
        return tuple(self._uses.values())

    def get(self, id: str) -> ToolUse | None:
        """The call of that id, if it was seen."""
        return self._uses.get(id)

    def observe(self, method: str, params: Mapping[str, Any]) -> list[ToolUse]:
        """The calls that a push tells something new of. One without an id tells nothing."""
        changed = []
        for told in _told(method, params):
            known = self._uses.get(told.id)
            merged = told if known is None else _merged(known, told)
            if merged != known:
                self._uses[told.id] = merged
                changed.append(merged)
        return changed


def call_id(params: Mapping[str, Any]) -> str:
    """The id of the first call that a push speaks of; empty where it names none."""
    return next((told.id for told in _told("", params)), "")


def status_of(params: Mapping[str, Any]) -> Status | None:
    """The status in the params of a push, in any case and wording."""
    value = params.get("toolCallStatus", params.get("status"))
    return _WORDS.get(value.strip().casefold()) if isinstance(value, str) else None


def _told(method: str, params: Mapping[str, Any]) -> Iterator[ToolUse]:
    objects = _objects(params)
    for number, found in enumerate(objects):
        # What the push says of itself belongs to the call, or to the first of several.
        told = _use(found, params, alone=len(objects) == 1, first=number == 0)
        if told is not None:
            yield told if method != INVOKE_RESULT or told.ended else replace(told, status=Status.FINISHED)


def _objects(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    for where in (params, params.get("data")):
        if isinstance(where, Mapping):
            for name in _OBJECTS:
                if isinstance(found := where.get(name), Mapping):
                    return [found]
    listed = [item for item in _list(params.get("results")) if isinstance(item, Mapping) and _first(item, _IDS)]
    return listed or [params]


def _use(found: Mapping[str, Any], params: Mapping[str, Any], *, alone: bool, first: bool) -> ToolUse | None:
    own = found is params
    id = _first(found, _IDS) or (_first(params, _IDS[:2]) if alone or first else "")
    if not id:
        return None
    name = _first(found, _NAMES) or ("" if own else _first(params, ("name",))) or UNNAMED
    inputs = next((value for key in _INPUTS if isinstance(value := found.get(key), Mapping)), None)
    if inputs is None and isinstance(params.get("parameters"), Mapping):
        inputs = params["parameters"]
    status = status_of(found) or status_of(params) or Status.INIT
    error = _first(found, ("errorMessage", "errorMsg", "error")) or _first(params, ("errorMessage", "errorMsg"))
    if found.get("success", params.get("success")) is False and not error:
        error = "the tool failed"
    return ToolUse(id, name, inputs or {}, _result(found, params), status, error)


def _result(found: Mapping[str, Any], params: Mapping[str, Any]) -> Any:
    if (result := found.get("result")) is not None:
        return result
    if (result := params.get("result")) is not None:
        return result
    data = params.get("data")
    if isinstance(data, Mapping) and (result := data.get("result")) is not None:
        return result
    return _list(params.get("results")) or None if found is params else None


def _merged(known: ToolUse, told: ToolUse) -> ToolUse:
    """A real name stays; a later real name, a non-empty input and a result win; a call that has ended stays ended."""
    return ToolUse(
        id=known.id,
        name=told.name if told.name != UNNAMED else known.name,
        input=told.input or known.input,
        result=told.result if told.result is not None else known.result,
        status=told.status if _goes_on(known.status, told.status) else known.status,
        error=told.error or known.error,
    )


def _goes_on(known: Status, told: Status) -> bool:
    if told in (Status.INIT, Status.REQUEST_FINISHED):
        return False
    return known not in _TERMINAL or told in _TERMINAL


def _first(found: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((value for name in names if isinstance(value := found.get(name), str) and value), "")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
