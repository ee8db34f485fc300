"""Reads the arguments of a call that stand in tags, one after the other."""

import re

from lingma_gateway.tools.jsonbody import read_body
from lingma_gateway.tools.openings import JSON_CLOSERS
from lingma_gateway.tools.pieces import Reason
from lingma_gateway.tools.repair import Reading
from lingma_gateway.tools.shapes import COMING, Held
from lingma_gateway.tools.source import Source, Waiting, spaces
from lingma_gateway.tools.tags import WHOLE, Tags
from lingma_gateway.tools.values import Value
from lingma_gateway.tools.writer import CallWriter


class _Reader:
    def __init__(self, source: Source, tags: Tags, writer: CallWriter) -> None:
        self._source, self._tags, self._writer = source, tags, writer
        self._values = 0

    def read(self) -> Waiting[bool]:
        """Takes the call. False: the stream ended inside it."""
        source, tags = self._source, self._tags
        while (yield from spaces(source)):
            opener = tags.parameter.read(source.text, source.at)
            if isinstance(opener, tuple):
                if not (yield from self._value(opener[1])):
                    return False
                continue
            end = tags.end.read(source.text, source.at)
            if isinstance(end, tuple):
                source.take_to(end[1].start("end"))
                return True
            implied = tags.implied_end.read(source.text, source.at)
            if isinstance(implied, tuple):
                return True
            stray = tags.stray.read(source.text, source.at)
            if isinstance(stray, tuple):
                source.take_to(stray[1].start("end"))
            elif any(isinstance(read, Held) for read in (opener, end, implied, stray)):
                if source.final:
                    return end is COMING and self._is_enough()
                yield
            elif not (yield from self._other()):
                return False
        return self._is_enough()

    def _is_enough(self) -> bool:
        """Whether a call whose closers are missing at the end of the answer is one."""
        return bool(self._values) and not self._source.cut

    def _value(self, opener: re.Match[str]) -> Waiting[bool]:
        key = opener.group("key").strip()
        pair = self._tags.pair(key, opener.group())
        self._source.take_to(opener.start("end"))
        return (yield from self._take(key, Value(self._tags, pair, self._writer.expects, self._writer.more)))

    def _take(self, key: str, value: Value) -> Waiting[bool]:
        self._writer.begin(key)
        if not (yield from value.read(self._source)):
            return False
        self._writer.end()
        self._values += 1
        return True

    def _other(self) -> Waiting[bool]:
        """What is no tag: arguments as JSON, a custom tool's input, or words that do not belong there."""
        source, writer = self._source, self._writer
        if writer.custom and not self._values:
            whole = yield from self._take("input", Value(WHOLE, WHOLE.pair("", ""), writer.expects, writer.more))
            return whole
        if source.text[source.at] == "{" and not self._values:
            outcome = yield from read_body(source, JSON_CLOSERS)
            self._values += 1
            if isinstance(outcome, Reading):
                writer.whole(outcome.value, outcome.repaired)
            else:
                writer.doubt(Reason.UNREADABLE, "", "its JSON cannot be read without guessing")
            return isinstance(outcome, Reading) or not outcome.cut
        writer.doubt(Reason.UNREADABLE, "", "text stands between its arguments")
        source.take(1)
        yield from self._next_tag()
        return True

    def _next_tag(self) -> Waiting[None]:
        """Takes what stands before the next character that a tag can begin with."""
        source, starts = self._source, re.compile(f"[{re.escape(self._tags.starts)}]")
        while True:
            found = starts.search(source.text, source.at)
            source.take_to(found.start() if found else len(source.text))
            if found or source.final:
                return
            yield


def read_tagged(source: Source, tags: Tags, writer: CallWriter) -> Waiting[bool]:
    """Takes a call whose name has been read, and writes it but for its end. False: the stream ended inside it."""
    complete = yield from _Reader(source, tags, writer).read()
    return complete
