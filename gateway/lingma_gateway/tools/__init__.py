"""Function calling by text: tools are described in the prompt, and calls are read back from the answer. No I/O.

Lingma's chat takes and gives plain text. For one turn:

    toolset = ToolSet.of(turn.tools, turn.tool_choice, turn.parallel_tool_calls)
    grammar = Grammars.parse(settings.tools_grammar).of(model)

    # into the prompt, once per upstream session while `toolset.digest` stays the same
    instructions(grammar) + describe(toolset.tools, budget).text
    # added tools alone: describe(added, budget).text
    # into the prompt of each turn, last
    demand(toolset)

    # past calls and results, where the transcript is replayed or a result goes back
    calls_text(calls, grammar, toolset)
    results_text(results, names)

    # out of the answer's text (never its reasoning)
    parser = CallParser(toolset)
    pieces = parser.feed(text)           # once a push
    if parser.ended: ...                 # stop the upstream, drop what follows
    pieces = parser.finish(cut=...)      # cut: the answer did not end by itself

The pieces are a closed union (`pieces.py`): `TextPiece`, then for each call `CallOpened`, `ArgumentDelta`..., and
`CallClosed` with the same arguments as a whole; or `CallFailed`. What follows the end is a `TailPiece`, to be dropped.

A `CallFailed` says why, and `ask` is what to tell the model so that it sends the call again. Mostly nothing of the call
was handed out (`sent` is None). Where a string argument was already streamed, `continuation(sent, arguments)` of the
new call's arguments gives what must follow, or None: then the answer cannot be saved. `reason` CUT is no call at all:
the answer ends with `length`, or breaks off if some of it was sent. A required call that did not come is nobody's
piece: count the calls, and ask with `ask_for_call(toolset)`.

With an empty ToolSet (no tools, or the choice `none`) all text passes untouched and nothing is parsed.
"""

from lingma_gateway.grammars import DEFAULT_BUDGET, DEFAULT_GRAMMARS, VERSION, Grammar, Grammars
from lingma_gateway.tools.describe import Description, Format, describe
from lingma_gateway.tools.instructions import ask_for_call, demand, instructions
from lingma_gateway.tools.openings import prepare
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
    merged,
)
from lingma_gateway.tools.serialise import continuation
from lingma_gateway.tools.toolset import ToolSet, digest_of
from lingma_gateway.tools.transcript import calls_text, neutral, results_text

__all__ = [
    "DEFAULT_BUDGET",
    "DEFAULT_GRAMMARS",
    "VERSION",
    "ArgumentDelta",
    "CallClosed",
    "CallFailed",
    "CallOpened",
    "CallParser",
    "Description",
    "Format",
    "Grammar",
    "Grammars",
    "Piece",
    "Reason",
    "TailPiece",
    "TextPiece",
    "ToolSet",
    "ask_for_call",
    "calls_text",
    "continuation",
    "demand",
    "describe",
    "digest_of",
    "instructions",
    "merged",
    "neutral",
    "prepare",
    "results_text",
]
