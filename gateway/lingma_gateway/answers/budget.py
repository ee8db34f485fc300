"""`max_tokens`: an answer is cut where our estimate of its tokens exceeds it. Pure."""

from lingma_gateway.events import PartKind
from lingma_gateway.tokens import Meter

Piece = tuple[PartKind, str]


class TokenBudget:
    """Counts what the model says, reasoning too, and lets through what fits. How it was cut does not matter.

    The estimate counts a word at its first letter, so that an answer ends before a word rather than in it.
    """

    __slots__ = ("_limit", "_meters", "exceeded")

    def __init__(self, limit: int | None) -> None:
        """None: there is no limit, and it only counts."""
        self._limit = limit
        self._meters = {PartKind.TEXT: Meter(), PartKind.REASONING: Meter()}
        self.exceeded = False
        """The answer is cut: nothing more is to be taken."""

    @property
    def tokens(self) -> int:
        """Of all that fitted."""
        return sum(meter.tokens for meter in self._meters.values())

    @property
    def reasoning_tokens(self) -> int:
        """How many of them were reasoning."""
        return self._meters[PartKind.REASONING].tokens

    def count(self, kind: PartKind, text: str) -> None:
        """Take `text` whole, where there is no limit."""
        self._meters[kind].add(text)

    def take(self, kind: PartKind, text: str) -> str:
        """What fits of `text`."""
        meter = self._meters[kind]
        if self._limit is not None:
            others = self.tokens - meter.tokens
            fitting = meter.fitting(text, self._limit - others)
            self.exceeded = fitting < len(text)
            text = text[:fitting]
        meter.add(text)
        return text
