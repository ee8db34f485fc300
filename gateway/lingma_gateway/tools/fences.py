"""Where an answer's text is Markdown code: what stands there is shown, never called.

An observer of text that has already been handed out: it holds nothing back.
"""

import re

_HEAD = 200
"""Characters of a line that are looked at: a fence stands at its beginning."""
_FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(`{3,}|~{3,})(.*)", re.DOTALL)
_CLOSING = re.compile(r"[ \t>]*(`{3,}|~{3,})[ \t]*\r?")
_MARKS = re.compile(r"`+|\n")


class Fences:
    """Follows the text of an answer, in pieces of any size."""

    def __init__(self) -> None:
        self._head = ""
        self._fence = ""
        """The run that opened the fence in which we are; empty: in none."""
        self._inline = 0
        """Length of the run of backticks that opened inline code on this line; 0: none is open."""
        self._run = 0
        """Length of the run of backticks that the text ends in."""
        self._runs = 0
        """Runs of backticks on this line."""

    @property
    def at_line_start(self) -> bool:
        """Whether the line holds nothing but white space so far."""
        return not self._head.strip()

    @property
    def fence(self) -> str:
        """The run of the fence in which the text ends; empty: in none."""
        if self._fence:
            return self._fence
        opening = _FENCE.match(self._head)
        return opening.group(1) if opening and self._opens(opening) else ""

    @property
    def inline(self) -> int:
        """Length of the run that opened the inline code in which the text ends; 0: in none."""
        if not self._run:
            return self._inline
        return 0 if self._run == self._inline else self._inline or self._run

    @property
    def just_opened(self) -> bool:
        """Whether the text ends in the backticks that open inline code."""
        return bool(self._run) and not self._inline

    def saw(self, text: str) -> None:
        """`text` was handed out."""
        if self._run and text and text[0] != "`":
            self._end_run()
        if "`" not in text:
            self._saw_plain(text)
            return
        position = 0
        for mark in _MARKS.finditer(text):
            if mark.group() == "\n":
                self._see(text[position : mark.start()])
                self._end_line()
                position = mark.end()
            else:
                self._count(mark.end() - mark.start(), mark.end() == len(text))
        self._see(text[position:])

    def _saw_plain(self, text: str) -> None:
        """Text without backticks: only its first and its last line, and fences of tildes, can matter."""
        first, newline, rest = text.partition("\n")
        self._see(first)
        if not newline:
            return
        self._end_line()
        if "~~~" in rest:
            for line in rest.split("\n")[:-1]:
                self._see(line)
                self._end_line()
        self._see(rest[rest.rfind("\n") + 1 :])

    def _see(self, text: str) -> None:
        if len(self._head) < _HEAD:
            self._head += text[: _HEAD - len(self._head)]

    def _count(self, length: int, at_end: bool) -> None:
        self._run += length
        if not at_end:
            self._end_run()

    def _end_run(self) -> None:
        self._runs += 1
        if self._inline == 0:
            self._inline = self._run
        elif self._inline == self._run:
            self._inline = 0
        self._run = 0

    def _end_line(self) -> None:
        head, fence = self._head, self._fence
        if fence:
            closing = _CLOSING.fullmatch(head)
            if closing and closing.group(1).startswith(fence):
                self._fence = ""
        else:
            opening = _FENCE.match(head)
            if opening and self._opens(opening):
                self._fence = opening.group(1)
        self._head, self._inline, self._runs = "", 0, 0

    def _opens(self, opening: re.Match[str]) -> bool:
        """Backticks after the first run of the line make it inline code."""
        return opening.group(1)[0] == "~" or self._runs + bool(self._run) <= 1
