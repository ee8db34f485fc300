"""How a call begins, in every native form (tools page, section 1: high confidence unless marked there).

Each entry is a shape that goes on until the call's name, or the beginning of its JSON, is there: prose that only names
a marker never fits.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from lingma_gateway.tools.schema import schema_of
from lingma_gateway.tools.shapes import Held, Shapes
from lingma_gateway.tools.tags import OPEN_CLOSE, PAIRS, PARAMETERS, Tags, marks
from lingma_gateway.tools.toolset import ToolSet


class Form(Enum):
    """What stands behind an opening."""

    TAGS = "tags"
    ELEMENTS = "elements"
    """Tags that are called like the tool and its arguments."""
    CALLS = "calls"
    """JSON that says which tools it calls: an object or a list of them."""
    ARGUMENTS = "arguments"
    """JSON of the arguments; the name stood in the opening."""
    PYTHON = "python"
    """Calls as Python writes them."""
    NOTHING = "nothing"
    """The call has no arguments; its closer follows."""
    THINKING = "thinking"
    """No call: reasoning in the text."""
    STRAY = "stray"
    """No call: the closer of one that was never opened, which is dropped."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What an opening means."""

    form: Form
    tags: Tags | None = None
    declared: bool = False
    """It is one only if the tool is declared: without a wrapper, other text looks like it."""
    at_line_start: bool = False
    alone: bool = False
    """It is one only if the whole answer is it."""
    numbered: bool = False
    """The name must be an id of Kimi's, `functions.run:0`."""
    element: bool = False
    """It is an element that is called like a tool, and the next tag like one of its arguments."""


_TAGS = Opening(Form.TAGS, PARAMETERS)
_BARE_TAGS = Opening(Form.TAGS, PARAMETERS, declared=True)
_PAIRS = Opening(Form.TAGS, PAIRS)
_CALLS = Opening(Form.CALLS)
_ARGUMENTS = Opening(Form.ARGUMENTS)
_BARE_ARGUMENTS = Opening(Form.ARGUMENTS, declared=True)
_LINE_ARGUMENTS = Opening(Form.ARGUMENTS, declared=True, at_line_start=True)
_ALONE = Opening(Form.CALLS, declared=True, alone=True)

_WRAPPERS = ("<tool_call>", "<@tool_calls>", "<@function_calls>", "<minimax:tool_call>")
_JSON_WRAPPERS = ("<tool_call{attributes}>", "<tool_calls>", "<function_calls>", "<function_call>")
_INVOKE = '<@invoke name="{name}"{any}>'
_MEMBER = '"{word}" :'
_NAMED = '"{word}" : "{name}"'

