"""The language in which a prompt tells the simulator how to answer: lines that begin with `@sim `.

The last contiguous block of such lines counts, so that a client that sends the history as text is answered by its last
question. docs/simulator.md holds the table. Pure; a malformed directive becomes `Unknown`, never an error.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lingma_sim import faults, sloppy, toolforms
from lingma_sim.faults import Chosen, FaultError, Where

MAX_CHUNKS = 10_000
MAX_DELAY_MS = 600_000
AUTO = "auto"
"""The form of calls that the prompt instructed."""

_LINE = re.compile(r"[ \t]*@sim(?:[ \t]+(?P<rest>.*?))?[ \t\r]*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Say:
    """Answer this text."""

    text: str


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """Answer the uid of the logged-in account."""


@dataclass(frozen=True, slots=True)
class Recall:
    """Answer the earlier questions of the session."""


@dataclass(frozen=True, slots=True)
class Images:
    """Answer the addresses of the images that the question came with."""


@dataclass(frozen=True, slots=True)
class Model:
    """Answer the key of the model that the turn asked for."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """Answer the client's last reply to tool/invoke in the session, as JSON."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """Split the answer into so many chat/answer pushes."""

    count: int


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait so long between two chunks."""

    milliseconds: int


@dataclass(frozen=True, slots=True)
class Think:
    """Push this reasoning before the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    """Use a tool before the answer."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallTool:
    """Write a call of one of the client's tools into the answer, as a model does that was told of them."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Form:
    """The form of the calls of this step: a key of `toolforms.FORMS`, or `auto` for the one that was instructed."""

    name: str


@dataclass(frozen=True, slots=True)
class Sloppy:
    """How the calls of this step are got wrong, until the model is asked again: a key of `sloppy.VARIANTS`."""

    variant: str


@dataclass(frozen=True, slots=True)
class Stubborn:
    """Get them wrong again when asked again."""


@dataclass(frozen=True, slots=True)
class Then:
    """What follows is for the next question, or for when the results of the calls before it have come."""


@dataclass(frozen=True, slots=True)
class Fail:
    """End the turn with this status."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Hang:
    """Never end the turn."""


@dataclass(frozen=True, slots=True)
class Crash:
    """Exit the process."""


@dataclass(frozen=True, slots=True)
class Logout:
    """Log the account out."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Switch a fault on for this turn alone."""

    chosen: Chosen


@dataclass(frozen=True, slots=True)
class Unknown:
    """A line that is none of these; the answer names it."""

    text: str


Directive = (
    Say
    | WhoAmI
    | Recall
    | Images
    | Model
    | ToolResult
    | Chunks
    | Delay
    | Think
    | Tool
    | CallTool
    | Form
    | Sloppy
    | Stubborn
    | Then
    | Fail
    | Hang
    | Crash
    | Logout
    | Fault
    | Unknown
)

_Named = TypeVar("_Named", Tool, CallTool)

_PLAIN: dict[str, type[WhoAmI | Recall | Images | Model | ToolResult | Stubborn | Then | Hang | Crash | Logout]] = {
    "whoami": WhoAmI,
    "recall": Recall,
    "images": Images,
    "model": Model,
    "toolresult": ToolResult,
    "stubborn": Stubborn,
    "then": Then,
    "hang": Hang,
    "crash": Crash,
    "logout": Logout,
}


def parse(question: str) -> tuple[Directive, ...]:
    """The directives of the last block of `question`; empty when it has none."""
    return parse_with_end(question)[0]


def without(question: str) -> str:
    """`question` without its lines of directives."""
    return "\n".join(line for line in question.split("\n") if _LINE.fullmatch(line) is None)


def parse_with_end(question: str) -> tuple[tuple[Directive, ...], int]:
    """As `parse`, with the number of the line that follows the block."""
    block: list[Directive] = []
    inside = False
    end = 0
    for number, line in enumerate(question.split("\n"), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            inside = False
            continue
        if not inside:
            block.clear()
            inside = True
        block.append(_directive(match["rest"] or ""))
        end = number
    return tuple(block), end


def _directive(text: str) -> Directive:
    name, _, rest = text.partition(" ")
    rest = rest.strip()
    if name in _PLAIN:
        return Unknown(text) if rest else _PLAIN[name]()
    return _with_argument(name, rest) or Unknown(text)


def _with_argument(name: str, rest: str) -> Directive | None:
    read = _READERS.get(name)
    return None if read is None else read(rest)


def _chunks(rest: str) -> Chunks | None:
    count = _number(rest, MAX_CHUNKS)
    return Chunks(count) if count else None


def _delay(rest: str) -> Delay | None:
    delay = _number(rest, MAX_DELAY_MS)
    return None if delay is None else Delay(delay)


def _fail(rest: str) -> Fail | None:
    code, _, message = rest.partition(" ")
    number = _number(code, 99_999)
    return None if number is None else Fail(number, message.strip())


def _form(rest: str) -> Form | None:
    return Form(rest) if rest == AUTO or rest in toolforms.FORMS else None


def _sloppy(rest: str) -> Sloppy | None:
    return Sloppy(rest) if rest in sloppy.VARIANTS else None


def _tool(rest: str, kind: type[_Named]) -> _Named | None:
    name, _, raw = rest.partition(" ")
    if not name:
        return None
    if not raw.strip():
        return kind(name)
    try:
        parameters = json.loads(raw)
    except (json.JSONDecodeError, RecursionError):
        return None
    return kind(name, parameters) if isinstance(parameters, dict) else None


def _fault(text: str) -> Fault | None:
    try:
        chosen = faults.parse_one(text)
    except FaultError:
        return None
    return Fault(chosen) if faults.KINDS[chosen.name].where is Where.TURN else None


def _number(text: str, largest: int) -> int | None:
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(largest)):
        return None
    return int(text) if int(text) <= largest else None


_READERS: dict[str, Callable[[str], Directive | None]] = {
    "say": Say,
    "think": Think,
    "chunks": _chunks,
    "delay": _delay,
    "fail": _fail,
    "tool": lambda rest: _tool(rest, Tool),
    "call": lambda rest: _tool(rest, CallTool),
    "form": _form,
    "sloppy": _sloppy,
    "fault": _fault,
}
