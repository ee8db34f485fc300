"""Reads calls out of a model's answer while it comes, in every form that models use.

One cursor goes over the stream once. Whatever decides is in the text, never in how it was cut: any split of a stream
gives the same pieces (`pieces.merged`). Held back is only what may still become a call.
"""

import re
from dataclasses import replace

from lingma_gateway.tools.arguments import Asked, calls_in
from lingma_gateway.tools.fences import Fences
from lingma_gateway.tools.jsonbody import Broken, End, Scanner, read_body
from lingma_gateway.tools.openings import BETWEEN, JSON_CLOSERS, Form, Opening, is_opening, openings
from lingma_gateway.tools.pieces import CallClosed, Piece, Reason, TailPiece, TextPiece
from lingma_gateway.tools.pythonic import python_calls
from lingma_gateway.tools.repair import Reading
from lingma_gateway.tools.shapes import COMING, Held
from lingma_gateway.tools.source import Source, Waiting, spaces
from lingma_gateway.tools.tagged import read_tagged
from lingma_gateway.tools.tags import Tags, elements, marks
from lingma_gateway.tools.toolset import ToolSet
from lingma_gateway.tools.writer import CallWriter

Begun = tuple[Opening, re.Match[str]]

_LINE = 400
"""Characters of a line that are waited for, to see whether inline code is closed on it."""
_CUT_MARKER = 5
"""Characters of a marker that make a cut answer one that was cut inside a call."""
_NAME = re.compile(r"""["'](?:name|tool)["']\s*:\s*["']([\w.:/\-]{1,128})["']""")
_NO_CLOSERS = marks()
_OVER = object()


