"""What the parser makes of a model's answer, in the order of the stream."""

from dataclasses import dataclass
from enum import StrEnum

from lingma_gateway.conversation import Tool


class Reason(StrEnum):
    """Why a call cannot be handed to the client. The values are labels of logs and metrics."""

    UNKNOWN_TOOL = "unknown_tool"
    NO_NAME = "no_name"
    """The call does not say which tool it is for."""
    UNREADABLE = "unreadable"
    """The arguments are no JSON, and no repair of them is sure."""
    REPEATED = "repeated"
    """One argument is given twice, differently."""
    INVALID = "invalid"
    """The arguments do not fit the tool's schema."""
    CUT = "cut"
    """The answer ended inside the call: `length`, never a call."""


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Text of the answer, exactly as it came."""

    text: str


@dataclass(frozen=True, slots=True)
class CallOpened:
    """A call of `tool` begins. Sent with its first delta, so that a call that fails before is never seen."""

    tool: Tool


@dataclass(frozen=True, slots=True)
class ArgumentDelta:
    """More of the open call's arguments: of their JSON text; of a custom tool, of its input."""

    text: str


@dataclass(frozen=True, slots=True)
class CallClosed:
    """The open call is complete and valid. `arguments` is all its deltas together."""

    tool: Tool
    arguments: str
    repaired: tuple[str, ...] = ()
    """What had to be mended, as labels: `name`, `coerced`, or a step of `repair.py`."""


@dataclass(frozen=True, slots=True)
class CallFailed:
    """A call that was meant and cannot be executed."""

    reason: Reason
    name: str
    """The tool as the model wrote it; empty: it wrote none."""
    raw: str
    """The text of the call as it came. It may hold anything: never logged."""
    ask: str
    """What to tell the model so that it sends the call again; names field and reason. Empty with CUT."""
    field: str = ""
    """The argument that is wrong, as a path: `todos.0.status`. Empty: the call as a whole."""
    sent: str | None = None
    """The arguments that were handed out as deltas; None: the call was never opened. See `serialise.continuation`."""


@dataclass(frozen=True, slots=True)
class TailPiece:
    """Text after the end of the answer, for whoever goes on feeding. The engine drops it."""

    text: str


Piece = TextPiece | CallOpened | ArgumentDelta | CallClosed | CallFailed | TailPiece


def merged(pieces: list[Piece]) -> list[Piece]:
    """The same pieces, with neighbours of one kind of text made one: what does not depend on how a stream is cut."""
    result: list[Piece] = []
    for piece in pieces:
        last = result[-1] if result else None
        if isinstance(piece, TextPiece | ArgumentDelta | TailPiece) and type(last) is type(piece):
            result[-1] = type(piece)(last.text + piece.text)
        else:
            result.append(piece)
    return result
