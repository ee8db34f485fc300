"""Tools that model outputs call, and what a parser makes of an output, as plain values to compare."""

import json
import random
from collections.abc import Iterable, Iterator
from typing import Any

from lingma_gateway.conversation import Tool, ToolKind
from lingma_gateway.tools import (
    ArgumentDelta,
    CallClosed,
    CallFailed,
    CallOpened,
    CallParser,
    Piece,
    Reason,
    TailPiece,
    TextPiece,
    ToolSet,
    merged,
)


def function(name: str, properties: dict[str, Any], required: Iterable[str] = (), **more: Any) -> Tool:
    """A tool that takes arguments."""
    schema = {"type": "object", "properties": properties, "required": list(required), **more}
    return Tool(name, f"What {name} does.", json.dumps(schema))


STRING = {"type": "string"}
RUN = function(
    "run",
    {
        "cmd": STRING,
        "n": {"type": "integer"},
        "verbose": {"type": "boolean"},
        "ratio": {"type": "number"},
        "env": {"type": "object"},
        "tags": {"type": "array", "items": STRING},
        "mode": {"enum": ["fast", "slow"]},
        "note": {"anyOf": [STRING, {"type": "null"}]},
        "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    },
    ["cmd"],
)
WRITE = function("write", {"path": STRING, "content": STRING}, ["path", "content"])
NOW = function("now", {})
LOOK = function("look", {"path": STRING}, ["path"], additionalProperties=False)
TODO = function(
    "todo",
    {
        "todos": {
            "type": "array",
            "items": {"$ref": "#/$defs/todo"},
        }
    },
    ["todos"],
    **{
        "$defs": {
            "todo": {
                "type": "object",
                "properties": {"text": STRING, "status": {"enum": ["open", "done"]}, "rank": {"type": "integer"}},
                "required": ["text", "status"],
            }
        }
    },
)
LOG = function("mcp__git__log", {"max_count": {"type": "integer"}})
PATCH = Tool("apply_patch", "Applies a patch.", kind=ToolKind.CUSTOM, grammar='start: "*** Begin Patch"')
SEARCH = function("web.search", {"query": STRING}, ["query"])
TOOLS = (RUN, WRITE, NOW, LOOK, TODO, LOG, PATCH, SEARCH)

TOOLSETS = {
    "auto": ToolSet(TOOLS),
    "serial": ToolSet(TOOLS, parallel=False),
    "required": ToolSet(TOOLS, required=True),
    "named": ToolSet((RUN,), required=True),
    "none": ToolSet(),
}

Part = tuple[Any, ...]


def parsed(toolset: ToolSet, chunks: Iterable[str], *, cut: bool = False) -> list[Piece]:
    """All pieces of an answer that came in these chunks, merged; the order of calls' pieces is checked."""
    parser = CallParser(toolset)
    pieces = [piece for chunk in chunks for piece in parser.feed(chunk)]
    pieces += parser.finish(cut)
    assert parser.held == 0
    check_calls(pieces)
    return merged(pieces)


def check_calls(pieces: Iterable[Piece]) -> None:
    """Fails unless each opened call is closed with just its deltas, or failed with them, before anything else comes."""
    opened: CallOpened | None = None
    sent = ""
    for piece in pieces:
        match piece:
            case CallOpened():
                assert opened is None
                opened, sent = piece, ""
            case ArgumentDelta(text):
                assert opened is not None
                assert text
                sent += text
            case CallClosed(tool, arguments):
                assert opened == CallOpened(tool)
                assert arguments == sent
                opened = None
            case CallFailed(sent=failed):
                assert failed == (sent if opened else None)
                opened = None
            case TextPiece(text) | TailPiece(text):
                assert opened is None
                assert text
    assert opened is None


def in_chunks(text: str, size: int) -> Iterator[str]:
    """The text in pieces of one size."""
    return (text[start : start + size] for start in range(0, len(text), size))


def in_random_chunks(text: str, seed: int) -> Iterator[str]:
    """The text in pieces of 0 to 9 characters."""
    chosen = random.Random(seed)
    position = 0
    while position < len(text):
        size = chosen.randrange(10)
        yield text[position : position + size]
        position += size


def parts(pieces: Iterable[Piece]) -> list[Part]:
    """What an output means: T text, C call, A ask again, L cut, tail."""
    return [part for piece in pieces if (part := _part(piece)) is not None]


def _part(piece: Piece) -> Part | None:
    match piece:
        case TextPiece(text):
            return ("T", text)
        case TailPiece(text):
            return ("tail", text)
        case CallClosed(tool, arguments):
            if tool.kind is ToolKind.CUSTOM:
                return ("C", tool.name, arguments)
            return ("C", tool.name, list(json.loads(arguments).items()))
        case CallFailed(Reason.CUT):
            return ("L",)
        case CallFailed(reason, field=field):
            return ("A", str(reason), field)
        case _:
            return None
