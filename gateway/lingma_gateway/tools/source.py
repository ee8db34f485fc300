"""The stream as the parsers read it: text that has come and was not taken yet."""

from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")
Waiting = Generator[None, None, Result]
"""A parser that yields where it needs more text. After `final` is set it must end without yielding again."""


class Source:
    """Parsers look at `text` from `at` on; positions are valid until they yield."""

    def __init__(self) -> None:
        self.text = ""
        self.at = 0
        self.final = False
        """No more text comes."""
        self.cut = False
        """With `final`: the answer did not end by itself."""
        self._record: list[str] | None = None

    @property
    def held(self) -> int:
        """Characters that have come and were not taken."""
        return len(self.text) - self.at

    def feed(self, text: str) -> None:
        """More of the stream."""
        kept = max(self.at - 1, 0)  # one character that was taken stays, for patterns that look behind
        self.text = self.text[kept:] + text
        self.at -= kept

    def take(self, count: int) -> str:
        """The next characters, which are thereby done with."""
        taken = self.text[self.at : self.at + count]
        self.at += len(taken)
        if self._record is not None:
            self._record.append(taken)
        return taken

    def take_to(self, position: int) -> str:
        """As `take`, up to a position of `text`."""
        return self.take(position - self.at)

    def record(self) -> None:
        """From here on what is taken is remembered, for `recorded`."""
        self._record = []

    def recorded(self) -> str:
        """What was taken since `record`; it is forgotten."""
        record, self._record = self._record, None
        return "".join(record or ())

    def push_back(self, text: str) -> None:
        """`text` was taken too early: it comes again. It must be the end of what is recorded."""
        self.text = text + self.text[self.at :]
        self.at = 0
        whole = "".join(self._record or ())
        self._record = [whole[: len(whole) - len(text)]]


def spaces(source: Source) -> Waiting[bool]:
    """Takes white space up to what follows it; False: nothing follows."""
    while True:
        position = source.at
        while position < len(source.text) and source.text[position].isspace():
            position += 1
        found = position < len(source.text)
        source.take_to(position)
        if found or source.final:
            return found
        yield
