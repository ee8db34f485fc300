"""What a turn produces, in one vocabulary for every wire format.

The ordering law: Started, then (PartStarted, PartDelta*, PartEnded)*, then Finished. One part is open at a time. A
failure is an exception, never an event. `PartSequencer` enforces it, so that encoders may rely on it.
"""

from dataclasses import dataclass
from enum import StrEnum


class PartKind(StrEnum):
    """What a part of an answer is."""

    TEXT = "text"
    REASONING = "reasoning"


class FinishReason(StrEnum):
    """Why a turn ended."""

    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one turn. `estimated` is False only where the upstream itself counted."""

    input_tokens: int
    output_tokens: int
    estimated: bool


@dataclass(frozen=True, slots=True)
class Started:
    """The upstream has begun to answer."""

    model: str
    """Key of the upstream model."""


@dataclass(frozen=True, slots=True)
class PartStarted:
    index: int
    kind: PartKind


@dataclass(frozen=True, slots=True)
class PartDelta:
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


StreamEvent = Started | PartStarted | PartDelta | PartEnded | Finished


class PartSequencer:
    """Turns pieces of text that may change kind at any time into parts that obey the ordering law."""

    def __init__(self) -> None:
        self._next = 0
        self._open: tuple[int, PartKind] | None = None

    def delta(self, kind: PartKind, text: str) -> list[StreamEvent]:
        """Events for one piece. An empty piece produces nothing: empty chunks are normal upstream."""
        if not text:
            return []
        events: list[StreamEvent] = []
        if self._open is None or self._open[1] is not kind:
            events = self.close()
            self._open = (self._next, kind)
            self._next += 1
            events.append(PartStarted(*self._open))
        assert self._open is not None
        events.append(PartDelta(self._open[0], kind, text))
        return events

    def close(self) -> list[StreamEvent]:
        """Events that end the open part, if one is open."""
        if self._open is None:
            return []
        index, kind = self._open
        self._open = None
        return [PartEnded(index, kind)]
