"""What a turn produces, in one vocabulary for every wire format.

The ordering law: Started, then (PartStarted, PartDelta*, PartEnded)*, then Finished. One part is open at a time. A
failure is an exception, never an event. `PartSequencer` enforces it, so that encoders may rely on it.
"""

from dataclasses import dataclass
from enum import StrEnum

import msgspec


class PartKind(StrEnum):
    """What a part of an answer is."""

    TEXT = "text"
    REASONING = "reasoning"
    TOOL_CALL = "tool_call"
    """Deltas are pieces of the arguments: of JSON text, or of a custom tool's input."""
    TOOL_RESULT = "tool_result"
    """What a tool of Lingma's own answered to a call that was shown before; deltas are pieces of its text."""


class FinishReason(StrEnum):
    """Why a turn ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    """The client is to execute the calls of this answer. Never for calls that have been executed upstream."""
    STOP_SEQUENCE = "stop_sequence"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one turn. `estimated` is False only where the upstream itself counted."""

    input_tokens: int
    output_tokens: int
    estimated: bool
    reasoning_tokens: int = 0
    """How many of the output's were reasoning; estimated."""

    def __add__(self, other: "Usage") -> "Usage":
        """Of two questions together."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.estimated or other.estimated,
            self.reasoning_tokens + other.reasoning_tokens,
        )


@dataclass(frozen=True, slots=True)
class Call:
    """The head of a TOOL_CALL part: what is sure before its arguments come."""

    id: str
    """Of the client's dialect, minted by the gateway; of Lingma's own tools, Lingma's."""
    name: str
    custom: bool = False
    namespace: str = ""
    """See `conversation.Tool`."""
    executed: bool = False
    """A tool of Lingma's own that Lingma executes: the client is shown the call and must not execute it again."""


@dataclass(frozen=True, slots=True)
class Result:
    """The head of a TOOL_RESULT part."""

    call_id: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """The upstream has begun to answer."""

    model: str
    """Key of the upstream model."""
    input_tokens: int = 0
    """Of the whole request, estimated as `count_tokens` does."""


@dataclass(frozen=True, slots=True)
class PartStarted:
    index: int
    kind: PartKind
    head: Call | Result | None = None
    """A `Call` for TOOL_CALL, a `Result` for TOOL_RESULT, None for the others."""


class PartDelta(msgspec.Struct, frozen=True, gc=False):
    """There is one for each token: a Struct is made in a fifth of the time."""

    index: int
    kind: PartKind
    text: str


@dataclass(frozen=True, slots=True)
class PartEnded:
    index: int
    kind: PartKind


@dataclass(frozen=True, slots=True)
class Finished:
    reason: FinishReason
    usage: Usage
    session_id: str
    """Lingma's session, which may differ from the one that was sent (protocol page, chat/finish: high confidence)."""
    stop_sequence: str | None = None
    """With STOP_SEQUENCE: which one ended the answer."""


StreamEvent = Started | PartStarted | PartDelta | PartEnded | Finished


class PartSequencer:
    """Turns pieces that may change kind at any time into parts that obey the ordering law."""

    __slots__ = ("_next", "_open")

    def __init__(self) -> None:
        self._next = 0
        self._open: tuple[int, PartKind] | None = None

    def delta(self, kind: PartKind, text: str) -> list[StreamEvent]:
        """Events for one piece of text or reasoning. An empty one produces nothing: empty chunks are normal."""
        if not text:
            return []
        if self._open is not None and self._open[1] is kind:
            return [PartDelta(self._open[0], kind, text)]
        events = self._begin(kind, None)
        events.append(PartDelta(self._next - 1, kind, text))
        return events

    def begin(self, head: Call | Result) -> list[StreamEvent]:
        """Events that begin a call or a result, which is a part of its own even after another of its kind."""
        return self._begin(PartKind.TOOL_CALL if isinstance(head, Call) else PartKind.TOOL_RESULT, head)

    def _begin(self, kind: PartKind, head: Call | Result | None) -> list[StreamEvent]:
        events = self.close()
        self._open = (self._next, kind)
        self._next += 1
        events.append(PartStarted(*self._open, head))
        return events

    def close(self) -> list[StreamEvent]:
        """Events that end the open part, if one is open."""
        if self._open is None:
            return []
        index, kind = self._open
        self._open = None
        return [PartEnded(index, kind)]
