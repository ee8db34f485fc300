"""Patterns that know when a text is not yet enough: the one place that decides what is held back.

A shape is written as the text it stands for. Models write markers sloppily, so that some characters mean more:

    <  >  |  _  "     also full-width, DeepSeek's `▁`, any quote
    a letter          in either case
    one space         any white space, or none
    {name} {key}      what they are called: captured
    {word} {any} {info}   a JSON key, anything in a tag, the rest of a fence's first line
    {attributes}          nothing, or a space and anything in a tag
    @                 nothing, `antml:` or DeepSeek's `｜DSML｜`
    ~                 nothing, or MiniMax M3's `]<]minimax[>[`
    $                 the end of a line
    ^                 where the marker ends: what follows is needed to be sure, and is not part of it

All of them are bounded, so that no more than `LONGEST` characters are ever held to be sure of a marker.
"""

import re
from collections.abc import Iterable
from enum import Enum
from typing import Generic, TypeVar

Meaning = TypeVar("Meaning")

_SPACE = r"\s{0,40}"
LONGEST = 400
"""No marker with all that is needed to be sure of it is longer."""
_CAPTURED = {
    "name": r"(?P<name>[^\W\d][\w.:/\-]{0,127})",
    "key": r"(?P<key>[\w$][\w.$:/\- ]{0,127})",
    "word": r"(?P<word>[A-Za-z_]{1,24})",
    "any": r"[^<>|＜＞｜\n\[\]]{0,80}",
    "attributes": r"(?:\s[^<>|＜＞｜\n]{0,120})?",
    "info": r"[\w \t+-]{0,24}",
}
_SPECIAL = {
    " ": [_SPACE],
    "<": ["[<＜]"],
    ">": ["[>＞]"],
    "|": ["[|｜]"],
    "_": ["[_▁]"],
    '"': ["[\"'“”＂]"],
    "@": ["(?:antml:|[|｜]DSML[|｜])?"],
    "~": [r"(?:\]<\]minimax\[>\[)?"],
    "$": [r"[ \t]{0,40}", r"\r?", r"\n"],
    "^": ["(?P<end>)"],
}
_PARTIAL = {
    "@": "(?:a(?:n(?:t(?:ml?)?)?)?|[|｜](?:D(?:S(?:ML?)?)?)?)",
    "~": r"\](?:<(?:\](?:m(?:i(?:n(?:i(?:m(?:a(?:x(?:\[>?)?)?)?)?)?)?)?)?)?)?",
}
"""What an optional atom looks like while it is coming; the others are their own beginnings."""
_TOKEN = re.compile(r"\{(name|key|word|any|attributes|info)\}|<\||\|>|(.)", re.DOTALL)


def _atoms(text: str) -> list[tuple[str, str]]:
    """The pieces of a shape as (source, pattern), each of which a stream can end after."""
    atoms: list[tuple[str, str]] = []
    for token in _TOKEN.finditer(text):
        written = token.group()
        if token.group(1):
            atoms.append((written, _CAPTURED[token.group(1)]))
        elif written == "<|":
            atoms += [("<", "[<＜]"), ("|", "[|｜]"), ("", " ?")]
        elif written == "|>":
            atoms += [("", " ?"), ("|", "[|｜]"), (">", "[>＞]")]
        else:
            atoms += [(written, pattern) for pattern in _SPECIAL.get(written, [re.escape(written)])]
    return atoms


def _viable(atoms: list[tuple[str, str]]) -> str:
    """A pattern of every text that may become the shape, to be matched up to the end of what has come."""
    pattern = ""
    for source, atom in reversed(atoms):
        atom = re.sub(r"\(\?P<\w+>", "(?:", atom)
        partial = f"|{_PARTIAL[source]}" if source in _PARTIAL else ""
        pattern = rf"(?:\Z|{atom}{pattern}{partial and partial + chr(92) + 'Z'})"
    return pattern


class Held(Enum):
    """What is known of a text that may become a shape."""

    COMING = "coming"
    """More text decides it."""


COMING = Held.COMING


class Shape:
    """One text that is recognised while it is still coming. It ends in a character of its own, never in a space."""

    def __init__(self, written: str) -> None:
        atoms = _atoms(written if "^" in written else f"{written}^")
        self._whole = re.compile("".join(pattern for _, pattern in atoms), re.IGNORECASE)
        self._coming = re.compile(_viable(atoms), re.IGNORECASE)
        self.beginning = _viable(atoms[:3])

    def read(self, text: str, at: int) -> re.Match[str] | Held | None:
        """The shape at `at`, whose group `end` is where it ends; COMING, or None: it is none, whatever comes."""
        return self._whole.match(text, at) or (COMING if self._coming.match(text, at) else None)


class Shapes(Generic[Meaning]):
    """Several shapes, each with what it means; the first one that fits counts, however the stream is cut."""

    def __init__(self, shapes: Iterable[tuple[str, Meaning]]) -> None:
        self._shapes = [(Shape(written), meaning) for written, meaning in shapes]
        self._gate = re.compile("|".join(shape.beginning for shape, _ in self._shapes), re.IGNORECASE)

    def read(self, text: str, at: int) -> tuple[Meaning, re.Match[str]] | Held | None:
        """As `Shape.read`, with the meaning."""
        if self._shapes and not self._gate.match(text, at):
            return None
        for shape, meaning in self._shapes:
            found = shape.read(text, at)
            if isinstance(found, re.Match):
                return meaning, found
            if found is COMING:
                return COMING
        return None