class CallParser:
    """Turns the text of one answer into pieces. Give it answer text only, never reasoning."""

    def __init__(self, toolset: ToolSet) -> None:
        self._toolset = toolset
        self._openings = openings(toolset.required)
        self._source = Source()
        self._fences = Fences()
        self._out: list[Piece] = []
        self._ended = False
        self._after_json = False
        self._steps = self._answer() if toolset.tools else self._text_only()
        next(self._steps)

    @property
    def ended(self) -> bool:
        """The last call is complete and what follows is none: stop the upstream and drop the rest."""
        return self._ended

    @property
    def held(self) -> int:
        """Characters that are held back because they may be part of a call, or of a call's end."""
        return self._source.held

    def feed(self, text: str) -> list[Piece]:
        """The pieces that `text` completes."""
        if text:
            self._source.feed(text)
            next(self._steps)
        return self._given()

    def finish(self, cut: bool = False) -> list[Piece]:
        """The answer is over. `cut`: it was stopped before its own end, so that an open call is not one."""
        self._source.final, self._source.cut = True, cut
        assert next(self._steps, _OVER) is _OVER, "a parser waits for text that cannot come"
        return self._given()

    def _given(self) -> list[Piece]:
        given = self._out.copy()
        self._out.clear()
        return given

    # ---- the answer as a whole ----

    def _text_only(self) -> Waiting[None]:
        while True:
            text = self._source.take_to(len(self._source.text))
            if text:
                self._out.append(TextPiece(text))
            if self._source.final:
                return
            yield

    def _answer(self) -> Waiting[None]:
        begun = yield from self._first()
        while True:
            begun = begun or (yield from self._prose())
            if begun is None:
                return
            was_call = yield from self._enter(*begun)
            begun = None
            while was_call:
                begun = yield from self._between()
                if begun is None:
                    yield from self._tail()
                    return
                was_call = yield from self._enter(*begun)
                begun = None

    def _tail(self) -> Waiting[None]:
        while True:
            rest = self._source.take_to(len(self._source.text))
            if rest:
                self._out.append(TailPiece(rest))
            if self._source.final:
                return
            yield

    def _text_to(self, position: int) -> None:
        if position > self._source.at:
            text = self._source.take_to(position)
            self._fences.saw(text)
            self._out.append(TextPiece(text))

    # ---- where a call may begin ----

    def _first(self) -> Waiting[Begun | None]:
        """A call with which the answer begins. White space before it is text."""
        source = self._source
        while True:
            position = source.at
            while position < len(source.text) and source.text[position].isspace():
                position += 1
            self._text_to(position)
            if source.held:
                read = self._openings.at_start.read(source.text, source.at)
                if isinstance(read, tuple):
                    if read[0].form is not Form.THINKING:
                        return read if self._accepts(read) else None
                    yield from self._thinking()
                    continue
                if read is None:
                    return None
            if source.final:
                return None
            yield

    def _thinking(self) -> Waiting[None]:
        """Reasoning in the text: text, whatever it holds."""
        source = self._source
        while True:
            closer = source.text.find("</think", source.at)
            end = source.text.find(">", closer) + 1 if closer >= 0 else 0
            if end:
                self._text_to(end)
                return
            if source.final:
                self._text_to(len(source.text))
                return
            self._text_to(closer if closer >= 0 else max(source.at, len(source.text) - len("</think")))
            yield

    def _prose(self) -> Waiting[Begun | None]:
        """Text up to the next call; None: the answer ends with it."""
        source = self._source
        looked = 0
        while True:
            position, read = self._candidate(source.at + looked)
            self._text_to(position)
            looked = 0
            if read is None:
                if source.final:
                    return None
                yield
                continue
            if not self._fences.fence:
                accepted = read if isinstance(read, Held) else self._judged(read)
                if accepted is COMING:
                    if source.final:
                        self._unfinished()
                        return None
                    yield
                    continue
                if isinstance(accepted, tuple):
                    if accepted[0].form is not Form.STRAY:
                        return accepted
                    source.take_to(accepted[1].start("end"))
                    continue
            looked = 1

    def _candidate(self, position: int) -> tuple[int, Begun | Held | None]:
        """Where the next opening stands or may come, and what it is; with None the end of what has come."""
        text = self._source.text
        while True:
            found = self._openings.starts.search(text, position)
            if not found:
                return len(text), None
            read = self._openings.read(text, found.start(), self._toolset)
            if read is not None:
                return found.start(), read
            position = found.start() + 1

    def _judged(self, begun: Begun) -> Begun | Held | None:
        """`begun`, if it is a call where it stands; COMING, if the rest of the line decides."""
        if not self._accepts(begun):
            return None
        inline = self._fences.inline
        if not inline:
            return begun
        if self._fences.just_opened:
            return None
        text, at = self._source.text, self._source.at
        newline = text.find("\n", at, at + _LINE)
        line = text[at : newline if newline >= 0 else at + _LINE]
        complete = newline >= 0 or self._source.final or len(line) == _LINE
        if re.search(rf"(?<!`)`{{{inline}}}(?!`{'' if complete else '|$'})", line):
            return None
        return begun if complete else COMING

    def _accepts(self, begun: Begun) -> bool:
        opening, found = begun
        if opening.at_line_start and not self._fences.at_line_start:
            return False
        return is_opening(opening, found, self._toolset)

    def _read_next(self) -> Begun | Held | None:
        text, at = self._source.text, self._source.at
        if self._after_json:
            return self._openings.after_json.read(text, at)
        return self._openings.read(text, at, self._toolset)

    def _is_next(self, begun: Begun) -> bool:
        """Behind a call a bare opening is one, even of a tool that nobody knows: it fails alone."""
        opening, found = begun
        return self._accepts((replace(opening, declared=opening.form is Form.PYTHON), found))

    def _unfinished(self) -> None:
        """The answer ended in what may have become a call."""
        if self._source.cut and self._source.held >= _CUT_MARKER:
            self._cut()
        else:
            self._text_to(len(self._source.text))

    def _cut(self) -> None:
        """The answer ended in the opening of a call."""
        self._source.record()
        self._source.take_to(len(self._source.text))
        self._writer("").cut(self._source.recorded())

    def _between(self) -> Waiting[Begun | None]:
        """The next call directly behind one; None: something else follows, or nothing."""
        source = self._source
        while not self._ended and (yield from spaces(source)):
            read = self._read_next()
            closer = BETWEEN.read(source.text, source.at)
            if (read is COMING or closer is COMING) and not source.final:
                yield
            elif isinstance(read, tuple) and read[0].form is not Form.STRAY and self._is_next(read):
                return read
            elif isinstance(closer, tuple):
                source.take_to(closer[1].start("end"))
            elif closer is COMING:
                source.take_to(len(source.text))
            elif read is COMING and source.held >= _CUT_MARKER:
                self._cut()
            else:
                break
        self._ended = True
        return None

    # ---- inside a call ----

    def _enter(self, opening: Opening, found: re.Match[str]) -> Waiting[bool]:
        """Reads a call. False: it turned out to be text."""
        name = found.groupdict().get("name") or ""
        self._source.record()
        self._source.take_to(found.start("end"))
        self._after_json = opening.form is Form.CALLS
        match opening.form:
            case Form.TAGS:
                assert opening.tags is not None
                yield from self._tagged(opening.tags, self._writer(name))
            case Form.ELEMENTS:
                yield from self._tagged(elements(name), self._writer(name))
            case Form.ARGUMENTS:
                yield from self._arguments(self._writer(name))
            case Form.NOTHING:
                self._writer(name).close(self._source.recorded())
            case Form.PYTHON:
                was_call = yield from self._python(opening.alone)
                return was_call
            case _:
                was_call = yield from self._calls(opening.alone)
                return was_call
        self._call_is_over()
        return True

    def _writer(self, name: str) -> CallWriter:
        return CallWriter(self._toolset, self._toolset.find(name), name, self._out)

    def _call_is_over(self) -> None:
        """What follows is a new line of text, or another call."""
        self._fences = Fences()
        self._ended = not self._toolset.parallel and isinstance(self._out[-1], CallClosed)

    def _tagged(self, tags: Tags, writer: CallWriter) -> Waiting[None]:
        complete = yield from read_tagged(self._source, tags, writer)
        if not complete:
            self._source.take_to(len(self._source.text))
        raw = self._source.recorded()
        if complete:
            writer.close(raw)
        else:
            writer.cut(raw)

    def _arguments(self, writer: CallWriter) -> Waiting[None]:
        outcome = yield from read_body(self._source, JSON_CLOSERS)
        raw = self._source.recorded()
        if isinstance(outcome, Reading):
            writer.whole(outcome.value, outcome.repaired)
            writer.close(raw)
        else:
            _fail(writer, outcome, raw)

    def _calls(self, alone: bool) -> Waiting[bool]:
        asked: list[Asked] = []
        while True:
            outcome = yield from read_body(self._source, _NO_CLOSERS if alone else JSON_CLOSERS)
            found = calls_in(outcome.value, self._toolset) if isinstance(outcome, Reading) else None
            if not isinstance(outcome, Reading) or not found:
                break
            asked += found
            following = (yield from self._following()) if alone else ""
            if following not in ("", "{"):
                return self._was_text()
            if not following:
                self._write_all(asked, outcome.repaired, self._source.recorded())
                self._call_is_over()
                return True
        raw = self._source.recorded()
        named = _NAME.search(raw)
        _fail(self._writer(named.group(1) if named else ""), outcome, raw)
        self._call_is_over()
        return True

    def _python(self, alone: bool) -> Waiting[bool]:
        body = yield from Scanner(_NO_CLOSERS).read(self._source)
        asked = python_calls(body.text, self._toolset) if body.end is End.BALANCED else None
        if asked is None or (alone and (yield from self._following())):
            return self._was_text()
        self._write_all(asked, "", self._source.recorded())
        self._call_is_over()
        return True

    def _write_all(self, asked: list[Asked], repaired: str, raw: str) -> None:
        for call in asked:
            writer = CallWriter(self._toolset, call.tool, call.name, self._out)
            writer.whole(call.arguments, repaired)
            writer.close(raw)
            if not self._toolset.parallel and isinstance(self._out[-1], CallClosed):
                break

    def _following(self) -> Waiting[str]:
        """What stands behind JSON that is a call if it is the whole answer.

        Empty: nothing, or a closer that proves it a call. Else the next character.
        """
        source = self._source
        while (yield from spaces(source)):
            closer = JSON_CLOSERS.read(source.text, source.at)
            if isinstance(closer, tuple):
                return ""
            if closer is COMING and not source.final:
                yield
            elif source.text[source.at] in "`;":
                source.take(1)
            else:
                return source.text[source.at]
        return ""

    def _was_text(self) -> bool:
        text = self._source.recorded()
        self._fences.saw(text)
        self._out.append(TextPiece(text))
        return False


def _fail(writer: CallWriter, outcome: Reading | Broken, raw: str) -> None:
    if isinstance(outcome, Reading):
        writer.fail(Reason.NO_NAME, "", "it is not a call: an object with a name and arguments is needed", raw)
    elif outcome.cut:
        writer.cut(raw)
    elif outcome.repeated is not None:
        writer.fail(Reason.REPEATED, outcome.repeated, "it is given twice, differently", raw)
    else:
        writer.fail(Reason.UNREADABLE, "", "its JSON cannot be read without guessing", raw)
