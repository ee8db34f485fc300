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
_DOUBTS = 8
"""Closing markers inside strings that are remembered: more are not tried as the call's real end."""


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
    doubts: tuple[tuple[int, int], ...]
    """Where closing markers stood that seemed to be inside strings: the strings may be broken instead."""


class Scanner:
    """Where we are in the JSON, or the Python literals, that have come so far."""

    def __init__(self, closers: Marks) -> None:
        self._closers = closers
        self._parts: list[str] = []
        self._length = 0
        self._depth = 0
        self._quote = ""
        self._doubts: list[tuple[int, int]] = []

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
        return Body("".join(self._parts), end, tuple(self._doubts))

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
            if mark in "<＜":
                read = self._closers.read(text, at)
                if read is COMING and not source.final:
                    self._take(source, at)
                    return None
                if isinstance(read, tuple):
                    position = read[1].start("end")
                    if not self._quote:
                        self._take(source, at)
                        return End.CLOSED
                    self._doubt(source, at, position)
                    continue
            elif mark == "\\":
                if at + 1 == len(text):
                    self._take(source, at)
                    return None
                position = at + 2
                continue
            elif self._bracket(mark):
                self._take(source, at + 1)
                return End.BALANCED
            position = at + 1

    def _doubt(self, source: Source, start: int, end: int) -> None:
        if len(self._doubts) < _DOUBTS:
            offset = self._length - source.at
            self._doubts.append((offset + start, offset + end))

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
    """Takes a call's JSON and reads it. Where only a closing marker inside a broken string can be its end, it is."""
    body = yield from Scanner(closers).read(source)
    if body.end is not End.CUT:
        outcome = _tried(body.text, body.end is End.CLOSED)
        if not body.doubts or not isinstance(outcome, Broken) or outcome.repeated is not None:
            return outcome
    elif not body.doubts:
        return Broken(cut=True)
    for start, end in body.doubts:
        outcome = _tried(body.text[:start], True)
        if isinstance(outcome, Reading):
            source.push_back(body.text[end:])
            return outcome
    source.push_back(body.text[body.doubts[0][1] :])
    return Broken()


def _tried(text: str, closed: bool) -> Reading | Broken:
    try:
        return read_json(text, closed=closed)
    except Repeated as error:
        return Broken(repeated=str(error))
    except Unreadable:
        return Broken()