_WRAPPED: tuple[tuple[str, Opening], ...] = (
    ("<tool_call{attributes}> <function={name}>", _TAGS),
    ('<tool_call{attributes}> <function="{name}">', _TAGS),
    ('<tool_call{attributes}> <function name="{name}">', _TAGS),
    ("<tool_call{attributes}> <function>{name}</function> ^{", _ARGUMENTS),
    *((f"~{wrapper} ~{_INVOKE}", _TAGS) for wrapper in _WRAPPERS),
    ("<tool_call> {name} ^<arg_key>", _PAIRS),
    ("<tool_call> {name} ^</tool_call>", Opening(Form.NOTHING, declared=True)),
    ("<tool_call> {name} ^{", _BARE_ARGUMENTS),
    *((f"{wrapper} ^{{ {_MEMBER}", _CALLS) for wrapper in _JSON_WRAPPERS),
    *(
        (f"{wrapper} ^[ {{ {_MEMBER}", _CALLS)
        for wrapper in ("<tool_call{attributes}>", "<tool_calls>", "<function_calls>")
    ),
    (f"<tool_call> ```{{info}}\n ^{{ {_MEMBER}", _CALLS),
    ("<|tool_calls_section_begin|> <|tool_call_begin|> {name} <|tool_call_argument_begin|> ^{", _ARGUMENTS),
    ("<|tool_call_begin|> {name} <|tool_call_argument_begin|> ^{", _ARGUMENTS),
    ("<|tool_calls_begin|> <|tool_call_begin|> function<|tool_sep|> {name} ```{info}\n ^{", _ARGUMENTS),
    ("<|tool_call_begin|> function<|tool_sep|> {name} ```{info}\n ^{", _ARGUMENTS),
    ("<|tool_calls_begin|> <|tool_call_begin|> {name} <|tool_sep|> ^{", _ARGUMENTS),
    ("<|tool_call_begin|> {name} <|tool_sep|> ^{", _ARGUMENTS),
    ('<|open|> call tool="{name}"{any}<|sep|>', Opening(Form.TAGS, OPEN_CLOSE)),
    (f"[TOOL_CALLS] ^[ {{ {_MEMBER}", _CALLS),
    (f"[TOOL_CALLS] ^{{ {_MEMBER}", _CALLS),
    ("[TOOL_CALLS] {name}[ARGS] ^{", _ARGUMENTS),
    ("[TOOL_CALLS] {name}[CALL_ID]{any}[ARGS] ^{", _ARGUMENTS),
    ("[TOOL_CALLS] {name} ^{", _BARE_ARGUMENTS),
    ("✿FUNCTION✿ : {name} ✿ARGS✿ : ^{", _ARGUMENTS),
)
_UNWRAPPED: tuple[tuple[str, Opening], ...] = (
    ("<function={name}> ^<@parameter", _BARE_TAGS),
    ("<function={name}> ^</function>", _BARE_TAGS),
    ("<function={name}> ^{", _BARE_ARGUMENTS),
    (f"~{_INVOKE} ^<@parameter", _BARE_TAGS),
    (f"~{_INVOKE} ^]<]minimax[>[<", _BARE_TAGS),
    (f"~{_INVOKE} ^</@invoke>", _BARE_TAGS),
    ("functions.{name} <|tool_call_argument_begin|> ^{", Opening(Form.ARGUMENTS, declared=True, numbered=True)),
    ("functions.{name} ^{", Opening(Form.ARGUMENTS, declared=True, numbered=True)),
    ("Action : {name} Action Input : ^{", _LINE_ARGUMENTS),
    (f"``` json action\n ^{{ {_MEMBER}", Opening(Form.CALLS, at_line_start=True)),
)
_ELEMENTS: tuple[tuple[str, Opening], ...] = (
    ("<{name}> ^<{key}>", Opening(Form.ELEMENTS, at_line_start=True, element=True)),
    ("<{name}> ^</{key}>", Opening(Form.ELEMENTS, at_line_start=True, element=True)),
)
"""Cline's. Other text looks most like them: they are looked for where nothing else fits."""
_TAG = re.compile(r"<([\w.:/\-]*)(>?)")
_AT_START: tuple[tuple[str, Opening], ...] = (
    (f'^{{ "type" : "function" , {_NAMED}', _ALONE),
    (f'^{{ "type" : "function" , "function" : {{ {_NAMED}', _ALONE),
    (f'^{{ "function" : {{ {_NAMED}', _ALONE),
    (f"^{{ {_NAMED}", _ALONE),
    (f"^[ {{ {_NAMED}", _ALONE),
    (f"```{{info}}\n ^{{ {_NAMED}", _ALONE),
    (f"```{{info}}\n ^[ {{ {_NAMED}", _ALONE),
    ("^[ {name}(", Opening(Form.PYTHON, declared=True, alone=True)),
    ("<think>", Opening(Form.THINKING)),
    ("<thinking>", Opening(Form.THINKING)),
)
"""Only where an answer begins: anywhere else they are an example."""
_REQUIRED: tuple[tuple[str, Opening], ...] = (
    ('^{ "', _CALLS),
    ("^{ }", _CALLS),
    ("^[ {", _CALLS),
    ('```{info}\n ^{ "', _CALLS),
    ("```{info}\n ^[ {", _CALLS),
    ("^{name}(", Opening(Form.PYTHON, declared=True)),
)
"""Where a call must come and the answer begins with JSON (parity page, section 5), that is the call."""
_REQUIRED_LATER: tuple[tuple[str, Opening], ...] = (
    (f"^{{ {_NAMED}", Opening(Form.CALLS, declared=True, at_line_start=True)),
    (f"```{{info}}\n ^{{ {_NAMED}", Opening(Form.CALLS, declared=True, at_line_start=True)),
)
"""Where a call must come, behind prose."""
_MORE_JSON: tuple[tuple[str, Opening], ...] = ((f"^{{ {_MEMBER}", _CALLS),)
"""Behind a call in JSON: the next one of the same wrapper."""

