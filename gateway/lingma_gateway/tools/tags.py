"""The tagged forms: which tags open and close an argument, and what may follow a value that really ended."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from lingma_gateway.tools.shapes import Shapes

Marks = Shapes[str]


def marks(*written: str) -> Marks:
    """Shapes that need no meaning beside what they capture."""
    return Shapes((text, "") for text in written)


_CALL_CLOSERS = ("</tool_call>", "</@tool_calls>", "</@function_calls>", "</minimax:tool_call>")
_NEXT_BEHIND_VALUE = (
    *("<tool_call{attributes}> <function={key}>", "<tool_call{attributes}> {", "<tool_call{attributes}> <@invoke name"),
    *("<function={key}> <@parameter", "<@invoke name=", "<@function_calls> <@invoke", "<minimax:tool_call> <@invoke"),
)
"""Behind a value, the next call must show more of itself: a file may well hold a lone `<tool_call>`."""
_NEXT_CALL = ("<tool_call{attributes}>", "<@invoke name", "<function=", "<@function_calls>", "<minimax:tool_call>")


@dataclass(frozen=True)
class Pair:
    """What closes a value, and what opens another of the kind that is closed alike."""

    opener: Marks
    closer: Marks
    newline_is_markup: bool = True
    """One line break at each end of the value belongs to the tags, if the value begins with one."""
    last_newline_is_markup: bool = False
    """One at its end does so anyway."""


@dataclass(frozen=True)
class Tags:
    """One way to write arguments in tags."""

    parameter: Marks
    """Opens an argument; captures its `key`."""
    pair: Callable[[str, str], Pair]
    """How its value is bracketed: by its key and the text of its opener."""
    end: Marks
    """Closes the call."""
    implied_end: Marks
    """Shows that the call is over although its own closer is missing."""
    stray: Marks
    """A closer that stands once too often."""
    follows: Marks
    """What may stand behind the closer of a value, if the value ended there."""
    follows_surely: Marks
    """The same, for a closer in a place where one is not expected: in the middle of a line."""
    call_ends: Marks
    """From the closer of a value to the very end of the call."""
    starts: str = "<＜"
    """Characters that tags begin with."""


def _behind(*written: str) -> Marks:
    """Shapes that are looked for behind white space, and stay where they are."""
    return marks(*(f" ^{text}" for text in written))


_PARAMETER = ("<@parameter={key}>", '<@parameter name="{key}"{any}>', '<@parameter="{key}">', "]<]minimax[>[<{key}>")
_NAMED_PAIR = Pair(marks(*_PARAMETER), marks("</@parameter>"))
_PARAMETER_PAIR = replace(_NAMED_PAIR, last_newline_is_markup=True)
"""Qwen's: its templates put each tag on a line of its own."""
_EXACT_PAIR = replace(_NAMED_PAIR, newline_is_markup=False)
"""DeepSeek's, whose values are exact."""
_OPEN_CLOSE = marks('<|open|> argument key="{key}"{any}<|sep|>')
_OPEN_CLOSE_PAIR = Pair(_OPEN_CLOSE, marks("<|close|> argument<|sep|>"), newline_is_markup=False)
_ARGUMENT_PAIR = Pair(marks("<arg_value>"), marks("</arg_value>"), newline_is_markup=False)
_CALL_END = ("~</function>", "~</@invoke>")
_WHOLE_PAIR = Pair(marks("<function="), marks(*_CALL_END), last_newline_is_markup=True)


def _parameter_pair(key: str, opener: str) -> Pair:
    if opener.startswith("]"):
        return _element_pair(key, opener)
    if "dsml" in opener.casefold():
        return _EXACT_PAIR
    return _NAMED_PAIR if "name" in opener.partition("=")[0] else _PARAMETER_PAIR


@lru_cache(maxsize=512)
def _element_pair(key: str, _opener: str) -> Pair:
    return Pair(marks(f"~<{key}>"), marks(f"~</{key}>"))


PARAMETERS = Tags(
    parameter=_PARAMETER_PAIR.opener,
    pair=_parameter_pair,
    end=marks(*_CALL_END),
    implied_end=marks(*(f"~{text}" for text in (*_CALL_CLOSERS, *_NEXT_CALL))),
    stray=marks("</@parameter>"),
    follows=_behind(
        *("<@parameter", "]<]minimax[>[<", "</@parameter>"),
        *_CALL_END,
        *_NEXT_BEHIND_VALUE,
        *(f"~{text}" for text in _CALL_CLOSERS),
    ),
    follows_surely=marks(
        *(f" {end} ~{closer}$" for end in _CALL_END for closer in _CALL_CLOSERS),
        " ^<@parameter={key}>",
        ' ^<@parameter name="{key}"{any}>',
    ),
    call_ends=marks(*(f" {end} ^{closer}" for end in _CALL_END for closer in _CALL_CLOSERS)),
    starts="<＜]",
)
"""Qwen-Coder's, MiniMax's, DeepSeek's and Claude's: `<parameter=key>` or `<parameter name="key">`."""

PAIRS = Tags(
    parameter=marks("<arg_key>{key}</arg_key> <arg_value>"),
    pair=lambda _key, _opener: _ARGUMENT_PAIR,
    end=marks("</tool_call>"),
    implied_end=marks("<tool_call>"),
    stray=marks("</arg_value>"),
    follows=_behind("<arg_key>", "</arg_value>", "</tool_call>", "<tool_call> {key} <arg_key>"),
    follows_surely=_behind("<arg_key>", "</tool_call>"),
    call_ends=marks(" ^</tool_call>"),
)
"""GLM's."""

OPEN_CLOSE = Tags(
    parameter=_OPEN_CLOSE,
    pair=lambda _key, _opener: _OPEN_CLOSE_PAIR,
    end=marks("<|close|> call<|sep|>"),
    implied_end=marks("<|open|> call"),
    stray=marks("<|close|> argument<|sep|>"),
    follows=_behind("<|open|> argument", "<|close|> call", "<|open|> call", "<|close|> argument"),
    follows_surely=_behind("<|open|> argument", "<|close|> call"),
    call_ends=marks(" ^<|close|> call<|sep|>"),
)
"""Kimi K3's."""

WHOLE = Tags(
    parameter=marks(),
    pair=lambda _key, _opener: _WHOLE_PAIR,
    end=marks(),
    implied_end=marks(),
    stray=marks(),
    follows=_behind(*_CALL_CLOSERS, *_NEXT_CALL),
    follows_surely=_behind(*_CALL_CLOSERS),
    call_ends=marks(),
)
"""The input of a custom tool that stands in its call without a tag of its own."""


@lru_cache(maxsize=512)
def elements(name: str) -> Tags:
    """Cline's: an element for the call, and one in it for each argument, each called like what it stands for."""
    return Tags(
        parameter=marks("<{key}>"),
        pair=_element_pair,
        end=marks(f"</{name}>"),
        implied_end=marks(),
        stray=marks("</{key}>"),
        follows=_behind("<{key}>", f"</{name}>"),
        follows_surely=_behind(f"</{name}>"),
        call_ends=marks(f" ^</{name}>"),
    )
