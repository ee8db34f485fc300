"""Reasoning that stands inside the answer's text, as a fence: Qoder CN's form (protocol page, push order: medium).

    ````think::<milliseconds>
    reasoning
    ````
    answer

A fence opens and closes at the start of a line only, so that a fence quoted in the middle of one stays text. Pure.
"""

from lingma_gateway.events import PartKind

_OPENING = "````think::"
_CLOSING = "````"

Piece = tuple[PartKind, str]


class ThinkingSplitter:
    """Splits text into answer and reasoning, however it is cut. Holds back only what may be part of a fence."""

    __slots__ = ("_at_line_start", "_held", "_kind")

    def __init__(self) -> None:
        self._held = ""
        self._kind = PartKind.TEXT
        self._at_line_start = True

    def feed(self, text: str) -> list[Piece]:
        """The pieces that `text` completes."""
        if not self._held and "`" not in text:
            if not text:
                return []
            self._at_line_start = text[-1] == "\n"
            return [(self._kind, text)]
        text, self._held = self._held + text, ""
        pieces: list[Piece] = []
        while text:
            text = self._step(text, pieces)
        return pieces

    def finish(self) -> list[Piece]:
        """What is still held: a fence that never came, or the closing one at the very end."""
        held, self._held = self._held, ""
        if self._kind is PartKind.REASONING and held == _CLOSING:
            return []
        return self._take(held)

    def _step(self, text: str, pieces: list[Piece]) -> str:
        """Handle the beginning of `text`; the rest of it is returned."""
        fence = _OPENING if self._kind is PartKind.TEXT else _CLOSING
        if not self._at_line_start:
            return self._pass_line(text, pieces)
        if not text.startswith(fence):
            if fence.startswith(text):
                self._held = text
                return ""
            return self._pass_line(text, pieces)
        end = text.find("\n")
        if end < 0:
            if self._is_fence_line(text):
                self._held = text
                return ""
            return self._pass_line(text, pieces)
        if not self._is_fence_line(text[:end]):
            return self._pass_line(text, pieces)
        self._kind = PartKind.REASONING if self._kind is PartKind.TEXT else PartKind.TEXT
        return text[end + 1 :]

    def _is_fence_line(self, line: str) -> bool:
        """Whether `line`, which begins like a fence, is one as far as it goes."""
        if self._kind is PartKind.TEXT:
            rest = line[len(_OPENING) :].rstrip("\r")
            return not rest or rest.isdigit()
        return not line[len(_CLOSING) :].strip()

    def _pass_line(self, text: str, pieces: list[Piece]) -> str:
        end = text.find("\n") + 1 or len(text)
        pieces += self._take(text[:end])
        return text[end:]

    def _take(self, text: str) -> list[Piece]:
        if not text:
            return []
        self._at_line_start = text.endswith("\n")
        return [(self._kind, text)]
