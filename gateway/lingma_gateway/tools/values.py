"""Reads one raw value out of its tags, handing it on while it comes. What looks like a tag inside it is looked behind.

A value ends at a closer that what follows confirms. Openers inside the value are counted, so that a whole call that is
quoted in a file ends where it ends; a closer in the middle of a line needs more proof if the value began on a line.
"""

import re
from collections.abc import Callable
from enum import Enum

from lingma_gateway.tools.shapes import COMING, Held
from lingma_gateway.tools.source import Source, Waiting
from lingma_gateway.tools.tags import Pair, Tags

_INDENT = 200
"""Spaces before a closer that count as its indentation."""
_NOTHING = re.compile(r"\s*\Z")
_LAST_TAG = re.compile(r"[^>＞]*[>＞]?\s*\Z")


class Verdict(Enum):
    """What a tag inside a value is."""

    CONTENT = "content"
    ENDS = "ends"
    COMING = "coming"


class Value:
    """One value. `declared` tells whether a key is an argument that has not come yet."""

    def __init__(self, tags: Tags, pair: Pair, declared: Callable[[str], bool], hand_on: Callable[[str], None]) -> None:
        self._tags, self._pair, self._declared, self._hand_on = tags, pair, declared, hand_on
        self._starts = re.compile(f"[{re.escape(tags.starts)}]")
        self._on_line = False
        """The value began on a line of its own."""
        self._crlf = False
        self._untouched = True
        """Nothing was handed on yet."""
        self._depth = 0
        self._inline = 0
        """Openers on this line, in the middle of it, that are not closed yet."""
        self._resume = 0
        """Where the closer of this value ends."""

    def read(self, source: Source) -> Waiting[bool]:
        """Takes the value and its closer. False: the stream ended inside it."""
        if self._pair.newline_is_markup:
            yield from self._first_newline(source)
        looked = 0
        while True:
            text, position = source.text, source.at + looked
            verdict, position = self._next(source, position)
            if verdict is Verdict.ENDS:
                self._pass_on(source, self._margin(text, source.at, position))
                source.take_to(self._resume)
                return True
            self._pass_on(source, self._before_return(text, source.at, self._margin(text, source.at, position)))
            looked = position - source.at
            if source.final:
                return False
            yield

    def _first_newline(self, source: Source) -> Waiting[None]:
        while not source.final and source.text[source.at :] in ("", "\r"):
            yield
        for newline in ("\r\n", "\n"):
            if source.text.startswith(newline, source.at):
                source.take(len(newline))
                self._on_line, self._crlf = True, newline == "\r\n"
                return

    def _pass_on(self, source: Source, position: int) -> None:
        if position > source.at:
            self._untouched = False
            self._hand_on(source.take_to(position))

    def _next(self, source: Source, position: int) -> tuple[Verdict, int]:
        """The next tag that is not content, and where it begins; COMING: at this position more text is needed."""
        text = source.text
        while True:
            found = self._starts.search(text, position)
            end = found.start() if found else len(text)
            if text.find("\n", position, end) >= 0:
                self._inline = 0
            if not found:
                return Verdict.COMING, end
            verdict, after = self._judge(source, end)
            if verdict is not Verdict.CONTENT:
                return verdict, end
            position = after

    def _judge(self, source: Source, at: int) -> tuple[Verdict, int]:
        """What begins at `at`, and where it ends if it is content."""
        text = source.text
        opener = self._pair.opener.read(text, at)
        closer = self._pair.closer.read(text, at)
        if (opener is COMING or closer is COMING) and not source.final:
            return Verdict.COMING, at
        if isinstance(closer, tuple):
            return self._judge_closer(source, at, closer[1].start("end"))
        if isinstance(opener, tuple):
            if self._on_line and not self._starts_line(source, at):
                self._inline += 1
            else:
                self._depth += 1
            return Verdict.CONTENT, opener[1].start("end")
        return Verdict.CONTENT, at + 1

    def _judge_closer(self, source: Source, at: int, end: int) -> tuple[Verdict, int]:
        if self._inline:
            self._inline -= 1
            return Verdict.CONTENT, end
        if self._depth:
            verdict = self._at_the_very_end(source, end)
        elif self._on_line and not self._starts_line(source, at):
            verdict = self._surely_followed(source, end)
        else:
            verdict = self._followed(source, end)
        if verdict is Verdict.CONTENT and self._depth:
            self._depth -= 1
        self._resume = end
        return verdict, end

    def _followed(self, source: Source, end: int) -> Verdict:
        if _NOTHING.match(source.text, end):
            return Verdict.ENDS if source.final else Verdict.COMING
        return self._verdict(source, self._tags.follows.read(source.text, end))

    def _surely_followed(self, source: Source, end: int) -> Verdict:
        follower = self._tags.follows_surely.read(source.text, end)
        if isinstance(follower, tuple):
            key = follower[1].groupdict().get("key")
            return Verdict.ENDS if key is None or self._declared(key) else Verdict.CONTENT
        if source.final and _NOTHING.match(source.text, end):
            return Verdict.ENDS
        return self._verdict(source, follower)

    def _at_the_very_end(self, source: Source, end: int) -> Verdict:
        """A closer that belongs to a quoted opener, unless the answer ends behind it."""
        follower = self._tags.call_ends.read(source.text, end)
        if isinstance(follower, tuple):
            follower = COMING if _LAST_TAG.match(source.text, follower[1].start("end")) else None
        return self._verdict(source, follower)

    @staticmethod
    def _verdict(source: Source, follower: object) -> Verdict:
        if isinstance(follower, Held):
            return Verdict.ENDS if source.final else Verdict.COMING
        return Verdict.CONTENT if follower is None else Verdict.ENDS

    def _starts_line(self, source: Source, at: int) -> bool:
        text, position = source.text, at
        while position > source.at and text[position - 1] in " \t":
            position -= 1
        if position > source.at:
            return text[position - 1] == "\n"
        return self._untouched

    def _margin(self, text: str, start: int, end: int) -> int:
        """Where the line break begins that belongs to a closer at `end`; `end` itself where there is none."""
        if not (self._on_line or self._pair.last_newline_is_markup):
            return end
        position = end
        while position > start and text[position - 1] in " \t" and end - position < _INDENT:
            position -= 1
        if position > start and text[position - 1] == "\n":
            position -= 1
            return position - 1 if self._crlf and position > start and text[position - 1] == "\r" else position
        if position == start and self._untouched and self._on_line:
            return position
        return end

    def _before_return(self, text: str, start: int, end: int) -> int:
        """`end`, or before the carriage return there, which may be half of a line break."""
        return end - 1 if self._crlf and end > start and text[end - 1] == "\r" else end
