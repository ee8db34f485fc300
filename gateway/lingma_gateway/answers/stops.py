"""Stop sequences: the answer ends before the first of them. Pure."""

from collections.abc import Sequence


class StopSequences:
    """Watches text that streams by. Only what may be the beginning of a sequence is held back.

    The sequence that is complete first ends the answer; of several that are complete at once, the one that began
    first. So it does not matter how the text was cut.
    """

    __slots__ = ("_held", "_longest", "_sequences", "hit")

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = sequences
        self._longest = max(map(len, sequences), default=0)
        self._held = ""
        self.hit: str | None = None
        """The sequence that ended the answer; nothing is to be fed after it."""

    def feed(self, text: str) -> str:
        """What of the text so far can be sent on."""
        if not self._longest:
            return text
        text = self._held + text
        found = [(start + len(each), start, each) for each in self._sequences if (start := text.find(each)) >= 0]
        if found:
            _, start, self.hit = min(found)
            self._held = ""
            return text[:start]
        cut = len(text) - self._beginning(text)
        self._held = text[cut:]
        return text[:cut]

    def release(self) -> str:
        """What was held back: no sequence came of it."""
        held, self._held = self._held, ""
        return held

    def _beginning(self, text: str) -> int:
        """Length of the longest end of `text` that a sequence begins with."""
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            if any(each.startswith(text[-length:]) for each in self._sequences):
                return length
        return 0
