"""Reads the JSON that models write. What is broken is mended only where one meaning is left; nothing is guessed.

The steps, in their order, each on top of those before it (tools page, section 5; own tests):

1. as it is
2. raw line breaks and tabs inside strings
3. backslashes that JSON does not know are doubled: `\\d` (but `C:\\new` is legal JSON, and stays what it says)
4. trailing commas, single quotes, `True`, `False`, `None`, quotes around the whole
5. missing braces at the end, where the call's own closing marker shows that nothing more was to come
"""

import json
import re
from dataclasses import dataclass
from typing import Any


class Unreadable(Exception):
    """The text is no JSON, and no repair is sure."""


class Repeated(Exception):
    """A key stands twice with different values; the argument is the key."""


@dataclass(frozen=True, slots=True)
class Reading:
    value: Any
    repaired: str = ""
    """The step that was needed: `control`, `backslash`, `literals`, `closers`; empty: none."""


_ILLEGAL_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|)')
_TOKENS = re.compile(
    r"""(?P<space>\s+)|(?P<mark>[{}\[\]:,])|(?P<double>"(?:[^"\\]++|\\.)*+")|(?P<single>'(?:[^'\\]++|\\.)*+')"""
    r"""|(?P<word>[A-Za-z]+)|(?P<number>-?[0-9][0-9.eE+\-]*)""",
    re.DOTALL,
)
_INSIDE = re.compile(r'\\u[0-9a-fA-F]{4}|\\.|"', re.DOTALL)
_WORDS = {"true": "true", "false": "false", "null": "null", "True": "true", "False": "false", "None": "null"}
_CLOSERS = {"{": "}", "[": "]"}


def read_json(text: str, *, closed: bool = False) -> Reading:
    """The value that `text` stands for. `closed`: its end was marked, so that missing braces may be added.

    Raises:
        Unreadable: no step reads it.
        Repeated: it is readable, but says two things.
    """
    for name, candidate in _candidates(text, closed):
        if candidate is None:
            continue
        try:
            value = json.loads(candidate, strict=not name, object_pairs_hook=_members, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
            return Reading(read_json(value).value, "literals")
        return Reading(value, name)
    raise Unreadable


def _candidates(text: str, closed: bool) -> Any:
    """Each step's name with the text it makes; made only when the steps before it have failed."""
    yield "", text
    yield "control", text
    yield "backslash", _doubled(text)
    tokens = _relaxed(text)
    yield "literals", None if tokens is None else "".join(_without_trailing_commas(tokens))
    if closed and tokens is not None:
        yield "closers", "".join(_without_trailing_commas([*tokens, *_missing(tokens)]))


def _doubled(text: str) -> str:
    return _ILLEGAL_ESCAPE.sub(lambda found: found.group() if found.group(1) else "\\\\", text)


def _relaxed(text: str) -> list[str] | None:
    """The text as tokens of JSON; None where something stands that is no token."""
    tokens: list[str] = []
    at = 0
    while at < len(text):
        found = _TOKENS.match(text, at)
        if not found:
            return None
        token = _as_json(found)
        if token is None:
            return None
        tokens.append(token)
        at = found.end()
    return tokens


def _as_json(found: re.Match[str]) -> str | None:
    written = found.group()
    match found.lastgroup:
        case "space":
            return " "
        case "word":
            return _WORDS.get(written)
        case "double":
            return _doubled(written)
        case "single":
            return f'"{_INSIDE.sub(_requoted, written[1:-1])}"'
        case _:
            return written


def _requoted(found: re.Match[str]) -> str:
    """What stood between single quotes, between double ones."""
    written = found.group()
    return {'"': '\\"', "\\'": "'"}.get(written) or _doubled(written)


def _without_trailing_commas(tokens: list[str]) -> list[str]:
    solid = [token for token in tokens if token != " "]
    return [token for token, after in zip(solid, [*solid[1:], ""], strict=False) if token != "," or after not in "}]"]


def _missing(tokens: list[str]) -> list[str]:
    """The closers of all that is still open, inner first."""
    open_: list[str] = []
    for token in tokens:
        if token in _CLOSERS:
            open_.append(_CLOSERS[token])
        elif open_ and token == open_[-1]:
            open_.pop()
    return open_[::-1]


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members and (members[key] != value or type(members[key]) is not type(value)):
            raise Repeated(key)
        members[key] = value
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