BETWEEN = marks(
    *("</tool_call>", "~</tool_call>", "</@tool_calls>", "</@function_calls>", "</function_call>", "</function>"),
    *("~</@invoke>", "~</minimax:tool_call>", "<|tool_call_end|>", "<|tool_calls_section_end|>", "<|tool_calls_end|>"),
    *("</@parameter>", "<|close|> call<|sep|>", "]", "}", ",", ";", "```"),
    *("✿RESULT✿ : ^✿FUNCTION✿", "Observation : ^Action"),
)
"""What closes a call, or stands between two: it is no text."""
JSON_CLOSERS = marks(
    *("</tool_call>", "</@tool_calls>", "</@function_calls>", "</function_call>", "</function>"),
    *("<|tool_call_end|>", "<|tool_calls_section_end|>", "<|tool_calls_end|>"),
)
"""What ends a call's JSON even if braces are missing."""
_STRAY: tuple[tuple[str, Opening], ...] = tuple(
    (text, Opening(Form.STRAY, at_line_start=True))
    for text in (
        "</tool_call>",
        "</@tool_calls>",
        "</@function_calls>",
        "</minimax:tool_call>",
        "</function>",
        "</@invoke>",
    )
)
"""Closers without an opener, which some models write behind an answer (tools page, section 2: high confidence)."""

_NAME_WORDS = frozenset(("name", "tool", "tool_name", "function"))


class Openings:
    """The openings that count, by what the request asks for."""

    def __init__(self, required: bool) -> None:
        anywhere = (*_WRAPPED, *_UNWRAPPED, *_STRAY)
        later = _REQUIRED_LATER if required else ()
        first = _REQUIRED if required else ()
        self.later = Shapes((*anywhere, *later))
        self.at_start = Shapes((*anywhere, *first, *_AT_START))
        self.after_json = Shapes((*anywhere, *_MORE_JSON))
        more = r"|\{|`(?=`|\Z)" if required else ""
        self.starts = re.compile(r"[<＜\[✿]|\](?=<|\Z)|\bf(?=u|\Z)|\bA(?=c|\Z)|`(?=``|`?\Z)" + more)
        """Characters that openings begin with, in the middle of an answer."""
        self._elements = Shapes(_ELEMENTS)

    def read(self, text: str, at: int, toolset: ToolSet) -> tuple[Opening, re.Match[str]] | Held | None:
        """What begins at `at`, in the middle of an answer."""
        found = self.later.read(text, at)
        tag = _TAG.match(text, at) if found is None else None
        if tag and toolset.may_name(tag.group(1), whole=bool(tag.group(2))):
            return self._elements.read(text, at)
        return found


@lru_cache(maxsize=2)
def openings(required: bool) -> Openings:
    """The openings, prepared once: it takes a good part of a second."""
    return Openings(required)


def prepare() -> None:
    """Do what the first parser of a process would else do."""
    for required in (False, True):
        openings(required)


def is_opening(opening: Opening, found: re.Match[str], toolset: ToolSet) -> bool:
    """Whether a shape that fits is an opening, seen by the names that it captured."""
    captured = found.groupdict()
    name, word = captured.get("name"), captured.get("word")
    if opening.element:
        return _is_element(captured["name"], captured["key"].strip(), toolset)
    if opening.numbered and not re.search(r":\d+$", name or ""):
        return False
    if not opening.declared or name is None:
        return True
    return toolset.find(name) is not None and (word is None or word in _NAME_WORDS)


def _is_element(name: str, key: str, toolset: ToolSet) -> bool:
    tool = toolset.find(name)
    return tool is not None and tool.name == name and (key == name or key in schema_of(tool.schema).properties)
