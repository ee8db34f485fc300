"""A capture: the frames that `--record`, or a tap before a real Lingma, wrote down, cut into turns to be told again.

One JSON object a line: `{"direction": "in"|"out", "connection": N, "message": {…}}`, where `in` is what the client
sent. Further fields are passed over. Pure.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NAMESPACE = uuid.UUID("3b1f8f0e-52c1-4f6e-9a53-0a1f5f2d7c11")


class CaptureError(ValueError):
    """A file that is no capture, or one without a turn. Its text names the line."""


@dataclass(frozen=True, slots=True)
class Line:
    """One recorded frame."""

    sent: bool
    """By Lingma."""
    connection: int
    message: Mapping[str, Any]

    @property
    def method(self) -> str:
        """Its method; empty for a reply."""
        method = self.message.get("method")
        return method if isinstance(method, str) else ""

    @property
    def params(self) -> Mapping[str, Any]:
        """Its params; empty where they are no object."""
        params = self.message.get("params")
        return params if isinstance(params, dict) else {}


@dataclass(frozen=True, slots=True)
class RecordedTurn:
    """One chat/ask and what came of it."""

    request_id: str
    session_ids: tuple[str, ...]
    """In the order in which Lingma told them."""
    by_request: bool
    reply: Mapping[str, Any] | None
    """The message that answered the ask; None: none did."""
    pushes: tuple[tuple[str, Mapping[str, Any]], ...]

    def remapped(self, request_id: str, session_id: str) -> list[tuple[str, dict[str, Any]]]:
        """Its pushes under the ids of a turn of today."""
        return [(method, self.remap(params, request_id, session_id)) for method, params in self.pushes]

    def remap(self, value: Any, request_id: str, session_id: str) -> Any:
        """`value` with the recorded ids replaced: the first session by today's, others by ids derived from it."""
        others = {old: str(uuid.uuid5(_NAMESPACE, f"{session_id}/{old}")) for old in self.session_ids[1:]}
        first = dict.fromkeys(self.session_ids[:1], session_id)
        return _replaced(value, {**others, **first, self.request_id: request_id})


def _replaced(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return ids.get(value, value)
    if isinstance(value, list):
        return [_replaced(item, ids) for item in value]
    if isinstance(value, dict):
        return {name: _replaced(item, ids) for name, item in value.items()}
    return value


@dataclass(frozen=True, slots=True)
class Capture:
    """The turns of a capture, and the models that it saw."""

    turns: tuple[RecordedTurn, ...]
    models: Mapping[str, Any] | None

    def turn(self, number: int) -> RecordedTurn:
        """The turn for the ask of this number, counted from 0; after the last comes the first again."""
        return self.turns[number % len(self.turns)]


def parse(text: str) -> Capture:
    """The capture in a file's text.

    Raises:
        CaptureError: a line is no frame, or there is no chat/ask.
    """
    lines = [_line(number, raw) for number, raw in enumerate(text.splitlines(), 1) if raw.strip()]
    turns = tuple(_turn(lines, index) for index, line in enumerate(lines) if _is_ask(line))
    if not turns:
        raise CaptureError("the capture holds no chat/ask")
    return Capture(turns, _models(lines))


def _line(number: int, raw: str) -> Line:
    try:
        given = json.loads(raw)
        sent = {"in": False, "out": True}[given["direction"]]
        line = Line(sent, int(given["connection"]), given["message"])
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise CaptureError(f"line {number} is no recorded frame") from problem
    if not isinstance(line.message, dict):
        raise CaptureError(f"line {number} holds no message")
    return line


def _is_ask(line: Line) -> bool:
    return not line.sent and line.method == "chat/ask"


def _turn(lines: Sequence[Line], asked: int) -> RecordedTurn:
    ask = lines[asked]
    request_id = _text(ask.params, "requestId")
    after = [line for line in lines[asked + 1 :] if line.sent and line.connection == ask.connection]
    mine = [
        number for number, line in enumerate(after) if line.method and _text(line.params, "requestId") == request_id
    ]
    told = (_text(after[number].params, "sessionId") for number in mine)
    session_ids = tuple(dict.fromkeys(session_id for session_id in told if session_id))
    last = mine[-1] if mine else -1
    pushes = tuple(
        (line.method, line.params)
        for number, line in enumerate(after[: last + 1])
        if number in set(mine) or _belongs(line, session_ids)
    )
    by_request = ask.message.get("id") is not None
    replies = [line.message for line in after if not line.method and line.message.get("id") == ask.message.get("id")]
    return RecordedTurn(request_id, session_ids, by_request, replies[0] if by_request and replies else None, pushes)


def _belongs(line: Line, session_ids: tuple[str, ...]) -> bool:
    """Whether a push without a request id came in the turn. Those of the login would bring masked tokens."""
    if not line.method or line.method.startswith("auth/") or "requestId" in line.params:
        return False
    session_id = _text(line.params, "sessionId")
    return not session_id or session_id in session_ids


def _models(lines: Sequence[Line]) -> Mapping[str, Any] | None:
    """The last answer to config/queryModels that names models."""
    asked = {
        (line.connection, line.message.get("id"))
        for line in lines
        if not line.sent and line.method == "config/queryModels"
    }
    found = None
    for line in lines:
        result = line.message.get("result")
        if line.sent and not line.method and (line.connection, line.message.get("id")) in asked and result:
            found = result if isinstance(result, dict) else found
    return found


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    return value if isinstance(value, str) else ""
