"""From a question to what the simulator will do in the turn: decided here, done in turns.py. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

from lingma_sim import toolmodel
from lingma_sim.directives import (
    CallTool,
    Chunks,
    Crash,
    Delay,
    Directive,
    Fail,
    Fault,
    Form,
    Hang,
    Images,
    Logout,
    Model,
    Recall,
    Say,
    Sloppy,
    Stubborn,
    Then,
    Think,
    Tool,
    ToolResult,
    Unknown,
    WhoAmI,
)
from lingma_sim.faults import Chosen

Piece = Say | WhoAmI | Recall | Images | Model | ToolResult | Unknown
"""A directive that gives a line of the answer."""
Ending = Fail | Hang | Crash


@dataclass(frozen=True, slots=True)
class Script:
    """What a turn does: tools and logout, reasoning, the answer in chunks, and how it ends (None: success)."""

    tools: tuple[Tool, ...] = ()
    logout: bool = False
    thoughts: tuple[str, ...] = ()
    pieces: tuple[Piece, ...] = ()
    chunks: int = 1
    delay_ms: int = 0
    ending: Ending | None = None
    faults: tuple[Chosen, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What answers may tell, known only when the answer begins."""

    uid: str
    earlier_questions: Sequence[str]
    model: str
    tool_reply: Any
    image_urls: Sequence[str] = ()


def write(question: str, earlier: Sequence[str] = ()) -> Script:
    """The script for a question of a session with these earlier ones.

    Without an answering directive the question is echoed, unless the turn fails.
    """
    script = Script()
    questions = (*earlier, question)
    step = toolmodel.step(questions)
    if step is not None:
        for directive in toolmodel.speaking(step).directives:
            script = _with(script, directive)
        if (calls := toolmodel.written(step, questions)) is not None:
            script = replace(script, pieces=(*script.pieces, Say(calls)))
    if not script.pieces and script.ending is None:
        script = replace(script, pieces=(Say(f"echo: {question}"),))
    return script


def _with(script: Script, directive: Directive) -> Script:
    match directive:
        case Say() | WhoAmI() | Recall() | Images() | Model() | ToolResult() | Unknown():
            return replace(script, pieces=(*script.pieces, directive))
        case Tool():
            return replace(script, tools=(*script.tools, directive))
        case Think(text=text):
            return replace(script, thoughts=(*script.thoughts, text))
        case Chunks(count=count):
            return replace(script, chunks=count)
        case Delay(milliseconds=milliseconds):
            return replace(script, delay_ms=milliseconds)
        case Logout():
            return replace(script, logout=True)
        case Fail() | Hang() | Crash():
            return replace(script, ending=directive)
        case Fault(chosen=chosen):
            return replace(script, faults=(*script.faults, chosen))
        case CallTool() | Form() | Sloppy() | Stubborn() | Then():
            return script  # `toolmodel` reads them
        case _:
            assert_never(directive)


def answer(script: Script, facts: Facts) -> str:
    """The whole answer."""
    return "\n".join(_line(piece, facts) for piece in script.pieces)


def _line(piece: Piece, facts: Facts) -> str:
    match piece:
        case Say(text=text):
            return text
        case WhoAmI():
            return facts.uid
        case Model():
            return facts.model
        case Images():
            return "\n".join(facts.image_urls) or "(none)"
        case Recall():
            return _recalled(facts.earlier_questions)
        case ToolResult():
            return json.dumps(facts.tool_reply, ensure_ascii=False)
        case Unknown(text=text):
            return f"unknown directive: {text}"
        case _:
            assert_never(piece)


def _recalled(questions: Sequence[str]) -> str:
    # One line a question: a line that begins with `@sim` would be obeyed when a client sends it back as history.
    lines = (f"{number}. {' / '.join(question.splitlines())}" for number, question in enumerate(questions, 1))
    return "\n".join(lines) or "(nothing)"


def split(text: str, chunks: int) -> list[str]:
    """`text` in exactly `chunks` parts of nearly equal length; parts are empty when it is shorter, as real ones are."""
    return [text[len(text) * part // chunks : len(text) * (part + 1) // chunks] for part in range(chunks)]
