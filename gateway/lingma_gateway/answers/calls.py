"""Calls out of what the model says: which the client is given, and which the model has to send again. Pure.

A call is handed on while it comes. One that turns out not to be executable stops the answer if some of it was handed
on; the model is asked for it again, and from then on a call is handed on when it is known to be right.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from lingma_gateway.answers.asking_again import Again, Why
from lingma_gateway.conversation import Tool, ToolKind
from lingma_gateway.errors import ToolCallInvalid, ToolCallMissing
from lingma_gateway.events import Call
from lingma_gateway.tools.instructions import ask_for_call
from lingma_gateway.tools.parser import CallParser
from lingma_gateway.tools.pieces import (
    ArgumentDelta,
    CallClosed,
    CallFailed,
    CallOpened,
    Piece,
    Reason,
    TailPiece,
    TextPiece,
)
from lingma_gateway.tools.serialise import continuation
from lingma_gateway.tools.toolset import ToolSet


@dataclass(frozen=True, slots=True)
class Arguments:
    """More of the open call's arguments."""

    text: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The open call is complete."""


Shown = str | Call | Arguments | Closed
"""Text, the head of a call, and what follows it."""


@dataclass(frozen=True, slots=True)
class Made:
    """A call that the client has been given."""

    head: Call
    arguments: str
    repaired: tuple[str, ...] = ()
    """What had to be mended, as labels."""
    retried: bool = False
    """The model had to be asked for it again."""


class CallReader:
    """For each question: `read` the text, until the model ends or `stopped` says that it is to be; then `finish`."""

    def __init__(self, toolset: ToolSet, mint: Callable[[], str]) -> None:
        self._toolset = toolset
        self._mint = mint
        self._parser = CallParser(toolset)
        self._head: Call | None = None
        self._space = ""
        """White space at the end of the text: it is left out before a call."""
        self._failed: list[CallFailed] = []
        self._broken: CallFailed | None = None
        """A call that failed when some of it had been handed on: its head is still open."""
        self._aside: list[str] = []
        """What the model says beside the call that it was asked for again."""
        self._asked_again = False
        self.made: list[Made] = []

    @property
    def stopped(self) -> bool:
        """What else the model says does not matter."""
        return self._parser.ended or (self._broken is not None and not self._asked_again)

    @property
    def cut(self) -> bool:
        """The answer ended inside a call."""
        return any(failed.reason is Reason.CUT for failed in self._failed)

    @property
    def failed(self) -> list[CallFailed]:
        """The calls of the last answer that cannot be executed."""
        return [failed for failed in self._failed if failed.reason is not Reason.CUT]

    def read(self, text: str) -> list[Shown]:
        """What the client is shown of it."""
        return self._show(self._parser.feed(text))

    def finish(self, *, cut: bool) -> list[Shown]:
        """What it is shown when the answer is over; `cut`: before its own end."""
        return self._show(self._parser.finish(cut))

    def wanting(self) -> Again | None:
        """Why the answer will not do; what it says is for whoever may ask again."""
        if self.failed:
            labels = ", ".join(sorted({failed.reason.value for failed in self.failed}))
            question = "\n".join(failed.ask for failed in self.failed)
            return Again(Why.CALL, f"its call of a tool cannot be executed ({labels})", question)
        if self._broken is not None:
            return Again(Why.CALL, "its call of a tool cannot be completed", self._broken.ask)
        if self._toolset.required and not self.made and not self.cut:
            return Again(Why.NO_CALL, "it called no tool", ask_for_call(self._toolset))
        return None

    def again(self) -> None:
        """The model is asked again: what it answers stands for the calls that failed."""
        self._parser, self._failed, self._asked_again = CallParser(self._toolset), [], True

    def conclude(self) -> list[Shown]:
        """The model is not asked again: a call that cannot be executed is shown as the text that it is.

        Raises:
            ToolCallMissing: the request demands a call, and there is none.
            ToolCallInvalid: the client was given part of a call that cannot be completed.
        """
        if self._broken is not None:
            raise ToolCallInvalid("the model began a call of a tool and could not complete it, asked twice")
        wanting = self.wanting()
        if wanting is not None and self._toolset.required and not self.made:
            raise ToolCallMissing(f"the request demands a call of a tool, but of the model: {wanting.reason}")
        said = () if self.made else (self._space, *self._aside)
        return ["".join((*said, *(failed.raw for failed in self.failed)))]

    def _show(self, pieces: list[Piece]) -> list[Shown]:
        shown: list[Shown] = []
        for piece in pieces:
            shown += self._corrected(piece) if self._asked_again else self._first(piece)
            if self._broken is not None and not self._asked_again:
                break
        return shown

    def _first(self, piece: Piece) -> list[Shown]:
        match piece:
            case TextPiece(text):
                spoken = self._space + text
                kept = spoken.rstrip()
                self._space = spoken[len(kept) :]
                return [kept] if kept else []
            case CallOpened(tool):
                self._head = self._new(tool)
                return [self._head]
            case ArgumentDelta(text):
                return [Arguments(text)]
            case CallClosed(_, arguments, repaired):
                assert self._head is not None
                self.made.append(Made(self._head, arguments, repaired))
                return [Closed()]
            case CallFailed():
                self._failed.append(piece)
                self._broken = piece if piece.sent is not None and piece.reason is not Reason.CUT else None
                return []
            case TailPiece():
                return []
            case _:
                assert_never(piece)

    def _corrected(self, piece: Piece) -> list[Shown]:
        """Of the answer to the question for a call, that call alone, once it is known to be right."""
        match piece:
            case TextPiece(text):
                self._aside.append(text)
            case CallClosed(tool, arguments, repaired):
                return self._completed(tool, arguments, repaired)
            case CallFailed():
                self._failed.append(piece)
            case CallOpened() | ArgumentDelta() | TailPiece():
                pass
            case _:
                assert_never(piece)
        return []

    def _completed(self, tool: Tool, arguments: str, repaired: tuple[str, ...]) -> list[Shown]:
        if self._broken is not None:
            assert self._head is not None and self._broken.sent is not None
            rest = _rest(self._broken.sent, arguments, tool) if tool.name == self._head.name else None
            if rest is None:
                return []
            head, first = self._head, Arguments(rest)
            self._broken = None
            shown: list[Shown] = [first, Closed()]
        elif any((made.head.name, made.arguments) == (tool.name, arguments) for made in self.made):
            return []  # it repeats what was right
        else:
            head = self._new(tool)
            shown = [head, Arguments(arguments), Closed()]
        self.made.append(Made(head, arguments, repaired, retried=True))
        return shown

    def _new(self, tool: Tool) -> Call:
        return Call(self._mint(), tool.name, tool.kind is ToolKind.CUSTOM, tool.namespace)


def _rest(sent: str, arguments: str, tool: Tool) -> str | None:
    """What completes the arguments that were handed on; None: these are others."""
    if tool.kind is ToolKind.CUSTOM:
        return arguments[len(sent) :] if arguments.startswith(sent) else None
    return continuation(sent, arguments)
