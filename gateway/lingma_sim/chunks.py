"""An answer's text as the chat/answer pushes and the `fullAnswer` that tell it, under the faults of the turn. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from lingma_sim import script
from lingma_sim.faults import Values

DRAFT = "a first draft, soon replaced"
"""What `overwrite=replace` takes back."""
REST = " (and what no chunk told)"
"""What `full-answer=longer` adds."""
MIDDLE_FAULTS = (
    *("disconnect", "crash", "session-change", "slow-chunks", "finish-code"),
    *("malformed-frame", "malformed-json", "unknown-push", "other-pushes", "foreign-pushes"),
)
"""Faults that strike after the first chunk: an answer has two chunks then, so that some of it is missing."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chat/answer."""

    text: str
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """All of an answer on the wire. Joined by the rules of the protocol it is `text`."""

    text: str
    chunks: tuple[Chunk, ...]
    full_answer: str = ""


def tell(text: str, parts: int, faults: Values) -> Told:
    """How `text` is told in `parts` chunks."""
    if faults.on("no-answer"):
        return Told("", ())
    if any(faults.on(name) for name in MIDDLE_FAULTS):
        parts = max(parts, 2)
    full_answer = faults.text("full-answer")
    if full_answer == "only":
        return Told(text, (), text)
    chunks = _overwritten(text, parts, faults.text("overwrite"))
    chunks = _with_empty_ones(chunks, faults.count("empty-chunks"))
    full = {"": "", "same": text, "longer": text + REST, "different": f"not this: {text}"}[full_answer]
    return Told(text, tuple(chunks), full)


def _overwritten(text: str, parts: int, how: str) -> list[Chunk]:
    pieces = script.split(text, parts)
    plain = [Chunk(piece) for piece in pieces]
    match how:
        case "extend":
            return [*plain[:-1], Chunk(text, overwrite=True)]
        case "replace":
            return [Chunk(DRAFT), Chunk(pieces[0], overwrite=True), *plain[1:]]
        case "each":
            return [Chunk("".join(pieces[: number + 1]), overwrite=True) for number in range(parts)]
        case _:
            return plain


def _with_empty_ones(chunks: Sequence[Chunk], count: int) -> list[Chunk]:
    if not count:
        return list(chunks)
    empty = [Chunk("")] * count
    return [*empty, *(one for chunk in chunks for one in (chunk, *empty))]


def fenced_thought(text: str, milliseconds: int) -> str:
    """Reasoning as Qoder CN puts it inside the answer's text (protocol page: PA, CLW)."""
    return f"````think::{milliseconds}\n{text}\n````\n"


def fenced_tool(name: str, call_id: str) -> str:
    """A tool's marker inside the answer's text, as Qoder CN puts it."""
    return f"```toolCall::{name}::{call_id}::INIT\n```\n"
