"""Finds where the JSON of a call ends, in pieces of any size. It knows strings; repair comes later."""

import re
from dataclasses import dataclass
from enum import Enum

from lingma_gateway.tools.repair import Reading, Repeated, Unreadable, read_json
from lingma_gateway.tools.shapes import COMING
from lingma_gateway.tools.source import Source, Waiting
from lingma_gateway.tools.tags import Marks

_OUTSIDE = re.compile(r"[\"'{}\[\]()<＜]")
_INSIDE = {'"': re.compile(r'["\\<＜]'), "'": re.compile(r"['\\<＜]")}


class End(Enum):
    """How the text of a body ended."""

    BALANCED = "balanced"
    CLOSED = "closed"
    """A closing marker came before the last brace."""
    CUT = "cut"
    """The stream ended inside."""


@dataclass(frozen=True, slots=True)
class Body:
    text: str
    end: End
    doubt: int | None
    """Where the first closing marker ends that seemed to be inside a string: the string may be broken instead."""


class Scanner:
    """Where we are in the JSON, or the Python literals, that have come so far."""

    def __init__(self, closers: Marks) -> None:
        self._closers = closers
        self._parts: list[str] = []
        self._length = 0
        self._depth = 0
        self._quote = ""
        self._doubt: int | None = None

    def read(self, source: Source) -> Waiting[Body]:
        """Takes the body, which begins with an opening bracket. Each character is looked at once."""
        while True:
            end = self._scan(source)
            if end is not None:
                return self._body(end)
            if source.final:
                self._take(source, len(source.text))
                return self._body(End.CUT)
            yield

    def _body(self, end: End) -> Body:
        return Body("".join(self._parts), end, self._doubt)

    def _take(self, source: Source, position: int) -> None:
        taken = source.take_to(position)
        self._parts.append(taken)
        self._length += len(taken)

    def _scan(self, source: Source) -> End | None:
        """Goes over what has come; None: it is all inside the body."""
        text, position = source.text, source.at
        while True:
            pattern = _INSIDE[self._quote] if self._quote else _OUTSIDE
            found = pattern.search(text, position)
            if not found:
                self._take(source, len(text))
                return None
            mark, at = found.group(), found.start()
            after = self._after(mark, source, at)
            if after is None or isinstance(after, End):
                self._take(source, at + 1 if after is End.BALANCED else at)
                return after
            position = after

    def _after(self, mark: str, source: Source, at: int) -> int | End | None:
        """Where to go on behind a mark; how the body ends at it; None: more text decides what it is."""
        if mark == "\\":
            return at + 2 if at + 1 < len(source.text) else None
        if mark not in "<＜":
            return End.BALANCED if self._bracket(mark) else at + 1
        read = self._closers.read(source.text, at)
        if read is COMING and not source.final:
            return None
        if not isinstance(read, tuple):
            return at + 1
        if not self._quote:
            return End.CLOSED
        end = read[1].start("end")
        if self._doubt is None:
            self._doubt = self._length + end - source.at
        return end

    def _bracket(self, mark: str) -> bool:
        """Count a bracket or a quote; True: the outermost one was closed."""
        if mark in "\"'":
            self._quote = "" if self._quote else mark
        elif mark in "{[(":
            self._depth += 1
        else:
            self._depth -= 1
        return self._depth <= 0 and not self._quote


@dataclass(frozen=True, slots=True)
class Broken:
    """A body that cannot be read. `repeated`: the key that is given twice; None: it is no JSON."""

    repeated: str | None = None
    cut: bool = False


def read_body(source: Source, closers: Marks) -> Waiting[Reading | Broken]:
    """Takes a call's JSON and reads it. If its strings are broken it ends at the first marker that stands in one."""
    body = yield from Scanner(closers).read(source)
    if body.end is End.CUT and body.doubt is None:
        return Broken(cut=True)
    outcome = Broken() if body.end is End.CUT else _tried(body.text, body.end is End.CLOSED)
    if outcome == Broken() and body.doubt is not None:
        source.push_back(body.text[body.doubt :])
    return outcome


def _tried(text: str, closed: bool) -> Reading | Broken:
    try:
        return read_json(text, closed=closed)
    except Repeated as error:
        return Broken(repeated=str(error))
    except Unreadable:
        return Broken()
