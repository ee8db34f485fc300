"""`max_tokens`: an answer is cut where our estimate of its tokens exceeds it. Pure."""

import re

from lingma_gateway.events import PartKind
from lingma_gateway.tokens import Meter

Piece = tuple[PartKind, str]

_NEAR_TOKENS = 8
"""So close to the limit an unfinished word is held back, since it may have to be dropped."""
_WORD_END = re.compile(r"[A-Za-z0-9_]*\Z")


class TokenBudget:
    """Counts what the model says, reasoning too, and lets through what fits. How it was cut does not matter.

    An answer that is cut ends at the end of a word, unless the word is longer than the last few tokens or is all that
    there is.
    """

    def __init__(self, limit: int | None) -> None:
        """None: there is no limit, and it only counts."""
        self._limit = limit
        self._meters = {PartKind.TEXT: Meter(), PartKind.REASONING: Meter()}
        self._held: Piece | None = None
        self._sent = False
        self.exceeded = False
        """The answer is cut: nothing more is let through."""

    @property
    def tokens(self) -> int:
        """Of all that fitted."""
        return sum(meter.tokens for meter in self._meters.values())

    @property
    def reasoning_tokens(self) -> int:
        """How many of them were reasoning."""
        return self._meters[PartKind.REASONING].tokens

    def take(self, kind: PartKind, text: str) -> list[Piece]:
        """What goes on of what was held and of `text`."""
        if self._limit is None:
            self._meters[kind].add(text)
            return [(kind, text)]
        pieces = self.release() if self._held is not None and self._held[0] is not kind else []
        if not self.exceeded:
            pieces += self._take(kind, text, self._limit)
        self._sent = self._sent or bool(pieces)
        return pieces

    def release(self) -> list[Piece]:
        """What was held back, when no more of its kind follows."""
        held, self._held = self._held, None
        self._sent = self._sent or held is not None
        return [] if held is None else [held]

    def _take(self, kind: PartKind, text: str, limit: int) -> list[Piece]:
        meter = self._meters[kind]
        others = self.tokens - meter.tokens
        far = meter.fitting(text, limit - others - _NEAR_TOKENS)
        fitting = meter.fitting(text, limit - others)
        meter.add(text[:fitting])
        held = self._held[1] if self._held is not None else ""
        self._held = None
        whole = held + text[:fitting]
        self.exceeded = fitting < len(text)
        word = _WORD_END.search(whole)
        assert word is not None  # it matches nothing, too
        end = max(word.start(), len(held) + far if far else 0)
        if self.exceeded:
            in_word = end < len(whole) and _is_word(text[fitting])
            kept = whole[:end] if in_word and (end or self._sent) else whole
        else:
            kept = whole[:end]
            self._held = (kind, whole[end:]) if whole[end:] else None
        return [(kind, kept)] if kept else []


def _is_word(character: str) -> bool:
    return _WORD_END.fullmatch(character) is not None
